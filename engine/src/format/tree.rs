//! Nodes of trees and of list trees. See `docs/FORMAT.md` §8 and §12.

use bytes::Bytes;

use super::entry::{decode_part, encode_part};
use super::wire::varint_len;
use super::{Corrupt, Reader, Writer};
use crate::entry::Part;
use crate::id::ObjectId;

const VERSION: u8 = 1;

/// The longest key.
pub const KEY_LIMIT: usize = 65_535;
/// The longest value: 16 MiB.
pub const VALUE_LIMIT: usize = 16 << 20;
/// The longest node, as stored and with its keys written out: 1 MiB.
pub const NODE_LIMIT: usize = 1 << 20;
/// How many levels a tree may have.
pub const LEVEL_LIMIT: u8 = 64;
/// The most items of a node of a list tree.
pub const LIST_ITEM_LIMIT: usize = 512;

/// What a node holds under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A value, at level 0.
    Inline(Bytes),
    /// A value that is an object of its own, at level 0.
    Spilled {
        /// The object, of class meta.
        id: ObjectId,
        /// Its length in bytes.
        length: u64,
    },
    /// A node of the level below, at the levels above 0.
    Child {
        /// The node.
        id: ObjectId,
        /// How many entries are below it.
        entries: u64,
    },
}

/// One item of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key; that of a child is the child's first.
    pub key: Bytes,
    /// What it stands for.
    pub payload: Payload,
}

impl Item {
    /// Its size for the boundary rule: the encoding as if no bytes were shared.
    pub fn size(&self) -> u64 {
        let payload = match &self.payload {
            Payload::Inline(value) => varint_len((value.len() as u64) << 1) + value.len(),
            Payload::Spilled { length, .. } => varint_len(length << 1 | 1) + ObjectId::LEN,
            Payload::Child { entries, .. } => ObjectId::LEN + varint_len(*entries),
        };
        (1 + varint_len(self.key.len() as u64) + self.key.len() + payload) as u64
    }

    /// How many entries it stands for.
    pub fn entries(&self) -> u64 {
        match self.payload {
            Payload::Child { entries, .. } => entries,
            _ => 1,
        }
    }
}

/// A node of a tree, with at least one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its level; 0 holds the values.
    pub level: u8,
    /// Its items, ascending by key.
    pub items: Vec<Item>,
    /// How many entries are below it.
    pub entries: u64,
}

/// Writes a node item by item.
#[derive(Debug, Default)]
pub struct NodeEncoder {
    body: Writer,
    previous: Bytes,
    items: u64,
}

impl NodeEncoder {
    /// Adds an item, whose key is above the last one's.
    pub fn push(&mut self, item: &Item) {
        let both = self.previous.iter().zip(&item.key);
        let shared = both.take_while(|(a, b)| a == b).count();
        let rest = item.key.get(shared..).unwrap_or_default();
        self.body.varint(shared as u64).bytes(rest);
        match &item.payload {
            Payload::Inline(value) => self.body.varint((value.len() as u64) << 1).raw(value),
            Payload::Spilled { id, length } => self.body.varint(length << 1 | 1).raw(&id.0),
            Payload::Child { id, entries } => self.body.raw(&id.0).varint(*entries),
        };
        self.previous = item.key.clone();
        self.items += 1;
    }

    /// How many items were added.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The node's bytes; the encoder is empty after it.
    pub fn finish(&mut self, level: u8) -> Vec<u8> {
        let mut node = Writer(Vec::with_capacity(self.body.0.len() + 12));
        node.u8(VERSION).u8(level).varint(self.items);
        node.raw(&self.body.0);
        self.body.0.clear();
        self.previous = Bytes::new();
        self.items = 0;
        node.0
    }
}

/// Writes a node.
pub fn encode_node(level: u8, items: &[Item]) -> Vec<u8> {
    let mut encoder = NodeEncoder::default();
    for item in items {
        encoder.push(item);
    }
    encoder.finish(level)
}

/// Reads a node; refuses any bytes but those that [`encode_node`] writes.
pub fn decode_node(bytes: &Bytes) -> Result<Node, Corrupt> {
    let mut reader = Reader::new(bytes);
    if bytes.len() > NODE_LIMIT {
        return Err(reader.corrupt(format!("a node of {} bytes", bytes.len())));
    }
    let version = reader.u8()?;
    if version != VERSION {
        return Err(reader.corrupt(format!("a node of the unknown version {version}")));
    }
    let level = decode_level(&mut reader)?;
    // An item takes at least four bytes, so the memory for them is in proportion to the node's.
    let limit = reader.remaining() as u64 / 4;
    let count = reader.count("items", limit)?;
    if count == 0 {
        return Err(reader.corrupt("a node without items"));
    }
    let mut keys = Keys::default();
    let mut payloads = Vec::with_capacity(count);
    let mut entries = 0u64;
    for _ in 0..count {
        keys.read(&mut reader)?;
        let payload = decode_payload(&mut reader, level, bytes)?;
        let below = match payload {
            Payload::Child { entries: 0, .. } => {
                return Err(reader.corrupt("a child without entries"));
            }
            Payload::Child { entries, .. } => entries,
            _ => 1,
        };
        entries = entries
            .checked_add(below)
            .ok_or_else(|| reader.corrupt("more entries than can be counted"))?;
        payloads.push(payload);
    }
    reader.end()?;
    let items = keys.finish().zip(payloads);
    Ok(Node { level, items: items.map(|(key, payload)| Item { key, payload }).collect(), entries })
}

