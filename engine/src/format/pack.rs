//! Packs: frame heads, footers, trailers, and how long a padded pack is (`docs/FORMAT.md` §6).

use std::ops::Range;

use super::{Corrupt, Reader, Writer};
use crate::crypto::{KEY_SECTION_LEN, TAG_LEN};
use crate::id::{ObjectId, PackId, ShortId, Ulid, WriterId};
use crate::object::Class;

/// Length of a trailer.
pub const TRAILER_LEN: usize = 256;
/// A pack's greatest length.
pub const MAX_PACK_LEN: u64 = /* 1 GiB */ 1024 * 1024 * 1024;
/// The greatest number of frames in a pack.
pub const MAX_FRAMES: usize = 65_535;
/// The greatest sum of the lengths of a frame's objects.
pub const MAX_FRAME_RAW_LEN: u64 = /* 16 MiB */ 16 * 1024 * 1024;
/// The greatest length of a sealed frame: raw bytes, and a head that lists as many objects as there may be.
pub const MAX_FRAME_STORED_LEN: u64 = /* 17 MiB */ 17 * 1024 * 1024;
/// The greatest number of objects in a frame.
pub const MAX_FRAME_OBJECTS: usize = 65_536;
/// The greatest length of a sealed footer.
pub const MAX_FOOTER_LEN: u64 = /* 64 MiB */ 64 * 1024 * 1024;

const MAGIC: &[u8; 8] = b"ESKRPACK";
const VERSION: u8 = 1;
const FLAG_REFERENCE: u8 = 1;

/// Which classes of frames a pack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackKind {
    /// Meta frames only.
    Meta,
    /// Data frames only.
    Data,
    /// Both: the one pack of a small session.
    Mixed,
}

impl PackKind {
    /// Its code in the format.
    pub fn code(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Data => 1,
            Self::Mixed => 2,
        }
    }

    /// The kind of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Meta),
            1 => Some(Self::Data),
            2 => Some(Self::Mixed),
            _ => None,
        }
    }

    /// The letter at the end of its name; a mixed pack has none.
    pub fn letter(self) -> Option<char> {
        match self {
            Self::Meta => Some('m'),
            Self::Data => Some('d'),
            Self::Mixed => None,
        }
    }

    /// The kind of a letter at the end of a name.
    pub fn from_letter(letter: char) -> Option<Self> {
        match letter {
            'm' => Some(Self::Meta),
            'd' => Some(Self::Data),
            _ => None,
        }
    }

    /// True if a pack of this kind may have frames of that class.
    pub fn holds(self, class: Class) -> bool {
        match self {
            Self::Meta => class == Class::Meta,
            Self::Data => class == Class::Data,
            Self::Mixed => true,
        }
    }
}

/// What must be known of a frame before it is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// The class of its objects.
    pub class: Class,
    /// Its length in the pack, tag included.
    pub stored_len: u32,
    /// The sum of its objects' lengths.
    pub raw_len: u32,
}

/// What must be known of a pack before its frames are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackInfo {
    /// Its name.
    pub id: PackId,
    /// Which classes it has.
    pub kind: PackKind,
    /// Its length in bytes.
    pub length: u64,
    /// The key section of class meta.
    pub meta_section: [u8; KEY_SECTION_LEN],
    /// The key section of class data; zeros where no frame has that class.
    pub data_section: [u8; KEY_SECTION_LEN],
    /// Its frames, from offset 0, one after another.
    pub frames: Vec<FrameInfo>,
}

impl PackInfo {
    /// Where a frame lies; `None` if there is no such frame or the pack is too short for it.
    pub fn frame_range(&self, frame: u32) -> Option<Range<u64>> {
        let number = usize::try_from(frame).ok()?;
        let info = self.frames.get(number)?;
        let before = self.frames.iter().take(number);
        let start: u64 = before.map(|info| u64::from(info.stored_len)).sum();
        let end = start + u64::from(info.stored_len);
        (end <= self.length).then_some(start..end)
    }
}

/// A frame as the footer lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterFrame {
    /// The class of its objects.
    pub class: Class,
    /// Its length in the pack, tag included.
    pub stored_len: u32,
    /// The sum of its objects' lengths.
    pub raw_len: u32,
    /// Its objects, in order.
    pub objects: Vec<ShortId>,
}

impl FooterFrame {
    /// The frame without its objects.
    pub fn info(&self) -> FrameInfo {
        FrameInfo { class: self.class, stored_len: self.stored_len, raw_len: self.raw_len }
    }
}

