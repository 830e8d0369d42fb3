//! What if bytes rot: {delete, truncate, flip} × {each kind of object} × {before, after a new backup}.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use esker_engine::entry::Part;
use esker_engine::format::commit::{MarkAction, SnapshotStatus};
use esker_engine::id::PackId;
use esker_engine::object::ReadObject;
use esker_engine::ops::SnapshotTrees;
use esker_engine::ops::check::CheckReport;
use esker_engine::repo::{CacheSizes, Objects, Snapshot};
use esker_engine::tree::parts;
use esker_tests::{
    Item, Key, MemorySource, Model, TempRepo, assert_same, full_options, noise, read_one, words,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    Delete,
    Halve,
    Empty,
    CutOne,
    FlipBegin,
    FlipMiddle,
    FlipEnd,
}

impl Harm {
    pub(crate) const ALL: [Self; 7] = [
        Self::Delete,
        Self::Halve,
        Self::Empty,
        Self::CutOne,
        Self::FlipBegin,
        Self::FlipMiddle,
        Self::FlipEnd,
    ];

    fn is_flip(self) -> bool {
        matches!(self, Self::FlipBegin | Self::FlipMiddle | Self::FlipEnd)
    }

    pub(crate) fn apply(self, repo: &TempRepo, name: &str) {
        let mut bytes = repo.bytes(name).to_vec();
        let length = bytes.len();
        match self {
            Self::Delete => return repo.delete(name),
            Self::Halve => bytes.truncate(length / 2),
            Self::Empty => bytes.clear(),
            Self::CutOne => bytes.truncate(length - 1),
            Self::FlipBegin => bytes[0] ^= 1,
            Self::FlipMiddle => bytes[length / 2] ^= 1,
            Self::FlipEnd => bytes[length - 1] ^= 1,
        }
        repo.replace(name, bytes);
    }
}

/// The kinds of objects, as the matrix names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Config,
    ConfigCopy,
    Slot,
    SlotCopy,
    DataPack,
    MetaPack,
    MixedPack,
    Segment,
    Marker,
    OlderCommit,
    NewestCommit,
    Mark,
}

impl Kind {
    fn is_pack(self) -> bool {
        matches!(self, Self::DataPack | Self::MetaPack | Self::MixedPack)
    }
}

/// A repository with all kinds of objects, three snapshots, and the state of the source at each of them.
pub(crate) struct Template {
    pub(crate) repo: TempRepo,
    pub(crate) source: MemorySource,
    pub(crate) snapshots: Vec<(Snapshot, Model)>,
    pub(crate) objects: BTreeMap<Kind, String>,
    /// For each snapshot and key the packs without which its content cannot be read.
    needs: Vec<BTreeMap<Key, BTreeSet<PackId>>>,
}

pub(crate) fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(make_template)
}

fn make_template() -> Template {
    let (repo, source) = (TempRepo::memory(), MemorySource::new("damage", &["issues", "files"]));
    let repository = repo.create();
    for number in 0..300 {
        let text = words(number, 200 + (number as usize * 53) % 1500);
        source.put("issues", format!("issue/{number:03}"), Item::document(text));
    }
    for number in 0..8 {
        let item = Item::file(noise(number, 800_000));
        source.put("files", format!("file\0{number}"), item);
    }
    let mut models = Vec::new();
    for step in 0..3u64 {
        if step > 0 {
            let item = Item::document(words(step + 10_000, 700));
            source.put("issues", format!("issue/{:03}", step * 100), item);
            source.put("files", "small", Item::file(noise(step + 100, 30_000)));
        }
        repo.backup(&source);
        models.push(source.model());
    }
    let snapshots: Vec<_> = repo.snapshots().into_iter().zip(models).collect();
    let first = snapshots[0].0.slot;
    let marked = repository.mark(MarkAction::Tag, &[first], Some("kept"), &repo.ctx());
    marked.unwrap();

    let names = repo.names();
    let find = |wanted: &dyn Fn(&str) -> bool| -> String {
        let found = names.iter().find(|name| wanted(name));
        found.expect("the repository has one").clone()
    };
    let newest = snapshots[2].0.slot;
    let pack_of = |snapshot: &Snapshot| snapshot.commit.packs[0].to_string();
    let last_mixed = pack_of(&snapshots[2].0);
    let objects = BTreeMap::from([
        (Kind::Config, "config/0".into()),
        (Kind::ConfigCopy, "config/0.copy".into()),
        (Kind::Slot, find(&|name| name.starts_with("keys/") && !name.contains(".copy"))),
        (Kind::SlotCopy, find(&|name| name.starts_with("keys/") && name.contains(".copy"))),
        (Kind::DataPack, find(&|name| name.ends_with("-d"))),
        (Kind::MetaPack, find(&|name| name.ends_with("-m"))),
        (Kind::MixedPack, format!("packs/mixed/{last_mixed}")),
        (Kind::Segment, find(&|name| name.starts_with("index/"))),
        (Kind::Marker, format!("sessions/{}", snapshots[1].0.slot)),
        (Kind::OlderCommit, format!("commits/{first}")),
        (Kind::NewestCommit, format!("commits/{newest}")),
        (Kind::Mark, find(&|name| name.starts_with("marks/"))),
    ]);
    assert!(names.contains(&objects[&Kind::MixedPack]));
    let index = Arc::new(Objects::load(&repo.open(), CacheSizes::default()).unwrap());
    let needs = snapshots.iter().map(|(snapshot, model)| needs(&index, snapshot, model)).collect();
    Template { repo, source, snapshots, objects, needs }
}

