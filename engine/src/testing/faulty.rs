//! A store that fails when told to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and an error says so.
    NotApplied,
    /// It is done, and an error is returned; half an answer of what was read or listed comes before it.
    AnswerLost,
    /// Nothing is done, nor by any later call: the connection or the process is dead.
    Dead,
    /// It is done, and nothing after it: as [`Dead`](Self::Dead), one moment later.
    DeadAfter,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NotApplied, Self::AnswerLost, Self::Dead, Self::DeadAfter];
}

/// What was asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// An object was to be created.
    Put,
    /// An object, a range of it or its length was to be read.
    Get,
    /// A folder was to be listed.
    List,
    /// An object was to be deleted.
    Delete,
    /// Anything else.
    Other,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// Of which object, or below which folder.
    pub path: String,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    planned: Option<(usize, Fault)>,
    fired: Option<Call>,
    dead: bool,
}

/// Wraps a store, writes down its calls, and lets one of them fail.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<Mutex<State>>,
}

/// How a call goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Well,
    Refused,
    Lost,
}

fn injected() -> Error {
    Error::Generic { store: "faulty", source: "this call was told to fail".into() }
}

impl FaultyStore {
    /// A store without faults so far.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the `number`-th call from now on, counted from 0, fail.
    pub fn arm(&self, number: usize, fault: Fault) {
        let mut state = self.state();
        *state = State { planned: Some((number, fault)), ..State::default() };
    }

    /// The call that failed, if it came so far.
    pub fn fired(&self) -> Option<Call> {
        self.state().fired.clone()
    }

    /// The calls since the last time that it was armed.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn call(&self, operation: Operation, path: &str) -> Course {
        let mut state = self.state();
        let number = state.calls.len();
        let call = Call { operation, path: path.into() };
        state.calls.push(call.clone());
        if state.dead {
            return Course::Refused;
        }
        match state.planned {
            Some((planned, fault)) if planned == number => {
                state.fired = Some(call);
                state.dead = matches!(fault, Fault::Dead | Fault::DeadAfter);
                match fault {
                    Fault::NotApplied | Fault::Dead => Course::Refused,
                    Fault::AnswerLost => Course::Lost,
                    Fault::DeadAfter => Course::Well,
                }
            }
            _ => Course::Well,
        }
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

/// An answer that breaks off in the middle.
async fn broken_off(result: GetResult) -> Result<GetResult> {
    let GetResult { meta, range, attributes, extensions, .. } = &result;
    let (meta, range) = (meta.clone(), range.clone());
    let (attributes, extensions) = (attributes.clone(), extensions.clone());
    let bytes = result.bytes().await?;
    let half: Bytes = bytes.slice(..bytes.len() / 2);
    let payload = GetResultPayload::Stream(stream::iter([Ok(half), Err(injected())]).boxed());
    Ok(GetResult { payload, meta, range, attributes, extensions })
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.call(Operation::Put, location.as_ref()) {
            Course::Well => self.inner.put_opts(location, payload, options).await,
            Course::Refused => Err(injected()),
            Course::Lost => {
                self.inner.put_opts(location, payload, options).await?;
                Err(injected())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.call(Operation::Other, location.as_ref()) {
            Course::Well => self.inner.put_multipart_opts(location, options).await,
            Course::Refused | Course::Lost => Err(injected()),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.call(Operation::Get, location.as_ref()) {
            Course::Well => self.inner.get_opts(location, options).await,
            Course::Refused => Err(injected()),
            Course::Lost if options.head => Err(injected()),
            Course::Lost => broken_off(self.inner.get_opts(location, options).await?).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.call(Operation::Delete, "") {
            Course::Well => self.inner.delete_stream(locations),
            Course::Refused => stream::iter([Err(injected())]).boxed(),
            Course::Lost => {
                let done = self.inner.delete_stream(locations);
                done.map(|_| Err(injected())).boxed()
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.map_or("", AsRef::as_ref);
        match self.call(Operation::List, folder) {
            Course::Well => self.inner.list(prefix),
            Course::Refused => stream::iter([Err(injected())]).boxed(),
            Course::Lost => {
                let some = self.inner.list(prefix).take(1);
                some.chain(stream::iter([Err(injected())])).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.call(Operation::List, prefix.map_or("", AsRef::as_ref)) {
            Course::Well => self.inner.list_with_delimiter(prefix).await,
            Course::Refused | Course::Lost => Err(injected()),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.call(Operation::Other, from.as_ref()) {
            Course::Well => self.inner.copy_opts(from, to, options).await,
            Course::Refused | Course::Lost => Err(injected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ErrorKind;
    use crate::store::{Created, Durability, RetryPolicy, Store};
    use crate::testing::runtime;
    use object_store::memory::InMemory;
    use std::time::Duration;

    fn store(retry: RetryPolicy) -> (FaultyStore, Store) {
        let faulty = FaultyStore::new(Arc::new(InMemory::new()));
        let store = Store::new(Arc::new(faulty.clone()), "faulty", runtime()).with_retry(retry);
        (faulty, store)
    }

    #[test]
    fn faults_do_what_they_say() {
        for (fault, is_stored, works_later) in [
            (Fault::NotApplied, false, true),
            (Fault::AnswerLost, true, true),
            (Fault::Dead, false, false),
            (Fault::DeadAfter, true, false),
        ] {
            let (faulty, store) = store(RetryPolicy::NONE);
            faulty.arm(1, fault);
            let create = |name| store.create(name, "bytes".into(), Durability::Durable);
            assert_eq!(create("a").unwrap(), Created::New);
            let second = create("b");
            if fault == Fault::DeadAfter {
                second.unwrap();
            } else {
                assert_eq!(second.unwrap_err().kind(), ErrorKind::Unavailable);
            }
            assert_eq!(create("c").is_ok(), works_later, "{fault:?}");
            assert_eq!(faulty.fired().unwrap().path, "b");
            faulty.arm(usize::MAX, Fault::Dead);
            assert_eq!(store.read("b", 10).is_ok(), is_stored, "{fault:?}");
        }
    }

    #[test]
    fn one_fault_is_survived_by_repeating() {
        let retry = RetryPolicy { attempts: 3, first_delay: Duration::ZERO };
        for fault in [Fault::NotApplied, Fault::AnswerLost] {
            let (faulty, store) = store(retry);
            faulty.arm(0, fault);
            let created = store.create("a", "bytes".into(), Durability::Durable);
            assert_eq!(created.unwrap(), Created::New);
            faulty.arm(0, fault);
            assert_eq!(&store.read("a", 10).unwrap()[..], b"bytes");
            faulty.arm(0, fault);
            assert_eq!(store.list("").unwrap().len(), 1);
            faulty.arm(0, fault);
            assert_eq!(&store.read_range("a", 1..3).unwrap()[..], b"yt");
        }
    }
}
