//! The contract down: a thin wrapper of `object_store`, which knows no format.
//!
//! Objects are written once by create-if-absent. An answer may be lost: whoever meets "exists" compares the bytes, and
//! "exists with my bytes" is success. The blocking calls are for plain threads; an async worker must not call them.

mod create;
mod error;
mod folder;
mod lock;
mod open;
mod options;
mod probe;
mod remote;
mod request;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::parallel::CONNECTIONS;
pub use error::StoreError;
pub use lock::{LockMode, Locks, ObjectLock};
pub use options::StoreOptions;
pub use probe::Probe;
pub use request::RetryPolicy;
use request::{Body, Patience, next};

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

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name below the repository.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// When it was stored, by the store's clock: milliseconds since 1970. A hint, and nothing to rely upon.
    pub modified: i64,
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
    /// Not bounded where `None`: a local disk.
    patience: Option<Patience>,
    connections: Option<Arc<Semaphore>>,
    /// Where the objects are, in a local folder.
    folder: Option<Arc<PathBuf>>,
    /// The store itself has no create-if-absent.
    emulates_create: bool,
    locks: Option<Arc<dyn Locks>>,
    /// For how long what it creates is locked.
    period: Option<ObjectLock>,
    figures: Arc<Figures>,
}

/// So many times a name is tried that is said to be taken and is not there.
const CREATE_ROUNDS: u32 = 4;
/// Objects that are deleted by one call; no cloud takes fewer at a time.
const DELETED_AT_A_TIME: usize = 250;
/// Such calls at a time.
const DELETING_CALLS: usize = 4;

impl Store {
    /// Wraps any object store. `label` is how people know it.
    pub fn new(store: Arc<dyn ObjectStore>, label: &str, runtime: Handle) -> Self {
        Self {
            volatile: Arc::clone(&store),
            durable: store,
            runtime,
            label: label.into(),
            retry: RetryPolicy::NONE,
            patience: None,
            connections: None,
            folder: None,
            emulates_create: false,
            locks: None,
            period: None,
            figures: Arc::default(),
        }
    }

    /// Opens the store of an address: a path, `file://…`, `memory://`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix`, or `https://…` of a WebDAV server.
    ///
    /// Nothing is asked of a remote store yet.
    ///
    /// # Errors
    /// `NotFound` where the folder does not exist, `Credentials` where there are none.
    pub fn open(url: &str, options: &StoreOptions, runtime: Handle) -> Result<Self, StoreError> {
        open::open(url, open::Folder::Existing, options, runtime)
    }

