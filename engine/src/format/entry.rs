//! Entries and the parts of contents. See `docs/FORMAT.md` §8.

use bytes::Bytes;

use super::{Corrupt, Reader, Writer};
use crate::entry::{Content, Entry, EntryKind, LinkGroup, Metadata, Part, Timestamp};
use crate::id::ObjectId;

const VERSION: u8 = 1;

/// The longest content that an entry holds itself.
pub const INLINE_LIMIT: usize = 64;
/// The most parts that an entry lists itself; more make a list tree.
pub const PARTS_LIMIT: usize = 24;
/// The longest part that can be written.
pub const PART_LENGTH_LIMIT: u64 = u64::MAX >> 1;

mod tag {
    pub(super) const MODIFIED: u64 = 1;
    pub(super) const CREATED: u64 = 2;
    pub(super) const CHANGED: u64 = 3;
    pub(super) const MODE: u64 = 4;
    pub(super) const OWNER: u64 = 5;
    pub(super) const USER: u64 = 6;
    pub(super) const GROUP: u64 = 7;
    pub(super) const LINK_TARGET: u64 = 8;
    pub(super) const LINK_GROUP: u64 = 9;
    pub(super) const DEVICE: u64 = 10;
    pub(super) const XATTRS: u64 = 11;
    pub(super) const MEDIA_TYPE: u64 = 12;
    /// Tags above this one are kept as they are.
    pub(super) const LAST: u64 = MEDIA_TYPE;
}

/// Writes a part; its length is at most [`PART_LENGTH_LIMIT`].
pub fn encode_part(writer: &mut Writer, part: &Part) {
    match part {
        Part::Data { id, length } => writer.varint(length << 1).raw(&id.0),
        Part::Hole { length } => writer.varint(length << 1 | 1),
    };
}

/// Reads a part.
pub fn decode_part(reader: &mut Reader<'_>) -> Result<Part, Corrupt> {
    let number = reader.varint()?;
    let length = number >> 1;
    if number & 1 == 1 {
        return Ok(Part::Hole { length });
    }
    Ok(Part::Data { id: ObjectId(reader.array()?), length })
}

/// Writes an entry.
///
/// Attributes that are out of order, twice there or outside their range are brought into the one form that
/// [`decode_entry`] reads; parts and inline contents must be within their limits.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let attributes = attributes(&entry.metadata);
    let mut writer = Writer::new();
    writer
        .u8(VERSION)
        .u8(entry.kind as u8)
        .varint(0)
        .varint(entry.size)
        .bytes(&entry.version)
        .varint(attributes.len() as u64);
    for (tag, value) in &attributes {
        writer.varint(*tag).bytes(value);
    }
    encode_content(&mut writer, &entry.content);
    writer.0
}

fn encode_content(writer: &mut Writer, content: &Content) {
    match content {
        Content::None => {
            writer.u8(0);
        }
        Content::Inline(bytes) => {
            writer.u8(1).bytes(bytes);
        }
        Content::Parts(parts) => {
            writer.u8(2).varint(parts.len() as u64);
            for part in parts {
                encode_part(writer, part);
            }
        }
        Content::List { top, parts } => {
            writer.u8(3).raw(&top.0).varint(*parts);
        }
    }
}

/// All attributes that are there, encoded, ascending by tag.
fn attributes(metadata: &Metadata) -> Vec<(u64, Bytes)> {
    let pair = |a: u64, b: u64| {
        let mut writer = Writer::new();
        writer.varint(a).varint(b);
        Bytes::from(writer.0)
    };
    let time = |time: Timestamp| {
        let zigzag = (time.seconds << 1) ^ (time.seconds >> 63);
        pair(zigzag as u64, u64::from(time.nanoseconds.min(999_999_999)))
    };
    let ids = |(a, b): (u32, u32)| pair(u64::from(a), u64::from(b));
    let known = [
        (tag::MODIFIED, metadata.modified.map(time)),
        (tag::CREATED, metadata.created.map(time)),
        (tag::CHANGED, metadata.changed.map(time)),
        (tag::MODE, metadata.mode.map(encode_mode)),
        (tag::OWNER, metadata.owner.map(ids)),
        (tag::USER, metadata.user.clone()),
        (tag::GROUP, metadata.group.clone()),
        (tag::LINK_TARGET, metadata.link_target.clone()),
        (tag::LINK_GROUP, metadata.link_group.map(|group| pair(group.device, group.inode))),
        (tag::DEVICE, metadata.device.map(ids)),
        (tag::XATTRS, encode_xattrs(&metadata.xattrs)),
        (tag::MEDIA_TYPE, metadata.media_type.clone()),
    ];
    let mut other: Vec<_> =
        metadata.other.iter().filter(|(tag, _)| *tag > tag::LAST).cloned().collect();
    other.sort_by_key(|(tag, _)| *tag);
    other.dedup_by_key(|(tag, _)| *tag);
    known.into_iter().filter_map(|(tag, value)| Some((tag, value?))).chain(other).collect()
}

fn encode_mode(mode: u32) -> Bytes {
    let mut writer = Writer::new();
    writer.varint(u64::from(mode & 0o7777));
    Bytes::from(writer.0)
}

fn encode_xattrs(xattrs: &[(Bytes, Bytes)]) -> Option<Bytes> {
    if xattrs.is_empty() {
        return None;
    }
    let mut sorted: Vec<_> = xattrs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|a, b| a.0 == b.0);
    let mut writer = Writer::new();
    writer.varint(sorted.len() as u64);
    for (name, value) in sorted {
        writer.bytes(name).bytes(value);
    }
    Some(Bytes::from(writer.0))
}

