//! Where a node ends: decided by the key and the size so far alone, so that history leaves no trace.

use crate::format::tree::Item;

/// What decides the shape of a repository's trees; the same for all of them.
#[derive(Clone)]
pub struct TreeParams {
    /// Up to this many bytes a node never ends of itself.
    pub min: u32,
    /// From this many bytes on a node is four times as likely to end.
    pub target: u32,
    /// From this many bytes on a node ends in any case.
    pub max: u32,
    /// A longer value is an object of its own.
    pub spill: u32,
    /// Keys the hash that decides, so that nobody can choose keys that make a bad tree.
    pub boundary_key: [u8; 32],
}

impl TreeParams {
    /// The sizes of `docs/FORMAT.md`.
    pub fn new(boundary_key: [u8; 32]) -> Self {
        Self {
            min: /* 1 KiB */ 1024,
            target: /* 2 KiB */ 2048,
            max: /* 8 KiB */ 8192,
            spill: /* 1 KiB */ 1024,
            boundary_key,
        }
    }

    /// Whether a node of `count` items (the last included) ends after `item`, which follows `size` bytes.
    pub(super) fn ends(&self, level: u8, count: u64, size: u64, item: &Item) -> bool {
        if level > 0 && count < 2 {
            return false;
        }
        let end = size + item.size();
        if end >= u64::from(self.max) {
            return true;
        }
        let weight = self.weight(end) - self.weight(size);
        weight > 0 && (weight >> 20 > 0 || self.hash(level, &item.key) < weight << 44)
    }

    /// The weight of the first `size` byte positions, in units of 2^-20.
    fn weight(&self, size: u64) -> u64 {
        let (min, target) = (u64::from(self.min), u64::from(self.target));
        let target = target.max(min);
        (size.min(target).saturating_sub(min) << 9) + (size.saturating_sub(target) << 11)
    }

    pub(super) fn hash(&self, level: u8, key: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.boundary_key);
        hasher.update(&[level]).update(key);
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        u64::from_le_bytes(first)
    }
}

impl std::fmt::Debug for TreeParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeParams")
            .field("min", &self.min)
            .field("target", &self.target)
            .field("max", &self.max)
            .field("spill", &self.spill)
            .finish_non_exhaustive()
    }
}