    /// As [`open`](Self::open), and makes the folder where there is none.
    pub fn open_new(
        url: &str,
        options: &StoreOptions,
        runtime: Handle,
    ) -> Result<Self, StoreError> {
        open::open(url, open::Folder::Made, options, runtime)
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

    /// How many requests at a time keep it busy: one of a local folder, which answers at once.
    pub fn requests_at_a_time(&self) -> usize {
        if self.folder.is_some() { 1 } else { CONNECTIONS }
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

    /// Creates an object unless the name is taken, as [`create`](Self::create), from async code.
    pub async fn create_async(
        &self,
        name: &str,
        bytes: Bytes,
        durability: Durability,
    ) -> Result<Created, StoreError> {
        let length = bytes.len() as u64;
        let mut round = 1;
        loop {
            match self.repeat(|| self.put_new(name, bytes.clone(), durability)).await {
                Ok(()) => break,
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(StoreError::of(name, error)),
            }
            // Perhaps our own first attempt, whose answer was lost.
            match self.read_async(name, length).await {
                Ok(found) if found == bytes => break,
                Ok(_) | Err(StoreError::TooLarge { .. }) => return Ok(Created::Exists),
                // S3 says "conflict" of two writers at a time, of whom neither may have succeeded.
                Err(StoreError::Missing { .. }) if round < CREATE_ROUNDS => {
                    self.pause(round).await;
                    round += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.figures.written_objects.fetch_add(1, Ordering::Relaxed);
        self.figures.written_bytes.fetch_add(length, Ordering::Relaxed);
        self.lock_created(name).await?;
        Ok(Created::New)
    }

    /// Creates an object by one request, without a second look.
    async fn put_new(
        &self,
        name: &str,
        bytes: Bytes,
        durability: Durability,
    ) -> object_store::Result<()> {
        let store = match durability {
            Durability::Durable => &self.durable,
            Durability::Volatile => &self.volatile,
        };
        let path = Path::from(name);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let length = bytes.len() as u64;
        self.in_time(length, store.put_opts(&path, bytes.into(), options)).await.map(drop)
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

    /// Reads an object or a range of it, of at most `limit` bytes; returns the whole length of the object too.
    async fn get(
        &self,
        name: &str,
        range: Option<GetRange>,
        limit: u64,
    ) -> Result<(Bytes, u64), StoreError> {
        let path = Path::from(name);
        let attempt = || async {
            let options = GetOptions { range: range.clone(), ..GetOptions::default() };
            let answer = self.in_time(0, self.durable.get_opts(&path, options)).await?;
            let total = answer.meta.size;
            object_store::Result::<(Body, u64)>::Ok((self.body(answer, limit).await?, total))
        };
        let (body, total) =
            self.repeat(attempt).await.map_err(|error| StoreError::of(name, error))?;
        let bytes =
            body.map_err(|length| StoreError::TooLarge { name: name.into(), length, limit })?;
        self.figures.read_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok((bytes, total))
    }

    async fn read_async(&self, name: &str, limit: u64) -> Result<Bytes, StoreError> {
        Ok(self.get(name, None, limit).await?.0)
    }

    /// Reads a whole object of at most `limit` bytes.
    pub fn read(&self, name: &str, limit: u64) -> Result<Bytes, StoreError> {
        self.runtime.block_on(self.read_async(name, limit))
    }

    /// Reads several small objects at once, in the order of the names; the first error ends it.
    pub fn read_many(&self, names: &[String], limit: u64) -> Vec<Result<Bytes, StoreError>> {
        let reads = stream::iter(names).map(|name| self.read_async(name, limit));
        self.runtime.block_on(reads.buffered(16).collect())
    }

    /// Reads a range of an object, from async code; fewer bytes come where the object ends before.
    pub async fn read_range_async(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let limit = range.end.saturating_sub(range.start);
        Ok(self.get(name, Some(GetRange::Bounded(range)), limit).await?.0)
    }

    /// Reads a range of an object.
    pub fn read_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.runtime.block_on(self.read_range_async(name, range))
    }

    /// Reads the last `length` bytes of an object, or all of it; returns its whole length too.
    pub fn read_tail(&self, name: &str, length: u64) -> Result<(Bytes, u64), StoreError> {
        self.runtime.block_on(async {
            match self.get(name, Some(GetRange::Suffix(length)), length).await {
                // Azure and some WebDAV servers know no ranges from the end.
                Err(StoreError::Failed {
                    source: object_store::Error::NotSupported { .. },
                    ..
                }) => {
                    let total = self.length_async(name).await?;
                    let range = total.saturating_sub(length)..total;
                    Ok((self.read_range_async(name, range).await?, total))
                }
                read => read,
            }
        })
    }

    async fn length_async(&self, name: &str) -> Result<u64, StoreError> {
        let path = Path::from(name);
        let head = self.repeat(|| self.in_time(0, self.durable.head(&path))).await;
        Ok(head.map_err(|error| StoreError::of(name, error))?.size)
    }

    /// The length of an object.
    pub fn length(&self, name: &str) -> Result<u64, StoreError> {
        self.runtime.block_on(self.length_async(name))
    }

    async fn list_async(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let prefix = Path::from(folder);
        let attempt = || async {
            let (mut found, mut listing) = (Vec::new(), self.durable.list(Some(&prefix)));
            while let Some(ObjectMeta { location, size, last_modified, .. }) =
                self.in_time(0, next(&mut listing)).await?
            {
                let modified = last_modified.timestamp_millis();
                found.push(Listed { name: location.to_string(), length: size, modified });
            }
            Ok(found)
        };
        let mut listed = self.repeat(attempt).await.map_err(|error| {
            if error::is_missing(&error) {
                return StoreError::NoBucket { place: self.label().into() };
            }
            StoreError::of(folder, error)
        })?;
        // Local directories list in any order, clouds by name.
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Lists all objects below a folder, sorted by name.
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        self.runtime.block_on(self.list_async(folder))
    }

    /// Any object of it, but for what trying the store may leave behind; `None` where it is empty.
    pub fn first_object(&self) -> Result<Option<Listed>, StoreError> {
        Ok(self.list("")?.into_iter().find(|object| !probe::is_probe(&object.name)))
    }

    async fn delete_some(&self, names: &[String]) -> Result<(), StoreError> {
        let attempt = || async {
            let paths: Vec<_> = names.iter().map(|name| Ok(Path::from(name.as_str()))).collect();
            let mut deleted = self.durable.delete_stream(stream::iter(paths).boxed());
            loop {
                match self.in_time(0, next(&mut deleted)).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        };
        let some = names.first().map_or("", String::as_str);
        self.repeat(attempt).await.map_err(|error| StoreError::of(some, error))
    }

    async fn delete_many_async(&self, names: &[String]) -> Result<(), StoreError> {
        let calls = names.chunks(DELETED_AT_A_TIME).map(|some| self.delete_some(some));
        stream::iter(calls).buffer_unordered(DELETING_CALLS).try_collect().await
    }

    /// Deletes objects; those that are gone already are no error. A local folder is not synced: what was deleted may
    /// come back with a power cut.
    ///
    /// # Errors
    /// The first one; others may or may not be deleted then.
    pub fn delete_many(&self, names: &[String]) -> Result<(), StoreError> {
        self.runtime.block_on(self.delete_many_async(names))
    }

    /// Removes what broken writes of more than a day ago left in a local folder, where no listing shows it. Returns how
    /// many files; other stores have none.
    pub fn remove_leftovers(&self) -> Result<u64, StoreError> {
        let Some(path) = &self.folder else {
            return Ok(0);
        };
        folder::remove_leftovers(path, SystemTime::now())
            .map_err(|source| StoreError::Folder { path: path.display().to_string(), source })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.label)
    }
}

#[cfg(test)]
mod tests;
