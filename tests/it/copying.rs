//! Copies between repositories: they hold the same, cost their changes, survive interruptions, and tell what is lost.

use std::sync::Arc;

use esker_engine::Error;
use esker_engine::format::commit::{MarkAction, SnapshotStatus};
use esker_engine::id::SnapshotId;
use esker_engine::monitor::Counter;
use esker_engine::ops::copy::{Asked, CopiedSnapshot, CopyFrom, CopyOptions, CopyPlan, copy, plan};
use esker_engine::problem::{ErrorKind, Problem};
use esker_engine::repo::Snapshot;
use esker_engine::store::{RetryPolicy, Store};
use esker_tests::{
    Call, CancelAfter, Fault, FaultyStore, Item, MemorySource, Model, Operation, TempRepo,
    assert_same, issues_and_files, noise, words,
};

use crate::crash::{at_every_call, message};

const OPTIONS: CopyOptions = CopyOptions { memory: 0, workers: 1, flush_bytes: 1 << 20 };

/// Whether the second repository computes the ids of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Like,
    Other,
}

const BOTH: [Ids; 2] = [Ids::Like, Ids::Other];

fn target(from: &TempRepo, ids: Ids) -> TempRepo {
    let to = TempRepo::memory();
    match ids {
        Ids::Like => to.create_like(&from.open()),
        Ids::Other => to.create(),
    };
    to
}

/// What a run did: what it planned, and what became of each snapshot.
struct Ran {
    plan: CopyPlan,
    outcomes: Vec<(SnapshotId, Result<CopiedSnapshot, String>)>,
}

impl Ran {
    fn lost(&self) -> Vec<&Problem> {
        self.outcomes
            .iter()
            .filter_map(|(_, it)| it.as_ref().ok())
            .flat_map(|it| &it.lost)
            .collect()
    }
}

fn run(
    from: (&TempRepo, Store),
    to: (&TempRepo, Store),
    names: &[SnapshotId],
    options: &CopyOptions,
) -> Result<Ran, Error> {
    let source = from.0.try_open(from.1)?;
    let repository = to.0.try_open(to.1)?;
    let history = source.history()?;
    let is_wanted = |it: &&Snapshot| names.is_empty() || names.contains(&it.id);
    let wanted: Vec<_> = history.visible().filter(is_wanted).collect();
    let asked = if names.is_empty() { Asked::ForAll } else { Asked::ByName };
    let plan = plan(&source, &wanted, asked, &repository, &repository.history()?)?;
    let from = CopyFrom { repository: &source, history: &history };
    let mut outcomes = Vec::new();
    copy(from, &plan.wanted, &repository, options, &to.0.ctx(), &mut |outcome| {
        let copied = outcome.copied.as_ref().map_err(chain).cloned();
        outcomes.push((outcome.original.id, copied));
    })?;
    Ok(Ran { plan, outcomes })
}

