//! A repository in a folder, opened anew for every backup as a command would.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use esker_engine::context::RunContext;
use esker_engine::object::{Class, ReadObject};
use esker_engine::ops::SnapshotTrees;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::repo::{CacheSizes, Client, CreateOptions, Objects, Repository, Unlock};
use esker_engine::source::Source;
use esker_engine::store::{Store, StoreOptions};
use tokio::runtime::Handle;

use crate::Failure;

/// Where backups go.
pub struct Target {
    store: Store,
    key: Unlock,
}

/// What one backup did, and what it took.
pub struct Backup {
    /// Its report.
    pub report: BackupReport,
    /// How long it took, opening the repository included.
    pub wall: Duration,
    /// By how much the repository grew, everything included.
    pub grown_bytes: u64,
}

impl Target {
    /// Makes a repository with a key in a new folder.
    pub fn create(folder: &Path, runtime: &Handle) -> Result<Self, Failure> {
        let place = folder.to_str().ok_or("the folder's name is no text")?;
        let store = Store::open_new(place, &StoreOptions::default(), runtime.clone())?;
        let (_, key) = Unlock::new_key_file()?;
        let options = CreateOptions { unlocks: vec![key.clone()], ..CreateOptions::default() };
        Repository::create(
            store.clone(),
            &options,
            |_| Client::forgetful(),
            &RunContext::default(),
        )?;
        Ok(Self { store, key })
    }

    /// Opens the repository.
    pub fn open(&self) -> Result<Arc<Repository>, Failure> {
        Ok(Arc::new(Repository::open(self.store.clone(), &self.key, |_| Client::forgetful())?))
    }

    /// Takes a snapshot with the usual options.
    pub fn backup(&self, source: &dyn Source) -> Result<Backup, Failure> {
        let before = self.stored_bytes()?;
        let start = Instant::now();
        let repository = self.open()?;
        let options = BackupOptions::default();
        let report = backup(&repository, source, &options, &RunContext::default())?;
        let wall = start.elapsed();
        let grown_bytes = self.stored_bytes()?.saturating_sub(before);
        Ok(Backup { report, wall, grown_bytes })
    }

    /// The trees of the newest snapshot.
    pub fn newest(&self) -> Result<SnapshotTrees, Failure> {
        let repository = self.open()?;
        let history = repository.history()?;
        let snapshot = history.visible().next_back().ok_or("there is no snapshot")?;
        let objects = Objects::load(&repository, CacheSizes::default())?;
        let reader: Arc<dyn ReadObject> = Arc::new(objects);
        Ok(SnapshotTrees::new(reader, &snapshot.commit))
    }

    /// The bytes of frames: those of trees, and those of contents. Padding, directories and commits are not among them.
    pub fn frame_bytes(&self) -> Result<(u64, u64), Failure> {
        let objects = Objects::load(&*self.open()?, CacheSizes::default())?;
        Ok(objects.with_index(|index| {
            let (mut trees, mut contents) = (0, 0);
            for frame in index.packs().flat_map(|pack| &pack.frames) {
                match frame.class {
                    Class::Meta => trees += u64::from(frame.stored_len),
                    Class::Data => contents += u64::from(frame.stored_len),
                }
            }
            (trees, contents)
        }))
    }

    /// The bytes of all objects in the store.
    pub fn stored_bytes(&self) -> Result<u64, Failure> {
        Ok(self.store.list("")?.iter().map(|object| object.length).sum())
    }
}
