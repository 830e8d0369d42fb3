use std::sync::{Arc, Mutex};

use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::problem::ErrorKind;
use crate::store::{Created, Durability};

/// Remembers what was locked, and refuses on request.
#[derive(Debug, Default)]
struct Noted {
    locked: Mutex<Vec<(String, LockMode)>>,
    refuses: bool,
}

#[async_trait]
impl Locks for Noted {
    async fn obstacle(&self) -> object_store::Result<Option<String>> {
        Ok(self.refuses.then(|| "it does not want to".into()))
    }

    async fn lock(&self, name: &str, mode: LockMode, _: Duration) -> object_store::Result<()> {
        if self.refuses {
            let source = "non-2xx status code: 403 AccessDenied: no".into();
            return Err(object_store::Error::Generic { store: "noted", source });
        }
        self.locked.lock().unwrap().push((name.into(), mode));
        Ok(())
    }

    async fn locked_until(&self, _: &str) -> object_store::Result<Option<Duration>> {
        Ok(None)
    }
}

const PERIOD: ObjectLock = ObjectLock { mode: LockMode::Governance, seconds: 60 };

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn plain(runtime: &tokio::runtime::Runtime) -> Store {
    Store::new(Arc::new(InMemory::new()), "somewhere", runtime.handle().clone())
}

fn create(store: &Store, name: &str) -> Result<Created, StoreError> {
    store.create(name, Bytes::from_static(b"bytes"), Durability::Durable)
}

#[test]
fn what_must_last_is_locked_and_nothing_else() {
    let runtime = runtime();
    let noted = Arc::new(Noted::default());
    let store = plain(&runtime).with_locks(noted.clone());
    create(&store, "packs/mixed/0").unwrap();
    assert!(noted.locked.lock().unwrap().is_empty(), "nobody has asked for locks yet");
    let store = store.locking(Some(PERIOD));
    let lasting = ["config/0.copy", "keys/1", "packs/mixed/1", "index/1", "commits/1"];
    for name in lasting.into_iter().chain(["sessions/1", "marks/1", "gc/1/swept", "history/1"]) {
        assert_eq!(create(&store, name).unwrap(), Created::New);
    }
    let locked: Vec<_> = lasting.map(|name| (name.to_owned(), LockMode::Governance)).into();
    assert_eq!(*noted.locked.lock().unwrap(), locked);
}

#[test]
fn what_cannot_be_locked_is_no_success() {
    let runtime = runtime();
    let refusing = Noted { refuses: true, ..Noted::default() };
    let store = plain(&runtime).with_locks(Arc::new(refusing)).locking(Some(PERIOD));
    let error = create(&store, "packs/mixed/1").unwrap_err();
    assert_eq!(error.to_string(), "`packs/mixed/1` cannot be locked");
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert_eq!(store.refuse_unlockable().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_store_without_locks_says_so() {
    let runtime = runtime();
    let error = plain(&runtime).refuse_unlockable().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`somewhere`"), "{error}");
    let error = create(&plain(&runtime).locking(Some(PERIOD)), "keys/1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
