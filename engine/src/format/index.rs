//! Index segments: blocks of records, a filter, a directory, a trailer (`docs/FORMAT.md` §7).

use std::sync::Arc;

use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef};

use super::pack::{FrameInfo, PackInfo, PackKind};
use super::{Corrupt, Reader, Writer};
use crate::crypto::{Domain, KEY_SECTION_LEN, TAG_LEN};
use crate::id::{PackId, RepositoryId, SegmentId};
use crate::object::Class;

/// Length of a segment's trailer in bytes.
pub const SEGMENT_TRAILER_LEN: u64 = 160;
/// The most records a block may have.
pub const BLOCK_RECORD_LIMIT: usize = 4096;
/// The longest sealed block that is read.
pub const BLOCK_LIMIT: u64 = /* 256 KiB */ 256 * 1024;
/// The longest sealed directory that is read.
pub const DIRECTORY_LIMIT: u64 = /* 256 MiB */ 256 * 1024 * 1024;
/// The longest sealed filter that is read: that of about 900 million objects.
pub const FILTER_LIMIT: u64 = /* 1 GiB */ 1024 * 1024 * 1024;
/// The nonce of a segment's filter.
pub const FILTER_NONCE: u32 = u32::MAX - 1;
/// The nonce of a segment's directory.
pub const DIRECTORY_NONCE: u32 = u32::MAX;

const VERSION: u8 = 1;
const MAGIC: &[u8; 8] = b"ESKRINDX";
const RESERVED_LEN: usize = 27;
const PACK_LIMIT: u64 = /* 1 GiB */ 1024 * 1024 * 1024;
const FRAME_RAW_LIMIT: u64 = /* 16 MiB */ 16 * 1024 * 1024;
const FRAME_COUNT_LIMIT: u64 = 65_535;
const FRAME_OBJECT_LIMIT: u32 = 65_536;
/// A pack's entry with no frames: id, kind, length, two key sections, number of frames.
const SHORTEST_PACK: usize = PackId::LEN + 1 + 1 + 2 * KEY_SECTION_LEN + 1;
const SHORTEST_FRAME: usize = 3;
/// A block's entry: first prefix, sealed length.
const SHORTEST_BLOCK: usize = 8 + 1;

/// Where one object is: the pack by its place in the directory's list, the frame, the place within the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// The object's index prefix.
    pub prefix: u64,
    /// The pack's place in the directory's list.
    pub pack: u32,
    /// The frame's number within the pack.
    pub frame: u32,
    /// The object's place within the frame.
    pub place: u32,
}

/// The associated data of the part with this nonce.
pub fn segment_context(
    repository: RepositoryId,
    domain: Domain,
    segment: SegmentId,
    nonce: u32,
) -> Vec<u8> {
    let mut context = Writer(Vec::with_capacity(54));
    context.raw(b"esker v1 index").raw(&repository.0).u32(domain.0).raw(&segment.0).u32(nonce);
    context.0
}

/// Writes a block's records, which are ascending and at most [`BLOCK_RECORD_LIMIT`].
pub fn encode_block(records: &[Record], out: &mut Writer) {
    out.varint(records.len() as u64);
    let mut before = None;
    for record in records {
        match before {
            None => out.raw(&record.prefix.to_be_bytes()),
            Some(before) => out.varint(record.prefix.wrapping_sub(before)),
        };
        out.varint(record.pack.into()).varint(record.frame.into()).varint(record.place.into());
        before = Some(record.prefix);
    }
}

fn number(reader: &mut Reader<'_>, what: &str, limit: u32) -> Result<u32, Corrupt> {
    let value = reader.varint()?;
    u32::try_from(value)
        .ok()
        .filter(|&value| value < limit)
        .ok_or_else(|| reader.corrupt(format!("{what} {value}, where {limit} is the limit")))
}

/// Reads a block: at least one record, strictly ascending.
pub fn decode_block(bytes: &[u8]) -> Result<Vec<Record>, Corrupt> {
    let mut reader = Reader::new(bytes);
    let count = reader.count("records", BLOCK_RECORD_LIMIT as u64)?;
    if count == 0 {
        return Err(reader.corrupt("a block without records"));
    }
    let mut records: Vec<Record> = Vec::with_capacity(count);
    for _ in 0..count {
        let prefix = match records.last() {
            None => u64::from_be_bytes(reader.array()?),
            Some(before) => before
                .prefix
                .checked_add(reader.varint()?)
                .ok_or_else(|| reader.corrupt("a prefix of more than 64 bits"))?,
        };
        let record = Record {
            prefix,
            pack: number(&mut reader, "pack", u32::MAX)?,
            frame: number(&mut reader, "frame", FRAME_COUNT_LIMIT as u32)?,
            place: number(&mut reader, "place", FRAME_OBJECT_LIMIT)?,
        };
        if records.last().is_some_and(|before| *before >= record) {
            return Err(reader.corrupt("records that are not in ascending order"));
        }
        records.push(record);
    }
    reader.end()?;
    Ok(records)
}

