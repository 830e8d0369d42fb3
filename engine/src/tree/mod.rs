//! Prolly trees: ordered maps whose root does not depend on history.
//!
//! A node ends where a keyed hash of its last key says so (`docs/FORMAT.md` §8), so equal maps are equal
//! nodes, a change rewrites one node a level, and comparing two trees reads only where they differ. All calls
//! block: they read and store objects.

mod boundary;
mod cursor;
mod diff;
mod edit;
mod list;
mod paths;
mod walk;

pub use boundary::TreeParams;
pub use cursor::Range;
pub use diff::{Diff, Difference, Keys, diff, diff_within};
pub use edit::{Edit, edit};
pub use list::{ListBuilder, ListVisit, Parts, list_nodes, parts};
pub use walk::{Descend, NodeVisit, Unreadable, Walker};

use std::sync::Arc;

use bytes::Bytes;

use crate::format::Corrupt;
use crate::format::tree::{KEY_LIMIT, Node, Payload, VALUE_LIMIT, decode_node};
use crate::id::{ObjectId, hex_encode};
use crate::object::{Class, ObjectError, ReadObject};
use cursor::Cursor;

/// Why a tree could not be read or edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A node's bytes are not those of the node that should be there.
    #[error("tree node {id} is damaged")]
    Corrupt {
        /// The node, or the object of a value.
        id: ObjectId,
        /// What is wrong with it.
        source: Corrupt,
    },
    /// An object of the tree could not be read.
    #[error("cannot read tree node {id}")]
    Read {
        /// The node, or the object of a value.
        id: ObjectId,
        /// Why.
        source: ObjectError,
    },
    /// An object of the tree could not be stored.
    #[error("cannot store a tree node")]
    Write {
        /// Why.
        source: ObjectError,
    },
    /// The edits are not in strictly ascending order.
    #[error("the edit of key `{}` comes after one of an equal or greater key", name(.key))]
    Order {
        /// The key that comes too late.
        key: Bytes,
    },
    /// A key is empty or too long.
    #[error("a key of {length} bytes is not between 1 and {KEY_LIMIT}")]
    KeyLength {
        /// Its length in bytes.
        length: usize,
    },
    /// A value is too long.
    #[error("the value of key `{}` has {length} bytes, more than {VALUE_LIMIT}", name(.key))]
    ValueLength {
        /// The value's key.
        key: Bytes,
        /// Its length in bytes.
        length: usize,
    },
    /// A content has more bytes than can be counted.
    #[error("a content is too long")]
    ContentLength,
    /// Whoever makes the edits failed.
    #[error("the changes to a tree cannot be produced")]
    Edits {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TreeError {
    fn corrupt(id: ObjectId, what: impl Into<String>) -> Self {
        let source = Corrupt::new(what);
        Self::Corrupt { id, source }
    }
}

/// The beginning of a key, for people: as text where it is text.
fn name(key: &[u8]) -> String {
    let start = key.get(..key.len().min(64)).unwrap_or_default();
    match std::str::from_utf8(start) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => hex_encode(start),
    }
}

/// The top of a tree that is not empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize)]
pub struct Root {
    /// The node.
    pub node: ObjectId,
    /// Its level.
    pub level: u8,
    /// How many entries the tree has.
    pub entries: u64,
}

/// An ordered map in a repository.
#[derive(Clone)]
pub struct Tree {
    reader: Arc<dyn ReadObject>,
    root: Option<Root>,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tree").field(&self.root).finish()
    }
}

impl Tree {
    /// The tree under a root; the empty one where there is none.
    pub fn new(reader: Arc<dyn ReadObject>, root: Option<Root>) -> Self {
        Self { reader, root }
    }

    /// Its root; `None` where it is empty.
    pub fn root(&self) -> Option<Root> {
        self.root
    }

    /// How many entries it has.
    pub fn entries(&self) -> u64 {
        self.root.map_or(0, |root| root.entries)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, TreeError> {
        let Some(root) = self.root else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(root, 0);
        let items = &cursor.seek(&*self.reader, key)?.node.items;
        let Ok(place) = items.binary_search_by(|item| (*item.key).cmp(key)) else {
            return Ok(None);
        };
        value(&*self.reader, &items[place].payload).map(Some)
    }

    /// All entries from a key on, ascending; reads as it goes, more nodes at a time the longer it goes on.
    pub fn range(&self, from: &[u8]) -> Range {
        Range::new(self.reader.clone(), self.root, from)
    }

    /// Visits all nodes and values, each node before what is below it; an error ends the walk.
    pub fn nodes(
        &self,
        visit: &mut dyn FnMut(NodeVisit<'_>) -> Result<Descend, TreeError>,
    ) -> Result<(), TreeError> {
        let mut walker = |found: NodeVisit<'_>| visit(found);
        walk::walk(&*self.reader, self.root, &mut walker)
    }

    /// Like [`nodes`](Self::nodes), but the walker is told what cannot be read, and the walk goes on without it.
    pub fn walk(&self, walker: &mut dyn Walker) -> Result<(), TreeError> {
        walk::walk(&*self.reader, self.root, walker)
    }
}

/// What the node above says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    id: ObjectId,
    level: u8,
    entries: u64,
    /// Its first key; unknown for a root.
    first: Option<Bytes>,
    /// All its keys are below this one.
    end: Option<Bytes>,
}

impl Expected {
    fn root(root: Root) -> Self {
        Self { id: root.node, level: root.level, entries: root.entries, first: None, end: None }
    }

