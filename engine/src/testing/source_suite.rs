//! The conformance suite of sources: is this one, by what becomes of its changes in a repository?
//!
//! A source that keeps the contract of [`Source`] passes [`conformance`]; each part may be run by itself to find a fault.

use std::sync::Arc;

use bytes::Bytes;

use super::{CancelAfter, TempRepo, small_options};
use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{MarkAction, SnapshotStatus, StoredRoot};
use crate::monitor::Counter;
use crate::ops::backup::{BackupOptions, BackupReport, backup};
use crate::source::{ScanMode, Source};

/// A source under test, and the hands that change what it reads.
pub trait SourceFixture {
    /// Opens the source as a new process would. All of them are one source: equal kind and identity.
    fn open(&self) -> Arc<dyn Source>;

    /// Changes the state. Each step adds, changes and deletes at least one object; step 0 comes first, and finds none.
    fn mutate(&self, step: u32);

    /// Changes what no snapshot may hold: signed URLs, times of access.
    fn tick(&self) {}

    /// Makes an object that the last steps did not touch unreadable. False where this kind of source has no such thing.
    fn break_one(&self) -> bool {
        false
    }

    /// Makes it readable again.
    fn mend(&self) {}
}

/// Runs all parts, each with a fixture of its own.
pub fn conformance<F: SourceFixture>(fixture: impl Fn() -> F) {
    identity_stays(&fixture());
    full_and_incremental_scans_agree(&fixture());
    quiet_scans_change_nothing(&fixture());
    one_bad_object_is_not_the_end(&fixture());
    a_cancelled_scan_is_continued(&fixture());
}

/// The roots of a snapshot's collections by name.
fn roots(report: &BackupReport) -> Vec<(String, Option<StoredRoot>)> {
    let roots = report.collections.iter();
    let mut roots: Vec<_> = roots.map(|it| (it.name.clone(), it.root)).collect();
    roots.sort_by(|a, b| a.0.cmp(&b.0));
    roots
}

fn incremental(repo: &TempRepo, fixture: &dyn SourceFixture) -> BackupReport {
    repo.backup(&*fixture.open())
}

fn full(repo: &TempRepo, fixture: &dyn SourceFixture) -> BackupReport {
    let options = BackupOptions { mode: ScanMode::Full, ..small_options() };
    let report = repo.backup_with(&*fixture.open(), &options);
    report.expect("the full backup works")
}

/// A backup as if it were the first one, in a copy of the repository, so that the keys are the same.
fn without_base(repo: &TempRepo, fixture: &dyn SourceFixture) -> BackupReport {
    let repo = repo.fork();
    let repository = repo.open();
    let history = repository.history().expect("the history can be read");
    let all: Vec<_> = history.snapshots.iter().map(|it| it.slot).collect();
    let forgotten = repository.mark(MarkAction::Forget, &all, None, &repo.ctx());
    forgotten.expect("snapshots can be forgotten");
    let report = incremental(&repo, fixture);
    assert!(report.parent.is_none(), "all snapshots are forgotten");
    report
}

/// Who a source is does not depend on when it was opened.
pub fn identity_stays(fixture: &dyn SourceFixture) {
    fixture.mutate(0);
    let first = fixture.open().describe();
    fixture.mutate(1);
    let second = fixture.open().describe();
    assert_eq!(first, second, "the source describes itself differently later");
    assert!(!first.collections.is_empty(), "it has no collections");
    let mut names = first.collections.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), first.collections.len(), "two collections have one name");
}

/// Scans of one state lead to equal trees, whatever the base; deletions are said.
pub fn full_and_incremental_scans_agree(fixture: &dyn SourceFixture) {
    let repo = TempRepo::memory();
    repo.create();
    fixture.mutate(0);
    let mut before = roots(&incremental(&repo, fixture));
    for step in 1..4 {
        fixture.mutate(step);
        let report = incremental(&repo, fixture);
        let after = roots(&report);
        assert_ne!(after, before, "step {step} changed nothing");
        let figures = report.statistics;
        assert!(figures.new > 0 && figures.changed > 0, "step {step}: {figures:?}");
        assert!(
            figures.deleted > 0,
            "step {step}: an incremental scan says no deletion: {figures:?}"
        );
        fixture.tick();
        let fresh = without_base(&repo, fixture);
        assert_eq!(
            after,
            roots(&fresh),
            "step {step}: an incremental scan and one without a base differ"
        );
        assert_eq!(
            after,
            roots(&full(&repo, fixture)),
            "step {step}: an incremental scan and a full one differ"
        );
        before = after;
    }
    // A full scan must find deletions too, although nothing tells it of them.
    fixture.mutate(4);
    let found = full(&repo, fixture);
    assert!(found.statistics.deleted > 0, "a full scan says no deletion: {:?}", found.statistics);
    assert_eq!(
        roots(&found),
        roots(&without_base(&repo, fixture)),
        "a full scan with a base and one without differ"
    );
}

