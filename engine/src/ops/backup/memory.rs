//! How the memory budget is shared out. Every buffer of the pipeline is the product of these numbers.

use crate::repo::{CacheSizes, WriterSizes};

const MIB: u64 = 1024 * 1024;
/// Less than this makes no sense: one worker's buffers, packs of 1 MiB.
pub(in crate::ops) const LEAST_BYTES: u64 = 48 * MIB;
/// What one worker needs: its reading buffer, three frames, the codec's contexts and copies.
const WORKER_BYTES: u64 = 14 * MIB;

/// The shares of one backup.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct MemoryPlan {
    pub(in crate::ops) workers: usize,
    pub(in crate::ops) changes: u64,
    pub(in crate::ops) edits: usize,
    pub(in crate::ops) caches: CacheSizes,
    pub(in crate::ops) writer: WriterSizes,
}

impl MemoryPlan {
    /// Shares out `bytes`, at least 48 MiB, on at most `cores` workers.
    pub(in crate::ops) fn new(bytes: u64, cores: usize) -> Self {
        let bytes = bytes.max(LEAST_BYTES);
        let workers = (bytes / 4 / WORKER_BYTES).clamp(1, cores.max(1) as u64);
        let uploads = 2;
        // A mixed or a data pack and a meta pack are open, `uploads` under way, and each worker may wait with one.
        let packs = 2 + uploads + workers;
        let defaults = WriterSizes::default();
        let pack_bytes = (bytes * 2 / 5 / packs).clamp(MIB, defaults.pack_bytes as u64);
        Self {
            workers: workers as usize,
            changes: (bytes / 16).max(2 * MIB),
            edits: (bytes / 24) as usize,
            caches: CacheSizes {
                blocks: bytes / 32,
                frames: bytes / 16,
                footer_objects: (bytes / 32 / 20) as usize,
            },
            writer: WriterSizes {
                pack_bytes: pack_bytes as usize,
                uploads: uploads as usize,
                segment_records: (bytes / 1024).clamp(16 * 1024, 256 * 1024) as usize,
                ..defaults
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_come_to_less_than_the_whole() {
        for mib in [48, 64, 128, 256, 1024, 8192] {
            for cores in [1, 2, 8, 64] {
                let plan = MemoryPlan::new(mib * MIB, cores);
                let packs = (4 + plan.workers) * plan.writer.pack_bytes;
                let fixed = plan.changes as usize + 2 * plan.edits;
                let caches = plan.caches.blocks as usize
                    + plan.caches.frames as usize
                    + plan.caches.footer_objects * 20;
                let pending = plan.writer.segment_records * 80;
                let workers = plan.workers * WORKER_BYTES as usize;
                let sum = (packs + fixed + caches + pending + workers) as u64;
                assert!(sum <= mib * MIB * 21 / 20, "{sum} of {mib} MiB with {cores} cores");
            }
        }
    }
}
