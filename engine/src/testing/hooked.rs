//! A store with something before each request; the stores of tests differ in what that is.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens before a request is passed on.
#[async_trait::async_trait]
pub trait Hook: Send + Sync + 'static {
    /// `request` is `GET`, `PUT`, `LIST`, `DELETE` or `COPY`; `path` is empty where there is none, or many.
    async fn before(&self, request: &'static str, path: &str) {
        let _ = (request, path);
    }

    /// How an object is put, in the place of how it was asked for.
    fn put_options(&self, options: PutOptions) -> PutOptions {
        options
    }
}

/// A store whose requests come upon a hook.
pub struct Hooked<H> {
    inner: Arc<dyn ObjectStore>,
    pub(super) hook: Arc<H>,
}

impl<H: Hook> Hooked<H> {
    pub(super) fn around(inner: &Arc<dyn ObjectStore>, hook: H) -> Self {
        Self { inner: Arc::clone(inner), hook: Arc::new(hook) }
    }

    /// A stream that begins when the hook lets it.
    fn begun<T: Send + 'static>(
        &self,
        request: &'static str,
        path: Option<&Path>,
        begin: impl FnOnce(Arc<dyn ObjectStore>) -> BoxStream<'static, T> + Send + 'static,
    ) -> BoxStream<'static, T> {
        let (this, path) = (self.clone(), path.map(ToString::to_string).unwrap_or_default());
        let begun = async move {
            this.hook.before(request, &path).await;
            begin(this.inner)
        };
        stream::once(begun).flatten().boxed()
    }
}

impl<H> Clone for Hooked<H> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), hook: Arc::clone(&self.hook) }
    }
}

impl<H> fmt::Debug for Hooked<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({})", self.inner)
    }
}

impl<H> fmt::Display for Hooked<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of a test", self.inner)
    }
}

#[async_trait::async_trait]
impl<H: Hook> ObjectStore for Hooked<H> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.hook.before("PUT", location.as_ref()).await;
        self.inner.put_opts(location, payload, self.hook.put_options(options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.hook.before("PUT", location.as_ref()).await;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.hook.before("GET", location.as_ref()).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.begun("DELETE", None, |inner| inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = prefix.cloned();
        self.begun("LIST", prefix, move |inner| inner.list(below.as_ref()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.hook.before("LIST", prefix.map_or("", Path::as_ref)).await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.hook.before("COPY", from.as_ref()).await;
        self.inner.copy_opts(from, to, options).await
    }
}
