//! Garbage is collected: what is kept stays whatever happens meanwhile, what is not goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use esker_engine::Error;
use esker_engine::context::RunContext;
use esker_engine::format::commit::MarkAction;
use esker_engine::format::name::ObjectName;
use esker_engine::id::SnapshotId;
use esker_engine::ops::backup::{BackupOptions, BackupReport};
use esker_engine::ops::prune::{PruneError, PruneOptions, PruneReport, prune};
use esker_engine::repo::{CacheSizes, Objects};
use esker_engine::source::{Base, ChangeSink, ScanEnd, ScanMode, Source, SourceError, SourceInfo};
use esker_engine::store::RetryPolicy;
use esker_tests::{
    Copies, Fault, Item, MemorySource, TempRepo, assert_same, issues_and_files, noise,
    read_snapshot, small_options, words,
};

use crate::crash::{THRICE, at_every_call, message};

/// Open sessions are waited for, however old they are: clocks of tests run fast.
const PATIENT: Duration = Duration::MAX;

fn patient() -> PruneOptions {
    PruneOptions { patience: PATIENT, ..PruneOptions::default() }
}

fn collect(repo: &TempRepo, options: &PruneOptions) -> PruneReport {
    prune(&repo.open(), options, &repo.ctx()).expect("garbage is collected")
}

fn mark(repo: &TempRepo, action: MarkAction, ids: &[SnapshotId]) {
    let history = repo.open().history().expect("a history");
    let snapshots = history.snapshots.iter().filter(|it| ids.contains(&it.id));
    let slots: Vec<_> = snapshots.map(|it| it.slot).collect();
    assert_eq!(slots.len(), ids.len());
    repo.open().mark(action, &slots, None, &repo.ctx()).expect("it is said");
}

/// A repository with a snapshot a day of a source that changes.
struct Days {
    repo: TempRepo,
    source: MemorySource,
    copies: Copies,
    ids: Vec<SnapshotId>,
}

impl Days {
    fn new(days: u64) -> Self {
        Self::within(TempRepo::memory(), days)
    }

    fn within(repo: TempRepo, days: u64) -> Self {
        repo.create();
        let source = issues_and_files("days", 60);
        let mut this = Self { repo, source, copies: Copies::default(), ids: Vec::new() };
        (0..days).for_each(|_| this.day());
        this
    }

    /// Changes some issues and a file, adds some, removes one, and takes a snapshot.
    fn day(&mut self) {
        self.change();
        let report = self.repo.backup(&self.source);
        self.note(&report);
    }

    fn change(&self) {
        let day = self.ids.len() as u64;
        for number in 0..6 {
            let key = format!("issue/{:05}", (day * 7 + number * 5) % 60);
            self.source.put("issues", key, Item::document(words(day * 100 + number, 900)));
        }
        self.source.put("files", "changes", Item::file(noise(day + 50, 120_000)));
        self.source.put("files", format!("of day {day}"), Item::file(noise(day + 500, 60_000)));
        self.source.remove("files", format!("of day {}", day.wrapping_sub(2)));
    }

    fn note(&mut self, report: &BackupReport) {
        self.copies.keep(report, self.source.model());
        self.ids.push(report.snapshot.expect("a snapshot"));
    }

    fn forget(&mut self, days: std::ops::Range<usize>) {
        let ids = self.ids[days].to_vec();
        mark(&self.repo, MarkAction::Forget, &ids);
        for id in ids {
            self.copies.forget(id);
        }
    }

    /// Everything that is kept is there, and nothing is wrong.
    fn assert_whole(&self) {
        self.copies.assert_equal(&self.repo);
        self.repo.assert_sound();
    }

    fn pack_bytes(&self) -> u64 {
        let listed = self.repo.store().list("packs").expect("a listing");
        listed.iter().map(|it| it.length).sum()
    }
}