/// A set that answers "certainly not" or "maybe" (0.4 % of what is not in it); empty, it always says maybe.
#[derive(Clone, Default)]
pub struct PrefixFilter {
    /// Descriptor and fingerprints as they are stored.
    bytes: Vec<u8>,
}

impl PrefixFilter {
    /// Builds one over distinct prefixes; an empty one where the construction does not succeed.
    pub fn build(prefixes: &[u64]) -> Self {
        let Some(filter) = BinaryFuse8::try_from(prefixes).ok() else {
            return Self::default();
        };
        let fingerprints = filter.dma_fingerprints();
        let mut descriptor = [0; BinaryFuse8::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut descriptor);
        Self { bytes: [&descriptor, fingerprints].concat() }
    }

    /// Takes a stored filter. Its shape is checked, so that no look-up leaves the fingerprints.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, Corrupt> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(&bytes);
        let _seed = reader.u64()?;
        let length = u64::from(reader.u32()?);
        let mask = u64::from(reader.u32()?);
        let count_length = u64::from(reader.u32()?);
        let fits = length.is_power_of_two()
            && mask == length - 1
            && count_length > 0
            && count_length % length == 0
            && count_length + 2 * length == reader.remaining() as u64
            && u32::try_from(count_length + 2 * length).is_ok();
        if !fits {
            return Err(reader.corrupt("a filter whose lengths do not fit together"));
        }
        Ok(Self { bytes })
    }

    /// As it is stored.
    pub fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    /// True for every prefix that was put in, and for some others.
    pub fn may_contain(&self, prefix: u64) -> bool {
        match self.bytes.split_at_checked(BinaryFuse8::DESCRIPTOR_LEN) {
            None => true,
            Some((descriptor, fingerprints)) => {
                BinaryFuse8Ref::from_dma(descriptor, fingerprints).contains(&prefix)
            }
        }
    }
}

impl std::fmt::Debug for PrefixFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrefixFilter({} bytes)", self.bytes.len())
    }
}

/// One block in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockInfo {
    /// The prefix of its first record.
    pub first: u64,
    /// Its sealed length.
    pub length: u32,
}

/// What a segment has: everything but the records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// The segments that this one replaces.
    pub replaces: Vec<SegmentId>,
    /// The packs that the records count.
    pub packs: Vec<Arc<PackInfo>>,
    /// The blocks, one after another from offset 0.
    pub blocks: Vec<BlockInfo>,
    /// Number of records in all blocks.
    pub records: u64,
}

fn check_pack(pack: &PackInfo) -> Result<(), Corrupt> {
    let wrong = |what: String| Err(Corrupt::new(format!("pack {}: {what}", pack.id.short())));
    if pack.length > PACK_LIMIT {
        return wrong(format!("{} bytes, more than the limit", pack.length));
    }
    if pack.frames.len() as u64 > FRAME_COUNT_LIMIT {
        return wrong(format!("{} frames, more than the limit", pack.frames.len()));
    }
    if let Some(frame) = pack.frames.iter().find(|frame| u64::from(frame.raw_len) > FRAME_RAW_LIMIT)
    {
        return wrong(format!("a frame of {} raw bytes", frame.raw_len));
    }
    let frames: u64 = pack.frames.iter().map(|frame| u64::from(frame.stored_len)).sum();
    if frames > pack.length {
        return wrong(format!("frames of {frames} bytes in a pack of {}", pack.length));
    }
    Ok(())
}

fn encode_pack(pack: &PackInfo, out: &mut Writer) {
    out.raw(&pack.id.0)
        .u8(pack.kind.code())
        .varint(pack.length)
        .raw(&pack.meta_section)
        .raw(&pack.data_section)
        .varint(pack.frames.len() as u64);
    for frame in &pack.frames {
        out.u8(frame.class.code()).varint(frame.stored_len.into()).varint(frame.raw_len.into());
    }
}

/// A count is refused before memory is taken for what could not follow.
fn things(reader: &mut Reader<'_>, what: &str, shortest: usize) -> Result<usize, Corrupt> {
    let limit = reader.remaining() / shortest;
    reader.count(what, limit as u64)
}

fn decode_frame(reader: &mut Reader<'_>) -> Result<FrameInfo, Corrupt> {
    let class = reader.u8()?;
    Ok(FrameInfo {
        class: Class::from_code(class)
            .ok_or_else(|| reader.corrupt(format!("a frame of the unknown class {class}")))?,
        stored_len: number(reader, "length of a frame", u32::MAX)?,
        raw_len: number(reader, "raw length of a frame", u32::MAX)?,
    })
}

