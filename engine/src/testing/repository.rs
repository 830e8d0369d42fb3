//! Repositories for tests: quickly made, copied, opened as another process would.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

use super::{FaultyStore, Model, TickingClock, read_snapshot};
use crate::clock::Clock;
use crate::context::RunContext;
use crate::error::Error;
use crate::ops::backup::{BackupOptions, BackupReport, backup};
use crate::ops::check::{CheckOptions, CheckReport, Share, check};
use crate::repo::{
    CacheSizes, Client, CreateOptions, Objects, RepoError, Repository, Snapshot, Unlock,
};
use crate::source::Source;
use crate::store::{Probe, Store};

/// The runtime that all tests of a process share.
pub fn runtime() -> Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let make = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made")
    };
    RUNTIME.get_or_init(make).handle().clone()
}

/// One worker and as little memory as there can be: packs of a megabyte or two.
pub fn small_options() -> BackupOptions {
    BackupOptions {
        memory: 0,
        workers: 1,
        // Clocks of tests run fast.
        checkpoint_interval: Duration::MAX,
        ..BackupOptions::default()
    }
}

enum Place {
    Memory(Arc<InMemory>),
    Folder(Arc<TempDir>),
}

/// A place for a repository, the key to it and its client's folder: all that is left when a process has ended.
pub struct TempRepo {
    place: Place,
    raw: Arc<dyn ObjectStore>,
    state: TempDir,
    unlock: Unlock,
    clock: Arc<dyn Clock>,
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

impl TempRepo {
    fn new(place: Place) -> Self {
        let raw: Arc<dyn ObjectStore> = match &place {
            Place::Memory(store) => Arc::clone(store) as _,
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(folder.path());
                Arc::new(store.expect("the folder exists"))
            }
        };
        Self {
            place,
            raw,
            state: folder(),
            unlock: Unlock::new_key_file().expect("randomness").1,
            clock: Arc::new(TickingClock::default()),
        }
    }

    /// A place in memory.
    pub fn memory() -> Self {
        Self::new(Place::Memory(Arc::default()))
    }

    /// A place in a temporary folder, not synced.
    pub fn folder() -> Self {
        Self::new(Place::Folder(Arc::new(folder())))
    }

    /// An independent copy of everything, as it is now.
    pub fn fork(&self) -> Self {
        let place = match &self.place {
            Place::Memory(store) => Place::Memory(Arc::new(store.fork())),
            Place::Folder(original) => {
                let copy = folder();
                copy_folder(original.path(), copy.path());
                Place::Folder(Arc::new(copy))
            }
        };
        let mut fork = Self::new(place);
        copy_folder(self.state.path(), fork.state.path());
        fork.unlock = self.unlock.clone();
        fork.clock = Arc::clone(&self.clock);
        fork
    }

    /// The same repository as another machine sees it: the objects are shared, the client's folder is not.
    pub fn another_client(&self) -> Self {
        let place = match &self.place {
            Place::Memory(store) => Place::Memory(Arc::clone(store)),
            Place::Folder(folder) => Place::Folder(Arc::clone(folder)),
        };
        let mut other = Self::new(place);
        other.unlock = self.unlock.clone();
        other.clock = Arc::clone(&self.clock);
        other
    }

    /// What its client remembers.
    pub fn client_folder(&self) -> &Path {
        self.state.path()
    }

    /// What opens it.
    pub fn unlock(&self) -> &Unlock {
        &self.unlock
    }

    /// The store without Esker around it, for doing harm.
    pub fn raw(&self) -> &Arc<dyn ObjectStore> {
        &self.raw
    }

    /// A store as a new process opens it.
    pub fn store(&self) -> Store {
        Store::new(Arc::clone(&self.raw), "test", runtime())
    }

    /// A store that can be told to fail, and the way to tell it.
    pub fn faulty_store(&self) -> (FaultyStore, Store) {
        let faulty = FaultyStore::new(Arc::clone(&self.raw));
        let store = Store::new(Arc::new(faulty.clone()), "faulty", runtime());
        (faulty, store)
    }

    /// A context of its own, with the clock of this place.
    pub fn ctx(&self) -> RunContext {
        RunContext { clock: Arc::clone(&self.clock), ..RunContext::default() }
    }

    /// Makes the repository.
    pub fn create(&self) -> Arc<Repository> {
        self.try_create(self.store()).expect("the repository is made")
    }

