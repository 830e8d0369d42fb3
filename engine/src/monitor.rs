//! What an operation tells about its progress.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::problem::Problem;

/// A figure that an operation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counter {
    /// Entries that the source pushed or called unchanged.
    EntriesSeen,
    /// Bytes of contents read from the source, holes not counted.
    BytesRead,
    /// Bytes sent to the store, everything included.
    BytesStored,
    /// Objects of the store that were written.
    ObjectsWritten,
    /// Entries restored.
    EntriesRestored,
    /// Bytes of contents written by a restore.
    BytesRestored,
    /// Packs examined by a check.
    PacksChecked,
    /// Bytes examined by a check.
    BytesChecked,
}

/// Receives progress. All methods may be called from any thread, often; they must be quick.
pub trait Monitor: Send + Sync {
    /// Adds to a figure.
    fn count(&self, counter: Counter, by: u64);

    /// Announces what a figure will come to; may be corrected by a later call.
    fn expect(&self, counter: Counter, total: u64) {
        let _ = (counter, total);
    }

    /// Reports trouble that does not end the operation.
    fn problem(&self, problem: &Problem) {
        let _ = problem;
    }
}

/// Keeps nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NullMonitor;

impl Monitor for NullMonitor {
    fn count(&self, _: Counter, _: u64) {}
}

/// Keeps the figures, for reports and tests.
#[derive(Debug, Default)]
pub struct CountingMonitor {
    figures: [AtomicU64; 8],
}

impl CountingMonitor {
    /// The figure so far.
    pub fn get(&self, counter: Counter) -> u64 {
        self.figures[counter as usize].load(Ordering::Relaxed)
    }
}

impl Monitor for CountingMonitor {
    fn count(&self, counter: Counter, by: u64) {
        self.figures[counter as usize].fetch_add(by, Ordering::Relaxed);
    }
}
