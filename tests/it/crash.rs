//! What if it stops anywhere: every call to the store fails once, in each way.

use std::time::Duration;

use esker_engine::Error;
use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::repo::RepoError;
use esker_engine::store::{RetryPolicy, Store};
use esker_tests::{
    Call, Copies, Fault, Item, MemorySource, Operation, TempRepo, assert_same, noise,
    small_options, words,
};

/// Runs an action once for each of its calls, and lets that call fail. Returns how many there are.
pub(crate) fn at_every_call(
    prepared: &TempRepo,
    fault: Fault,
    retry: RetryPolicy,
    mut run: impl FnMut(&TempRepo, Store, &dyn Fn()) -> Result<(), String>,
    mut then: impl FnMut(&TempRepo, &Call, Result<(), String>),
) -> usize {
    for number in 0..10_000 {
        let repo = prepared.fork();
        let (faulty, store) = repo.faulty_store();
        let arm = || faulty.arm(number, fault);
        let done = run(&repo, store.with_retry(retry), &arm);
        let Some(call) = faulty.fired() else {
            done.expect("without a fault it works");
            return number;
        };
        then(&repo, &call, done);
    }
    panic!("it never ends");
}

pub(crate) fn message<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

pub(crate) const THRICE: RetryPolicy = RetryPolicy { attempts: 3, first_delay: Duration::ZERO };

fn small_source() -> MemorySource {
    let source = MemorySource::new("crash", &["issues", "files"]);
    for number in 0..30 {
        let item = Item::document(words(number, 200));
        source.put("issues", format!("issue/{number:03}"), item);
    }
    source.put("files", "a file", Item::file(noise(1, 40_000)));
    source
}

/// More than one batch of changes, so that a checkpoint comes between them: a large hole ends the first one.
fn change_much(source: &MemorySource) {
    for number in 0..20 {
        let item = Item::document(words(number + 1_000, 70));
        source.put("issues", format!("issue/{:03}", number * 2), item);
    }
    source.put("files", "a big hole", Item::file(vec![0; 2 << 20]));
    source.remove("files", "a file");
    source.put("files", "another file", Item::file(noise(2, 10_000)));
}

fn with_checkpoints() -> BackupOptions {
    BackupOptions { checkpoint_bytes: 1, ..small_options() }
}

/// A repository with two snapshots, whose source has changed since.
fn prepared(repo: TempRepo) -> (TempRepo, MemorySource, Copies) {
    let (source, mut copies) = (small_source(), Copies::default());
    repo.create();
    copies.keep(&repo.backup(&source), source.model());
    source.put("issues", "issue/005", Item::document(words(99, 500)));
    copies.keep(&repo.backup(&source), source.model());
    change_much(&source);
    (repo, source, copies)
}

fn backup_at_every_call(
    repo: &TempRepo,
    source: &MemorySource,
    copies: &Copies,
    fault: Fault,
    retry: RetryPolicy,
) -> usize {
    at_every_call(
        repo,
        fault,
        retry,
        |repo, store, arm| {
            let repository = repo.try_open(store).map_err(message)?;
            arm();
            let done = backup(&repository, source, &with_checkpoints(), &repo.ctx());
            done.map(|_| ()).map_err(message)
        },
        |repo, call, done| {
            let what = format!("{fault:?} at {call:?}");
            if retry.attempts > 1 {
                assert_eq!(done, Ok(()), "{what}: repeating does not survive it");
            }
            let report = repo.check(true).unwrap();
            assert!(report.findings.is_empty(), "{what}: {:#?}", report.findings);
            copies.assert_equal(repo);
            if done.is_ok() {
                assert_same(&repo.newest(), &source.model());
                return;
            }
            let again = repo.backup(source);
            assert_eq!(again.problems, [], "{what}");
            assert_same(&repo.newest(), &source.model());
            copies.assert_equal(repo);
            let report = repo.check(true).unwrap();
            assert!(report.findings.is_empty(), "{what}: {:#?}", report.findings);
            assert_eq!(report.open_sessions, 0, "{what}: a dead session was not fenced");
        },
    )
}

fn first_backup(repo: &TempRepo) {
    repo.create();
    let source = small_source();
    for fault in Fault::ALL {
        let calls =
            backup_at_every_call(repo, &source, &Copies::default(), fault, RetryPolicy::NONE);
        assert!(calls > 8, "only {calls} calls");
    }
}

#[test]
fn a_first_backup_in_memory_may_stop_anywhere() {
    first_backup(&TempRepo::memory());
}

#[test]
fn a_first_backup_in_a_folder_may_stop_anywhere() {
    first_backup(&TempRepo::folder());
}

fn later_backup(repo: TempRepo, faults: &[Fault]) {
    let (repo, source, copies) = prepared(repo);
    for fault in faults {
        let calls = backup_at_every_call(&repo, &source, &copies, *fault, RetryPolicy::NONE);
        assert!(calls > 20, "only {calls} calls");
    }
}

#[test]
fn a_later_backup_in_memory_may_lose_one_call() {
    later_backup(TempRepo::memory(), &[Fault::NotApplied, Fault::AnswerLost]);
}

