//! Locks that live in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::store::{LockMode, Locks};

/// Remembers until when each object is locked, and does not keep anybody from deleting it.
#[derive(Debug, Default)]
pub struct MemoryLocks {
    ends: Mutex<BTreeMap<String, Duration>>,
    asked: AtomicU64,
    refuses: AtomicBool,
}

impl MemoryLocks {
    fn ends(&self) -> MutexGuard<'_, BTreeMap<String, Duration>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ends of all locks, since 1970.
    pub fn all(&self) -> BTreeMap<String, Duration> {
        self.ends().clone()
    }

    /// Lets all locks end at a time.
    pub fn end_at(&self, time: Duration) {
        self.ends().values_mut().for_each(|end| *end = time);
    }

    /// How often it was asked for the end of a lock.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Refuses to lock anything from now on, or does so again.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }
}

#[async_trait]
impl Locks for MemoryLocks {
    async fn obstacle(&self) -> object_store::Result<Option<String>> {
        Ok(None)
    }

    async fn lock(&self, name: &str, _: LockMode, until: Duration) -> object_store::Result<()> {
        if self.refuses.load(Ordering::Relaxed) {
            let source = "non-2xx status code: 403 AccessDenied: it was told so".into();
            return Err(object_store::Error::Generic { store: "locks", source });
        }
        let mut ends = self.ends();
        let end = ends.entry(name.into()).or_default();
        *end = until.max(*end);
        Ok(())
    }

    async fn locked_until(&self, name: &str) -> object_store::Result<Option<Duration>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.ends().get(name).copied())
    }
}
