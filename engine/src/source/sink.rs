//! The channel between a source and the engine's workers: bounded by bytes and by number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::change::{Change, Payload};
use crate::context::RunContext;
use crate::entry::Entry;
use crate::monitor::Counter;
use crate::problem::Problem;

/// Where a first scan that is broken off may be continued, by collection. Shared between the sink and the engine.
#[derive(Debug, Clone, Default)]
pub struct ResumeCursors(Arc<std::sync::Mutex<BTreeMap<String, Vec<u8>>>>);

impl ResumeCursors {
    /// The cursor of a collection.
    pub fn of(&self, collection: &str) -> Option<Vec<u8>> {
        locked(&self.0).get(collection).cloned()
    }
}

/// A batch is sent on when its contents come to this; about one frame.
const BATCH_BYTES: u64 = /* 1 MiB */ 1024 * 1024;
/// A batch is sent on when it has this many changes.
const BATCH_CHANGES: usize = 512;
/// What one change counts beside its content.
const CHANGE_COST: u64 = 512;

/// The engine has stopped taking changes.
#[derive(Debug, thiserror::Error)]
#[error("the backup takes no more changes")]
pub struct SinkClosed;

/// A batch of consecutive changes; its place in the memory budget is free again when it is dropped.
pub struct Work {
    /// The number of the batch, counted from 0.
    pub number: u64,
    /// In the order in which the source pushed them.
    pub changes: Vec<Change>,
    _permit: OwnedSemaphorePermit,
}

/// The workers' end.
pub type ChangeReceiver = crossbeam_channel::Receiver<Work>;

#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// The work that it is.
    bytes: u64,
    /// What it holds in memory.
    held: u64,
    number: u64,
}

/// A batch on its way: changes, held bytes, number.
type Sent = (Vec<Change>, u64, u64);

/// Where a source pushes its changes. Shared by reference; pushing from several tasks is allowed.
pub struct ChangeSink {
    collections: Vec<String>,
    batch: std::sync::Mutex<Batch>,
    budget: Arc<Semaphore>,
    budget_bytes: u64,
    sender: crossbeam_channel::Sender<Work>,
    unchanged: AtomicU64,
    problems: std::sync::Mutex<Vec<Problem>>,
    resume: ResumeCursors,
    ctx: RunContext,
}

/// Makes the channel for a source with these collections, holding at most about `budget_bytes` at a time.
pub fn change_channel(
    collections: Vec<String>,
    budget_bytes: u64,
    ctx: &RunContext,
) -> (ChangeSink, ChangeReceiver) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let budget_bytes = budget_bytes.clamp(BATCH_BYTES, u64::from(u32::MAX / 2));
    let sink = ChangeSink {
        collections,
        batch: std::sync::Mutex::default(),
        budget: Arc::new(Semaphore::new(budget_bytes as usize)),
        budget_bytes,
        sender,
        unchanged: AtomicU64::new(0),
        problems: std::sync::Mutex::default(),
        resume: ResumeCursors::default(),
        ctx: ctx.clone(),
    };
    (sink, receiver)
}

fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl ChangeSink {
    /// The place of a collection among those that the source described.
    ///
    /// # Panics
    /// Where the source did not describe it.
    pub fn collection(&self, name: &str) -> usize {
        self.collections.iter().position(|known| known == name).expect("a collection of the source")
    }

    /// Says that a key now has this entry; waits while the engine is busy.
    pub async fn put(
        &self,
        collection: usize,
        key: Bytes,
        entry: Entry,
        payload: Payload,
    ) -> Result<(), SinkClosed> {
        match self.push(Change::Put { collection, key, entry, payload }) {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }

    /// Says that a key is gone.
    pub async fn delete(&self, collection: usize, key: Bytes) -> Result<(), SinkClosed> {
        match self.push(Change::Delete { collection, key }) {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }

    /// As [`put`](Self::put) and [`delete`](Self::delete), from a plain thread of a source that walks on threads.
    pub fn push_blocking(
        &self,
        change: Change,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), SinkClosed> {
        match self.push(change) {
            Some(batch) => runtime.block_on(self.send(batch)),
            None => Ok(()),
        }
    }

    /// Says that this many further objects were looked at and are as the base has them.
    pub fn unchanged(&self, count: u64) {
        self.unchanged.fetch_add(count, Ordering::Relaxed);
        self.ctx.monitor.count(Counter::EntriesSeen, count);
    }

    /// Reports trouble with one object. The base's state of it stays unless a change says otherwise.
    pub fn problem(&self, problem: Problem) {
        self.ctx.monitor.problem(&problem);
        locked(&self.problems).push(problem);
    }

    /// Says from where the scan of a collection that has no cursor yet may go on if it is broken off. It is kept in
    /// checkpoints only. What was pushed before then is in the next scan's base, though perhaps not all of it: a source must
    /// be able to tell what is missing.
    pub fn resume_from(&self, collection: usize, cursor: Vec<u8>) {
        if let Some(name) = self.collections.get(collection) {
            locked(&self.resume.0).insert(name.clone(), cursor);
        }
    }

    /// The cursors given to [`resume_from`](Self::resume_from), now and later.
    pub fn resume_cursors(&self) -> ResumeCursors {
        self.resume.clone()
    }

    /// Sends on what has gathered. The engine calls it after the scan; a source may, before it waits long.
    pub async fn flush(&self) -> Result<(), SinkClosed> {
        let batch = Self::take(&mut locked(&self.batch));
        match batch {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }

    /// How many objects were called unchanged so far.
    pub fn unchanged_count(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    /// Takes the problems reported so far.
    pub fn take_problems(&self) -> Vec<Problem> {
        std::mem::take(&mut locked(&self.problems))
    }

    fn push(&self, change: Change) -> Option<Sent> {
        self.ctx.monitor.count(Counter::EntriesSeen, 1);
        let (key, held, size) = match &change {
            Change::Put { key, payload, .. } => (key, payload.held_bytes(), payload.size_hint()),
            Change::Delete { key, .. } => (key, 0, 0),
        };
        let cost = CHANGE_COST + key.len() as u64;
        let mut batch = locked(&self.batch);
        batch.bytes = batch.bytes.saturating_add(cost).saturating_add(size);
        batch.held += cost + held;
        batch.changes.push(change);
        let full = batch.bytes >= BATCH_BYTES || batch.changes.len() >= BATCH_CHANGES;
        if full { Self::take(&mut batch) } else { None }
    }

    fn take(batch: &mut Batch) -> Option<Sent> {
        if batch.changes.is_empty() {
            return None;
        }
        let number = batch.number;
        batch.number += 1;
        batch.bytes = 0;
        Some((std::mem::take(&mut batch.changes), std::mem::take(&mut batch.held), number))
    }

    async fn send(&self, (changes, held, number): Sent) -> Result<(), SinkClosed> {
        // One document may be larger than the budget; it then waits until it is alone.
        let weight = held.min(self.budget_bytes) as u32;
        let permit = Arc::clone(&self.budget).acquire_many_owned(weight).await;
        let permit = permit.map_err(|_| SinkClosed)?;
        self.sender.send(Work { number, changes, _permit: permit }).map_err(|_| SinkClosed)
    }
}