#[test]
fn what_is_forgotten_goes_and_what_is_kept_stays() {
    let mut days = Days::new(8);
    let before = days.pack_bytes();
    days.forget(0..5);
    let report = collect(&days.repo, &patient());
    assert_eq!((report.dropped_commits, report.rescued_packs), (5, 0), "{report:?}");
    assert!(report.deleted_bytes > 0 && report.waiting_for.is_empty(), "{report:?}");
    assert!(days.pack_bytes() < before);
    days.assert_whole();
    let names = days.repo.names();
    assert_eq!(
        names.iter().filter(|it| it.starts_with("commits/")).count(),
        3 + fences(&days.repo)
    );

    let again = collect(&days.repo, &patient());
    assert_eq!((again.deleted_packs, again.plan.dead_packs), (0, 0), "{again:?}");
    assert_eq!(days.repo.names(), names, "nothing was left to do");
    days.day();
    days.assert_whole();
}

fn fences(repo: &TempRepo) -> usize {
    repo.open().history().expect("a history").fences.len()
}

#[test]
fn a_collected_repository_is_as_small_as_a_fresh_one() {
    for (max_waste, bound) in [(0.04, 1.05), (0.0, 1.01)] {
        let mut days = Days::new(12);
        let fresh = TempRepo::memory();
        fresh.create();
        fresh.backup(&days.source);
        let fresh_bytes: u64 =
            fresh.store().list("packs").unwrap().iter().map(|it| it.length).sum();
        days.forget(0..11);
        collect(&days.repo, &PruneOptions { max_waste, ..patient() });
        let ratio = days.pack_bytes() as f64 / fresh_bytes as f64;
        assert!(ratio <= bound, "{ratio} of a fresh repository with waste of {max_waste}");
        days.assert_whole();
    }
}

#[test]
fn a_plan_changes_nothing() {
    let mut days = Days::new(5);
    days.forget(0..3);
    let names = days.repo.names();
    let dry = collect(&days.repo, &PruneOptions { dry_run: true, ..patient() });
    assert_eq!(days.repo.names(), names);
    let real = collect(&days.repo, &patient());
    assert_eq!(dry.plan, real.plan);
    assert_eq!(dry.plan.dead_bytes + dry.plan.repacked_bytes, real.deleted_bytes);
}

#[test]
fn what_is_held_or_immutable_stays_even_if_it_was_forgotten() {
    let mut days = Days::new(4);
    mark(&days.repo, MarkAction::Hold, &days.ids[..1]);
    let ids = days.ids[..3].to_vec();
    mark(&days.repo, MarkAction::Forget, &ids);
    collect(&days.repo, &patient());
    mark(&days.repo, MarkAction::Undelete, &ids[..1]);
    days.copies.forget(ids[1]);
    days.copies.forget(ids[2]);
    days.assert_whole();
}

#[test]
fn checkpoints_go_when_they_are_superseded() {
    let mut days = Days::new(1);
    for number in 0..40 {
        let item = Item::document(words(number + 1_000, 70));
        days.source.put("issues", format!("issue/{number:05}"), item);
    }
    days.source.put("files", "a big hole", Item::file(vec![0; 2 << 20]));
    let often = BackupOptions { checkpoint_bytes: 1, ..small_options() };
    let report = days.repo.backup_with(&days.source, &often).expect("a backup");
    days.note(&report);
    let checkpoints = |repo: &TempRepo| {
        let history = repo.open().history().expect("a history");
        history.snapshots.iter().filter(|it| it.commit.checkpoint).count()
    };
    assert!(checkpoints(&days.repo) > 0);
    collect(&days.repo, &patient());
    assert_eq!(checkpoints(&days.repo), 0);
    days.assert_whole();
}

