//! The contract down: a thin wrapper of `object_store`, which knows no format.
//!
//! Objects are written once by create-if-absent. An answer may be lost: whoever meets "exists" compares the bytes, and
//! "exists with my bytes" is success. The blocking calls are for plain threads; an async worker must not call them.

mod open;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::Handle;

use crate::problem::ErrorKind;

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such object.
    #[error("`{name}` is not in the repository")]
    Missing {
        /// Its name.
        name: String,
    },
    /// The object is larger than anything of its kind may be.
    #[error("`{name}` has {length} bytes, more than the {limit} that it may have")]
    TooLarge {
        /// Its name.
        name: String,
        /// How large it is.
        length: u64,
        /// How large it may be.
        limit: u64,
    },
    /// There is no room left.
    #[error("there is no room left in the repository for `{name}`")]
    Full {
        /// What was to be written.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// The credentials do not allow it.
    #[error("the store does not permit access to `{name}`")]
    Denied {
        /// What was asked for.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// Anything else.
    #[error("the store failed at `{name}`")]
    Failed {
        /// What was asked for.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// The address of the repository makes no sense, or names a store that this build does not know.
    #[error("`{url}` cannot be a repository: {what}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The folder of the repository cannot be used.
    #[error("the folder `{path}` cannot be used")]
    Folder {
        /// Which folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::TooLarge { .. } => ErrorKind::Corrupt,
            Self::Full { .. } => ErrorKind::Full,
            Self::Denied { .. } => ErrorKind::Credentials,
            Self::Failed { .. } => ErrorKind::Unavailable,
            Self::Url { .. } => ErrorKind::Invalid,
            Self::Folder { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::StorageFull => ErrorKind::Full,
                _ => ErrorKind::Unavailable,
            },
        }
    }
}

/// Whether an object must survive a power cut from the moment it was reported written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced to the disk, with its folder.
    Durable,
    /// Visible at once, synced whenever the system likes.
    Volatile,
}

/// What create-if-absent found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is there with our bytes.
    New,
    /// Somebody else's bytes are there.
    Exists,
}

/// How often a failed request is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Wait before the second one; doubled each time.
    pub first_delay: Duration,
}

impl RetryPolicy {
    /// One attempt: a local disk's answer is final.
    pub const NONE: Self = Self { attempts: 1, first_delay: Duration::ZERO };
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name below the repository.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
}

#[derive(Debug, Default)]
struct Figures {
    requests: AtomicU64,
    written_objects: AtomicU64,
    written_bytes: AtomicU64,
    read_bytes: AtomicU64,
}

/// What was asked of the store so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Requests of any kind.
    pub requests: u64,
    /// Objects created.
    pub written_objects: u64,
    /// Bytes of them.
    pub written_bytes: u64,
    /// Bytes read.
    pub read_bytes: u64,
}

/// A place for objects. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    durable: Arc<dyn ObjectStore>,
    volatile: Arc<dyn ObjectStore>,
    runtime: Handle,
    label: Arc<str>,
    retry: RetryPolicy,
    figures: Arc<Figures>,
}

fn is_full(error: &object_store::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
                return true;
            }
        }
        cause = error.source();
    }
    false
}

fn named(name: &str, source: object_store::Error) -> StoreError {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let name = name.to_owned();
    match source {
        NotFound { .. } => StoreError::Missing { name },
        PermissionDenied { .. } | Unauthenticated { .. } => StoreError::Denied { name, source },
        source if is_full(&source) => StoreError::Full { name, source },
        source => StoreError::Failed { name, source },
    }
}

fn worth_repeating(error: &object_store::Error) -> bool {
    use object_store::Error::{Generic, JoinError};
    matches!(error, Generic { .. } | JoinError { .. }) && !is_full(error)
}

impl Store {
    /// Wraps any object store. `label` is how people know it.
    pub fn new(store: Arc<dyn ObjectStore>, label: &str, runtime: Handle) -> Self {
        Self {
            volatile: Arc::clone(&store),
            durable: store,
            runtime,
            label: label.into(),
            retry: RetryPolicy::NONE,
            figures: Arc::default(),
        }
    }

    /// Opens the store of an address: a path, `file://…` or `memory://`.
    ///
    /// # Errors
    /// `NotFound` where the folder does not exist.
    pub fn open(url: &str, runtime: Handle) -> Result<Self, StoreError> {
        open::open(url, open::Folder::Existing, runtime)
    }

    /// As [`open`](Self::open), and makes the folder where there is none.
    pub fn open_new(url: &str, runtime: Handle) -> Result<Self, StoreError> {
        open::open(url, open::Folder::Made, runtime)
    }

    fn with_volatile(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.volatile = store;
        self
    }

    /// The same store with another way of repeating failed requests.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// How people know it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The runtime that its requests run on.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What was asked of it so far, by all its clones.
    pub fn figures(&self) -> StoreFigures {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        StoreFigures {
            requests: get(&self.figures.requests),
            written_objects: get(&self.figures.written_objects),
            written_bytes: get(&self.figures.written_bytes),
            read_bytes: get(&self.figures.read_bytes),
        }
    }

