//! Visiting all of a tree, for checking it and for collecting garbage.

use bytes::Bytes;

use super::{Expected, Root, TreeError, value};
use crate::format::tree::Payload;
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

type Visit<'a> = dyn FnMut(NodeVisit<'_>) -> Result<Descend, TreeError> + 'a;
type Damaged<'a> = dyn FnMut(TreeError) -> Result<(), TreeError> + 'a;

pub(super) fn walk(
    reader: &dyn ReadObject,
    root: Option<Root>,
    visit: &mut Visit<'_>,
    damaged: &mut Damaged<'_>,
) -> Result<(), TreeError> {
    // Depth first, so that it never holds more than the items of one node a level.
    let mut open: Vec<Expected> = root.map(Expected::root).into_iter().collect();
    while let Some(expected) = open.pop() {
        let (id, level) = (expected.id, expected.level);
        if visit(NodeVisit::Node { id, level })? == Descend::No {
            continue;
        }
        let node = match expected.load(reader) {
            Ok((node, _)) => node,
            Err(error) => {
                damaged(error)?;
                continue;
            }
        };
        if node.level > 0 {
            let child = |place| Expected::child(&node, place, expected.end.as_ref());
            open.extend((0..node.items.len()).rev().filter_map(child));
            continue;
        }
        for item in &node.items {
            visit_value(reader, &item.key, &item.payload, visit, damaged)?;
        }
    }
    Ok(())
}

fn visit_value(
    reader: &dyn ReadObject,
    key: &Bytes,
    payload: &Payload,
    visit: &mut Visit<'_>,
    damaged: &mut Damaged<'_>,
) -> Result<(), TreeError> {
    if let Payload::Spilled { id, length } = *payload
        && visit(NodeVisit::Spilled { key, id, length })? == Descend::No
    {
        return Ok(());
    }
    match value(reader, payload) {
        Ok(value) => visit(NodeVisit::Value { key, value: &value }).map(drop),
        Err(error) => damaged(error),
    }
}
