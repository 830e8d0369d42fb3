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
