//! What the walk hands over, gathered into batches.

use bytes::Bytes;
use esker_engine::entry::Entry;
use esker_engine::problem::Problem;
use esker_engine::source::{Change, Payload, SinkClosed};
use tokio::sync::mpsc;

/// A batch is sent on when it has this many changes or problems.
const BATCH_CHANGES: usize = 256;
/// A batch is sent on when its keys come to this.
const BATCH_KEY_BYTES: usize = /* 128 KiB */ 128 * 1024;
/// A batch is sent on when it counts this many unchanged entries, so that progress is seen.
const BATCH_UNCHANGED: u64 = 2048;

/// What happened since the last batch.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) problems: Vec<Problem>,
    pub(super) unchanged: u64,
    key_bytes: usize,
}

/// The walk's end of the channel.
pub(super) struct Outbox {
    sender: mpsc::Sender<Batch>,
    batch: Batch,
    /// Entries found so far.
    pub(super) found: u64,
    /// Problems so far.
    pub(super) problems: u64,
}

impl Outbox {
    pub(super) fn new(sender: mpsc::Sender<Batch>) -> Self {
        Self { sender, batch: Batch::default(), found: 0, problems: 0 }
    }

    pub(super) fn put(&mut self, key: Bytes, entry: Entry, payload: Payload) {
        self.found += 1;
        self.batch.key_bytes += key.len();
        self.batch.changes.push(Change::Put { collection: 0, key, entry, payload });
    }

    pub(super) fn delete(&mut self, key: Bytes) {
        self.batch.key_bytes += key.len();
        self.batch.changes.push(Change::Delete { collection: 0, key });
    }

    pub(super) fn unchanged(&mut self) {
        self.found += 1;
        self.batch.unchanged += 1;
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems += 1;
        self.batch.problems.push(problem);
    }

    /// Sends on a full batch; waits while the engine is busy.
    pub(super) fn flush_full(&mut self) -> Result<(), SinkClosed> {
        let full = self.batch.changes.len() + self.batch.problems.len() >= BATCH_CHANGES
            || self.batch.key_bytes >= BATCH_KEY_BYTES
            || self.batch.unchanged >= BATCH_UNCHANGED;
        if full { self.flush() } else { Ok(()) }
    }

    /// Sends on what there is.
    pub(super) fn flush(&mut self) -> Result<(), SinkClosed> {
        let batch = std::mem::take(&mut self.batch);
        self.sender.blocking_send(batch).map_err(|_| SinkClosed)
    }
}