fn decode_level(reader: &mut Reader<'_>) -> Result<u8, Corrupt> {
    let level = reader.u8()?;
    if level >= LEVEL_LIMIT {
        return Err(reader.corrupt(format!("a node of level {level}")));
    }
    Ok(level)
}

fn decode_payload(reader: &mut Reader<'_>, level: u8, bytes: &Bytes) -> Result<Payload, Corrupt> {
    if level > 0 {
        return Ok(Payload::Child { id: ObjectId(reader.array()?), entries: reader.varint()? });
    }
    let number = reader.varint()?;
    let length = number >> 1;
    if length > VALUE_LIMIT as u64 {
        return Err(reader.corrupt(format!("a value of {length} bytes")));
    }
    if number & 1 == 1 {
        let id = ObjectId(reader.array()?);
        return Ok(Payload::Spilled { id, length });
    }
    Ok(Payload::Inline(bytes.slice_ref(reader.take(length as usize)?)))
}

/// The keys of a node, written out one after another into one buffer.
#[derive(Default)]
struct Keys {
    buffer: Vec<u8>,
    ends: Vec<usize>,
    last: usize,
}

impl Keys {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        let previous = self.buffer.get(self.last..).unwrap_or_default();
        let shared = reader.count("shared bytes", previous.len() as u64)?;
        let rest = reader.bytes()?;
        let length = shared + rest.len();
        if length == 0 || length > KEY_LIMIT {
            return Err(reader.corrupt(format!("a key of {length} bytes")));
        }
        // Both at once: ascending, and no more bytes repeated than must be.
        if previous.get(shared).is_some_and(|next| rest.first() <= Some(next)) || rest.is_empty() {
            return Err(reader.corrupt("keys that do not ascend in their shortest form"));
        }
        // Without a limit, a small node could be written out to gigabytes.
        if self.buffer.len() + length > NODE_LIMIT {
            return Err(reader.corrupt("keys longer than a node can be"));
        }
        let start = self.buffer.len();
        self.buffer.extend_from_within(self.last..self.last + shared);
        self.buffer.extend_from_slice(rest);
        self.last = start;
        self.ends.push(self.buffer.len());
        Ok(())
    }

    fn finish(self) -> impl Iterator<Item = Bytes> {
        let keys = Bytes::from(self.buffer);
        self.ends
            .into_iter()
            .scan(0, move |start, end| Some(keys.slice(std::mem::replace(start, end)..end)))
    }
}

/// A node of a list tree, with at least one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListNode {
    /// Level 0: parts of the content.
    Parts(Vec<Part>),
    /// A higher level.
    Children {
        /// Its level, at least 1.
        level: u8,
        /// The nodes of the level below and how many bytes of the content each stands for.
        children: Vec<(ObjectId, u64)>,
    },
}

impl ListNode {
    /// Its level.
    pub fn level(&self) -> u8 {
        match self {
            Self::Parts(_) => 0,
            Self::Children { level, .. } => *level,
        }
    }

    /// How many bytes of the content it stands for; `None` where they cannot be counted.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Parts(parts) => {
                parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.length()))
            }
            Self::Children { children, .. } => {
                children.iter().try_fold(0u64, |sum, (_, length)| sum.checked_add(*length))
            }
        }
    }
}

/// Writes a node of a list tree.
pub fn encode_list_node(node: &ListNode) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(node.level());
    match node {
        ListNode::Parts(parts) => {
            writer.varint(parts.len() as u64);
            for part in parts {
                encode_part(&mut writer, part);
            }
        }
        ListNode::Children { children, .. } => {
            writer.varint(children.len() as u64);
            for (id, length) in children {
                writer.raw(&id.0).varint(*length);
            }
        }
    }
    writer.0
}

/// Reads a node of a list tree; refuses any bytes but those that [`encode_list_node`] writes.
pub fn decode_list_node(bytes: &[u8]) -> Result<ListNode, Corrupt> {
    let mut reader = Reader::new(bytes);
    let level = decode_level(&mut reader)?;
    let count = reader.count("items", LIST_ITEM_LIMIT as u64)?;
    if count == 0 {
        return Err(reader.corrupt("a node without items"));
    }
    let node = if level == 0 {
        let parts: Result<_, _> = (0..count).map(|_| decode_part(&mut reader)).collect();
        ListNode::Parts(parts?)
    } else {
        let mut child = || Ok((ObjectId(reader.array()?), reader.varint()?));
        let children: Result<_, Corrupt> = (0..count).map(|_| child()).collect();
        ListNode::Children { level, children: children? }
    };
    if node.length().is_none() {
        return Err(reader.corrupt("more bytes than can be counted"));
    }
    reader.end()?;
    Ok(node)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
