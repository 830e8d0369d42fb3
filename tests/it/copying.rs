//! Copies between repositories: they hold the same, cost their changes, survive interruptions, and tell what is lost.

use esker_engine::Error;
use esker_engine::format::commit::MarkAction;
use esker_engine::id::SnapshotId;
use esker_engine::ops::copy::{
    Asked, CopiedSnapshot, CopyFrom, CopyOptions, CopyPlan, copy, plan,
};
use esker_engine::problem::Problem;
use esker_engine::repo::Snapshot;
use esker_engine::store::Store;
use esker_tests::{Item, MemorySource, TempRepo, assert_same, issues_and_files, noise, words};

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
        self.outcomes.iter().filter_map(|(_, it)| it.as_ref().ok()).flat_map(|it| &it.lost).collect()
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
            assert_eq!((&a.name, &a.cursor, &a.completeness), (&b.name, &b.cursor, &b.completeness));
            assert_eq!(a.root == b.root, ids == Ids::Like, "{}", a.name);
        }
    }
    to.assert_sound();
}
