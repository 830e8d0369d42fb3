//! Edits that wait for their trees: in memory as far as they may, beyond that in sorted, sealed temporary files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::vec;

use bytes::Bytes;

use crate::crypto::{Aead, random};
use crate::error::Error;
use crate::format::{Reader, Writer};
use crate::repo::RepoError;

/// What an edit costs beside its bytes.
const EDIT_COST: usize = 128;
/// A run is written in blocks of about this size.
const BLOCK_BYTES: usize = /* 64 KiB */ 64 * 1024;

/// One edit of one collection's tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ops) struct CollectionEdit {
    /// Which collection.
    pub(in crate::ops) collection: u32,
    /// The key.
    pub(in crate::ops) key: Bytes,
    /// Of several edits of a key the one with the highest order counts: batch number, place in the batch.
    pub(in crate::ops) order: (u64, u32),
    /// The entry's encoding; `None` deletes.
    pub(in crate::ops) value: Option<Bytes>,
}

/// Edits in the order in which they came.
pub(in crate::ops) struct EditBuffer {
    edits: Vec<CollectionEdit>,
    bytes: usize,
    limit: usize,
    runs: Vec<Run>,
    /// Runs hold names and metadata: they are sealed under a key that only this process has.
    cipher: Aead,
    blocks: u32,
}

struct Run {
    file: File,
    blocks: Vec<(u32, u32)>,
}

impl EditBuffer {
    /// Holds at most about `limit` bytes in memory.
    pub(in crate::ops) fn new(limit: usize) -> Result<Self, Error> {
        let key: [u8; 32] = random().map_err(RepoError::from)?;
        let cipher = Aead::new(&key);
        Ok(Self { edits: Vec::new(), bytes: 0, limit, runs: Vec::new(), cipher, blocks: 0 })
    }

    /// True while there is nothing to apply.
    pub(in crate::ops) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.runs.is_empty()
    }

    /// Takes edits of one batch.
    pub(in crate::ops) fn extend(&mut self, edits: Vec<CollectionEdit>) -> Result<(), Error> {
        for edit in &edits {
            self.bytes += edit.key.len() + edit.value.as_ref().map_or(0, Bytes::len) + EDIT_COST;
        }
        self.edits.extend(edits);
        if self.bytes > self.limit { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.edits.sort_unstable();
        let mut run = Run { file: tempfile::tempfile().map_err(Error::Temporary)?, blocks: vec![] };
        let mut block = Writer::new();
        for edit in std::mem::take(&mut self.edits) {
            block.varint(edit.collection.into()).bytes(&edit.key);
            block.u64(edit.order.0).u32(edit.order.1);
            match &edit.value {
                Some(value) => block.u8(1).bytes(value),
                None => block.u8(0),
            };
            if block.0.len() >= BLOCK_BYTES {
                self.write_block(&mut run, &mut block)?;
            }
        }
        self.write_block(&mut run, &mut block)?;
        self.bytes = 0;
        self.runs.push(run);
        Ok(())
    }

    fn write_block(&mut self, run: &mut Run, block: &mut Writer) -> Result<(), Error> {
        let number = self.blocks;
        self.blocks += 1;
        self.cipher.seal(number, b"edits", &mut block.0);
        run.file.write_all(&block.0).map_err(Error::Temporary)?;
        run.blocks.push((number, block.0.len() as u32));
        block.0.clear();
        Ok(())
    }

    /// All edits ascending by collection and key, the last one of each key.
    pub(in crate::ops) fn into_sorted(mut self) -> Result<SortedEdits, Error> {
        self.edits.sort_unstable();
        let mut streams = vec![Stream::Memory(std::mem::take(&mut self.edits).into_iter())];
        for mut run in self.runs.drain(..) {
            run.file.seek(SeekFrom::Start(0)).map_err(Error::Temporary)?;
            let blocks = run.blocks.into_iter();
            streams.push(Stream::File { file: run.file, blocks, edits: vec![].into_iter() });
        }
        let mut sorted = SortedEdits { cipher: self.cipher, streams, heap: BinaryHeap::new() };
        for number in 0..sorted.streams.len() {
            sorted.refill(number)?;
        }
        Ok(sorted)
    }
}

