//! A cancelled backup leaves a checkpoint, and the next one reads only what that does not hold.

use esker_engine::Error;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_tests::{Item, TempRepo, assert_same, issues_and_files, roots, small_options, words};

#[test]
fn the_next_run_reads_what_the_checkpoint_does_not_hold() {
    const CONTENTS: usize = 106;
    let place = TempRepo::memory();
    place.create();
    let undisturbed = {
        let repo = place.fork();
        roots(&repo.backup(&issues_and_files("cancel", 100)))
    };
    for read in [1, 2, 50, 103, 105] {
        let repo = place.fork();
        let source = issues_and_files("cancel", 100);
        source.cancel_after_reads(Some(read));
        let cancelled = repo.backup_with(&source, &small_options());
        assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
        assert_eq!(source.take_reads().len() as u64, read, "it stops at once");
        assert!(repo.snapshots().is_empty(), "a checkpoint is not shown as a snapshot");
        let history = repo.open().history().unwrap();
        let checkpoint = history.snapshots.last().expect("there is a checkpoint");
        assert!(checkpoint.commit.checkpoint);
        let entries = checkpoint.commit.collections.iter();
        let entries: u64 = entries.filter_map(|it| it.root).map(|root| root.entries).sum();
        assert_eq!(entries, read, "all that was read is kept");
        repo.assert_sound();

        source.cancel_after_reads(None);
        let report = repo.backup(&source);
        assert_eq!(source.take_reads().len(), CONTENTS - read as usize);
        assert_eq!(roots(&report), undisturbed);
        assert_same(&repo.newest(), &source.model());
        repo.assert_sound();
    }
}

#[test]
fn a_later_run_that_is_cancelled_is_continued_too() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("cancel", 100);
    repo.backup(&source);
    for number in 0..40 {
        let item = Item::document(words(number + 500, 400));
        source.put("issues", format!("issue/{number:05}"), item);
    }
    source.remove("issues", "issue/00099");
    source.take_reads();
    for reads in [10, 15] {
        source.cancel_after_reads(Some(reads));
        repo.backup_with(&source, &small_options()).unwrap_err();
        source.cancel_after_reads(None);
        let history = repo.open().history().unwrap();
        assert!(history.snapshots.last().unwrap().commit.checkpoint);
    }
    assert_eq!(source.take_reads().len(), 25);
    repo.backup(&source);
    assert_eq!(source.take_reads().len(), 15);
    assert_same(&repo.newest(), &source.model());
    repo.assert_sound();
}

#[test]
fn a_run_that_is_cancelled_before_it_read_anything_leaves_no_commit() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("cancel", 10);
    let ctx = repo.ctx();
    ctx.cancel.cancel();
    let cancelled = backup(&repo.open(), &source, &small_options(), &ctx);
    assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
    assert!(repo.open().history().unwrap().snapshots.is_empty());
    repo.assert_sound();
    repo.backup(&source);
    assert_same(&repo.newest(), &source.model());
    assert_eq!(repo.check(false).unwrap().open_sessions, 0);
}

#[test]
fn cancelling_with_many_workers_keeps_the_repository_sound() {
    for read in [1, 300, 900] {
        let repo = TempRepo::memory();
        repo.create();
        let source = issues_and_files("cancel", 1_200);
        source.cancel_after_reads(Some(read));
        let options = BackupOptions { workers: 4, memory: 256 * 1024 * 1024, ..small_options() };
        let done = repo.backup_with(&source, &options);
        assert!(matches!(done, Err(Error::Cancelled)), "{done:?}");
        source.cancel_after_reads(None);
        repo.assert_sound();
        repo.backup_with(&source, &options).unwrap();
        assert_same(&repo.newest(), &source.model());
    }
}

#[test]
fn cancelling_after_the_scan_has_ended_makes_no_snapshot() {
    // All changes fit into one batch, so the source is done while the worker has hardly begun.
    for read in [1, 10, 19] {
        let repo = TempRepo::memory();
        repo.create();
        let source = issues_and_files("cancel", 0);
        for number in 0..20 {
            let item = Item::document(words(number, 20_000));
            source.put("issues", format!("issue/{number:05}"), item);
        }
        source.cancel_after_reads(Some(read));
        let done = repo.backup_with(&source, &small_options());
        assert!(matches!(done, Err(Error::Cancelled)), "{done:?}");
        assert!(repo.snapshots().is_empty(), "nothing that misses objects is a snapshot");
        source.cancel_after_reads(None);
        repo.backup(&source);
        assert_same(&repo.newest(), &source.model());
        repo.assert_sound();
    }
}
