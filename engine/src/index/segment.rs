//! One segment: the directory and the filter in memory, blocks read when they are needed.

use std::collections::HashMap;
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{Block, BlockCache, compact};
use super::{IndexError, Part};
use crate::crypto::{ContainerId, DataKey, Domain, DomainKeys};
use crate::format::Corrupt;
use crate::format::index::{
    DIRECTORY_NONCE, Directory, FILTER_NONCE, PrefixFilter, Record, SEGMENT_TRAILER_LEN,
    SegmentTrailer, decode_block, segment_context,
};
use crate::format::pack::{FrameInfo, PackInfo};
use crate::id::{PackId, RepositoryId, SegmentId};
use crate::object::Class;

/// Reads parts of one segment. Blocks; several threads may read at once.
pub trait ReadSegment: Send + Sync {
    /// The segment's length in bytes.
    fn length(&self) -> u64;

    /// Reads exactly this range.
    fn read(&self, range: Range<u64>) -> Result<Bytes, Box<dyn Error + Send + Sync>>;
}

/// Where an object may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The pack.
    pub pack: Arc<PackInfo>,
    /// The frame's number within the pack.
    pub frame: u32,
    /// The object's place within the frame.
    pub place: u32,
}

/// Where a block begins, in the key space and in the segment.
#[derive(Debug, Clone, Copy)]
struct Fence {
    first: u64,
    offset: u64,
}

/// A segment opened for look-ups. Several threads may use it at once.
pub struct Segment {
    id: SegmentId,
    repository: RepositoryId,
    domain: Domain,
    key: DataKey,
    reader: Arc<dyn ReadSegment>,
    cache: Arc<BlockCache>,
    replaces: Vec<SegmentId>,
    /// Those of them that are there still, as far as is known.
    present: Vec<SegmentId>,
    packs: Vec<Arc<PackInfo>>,
    filter: PrefixFilter,
    fences: Vec<Fence>,
    /// Where the last block ends.
    blocks_end: u64,
    records: u64,
}

/// Read from the end at once, so that opening a small segment costs one request.
const TAIL: u64 = /* 64 KiB */ 64 * 1024;
/// How much [`Segment::records`] reads at once.
const READ_AHEAD: u64 = /* 1 MiB */ 1024 * 1024;

/// The bytes of a segment that is being opened.
struct Opening {
    id: SegmentId,
    reader: Arc<dyn ReadSegment>,
    tail_start: u64,
    tail: Bytes,
}

fn corrupt(segment: SegmentId, part: Part) -> impl Fn(Corrupt) -> IndexError {
    move |source| IndexError::Corrupt { segment, part, source }
}

fn read(
    reader: &dyn ReadSegment,
    id: SegmentId,
    part: Part,
    range: Range<u64>,
) -> Result<Bytes, IndexError> {
    let length = range.end - range.start;
    let bytes =
        reader.read(range).map_err(|source| IndexError::Read { segment: id, part, source })?;
    if bytes.len() as u64 != length {
        let what = format!("{} bytes where {length} were asked for", bytes.len());
        return Err(corrupt(id, part)(Corrupt::new(what)));
    }
    Ok(bytes)
}

impl Opening {
    fn part(&self, part: Part, range: Range<u64>) -> Result<Bytes, IndexError> {
        match range.start.checked_sub(self.tail_start) {
            None => read(&*self.reader, self.id, part, range),
            Some(start) => {
                let end = range.end - self.tail_start;
                Ok(self.tail.slice(start as usize..end as usize))
            }
        }
    }
}

fn fences(directory: &Directory, blocks_end: u64) -> Result<Vec<Fence>, Corrupt> {
    let mut offset = 0;
    let mut fences = Vec::with_capacity(directory.blocks.len());
    for block in &directory.blocks {
        fences.push(Fence { first: block.first, offset });
        offset += u64::from(block.length);
    }
    if offset != blocks_end {
        let what = format!("blocks of {offset} bytes where there are {blocks_end}");
        return Err(Corrupt::new(what));
    }
    Ok(fences)
}

