//! Repositories that earlier versions wrote still open, and hold what they held.
//!
//! `tests/golden/<name>/` has a repository, its key file, and `expected.txt`: for every snapshot its entries, as hashes of their
//! encoding and content. They are added to, never edited. `ESKER_GOLDEN=<name> cargo test golden` writes a new one, whose name
//! must not exist yet.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::clock::ManualClock;
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind, LinkGroup, Timestamp};
use esker_engine::format::commit::MarkAction;
use esker_engine::format::entry::encode_entry;
use esker_engine::id::hex_encode;
use esker_engine::object::ReadObject;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::ops::check::{CheckOptions, Share, check};
use esker_engine::ops::{ContentStream, SnapshotTrees};
use esker_engine::repo::{CacheSizes, Client, CreateOptions, Objects, Repository, Unlock};
use esker_engine::source::{
    Base, ChangeSink, CollectionEnd, Completeness, CompletenessState, Payload, ScanEnd, ScanMode,
    Source, SourceError, SourceInfo,
};
use esker_engine::store::{Store, StoreOptions};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// One entry of each kind with every attribute, contents of every shape, in a first and a second state.
fn entries(day: u32) -> Vec<(usize, &'static str, Entry, Payload)> {
    let mut list = Vec::new();
    let base = |kind| {
        let mut entry = Entry::new(kind);
        entry.version = Bytes::from_static(b"token");
        entry.metadata.modified = Some(Timestamp { seconds: -86_400, nanoseconds: 999_999_999 });
        entry.metadata.mode = Some(0o4755);
        entry.metadata.owner = Some((1000, 100));
        entry.metadata.user = Some("somebody".into());
        entry.metadata.group = Some("users".into());
        entry
    };
    for (name, kind) in [
        ("a directory", EntryKind::Directory),
        ("a fifo", EntryKind::Fifo),
        ("a socket", EntryKind::Socket),
    ] {
        list.push((0, name, base(kind), Payload::None));
    }
    let mut link = base(EntryKind::Symlink);
    link.metadata.link_target = Some("../elsewhere".into());
    list.push((0, "a link", link, Payload::None));
    for (name, kind) in [("b", EntryKind::BlockDevice), ("c", EntryKind::CharDevice)] {
        let mut device = base(kind);
        device.metadata.device = Some((8, 17));
        list.push((0, name, device, Payload::None));
    }
    let mut file = base(EntryKind::File);
    file.metadata.created = Some(Timestamp { seconds: 8_000_000_000, nanoseconds: 1 });
    file.metadata.changed = Some(Timestamp { seconds: 0, nanoseconds: 0 });
    file.metadata.link_group = Some(LinkGroup { device: 3, inode: 4 });
    file.metadata.xattrs = vec![("user.a".into(), "1".into()), ("user.b".into(), Bytes::new())];
    file.metadata.media_type = Some("text/plain".into());
    file.metadata.other = vec![(128, "the source's own".into())];
    let contents: [(&str, Vec<u8>); 6] = [
        ("file empty", Vec::new()),
        ("file inline", b"up to 64 bytes lie in the entry".to_vec()),
        ("file small", noise("small", 2_000)),
        ("file of parts", noise("parts", 70_000)),
        ("file of a list", noise("list", 500_000)),
        ("file that changes", format!("day {day}\n").repeat(50).into_bytes()),
    ];
    for (name, bytes) in contents {
        list.push((0, name, file.clone(), Payload::Bytes(bytes.into())));
    }
    let mut spilled = base(EntryKind::Directory);
    spilled.metadata.xattrs = vec![("user.long".into(), noise("xattr", 3_000).into())];
    list.push((0, "a value that spills", spilled, Payload::None));
    for number in 0..200 {
        let key: &'static str = Box::leak(format!("ABC-{number}").into_boxed_str());
        let text = format!("{{\"key\":\"{key}\",\"day\":{}}}", if number == 7 { day } else { 0 });
        list.push((1, key, Entry::new(EntryKind::Document), Payload::Bytes(text.into())));
    }
    list
}

struct Fixed {
    day: u32,
}

#[async_trait::async_trait]
impl Source for Fixed {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "golden".into(),
            identity: "golden".into(),
            name: "golden".into(),
            collections: vec!["things".into(), "issues".into()],
        }
    }

    async fn scan(
        &self,
        _: Option<&Base>,
        _: ScanMode,
        changes: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        for (collection, key, entry, payload) in entries(self.day) {
            changes.put(collection, Bytes::from_static(key.as_bytes()), entry, payload).await?;
        }
        if self.day == 2 {
            changes.delete(1, "ABC-13".into()).await?;
        }
        let end = |name: &str| CollectionEnd {
            name: name.into(),
            cursor: Some(vec![self.day as u8]),
            completeness: Completeness {
                state: CompletenessState::Complete,
                expected: None,
                found: 1,
                detail: String::new(),
                parts: Vec::new(),
            },
        };
        let collections = vec![end("things"), end("issues")];
        Ok(ScanEnd { collections, requests: 3, ..ScanEnd::default() })
    }
}

