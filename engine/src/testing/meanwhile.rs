//! A store in which somebody else is at work between two requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::runtime;
use crate::store::Store;

type Work = dyn Fn() + Send + Sync;

/// Does some work before the first request of a kind is passed on, once it was armed.
#[derive(Clone)]
pub struct MeanwhileStore {
    inner: Arc<dyn ObjectStore>,
    before: Arc<str>,
    work: Arc<Work>,
    is_due: Arc<AtomicBool>,
}

impl MeanwhileStore {
    /// `before` is how the request begins: `GET packs/`, `PUT sessions/`.
    pub fn new(
        inner: &Arc<dyn ObjectStore>,
        before: &str,
        work: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let is_due = Arc::new(AtomicBool::new(false));
        Self { inner: Arc::clone(inner), before: before.into(), work: Arc::new(work), is_due }
    }

    /// From now on the next such request comes upon the work.
    pub fn arm(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// True once the work was done.
    pub fn is_done(&self) -> bool {
        !self.is_due.load(Ordering::Relaxed)
    }

    /// It, as a process opens it.
    pub fn store(&self) -> Store {
        Store::new(Arc::new(self.clone()), "meanwhile", runtime())
    }

    fn come_upon(&self, request: &str, path: &Path) {
        let is_it = format!("{request} {path}").starts_with(&*self.before);
        if is_it && self.is_due.swap(false, Ordering::Relaxed) {
            // The work blocks, as a process of its own may.
            std::thread::scope(|scope| scope.spawn(|| (self.work)()).join())
                .expect("others do their work");
        }
    }
}

impl fmt::Debug for MeanwhileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeanwhileStore({}, {})", self.before, self.inner)
    }
}

impl fmt::Display for MeanwhileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} beside others", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for MeanwhileStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.come_upon("PUT", location);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.come_upon("GET", location);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