/// A pack's own list of what it has; the index can be rebuilt from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// Who wrote the pack.
    pub writer: WriterId,
    /// In which session.
    pub session: Ulid,
    /// The frames, from offset 0, one after another.
    pub frames: Vec<FooterFrame>,
}

impl Footer {
    /// At most how many bytes a frame takes in a footer.
    pub fn frame_len(objects: usize) -> u64 {
        // Class, three numbers that fit into 32 bits, the ids.
        1 + 3 * 5 + objects as u64 * ShortId::LEN as u64
    }

    /// Writes it, not sealed.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&self.writer.0).raw(&self.session.0.to_be_bytes());
        out.varint(self.frames.len() as u64);
        for frame in &self.frames {
            out.u8(frame.class.code());
            out.varint(u64::from(frame.stored_len));
            out.varint(u64::from(frame.raw_len));
            out.varint(frame.objects.len() as u64);
            for id in &frame.objects {
                out.raw(&id.0);
            }
        }
        out.0
    }

    /// Reads it, once opened.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let writer = WriterId(reader.array()?);
        let session = Ulid(u128::from_be_bytes(reader.array()?));
        let count = reader.count("frames", MAX_FRAMES as u64)?;
        if count == 0 {
            return Err(reader.corrupt("a pack without frames"));
        }
        // The shortest frame takes 4 bytes and an id: memory is taken for as many as there can be.
        let possible = reader.remaining() / (4 + ShortId::LEN);
        let mut frames = Vec::with_capacity(count.min(possible));
        for _ in 0..count {
            frames.push(Self::decode_frame(&mut reader)?);
        }
        reader.end()?;
        Ok(Self { writer, session, frames })
    }

    fn decode_frame(reader: &mut Reader<'_>) -> Result<FooterFrame, Corrupt> {
        let class = class_of(reader)?;
        let stored_len = reader.count("bytes of a sealed frame", MAX_FRAME_STORED_LEN)?;
        if stored_len <= TAG_LEN {
            return Err(reader.corrupt(format!("a sealed frame of {stored_len} bytes")));
        }
        let raw_len = reader.count("raw bytes of a frame", MAX_FRAME_RAW_LEN)?;
        let count = object_count(reader)?;
        let ids = reader.take(count * ShortId::LEN)?;
        Ok(FooterFrame {
            class,
            stored_len: stored_len as u32,
            raw_len: raw_len as u32,
            objects: ids.chunks_exact(ShortId::LEN).filter_map(ShortId::from_slice).collect(),
        })
    }
}

fn class_of(reader: &mut Reader<'_>) -> Result<Class, Corrupt> {
    let code = reader.u8()?;
    Class::from_code(code).ok_or_else(|| reader.corrupt(format!("class {code}")))
}

fn object_count(reader: &mut Reader<'_>) -> Result<usize, Corrupt> {
    let count = reader.count("objects of a frame", MAX_FRAME_OBJECTS as u64)?;
    if count == 0 {
        return Err(reader.corrupt("a frame without objects"));
    }
    Ok(count)
}

/// The last bytes of a pack: its keys and the way to its footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// The key section of class meta.
    pub meta_section: [u8; KEY_SECTION_LEN],
    /// The key section of class data; zeros where no frame has that class.
    pub data_section: [u8; KEY_SECTION_LEN],
    /// Length of the sealed footer, which lies before the trailer.
    pub footer_len: u32,
    /// Length of the padding, which lies before the footer.
    pub padding_len: u32,
    /// The pack's name.
    pub pack: PackId,
    /// The number of its domain.
    pub domain: u32,
    /// Which classes it has.
    pub kind: PackKind,
}

impl Trailer {
    const RESERVED: [u8; 26] = [0; 26];

    /// Writes it.
    pub fn encode(&self) -> [u8; TRAILER_LEN] {
        let mut out = Writer::new();
        out.raw(&self.meta_section).raw(&self.data_section);
        out.u32(self.footer_len).u32(self.padding_len);
        out.raw(&self.pack.0).u32(self.domain);
        out.u8(self.kind.code()).u8(VERSION);
        out.raw(&Self::RESERVED).raw(MAGIC);
        let mut trailer = [0; TRAILER_LEN];
        trailer.copy_from_slice(&out.0);
        trailer
    }

