//! After damage: the index is whole again, every snapshot either comes back as it was or has one that holds all that can be
//! saved, and what is lost is named.

use std::collections::BTreeSet;
use std::sync::Arc;

use esker_engine::format::commit::{MarkAction, SnapshotStatus};
use esker_engine::index::Index;
use esker_engine::ops::prune::{PruneOptions, prune};
use esker_engine::ops::repair::{
    IndexRepair, RepairOptions, SnapshotRepair, SnapshotsReport, index, snapshots,
};
use esker_engine::ops::restore::{RestoreOptions, RestoreTarget, restore};
use esker_engine::problem::ProblemKind;
use esker_engine::repo::{CacheSizes, Objects, Snapshot};
use esker_tests::{Item, Key, MemorySource, Model, TempRepo, assert_same, noise, words};

use super::damage::{Harm, Kind, template, unreadable};

const DRY: RepairOptions = RepairOptions { dry_run: true, memory: 64 * 1024 * 1024, workers: 2 };
const REAL: RepairOptions = RepairOptions { dry_run: false, ..DRY };

fn repair_index(repo: &TempRepo, options: &RepairOptions) -> IndexRepair {
    index(&repo.open(), options, &repo.ctx()).expect("the index is repaired")
}

fn repair_snapshots(repo: &TempRepo, options: &RepairOptions) -> SnapshotsReport {
    snapshots(&repo.open(), &[], options, &repo.ctx()).expect("snapshots are repaired")
}

/// The path of a key as problems name it: sources of these tests have collections.
fn path((collection, key): &Key) -> String {
    format!("/{collection}{}", esker_engine::ops::display_key(key))
}

/// The keys that a report says are lost, of those that there were.
fn named(repair: &SnapshotRepair, model: &Model) -> BTreeSet<Key> {
    let mut lost = BTreeSet::new();
    for problem in &repair.problems {
        assert_eq!(problem.kind, ProblemKind::Lost);
        let collection = problem.path[1..].split('/').next().expect("a collection");
        let of_collection = || model.keys().filter(|key| key.0 == collection);
        let Some((range, number)) = problem.message.split_once(": ") else {
            panic!("{}", problem.message);
        };
        let words: Vec<_> = range.split('`').collect();
        let in_range: Vec<_> = match words[..] {
            ["all of it"] => of_collection().collect(),
            ["from ", from, " on"] => of_collection().filter(|key| *path(key) >= *from).collect(),
            ["between ", from, " and ", to, ""] => {
                of_collection().filter(|key| *path(key) >= *from && *path(key) < *to).collect()
            }
            _ => {
                let one: Vec<_> = of_collection().filter(|key| path(key) == problem.path).collect();
                assert_eq!(one.len(), 1, "{problem}");
                lost.extend(one.into_iter().cloned());
                continue;
            }
        };
        let number: usize = number.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(number, in_range.len(), "{problem}");
        lost.extend(in_range.into_iter().cloned());
    }
    assert_eq!(repair.lost, lost.len() as u64);
    lost
}

fn without(model: &Model, lost: &BTreeSet<Key>) -> Model {
    let kept = model.iter().filter(|(key, _)| !lost.contains(*key));
    kept.map(|(key, item)| (key.clone(), item.clone())).collect()
}

fn by_id(repo: &TempRepo, id: esker_engine::id::SnapshotId) -> Snapshot {
    repo.snapshots().into_iter().find(|it| it.id == id).expect("the snapshot is there")
}

/// Everything that a report says of one harmed repository, against what every key by itself says.
fn holds_the_rest(repo: &TempRepo, report: &SnapshotsReport, what: &str) {
    for (snapshot, model) in &template().snapshots {
        if !repo.snapshots().iter().any(|it| it.id == snapshot.id) {
            continue;
        }
        let lost = unreadable(repo, snapshot, model, what);
        let repair = report.repairs.iter().find(|it| it.snapshot == snapshot.id);
        if lost.is_empty() {
            assert_eq!(repair, None, "{what}");
            assert_same(&repo.read(snapshot).expect("it is whole"), model);
            continue;
        }
        let repair = repair.unwrap_or_else(|| panic!("{what}: a snapshot is not repaired"));
        assert_eq!(named(repair, model), lost, "{what}");
        let repaired = by_id(repo, repair.repaired.expect("a new snapshot"));
        let read = repo.read(&repaired);
        let read = read.unwrap_or_else(|error| panic!("{what}: the repaired one: {error:?}"));
        assert_same(&read, &without(model, &lost));
        let (new, old) = (&repaired.commit, &snapshot.commit);
        assert_eq!((new.repairs, new.status), (Some(snapshot.id), SnapshotStatus::Partial));
        assert_eq!(
            (&new.time, &new.source, new.parent),
            (&old.time, &old.source, Some(snapshot.slot))
        );
        assert_eq!(new.problems, repair.problems, "{what}");
        for (new, old) in new.collections.iter().zip(&old.collections) {
            let has_lost = lost.iter().any(|(name, _)| *name == new.name);
            let expected = if has_lost { &None } else { &old.cursor };
            assert_eq!(&new.cursor, expected, "{what}");
        }
    }
}

