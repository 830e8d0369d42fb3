//! Garbage is collected: what is kept stays whatever happens meanwhile, what is not goes.

mod beside;
mod between;
mod broken;
mod locked;
mod remembered;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use esker_engine::clock::rfc3339;
use esker_engine::format::commit::MarkAction;
use esker_engine::format::name::ObjectName;
use esker_engine::id::SnapshotId;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::ops::prune::{PruneOptions, PruneReport, prune};
use esker_engine::ops::stats::stats;
use esker_engine::testing::MeanwhileStore;
use esker_tests::{
    Copies, Item, MemorySource, TempRepo, issues_and_files, noise, small_options, words,
};

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
        repo.create_proven();
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

    let open = days.repo.open().open_sessions().expect("a listing");
    assert!(open.is_empty(), "what is gone left nobody to wait for: {open:?}");

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

/// What is condemned, who is waited for, and until when.
#[test]
fn stats_tell_when_garbage_goes() {
    let mut days = Days::new(5);
    days.forget(0..4);
    let told = |days: &Days| stats(&days.repo.open()).expect("figures");
    assert_eq!((told(&days).forgotten, told(&days).condemned_bytes), (4, 0));

    let other = days.repo.another_client();
    let repository = other.open();
    let session = repository.open_session(&other.ctx()).expect("a session");
    let until = session.name.ulid.time() + PruneOptions::default().patience;
    collect(&days.repo, &patient());
    let waiting = told(&days);
    assert!(waiting.condemned_bytes > 0, "{waiting:?}");
    assert_eq!((waiting.condemned_waits_for, waiting.open_sessions), (1, 1));
    assert_eq!(waiting.condemned_until, Some(rfc3339(until)));

    // Whoever begins now is not waited for; what he has stored is pending until he ends.
    let before = days.pack_bytes();
    let (seen, observer) = (Arc::new(Mutex::new(None)), days.repo.another_client());
    let noted = Arc::clone(&seen);
    let store = MeanwhileStore::new(days.repo.raw(), "PUT commits/", move || {
        *noted.lock().expect("one thread") = Some(stats(&observer.open()).expect("figures"));
    });
    let late = days.repo.another_client();
    let repository_of_late = late.try_open(store.store()).expect("it opens");
    store.arm();
    days.change();
    let report = backup(&repository_of_late, &days.source, &small_options(), &late.ctx());
    let pending = seen.lock().expect("one thread").take().expect("it was looked");
    assert_eq!(pending.pending_bytes, days.pack_bytes() - before);
    assert_eq!((pending.condemned_waits_for, pending.open_sessions), (1, 2));
    days.note(&report.expect("a backup"));
    assert_eq!(told(&days).pending_bytes, 0);

    repository.abandon(&session, &other.ctx()).expect("it ends");
    let due = told(&days);
    assert_eq!((due.condemned_waits_for, due.condemned_until), (0, None));
    assert_eq!(due.condemned_bytes, waiting.condemned_bytes);
    collect(&days.repo, &patient());
    assert_eq!(told(&days).condemned_bytes, 0);
}