    /// What `node` says of its child at `place`, where all keys of `node` are below `end`; `None` if it has no such child.
    fn child(node: &Node, place: usize, end: Option<&Bytes>) -> Option<Self> {
        let item = node.items.get(place)?;
        let Payload::Child { id, entries } = item.payload else {
            return None;
        };
        let next = node.items.get(place + 1).map(|item| &item.key);
        Some(Self {
            id,
            level: node.level.checked_sub(1)?,
            entries,
            first: Some(item.key.clone()),
            end: next.or(end).cloned(),
        })
    }

    /// Reads the node and holds it against what is expected; so levels descend one by one, and nothing loops.
    fn load(&self, reader: &dyn ReadObject) -> Result<(Node, Bytes), TreeError> {
        self.open(read(reader, self.id)?)
    }

    /// Reads several nodes at a time, each as [`load`](Self::load) does.
    fn load_many(
        reader: &dyn ReadObject,
        nodes: &[Self],
    ) -> impl Iterator<Item = Result<(Node, Bytes), TreeError>> {
        let ids: Vec<_> = nodes.iter().map(|node| node.id).collect();
        let read = reader.read_many(Class::Meta, &ids);
        nodes.iter().zip(read).map(|(node, read)| {
            node.open(read.map_err(|source| TreeError::Read { id: node.id, source })?)
        })
    }

    /// Takes the nodes that are next and of one level off a stack, the next one first: at most `most`.
    fn take_next(open: &mut Vec<Self>, most: usize) -> Vec<Self> {
        let level = open.last().map(|node| node.level);
        let alike = open.iter().rev().take(most).take_while(|node| Some(node.level) == level);
        let count = alike.count();
        let mut taken = open.split_off(open.len() - count);
        taken.reverse();
        taken
    }

    /// What a node above the leaves says of its children, in order.
    fn children(&self, node: &Node) -> impl Iterator<Item = Self> {
        let child = |place| Self::child(node, place, self.end.as_ref());
        (0..node.items.len()).filter_map(child)
    }

    /// Holds the bytes of the node against what is expected.
    fn open(&self, bytes: Bytes) -> Result<(Node, Bytes), TreeError> {
        let node =
            decode_node(&bytes).map_err(|source| TreeError::Corrupt { id: self.id, source })?;
        let first = node.items.first().map(|item| &item.key);
        let last = node.items.last().map(|item| &item.key);
        let wrong = if node.level != self.level {
            "its level is not the one expected"
        } else if node.entries != self.entries {
            "its number of entries is not the one expected"
        } else if self.first.is_some() && first != self.first.as_ref() {
            "its first key is not the one expected"
        } else if self.end.is_some() && last >= self.end.as_ref() {
            "its last key is not below the next node's first"
        } else {
            return Ok((node, bytes));
        };
        Err(TreeError::corrupt(self.id, wrong))
    }
}

/// So many nodes are asked for at a time, at most: about half a megabyte.
const BATCH: usize = 256;

fn read(reader: &dyn ReadObject, id: ObjectId) -> Result<Bytes, TreeError> {
    let read = reader.read(Class::Meta, &id);
    read.map_err(|source| TreeError::Read { id, source })
}

/// The bytes of a leaf's item.
fn value(reader: &dyn ReadObject, payload: &Payload) -> Result<Bytes, TreeError> {
    match payload {
        Payload::Inline(value) => Ok(value.clone()),
        Payload::Spilled { id, length } => spilled(*id, *length, read(reader, *id)?),
        Payload::Child { id, .. } => Err(TreeError::corrupt(*id, "a node where a value should be")),
    }
}

/// The bytes of several items, asked for at a time.
fn values(
    reader: &dyn ReadObject,
    payloads: &[&Payload],
) -> impl Iterator<Item = Result<Bytes, TreeError>> {
    let spilled_id = |payload: &&Payload| match payload {
        Payload::Spilled { id, .. } => Some(*id),
        _ => None,
    };
    let ids: Vec<_> = payloads.iter().filter_map(spilled_id).collect();
    let read = if ids.is_empty() { Vec::new() } else { reader.read_many(Class::Meta, &ids) };
    let mut read = read.into_iter();
    payloads.iter().map(move |payload| match payload {
        Payload::Inline(value) => Ok(value.clone()),
        Payload::Child { id, .. } => Err(TreeError::corrupt(*id, "a node where a value should be")),
        Payload::Spilled { id, length } => {
            let read = read.next().unwrap_or(Err(ObjectError::Missing { id: *id }));
            spilled(*id, *length, read.map_err(|source| TreeError::Read { id: *id, source })?)
        }
    })
}

fn spilled(id: ObjectId, length: u64, bytes: Bytes) -> Result<Bytes, TreeError> {
    if bytes.len() as u64 != length {
        return Err(TreeError::corrupt(id, format!("a value of {length} bytes is expected")));
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