enum Stream {
    Memory(vec::IntoIter<CollectionEdit>),
    File { file: File, blocks: vec::IntoIter<(u32, u32)>, edits: vec::IntoIter<CollectionEdit> },
}

/// A merge of sorted runs.
pub(in crate::ops) struct SortedEdits {
    cipher: Aead,
    streams: Vec<Stream>,
    heap: BinaryHeap<Reverse<(CollectionEdit, usize)>>,
}

fn decode_block(block: Vec<u8>) -> Result<Vec<CollectionEdit>, crate::format::Corrupt> {
    let bytes = Bytes::from(block);
    let mut reader = Reader::new(&bytes);
    let mut edits = Vec::new();
    while reader.remaining() > 0 {
        let collection = reader.varint()? as u32;
        let key = bytes.slice_ref(reader.bytes()?);
        let order = (reader.u64()?, reader.u32()?);
        let value = match reader.u8()? {
            0 => None,
            _ => Some(bytes.slice_ref(reader.bytes()?)),
        };
        edits.push(CollectionEdit { collection, key, order, value });
    }
    Ok(edits)
}

impl SortedEdits {
    fn refill(&mut self, number: usize) -> Result<(), Error> {
        let next = match &mut self.streams[number] {
            Stream::Memory(edits) => edits.next(),
            Stream::File { file, blocks, edits } => {
                if let (0, Some((block, length))) = (edits.len(), blocks.as_slice().first()) {
                    let mut bytes = vec![0; *length as usize];
                    file.read_exact(&mut bytes).map_err(Error::Temporary)?;
                    self.cipher
                        .open(*block, b"edits", &mut bytes, "temporary file")
                        .map_err(RepoError::from)?;
                    let damaged = |error| Error::Temporary(std::io::Error::other(error));
                    *edits = decode_block(bytes).map_err(damaged)?.into_iter();
                    blocks.next();
                }
                edits.next()
            }
        };
        if let Some(edit) = next {
            self.heap.push(Reverse((edit, number)));
        }
        Ok(())
    }

    /// The collection of the next edit.
    pub(in crate::ops) fn collection(&self) -> Option<u32> {
        self.heap.peek().map(|Reverse((edit, _))| edit.collection)
    }

    fn pop(&mut self) -> Result<Option<CollectionEdit>, Error> {
        let Some(Reverse((edit, number))) = self.heap.pop() else {
            return Ok(None);
        };
        self.refill(number)?;
        Ok(Some(edit))
    }

    /// The next edit of a collection, if there is one.
    pub(in crate::ops) fn next_of(
        &mut self,
        collection: u32,
    ) -> Result<Option<CollectionEdit>, Error> {
        if self.collection() != Some(collection) {
            return Ok(None);
        }
        let Some(mut last) = self.pop()? else {
            return Ok(None);
        };
        while self
            .heap
            .peek()
            .is_some_and(|Reverse((next, _))| next.collection == collection && next.key == last.key)
        {
            if let Some(later) = self.pop()? {
                last = later;
            }
        }
        Ok(Some(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn spilled_and_kept_edits_come_out_sorted_and_the_last_one_counts() {
        for limit in [0, 2_000, 1 << 30] {
            let mut buffer = EditBuffer::new(limit).unwrap();
            let mut model = BTreeMap::new();
            for batch in 0..40u64 {
                let mut edits = Vec::new();
                for place in 0..50u32 {
                    let number = (batch * 50 + u64::from(place)) * 7919 % 701;
                    let key = Bytes::from(format!("key {number}"));
                    let collection = (number % 3) as u32;
                    let value = (number % 5 != batch % 5)
                        .then(|| Bytes::from(vec![batch as u8; number as usize * 3]));
                    model.insert((collection, key.clone()), value.clone());
                    edits.push(CollectionEdit { collection, key, order: (batch, place), value });
                }
                buffer.extend(edits).unwrap();
            }
            let mut sorted = buffer.into_sorted().unwrap();
            let mut seen = Vec::new();
            while let Some(collection) = sorted.collection() {
                while let Some(edit) = sorted.next_of(collection).unwrap() {
                    seen.push(((edit.collection, edit.key), edit.value));
                }
            }
            assert_eq!(seen, model.into_iter().collect::<Vec<_>>(), "limit {limit}");
        }
    }
}