#[test]
fn what_a_dead_process_left_behind_goes() {
    let mut days = Days::new(2);
    let (faulty, store) = days.repo.faulty_store();
    let repository = days.repo.try_open(store).expect("it opens");
    days.change();
    // The pack is stored, the commit is not.
    faulty.arm(usize::MAX, Fault::Dead);
    let calls = {
        let fork = days.repo.fork();
        let (probe, store) = fork.faulty_store();
        let repository = fork.try_open(store).expect("it opens");
        probe.arm(usize::MAX, Fault::Dead);
        esker_engine::ops::backup::backup(&repository, &days.source, &small_options(), &fork.ctx())
            .expect("a backup");
        probe.calls()
    };
    let commit = calls.iter().rposition(|it| it.path.starts_with("commits/")).expect("a commit");
    faulty.arm(commit, Fault::Dead);
    let ctx = days.repo.ctx();
    esker_engine::ops::backup::backup(&repository, &days.source, &small_options(), &ctx)
        .expect_err("it died");
    drop(repository);
    let packs = days.pack_bytes();
    let report = collect(&days.repo, &patient());
    assert!(report.deleted_packs > 0 && days.pack_bytes() < packs, "{report:?}");
    days.assert_whole();
    days.day();
    days.assert_whole();
}

#[test]
fn where_something_is_lost_nothing_is_collected() {
    let mut days = Days::new(4);
    days.forget(0..2);
    let packs: Vec<_> =
        days.repo.names().into_iter().filter(|it| it.starts_with("packs/")).collect();
    for pack in packs {
        let repo = days.repo.fork();
        repo.delete(&pack);
        let names = repo.names();
        match prune(&repo.open(), &patient(), &repo.ctx()) {
            Err(Error::Prune(PruneError::Lost { .. } | PruneError::Unreadable { .. })) => {
                assert_eq!(repo.names(), names, "{pack}");
            }
            // It was garbage, or is a content that nobody reads while garbage is collected: then `check` finds it missing.
            Ok(_) => {
                if repo.check(true).expect("a check").findings.is_empty() {
                    days.copies.assert_equal(&repo);
                }
            }
            Err(error) => panic!("{pack}: {error:?}"),
        }
    }
}

#[test]
fn whatever_cannot_be_read_stops_the_collector() {
    let mut days = Days::new(3);
    days.forget(0..1);
    for room in ["commits/", "marks/"] {
        let repo = days.repo.fork();
        let name = repo.names().into_iter().find(|it| it.starts_with(room)).expect("one");
        let mut bytes = repo.bytes(&name).to_vec();
        bytes[150] ^= 1;
        repo.replace(&name, bytes);
        let error = prune(&repo.open(), &patient(), &repo.ctx()).expect_err("it stops");
        assert!(matches!(error, Error::Prune(PruneError::Damaged { .. })), "{error:?}");
    }
}

/// A source whose scan comes upon other people at work.
struct Meanwhile<'a> {
    inner: MemorySource,
    before: Box<dyn Fn() + Send + Sync + 'a>,
    after: Box<dyn Fn() + Send + Sync + 'a>,
}

#[async_trait::async_trait]
impl Source for Meanwhile<'_> {
    fn describe(&self) -> SourceInfo {
        self.inner.describe()
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let blocking = |work: &(dyn Fn() + Send + Sync)| {
            std::thread::scope(|scope| scope.spawn(work).join().expect("others work"));
        };
        blocking(&self.before);
        let end = self.inner.scan(base, mode, changes, ctx).await?;
        changes.flush().await?;
        blocking(&self.after);
        Ok(end)
    }
}

fn nothing<'a>() -> Box<dyn Fn() + Send + Sync + 'a> {
    Box::new(|| {})
}

