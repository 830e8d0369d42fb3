//! A collector where things are broken, or break.

use std::time::Duration;

use esker_engine::Error;
use esker_engine::ops::backup::backup;
use esker_engine::ops::prune::{PruneError, PruneOptions, prune};
use esker_engine::store::RetryPolicy;
use esker_tests::{Copies, Fault, Item, MemorySource, TempRepo, small_options, words};

use super::{Days, collect, patient};
use crate::crash::{THRICE, at_every_call, message};

#[test]
fn what_a_dead_process_left_behind_goes() {
    let mut days = Days::new(2);
    let (faulty, store) = days.repo.faulty_store();
    let repository = days.repo.try_open(store).expect("it opens");
    days.change();
    // The pack is stored, the commit is not.
    let calls = {
        let fork = days.repo.fork();
        let (probe, store) = fork.faulty_store();
        let repository = fork.try_open(store).expect("it opens");
        probe.arm(usize::MAX, Fault::Dead);
        backup(&repository, &days.source, &small_options(), &fork.ctx()).expect("a backup");
        probe.calls()
    };
    let commit = calls.iter().rposition(|it| it.path.starts_with("commits/")).expect("a commit");
    faulty.arm(commit, Fault::Dead);
    let ctx = days.repo.ctx();
    backup(&repository, &days.source, &small_options(), &ctx).expect_err("it died");
    drop(repository);
    let packs = days.pack_bytes();
    // Another machine does not know that it died, and waits for as long as it was told.
    let other = days.repo.fork().another_client();
    let report = collect(&other, &patient());
    assert_eq!((report.deleted_packs, report.plan.open_packs > 0), (0, true), "{report:?}");
    let report = collect(&other, &PruneOptions { patience: Duration::ZERO, ..patient() });
    assert!(report.deleted_packs > 0, "{report:?}");
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

/// A small repository of which half is forgotten, with something to store again.
fn small_days() -> Days {
    let repo = TempRepo::memory();
    repo.create_proven();
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
