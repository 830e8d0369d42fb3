//! A collector beside backups, readers, people who change their minds, and another collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use esker_engine::Error;
use esker_engine::context::RunContext;
use esker_engine::format::commit::MarkAction;
use esker_engine::ops::prune::{PruneError, PruneOptions, prune};
use esker_engine::repo::{CacheSizes, Objects, Snapshot};
use esker_engine::source::{Base, ChangeSink, ScanEnd, ScanMode, Source, SourceError, SourceInfo};
use esker_tests::{Item, MemorySource, TempRepo, assert_same, noise, read_snapshot, small_options};

use super::{Days, collect, mark, patient};

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
            let is_wanted = |it: &&Snapshot| ids.contains(&it.id) && !it.forgotten;
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
