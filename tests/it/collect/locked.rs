//! Locks of the store: what is needed is locked in time, and what is locked stays.

use std::sync::Arc;
use std::time::Duration;

use esker_engine::Error;
use esker_engine::ErrorKind;
use esker_engine::clock::{Clock, SystemClock};
use esker_engine::ops::backup::{BackupReport, backup};
use esker_engine::ops::check::{CheckOptions, check};
use esker_engine::ops::prune::{PruneOptions, PruneReport, prune};
use esker_engine::repo::{Client, CreateOptions, Repository};
use esker_engine::store::{LockMode, ObjectLock, Probe, Store};
use esker_engine::testing::MemoryLocks;
use esker_tests::{Item, TempRepo, issues_and_files, noise, small_options};

use super::{Days, patient};

const HOUR: Duration = Duration::from_secs(3600);
const PERIOD: ObjectLock = ObjectLock { mode: LockMode::Governance, seconds: 30 * 24 * 3600 };

/// A repository in a store that locks.
struct Locked {
    days: Days,
    locks: Arc<MemoryLocks>,
}

impl Locked {
    fn new() -> Self {
        let locks = Arc::new(MemoryLocks::default());
        let repo = TempRepo::memory();
        let proven = Probe {
            creates_once: true,
            reads_own_writes: true,
            lists_own_writes: true,
            network_file_system: None,
        };
        let options = CreateOptions {
            unlocks: vec![repo.unlock().clone()],
            store: Some(proven),
            object_lock: Some(PERIOD),
            ..CreateOptions::default()
        };
        let store = repo.store().with_locks(locks.clone());
        let client = repo.client_folder().to_owned();
        Repository::create(store, &options, |_| Client::open(client), &repo.ctx())
            .expect("the repository is made");
        let source = issues_and_files("days", 60);
        let days = Days { repo, source, copies: esker_tests::Copies::default(), ids: Vec::new() };
        Self { days, locks }
    }

    fn store(&self) -> Store {
        self.days.repo.store().with_locks(self.locks.clone())
    }

    fn try_backup(&self) -> Result<BackupReport, Error> {
        let repo = self.days.repo.try_open(self.store()).expect("it opens");
        backup(&repo, &self.days.source, &small_options(), &self.days.repo.ctx())
    }

    fn day(&mut self) {
        self.days.change();
        let report = self.try_backup().expect("a backup");
        self.days.note(&report);
    }

    fn prune(&self, options: &PruneOptions) -> PruneReport {
        let repo = self.days.repo.try_open(self.store()).expect("it opens");
        prune(&repo, options, &self.days.repo.ctx()).expect("garbage is collected")
    }

    /// What a check notes.
    fn notes(&self) -> Vec<String> {
        let repo = self.days.repo.try_open(self.store()).expect("it opens");
        let ctx = self.days.repo.ctx();
        let report = check(&repo, &CheckOptions::default(), &ctx).expect("a check");
        assert_eq!(report.findings, []);
        report.notes
    }

    /// Names of these folders that are not locked for half a period.
    fn not_locked(&self) -> Vec<String> {
        let ends = self.locks.all();
        let half = SystemClock.now() + PERIOD.period() / 2;
        let lasts = |name: &String| {
            ["config/", "keys/", "packs/", "index/", "commits/"]
                .iter()
                .any(|it| name.starts_with(it))
        };
        let is_locked = |name: &String| ends.get(name).is_some_and(|end| *end > half);
        let names = self.days.repo.names();
        names.into_iter().filter(|name| lasts(name) && !is_locked(name)).collect()
    }
}

#[test]
fn what_is_stored_is_locked() {
    let mut locked = Locked::new();
    locked.day();
    locked.day();
    assert_eq!(locked.not_locked(), [] as [String; 0]);
    let others: Vec<_> =
        locked.locks.all().into_keys().filter(|name| name.starts_with("sessions/")).collect();
    assert!(others.is_empty(), "{others:?}");
    locked.days.copies.assert_equal(&locked.days.repo);
    assert_eq!(locked.notes(), [] as [String; 0]);
    locked.locks.end_at(SystemClock.now().saturating_sub(HOUR));
    let notes = locked.notes();
    assert!(notes[0].starts_with("2 of 2 packs"), "{notes:?}");
}