impl Segment {
    /// Opens a segment: reads its trailer, directory and filter.
    ///
    /// # Errors
    /// `Corrupt` or `Crypto` if the bytes are not those of this segment of this domain, `Read` if they could not be had.
    pub fn open(
        keys: &DomainKeys,
        id: SegmentId,
        reader: Arc<dyn ReadSegment>,
        cache: &Arc<BlockCache>,
    ) -> Result<Self, IndexError> {
        let length = reader.length();
        let damaged = corrupt(id, Part::Trailer);
        let Some(end) = length.checked_sub(SEGMENT_TRAILER_LEN) else {
            return Err(damaged(Corrupt::new(format!("only {length} bytes"))));
        };
        let tail_start = length.saturating_sub(TAIL);
        let opening = Opening {
            id,
            tail_start,
            tail: read(&*reader, id, Part::Trailer, tail_start..length)?,
            reader,
        };
        let trailer = opening.part(Part::Trailer, end..length)?;
        let trailer = SegmentTrailer::decode(&trailer).map_err(&damaged)?;
        if trailer.id != id || trailer.domain != keys.domain {
            let what = format!("segment {} of domain {}", trailer.id, trailer.domain.0);
            return Err(damaged(Corrupt::new(what)));
        }
        let crypto = |source| IndexError::Crypto { segment: id, part: Part::Trailer, source };
        let mut segment = Self {
            id,
            repository: keys.repository,
            domain: keys.domain,
            key: DataKey::open(keys, Class::Meta, ContainerId(id.0), &trailer.section)
                .map_err(crypto)?,
            reader: Arc::clone(&opening.reader),
            cache: Arc::clone(cache),
            replaces: Vec::new(),
            present: Vec::new(),
            packs: Vec::new(),
            filter: PrefixFilter::default(),
            fences: Vec::new(),
            blocks_end: 0,
            records: 0,
        };
        segment.load(&opening, &trailer, end)?;
        Ok(segment)
    }

    /// Reads directory and filter, which end at `end`.
    fn load(
        &mut self,
        opening: &Opening,
        trailer: &SegmentTrailer,
        end: u64,
    ) -> Result<(), IndexError> {
        let too_short = || {
            let what = Corrupt::new("a directory and filter longer than the segment");
            corrupt(self.id, Part::Trailer)(what)
        };
        let directory_start =
            end.checked_sub(trailer.directory_len.into()).ok_or_else(too_short)?;
        let filter_start =
            directory_start.checked_sub(trailer.filter_len.into()).ok_or_else(too_short)?;

        let sealed = opening.part(Part::Directory, directory_start..end)?;
        let plain = self.unseal(Part::Directory, DIRECTORY_NONCE, sealed.into())?;
        let damaged = corrupt(self.id, Part::Directory);
        let directory = Directory::decode(&plain).map_err(&damaged)?;
        if directory.replaces.contains(&self.id) {
            return Err(damaged(Corrupt::new("a segment that replaces itself")));
        }
        self.fences = fences(&directory, filter_start).map_err(&damaged)?;

        let sealed = opening.part(Part::Filter, filter_start..directory_start)?;
        let plain = self.unseal(Part::Filter, FILTER_NONCE, sealed.into())?;
        self.filter = PrefixFilter::decode(plain).map_err(corrupt(self.id, Part::Filter))?;
        self.present.clone_from(&directory.replaces);
        self.replaces = directory.replaces;
        self.packs = directory.packs;
        self.records = directory.records;
        self.blocks_end = filter_start;
        Ok(())
    }

    fn unseal(&self, part: Part, nonce: u32, mut sealed: Vec<u8>) -> Result<Vec<u8>, IndexError> {
        let context = segment_context(self.repository, self.domain, self.id, nonce);
        self.key
            .aead
            .open(nonce, &context, &mut sealed, "part of an index segment")
            .map_err(|source| IndexError::Crypto { segment: self.id, part, source })?;
        Ok(sealed)
    }

    /// The segment's name.
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// The packs that its records count.
    pub fn packs(&self) -> &[Arc<PackInfo>] {
        &self.packs
    }

    /// The segments that it replaces.
    pub fn replaces(&self) -> &[SegmentId] {
        &self.replaces
    }

    /// Those of the segments it replaces that are there still, as far as is known: a merge names them.
    pub(super) fn still_replaces(&self) -> &[SegmentId] {
        &self.present
    }

