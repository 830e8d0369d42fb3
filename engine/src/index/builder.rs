//! Builds segments: records in ascending order go in, sealed blocks come out.

use std::borrow::Borrow;
use std::sync::Arc;

use bytes::Bytes;

pub use crate::format::index::Record;

use super::{IndexError, Part};
use crate::crypto::{ContainerId, DataKey, DomainKeys, TAG_LEN, random};
use crate::format::index::{
    BlockInfo, DIRECTORY_LIMIT, DIRECTORY_NONCE, Directory, FILTER_LIMIT, FILTER_NONCE,
    PrefixFilter, SegmentTrailer, encode_block, segment_context,
};
use crate::format::pack::PackInfo;
use crate::format::{Corrupt, Writer};
use crate::id::SegmentId;
use crate::object::Class;

/// Small enough that a hit decodes little, large enough that the blocks' own entries cost nothing: 0.02 bytes a record.
const BLOCK_RECORDS: usize = 1024;

/// A segment, ready to be stored.
#[derive(Debug, Clone)]
pub struct BuiltSegment {
    /// Its name.
    pub id: SegmentId,
    /// All of it.
    pub bytes: Bytes,
}

/// Builds a segment from records in any order; a record that comes twice is stored once.
///
/// # Errors
/// `Corrupt` if a record counts a pack or frame that is not in the list, or a pack is beyond the format's limits;
/// `TooLarge` if the directory would be; `Crypto` if there is no key or no randomness.
pub fn build(
    keys: &DomainKeys,
    replaces: &[SegmentId],
    packs: &[impl Borrow<PackInfo>],
    mut records: Vec<Record>,
) -> Result<BuiltSegment, IndexError> {
    records.sort_unstable();
    let packs = packs.iter().map(|pack| Arc::new(pack.borrow().clone()));
    let mut writer = SegmentWriter::new(keys, replaces.to_vec(), packs.collect())?;
    for record in records {
        writer.push(record)?;
    }
    writer.finish()
}

/// Takes records in ascending order.
pub(super) struct SegmentWriter<'a> {
    keys: &'a DomainKeys,
    id: SegmentId,
    key: DataKey,
    directory: Directory,
    sealed: Vec<u8>,
    block: Vec<Record>,
    /// Distinct, for the filter.
    prefixes: Vec<u64>,
    last: Option<Record>,
}

impl<'a> SegmentWriter<'a> {
    pub(super) fn new(
        keys: &'a DomainKeys,
        replaces: Vec<SegmentId>,
        packs: Vec<Arc<PackInfo>>,
    ) -> Result<Self, IndexError> {
        let failed =
            |segment| move |source| IndexError::Crypto { segment, part: Part::Trailer, source };
        let id = SegmentId(random().map_err(failed(SegmentId([0; SegmentId::LEN])))?);
        let key = DataKey::generate(keys, Class::Meta, ContainerId(id.0)).map_err(failed(id))?;
        Ok(Self {
            keys,
            id,
            key,
            directory: Directory { replaces, packs, ..Directory::default() },
            sealed: Vec::new(),
            block: Vec::with_capacity(BLOCK_RECORDS),
            prefixes: Vec::new(),
            last: None,
        })
    }

    fn corrupt(&self, part: Part, source: Corrupt) -> IndexError {
        IndexError::Corrupt { segment: self.id, part, source }
    }

    /// A reader would refuse the block for such a record.
    fn check(&self, record: &Record) -> Result<(), Corrupt> {
        let pack = self.directory.packs.get(record.pack as usize);
        let frames = pack.map_or(0, |pack| pack.frames.len());
        if record.frame as usize >= frames || record.place > u32::from(u16::MAX) {
            return Err(Corrupt::new(format!("no such place: {record:?}")));
        }
        if self.last.is_some_and(|last| last > *record) {
            return Err(Corrupt::new("records that are not in ascending order"));
        }
        Ok(())
    }

    /// Adds the next record; the same one again is dropped.
    pub(super) fn push(&mut self, record: Record) -> Result<(), IndexError> {
        let part = Part::Block(self.directory.blocks.len() as u32);
        self.check(&record).map_err(|source| self.corrupt(part, source))?;
        if self.last == Some(record) {
            return Ok(());
        }
        if self.last.is_none_or(|last| last.prefix != record.prefix) {
            self.prefixes.push(record.prefix);
        }
        self.last = Some(record);
        self.block.push(record);
        self.directory.records += 1;
        if self.block.len() == BLOCK_RECORDS {
            self.end_block();
        }
        Ok(())
    }

    fn seal(&self, nonce: u32, mut plain: Vec<u8>) -> Vec<u8> {
        let context = segment_context(self.keys.repository, self.keys.domain, self.id, nonce);
        self.key.aead.seal(nonce, &context, &mut plain);
        plain
    }

    fn end_block(&mut self) {
        let Some(first) = self.block.first() else {
            return;
        };
        let first = first.prefix;
        let mut plain = Writer(Vec::with_capacity(BLOCK_RECORDS * 16 + TAG_LEN));
        encode_block(&self.block, &mut plain);
        let sealed = self.seal(self.directory.blocks.len() as u32, plain.0);
        self.directory.blocks.push(BlockInfo { first, length: sealed.len() as u32 });
        self.sealed.extend_from_slice(&sealed);
        self.block.clear();
    }

    /// Seals what is left and puts the parts together.
    pub(super) fn finish(mut self) -> Result<BuiltSegment, IndexError> {
        self.end_block();
        let mut filter = PrefixFilter::build(&self.prefixes);
        if filter.encoded().len() as u64 > FILTER_LIMIT - TAG_LEN as u64 {
            filter = PrefixFilter::default();
        }
        let filter = self.seal(FILTER_NONCE, filter.encoded().to_vec());
        let directory = self.directory.encode();
        let directory = directory.map_err(|source| self.corrupt(Part::Directory, source))?;
        if directory.len() as u64 > DIRECTORY_LIMIT - TAG_LEN as u64 {
            return Err(IndexError::TooLarge {
                what: format!("a directory of {} bytes", directory.len()),
            });
        }
        let directory = self.seal(DIRECTORY_NONCE, directory);
        let trailer = SegmentTrailer {
            section: self.key.section,
            directory_len: directory.len() as u32,
            filter_len: filter.len() as u32,
            id: self.id,
            domain: self.keys.domain,
        };
        let mut bytes = self.sealed;
        bytes.extend_from_slice(&filter);
        bytes.extend_from_slice(&directory);
        bytes.extend_from_slice(&trailer.encode());
        Ok(BuiltSegment { id: self.id, bytes: bytes.into() })
    }
}
