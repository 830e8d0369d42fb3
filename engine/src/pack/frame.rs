//! Frames: objects one after another, compressed together.

use std::ops::Range;

use bytes::Bytes;

use super::{PackError, Part};
use crate::compress::{CompressError, Compressor, Decompressor, Saving};
use crate::crypto::TAG_LEN;
use crate::format::pack::{Codec, FrameHead, MAX_FRAME_OBJECTS, MAX_FRAME_RAW_LEN};
use crate::format::{Corrupt, Writer};
use crate::id::ObjectId;
use crate::object::Class;

/// Objects that are collected for a frame.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// The class of all of them.
    pub class: Class,
    /// Their ids.
    pub ids: Vec<ObjectId>,
    /// Their lengths.
    pub lengths: Vec<u32>,
    /// Their bytes, one after another.
    pub payload: Vec<u8>,
}

impl RawFrame {
    /// An empty one.
    pub fn new(class: Class) -> Self {
        Self { class, ids: Vec::new(), lengths: Vec::new(), payload: Vec::new() }
    }

    /// Adds an object. What is too much for a frame is refused when the frame is encoded.
    pub fn push(&mut self, id: ObjectId, bytes: &[u8]) {
        self.ids.push(id);
        self.lengths.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.payload.extend_from_slice(bytes);
    }

    /// Forgets the objects and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.lengths.clear();
        self.payload.clear();
    }

    /// True without objects.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The sum of the objects' lengths.
    pub fn raw_len(&self) -> usize {
        self.payload.len()
    }

    fn check(&self) -> Result<(), PackError> {
        let within = |what, size: u64, limit: u64| {
            if size > limit {
                return Err(PackError::TooLarge { what, size, limit });
            }
            Ok(())
        };
        let objects = MAX_FRAME_OBJECTS as u64;
        within("objects in a frame", self.len() as u64, objects)?;
        let raw_len = self.raw_len() as u64;
        within("bytes in a frame", raw_len, MAX_FRAME_RAW_LEN)?;
        let sum: u64 = self.lengths.iter().map(|&length| u64::from(length)).sum();
        if self.is_empty() || self.lengths.len() != self.ids.len() || sum != raw_len {
            let what = "ids, lengths and bytes that do not belong together, or none";
            return Err(PackError::Corrupt { part: Part::LooseFrame, source: Corrupt::new(what) });
        }
        Ok(())
    }
}

/// A frame's head and payload, ready to be sealed.
#[derive(Debug)]
pub struct EncodedFrame {
    pub(super) class: Class,
    pub(super) raw_len: u32,
    pub(super) plain: Vec<u8>,
}

impl EncodedFrame {
    /// The class of its objects.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The sum of its objects' lengths.
    pub fn raw_len(&self) -> u32 {
        self.raw_len
    }

    /// The length that it will have in a pack.
    pub fn stored_len(&self) -> usize {
        self.plain.len() + TAG_LEN
    }
}

/// The objects of a frame that was opened.
#[derive(Debug, Clone)]
pub struct Frame {
    raw: Bytes,
    ends: Vec<u32>,
}

impl Frame {
    fn new(raw: Bytes, lengths: &[u32]) -> Self {
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        Self { ends: ends.collect(), raw }
    }

    fn range(&self, place: u32) -> Option<Range<usize>> {
        let place = place as usize;
        let end = *self.ends.get(place)? as usize;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        Some(start..end)
    }

    /// The object at a place, without copying it. It keeps the whole frame in memory.
    pub fn object(&self, place: u32) -> Option<Bytes> {
        self.range(place).map(|range| self.raw.slice(range))
    }

    /// The number of objects, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The sum of the objects' lengths.
    pub fn raw_len(&self) -> usize {
        self.raw.len()
    }
}

/// Encodes and decodes frames; keep one for each thread, for its contexts and buffers.
pub struct FrameCodec {
    compressor: Compressor,
    decompressor: Decompressor,
    /// A sealed frame is copied here and opened in place.
    pub(super) opened: Vec<u8>,
    /// Where a frame is decoded that nobody keeps.
    scratch: Vec<u8>,
    /// The memory of a frame that was stored, for the next.
    spare: Vec<u8>,
}

