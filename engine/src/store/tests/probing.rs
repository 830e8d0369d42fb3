//! What is found out about stores, and what is left of it.

use std::collections::BTreeSet;

use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;

use super::*;
use crate::store::create::{By, EmulatedCreate};
use crate::testing::{FaultyStore, Operation, OverwritingStore};

#[test]
fn good_stores_are_proven_and_left_clean() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    for url in ["memory://", folder.path().to_str().unwrap()] {
        let options = StoreOptions::default();
        let store = Store::open_new(url, &options, runtime.handle().clone()).unwrap();
        let probe = store.probe().unwrap();
        // A temporary folder may be on a network file system, which is then told.
        assert!(probe.creates_once && probe.reads_own_writes && probe.lists_own_writes);
        assert_eq!(probe.is_proven(), probe.network_file_system.is_none());
        assert!(store.list("").unwrap().is_empty());
        assert!(store.figures().requests <= 60, "{:?}", store.figures());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "folders are left");
}

#[test]
fn a_store_that_overwrites_is_found_out() {
    let runtime = runtime();
    let overwriting = Arc::new(OverwritingStore::new(&(Arc::new(InMemory::new()) as _)));
    let store = Store::new(overwriting, "overwriting", runtime.handle().clone());
    let probe = store.probe().unwrap();
    assert!(!probe.creates_once && probe.reads_own_writes && probe.lists_own_writes, "{probe:?}");
    assert!(!probe.is_proven() && store.list("").unwrap().is_empty());
}

#[test]
fn what_cannot_be_deleted_is_no_stranger() {
    let runtime = runtime();
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let store = Store::new(Arc::new(faulty.clone()), "faulty", runtime.handle().clone());
    store.probe().unwrap();
    let calls = faulty.calls();
    let delete = calls.iter().position(|call| call.operation == Operation::Delete).unwrap();
    faulty.arm(delete, crate::testing::Fault::NotApplied);
    assert!(store.probe().unwrap().is_proven());
    assert!(!store.list("").unwrap().is_empty() && store.first_object().unwrap().is_none());
    let create = |name| store.create(name, "x".into(), Durability::Durable).unwrap();
    create("stranger");
    assert_eq!(store.first_object().unwrap().unwrap().name, "stranger");
}

#[test]
fn an_emulated_creation_keeps_what_is_there() {
    let runtime = runtime();
    for by in [By::Copying, By::Looking] {
        let inner = Arc::new(InMemory::new());
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&inner), "some/prefix"));
        let store = EmulatedCreate::new(prefixed, by);
        let mut store = Store::new(Arc::new(store), "emulated", runtime.handle().clone());
        store.emulates_create = true;
        let create = |bytes: &'static str| {
            store.create("packs/a", bytes.into(), Durability::Durable).unwrap()
        };
        assert_eq!(create("one"), Created::New, "{by:?}");
        assert_eq!(create("two"), Created::Exists, "{by:?}");
        assert_eq!(create("one"), Created::New, "our own bytes are success");
        assert_eq!(store.read("packs/a", 9).unwrap(), "one");
        let stored = runtime.block_on(inner.list(None).try_collect::<Vec<_>>()).unwrap();
        let stored: BTreeSet<_> = stored.iter().map(|it| it.location.to_string()).collect();
        assert_eq!(stored.into_iter().collect::<Vec<_>>(), ["some/prefix/packs/a"], "{by:?}");
        // Two writers at a time may both succeed: luck proves nothing.
        assert!(!store.probe().unwrap().creates_once);
        let left = Path::from("some/prefix/staged/left-behind");
        runtime.block_on(inner.put(&left, "x".into())).unwrap();
        assert_eq!(store.list("").unwrap().len(), 1, "{by:?}");
    }
}
