//! The index: which pack has an object.
//!
//! A domain's index is its segments and the footers of the loose packs. A prefix only nominates places: whoever
//! deduplicates compares the short id in the pack's footer, whoever reads compares the whole id.

mod batch;
mod builder;
mod cache;
mod merge;
mod scan;
mod segment;

pub use builder::{BuiltSegment, Record, build};
pub use cache::BlockCache;
pub use merge::merge;
pub use scan::Scan;
pub use segment::{Place, ReadSegment, Records, Segment};

use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::crypto::CryptoError;
use crate::format::Corrupt;
use crate::format::pack::PackInfo;
use crate::id::{PackId, SegmentId, ShortId};

/// A part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One block of records.
    Block(u32),
    /// The filter.
    Filter,
    /// The directory.
    Directory,
    /// The trailer.
    Trailer,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(number) => write!(f, "block {number}"),
            Self::Filter => f.write_str("the filter"),
            Self::Directory => f.write_str("the directory"),
            Self::Trailer => f.write_str("the trailer"),
        }
    }
}

/// Why the index does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A segment says what it cannot say.
    #[error("{part} of index segment {} is damaged", .segment.short())]
    Corrupt {
        /// The segment.
        segment: SegmentId,
        /// The part of it.
        part: Part,
        /// What is wrong.
        source: Corrupt,
    },
    /// A segment's part could not be opened or sealed.
    #[error("{part} of index segment {} cannot be opened or sealed", .segment.short())]
    Crypto {
        /// The segment.
        segment: SegmentId,
        /// The part of it.
        part: Part,
        /// Why.
        source: CryptoError,
    },
    /// The bytes of a segment could not be had.
    #[error("{part} of index segment {} cannot be read", .segment.short())]
    Read {
        /// The segment.
        segment: SegmentId,
        /// The part of it.
        part: Part,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A new segment would be more than a reader accepts.
    #[error("the new index segment is too large: {what}")]
    TooLarge {
        /// What there is too much of.
        what: String,
    },
}

/// One object of a loose pack; ordered by prefix for look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LooseRecord {
    prefix: u64,
    pack: PackId,
    frame: u32,
    place: u32,
}

/// The whole index of a domain.
///
/// Segments and loose packs may be added in any order: what another segment replaces or lists is left out.
#[derive(Debug, Default)]
pub struct Index {
    segments: Vec<Segment>,
    replaced: HashSet<SegmentId>,
    listed: HashMap<PackId, Arc<PackInfo>>,
    loose: HashMap<PackId, Arc<PackInfo>>,
    loose_records: BTreeSet<LooseRecord>,
}

impl Index {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a segment, unless a segment that is here replaces it; drops what it replaces.
    pub fn add_segment(&mut self, segment: Segment) {
        self.replaced.extend(segment.replaces());
        if !self.replaced.contains(&segment.id()) && !self.has_segment(segment.id()) {
            self.segments.push(segment);
        }
        let replaced = &self.replaced;
        self.segments.retain(|segment| !replaced.contains(&segment.id()));
        self.list_packs();
    }

    /// Gives up a segment that turned out to be damaged, with the packs that no other one lists.
    pub fn drop_segment(&mut self, id: SegmentId) {
        self.segments.retain(|segment| segment.id() != id);
        self.list_packs();
    }

    fn has_segment(&self, id: SegmentId) -> bool {
        self.segments.iter().any(|segment| segment.id() == id)
    }

    /// Makes the list of packs anew; segments that list the same pack then share one description.
    fn list_packs(&mut self) {
        self.listed.clear();
        for segment in &mut self.segments {
            segment.share_packs(&mut self.listed);
        }
        let before = self.loose.len();
        self.loose.retain(|id, _| !self.listed.contains_key(id));
        if self.loose.len() < before {
            self.loose_records.retain(|record| self.loose.contains_key(&record.pack));
        }
    }

    /// Adds a pack whose footer is its index, with the objects of each of its frames, unless a segment lists it.
    pub fn add_loose(&mut self, info: Arc<PackInfo>, objects: &[Vec<ShortId>]) {
        if self.pack(&info.id).is_some() {
            return;
        }
        // The footer lists frames and objects together, so the two are equally many.
        for (frame, objects) in (0u32..).zip(objects).take(info.frames.len()) {
            let records = (0u32..).zip(objects).map(|(place, id)| LooseRecord {
                prefix: id.prefix(),
                pack: info.id,
                frame,
                place,
            });
            self.loose_records.extend(records);
        }
        self.loose.insert(info.id, info);
    }

    /// The places that may hold an object with this prefix; usually none or one.
    ///
    /// # Errors
    /// A segment cannot be read or is damaged. The others were not all asked then.
    pub fn lookup(&self, prefix: u64) -> Result<Vec<Place>, IndexError> {
        let mut found = Vec::new();
        for segment in &self.segments {
            segment.lookup(prefix, &mut found)?;
        }
        let first = LooseRecord { prefix, pack: PackId([0; PackId::LEN]), frame: 0, place: 0 };
        let records = self.loose_records.range(first..);
        for record in records.take_while(|record| record.prefix == prefix) {
            if let Some(pack) = self.loose.get(&record.pack) {
                found.push(Place {
                    pack: Arc::clone(pack),
                    frame: record.frame,
                    place: record.place,
                });
            }
        }
        if found.len() > 1 {
            // Two segments that were merged by two writers at the same time list the same packs.
            let mut seen = HashSet::with_capacity(found.len());
            found.retain(|place| seen.insert((place.pack.id, place.frame, place.place)));
        }
        Ok(found)
    }

    /// Every pack, once.
    pub fn packs(&self) -> impl Iterator<Item = &Arc<PackInfo>> {
        self.listed.values().chain(self.loose.values())
    }

    /// A pack by its name.
    pub fn pack(&self, id: &PackId) -> Option<Arc<PackInfo>> {
        let pack = self.listed.get(id).or_else(|| self.loose.get(id));
        pack.map(Arc::clone)
    }

    /// The segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of the segments.
    pub fn segment_ids(&self) -> impl Iterator<Item = SegmentId> {
        self.segments.iter().map(Segment::id)
    }

    /// The names of segments that others replace.
    pub fn replaced(&self) -> impl Iterator<Item = SegmentId> {
        self.replaced.iter().copied()
    }

    /// Learns which replaced segments are there still: merges do not name the others for ever.
    pub fn retain_replaced(&mut self, is_there: impl Fn(&SegmentId) -> bool) {
        for segment in &mut self.segments {
            segment.retain_replaced(&is_there);
        }
    }

    /// The packs that no segment lists.
    pub fn loose_packs(&self) -> impl Iterator<Item = &Arc<PackInfo>> {
        self.loose.values()
    }

    /// Number of packs that no segment lists.
    pub fn loose_count(&self) -> usize {
        self.loose.len()
    }

    /// Number of records; an object that is in two packs counts twice.
    pub fn object_count(&self) -> u64 {
        let listed: u64 = self.segments.iter().map(Segment::record_count).sum();
        listed + self.loose_records.len() as u64
    }
}

#[cfg(test)]
mod tests;
