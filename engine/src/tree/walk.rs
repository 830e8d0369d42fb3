//! Visiting all of a tree, for checking it and for collecting garbage.

use bytes::Bytes;

use super::{BATCH, Expected, Root, TreeError, values};
use crate::format::tree::{Item, Payload};
use crate::id::ObjectId;
use crate::object::ReadObject;

/// What a walk comes upon.
#[derive(Debug)]
pub enum NodeVisit<'a> {
    /// A node, before it is read.
    Node {
        /// Which.
        id: ObjectId,
        /// Its level; 0 holds the values.
        level: u8,
    },
    /// A value that is an object of its own, before it is read; [`Value`](Self::Value) follows, not always at once.
    Spilled {
        /// The key of the value.
        key: &'a Bytes,
        /// The object, of class meta.
        id: ObjectId,
        /// Its length in bytes.
        length: u64,
    },
    /// A value; what is answered makes no difference.
    Value {
        /// The key.
        key: &'a Bytes,
        /// The value.
        value: &'a Bytes,
    },
}

/// Whether to read what was come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descend {
    /// Read it, and go on with what is below it.
    Yes,
    /// Leave it out: it was visited before.
    No,
}

/// What a walk could not read, and what the node above says was there.
#[derive(Debug)]
pub struct Unreadable<'a> {
    /// Why.
    pub error: TreeError,
    /// The first key that was there; unknown at the top of the tree.
    pub first: Option<&'a Bytes>,
    /// All keys that were there are below this one; unknown at the end of the tree.
    pub end: Option<&'a Bytes>,
    /// How many entries were there.
    pub entries: u64,
    /// True for the value of one entry, false for a node.
    pub is_value: bool,
}

/// What is told of a walk, in the order of the keys.
pub trait Walker {
    /// Comes upon something.
    fn visit(&mut self, visit: NodeVisit<'_>) -> Result<Descend, TreeError>;

    /// Comes upon what cannot be read; it is left out where this returns `Ok`.
    fn unreadable(&mut self, what: Unreadable<'_>) -> Result<(), TreeError> {
        Err(what.error)
    }
}

impl<F: FnMut(NodeVisit<'_>) -> Result<Descend, TreeError>> Walker for F {
    fn visit(&mut self, visit: NodeVisit<'_>) -> Result<Descend, TreeError> {
        self(visit)
    }
}

/// Visits all of a tree, many nodes of a level at a time.
pub(super) fn walk(
    reader: &dyn ReadObject,
    root: Option<Root>,
    walker: &mut dyn Walker,
) -> Result<(), TreeError> {
    // Depth first, so that it never holds more than the items of so many nodes a level.
    let mut open: Vec<Expected> = root.map(Expected::root).into_iter().collect();
    while !open.is_empty() {
        let mut wanted = Vec::new();
        for node in Expected::take_next(&mut open, BATCH) {
            if walker.visit(NodeVisit::Node { id: node.id, level: node.level })? == Descend::Yes {
                wanted.push(node);
            }
        }
        let mut below = Vec::new();
        for (expected, loaded) in wanted.iter().zip(Expected::load_many(reader, &wanted)) {
            match loaded {
                Ok((node, _)) if node.level > 0 => below.extend(expected.children(&node)),
                Ok((node, _)) => visit_values(reader, &node.items, walker)?,
                Err(error) => walker.unreadable(Unreadable {
                    error,
                    first: expected.first.as_ref(),
                    end: expected.end.as_ref(),
                    entries: expected.entries,
                    is_value: false,
                })?,
            }
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

/// So many bytes of values that are objects of their own are held at a time, or one value.
const SPILLED_BYTES: u64 = /* 4 MiB */ 4 * 1024 * 1024;

fn visit_values(
    reader: &dyn ReadObject,
    items: &[Item],
    walker: &mut dyn Walker,
) -> Result<(), TreeError> {
    let mut wanted: Vec<&Item> = Vec::new();
    let mut bytes = 0;
    for item in items {
        if let Payload::Spilled { id, length } = item.payload {
            if walker.visit(NodeVisit::Spilled { key: &item.key, id, length })? == Descend::No {
                continue;
            }
            if bytes + length > SPILLED_BYTES {
                visit_loaded(reader, &std::mem::take(&mut wanted), walker)?;
                bytes = 0;
            }
            bytes += length;
        }
        wanted.push(item);
    }
    visit_loaded(reader, &wanted, walker)
}

fn visit_loaded(
    reader: &dyn ReadObject,
    items: &[&Item],
    walker: &mut dyn Walker,
) -> Result<(), TreeError> {
    let payloads: Vec<_> = items.iter().map(|item| &item.payload).collect();
    for (item, value) in items.iter().zip(values(reader, &payloads)) {
        let key = &item.key;
        match value {
            Ok(value) => walker.visit(NodeVisit::Value { key, value: &value }).map(drop)?,
            Err(error) => {
                let (first, end, is_value) = (Some(key), None, true);
                walker.unreadable(Unreadable { error, first, end, entries: 1, is_value })?;
            }
        }
    }
    Ok(())
}
