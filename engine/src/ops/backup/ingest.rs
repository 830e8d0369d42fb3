//! From one change to one edit: reading, cutting, hashing, storing.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::edits::CollectionEdit;
use crate::chunk::Chunker;
use crate::context::RunContext;
use crate::entry::{Content, Entry, EntryKind, Part};
use crate::error::Error;
use crate::format::entry::encode_entry;
use crate::monitor::Counter;
use crate::problem::{Problem, ProblemKind};
use crate::repo::{FrameFiller, Lane};
use crate::source::{Change, ContentReader, Payload, Piece};
use crate::tree::ListBuilder;

/// A content of at most this many bytes is part of its entry.
const INLINE_BYTES: usize = 64;
/// Contents are read in pieces of this size.
const READ_BYTES: usize = /* 256 KiB */ 256 * 1024;

/// Figures that all workers add to.
#[derive(Debug, Default)]
pub(in crate::ops) struct IngestFigures {
    pub(in crate::ops) bytes_read: AtomicU64,
    pub(in crate::ops) new_objects: AtomicU64,
    pub(in crate::ops) new_bytes: AtomicU64,
}

/// Trouble with one key, whose base state stays.
pub(in crate::ops) struct KeyProblem {
    pub(in crate::ops) collection: usize,
    pub(in crate::ops) key: Bytes,
    pub(in crate::ops) problem: Problem,
    /// False where the entry was stored all the same.
    pub(in crate::ops) is_lost: bool,
}

/// One worker's tools.
pub(super) struct Ingest<'a> {
    pub(super) chunker: &'a Chunker,
    pub(super) filler: &'a mut FrameFiller,
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) figures: &'a IngestFigures,
    pub(super) ctx: &'a RunContext,
}

enum Read {
    Whole(Content, u64),
    Failed(Problem),
}

