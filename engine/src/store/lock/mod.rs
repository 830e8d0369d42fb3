//! Object Lock: objects that nobody can delete or alter before a time has come. A capability that few stores have.
//!
//! A store that was told a period locks what it creates, where the name is in a folder whose objects must last. The object is
//! stored first and locked then; `create` has failed where the lock has.

mod s3;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub(super) use s3::S3Locks;

use super::{Store, StoreError};
use crate::clock::{Clock, SystemClock};

/// Who may end a lock before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Those whom the store gives a permission of its own for it.
    Governance,
    /// Nobody at all.
    Compliance,
}

/// For how long objects are locked, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectLock {
    /// Who may end a lock before its time.
    pub mode: LockMode,
    /// How long a lock lasts from the moment it is set.
    pub seconds: u64,
}

impl ObjectLock {
    /// The longest period that a store takes: a hundred years.
    pub const MOST_SECONDS: u64 = 100 * 365 * 86_400;

    /// True where a store would take it.
    pub fn is_valid(&self) -> bool {
        (1..=Self::MOST_SECONDS).contains(&self.seconds)
    }

    /// How long a lock lasts.
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What a store that can lock is asked.
#[async_trait]
pub trait Locks: fmt::Debug + Send + Sync {
    /// Why objects cannot be locked after all; `None` where they can.
    async fn obstacle(&self) -> object_store::Result<Option<String>>;

    /// Locks an object until a time since 1970. A lock is never shortened.
    async fn lock(&self, name: &str, mode: LockMode, until: Duration) -> object_store::Result<()>;

    /// The end of an object's lock; `None` where it has none.
    async fn locked_until(&self, name: &str) -> object_store::Result<Option<Duration>>;
}

/// Folders whose objects are locked: what a snapshot cannot be read without. All others can be done without or made again.
const LOCKED_FOLDERS: [&str; 5] = ["config/", "keys/", "packs/", "index/", "commits/"];

impl Store {
    /// The same store with a way to lock objects.
    #[must_use]
    pub fn with_locks(mut self, locks: std::sync::Arc<dyn Locks>) -> Self {
        self.locks = Some(locks);
        self
    }

    /// The same store, which locks what it creates from now on.
    #[must_use]
    pub fn locking(mut self, period: Option<ObjectLock>) -> Self {
        self.period = period;
        self
    }

    fn locks(&self) -> Result<&dyn Locks, StoreError> {
        let what = || "only a bucket of S3, or of a server that speaks it, can";
        self.locks.as_deref().ok_or_else(|| StoreError::Unlockable {
            place: self.label().into(),
            what: what().into(),
        })
    }

    /// Makes sure that objects can be locked.
    ///
    /// # Errors
    /// `Unlockable` where they cannot.
    pub fn refuse_unlockable(&self) -> Result<(), StoreError> {
        let locks = self.locks()?;
        let asked = self.repeat(|| self.in_time(0, locks.obstacle()));
        match self.runtime.block_on(asked) {
            Ok(None) => Ok(()),
            Ok(Some(what)) => Err(StoreError::Unlockable { place: self.label().into(), what }),
            Err(error) => Err(StoreError::of(self.label(), error)),
        }
    }

    /// Locks an object for the whole period from now on. Returns until when.
    ///
    /// # Errors
    /// `Lock` where the store refuses. The object is there all the same.
    pub fn lock(&self, name: &str, period: ObjectLock) -> Result<Duration, StoreError> {
        self.runtime.block_on(self.lock_async(name, period))
    }

    async fn lock_async(&self, name: &str, period: ObjectLock) -> Result<Duration, StoreError> {
        let locks = self.locks()?;
        // The store compares with its own clock, so no other one would do here.
        let until = SystemClock.now() + period.period();
        let locked = self.repeat(|| self.in_time(0, locks.lock(name, period.mode, until))).await;
        locked.map_err(|source| StoreError::Lock { name: name.into(), source })?;
        Ok(until)
    }

    /// The end of an object's lock, since 1970; `None` where it has none.
    pub fn locked_until(&self, name: &str) -> Result<Option<Duration>, StoreError> {
        let locks = self.locks()?;
        let asked = self.repeat(|| self.in_time(0, locks.locked_until(name)));
        self.runtime.block_on(asked).map_err(|error| StoreError::of(name, error))
    }

    /// Locks an object that was just created, where it is one that must last.
    pub(super) async fn lock_created(&self, name: &str) -> Result<(), StoreError> {
        let lasts = || LOCKED_FOLDERS.iter().any(|folder| name.starts_with(folder));
        match self.period {
            Some(period) if lasts() => self.lock_async(name, period).await.map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