    /// Reads exactly [`TRAILER_LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        // What it is and which version come last, and decide whether the rest means anything.
        let (_, end) = bytes
            .split_at_checked(TRAILER_LEN - MAGIC.len())
            .ok_or_else(|| Corrupt::new(format!("a trailer of {} bytes", bytes.len())))?;
        if end != MAGIC {
            return Err(Corrupt::new("no trailer of a pack"));
        }
        let mut reader = Reader::new(bytes);
        let meta_section = reader.array()?;
        let data_section = reader.array()?;
        let footer_len = reader.u32()?;
        let padding_len = reader.u32()?;
        let pack = PackId(reader.array()?);
        let domain = reader.u32()?;
        let code = reader.u8()?;
        let version = reader.u8()?;
        if version != VERSION {
            let what = format!("version {version}, of which this program knows {VERSION}");
            return Err(reader.corrupt(what));
        }
        let kind =
            PackKind::from_code(code).ok_or_else(|| reader.corrupt(format!("kind {code}")))?;
        if reader.array()? != Self::RESERVED {
            return Err(reader.corrupt("reserved bytes that are not zero"));
        }
        reader.take(MAGIC.len())?;
        reader.end()?;
        Ok(Self { meta_section, data_section, footer_len, padding_len, pack, domain, kind })
    }
}

/// How a frame's objects are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    Stored,
    /// As one zstd frame.
    Zstd,
}

impl Codec {
    /// Its code in the format.
    pub fn code(self) -> u8 {
        match self {
            Self::Stored => 0,
            Self::Zstd => 1,
        }
    }

    /// The codec of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Stored),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What comes before a frame's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHead {
    /// How the payload is stored.
    pub codec: Codec,
    /// The object whose plaintext is the zstd prefix, if there is one.
    pub reference: Option<ObjectId>,
    /// The lengths of the objects.
    pub lengths: Vec<u32>,
}

impl FrameHead {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        Self::write(self.codec, self.reference, &self.lengths, &mut out);
        out.0
    }

    /// Writes a head without making one.
    pub fn write(codec: Codec, reference: Option<ObjectId>, lengths: &[u32], out: &mut Writer) {
        let flags = if reference.is_some() { FLAG_REFERENCE } else { 0 };
        out.u8(codec.code()).u8(flags);
        out.varint(lengths.iter().map(|&length| u64::from(length)).sum());
        out.varint(lengths.len() as u64);
        for &length in lengths {
            out.varint(u64::from(length));
        }
        if let Some(reference) = reference {
            out.raw(&reference.0);
        }
    }

    /// Reads it from the beginning of an opened frame; returns the payload, too.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), Corrupt> {
        let mut reader = Reader::new(bytes);
        let code = reader.u8()?;
        let codec =
            Codec::from_code(code).ok_or_else(|| reader.corrupt(format!("codec {code}")))?;
        let flags = reader.u8()?;
        if flags & !FLAG_REFERENCE != 0 {
            return Err(reader.corrupt(format!("flags {flags:#04x}")));
        }
        let raw_len = reader.count("raw bytes of a frame", MAX_FRAME_RAW_LEN)? as u64;
        let count = object_count(&mut reader)?;
        // Each length takes a byte at least: memory is taken for as many as there can be.
        let mut lengths = Vec::with_capacity(count.min(reader.remaining()));
        let mut sum = 0;
        for _ in 0..count {
            let length = reader.count("bytes of an object", raw_len - sum)?;
            sum += length as u64;
            lengths.push(length as u32);
        }
        if sum != raw_len {
            let what = format!("objects of {sum} bytes in a frame of {raw_len}");
            return Err(reader.corrupt(what));
        }
        let reference =
            if flags & FLAG_REFERENCE == 0 { None } else { Some(ObjectId(reader.array()?)) };
        let payload = reader.take(reader.remaining())?;
        let head = Self { codec, reference, lengths };
        Ok((head, payload))
    }

    /// The sum of the objects' lengths.
    pub fn raw_len(&self) -> usize {
        self.lengths.iter().map(|&length| length as usize).sum()
    }
}

/// The length to which a pack is padded: PADMÉ, where the granularity is at most 64 KiB.
///
/// PADMÉ rounds up to as many leading bits as the exponent has digits, so a length says little and at most 12 % are lost.
pub fn padded_len(len: u64) -> u64 {
    let Some(exponent) = len.checked_ilog2() else {
        return 0;
    };
    let kept = exponent.checked_ilog2().map_or(0, |digits| digits + 1);
    let granularity = 1u64 << exponent.saturating_sub(kept).min(16);
    len.checked_next_multiple_of(granularity).unwrap_or(len)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
