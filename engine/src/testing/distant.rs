//! A store that is far away: how often somebody waits for it, and for what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::oneshot;

/// So many requests are under way at a time.
const CONNECTIONS: usize = 8;
/// After so long without another request those that wait are answered.
const QUIET: Duration = Duration::from_millis(10);

/// What was asked of a distant store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trips {
    /// Requests by kind and room: `GET packs`, `PUT commits`, `LIST index`.
    pub requests: BTreeMap<String, u64>,
    /// How often somebody had to wait: requests that were made together, up to eight, are one round trip.
    pub rounds: u64,
}

impl Trips {
    /// The number of requests whose kind begins so.
    pub fn of(&self, kind: &str) -> u64 {
        self.requests
            .iter()
            .filter(|(name, _)| name.starts_with(kind))
            .map(|(_, count)| count)
            .sum()
    }
}

#[derive(Default)]
struct State {
    trips: Trips,
    waiting: Vec<oneshot::Sender<()>>,
    arrivals: u64,
}

impl State {
    fn answer(&mut self) {
        self.trips.rounds += 1;
        for one in self.waiting.drain(..) {
            let _ = one.send(());
        }
    }
}

/// Holds requests back until eight are there, or nobody asks for more: so round trips are counted without a clock's help.
#[derive(Clone)]
pub struct DistantStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<Mutex<State>>,
}

impl DistantStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked of it since the last call.
    pub fn take(&self) -> Trips {
        std::mem::take(&mut self.state().trips)
    }

    async fn trip(&self, kind: &str, path: &str) {
        let (answer, mut answered) = oneshot::channel();
        let arrival = {
            let mut state = self.state();
            let room = path.split('/').next().unwrap_or_default();
            *state.trips.requests.entry(format!("{kind} {room}")).or_default() += 1;
            state.arrivals += 1;
            state.waiting.push(answer);
            if state.waiting.len() >= CONNECTIONS {
                state.answer();
            }
            state.arrivals
        };
        tokio::select! {
            _ = &mut answered => return,
            () = tokio::time::sleep(QUIET) => {}
        }
        {
            let mut state = self.state();
            if state.arrivals == arrival && !state.waiting.is_empty() {
                state.answer();
            }
        }
        let _ = answered.await;
    }
}

impl fmt::Debug for DistantStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistantStore({})", self.inner)
    }
}

impl fmt::Display for DistantStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} far away", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for DistantStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.trip("PUT", location.as_ref()).await;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.trip("PUT", location.as_ref()).await;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.trip("GET", location.as_ref()).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let begun = async move {
            this.trip("DELETE", "").await;
            this.inner.delete_stream(locations)
        };
        futures::stream::once(begun).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let begun = async move {
            this.trip("LIST", prefix.as_ref().map_or("", Path::as_ref)).await;
            this.inner.list(prefix.as_ref())
        };
        futures::stream::once(begun).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.trip("LIST", prefix.map_or("", Path::as_ref)).await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.trip("COPY", from.as_ref()).await;
        self.inner.copy_opts(from, to, options).await
    }
}