impl Ingest<'_> {
    /// Takes a change; what it cannot read becomes a problem.
    pub(super) fn change(
        &mut self,
        change: Change,
        order: (u64, u32),
        problems: &mut Vec<KeyProblem>,
    ) -> Result<Option<CollectionEdit>, Error> {
        let (collection, key, mut entry, payload) = match change {
            Change::Delete { collection, key } => {
                let collection = collection as u32;
                return Ok(Some(CollectionEdit { collection, key, order, value: None }));
            }
            Change::Put { collection, key, entry, payload } => (collection, key, entry, payload),
        };
        if let Some(problem) = self.content(&mut entry, payload)? {
            let is_lost = problem.1;
            problems.push(KeyProblem { collection, key: key.clone(), problem: problem.0, is_lost });
            if is_lost {
                return Ok(None);
            }
        }
        let value = Some(Bytes::from(encode_entry(&entry)));
        Ok(Some(CollectionEdit { collection: collection as u32, key, order, value }))
    }

    /// Fills in content and size. A problem comes with whether the entry is lost.
    fn content(
        &mut self,
        entry: &mut Entry,
        payload: Payload,
    ) -> Result<Option<(Problem, bool)>, Error> {
        let lane = match (entry.kind, &entry.metadata.media_type) {
            (EntryKind::Document, None) => Lane::Document,
            _ => Lane::File,
        };
        match payload {
            Payload::None => Ok(None),
            Payload::Bytes(bytes) => {
                self.count_read(bytes.len() as u64);
                entry.size = bytes.len() as u64;
                entry.content = self.bytes(lane, &bytes)?;
                Ok(None)
            }
            Payload::Path(path) => {
                let mut reader = super::path::PathReader::new(path);
                self.stream(lane, entry, &mut reader)
            }
            Payload::Reader { mut reader, .. } => self.stream(lane, entry, &mut *reader),
        }
    }

    fn count_read(&self, bytes: u64) {
        self.figures.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        self.ctx.monitor.count(Counter::BytesRead, bytes);
    }

    fn stream(
        &mut self,
        lane: Lane,
        entry: &mut Entry,
        reader: &mut dyn ContentReader,
    ) -> Result<Option<(Problem, bool)>, Error> {
        if let Err(problem) = reader.open(entry) {
            return Ok(Some((problem, true)));
        }
        match self.read(lane, reader)? {
            Read::Failed(problem) => Ok(Some((problem, true))),
            Read::Whole(content, size) => {
                entry.content = content;
                entry.size = size;
                let finished = reader.finish(size);
                if let Some(version) = finished.version {
                    entry.version = version;
                }
                Ok(finished.problem.map(|problem| (problem, false)))
            }
        }
    }

    fn bytes(&mut self, lane: Lane, bytes: &[u8]) -> Result<Content, Error> {
        if bytes.is_empty() {
            return Ok(Content::None);
        }
        if bytes.len() <= INLINE_BYTES {
            return Ok(Content::Inline(Bytes::copy_from_slice(bytes)));
        }
        let mut list = ListBuilder::new();
        if bytes.len() <= self.chunker.params().small as usize {
            self.chunk(lane, bytes, &mut list)?;
        } else {
            let mut rest = bytes;
            while let Some(length) = self.chunker.cut(rest, true).filter(|_| !rest.is_empty()) {
                let (chunk, after) = rest.split_at(length);
                self.chunk(lane, chunk, &mut list)?;
                rest = after;
            }
        }
        Ok(list.finish(self.filler)?)
    }

    fn chunk(&mut self, lane: Lane, chunk: &[u8], list: &mut ListBuilder) -> Result<(), Error> {
        if self.ctx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let id = self.filler.put(lane, chunk)?;
        let length = chunk.len() as u64;
        Ok(list.push(Part::Data { id, length }, self.filler)?)
    }

    /// Reads a content through the worker's buffer, which holds at most a piece and a chunk.
    fn read(&mut self, lane: Lane, reader: &mut dyn ContentReader) -> Result<Read, Error> {
        let mut buffer = std::mem::take(self.buffer);
        let room = READ_BYTES + self.chunker.params().max as usize;
        buffer.resize(room.max(buffer.len()), 0);
        let done = self.read_into(&mut buffer, lane, reader);
        *self.buffer = buffer;
        done
    }

    fn read_into(
        &mut self,
        buffer: &mut [u8],
        lane: Lane,
        reader: &mut dyn ContentReader,
    ) -> Result<Read, Error> {
        let mut list = ListBuilder::new();
        // `start..end` holds what was read and not stored; `cutting` is true once an extent has proven to be long.
        let (mut start, mut end, mut total, mut cutting) = (0, 0, 0u64, false);
        let mut is_plain = true;
        loop {
            if buffer.len() - end < READ_BYTES {
                buffer.copy_within(start..end, 0);
                (start, end) = (0, end - start);
            }
            let piece = match reader.read(&mut buffer[end..]) {
                Ok(piece) => piece,
                Err(error) => {
                    let (path, message) = (reader.path(), format!("it cannot be read: {error}"));
                    let kind = ProblemKind::Unreadable;
                    return Ok(Read::Failed(Problem { path, kind, message, stale: false }));
                }
            };
            let extent_ends = !matches!(piece, Piece::Data(_));
            if let Piece::Data(length) = piece {
                self.count_read(length as u64);
                total += length as u64;
                end += length;
            }
            if extent_ends && is_plain && piece == Piece::End && !cutting {
                let content = self.bytes(lane, &buffer[start..end])?;
                return Ok(Read::Whole(content, total));
            }
            cutting |= extent_ends || end - start > self.chunker.params().small as usize;
            while cutting && start < end {
                let Some(length) = self.chunker.cut(&buffer[start..end], extent_ends) else {
                    break;
                };
                self.chunk(lane, &buffer[start..start + length], &mut list)?;
                start += length;
            }
            match piece {
                Piece::Data(_) => {}
                Piece::Hole(length) => {
                    is_plain = false;
                    total += length;
                    list.push(Part::Hole { length }, self.filler)?;
                    (start, end) = (0, 0);
                }
                Piece::End => return Ok(Read::Whole(list.finish(self.filler)?, total)),
            }
        }
    }
}
