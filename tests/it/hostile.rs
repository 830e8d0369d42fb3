//! Stored objects of strangers: random bytes, truncated and mixed up variants under all kinds of names. Nothing panics.

use std::sync::OnceLock;

use esker_tests::{TempRepo, issues_and_files, noise};
use proptest::prelude::*;

/// A repository with a bit of everything.
fn template() -> &'static TempRepo {
    static TEMPLATE: OnceLock<TempRepo> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let repo = TempRepo::memory();
        let repository = repo.create();
        let source = issues_and_files("hostile", 20);
        source.remove("files", "folder\0list");
        repo.backup(&source);
        source.remove("issues", "issue/00001");
        let report = repo.backup(&source);
        let snapshots = repo.snapshots();
        let action = esker_engine::format::commit::MarkAction::Hold;
        let marked = repository.mark(action, &[snapshots[0].slot], Some("why"), &repo.ctx());
        marked.unwrap();
        assert!(report.problems.is_empty());
        repo
    })
}

/// Names in all rooms, of ours and of strangers.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("config/0".to_owned()),
        Just("config/0.copy".into()),
        "config/[0-9]{1,12}",
        "keys/[0-9a-f]{16}",
        "packs/mixed/[0-9a-f]{32}",
        "packs/00/00[0-9a-f]{30}-[dm]",
        "index/[0-9a-f]{32}",
        "sessions/0000000[0-9]-[0-9a-f]{16}-0[0-9a-hjkmnp-tv-z]{25}",
        "commits/[0f]{8}-[0-9a-f]{16}-[0-7][0-9a-hjkmnp-tv-z]{25}",
        "marks/[0-7][0-9a-hjkmnp-tv-z]{25}",
        "gc/[0f]{8}/(condemned|swept)",
        "(config|keys|packs|packs/mixed|index|sessions|commits|marks|gc|lost)/[a-z0-9.-]{1,20}",
    ]
}

#[derive(Debug, Clone)]
enum Bytes {
    Random(u64, usize),
    /// The bytes of another object, cut or made longer.
    Of(prop::sample::Index, prop::sample::Index, usize),
    /// The bytes of another object with one byte changed.
    Changed(prop::sample::Index, prop::sample::Index, u8),
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (any::<u64>(), prop_oneof![0..400usize, 0..20_000usize])
            .prop_map(|(seed, length)| Bytes::Random(seed, length)),
        (index(), index(), 0..100usize).prop_map(|(name, cut, more)| Bytes::Of(name, cut, more)),
        (index(), index(), 1..=255u8).prop_map(|(name, at, by)| Bytes::Changed(name, at, by)),
    ]
}

impl Bytes {
    fn make(&self, repo: &TempRepo) -> Vec<u8> {
        let names = repo.names();
        match self {
            Self::Random(seed, length) => noise(*seed, *length).to_vec(),
            Self::Of(name, cut, more) => {
                let mut bytes = repo.bytes(name.get::<String>(&names)).to_vec();
                bytes.truncate(cut.index(bytes.len() + 1));
                bytes.extend_from_slice(&noise(0, *more));
                bytes
            }
            Self::Changed(name, at, by) => {
                let mut bytes = repo.bytes(name.get::<String>(&names)).to_vec();
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] ^= by;
                }
                bytes
            }
        }
    }
}

/// Does what a user does. Errors are right; a panic is not.
fn use_it(repo: &TempRepo) {
    let Ok(repository) = repo.try_open(repo.store()) else {
        return;
    };
    let history = repository.history().unwrap();
    for snapshot in &history.snapshots {
        let _ = repo.read(snapshot);
    }
    for read_data in [false, true] {
        let _ = repo.check(read_data);
    }
    let source = issues_and_files("hostile", 3);
    let _ = repo.backup_with(&source, &esker_tests::small_options());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn strange_objects_do_no_more_than_harm(objects in prop::collection::vec((name(), bytes()), 1..4)) {
        let repo = template().fork();
        for (name, bytes) in objects {
            let bytes = bytes.make(&repo);
            repo.replace(&name, bytes);
        }
        use_it(&repo);
    }

    #[test]
    fn altered_objects_do_no_more_than_harm(
        objects in prop::collection::vec((any::<prop::sample::Index>(), bytes()), 1..3),
    ) {
        let repo = template().fork();
        for (name, bytes) in objects {
            let (names, bytes) = (repo.names(), bytes.make(&repo));
            repo.replace(name.get::<String>(&names), bytes);
        }
        use_it(&repo);
    }
}