impl FrameCodec {
    /// Makes the contexts.
    pub fn new() -> Result<Self, PackError> {
        let failed = |source| PackError::Compress { source };
        Ok(Self {
            compressor: Compressor::new().map_err(failed)?,
            decompressor: Decompressor::new().map_err(failed)?,
            opened: Vec::new(),
            scratch: Vec::new(),
            spare: Vec::new(),
        })
    }

    /// Compresses a frame where that pays.
    ///
    /// # Errors
    /// `TooLarge` above the limits of the format, `Corrupt` if it is empty or its parts do not belong together.
    pub fn encode(&mut self, raw: &RawFrame) -> Result<EncodedFrame, PackError> {
        raw.check()?;
        let mut out = Writer(std::mem::take(&mut self.spare));
        out.0.clear();
        FrameHead::write(Codec::Zstd, None, &raw.lengths, &mut out);
        let saving = self
            .compressor
            .compress(&raw.payload, &mut out.0)
            .map_err(|source| PackError::Compress { source })?;
        if saving == Saving::DoesNotPay {
            out.0.clear();
            FrameHead::write(Codec::Stored, None, &raw.lengths, &mut out);
            out.raw(&raw.payload);
        }
        Ok(EncodedFrame { class: raw.class, raw_len: raw.raw_len() as u32, plain: out.0 })
    }

    /// Gives back the memory of a frame.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }

    /// Decodes head and payload of a frame that was opened.
    pub fn decode(&mut self, plain: &[u8]) -> Result<Frame, PackError> {
        decode(&mut self.decompressor, plain, Part::LooseFrame)
    }

    /// Decodes what was opened into [`opened`](Self::opened).
    pub(super) fn decode_opened(&mut self, part: Part) -> Result<Frame, PackError> {
        decode(&mut self.decompressor, &self.opened, part)
    }

    /// Decodes what was opened and shows it without keeping it; false if the raw length is another.
    pub(super) fn inspect_opened(
        &mut self,
        part: Part,
        mut look: impl FnMut(usize, &[u8]) -> bool,
    ) -> Result<bool, PackError> {
        let (head, payload) = head_of(&self.opened, part)?;
        let raw = match head.codec {
            Codec::Stored => payload,
            Codec::Zstd => {
                let raw_len = head.raw_len();
                self.decompressor
                    .decompress(payload, raw_len, &mut self.scratch)
                    .map_err(|error| payload_error(&error, part))?;
                &self.scratch
            }
        };
        let mut rest = raw;
        for (place, &length) in head.lengths.iter().enumerate() {
            let Some((object, after)) = rest.split_at_checked(length as usize) else {
                return Ok(false);
            };
            if !look(place, object) {
                return Ok(false);
            }
            rest = after;
        }
        Ok(rest.is_empty())
    }
}

fn payload_error(error: &CompressError, part: Part) -> PackError {
    PackError::Corrupt { part, source: Corrupt::new(error.to_string()) }
}

/// Reads the head and checks what does not need the payload opened.
fn head_of(plain: &[u8], part: Part) -> Result<(FrameHead, &[u8]), PackError> {
    let corrupt = |source| PackError::Corrupt { part, source };
    let (head, payload) = FrameHead::decode(plain).map_err(corrupt)?;
    if head.reference.is_some() {
        return Err(PackError::Reference { part });
    }
    if head.codec == Codec::Stored && payload.len() != head.raw_len() {
        let what = format!("a payload of {} bytes in a frame of {}", payload.len(), head.raw_len());
        return Err(corrupt(Corrupt::new(what)));
    }
    Ok((head, payload))
}

fn decode(decompressor: &mut Decompressor, plain: &[u8], part: Part) -> Result<Frame, PackError> {
    let (head, payload) = head_of(plain, part)?;
    let raw = match head.codec {
        Codec::Stored => Bytes::copy_from_slice(payload),
        Codec::Zstd => {
            let mut raw = Vec::new();
            decompressor
                .decompress(payload, head.raw_len(), &mut raw)
                .map_err(|error| payload_error(&error, part))?;
            Bytes::from(raw)
        }
    };
    Ok(Frame::new(raw, &head.lengths))
}