    async fn repeat<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        mut request: impl FnMut() -> F,
    ) -> object_store::Result<T> {
        let mut delay = self.retry.first_delay;
        for _ in 1..self.retry.attempts {
            self.figures.requests.fetch_add(1, Ordering::Relaxed);
            match request().await {
                Err(error) if worth_repeating(&error) => {
                    tracing::warn!(%error, "a request to the store failed and is repeated");
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
                done => return done,
            }
        }
        self.figures.requests.fetch_add(1, Ordering::Relaxed);
        request().await
    }

    /// Creates an object unless the name is taken, as [`create`](Self::create), from async code.
    pub async fn create_async(
        &self,
        name: &str,
        bytes: Bytes,
        durability: Durability,
    ) -> Result<Created, StoreError> {
        let store = match durability {
            Durability::Durable => &self.durable,
            Durability::Volatile => &self.volatile,
        };
        let path = Path::from(name);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let length = bytes.len() as u64;
        let put =
            self.repeat(|| store.put_opts(&path, bytes.clone().into(), options.clone())).await;
        match put {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => {
                // Perhaps our own first attempt, whose answer was lost.
                if self.read_async(name, length).await.ok().as_ref() != Some(&bytes) {
                    return Ok(Created::Exists);
                }
            }
            Err(error) => return Err(named(name, error)),
        }
        self.figures.written_objects.fetch_add(1, Ordering::Relaxed);
        self.figures.written_bytes.fetch_add(length, Ordering::Relaxed);
        Ok(Created::New)
    }

    /// Creates an object unless the name is taken.
    pub fn create(
        &self,
        name: &str,
        bytes: Bytes,
        durability: Durability,
    ) -> Result<Created, StoreError> {
        self.runtime.block_on(self.create_async(name, bytes, durability))
    }

    async fn get(&self, name: &str, range: Option<GetRange>) -> Result<(Bytes, u64), StoreError> {
        let path = Path::from(name);
        let attempt = || async {
            let options = GetOptions { range: range.clone(), ..GetOptions::default() };
            let result = self.durable.get_opts(&path, options).await?;
            let total = result.meta.size;
            Ok((result.bytes().await?, total))
        };
        let (bytes, total) = self.repeat(attempt).await.map_err(|error| named(name, error))?;
        self.figures.read_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok((bytes, total))
    }

    async fn read_async(&self, name: &str, limit: u64) -> Result<Bytes, StoreError> {
        let path = Path::from(name);
        let attempt = || async {
            let result = self.durable.get(&path).await?;
            let length = result.meta.size;
            if length > limit {
                return Ok(Err(length));
            }
            result.bytes().await.map(Ok)
        };
        let read = self.repeat(attempt).await.map_err(|error| named(name, error))?;
        let bytes =
            read.map_err(|length| StoreError::TooLarge { name: name.into(), length, limit })?;
        self.figures.read_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Reads a whole object of at most `limit` bytes.
    pub fn read(&self, name: &str, limit: u64) -> Result<Bytes, StoreError> {
        self.runtime.block_on(self.read_async(name, limit))
    }

    /// Reads several small objects at once, in the order of the names; the first error ends it.
    pub fn read_many(&self, names: &[String], limit: u64) -> Vec<Result<Bytes, StoreError>> {
        use futures::StreamExt;
        let reads = futures::stream::iter(names).map(|name| self.read_async(name, limit));
        self.runtime.block_on(reads.buffered(16).collect())
    }

    /// Reads a range of an object, from async code; fewer bytes come where the object ends before.
    pub async fn read_range_async(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        Ok(self.get(name, Some(GetRange::Bounded(range))).await?.0)
    }

    /// Reads a range of an object.
    pub fn read_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.runtime.block_on(self.read_range_async(name, range))
    }

    /// Reads the last `length` bytes of an object, or all of it; returns its whole length too.
    pub fn read_tail(&self, name: &str, length: u64) -> Result<(Bytes, u64), StoreError> {
        self.runtime.block_on(self.get(name, Some(GetRange::Suffix(length))))
    }

    /// The length of an object.
    pub fn length(&self, name: &str) -> Result<u64, StoreError> {
        let path = Path::from(name);
        let head = self.runtime.block_on(self.repeat(|| self.durable.head(&path)));
        Ok(head.map_err(|error| named(name, error))?.size)
    }

    /// Lists all objects below a folder, sorted by name.
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let prefix = Path::from(folder);
        let attempt =
            || self.durable.list(Some(&prefix)).try_collect::<Vec<object_store::ObjectMeta>>();
        let listed = self.runtime.block_on(self.repeat(attempt));
        let mut listed: Vec<_> = listed
            .map_err(|error| named(folder, error))?
            .into_iter()
            .map(|meta| Listed { name: meta.location.to_string(), length: meta.size })
            .collect();
        // Local directories list in any order, clouds by name.
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Deletes objects; those that are not there are deleted already.
    pub fn delete_many(&self, names: &[String]) -> Result<(), StoreError> {
        use futures::{StreamExt, TryStreamExt};
        let delete = |name: &String| {
            let (name, path) = (name.clone(), Path::from(name.as_str()));
            async move {
                match self.repeat(|| self.durable.delete(&path)).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(named(&name, error)),
                }
            }
        };
        let deletes = futures::stream::iter(names).map(delete).buffer_unordered(16);
        self.runtime.block_on(deletes.try_collect())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.label)
    }
}

#[cfg(test)]
mod tests;
