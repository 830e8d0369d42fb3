//! What a store was seen to do is remembered, and looked at again.

use std::sync::Arc;

use esker_engine::ops::check::{CheckOptions, CheckReport, check};
use esker_engine::repo::{Client, CreateOptions, Repository};
use esker_engine::store::{Probe, Store};
use esker_engine::testing::OverwritingStore;
use esker_tests::{Fault, FaultyStore, Operation, TempRepo, issues_and_files, runtime};

/// A repository with a snapshot, on a store that was tried.
fn tried() -> TempRepo {
    let repo = TempRepo::memory();
    let store = repo.store();
    let options = CreateOptions {
        unlocks: vec![repo.unlock().clone()],
        store: Some(store.probe().unwrap()),
        ..CreateOptions::default()
    };
    Repository::create(store, &options, |_| Client::forgetful(), &repo.ctx()).unwrap();
    repo.backup(&issues_and_files("tried", 20));
    repo
}

fn checked(repo: &TempRepo, store: Store) -> CheckReport {
    let repository = repo.try_open(store).unwrap();
    assert!(repository.config().store.as_ref().is_some_and(Probe::is_proven));
    check(&repository, &CheckOptions::default(), &repo.ctx()).unwrap()
}

#[test]
fn a_proven_store_is_tried_again_and_left_as_it_was() {
    let repo = tried();
    let names = repo.names();
    let report = checked(&repo, repo.store());
    assert!(report.findings.is_empty() && report.notes.is_empty(), "{report:?}");
    assert_eq!(repo.names(), names);
}

#[test]
fn a_store_that_is_not_what_it_was_is_a_finding() {
    let repo = tried();
    let overwriting = Arc::new(OverwritingStore::new(repo.raw()));
    let report = checked(&repo, Store::new(overwriting, "moved", runtime()));
    let kinds: Vec<_> = report.findings.iter().map(|it| (&*it.object, &*it.kind)).collect();
    assert_eq!(kinds, [("moved", "unproven")]);
}

#[test]
fn whoever_may_not_write_may_still_check() {
    let repo = tried();
    let faulty = FaultyStore::new(Arc::clone(repo.raw()));
    let store = || Store::new(Arc::new(faulty.clone()), "faulty", runtime());
    faulty.arm(usize::MAX, Fault::NotApplied);
    checked(&repo, store());
    let first_write = faulty.calls().iter().position(|call| call.operation == Operation::Put);
    faulty.arm(first_write.expect("the store is tried"), Fault::NotApplied);
    let report = checked(&repo, store());
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(report.notes[0].contains("could not be tried"), "{report:?}");
}

#[test]
fn a_repository_whose_store_was_never_tried_is_not_written_to_by_check() {
    let repo = TempRepo::memory();
    repo.create();
    let (faulty, store) = repo.faulty_store();
    let repository = repo.try_open(store).unwrap();
    assert!(repository.config().store.is_none());
    check(&repository, &CheckOptions::default(), &repo.ctx()).unwrap();
    assert!(faulty.calls().iter().all(|call| call.operation != Operation::Put));
}
