//! Locks of the store, where the repository has them: what lives is locked anew in time, what is locked stays.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::marks::Marks;
use super::plan::Doomed;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::PackId;
use crate::parallel::{CONNECTIONS, map};
use crate::repo::{Repository, Snapshot};
use crate::store::{ObjectLock, StoreError};

/// When locks end, as far as this client knows or has asked.
pub(super) struct Locks<'a> {
    repository: &'a Repository,
    period: Option<ObjectLock>,
    now: Duration,
    /// Seconds since 1970 by the names of objects. Others may have locked one for longer since.
    known: Mutex<BTreeMap<String, u64>>,
}

impl<'a> Locks<'a> {
    pub(super) fn open(repository: &'a Repository) -> Self {
        let period = repository.config().object_lock;
        let known = match period {
            Some(_) => repository.client().locks(),
            None => BTreeMap::new(),
        };
        // The store compares with its own clock, so no other one would do here.
        Self { repository, period, now: SystemClock.now(), known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a lock that ends before has to be set anew: after half of the period.
    fn due(&self, period: ObjectLock) -> Duration {
        self.now + period.period() / 2
    }

    /// The end of an object's lock. The store is asked unless it is known to be later than `before`.
    fn end(&self, name: &str, before: Duration) -> Result<Option<Duration>, StoreError> {
        let known = self.known().get(name).copied().map(Duration::from_secs);
        if known.is_some_and(|end| end > before) {
            return Ok(known);
        }
        let end = self.repository.store().locked_until(name)?;
        if let Some(end) = end {
            self.known().insert(name.into(), end.as_secs());
        }
        Ok(end)
    }

    /// The end of the lock of a pack of which nothing lives, where it is locked still.
    pub(super) fn of_dead(&self, pack: ObjectName) -> Result<Option<Duration>, StoreError> {
        match self.period {
            Some(_) => self.end_after(pack, self.now),
            None => Ok(None),
        }
    }

    /// The end of the lock of a pack that is to be stored again, where that is too early.
    ///
    /// It is due with the lock: from then on it would be locked anew for what lives in it, and never go. What is locked anew
    /// instead are the copies, and the old lock ends by itself behind the mark that deletes the pack.
    pub(super) fn of_mixed(&self, pack: ObjectName) -> Result<Option<Duration>, StoreError> {
        match self.period {
            Some(period) => self.end_after(pack, self.due(period)),
            None => Ok(None),
        }
    }

    fn end_after(&self, pack: ObjectName, time: Duration) -> Result<Option<Duration>, StoreError> {
        Ok(self.end(&pack.to_string(), time)?.filter(|end| *end > time))
    }

    /// Sets the locks anew of all that is needed and whose lock ends in less than half of the period, or has ended. Returns
    /// how many.
    pub(super) fn extend(
        &self,
        marks: &Marks,
        doomed: &Doomed,
        kept: &[&Snapshot],
    ) -> Result<u64, Error> {
        let Some(period) = self.period else { return Ok(0) };
        let names = self.needed(marks, doomed, kept)?;
        let due = self.due(period);
        let extend = |name: &String| -> Result<u64, StoreError> {
            if self.end(name, due)?.is_some_and(|end| end > due) {
                return Ok(0);
            }
            let end = self.repository.store().lock(name, period)?;
            self.known().insert(name.clone(), end.as_secs());
            Ok(1)
        };
        let extended: Result<Vec<_>, _> = map(CONNECTIONS, &names, extend).into_iter().collect();
        // What was done before an error need not be asked again.
        self.remember();
        Ok(extended?.into_iter().sum())
    }

    /// The names of all that a kept snapshot cannot be read without.
    fn needed(
        &self,
        marks: &Marks,
        doomed: &Doomed,
        kept: &[&Snapshot],
    ) -> Result<Vec<String>, Error> {
        let gone: std::collections::HashSet<PackId> = doomed.packs().collect();
        let living = marks.packs.iter().filter(|(id, pack)| !pack.is_dead() && !gone.contains(id));
        let living = living.map(|(id, pack)| ObjectName::Pack { id: *id, kind: pack.info.kind });
        let unreadable = marks.unreadable.iter();
        let unreadable = unreadable.map(|(id, kind, _)| ObjectName::Pack { id: *id, kind: *kind });
        let segments = marks
            .objects()
            .with_index(|index| index.segment_ids().map(ObjectName::Segment).collect::<Vec<_>>());
        let commits = kept.iter().map(|it| ObjectName::Slot(it.slot));
        let objects = living.chain(unreadable).chain(segments).chain(commits);
        let mut names: Vec<_> = objects.map(|it| it.to_string()).collect();
        for folder in ["config", "keys"] {
            names.extend(self.repository.store().list(folder)?.into_iter().map(|it| it.name));
        }
        Ok(names)
    }

    /// Remembers the locks that have not ended.
    fn remember(&self) {
        let mut known = self.known();
        known.retain(|_, end| *end > self.now.as_secs());
        if let Err(error) = self.repository.client().keep_locks(&known) {
            tracing::debug!(%error, "the ends of locks are not remembered");
        }
    }
}
