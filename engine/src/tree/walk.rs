//! Visiting all of a tree, for checking it and for collecting garbage.

use bytes::Bytes;

use super::{Expected, Root, TreeError, value};
use crate::format::tree::{Node, Payload};
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
    /// A value that is an object of its own, before it is read; [`Value`](Self::Value) follows.
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

    /// Is told what will be read next: who can read several objects at a time may do so now.
    fn ahead(&mut self, ids: &[ObjectId]) -> Result<(), TreeError> {
        let _ = ids;
        Ok(())
    }

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

/// Visits all of a tree, and reads up to `at_a_time` nodes of it before it goes on with what is below them.
pub(super) fn walk(
    reader: &dyn ReadObject,
    root: Option<Root>,
    at_a_time: usize,
    walker: &mut dyn Walker,
) -> Result<(), TreeError> {
    // Depth first, so that it never holds more than the items of a few nodes a level.
    let mut open: Vec<Expected> = root.map(Expected::root).into_iter().collect();
    while !open.is_empty() {
        let mut next = Vec::new();
        while next.len() < at_a_time
            && let Some(expected) = open.pop()
        {
            let (id, level) = (expected.id, expected.level);
            if walker.visit(NodeVisit::Node { id, level })? == Descend::Yes {
                next.push(expected);
            }
        }
        walker.ahead(&next.iter().map(|expected| expected.id).collect::<Vec<_>>())?;
        let mut below = Vec::new();
        let mut leaves = Vec::new();
        for expected in next {
            let (first, end, entries) =
                (expected.first.as_ref(), expected.end.as_ref(), expected.entries);
            match expected.load(reader) {
                Ok((node, _)) if node.level > 0 => {
                    let child = |place| Expected::child(&node, place, expected.end.as_ref());
                    below.extend((0..node.items.len()).filter_map(child));
                }
                Ok((node, _)) => leaves.push(node),
                Err(error) => {
                    // What comes before it in the order of the keys is told before it.
                    values(reader, std::mem::take(&mut leaves), walker)?;
                    let is_value = false;
                    walker.unreadable(Unreadable { error, first, end, entries, is_value })?;
                }
            }
        }
        values(reader, leaves, walker)?;
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Visits the values of nodes of level 0.
fn values(
    reader: &dyn ReadObject,
    leaves: Vec<Node>,
    walker: &mut dyn Walker,
) -> Result<(), TreeError> {
    let items: Vec<_> = leaves.into_iter().flat_map(|leaf| leaf.items).collect();
    let mut wanted = Vec::with_capacity(items.len());
    let mut spilled = Vec::new();
    for item in &items {
        let descend = match item.payload {
            Payload::Spilled { id, length } => {
                let descend = walker.visit(NodeVisit::Spilled { key: &item.key, id, length })?;
                spilled.extend((descend == Descend::Yes).then_some(id));
                descend
            }
            _ => Descend::Yes,
        };
        wanted.push(descend);
    }
    if !spilled.is_empty() {
        walker.ahead(&spilled)?;
    }
    for (item, _) in items.iter().zip(wanted).filter(|(_, wanted)| *wanted == Descend::Yes) {
        match value(reader, &item.payload) {
            Ok(value) => {
                walker.visit(NodeVisit::Value { key: &item.key, value: &value })?;
            }
            Err(error) => {
                let (first, is_value) = (Some(&item.key), true);
                walker.unreadable(Unreadable { error, first, end: None, entries: 1, is_value })?;
            }
        }
    }
    Ok(())
}