fn decode_pack(reader: &mut Reader<'_>) -> Result<PackInfo, Corrupt> {
    let id = PackId(reader.array()?);
    let kind = reader.u8()?;
    let kind = PackKind::from_code(kind)
        .ok_or_else(|| reader.corrupt(format!("a pack of the unknown kind {kind}")))?;
    let length = reader.varint()?;
    let meta_section = reader.array()?;
    let data_section = reader.array()?;
    let count = things(reader, "frames", SHORTEST_FRAME)?;
    let frames = (0..count).map(|_| decode_frame(reader)).collect::<Result<_, _>>()?;
    let pack = PackInfo { id, kind, length, meta_section, data_section, frames };
    check_pack(&pack)?;
    Ok(pack)
}

fn decode_block_info(reader: &mut Reader<'_>, before: u64) -> Result<BlockInfo, Corrupt> {
    let first = u64::from_be_bytes(reader.array()?);
    if first < before {
        return Err(reader.corrupt("blocks that are not in ascending order"));
    }
    let length = number(reader, "length of a block", BLOCK_LIMIT as u32 + 1)?;
    if (length as usize) <= TAG_LEN {
        return Err(reader.corrupt("an empty block"));
    }
    Ok(BlockInfo { first, length })
}

impl Directory {
    /// Writes it.
    ///
    /// # Errors
    /// A pack is beyond what a reader accepts.
    pub fn encode(&self) -> Result<Vec<u8>, Corrupt> {
        let mut out = Writer::new();
        out.varint(self.replaces.len() as u64);
        for segment in &self.replaces {
            out.raw(&segment.0);
        }
        out.varint(self.packs.len() as u64);
        for pack in &self.packs {
            check_pack(pack)?;
            encode_pack(pack, &mut out);
        }
        out.varint(self.blocks.len() as u64);
        for block in &self.blocks {
            out.raw(&block.first.to_be_bytes()).varint(block.length.into());
        }
        out.varint(self.records);
        Ok(out.0)
    }

    /// Reads it. What its records say about packs and frames is for the reader of the blocks to compare.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let count = things(&mut reader, "replaced segments", SegmentId::LEN)?;
        let replaces =
            (0..count).map(|_| reader.array().map(SegmentId)).collect::<Result<_, _>>()?;
        let count = things(&mut reader, "packs", SHORTEST_PACK)?;
        let packs =
            (0..count).map(|_| decode_pack(&mut reader).map(Arc::new)).collect::<Result<_, _>>()?;
        let count = things(&mut reader, "blocks", SHORTEST_BLOCK)?;
        let mut blocks: Vec<BlockInfo> = Vec::with_capacity(count);
        for _ in 0..count {
            let before = blocks.last().map_or(0, |block| block.first);
            blocks.push(decode_block_info(&mut reader, before)?);
        }
        let records = reader.varint()?;
        let most = (count as u64).saturating_mul(BLOCK_RECORD_LIMIT as u64);
        if records < count as u64 || records > most {
            return Err(reader.corrupt(format!("{records} records in {count} blocks")));
        }
        reader.end()?;
        Ok(Self { replaces, packs, blocks, records })
    }
}

/// The last bytes of a segment, in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentTrailer {
    /// The segment's key, of class meta.
    pub section: [u8; KEY_SECTION_LEN],
    /// Length of the sealed directory.
    pub directory_len: u32,
    /// Length of the sealed filter.
    pub filter_len: u32,
    /// The segment's name.
    pub id: SegmentId,
    /// The dedup domain it belongs to.
    pub domain: Domain,
}

impl SegmentTrailer {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(SEGMENT_TRAILER_LEN as usize));
        out.raw(&self.section)
            .u32(self.directory_len)
            .u32(self.filter_len)
            .raw(&self.id.0)
            .u32(self.domain.0)
            .u8(VERSION)
            .raw(&[0; RESERVED_LEN])
            .raw(MAGIC);
        out.0
    }

    /// Reads it from exactly [`SEGMENT_TRAILER_LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let trailer = Self {
            section: reader.array()?,
            directory_len: reader.u32()?,
            filter_len: reader.u32()?,
            id: SegmentId(reader.array()?),
            domain: Domain(reader.u32()?),
        };
        let version = reader.u8()?;
        let reserved = reader.take(RESERVED_LEN)?;
        if reader.array()? != *MAGIC {
            return Err(
                reader.corrupt("no `ESKRINDX`: this is not an index segment, or a part of one")
            );
        }
        if version != VERSION {
            return Err(
                reader.corrupt(format!("version {version}, and this program knows {VERSION}"))
            );
        }
        if reserved.iter().any(|&byte| byte != 0) {
            return Err(reader.corrupt("reserved bytes in use, which this program does not know"));
        }
        if u64::from(trailer.directory_len) > DIRECTORY_LIMIT
            || u64::from(trailer.filter_len) > FILTER_LIMIT
        {
            return Err(reader.corrupt("a directory or filter longer than the limit"));
        }
        reader.end()?;
        Ok(trailer)
    }
}

#[cfg(test)]
mod tests;
