//! Decoded blocks, shared by all segments, within a budget.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::format::index::Record;
use crate::id::SegmentId;

/// A record in 16 bytes; the format's limits on frames and places make it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CachedRecord {
    pub(super) prefix: u64,
    pub(super) pack: u32,
    pub(super) frame: u16,
    pub(super) place: u16,
}

/// A decoded block, ascending.
pub(super) type Block = Arc<[CachedRecord]>;

/// Shrinks a block; `None` where a number is beyond the format's limits.
pub(super) fn compact(records: &[Record]) -> Option<Block> {
    let compact = |record: &Record| {
        Some(CachedRecord {
            prefix: record.prefix,
            pack: record.pack,
            frame: record.frame.try_into().ok()?,
            place: record.place.try_into().ok()?,
        })
    };
    records.iter().map(compact).collect()
}

type Key = (SegmentId, u32);

struct Shard {
    blocks: LruCache<Key, Block>,
    bytes: u64,
}

/// Keeps the decoded blocks that were used last.
pub struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    shard_bytes: u64,
    hasher: RandomState,
}

/// What an entry costs besides its records, about.
const ENTRY_BYTES: u64 = 96;
const SMALLEST_SHARD: u64 = /* 1 MiB */ 1024 * 1024;
/// More than the worker threads of any machine we think of need to stay out of each other's way.
const MOST_SHARDS: u64 = 16;

fn cost(block: &Block) -> u64 {
    size_of_val::<[CachedRecord]>(block) as u64 + ENTRY_BYTES
}

impl BlockCache {
    /// An empty cache that holds at most so many bytes; 0 keeps nothing.
    pub fn new(max_bytes: u64) -> Self {
        let count = (max_bytes / SMALLEST_SHARD).clamp(1, MOST_SHARDS);
        let shard = || Mutex::new(Shard { blocks: LruCache::unbounded(), bytes: 0 });
        Self {
            shards: (0..count).map(|_| shard()).collect(),
            shard_bytes: max_bytes / count,
            hasher: RandomState::new(),
        }
    }

    /// How many bytes are held now.
    pub fn bytes(&self) -> u64 {
        let locked = self.shards.iter().map(lock);
        locked.map(|shard| shard.bytes).sum()
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let number = self.hasher.hash_one(key) as usize % self.shards.len();
        lock(&self.shards[number])
    }

    pub(super) fn get(&self, segment: SegmentId, block: u32) -> Option<Block> {
        let key = (segment, block);
        self.shard(&key).blocks.get(&key).map(Arc::clone)
    }

    pub(super) fn put(&self, segment: SegmentId, number: u32, block: &Block) {
        if cost(block) > self.shard_bytes {
            return;
        }
        let key = (segment, number);
        let mut shard = self.shard(&key);
        shard.bytes += cost(block);
        if let Some(before) = shard.blocks.put(key, Arc::clone(block)) {
            shard.bytes -= cost(&before);
        }
        while shard.bytes > self.shard_bytes {
            let Some((_, oldest)) = shard.blocks.pop_lru() else {
                break;
            };
            shard.bytes -= cost(&oldest);
        }
    }
}

/// A shard is consistent after every statement that can panic, so a poisoned lock is as good as another.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockCache({} shards of {} bytes)", self.shards.len(), self.shard_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(records: u32) -> Block {
        let record = |pack| Record { prefix: 0, pack, frame: 65_534, place: 65_535 };
        compact(&(0..records).map(record).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_budget_holds_and_the_oldest_goes() {
        let budget = 3 * cost(&block(100));
        let cache = BlockCache::new(budget);
        let segment = SegmentId([1; 16]);
        for number in 0..10 {
            cache.put(segment, number, &block(100));
            assert!(cache.get(segment, 0).is_some(), "block 0 was used last but one");
            assert!(cache.bytes() <= budget);
        }
        let kept: Vec<u32> =
            (0..10).filter(|&number| cache.get(segment, number).is_some()).collect();
        assert_eq!(kept, [0, 8, 9]);
        cache.put(segment, 9, &block(100));
        assert_eq!(cache.bytes(), budget);
        cache.put(segment, 20, &block(1000));
        assert!(cache.get(segment, 20).is_none(), "larger than the budget");
    }

    #[test]
    fn records_beyond_the_limits_are_not_shortened() {
        let record = Record { prefix: 0, pack: 0, frame: 65_536, place: 0 };
        assert!(compact(&[record]).is_none());
        assert_eq!(size_of::<CachedRecord>(), 16);
    }
}