/// What a collector does while a backup is at work, by where in the scan it comes.
fn beside_a_backup(early: bool, options: PruneOptions, waits: bool) {
    let mut days = Days::new(5);
    let other = days.repo.another_client();
    // All but the newest go, and then that one too: the backup builds upon what is forgotten.
    for forgotten in [4, 5] {
        let ids = days.ids[..forgotten].to_vec();
        let is_first = AtomicBool::new(true);
        let work = || {
            if !is_first.swap(false, Ordering::Relaxed) {
                return;
            }
            let history = other.open().history().expect("a history");
            let is_wanted =
                |it: &&esker_engine::repo::Snapshot| ids.contains(&it.id) && !it.forgotten;
            let wanted: Vec<_> =
                history.snapshots.iter().filter(is_wanted).map(|it| it.slot).collect();
            if !wanted.is_empty() {
                other
                    .open()
                    .mark(MarkAction::Forget, &wanted, None, &other.ctx())
                    .expect("forgotten");
            }
            let report = collect(&other, &options);
            assert_eq!(report.waiting_for.is_empty(), !waits, "{report:?}");
        };
        days.change();
        // What was deleted comes back: its objects are in packs that are condemned.
        days.source.put("files", "of day 0", Item::file(noise(500, 60_000)));
        let source = Meanwhile {
            inner: days.source.clone(),
            before: if early { Box::new(&work) } else { nothing() },
            after: if early { nothing() } else { Box::new(&work) },
        };
        let report = days.repo.backup_with(&source, &small_options()).expect("a backup");
        for id in &days.ids[..forgotten] {
            days.copies.forget(*id);
        }
        drop(source);
        days.note(&report);
        days.assert_whole();
        collect(&days.repo, &patient());
        collect(&days.repo, &patient());
        days.assert_whole();
        days.ids.drain(..forgotten);
        while days.ids.len() < 5 {
            days.day();
        }
    }
}

#[test]
fn a_backup_that_is_at_work_is_waited_for() {
    beside_a_backup(true, patient(), true);
    beside_a_backup(false, patient(), true);
}

#[test]
fn a_backup_that_takes_too_long_is_fenced_and_done_again() {
    let hasty = PruneOptions { patience: Duration::ZERO, ..PruneOptions::default() };
    beside_a_backup(true, hasty, false);
    beside_a_backup(false, hasty, false);
    beside_a_backup(false, PruneOptions { exclusive: true, ..patient() }, false);
}

#[test]
fn an_undeletion_in_time_keeps_what_was_condemned() {
    let mut days = Days::new(5);
    let other = days.repo.another_client();
    let forgotten = days.ids[..3].to_vec();
    mark(&days.repo, MarkAction::Forget, &forgotten);
    days.change();
    let work = || {
        let report = collect(&other, &patient());
        assert_eq!(report.waiting_for.len(), 1, "{report:?}");
        // Condemned, and not swept.
        mark(&other, MarkAction::Undelete, &forgotten[1..2]);
    };
    let source =
        Meanwhile { inner: days.source.clone(), before: nothing(), after: Box::new(&work) };
    let report = days.repo.backup_with(&source, &small_options()).expect("a backup");
    drop(source);
    days.note(&report);
    let report = collect(&days.repo, &patient());
    assert!(report.rescued_packs > 0, "{report:?}");
    days.copies.forget(forgotten[0]);
    days.copies.forget(forgotten[2]);
    days.assert_whole();
    // What was swept does not come back.
    let history = days.repo.open().history().expect("a history");
    assert!(history.snapshots.iter().all(|it| it.id != forgotten[0]));
}

#[test]
fn a_dropped_commit_that_turns_up_again_is_nothing() {
    let mut days = Days::new(4);
    let slot = |repo: &TempRepo, id: SnapshotId| {
        let snapshots = repo.snapshots();
        let found = snapshots.iter().find(|it| it.id == id).expect("it is there");
        ObjectName::Slot(found.slot).to_string()
    };
    let name = slot(&days.repo, days.ids[0]);
    let bytes = days.repo.bytes(&name);
    days.forget(0..2);
    collect(&days.repo, &patient());
    days.repo.replace(&name, bytes);
    assert_eq!(days.repo.snapshots().len(), 2);
    days.assert_whole();
    days.day();
    collect(&days.repo, &patient());
    assert!(!days.repo.names().contains(&name) || days.repo.snapshots().len() == 3);
    days.assert_whole();
}