fn chain(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn copy_all(from: &TempRepo, to: &TempRepo) -> Ran {
    run((from, from.store()), (to, to.store()), &[], &OPTIONS).expect("the copy works")
}

/// Three snapshots of one source and one of another, with tags and a hold.
fn prepared() -> (TempRepo, MemorySource) {
    let from = TempRepo::memory();
    from.create();
    let source = issues_and_files("one", 300);
    from.backup(&source);
    change(&source, 1);
    from.backup(&source);
    let other = issues_and_files("two", 40);
    from.backup(&other);
    change(&source, 2);
    from.backup(&source);
    let slot = from.snapshots()[1].slot;
    let repository = from.open();
    repository.mark(MarkAction::Tag, &[slot], Some("audit"), &from.ctx()).unwrap();
    repository.mark(MarkAction::Hold, &[slot], Some("legal"), &from.ctx()).unwrap();
    (from, source)
}

fn change(source: &MemorySource, seed: u64) {
    source.put("issues", "issue/00007", Item::document(words(seed + 10_000, 5_000)));
    source.remove("issues", format!("issue/{:05}", 20 + seed));
    source.put("files", format!("folder\0new {seed}"), Item::file(noise(seed + 50, 90_000)));
}

/// Oldest first, as the copies are made: by source, then by time.
fn by_time(repo: &TempRepo) -> Vec<Snapshot> {
    let mut snapshots = repo.snapshots();
    snapshots.sort_by(|a, b| a.commit.time.cmp(&b.commit.time));
    snapshots
}

#[test]
fn a_copy_holds_the_same_and_a_second_one_costs_nothing() {
    for ids in BOTH {
        let (from, source) = prepared();
        let to = target(&from, ids);
        let ran = copy_all(&from, &to);
        assert_eq!(ran.outcomes.len(), 4);
        assert!(ran.lost().is_empty());
        compare(&from, &to, ids);
        let (faulty, store) = from.faulty_store();
        let again = run((&from, store), (&to, to.store()), &[], &OPTIONS).unwrap();
        assert_eq!((again.plan.wanted.len(), again.plan.present), (0, 4));
        let packs = faulty.calls().iter().filter(|it| it.path.starts_with("packs")).count();
        assert_eq!(packs, 0, "{ids:?}");
        // A backup goes on from the copy.
        change(&source, 3);
        let report = to.backup(&source);
        assert_eq!((report.statistics.new, report.statistics.changed), (1, 1));
        assert_same(&to.newest(), &source.model());
    }
}

/// Compares every snapshot with its original: what it holds, and what it says.
fn compare(from: &TempRepo, to: &TempRepo, ids: Ids) {
    let (originals, copies) = (by_time(from), by_time(to));
    assert_eq!(originals.len(), copies.len());
    for (original, copied) in originals.iter().zip(&copies) {
        assert_same(&to.read(copied).unwrap(), &from.read(original).unwrap());
        let (a, b) = (&original.commit, &copied.commit);
        assert_eq!((&a.source, &a.started, &a.time), (&b.source, &b.started, &b.time));
        assert_eq!((&a.problems, &a.statistics, a.status), (&b.problems, &b.statistics, b.status));
        assert_eq!((&original.tags, &original.holds), (&copied.tags, &copied.holds));
        let first = b.copied.unwrap();
        assert_eq!((first.repository, first.snapshot), (from.open().id(), original.id));
        for (a, b) in a.collections.iter().zip(&b.collections) {
            assert_eq!(
                (&a.name, &a.cursor, &a.completeness),
                (&b.name, &b.cursor, &b.completeness)
            );
            assert_eq!(a.root == b.root, ids == Ids::Like, "{}", a.name);
        }
    }
    to.assert_sound();
}

fn pack_reads(store: &FaultyStore) -> Vec<Call> {
    let calls = store.calls().into_iter();
    calls.filter(|it| it.operation == Operation::Get && it.path.starts_with("packs")).collect()
}

#[test]
fn a_small_change_costs_a_like_copy_little() {
    let from = TempRepo::memory();
    from.create();
    let source = issues_and_files("one", 3_000);
    from.backup(&source);
    let to = target(&from, Ids::Like);
    let first = copy_all(&from, &to);
    let all = first.outcomes[0].1.as_ref().unwrap();
    source.put("issues", "issue/00007", Item::document(words(1, 300)));
    from.backup(&source);
    let (faulty, store) = from.faulty_store();
    let second = run((&from, store), (&to, to.store()), &[], &OPTIONS).unwrap();
    let (few, copied) = (pack_reads(&faulty).len(), second.outcomes[0].1.as_ref().unwrap());
    // The end of each of the two packs, frames of nodes, and one of contents.
    assert!(few <= 5, "{:#?}", pack_reads(&faulty));
    assert!(copied.new_objects < 10, "{copied:?}");
    assert!(copied.new_bytes * 50 < all.new_bytes, "{copied:?} {all:?}");
    assert!(copied.bytes_fetched * 2 < all.bytes_fetched, "{copied:?} {all:?}");
    compare(&from, &to, Ids::Like);
}

#[test]
fn a_copy_of_a_copy_is_known_where_it_comes_from() {
    for ids in BOTH {
        let (one, source) = prepared();
        let two = target(&one, ids);
        copy_all(&one, &two);
        // The way back brings nothing, but what was made there.
        assert_eq!(copy_all(&two, &one).plan.present, 4);
        change(&source, 4);
        two.backup(&source);
        let back = copy_all(&two, &one);
        assert_eq!((back.outcomes.len(), back.plan.present), (1, 4));
        assert_same(&one.newest(), &source.model());
        let copied = back.outcomes[0].1.as_ref().unwrap();
        assert!(copied.new_bytes < 200_000, "all of it was stored again: {copied:?}");
        let three = target(&one, ids);
        copy_all(&two, &three);
        let again = copy_all(&one, &three);
        assert_eq!((again.outcomes.len(), again.plan.present), (0, 5));
        three.assert_sound();
    }
}

#[test]
fn what_was_forgotten_here_does_not_come_back_by_itself() {
    for ids in BOTH {
        let (from, _) = prepared();
        let to = target(&from, ids);
        copy_all(&from, &to);
        let (gone, original) = (by_time(&to)[0].clone(), by_time(&from)[0].id);
        to.open().mark(MarkAction::Forget, &[gone.slot], None, &to.ctx()).unwrap();
        let again = copy_all(&from, &to);
        assert_eq!((again.outcomes.len(), again.plan.present, again.plan.forgotten), (0, 3, 1));
        let named = run((&from, from.store()), (&to, to.store()), &[original], &OPTIONS).unwrap();
        assert_eq!((named.outcomes.len(), named.plan.forgotten), (1, 0));
        compare(&from, &to, ids);
    }
}

/// The largest pack that a snapshot wrote.
fn largest_pack(repo: &TempRepo, snapshot: &Snapshot) -> String {
    let ids: Vec<_> = snapshot.commit.packs.iter().map(ToString::to_string).collect();
    let listed = repo.store().list("packs").unwrap().into_iter();
    let own = listed.filter(|it| ids.iter().any(|id| it.name.contains(id)));
    own.max_by_key(|it| it.length).unwrap().name
}

fn flip(repo: &TempRepo, name: &str, place: usize) {
    let mut bytes = repo.bytes(name).to_vec();
    bytes[place] ^= 1;
    repo.replace(name, bytes);
}

/// Three snapshots, the second of which has some megabytes of contents; and what they hold.
fn with_big_files() -> (TempRepo, MemorySource, Vec<Model>) {
    let from = TempRepo::memory();
    from.create();
    let source = issues_and_files("big", 50);
    from.backup(&source);
    let mut models = vec![source.model()];
    for number in 0..12 {
        source.put("files", format!("big {number}"), Item::file(noise(900 + number, 300_000)));
    }
    from.backup(&source);
    models.push(source.model());
    source.put("issues", "issue/00001", Item::document(words(77, 400)));
    from.backup(&source);
    models.push(source.model());
    (from, source, models)
}

#[test]
fn damage_of_a_content_is_told_and_the_rest_is_copied() {
    for ids in BOTH {
        let (from, source, models) = with_big_files();
        flip(&from, &largest_pack(&from, &from.snapshots()[1]), 1_000);
        let to = target(&from, ids);
        let ran = copy_all(&from, &to);
        let copies = by_time(&to);
        assert_eq!(copies.len(), 3, "{ids:?}");
        for ((copied, outcome), mut expected) in copies.iter().zip(&ran.outcomes).zip(models) {
            let lost = &outcome.1.as_ref().unwrap().lost;
            for problem in lost {
                let key = problem.path.strip_prefix("/files/").expect("a file is hit").to_owned();
                assert!(!problem.stale, "no snapshot before has it");
                assert!(expected.remove(&("files".into(), key.into())).is_some());
            }
            assert_same(&to.read(copied).unwrap(), &expected);
            let commit = &copied.commit;
            assert_eq!(commit.status == SnapshotStatus::Partial, !lost.is_empty());
            assert_eq!(commit.copied.unwrap().lost, lost.len() as u64);
            assert_eq!(&commit.problems, lost);
            let files = commit.collections.iter().find(|it| it.name == "files").unwrap();
            assert_eq!(files.cursor.is_none(), !lost.is_empty());
        }
        let lost: Vec<_> =
            ran.outcomes.iter().map(|it| it.1.as_ref().unwrap().lost.len()).collect();
        assert!(lost[0] == 0 && lost[1] > 0 && lost[1] < 12 && lost[2] == lost[1], "{lost:?}");
        to.assert_sound();
        // A backup that goes on from there finds what the copy lacks.
        to.backup(&source);
        assert_same(&to.newest(), &source.model());
    }
}

#[test]
fn of_what_is_lost_the_state_before_is_kept() {
    for ids in BOTH {
        let (from, source, _) = with_big_files();
        let old = source.model();
        source.put("files", "big 3", Item::file(noise(33, 700_000)));
        from.backup(&source);
        let to = target(&from, ids);
        let pack = largest_pack(&from, &from.snapshots()[3]);
        flip(&from, &pack, 1_000);
        let ran = copy_all(&from, &to);
        let [lost] = ran.lost()[..] else { panic!("{:?}", ran.lost()) };
        assert!(lost.stale && lost.path == "/files/big 3", "{lost:?}");
        assert_same(&to.newest(), &old);
        to.assert_sound();
    }
}

#[test]
fn a_snapshot_with_a_damaged_tree_is_told_and_the_next_one_is_copied() {
    for ids in BOTH {
        let (from, _) = prepared();
        // The nodes that only the third snapshot of the first source has.
        let third = by_time(&from)[3].commit.packs[0];
        let name = from.names().into_iter().find(|it| it.contains(&third.to_string())).unwrap();
        let source = issues_and_files("three", 20);
        from.backup(&source);
        let length = from.bytes(&name).len();
        for place in (0..length.saturating_sub(3_000)).step_by(50) {
            flip(&from, &name, place);
        }
        let to = target(&from, ids);
        let ran = copy_all(&from, &to);
        let failed: Vec<_> = ran.outcomes.iter().filter(|(_, it)| it.is_err()).collect();
        assert_eq!(failed.len(), 1, "{:?}", ran.outcomes);
        assert_eq!(failed[0].0, by_time(&from)[3].id);
        assert_eq!(to.snapshots().len(), 4);
        to.assert_sound();
    }
}

fn copies_of(from: &TempRepo, ids: Ids) -> TempRepo {
    let to = target(from, ids);
    copy_all(from, &to);
    to
}

#[test]
fn a_damaged_copy_is_not_built_upon() {
    for ids in BOTH {
        let (from, source) = prepared();
        let to = copies_of(&from, ids);
        for name in to.names().into_iter().filter(|it| it.starts_with("packs")) {
            to.delete(&name);
        }
        change(&source, 5);
        from.backup(&source);
        let ran = copy_all(&from, &to);
        assert_eq!(ran.outcomes.len(), 1);
        assert_same(&to.newest(), &source.model());
    }
}

#[test]
fn a_store_that_does_not_answer_is_no_damage() {
    for ids in BOTH {
        let (from, ..) = with_big_files();
        let prepared = target(&from, ids);
        let mut stopped = 0;
        for number in (0..200).step_by(3) {
            let to = prepared.fork();
            let (faulty, store) = from.faulty_store();
            let store = store.with_retry(RetryPolicy::NONE);
            let source = from.try_open(store.clone()).unwrap();
            let history = source.history().unwrap();
            faulty.arm(number, Fault::Dead);
            let wanted: Vec<_> = history.visible().cloned().collect();
            let copy_from = CopyFrom { repository: &source, history: &history };
            let done = copy(copy_from, &wanted, &to.open(), &OPTIONS, &to.ctx(), &mut |outcome| {
                let copied = outcome.copied.as_ref().expect("no snapshot is to blame");
                assert_eq!(copied.lost, [], "{ids:?}, call {number}");
            });
            if faulty.fired().is_none() {
                break;
            }
            stopped += 1;
            assert_eq!(done.unwrap_err().kind(), ErrorKind::Unavailable, "{ids:?}, call {number}");
            for copied in to.snapshots() {
                assert_eq!(copied.commit.status, SnapshotStatus::Complete);
            }
        }
        assert!(stopped > 3, "{ids:?}: {stopped}");
    }
}

#[test]
fn a_copy_is_continued_wherever_it_stopped() {
    let from = TempRepo::memory();
    from.create();
    let source = MemorySource::new("small", &["issues", "files"]);
    for number in 0..30 {
        source.put("issues", format!("{number}"), Item::document(words(number, 200)));
    }
    source.put("files", "file", Item::file(noise(1, 60_000)));
    from.backup(&source);
    source.put("issues", "7", Item::document(words(99, 2_000)));
    from.backup(&source);
    let slot = from.snapshots()[0].slot;
    from.open().mark(MarkAction::Hold, &[slot], Some("legal"), &from.ctx()).unwrap();
    for ids in BOTH {
        let prepared = target(&from, ids);
        let some = [Fault::AnswerLost, Fault::DeadAfter];
        for fault in if ids == Ids::Like { &Fault::ALL[..] } else { &some } {
            let fault = *fault;
            let calls = at_every_call(
                &prepared,
                fault,
                RetryPolicy::NONE,
                |to, store, arm| {
                    arm();
                    run((&from, from.store()), (to, store), &[], &OPTIONS)
                        .map(drop)
                        .map_err(message)
                },
                |to, call, _| {
                    for copied in to.snapshots() {
                        let original = from.snapshots().into_iter();
                        let mut original =
                            original.filter(|it| it.commit.time == copied.commit.time);
                        assert_eq!(copied.holds, original.next().unwrap().holds, "{call:?}");
                    }
                    let again = copy_all(&from, to);
                    assert!(again.lost().is_empty(), "{call:?}");
                    compare(&from, to, ids);
                },
            );
            assert!(calls > 20, "{calls}");
        }
    }
}

/// Bytes of all packs.
fn packed(repo: &TempRepo) -> u64 {
    repo.store().list("packs").unwrap().iter().map(|it| it.length).sum()
}

#[test]
fn an_interrupted_copy_stores_nothing_twice() {
    for ids in BOTH {
        let (from, ..) = with_big_files();
        let once = packed(&copies_of(&from, ids));
        let to = target(&from, ids);
        let source = from.open();
        let history = source.history().unwrap();
        let wanted: Vec<_> = history.visible().cloned().collect();
        let copy_from = CopyFrom { repository: &source, history: &history };
        let mut ctx = to.ctx();
        ctx.monitor = Arc::new(CancelAfter::new(ctx.cancel.clone(), Counter::BytesRead, 2_500_000));
        let stopped = copy(copy_from, &wanted, &to.open(), &OPTIONS, &ctx, &mut |_| {});
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
        let kept = packed(&to);
        assert!(kept > 1_000_000, "{ids:?}: {kept} bytes were kept");
        copy_all(&from, &to);
        compare(&from, &to, ids);
        let twice = packed(&to);
        assert!(twice < once + once / 10, "{ids:?}: {twice} bytes instead of {once}");
    }
}

#[test]
fn a_killed_copy_stores_little_twice() {
    for ids in BOTH {
        let from = TempRepo::memory();
        from.create();
        let source = MemorySource::new("large", &["files"]);
        for number in 0..24 {
            source.put("files", format!("{number:02}"), Item::file(noise(number, 1_000_000)));
        }
        from.backup(&source);
        let options = CopyOptions { flush_bytes: 2_000_000, ..OPTIONS };
        let run = |to: &TempRepo, call: usize| {
            let (faulty, store) = to.faulty_store();
            faulty.arm(call, Fault::Dead);
            let store = store.with_retry(RetryPolicy::NONE);
            let done = run((&from, from.store()), (to, store), &[], &options);
            (faulty.calls().len(), done.is_ok())
        };
        let whole = target(&from, ids);
        let (calls, _) = run(&whole, usize::MAX);
        let to = target(&from, ids);
        assert!(!run(&to, calls * 3 / 4).1);
        let (kept, once) = (packed(&to), packed(&whole));
        assert!(kept > once / 4, "{ids:?}: {kept} bytes were kept of {once}");
        assert!(run(&to, usize::MAX).1);
        compare(&from, &to, ids);
        let again = packed(&to).saturating_sub(once);
        assert!(again < 5_000_000, "{ids:?}: {again} bytes were stored twice");
    }
}