    /// Learns which of the segments it replaces are there still.
    pub(super) fn retain_replaced(&mut self, is_there: impl Fn(&SegmentId) -> bool) {
        self.present.retain(is_there);
    }

    /// Number of records.
    pub fn record_count(&self) -> u64 {
        self.records
    }

    /// Bytes that it holds in memory, blocks in the cache not counted.
    pub fn resident_bytes(&self) -> u64 {
        let pack_bytes = |pack: &Arc<PackInfo>| {
            // The reference here, the two counts of the `Arc`, the pack, its frames.
            size_of_val(pack)
                + 2 * size_of::<usize>()
                + size_of::<PackInfo>()
                + pack.frames.capacity() * size_of::<FrameInfo>()
        };
        let packs: usize = self.packs.iter().map(pack_bytes).sum();
        let rest = size_of::<Self>()
            + self.filter.encoded().len()
            + self.fences.capacity() * size_of::<Fence>()
            + self.replaces.capacity() * size_of::<SegmentId>();
        (packs + rest) as u64
    }

    /// Takes the known descriptions of the packs that it lists, and makes the others known.
    pub(super) fn share_packs(&mut self, known: &mut HashMap<PackId, Arc<PackInfo>>) {
        for pack in &mut self.packs {
            let shared = known.entry(pack.id).or_insert_with(|| Arc::clone(pack));
            if *shared == *pack {
                *pack = Arc::clone(shared);
            }
        }
    }

    pub(super) fn block_range(&self, number: usize) -> Range<u64> {
        let end = self.fences.get(number + 1);
        self.fences[number].offset..end.map_or(self.blocks_end, |fence| fence.offset)
    }

    /// Opens and checks a block; what it says about packs and frames then holds.
    fn open_block(&self, number: usize, sealed: Vec<u8>) -> Result<Vec<Record>, IndexError> {
        let part = Part::Block(number as u32);
        let plain = self.unseal(part, number as u32, sealed)?;
        decode_block(&plain)
            .and_then(|records| self.check_block(number, &records).map(|()| records))
            .map_err(corrupt(self.id, part))
    }

    fn check_block(&self, number: usize, records: &[Record]) -> Result<(), Corrupt> {
        let after = self.fences.get(number + 1).map_or(u64::MAX, |fence| fence.first);
        let first = records.first().map(|record| record.prefix);
        if first != Some(self.fences[number].first)
            || records.last().is_some_and(|record| record.prefix > after)
        {
            return Err(Corrupt::new("prefixes other than the directory says"));
        }
        let frames = |pack: u32| self.packs.get(pack as usize).map_or(0, |pack| pack.frames.len());
        match records.iter().find(|record| record.frame as usize >= frames(record.pack)) {
            None => Ok(()),
            Some(record) => Err(Corrupt::new(format!("a pack or frame not listed: {record:?}"))),
        }
    }

    /// Where a record of this segment says that an object is.
    pub(super) fn place(&self, record: &Record) -> Place {
        // A record's pack is one of the listed: it was checked with its block.
        let pack = Arc::clone(&self.packs[record.pack as usize]);
        Place { pack, frame: record.frame, place: record.place }
    }

    fn block(&self, number: usize) -> Result<Block, IndexError> {
        if let Some(block) = self.cache.get(self.id, number as u32) {
            return Ok(block);
        }
        let part = Part::Block(number as u32);
        self.keep_block(number, self.read_part(part, self.block_range(number))?)
    }

    pub(super) fn read_part(&self, part: Part, range: Range<u64>) -> Result<Bytes, IndexError> {
        read(&*self.reader, self.id, part, range)
    }

    pub(super) fn has_block(&self, number: usize) -> bool {
        self.cache.get(self.id, number as u32).is_some()
    }

    /// Opens a block and puts it into the cache.
    pub(super) fn keep_block(&self, number: usize, sealed: Bytes) -> Result<Block, IndexError> {
        let part = Part::Block(number as u32);
        let records = self.open_block(number, sealed.into())?;
        let block = compact(&records).ok_or_else(|| {
            corrupt(self.id, part)(Corrupt::new("a frame or place beyond the limits"))
        })?;
        self.cache.put(self.id, number as u32, &block);
        Ok(block)
    }

