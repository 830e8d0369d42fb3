mod double;
mod opening;
mod probing;

use std::time::Duration;

use super::*;
use crate::problem::ErrorKind;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn objects_are_created_once_and_listed_in_order() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    for url in ["memory://", folder.path().to_str().unwrap()] {
        let store =
            Store::open_new(url, &StoreOptions::default(), runtime.handle().clone()).unwrap();
        let put = |name: &str, bytes: &'static [u8]| {
            store.create(name, Bytes::from_static(bytes), Durability::Durable).unwrap()
        };
        assert_eq!(put("a/2", b"two"), Created::New);
        assert_eq!(put("a/1", b"one"), Created::New);
        assert_eq!(put("b/1", b"one"), Created::New);
        assert_eq!(put("a/1", b"another"), Created::Exists);
        assert_eq!(put("a/1", b"one"), Created::New, "our own bytes are success");
        let names: Vec<_> = store.list("a").unwrap().into_iter().map(|o| o.name).collect();
        assert_eq!(names, ["a/1", "a/2"]);
        assert_eq!(&store.read("a/1", 3).unwrap()[..], b"one");
        assert!(matches!(store.read("a/1", 2), Err(StoreError::TooLarge { .. })));
        assert!(matches!(store.read("a/3", 2), Err(StoreError::Missing { .. })));
        assert_eq!(&store.read_range("a/2", 1..3).unwrap()[..], b"wo");
        let (tail, length) = store.read_tail("a/2", 2).unwrap();
        assert_eq!((&tail[..], length), (&b"wo"[..], 3));
        let (tail, _) = store.read_tail("a/2", 200).unwrap();
        assert_eq!(&tail[..], b"two");
    }
}

#[test]
fn addresses_that_make_no_sense_are_refused() {
    let runtime = runtime();
    for url in ["", "file://relative", "gopher://host/x"] {
        let error =
            Store::open(url, &StoreOptions::default(), runtime.handle().clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
    }
}

#[test]
fn a_folder_is_made_only_when_asked_for() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there");
    let url = path.to_str().unwrap();
    let error = Store::open(url, &StoreOptions::default(), runtime.handle().clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!path.exists());
    Store::open_new(url, &StoreOptions::default(), runtime.handle().clone()).unwrap();
    assert!(path.is_dir());
}

#[test]
fn objects_are_deleted_and_what_is_gone_is_no_error() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    for url in ["memory://", folder.path().to_str().unwrap()] {
        let options = StoreOptions::default();
        let store = Store::open_new(url, &options, runtime.handle().clone()).unwrap();
        let names: Vec<_> = (0..600).map(|number| format!("packs/{number}")).collect();
        for name in names.iter().step_by(2) {
            store.create(name, "x".into(), Durability::Volatile).unwrap();
        }
        store.create("keep", "x".into(), Durability::Volatile).unwrap();
        store.delete_many(&names).unwrap();
        store.delete_many(&[]).unwrap();
        let left: Vec<_> = store.list("").unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(left, ["keep"]);
    }
}

#[test]
fn old_leftovers_of_staged_writes_are_removed() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions::default();
    let handle = runtime.handle().clone();
    let store = Store::open(folder.path().to_str().unwrap(), &options, handle).unwrap();
    std::fs::create_dir_all(folder.path().join("packs/ab")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(2 * 86_400);
    for (name, time) in [
        ("packs/ab/abc-d#1", old),
        ("config#12", old),
        ("packs/ab/abc-d#2", SystemTime::now()),
        ("packs/ab/abc-d", old),
        ("packs/ab/abc#", old),
        ("packs/ab/abc#1x", old),
    ] {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    assert_eq!(store.remove_leftovers().unwrap(), 2);
    assert_eq!(store.remove_leftovers().unwrap(), 0);
    assert!(folder.path().join("packs/ab/abc-d#2").exists());
    assert_eq!(std::fs::read_dir(folder.path().join("packs/ab")).unwrap().count(), 4);
    let memory = Store::open("memory://", &options, runtime.handle().clone()).unwrap();
    assert_eq!(memory.remove_leftovers().unwrap(), 0);
}