fn matrix(kind: Kind) {
    let template = template();
    let object = &template.objects[&kind];
    for harm in Harm::ALL {
        let what = format!("{harm:?} {kind:?} `{object}`");
        let repo = template.repo.fork();
        harm.apply(&repo, object);
        let names = repo.names();
        let dry = (repair_index(&repo, &DRY), repair_snapshots(&repo, &DRY));
        assert_eq!(repo.names(), names, "{what}: a dry run writes nothing");
        let repair = repair_index(&repo, &REAL);
        assert_eq!(repair, dry.0, "{what}");
        let listed = repo.check(false).expect("a check");
        assert!(
            listed.findings.iter().all(|it| !it.object.starts_with("index/")),
            "{what}: {:#?}",
            listed.findings
        );
        assert_eq!(repair_index(&repo, &REAL).segments, 0, "{what}");

        let report = repair_snapshots(&repo, &REAL);
        holds_the_rest(&repo, &report, &what);
        let lost = |report: &SnapshotsReport| -> Vec<_> {
            report.repairs.iter().map(|it| (it.snapshot, it.lost, it.problems.clone())).collect()
        };
        assert_eq!(lost(&report), lost(&dry.1), "{what}");
        let commits = [Kind::OlderCommit, Kind::NewestCommit];
        if commits.contains(&kind) && repo.names().contains(object) {
            assert_eq!(report.unreadable, [object.as_str()], "{what}");
        }

        let again = repair_snapshots(&repo, &REAL);
        assert_eq!(again.repairs, [], "{what}: nothing is made twice");
        assert_eq!(again.skipped.len(), report.repairs.len(), "{what}");

        // The source is as it was: an ordinary backup heals what is lost.
        repo.backup(&template.source);
        assert_same(&repo.newest(), &template.source.model());
    }
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
fn a_harmed_commit() {
    matrix(Kind::OlderCommit);
    matrix(Kind::NewestCommit);
}

#[test]
fn what_is_whole_is_left_alone() {
    let repo = template().repo.fork();
    let names = repo.names();
    assert_eq!(repair_index(&repo, &REAL).segments, 0);
    let report = repair_snapshots(&repo, &REAL);
    assert_eq!((report.examined, report.repairs.len(), report.skipped.len()), (3, 0, 0));
    assert_eq!(repo.names(), names);
}

#[test]
fn without_any_segment_everything_is_listed_again() {
    let repo = template().repo.fork();
    let segments: Vec<_> =
        repo.names().into_iter().filter(|name| name.starts_with("index/")).collect();
    for name in &segments {
        repo.delete(name);
    }
    let repair = repair_index(&repo, &REAL);
    assert_eq!(repair.replaced, segments);
    let loaded = Objects::load(&repo.open(), CacheSizes::default()).expect("an index");
    let packs = repo.names().iter().filter(|name| name.starts_with("packs/")).count();
    assert_eq!(loaded.with_index(|index| index.packs().count()), packs, "nothing to recover");
    assert_eq!(loaded.with_index(Index::loose_count), 0);
    repo.assert_sound();
}

/// A pack whose own footer is no use, and the segment that lists it too: what the segment still says of it is kept.
#[test]
fn a_damaged_segment_is_all_that_knows_a_pack() {
    let (repo, source) = (TempRepo::memory(), MemorySource::new("blocks", &["issues"]));
    repo.create();
    for number in 0..6_000 {
        source.put("issues", format!("issue {number:04}"), Item::document(noise(number, 800)));
    }
    repo.backup(&source);
    let find = |wanted: &dyn Fn(&str) -> bool| {
        repo.names().into_iter().find(|name| wanted(name)).expect("the repository has one")
    };
    Harm::FlipEnd.apply(&repo, &find(&|name| name.ends_with("-d")));
    // The last byte of the last block: the blocks before it stay readable.
    let segment = &find(&|name| name.starts_with("index/"));
    let (snapshot, model) = (&repo.snapshots()[0], source.model());
    let without_it = repo.fork();
    without_it.delete(segment);
    repair_index(&without_it, &REAL);
    let all_of_it = unreadable(&without_it, snapshot, &model, "without the segment").len();
    let mut bytes = repo.bytes(segment).to_vec();
    let trailer = bytes.len() - 160;
    let length = |place: usize| {
        u32::from_le_bytes(bytes[trailer + place..][..4].try_into().unwrap()) as usize
    };
    let blocks_end = trailer - length(96) - length(100);
    bytes[blocks_end - 1] ^= 1;
    repo.replace(segment, bytes);
    let repair = repair_index(&repo, &REAL);
    assert_eq!(repair.replaced, [segment.as_str()]);
    let lost = unreadable(&repo, snapshot, &model, "after the repair").len();
    assert!(lost > 0 && lost < all_of_it / 2, "{lost} of {all_of_it} are lost");
}

/// Two snapshots, of which the first alone needs the first pack.
fn two_days() -> (TempRepo, MemorySource, String) {
    let (repo, source) = (TempRepo::memory(), MemorySource::new("days", &["issues"]));
    repo.create_proven();
    source.put("issues", "old", Item::document(noise(1, 20_000)));
    repo.backup(&source);
    let pack = repo.names().into_iter().find(|name| name.starts_with("packs/")).unwrap();
    source.remove("issues", "old");
    source.put("issues", "new", Item::document(noise(2, 20_000)));
    repo.backup(&source);
    (repo, source, pack)
}

#[test]
fn a_repaired_older_snapshot_is_no_parent() {
    let (repo, source, pack) = two_days();
    repo.delete(&pack);
    let report = repair_snapshots(&repo, &REAL);
    assert_eq!(report.repairs.len(), 1);
    let newest = repo.snapshots()[1].clone();
    source.put("issues", "newer", Item::document(words(3, 700)));
    let next = repo.backup(&source);
    assert_eq!(next.parent, Some(newest.id));
    assert_same(&repo.newest(), &source.model());
}

#[test]
fn a_store_that_does_not_answer_is_no_damage() {
    let (repo, ..) = two_days();
    let names = repo.names();
    let (faulty, store) = repo.faulty_store();
    let repository = repo.try_open(store).expect("it opens");
    faulty.arm(usize::MAX, esker_tests::Fault::Dead);
    snapshots(&repository, &[], &DRY, &repo.ctx()).expect("nothing fails");
    let calls = faulty.calls().len();
    for number in 0..calls {
        faulty.arm(number, esker_tests::Fault::Dead);
        let ended = snapshots(&repository, &[], &DRY, &repo.ctx());
        assert!(ended.is_err(), "call {number}: {ended:?}");
    }
    assert_eq!(repo.names(), names);
}

#[test]
fn a_restore_says_what_a_repair_has_left_out() {
    let template = template();
    let repo = template.repo.fork();
    Harm::FlipMiddle.apply(&repo, &template.objects[&Kind::DataPack]);
    let report = repair_snapshots(&repo, &REAL);
    let repair = report.repairs.last().expect("something is lost");
    let repaired = by_id(&repo, repair.repaired.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let run = |paths: Vec<Vec<u8>>| {
        let target = RestoreTarget::Directory(folder.path().join(paths.len().to_string()));
        let options = RestoreOptions { paths, ..RestoreOptions::default() };
        let report = restore(&repo.open(), &repaired, &target, &options, &repo.ctx());
        // Keys of these issues are no file names.
        let mut problems = report.expect("a restore").problems;
        problems.retain(|it| it.kind == ProblemKind::Lost);
        problems
    };
    assert_eq!(run(Vec::new()), repair.problems);
    let (_, model) = template.snapshots.last().unwrap();
    let lost = named(repair, model);
    let kept = model.keys().find(|key| key.0 == "files" && !lost.contains(*key)).unwrap();
    assert_eq!(run(vec![[kept.0.as_bytes(), &[0], &kept.1].concat()]), []);
    assert_eq!(run(vec![b"files".to_vec(), b"files".to_vec()]), repair.problems);
}

/// The whole way back: repair, back up, forget the damaged ones, free their space. Then nothing is wrong any more.
#[test]
fn after_damage_a_repository_becomes_sound_again() {
    let template = template();
    for kind in [Kind::DataPack, Kind::MetaPack, Kind::MixedPack] {
        // Of a pack that is cut short a repair still uses what can be read: that takes a full backup to heal.
        for harm in [Harm::Delete, Harm::FlipMiddle] {
            let repo = template.repo.fork();
            harm.apply(&repo, &template.objects[&kind]);
            repair_index(&repo, &REAL);
            let report = repair_snapshots(&repo, &REAL);
            repo.backup(&template.source);
            let damaged: Vec<_> =
                report.repairs.iter().map(|it| by_id(&repo, it.snapshot).slot).collect();
            let repository = repo.open();
            repository.mark(MarkAction::Forget, &damaged, None, &repo.ctx()).expect("forgotten");
            let options = PruneOptions { exclusive: true, ..PruneOptions::default() };
            let pruned = prune(&repository, &options, &repo.ctx());
            pruned.unwrap_or_else(|error| panic!("{harm:?} {kind:?}: {error:?}"));
            let left = repo.check(true).expect("a check").findings;
            let hits = left.iter().filter(|it| !it.effect.contains("no snapshot was seen"));
            assert_eq!(hits.count(), 0, "{harm:?} {kind:?}: {left:#?}");
            assert_same(&repo.newest(), &template.source.model());
        }
    }
}

#[test]
fn many_packs_need_several_segments() {
    let (repo, source) = (TempRepo::memory(), MemorySource::new("many", &["files"]));
    repo.create();
    for day in 0..40 {
        source.put("files", "changes", Item::file(noise(day, 5_000)));
        repo.backup(&source);
    }
    let repository = repo.open();
    for name in repo.names().iter().filter(|name| name.starts_with("index/")) {
        repo.delete(name);
    }
    let repair = index(&repository, &REAL, &repo.ctx()).expect("a repair");
    assert!(repair.listed_packs >= 40 && repair.unreadable.is_empty(), "{repair:?}");
    assert!(Arc::strong_count(&repository) == 1);
    repo.assert_sound();
}