fn needs(
    objects: &Arc<Objects>,
    snapshot: &Snapshot,
    model: &Model,
) -> BTreeMap<Key, BTreeSet<PackId>> {
    let reader: Arc<dyn ReadObject> = objects.clone();
    let trees = SnapshotTrees::new(Arc::clone(&reader), &snapshot.commit);
    let packs = |key: &Key| {
        let entry = trees.get(&key.0, &key.1).unwrap().unwrap();
        let of_part = |part: Part| match part {
            Part::Data { id, .. } => objects.places(&id).unwrap(),
            Part::Hole { .. } => Vec::new(),
        };
        let parts = parts(Arc::clone(&reader), &entry.content);
        let places = parts.flat_map(|part| of_part(part.unwrap()));
        places.map(|place| place.pack.id).collect()
    };
    model.keys().map(|key| (key.clone(), packs(key))).collect()
}

fn named(report: &CheckReport, object: &str) -> bool {
    report.findings.iter().any(|finding| finding.object == object)
}

/// Reads every key by itself: those that cannot be read. What is read must be right.
pub(crate) fn unreadable(
    repo: &TempRepo,
    snapshot: &Snapshot,
    model: &Model,
    what: &str,
) -> BTreeSet<Key> {
    let objects = Objects::load(&repo.open(), CacheSizes::default()).unwrap();
    let reader: Arc<dyn ReadObject> = Arc::new(objects);
    let mut lost = BTreeSet::new();
    for (key, item) in model {
        match read_one(&reader, &snapshot.commit, key) {
            Ok(found) => assert!(found.as_ref() == Some(item), "{what}: {key:?} is read and wrong"),
            Err(_) => {
                lost.insert(key.clone());
            }
        }
    }
    lost
}

fn pack_id(object: &str) -> PackId {
    let name = object.rsplit('/').next().unwrap();
    name.split('-').next().unwrap().parse().unwrap()
}

/// What was there before the harm is there after it, but for what needs the harmed object.
fn the_rest_is_whole(repo: &TempRepo, kind: Kind, object: &str, what: &str) {
    let template = template();
    let visible = repo.snapshots();
    for (number, (snapshot, model)) in template.snapshots.iter().enumerate() {
        let is_harmed = object == format!("commits/{}", snapshot.slot);
        assert_eq!(
            visible.iter().any(|it| it.id == snapshot.id),
            !is_harmed,
            "{what}: snapshot {number}"
        );
        if is_harmed {
            continue;
        }
        let lost = unreadable(repo, snapshot, model, what);
        match kind {
            Kind::DataPack => {
                let pack = pack_id(object);
                for key in &lost {
                    assert!(
                        template.needs[number][key].contains(&pack),
                        "{what}: snapshot {number}: {key:?} needs no harmed pack"
                    );
                }
            }
            Kind::MetaPack => {}
            // Only the newest snapshot needs the newest pack.
            Kind::MixedPack if number == 2 => {}
            _ => assert!(
                lost.is_empty(),
                "{what}: snapshot {number}: {} keys are lost, such as {:?}",
                lost.len(),
                lost.first()
            ),
        }
    }
}