#[test]
fn readers_that_began_before_find_what_is_kept() {
    let mut days = Days::new(8);
    let kept = days.repo.snapshots().pop().expect("a snapshot");
    let objects = Objects::load(&days.repo.open(), CacheSizes::default()).expect("an index");
    days.forget(0..7);
    let report = collect(&days.repo, &PruneOptions { max_waste: 0.0, ..patient() });
    assert!(report.plan.repacked_packs > 0, "{report:?}");
    let read = read_snapshot(Arc::new(objects), &kept.commit).expect("it is read");
    assert_same(&read, &days.source.model());
}

#[test]
fn of_two_collectors_one_loses_and_nothing_else() {
    for _ in 0..6 {
        let mut days = Days::new(6);
        days.forget(0..4);
        let other = days.repo.another_client();
        let run = |repo: &TempRepo| match prune(&repo.open(), &patient(), &repo.ctx()) {
            Ok(_) | Err(Error::Prune(PruneError::Late { .. })) => {}
            Err(error) => panic!("{error:?}"),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| run(&days.repo));
            scope.spawn(|| run(&other));
        });
        days.assert_whole();
        collect(&days.repo, &patient());
        collect(&other, &patient());
        days.assert_whole();
        assert_eq!(days.repo.snapshots().len(), 2);
        assert_eq!(collect(&days.repo, &patient()).plan.dead_packs, 0);
    }
}

/// A small repository of which half is forgotten, with something to store again.
fn small_days() -> Days {
    let repo = TempRepo::memory();
    repo.create();
    let source = MemorySource::new("small", &["issues"]);
    let mut days = Days { repo, source, copies: Copies::default(), ids: Vec::new() };
    for day in 0..5 {
        for number in 0..12 {
            let text = words(number + if number % 3 == 0 { day * 100 } else { 0 }, 300);
            days.source.put("issues", format!("issue {number:02}"), Item::document(text));
        }
        let report = days.repo.backup(&days.source);
        days.note(&report);
    }
    days.forget(0..3);
    days
}

#[test]
fn a_collector_may_stop_anywhere() {
    let days = small_days();
    let options = PruneOptions { max_waste: 0.0, ..patient() };
    let plan = collect(&days.repo.fork(), &options).plan;
    assert!(plan.dead_packs + plan.repacked_packs > 1 && plan.repacked_packs > 0, "{plan:?}");
    for fault in Fault::ALL {
        let calls = at_every_call(
            &days.repo,
            fault,
            RetryPolicy::NONE,
            |repo, store, arm| {
                let repository = repo.try_open(store).map_err(message)?;
                arm();
                prune(&repository, &options, &repo.ctx()).map(drop).map_err(message)
            },
            |repo, call, _| {
                let what = format!("{fault:?} at {call:?}");
                let state = |repo: &TempRepo| {
                    days.copies.assert_equal(repo);
                    let found = repo.check(true).expect("a check").findings;
                    assert!(found.is_empty(), "{what}: {found:#?}");
                };
                state(repo);
                repo.backup(&days.source);
                collect(repo, &options);
                let again = collect(repo, &options);
                state(repo);
                assert_eq!(again.waiting_for, [], "{what}");
                assert_eq!((again.plan.dead_packs, again.plan.repacked_packs), (0, 0), "{what}");
                assert_eq!(repo.open().history().expect("a history").snapshots.len(), 3, "{what}");
            },
        );
        assert!(calls > 30, "{calls}");
    }
}

#[test]
fn requests_that_fail_once_are_repeated() {
    let days = small_days();
    let options = PruneOptions { max_waste: 0.0, ..patient() };
    for fault in [Fault::NotApplied, Fault::AnswerLost] {
        at_every_call(
            &days.repo,
            fault,
            THRICE,
            |repo, store, arm| {
                let repository = repo.try_open(store).map_err(message)?;
                arm();
                prune(&repository, &options, &repo.ctx()).map(drop).map_err(message)
            },
            |repo, call, done| {
                assert_eq!(done, Ok(()), "{fault:?} at {call:?}");
                days.copies.assert_equal(repo);
            },
        );
    }
}
