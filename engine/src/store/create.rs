//! Create-if-absent for stores that have none: WebDAV servers, and S3 servers that know no conditions.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

use crate::id::hex_encode;

/// Where objects are until they are copied to their names. No listing shows it.
const STAGED: &str = "staged";

/// How a store without create-if-absent is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The bytes go to a name of their own, and are then copied to theirs unless it is taken.
    Copying,
    /// The name is looked up before it is written.
    Looking,
}

/// A store whose objects are created as well as it can. Two writers that create one name in the same moment may both
/// succeed, so such a store is never proven.
#[derive(Debug)]
pub(super) struct EmulatedCreate {
    inner: Arc<dyn ObjectStore>,
    by: By,
}

impl EmulatedCreate {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, by: By) -> Self {
        Self { inner, by }
    }

    async fn copied(&self, location: &Path, payload: PutPayload) -> Result<()> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Generic { store: "staged", source: Box::new(error) })?;
        let staged = Path::from_iter([STAGED, hex_encode(&random).as_str()]);
        self.inner.put(&staged, payload).await?;
        let copied = self.inner.copy_if_not_exists(&staged, location).await;
        // What stays is never read and never listed.
        if let Err(error) = self.inner.delete(&staged).await {
            tracing::warn!(%error, object = %staged, "a staged object cannot be removed");
        }
        copied
    }

    async fn looked_up(&self, location: &Path, payload: PutPayload) -> Result<()> {
        match self.inner.head(location).await {
            Ok(_) => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "it was looked up".into(),
            }),
            Err(Error::NotFound { .. }) => self.inner.put(location, payload).await.map(drop),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for EmulatedCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

fn is_staged(object: &Result<ObjectMeta>) -> bool {
    let of = |object: &ObjectMeta| {
        object.location.parts().next().is_some_and(|it| it.as_ref() == STAGED)
    };
    object.as_ref().is_ok_and(of)
}

#[async_trait::async_trait]
impl ObjectStore for EmulatedCreate {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode != PutMode::Create {
            return self.inner.put_opts(location, payload, options).await;
        }
        match self.by {
            By::Copying => self.copied(location, payload).await?,
            By::Looking => self.looked_up(location, payload).await?,
        }
        Ok(PutResult { e_tag: None, version: None, extensions: object_store::Extensions::new() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        listed.filter(|object| futures::future::ready(!is_staged(object))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