/// Harms one object in every way, checks, reads, backs up again and reads again.
fn matrix(kind: Kind) {
    let template = template();
    let object = &template.objects[&kind];
    for harm in Harm::ALL {
        let what = format!("{harm:?} {kind:?} `{object}`");
        let repo = template.repo.fork();
        harm.apply(&repo, object);
        let opened = repo.try_open(repo.store());
        assert!(opened.is_ok(), "{what}: {opened:?}");

        let structure = repo.check(false).unwrap();
        if !(kind.is_pack() && harm.is_flip()) {
            assert!(
                named(&structure, object),
                "{what}: the structure check does not name it: {:#?}",
                structure.findings
            );
        }
        let data = repo.check(true).unwrap();
        assert!(
            named(&data, object),
            "{what}: the check of all data does not name it: {:#?}",
            data.findings
        );
        the_rest_is_whole(&repo, kind, object, &what);

        // The source is as it was: what it still has is stored anew where it is known to be gone.
        let report = repo.backup_with(&template.source, &full_options());
        let report = report.unwrap_or_else(|error| panic!("{what}: the next backup: {error:?}"));
        assert!(report.snapshot.is_some());
        if !kind.is_pack() {
            assert_eq!(report.status, SnapshotStatus::Complete, "{what}: {:?}", report.problems);
        }
        let newest = repo.snapshots().pop().unwrap();
        if kind.is_pack() && harm.is_flip() {
            // Who reads no data does not meet a flipped bit. But who has met it says so, and stores anew what it hits.
            let lost = unreadable(&repo, &newest, &template.source.model(), &what);
            assert!(
                lost.is_empty() || report.problems.is_empty(),
                "{what}: damage was met, and {} keys are lost in the new snapshot",
                lost.len()
            );
        } else {
            let read = repo.read(&newest);
            let read = read.unwrap_or_else(|error| panic!("{what}: after a backup: {error:?}"));
            assert_same(&read, &template.source.model());
        }
    }
}

#[test]
fn a_harmed_configuration() {
    matrix(Kind::Config);
    matrix(Kind::ConfigCopy);
}

#[test]
fn a_harmed_key_slot() {
    matrix(Kind::Slot);
    matrix(Kind::SlotCopy);
}

#[test]
fn a_harmed_data_pack() {
    matrix(Kind::DataPack);
}

#[test]
fn a_harmed_meta_pack() {
    matrix(Kind::MetaPack);
}

#[test]
fn a_harmed_mixed_pack() {
    matrix(Kind::MixedPack);
}

#[test]
fn a_harmed_index_segment() {
    matrix(Kind::Segment);
}

#[test]
fn a_harmed_session_marker() {
    matrix(Kind::Marker);
}

#[test]
fn a_harmed_older_commit() {
    matrix(Kind::OlderCommit);
}

#[test]
fn a_harmed_newest_commit() {
    matrix(Kind::NewestCommit);
}

#[test]
fn a_harmed_mark() {
    matrix(Kind::Mark);
}

/// A flipped bit in a content hides from deduplication, which trusts footers, until a check of all data has met it.
#[test]
fn a_full_backup_heals_what_a_check_has_found() {
    let repo = TempRepo::memory();
    repo.create();
    let source = MemorySource::new("heal", &["issues"]);
    for number in 0..40 {
        let item = Item::document(noise(number, 3_000));
        source.put("issues", format!("issue/{number:05}"), item);
    }
    repo.backup(&source);
    let pack = repo.names().into_iter().find(|name| name.starts_with("packs/")).unwrap();
    Harm::FlipBegin.apply(&repo, &pack);
    let found = repo.check(true).unwrap();
    assert!(named(&found, &pack), "{:?}", found.findings);
    let report = repo.backup_with(&source, &full_options()).unwrap();
    assert_eq!(report.status, SnapshotStatus::Complete);
    assert_same(&repo.newest(), &source.model());
    let left = repo.check(true).unwrap();
    assert!(left.findings.iter().all(|it| it.effect.contains("no snapshot")), "{left:?}");
}