    /// Makes the repository in a store that is said to be proven: nobody tries it again for `prune`, and `check` does.
    pub fn create_proven(&self) -> Arc<Repository> {
        let proven = Probe {
            creates_once: true,
            reads_own_writes: true,
            lists_own_writes: true,
            network_file_system: None,
        };
        self.create_with(self.store(), Some(proven)).expect("the repository is made")
    }

    /// Makes the repository through a given store.
    pub fn try_create(&self, store: Store) -> Result<Arc<Repository>, RepoError> {
        self.create_with(store, None)
    }

    /// Makes a repository that computes the same ids as another one.
    pub fn create_like(&self, other: &Repository) -> Arc<Repository> {
        let options = CreateOptions::default().like(other);
        self.create_as(self.store(), options).expect("the repository is made")
    }

    fn create_with(
        &self,
        store: Store,
        probe: Option<Probe>,
    ) -> Result<Arc<Repository>, RepoError> {
        self.create_as(store, CreateOptions { store: probe, ..CreateOptions::default() })
    }

    fn create_as(
        &self,
        store: Store,
        options: CreateOptions,
    ) -> Result<Arc<Repository>, RepoError> {
        let options = CreateOptions { unlocks: vec![self.unlock.clone()], ..options };
        let client = |_| Client::open(self.state.path().into());
        Repository::create(store, &options, client, &self.ctx()).map(Arc::new)
    }

    /// Opens the repository as a new process does.
    pub fn open(&self) -> Arc<Repository> {
        self.try_open(self.store()).expect("the repository opens")
    }

    /// Opens the repository through a given store.
    pub fn try_open(&self, store: Store) -> Result<Arc<Repository>, RepoError> {
        let client = |_| Client::open(self.state.path().into());
        Repository::open(store, &self.unlock, client).map(Arc::new)
    }

    /// Takes a snapshot as a new process does, with [`small_options`].
    pub fn backup(&self, source: &dyn Source) -> BackupReport {
        self.backup_with(source, &small_options()).expect("the backup works")
    }

    /// Takes a snapshot as a new process does.
    pub fn backup_with(
        &self,
        source: &dyn Source,
        options: &BackupOptions,
    ) -> Result<BackupReport, Error> {
        backup(&self.open(), source, options, &self.ctx())
    }

    /// Checks the repository as a new process does.
    pub fn check(&self, read_data: bool) -> Result<CheckReport, Error> {
        let read_data = read_data.then_some(Share::All);
        let options = CheckOptions { read_data, memory: 64 * 1024 * 1024, workers: 1 };
        check(&self.open(), &options, &self.ctx())
    }

    /// Checks everything.
    ///
    /// # Panics
    /// Where anything is wrong.
    pub fn assert_sound(&self) {
        let report = self.check(true).expect("the check works");
        assert!(report.findings.is_empty(), "check finds {:#?}", report.findings);
    }

    /// All snapshots that people see, oldest first.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let history = self.open().history().expect("the history can be read");
        history.visible().cloned().collect()
    }

    /// Everything that a snapshot holds, read by a new process.
    pub fn read(&self, snapshot: &Snapshot) -> Result<Model, Error> {
        let objects = Objects::load(&self.open(), CacheSizes::default())?;
        read_snapshot(Arc::new(objects), &snapshot.commit)
    }

    /// Everything that the newest snapshot holds.
    pub fn newest(&self) -> Model {
        let snapshot = self.snapshots().pop().expect("there is a snapshot");
        self.read(&snapshot).expect("the snapshot can be read")
    }

    /// The names of all stored objects, sorted.
    pub fn names(&self) -> Vec<String> {
        let listed = self.store().list("").expect("the place can be listed");
        listed.into_iter().map(|object| object.name).collect()
    }

    /// The bytes of a stored object.
    pub fn bytes(&self, name: &str) -> Bytes {
        let read = async { self.raw.get(&name.into()).await?.bytes().await };
        runtime().block_on(read).expect("the object can be read")
    }

    /// Puts bytes in place of a stored object, or of none.
    pub fn replace(&self, name: &str, bytes: impl Into<Bytes>) {
        let (path, bytes): (_, Bytes) = (name.into(), bytes.into());
        let put = self.raw.put(&path, bytes.into());
        runtime().block_on(put).expect("the object can be replaced");
    }

    /// Deletes a stored object.
    pub fn delete(&self, name: &str) {
        let path = name.into();
        let delete = self.raw.delete(&path);
        runtime().block_on(delete).expect("the object can be deleted");
    }
}