    /// False where the filter excludes the prefix.
    pub(super) fn may_contain(&self, prefix: u64) -> bool {
        self.filter.may_contain(prefix)
    }

    /// The blocks in which a prefix is if it is anywhere.
    pub(super) fn blocks_of(&self, prefix: u64) -> Range<usize> {
        // The prefix may end the block before the first one that begins with it.
        let end = self.fences.partition_point(|fence| fence.first <= prefix);
        let start = self.fences[..end].partition_point(|fence| fence.first < prefix);
        start.saturating_sub(1)..end
    }

    /// Appends the places that may hold an object with this prefix.
    ///
    /// Reads nothing if the filter excludes the prefix, usually one block if not.
    pub fn lookup(&self, prefix: u64, found: &mut Vec<Place>) -> Result<(), IndexError> {
        if !self.may_contain(prefix) {
            return Ok(());
        }
        for number in self.blocks_of(prefix) {
            let block = self.block(number)?;
            let start = block.partition_point(|record| record.prefix < prefix);
            let records = block[start..].iter();
            found.extend(records.take_while(|record| record.prefix == prefix).map(|record| {
                Place {
                    pack: Arc::clone(&self.packs[record.pack as usize]),
                    frame: record.frame.into(),
                    place: record.place.into(),
                }
            }));
        }
        Ok(())
    }

    /// All records in ascending order, read block by block past the cache. Ends after the first error.
    pub fn records(&self) -> Records<'_> {
        self.records_ahead(READ_AHEAD)
    }

    /// As [`records`](Self::records), reading so many bytes at once.
    pub(super) fn records_ahead(&self, ahead: u64) -> Records<'_> {
        Records {
            read_ahead: ahead.min(READ_AHEAD),
            segment: self,
            next: 0,
            ahead: Bytes::new(),
            block: Vec::new().into_iter(),
            last: None,
            count: 0,
            ended: false,
        }
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment")
            .field("id", &self.id)
            .field("packs", &self.packs.len())
            .field("blocks", &self.fences.len())
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// The records of a segment, streaming.
pub struct Records<'a> {
    segment: &'a Segment,
    /// So many bytes are read at once, or one block.
    read_ahead: u64,
    /// The next block to open.
    next: usize,
    /// Bytes from the next block on that were read already.
    ahead: Bytes,
    block: std::vec::IntoIter<Record>,
    last: Option<Record>,
    count: u64,
    ended: bool,
}

impl Records<'_> {
    /// Reads a run of whole blocks at once.
    fn read_ahead(&mut self) -> Result<(), IndexError> {
        let segment = self.segment;
        let start = segment.block_range(self.next).start;
        let limit = start + self.read_ahead;
        let fits = |number: &usize| segment.block_range(*number).end <= limit;
        let last = (self.next..segment.fences.len()).take_while(fits).last();
        let end = segment.block_range(last.unwrap_or(self.next)).end;
        let part = Part::Block(self.next as u32);
        self.ahead = read(&*segment.reader, segment.id, part, start..end)?;
        Ok(())
    }

    fn next_block(&mut self) -> Result<(), IndexError> {
        if self.ahead.is_empty() {
            self.read_ahead()?;
        }
        let range = self.segment.block_range(self.next);
        let sealed = self.ahead.split_to((range.end - range.start) as usize);
        let records = self.segment.open_block(self.next, sealed.to_vec())?;
        // Within a block the order is checked already.
        if self.last.is_some() && self.last.as_ref() >= records.first() {
            let what = Corrupt::new("records before those of the block before");
            return Err(corrupt(self.segment.id, Part::Block(self.next as u32))(what));
        }
        self.last = records.last().copied();
        self.count += records.len() as u64;
        self.block = records.into_iter();
        self.next += 1;
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Record>, IndexError> {
        if let Some(record) = self.block.next() {
            return Ok(Some(record));
        }
        if self.next < self.segment.fences.len() {
            self.next_block()?;
            return Ok(self.block.next());
        }
        if self.count != self.segment.records {
            let what = format!("{} records, not {}", self.count, self.segment.records);
            return Err(corrupt(self.segment.id, Part::Directory)(Corrupt::new(what)));
        }
        Ok(None)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.step().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