/// Reads an entry; refuses any bytes but those that [`encode_entry`] writes.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, Corrupt> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(reader.corrupt(format!("an entry of the unknown version {version}")));
    }
    let code = reader.u8()?;
    let kind: EntryKind = *EntryKind::ALL
        .get(usize::from(code))
        .ok_or_else(|| reader.corrupt(format!("an entry of the unknown kind {code}")))?;
    let flags = reader.varint()?;
    if flags != 0 {
        return Err(reader.corrupt(format!("an entry with the unknown flags {flags:#x}")));
    }
    let size = reader.varint()?;
    let version = Bytes::copy_from_slice(reader.bytes()?);
    let metadata = decode_attributes(&mut reader)?;
    let content = decode_content(&mut reader)?;
    reader.end()?;
    Ok(Entry { kind, size, version, metadata, content })
}

fn decode_attributes(reader: &mut Reader<'_>) -> Result<Metadata, Corrupt> {
    let mut metadata = Metadata::default();
    let limit = reader.remaining() as u64;
    let mut last = None;
    for _ in 0..reader.count("attributes", limit)? {
        let tag = reader.varint()?;
        if last.is_some_and(|last| last >= tag) {
            return Err(reader.corrupt(format!("attribute {tag} is not in ascending order")));
        }
        last = Some(tag);
        let at = reader.offset();
        let value = reader.bytes()?;
        decode_attribute(&mut metadata, tag, value).map_err(|corrupt| Corrupt {
            what: format!("attribute {tag}: {}", corrupt.what),
            offset: at + corrupt.offset,
        })?;
    }
    Ok(metadata)
}

fn decode_attribute(metadata: &mut Metadata, tag: u64, value: &[u8]) -> Result<(), Corrupt> {
    let mut reader = Reader::new(value);
    let whole = || Some(Bytes::copy_from_slice(value));
    match tag {
        0 => return Err(reader.corrupt("no attribute has the tag 0")),
        tag::MODIFIED => metadata.modified = Some(decode_time(&mut reader)?),
        tag::CREATED => metadata.created = Some(decode_time(&mut reader)?),
        tag::CHANGED => metadata.changed = Some(decode_time(&mut reader)?),
        tag::MODE => metadata.mode = Some(reader.count("as the mode", 0o7777)? as u32),
        tag::OWNER => metadata.owner = Some(decode_ids(&mut reader)?),
        tag::DEVICE => metadata.device = Some(decode_ids(&mut reader)?),
        tag::LINK_GROUP => {
            metadata.link_group =
                Some(LinkGroup { device: reader.varint()?, inode: reader.varint()? });
        }
        tag::XATTRS => metadata.xattrs = decode_xattrs(&mut reader)?,
        tag::USER => metadata.user = whole(),
        tag::GROUP => metadata.group = whole(),
        tag::LINK_TARGET => metadata.link_target = whole(),
        tag::MEDIA_TYPE => metadata.media_type = whole(),
        _ => metadata.other.push((tag, Bytes::copy_from_slice(value))),
    }
    match tag {
        tag::USER | tag::GROUP | tag::LINK_TARGET | tag::MEDIA_TYPE => Ok(()),
        _ if tag > tag::LAST => Ok(()),
        _ => reader.end(),
    }
}

fn decode_time(reader: &mut Reader<'_>) -> Result<Timestamp, Corrupt> {
    let zigzag = reader.varint()?;
    Ok(Timestamp {
        seconds: (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64),
        nanoseconds: reader.count("nanoseconds", 999_999_999)? as u32,
    })
}

fn decode_ids(reader: &mut Reader<'_>) -> Result<(u32, u32), Corrupt> {
    let limit = u64::from(u32::MAX);
    let first = reader.count("as a number", limit)? as u32;
    Ok((first, reader.count("as a number", limit)? as u32))
}

fn decode_xattrs(reader: &mut Reader<'_>) -> Result<Vec<(Bytes, Bytes)>, Corrupt> {
    let limit = reader.remaining() as u64;
    let count = reader.count("extended attributes", limit)?;
    if count == 0 {
        return Err(reader.corrupt("a list of no extended attributes"));
    }
    let mut xattrs: Vec<(Bytes, Bytes)> = Vec::new();
    for _ in 0..count {
        let name = Bytes::copy_from_slice(reader.bytes()?);
        if xattrs.last().is_some_and(|(last, _)| *last >= name) {
            return Err(reader.corrupt("extended attributes that are not in ascending order"));
        }
        xattrs.push((name, Bytes::copy_from_slice(reader.bytes()?)));
    }
    Ok(xattrs)
}

fn decode_content(reader: &mut Reader<'_>) -> Result<Content, Corrupt> {
    match reader.u8()? {
        0 => Ok(Content::None),
        1 => {
            let length = reader.count("bytes in an entry", INLINE_LIMIT as u64)?;
            Ok(Content::Inline(Bytes::copy_from_slice(reader.take(length)?)))
        }
        2 => {
            let count = reader.count("parts in an entry", PARTS_LIMIT as u64)?;
            let parts: Result<_, _> = (0..count).map(|_| decode_part(reader)).collect();
            Ok(Content::Parts(parts?))
        }
        3 => {
            let top = ObjectId(reader.array()?);
            let parts = reader.varint()?;
            if parts <= PARTS_LIMIT as u64 {
                return Err(reader.corrupt(format!("a list tree of only {parts} parts")));
            }
            Ok(Content::List { top, parts })
        }
        unknown => Err(reader.corrupt(format!("a content of the unknown form {unknown}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests;
