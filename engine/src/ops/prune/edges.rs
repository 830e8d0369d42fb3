//! What an object of a snapshot leads to: the nodes below it, values and lists of their own, and the contents' data.

use bytes::Bytes;

use crate::entry::{Content, Entry, Part};
use crate::error::Error;
use crate::format::commit::StoredRoot;
use crate::format::entry::decode_entry;
use crate::format::tree::{ListNode, Payload, decode_list_node, decode_node};
use crate::id::{ObjectId, ShortId};
use crate::ops::base::decode;
use crate::tree::TreeError;

/// How an object of class meta is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    /// A node of a tree.
    Node = 0,
    /// A value that is an object of its own.
    Value = 1,
    /// A node of a list.
    List = 2,
}

impl Kind {
    /// The kind of a code.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Node, Self::Value, Self::List].into_iter().find(|kind| *kind as u8 == code)
    }
}

/// An object that leads to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) id: ObjectId,
    /// Bytes of it; 0 where nobody says, which is of nodes.
    pub(super) length: u32,
}

impl Step {
    /// The top of a collection's tree.
    pub(super) fn root(root: &StoredRoot) -> Self {
        Self { kind: Kind::Node, id: root.node, length: 0 }
    }
}

/// What one object leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edges {
    /// Objects that lead further.
    pub(super) steps: Vec<Step>,
    /// Objects that lead nowhere.
    pub(super) data: Vec<ShortId>,
}

impl Edges {
    /// Those of an object, which was read and is the one asked for.
    ///
    /// # Errors
    /// If its bytes are not what its kind says.
    pub(super) fn of(step: &Step, bytes: &Bytes) -> Result<Self, Error> {
        let mut edges = Self::default();
        let corrupt = |source| TreeError::Corrupt { id: step.id, source };
        match step.kind {
            Kind::Node => {
                for item in decode_node(bytes).map_err(corrupt)?.items {
                    match item.payload {
                        Payload::Inline(value) => edges.entry(&decode(&item.key, &value)?),
                        Payload::Spilled { id, length } => {
                            let length = u32::try_from(length).unwrap_or(u32::MAX);
                            edges.steps.push(Step { kind: Kind::Value, id, length });
                        }
                        Payload::Child { id, .. } => edges.step(Kind::Node, id),
                    }
                }
            }
            Kind::Value => edges.entry(&decode_entry(bytes).map_err(corrupt)?),
            Kind::List => match decode_list_node(bytes).map_err(corrupt)? {
                ListNode::Parts(parts) => edges.parts(&parts),
                ListNode::Children { children, .. } => {
                    for (id, _) in children {
                        edges.step(Kind::List, id);
                    }
                }
            },
        }
        Ok(edges)
    }

    fn step(&mut self, kind: Kind, id: ObjectId) {
        self.steps.push(Step { kind, id, length: 0 });
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.content {
            Content::None | Content::Inline(_) => {}
            Content::Parts(parts) => self.parts(parts),
            Content::List { top, .. } => self.step(Kind::List, *top),
        }
    }

    fn parts(&mut self, parts: &[Part]) {
        self.data.extend(parts.iter().filter_map(|part| match part {
            Part::Data { id, .. } => Some(id.to_short()),
            Part::Hole { .. } => None,
        }));
    }
}