/// What is not mentioned stays, and a scan of an unchanged source mentions nothing that matters.
pub fn quiet_scans_change_nothing(fixture: &dyn SourceFixture) {
    let repo = TempRepo::memory();
    repo.create();
    fixture.mutate(0);
    let first = incremental(&repo, fixture);
    for report in [
        {
            fixture.tick();
            incremental(&repo, fixture)
        },
        full(&repo, fixture),
        incremental(&repo, fixture),
    ] {
        let figures = report.statistics;
        assert_eq!((figures.new, figures.changed, figures.deleted), (0, 0, 0), "{figures:?}");
        assert_eq!(roots(&report), roots(&first));
    }
}

/// An object that cannot be read is a problem; the others are stored, its state of the base stays, and it is found later.
pub fn one_bad_object_is_not_the_end(fixture: &dyn SourceFixture) {
    let repo = TempRepo::memory();
    repo.create();
    fixture.mutate(0);
    let first = incremental(&repo, fixture);
    if !fixture.break_one() {
        return;
    }
    let report = full(&repo, fixture);
    assert!(!report.problems.is_empty(), "an unreadable object is no problem");
    assert_eq!(report.status, SnapshotStatus::Partial);
    assert_eq!(
        roots(&report),
        roots(&first),
        "the base's state of an unreadable object does not stay"
    );
    // Without a base it is missing, and nothing else is.
    let fresh = without_base(&repo, fixture);
    let entries = |report: &BackupReport| -> u64 {
        let roots = report.collections.iter().filter_map(|it| it.root);
        roots.map(|root| root.entries).sum()
    };
    assert!(!fresh.problems.is_empty());
    assert!(entries(&fresh) < entries(&first), "an unreadable object is stored");
    assert!(entries(&fresh) > 0, "one bad object was the end");
    fixture.mutate(1);
    incremental(&repo, fixture);
    fixture.mend();
    let mended = incremental(&repo, fixture);
    assert_eq!(mended.problems, [], "a mended object is a problem still");
    assert_eq!(
        roots(&mended),
        roots(&without_base(&repo, fixture)),
        "a mended object was passed over"
    );
}

/// A cancelled scan ends soon, and the next one goes on to the same end.
pub fn a_cancelled_scan_is_continued(fixture: &dyn SourceFixture) {
    let repo = TempRepo::memory();
    repo.create();
    for step in 0..3 {
        fixture.mutate(step);
        for after in [1, 2, 5] {
            let mut ctx = repo.ctx();
            ctx.monitor =
                Arc::new(CancelAfter::new(ctx.cancel.clone(), Counter::EntriesSeen, after));
            let done = cancelled(&repo, fixture, &ctx);
            assert!(done, "step {step}: a scan that is cancelled after {after} entries");
        }
        let report = incremental(&repo, fixture);
        assert_eq!(
            roots(&report),
            roots(&without_base(&repo, fixture)),
            "step {step}: a scan after cancelled ones"
        );
    }
}

/// True if the backup was cancelled, or had ended before it could be.
fn cancelled(repo: &TempRepo, fixture: &dyn SourceFixture, ctx: &RunContext) -> bool {
    let source = fixture.open();
    match backup(&repo.open(), &*source, &small_options(), ctx) {
        Err(Error::Cancelled) => true,
        Ok(_) => !ctx.cancel.is_cancelled(),
        Err(error) => panic!("a cancelled backup fails: {error:?}"),
    }
}

/// A key that is easy to read in a failed assertion.
pub fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Item, MemorySource, Trouble, Volatile, noise, words};

    struct Fixture(MemorySource, Trouble);

    impl SourceFixture for Fixture {
        fn open(&self) -> Arc<dyn Source> {
            Arc::new(self.0.clone())
        }

        fn mutate(&self, step: u32) {
            for number in 0..60 {
                let seed = u64::from(step * 1000 + number);
                if step == 0 || number % 7 == step % 7 {
                    let item = Item::document(words(seed, 300));
                    self.0.put("issues", format!("issue {number:03}"), item);
                }
            }
            let file = Item::file(noise(step.into(), 90_000));
            self.0.put("files", format!("file\0{step}"), file);
            if step > 0 {
                self.0.remove("files", format!("file\0{}", step - 1));
                self.0.remove("issues", format!("issue {:03}", step * 3));
            }
        }

        fn tick(&self) {
            self.0.tick();
        }

        fn break_one(&self) -> bool {
            self.0.set_trouble("issues", "issue 040", Some(self.1));
            true
        }

        fn mend(&self) {
            self.0.set_trouble("issues", "issue 040", None);
        }
    }

    fn source() -> MemorySource {
        MemorySource::new("suite", &["issues", "files"])
    }

    #[test]
    fn the_memory_source_conforms() {
        for trouble in [Trouble::OnScan, Trouble::OnOpen, Trouble::OnRead] {
            conformance(|| Fixture(source(), trouble));
        }
    }

    #[test]
    #[should_panic(expected = "without a base differ")]
    fn a_source_that_stores_volatile_fields_is_noticed() {
        let source = source();
        source.set_volatile(Volatile::Stored);
        full_and_incremental_scans_agree(&Fixture(source, Trouble::OnScan));
    }

    #[test]
    #[should_panic(expected = "a full scan says no deletion")]
    fn a_source_that_forgets_deletions_is_noticed() {
        let source = source();
        source.forget_deletions();
        full_and_incremental_scans_agree(&Fixture(source, Trouble::OnScan));
    }
}