#[test]
fn a_later_backup_in_memory_may_die_at_any_call() {
    later_backup(TempRepo::memory(), &[Fault::Dead, Fault::DeadAfter]);
}

#[test]
fn a_later_backup_in_a_folder_may_stop_anywhere() {
    later_backup(TempRepo::folder(), &Fault::ALL);
}

#[test]
fn the_later_backup_of_these_tests_makes_a_checkpoint() {
    let (repo, source, _) = prepared(TempRepo::memory());
    let report = repo.backup_with(&source, &with_checkpoints()).unwrap();
    let history = repo.open().history().unwrap();
    let checkpoints = history.snapshots.iter().filter(|it| it.commit.checkpoint);
    assert!(checkpoints.count() > 0, "{:?}", report.statistics);
    assert_eq!(history.visible().count(), 3);
}

#[test]
fn one_lost_call_of_a_backup_is_survived_by_repeating() {
    let (repo, source, copies) = prepared(TempRepo::memory());
    for fault in [Fault::NotApplied, Fault::AnswerLost] {
        backup_at_every_call(&repo, &source, &copies, fault, THRICE);
    }
}

fn init_at_every_call(place: &TempRepo, fault: Fault, retry: RetryPolicy) {
    let calls = at_every_call(
        place,
        fault,
        retry,
        |repo, store, arm| {
            arm();
            repo.try_create(store).map(|_| ()).map_err(message)
        },
        |repo, call, done| {
            let what = format!("{fault:?} at {call:?}");
            if retry.attempts > 1 {
                assert_eq!(done, Ok(()), "{what}: repeating does not survive it");
            }
            match repo.try_open(repo.store()) {
                Ok(_) => {}
                Err(RepoError::NotARepository { .. }) => {
                    assert!(done.is_err(), "{what}: it was made and is not there");
                    if !repo.names().is_empty() {
                        // Key slots of a repository that never came to be: the place is not taken over silently.
                        let again = repo.try_create(repo.store());
                        assert!(
                            matches!(again, Err(RepoError::NotEmpty { .. })),
                            "{what}: {again:?}"
                        );
                        return;
                    }
                    repo.create();
                }
                Err(error) => panic!("{what}: {error:?}"),
            }
            // A copy may be missing: check says so, and nothing else.
            for finding in repo.check(true).unwrap().findings {
                assert!(done.is_err(), "{what}: {finding:?}");
                assert_eq!(finding.object, "config/0.copy", "{what}: {finding:?}");
            }
            let source = small_source();
            repo.backup(&source);
            assert_same(&repo.newest(), &source.model());
        },
    );
    assert!(calls >= 5, "only {calls} calls");
}

#[test]
fn making_a_repository_may_stop_anywhere() {
    for fault in Fault::ALL {
        init_at_every_call(&TempRepo::memory(), fault, RetryPolicy::NONE);
        init_at_every_call(&TempRepo::folder(), fault, RetryPolicy::NONE);
    }
    for fault in [Fault::NotApplied, Fault::AnswerLost] {
        init_at_every_call(&TempRepo::memory(), fault, THRICE);
    }
}

fn forget_at_every_call(repo: TempRepo, fault: Fault, retry: RetryPolicy) {
    let (repo, _, copies) = prepared(repo);
    let chosen = repo.snapshots().remove(0);
    let forget = |repo: &TempRepo, store: Store, arm: &dyn Fn()| {
        let repository = repo.try_open(store)?;
        arm();
        repository.mark(MarkAction::Forget, &[chosen.slot], None, &repo.ctx())?;
        Ok::<_, Error>(())
    };
    let calls = at_every_call(
        &repo,
        fault,
        retry,
        |repo, store, arm| forget(repo, store, arm).map_err(message),
        |repo, call, done| {
            let what = format!("{fault:?} at {call:?}");
            if retry.attempts > 1 {
                assert_eq!(done, Ok(()), "{what}: repeating does not survive it");
            }
            repo.assert_sound();
            let is_there = |repo: &TempRepo| repo.snapshots().iter().any(|it| it.id == chosen.id);
            assert!(done.is_err() || !is_there(repo), "{what}: it was forgotten and is there");
            if call.operation == Operation::List {
                assert!(done.is_ok() || is_there(repo), "{what}: nothing was written yet");
            }
            forget(repo, repo.store(), &|| ()).unwrap();
            let mut left = copies.clone();
            left.forget(chosen.id);
            left.assert_equal(repo);
            assert!(!is_there(repo), "{what}: it cannot be forgotten any more");
            repo.assert_sound();
        },
    );
    assert!(calls >= 2, "only {calls} calls");
}

#[test]
fn forgetting_may_stop_anywhere() {
    for fault in Fault::ALL {
        forget_at_every_call(TempRepo::memory(), fault, RetryPolicy::NONE);
        forget_at_every_call(TempRepo::folder(), fault, RetryPolicy::NONE);
    }
    for fault in [Fault::NotApplied, Fault::AnswerLost] {
        forget_at_every_call(TempRepo::memory(), fault, THRICE);
    }
}
