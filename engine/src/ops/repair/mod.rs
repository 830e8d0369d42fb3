//! Repair: what damage has left is made whole as far as that goes, and what is lost is named. Nothing is ever deleted.
//!
//! [`index`] lists packs again whose segments are damaged or gone. [`snapshots`] makes a new snapshot in the place of each one in
//! which something is lost, with all that can be saved (docs/decisions/0012-repair.md).

mod commit;
mod index;
mod snapshots;
mod survey;

pub use index::{IndexRepair, index};
pub use snapshots::{SnapshotRepair, SnapshotsReport, snapshots};

/// How a repair is done.
#[derive(Debug, Clone, Copy)]
pub struct RepairOptions {
    /// Tell what would be done, and write nothing.
    pub dry_run: bool,
    /// Memory to use, in bytes.
    pub memory: u64,
    /// Threads; 0 takes as many as keep all cores and a remote store busy.
    pub workers: usize,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self { dry_run: false, memory: /* 256 MiB */ 256 * 1024 * 1024, workers: 0 }
    }
}

impl RepairOptions {
    fn check_options(&self) -> super::check::CheckOptions {
        let read_data = Some(super::check::Share::All);
        super::check::CheckOptions { read_data, memory: self.memory, workers: self.workers }
    }
}
