//! Whatever went in comes out.

use std::sync::Arc;

use esker_engine::clock::ManualClock;
use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_tests::{
    Copies, Item, TempRepo, Trouble, assert_same, full_options, issues_and_files, noise, roots,
    small_options, words,
};

#[test]
fn what_went_in_comes_out() {
    for repo in [TempRepo::memory(), TempRepo::folder()] {
        repo.create();
        let source = issues_and_files("round", 800);
        let mut copies = Copies::default();
        let first = repo.backup(&source);
        assert_eq!(first.status, SnapshotStatus::Complete);
        assert_eq!(first.statistics.new, 806);
        copies.keep(&first, source.model());

        source.put("issues", "issue/00007", Item::document(words(1_000_007, 5_000)));
        source.put("issues", "issue/00400x", Item::document(words(1_000_008, 90)));
        source.remove("files", "folder\0parts");
        source.take_reads();
        let second = repo.backup(&source);
        copies.keep(&second, source.model());
        let figures = second.statistics;
        assert_eq!((figures.new, figures.changed, figures.deleted), (1, 1, 1), "{figures:?}");
        assert_eq!(source.take_reads().len(), 2);
        assert_eq!(
            figures.objects_written, 3,
            "a quiet day is marker, pack and commit: {figures:?}"
        );
        copies.assert_equal(&repo);
    }
}

#[test]
fn many_workers_and_much_memory_lead_to_the_same_roots() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("workers", 3_000);
    let many = repo.fork();
    let options = BackupOptions { workers: 4, memory: 256 * 1024 * 1024, ..small_options() };
    let by_many = many.backup_with(&source, &options).unwrap();
    assert_eq!(roots(&by_many), roots(&repo.backup(&source)));
    assert_same(&many.newest(), &source.model());
}

#[test]
fn an_unchanged_source_costs_nothing_but_marker_and_commit() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("quiet", 100);
    let first = repo.backup(&source);
    for options in [small_options(), full_options()] {
        let report = repo.backup_with(&source, &options).unwrap();
        assert_eq!(roots(&report), roots(&first));
        assert_eq!(report.statistics.objects_written, 2);
        assert_eq!(report.statistics.new_objects, 0);
    }
}

#[test]
fn a_dry_run_stores_nothing_and_foresees_what_comes() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("dry", 100);
    repo.backup(&source);
    source.put("issues", "issue/00003", Item::document(words(77, 300)));
    source.put("files", "new", Item::file(noise(77, 300_000)));
    source.remove("issues", "issue/00004");
    let before = repo.names();
    let options = BackupOptions { dry_run: true, ..small_options() };
    let foreseen = repo.backup_with(&source, &options).unwrap();
    assert!(foreseen.snapshot.is_none());
    assert_eq!(repo.names(), before);
    let done = repo.backup(&source).statistics;
    let foreseen = foreseen.statistics;
    assert_eq!(
        (foreseen.new, foreseen.changed, foreseen.deleted),
        (done.new, done.changed, done.deleted)
    );
}

#[test]
fn what_cannot_be_read_is_carried_forward_and_said() {
    for trouble in [Trouble::OnScan, Trouble::OnOpen, Trouble::OnRead] {
        let repo = TempRepo::memory();
        repo.create();
        let source = issues_and_files("trouble", 50);
        repo.backup(&source);
        let old = source.model();
        source.put("files", "folder\0list", Item::file(noise(5, 1_000_000)));
        source.put("files", "new", Item::file(noise(6, 1_000)));
        source.set_trouble("files", "folder\0list", Some(trouble));
        source.set_trouble("files", "new", Some(trouble));
        let report = repo.backup(&source);
        assert_eq!(report.status, SnapshotStatus::Partial, "{trouble:?}");
        assert_eq!(report.problems.len(), 2, "{trouble:?}");
        assert_same(&repo.newest(), &old);
        let stale = |path: &str| {
            let problem = report.problems.iter().find(|it| it.path.ends_with(path));
            problem.unwrap().stale
        };
        assert!(!stale("new"), "{trouble:?}: there was no older state of it");
        assert!(stale("list"), "{trouble:?}: its older state is kept");
    }
}

#[test]
fn a_source_that_fails_as_a_whole_makes_no_snapshot() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("fails", 1_500);
    for pushes in [0, 1, 700] {
        source.fail_after(Some(pushes));
        repo.backup_with(&source, &small_options()).unwrap_err();
        assert!(repo.snapshots().is_empty());
    }
    source.fail_after(None);
    repo.backup(&source);
    assert_same(&repo.newest(), &source.model());
}

#[test]
fn sources_of_one_repository_do_not_mix() {
    let repo = TempRepo::memory();
    repo.create();
    let (one, two) = (issues_and_files("one", 40), issues_and_files("two", 60));
    let mut copies = Copies::default();
    for source in [&one, &two, &one, &two] {
        source.put("issues", "changing", Item::document(words(source.model().len() as u64, 99)));
        let report = repo.backup(source);
        copies.keep(&report, source.model());
    }
    copies.assert_equal(&repo);
}

#[test]
fn a_clock_that_is_set_back_does_not_make_an_older_snapshot_the_newest() {
    let repo = TempRepo::memory();
    repo.create();
    let source = issues_and_files("clock", 20);
    for hours in [10u64, 9, 0, 8, 11] {
        let number = hours + 1_000;
        let item = Item::document(words(number, 200));
        source.put("issues", format!("issue/{number}"), item);
        let mut ctx = repo.ctx();
        ctx.clock = Arc::new(ManualClock::at(1_795_392_000 + hours * 3_600));
        backup(&repo.open(), &source, &small_options(), &ctx).unwrap();
        assert_same(&repo.newest(), &source.model());
    }
    assert_eq!(repo.snapshots().len(), 5);
    repo.assert_sound();
}