#[test]
fn a_backup_whose_locks_are_refused_fails_and_the_next_one_goes_on() {
    let mut locked = Locked::new();
    locked.day();
    locked.days.source.put("files", "more", Item::file(noise(9, 300_000)));
    locked.locks.refuse(true);
    let error = locked.try_backup().expect_err("nothing can be locked");
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    assert_eq!(locked.days.repo.snapshots().len(), 1);
    locked.locks.refuse(false);
    locked.day();
    locked.days.copies.assert_equal(&locked.days.repo);
}

#[test]
fn what_is_dead_stays_until_its_lock_has_ended() {
    let mut locked = Locked::new();
    for _ in 0..5 {
        // All that a day stores is superseded by the next one.
        let changed = noise(locked.days.ids.len() as u64, 200_000);
        locked.days.source.put("files", "changes", Item::file(changed));
        let report = locked.try_backup().expect("a backup");
        locked.days.note(&report);
    }
    locked.days.forget(0..4);
    let bytes = locked.days.pack_bytes();
    let report = locked.prune(&patient());
    assert_eq!((report.deleted_packs, report.extended_locks), (0, 0), "{report:?}");
    assert!(report.plan.locked_packs > 0 && report.plan.locked_bytes > 0, "{report:?}");
    assert!(report.plan.locked_until.is_some());
    assert_eq!(report.plan.moved_bytes, 0, "nothing is stored again for what cannot go");
    assert!(locked.days.pack_bytes() >= bytes);
    locked.days.copies.assert_equal(&locked.days.repo);

    // All has ended: what is needed is locked again, the rest goes.
    locked.locks.end_at(SystemClock.now().saturating_sub(HOUR));
    let _ = std::fs::remove_file(locked.days.repo.client_folder().join("locks.json"));
    let report = locked.prune(&patient());
    assert!(report.deleted_packs > 0 && report.extended_locks > 0, "{report:?}");
    assert!(report.plan.locked_packs == 0 && report.plan.dead_packs > 0, "{report:?}");
    locked.days.copies.assert_equal(&locked.days.repo);
    let fences = locked.days.repo.open().history().expect("a history").fences;
    let mut open = locked.not_locked();
    open.retain(|name| !fences.iter().any(|it| name.ends_with(&it.to_string())));
    assert_eq!(open, [] as [String; 0]);
}

#[test]
fn what_lives_is_locked_anew_in_the_second_half() {
    let mut locked = Locked::new();
    for _ in 0..3 {
        locked.day();
    }
    locked.days.forget(0..2);
    let soon = (SystemClock.now() + PERIOD.period() / 2).saturating_sub(HOUR);
    locked.locks.end_at(soon);
    // Only what is dead altogether: what is mixed may be stored again by now.
    let options = PruneOptions { max_waste: 1.0, ..patient() };
    let report = locked.prune(&options);
    assert!(report.extended_locks > 0, "{report:?}");
    let kept = locked.locks.all().into_values().filter(|end| *end == soon).count() as u64;
    assert!(kept >= report.plan.locked_packs, "what is dead is not locked anew");
    let asked = locked.locks.asked();
    let again = locked.prune(&options);
    assert_eq!((again.extended_locks, locked.locks.asked() - asked), (0, 0), "{again:?}");
    locked.days.copies.assert_equal(&locked.days.repo);
}

#[test]
fn what_is_mixed_is_stored_again_when_it_would_be_locked_anew() {
    let mut locked = Locked::new();
    for _ in 0..5 {
        locked.day();
    }
    locked.days.forget(0..4);
    let options = PruneOptions { max_waste: 0.0, ..patient() };
    let early = locked.prune(&options);
    assert_eq!(early.plan.repacked_packs, 0, "{early:?}");
    let soon = (SystemClock.now() + PERIOD.period() / 2).saturating_sub(HOUR);
    locked.locks.end_at(soon);
    let _ = std::fs::remove_file(locked.days.repo.client_folder().join("locks.json"));
    let due = locked.prune(&options);
    assert!(due.plan.repacked_packs > 0, "{due:?}");
    locked.days.copies.assert_equal(&locked.days.repo);
    let packs = locked.days.repo.names().into_iter().filter(|name| name.starts_with("packs/"));
    let ends = locked.locks.all();
    let new = packs.filter(|name| ends[name] > soon).count();
    assert!(new > 0, "what was stored again is locked for the whole period");
}