/// All that a repository holds, as text.
fn describe(repository: &Repository) -> String {
    let objects: Arc<dyn ReadObject> =
        Arc::new(Objects::load(repository, CacheSizes::default()).expect("the index opens"));
    let mut text = String::new();
    let history = repository.history().expect("the history opens");
    assert!(history.damaged.is_empty(), "{:?}", history.damaged);
    let _ = writeln!(text, "fences {}", history.fences.len());
    for snapshot in &history.snapshots {
        let (commit, tags) = (&snapshot.commit, snapshot.tags.join(","));
        let (forgotten, holds) = (snapshot.forgotten, snapshot.holds.len());
        let _ = writeln!(
            text,
            "snapshot {} forgotten {forgotten} holds {holds} tags {tags}",
            snapshot.id
        );
        let trees = SnapshotTrees::new(Arc::clone(&objects), commit);
        for collection in trees.names().map(str::to_owned).collect::<Vec<_>>() {
            for item in trees.entries(&collection, b"\0") {
                let (key, entry) = item.expect("the tree can be read");
                let mut content = Vec::new();
                let mut stream = ContentStream::new(Arc::clone(&objects), &entry);
                stream.read_to_end(&mut content).expect("the content can be read");
                let hash = |bytes: &[u8]| hex_encode(&blake3::hash(bytes).as_bytes()[..8]);
                let name = String::from_utf8_lossy(&key);
                let (encoded, content) = (hash(&encode_entry(&entry)), hash(&content));
                let _ = writeln!(text, "  {collection} {name}: {encoded} {content}");
            }
        }
    }
    text
}

fn write(folder: &Path, runtime: &tokio::runtime::Runtime) {
    assert!(!folder.exists(), "golden repositories are never edited");
    std::fs::create_dir_all(folder).expect("a folder");
    let (text, key) = Unlock::new_key_file().expect("a key");
    std::fs::write(folder.join("key"), text.expose()).expect("the key file");
    let place = folder.join("repository");
    let url = place.to_str().expect("text");
    let store =
        Store::open_new(url, &StoreOptions::default(), runtime.handle().clone()).expect("a store");
    let clock = ManualClock::at(1_795_000_000);
    let ctx = RunContext { clock: Arc::new(clock), ..RunContext::default() };
    let options = CreateOptions { unlocks: vec![key], ..CreateOptions::default() };
    let repository = Repository::create(store, &options, |_| Client::forgetful(), &ctx);
    let repository = Arc::new(repository.expect("a repository"));
    for day in 1..4 {
        let options = BackupOptions { tags: vec![format!("day{day}")], ..BackupOptions::default() };
        backup(&repository, &Fixed { day }, &options, &RunContext::default()).expect("a backup");
    }
    let session = repository.open_session(&ctx).expect("a session");
    repository.abandon(&session, &ctx).expect("a fence");
    let history = repository.history().expect("the history");
    let slots: Vec<_> = history.snapshots.iter().map(|snapshot| snapshot.slot).collect();
    repository.mark(MarkAction::Forget, &slots[..1], None, &ctx).expect("a mark");
    repository.mark(MarkAction::Hold, &slots[1..2], Some("audit"), &ctx).expect("a mark");
    repository.mark(MarkAction::Tag, &slots[2..], Some("kept"), &ctx).expect("a mark");
    std::fs::write(folder.join("expected.txt"), describe(&repository)).expect("what it holds");
}

#[test]
fn golden_repositories_open_and_hold_what_they_held() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if let Ok(name) = std::env::var("ESKER_GOLDEN") {
        write(&golden().join(name), &runtime);
    }
    let mut seen = 0;
    for folder in std::fs::read_dir(golden()).expect("golden repositories") {
        let folder = folder.expect("a folder").path();
        let key = std::fs::read_to_string(folder.join("key")).expect("its key");
        let key = Unlock::from_key_file(&key).expect("a key file");
        let place = folder.join("repository");
        let url = place.to_str().expect("text");
        let store = Store::open(url, &StoreOptions::default(), runtime.handle().clone())
            .expect("its store");
        let repository =
            Arc::new(Repository::open(store, &key, |_| Client::forgetful()).expect("it opens"));
        let expected = std::fs::read_to_string(folder.join("expected.txt")).expect("its list");
        assert_eq!(describe(&repository), expected, "{}", folder.display());
        let options = CheckOptions { read_data: Some(Share::All), ..CheckOptions::default() };
        let report = check(&repository, &options, &RunContext::default()).expect("a check");
        assert_eq!(report.findings, [], "{}", folder.display());
        seen += 1;
    }
    assert!(seen > 0, "there is no golden repository");
}
