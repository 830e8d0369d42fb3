//! List trees: the parts of a long content, cut into nodes by the parts' ids.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{BATCH, Descend, TreeError};
use crate::entry::{Content, Part};
use crate::format::entry::{PART_LENGTH_LIMIT, PARTS_LIMIT};
use crate::format::tree::{
    LEVEL_LIMIT, LIST_ITEM_LIMIT, ListNode, decode_list_node, encode_list_node,
};
use crate::id::ObjectId;
use crate::object::{Class, ReadObject, WriteObject};

/// Gathers the parts of a content, in order.
#[derive(Debug, Default)]
pub struct ListBuilder {
    /// Zeros that the next part may continue.
    hole: u64,
    /// All parts as long as they are few.
    few: Vec<Part>,
    parts: u64,
    /// Level 0; not used as long as parts are few.
    leaf: Vec<Part>,
    /// From level 0 up: what is above each level, and the node of it that is held back.
    levels: Vec<Level>,
}

/// A level and what is being gathered for the level above.
#[derive(Debug, Default)]
struct Level {
    /// The first node of this level: a level of one node is the top, so that is not given to the level above until
    /// there is a second.
    first: Option<(ObjectId, u64)>,
    /// Whether there is a second.
    several: bool,
    /// The node above this level.
    above: Vec<(ObjectId, u64)>,
}

/// Whether a node ends after an item.
fn ends(id: &ObjectId, items: usize) -> bool {
    let [a, b, c, d, ..] = id.0;
    // Never after one item: a list of equal parts would else have levels as long as the one below.
    let cut = u32::from_le_bytes([a, b, c, d]).is_multiple_of(64) && items >= 2;
    cut || items >= LIST_ITEM_LIMIT
}

impl ListBuilder {
    /// An empty content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next part. Empty ones are left out, and holes that touch become one.
    pub fn push(&mut self, part: Part, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        if part.length() > PART_LENGTH_LIMIT {
            return Err(TreeError::ContentLength);
        }
        match part {
            Part::Hole { length } => {
                let hole = self.hole.checked_add(length);
                self.hole = hole
                    .filter(|hole| *hole <= PART_LENGTH_LIMIT)
                    .ok_or(TreeError::ContentLength)?;
                Ok(())
            }
            Part::Data { length: 0, .. } => Ok(()),
            Part::Data { .. } => {
                self.end_hole(writer)?;
                self.add(part, writer)
            }
        }
    }

    /// Ends the content: a list of parts if they are few, else a list tree.
    pub fn finish(mut self, writer: &mut dyn WriteObject) -> Result<Content, TreeError> {
        self.end_hole(writer)?;
        if self.parts <= PARTS_LIMIT as u64 {
            return Ok(Content::Parts(self.few));
        }
        self.end_leaf(writer)?;
        let mut at = 0;
        while let Some(level) = self.levels.get(at) {
            if let (Some((top, _)), false) = (level.first, level.several) {
                let parts = self.parts;
                return Ok(Content::List { top, parts });
            }
            self.end_above(at, writer)?;
            at += 1;
        }
        // More than 24 parts make at least one node, and a level has fewer than the one below it or is the top.
        Err(TreeError::ContentLength)
    }

    fn end_hole(&mut self, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        match std::mem::take(&mut self.hole) {
            0 => Ok(()),
            length => self.add(Part::Hole { length }, writer),
        }
    }

    fn add(&mut self, part: Part, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        self.parts += 1;
        if self.parts <= PARTS_LIMIT as u64 {
            self.few.push(part);
            return Ok(());
        }
        for part in std::mem::take(&mut self.few) {
            self.add_to_leaf(part, writer)?;
        }
        self.add_to_leaf(part, writer)
    }

    fn add_to_leaf(&mut self, part: Part, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        self.leaf.push(part);
        let full = self.leaf.len() >= LIST_ITEM_LIMIT;
        let ended = match &part {
            Part::Data { id, .. } => ends(id, self.leaf.len()),
            Part::Hole { .. } => full,
        };
        if ended { self.end_leaf(writer) } else { Ok(()) }
    }

    fn end_leaf(&mut self, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        if self.leaf.is_empty() {
            return Ok(());
        }
        let node = ListNode::Parts(std::mem::take(&mut self.leaf));
        self.store(0, &node, writer)
    }

    /// Ends the node above level `at`.
    fn end_above(&mut self, at: usize, writer: &mut dyn WriteObject) -> Result<(), TreeError> {
        let above = self.levels.get_mut(at).map(|level| &mut level.above);
        let children = above.map(std::mem::take).unwrap_or_default();
        if children.is_empty() {
            return Ok(());
        }
        let level = at as u8 + 1;
        self.store(at + 1, &ListNode::Children { level, children }, writer)
    }

    /// Stores a node of level `at` and tells the level above; that may end the node there, and so on.
    fn store(
        &mut self,
        at: usize,
        node: &ListNode,
        writer: &mut dyn WriteObject,
    ) -> Result<(), TreeError> {
        let length = node.length().ok_or(TreeError::ContentLength)?;
        let bytes = encode_list_node(node);
        let written = writer.write(Class::Meta, &bytes);
        let id = written.map_err(|source| TreeError::Write { source })?;
        if at >= usize::from(LEVEL_LIMIT) - 1 {
            return Err(TreeError::ContentLength);
        }
        if at == self.levels.len() {
            self.levels.push(Level::default());
        }
        let Some(level) = self.levels.get_mut(at) else {
            return Ok(());
        };
        let Some(first) = level.first else {
            level.first = Some((id, length));
            return Ok(());
        };
        if !std::mem::replace(&mut level.several, true) {
            self.add_above(at, first, writer)?;
        }
        self.add_above(at, (id, length), writer)
    }

    fn add_above(
        &mut self,
        at: usize,
        child: (ObjectId, u64),
        writer: &mut dyn WriteObject,
    ) -> Result<(), TreeError> {
        let Some(level) = self.levels.get_mut(at) else {
            return Ok(());
        };
        level.above.push(child);
        if ends(&child.0, level.above.len()) {
            self.end_above(at, writer)?;
        }
        Ok(())
    }
}

/// A node of a list tree that is still to be read.
#[derive(Clone, Copy)]
struct Expected {
    id: ObjectId,
    /// Its level and bytes, as the node above has them; unknown for the top.
    known: Option<(u8, u64)>,
}

impl Expected {
    fn top(id: ObjectId) -> Self {
        Self { id, known: None }
    }

    /// Reads several nodes at a time.
    fn load_many(
        reader: &dyn ReadObject,
        nodes: &[Self],
    ) -> impl Iterator<Item = Result<ListNode, TreeError>> {
        let ids: Vec<_> = nodes.iter().map(|node| node.id).collect();
        let read = reader.read_many(Class::Meta, &ids);
        nodes.iter().zip(read).map(|(node, read)| {
            node.open(&read.map_err(|source| TreeError::Read { id: node.id, source })?)
        })
    }

    /// Takes the nodes that are next and of one level off a stack, the next one first: at most `most`.
    fn take_next(open: &mut Vec<Self>, most: usize) -> Vec<Self> {
        let level = |node: &Self| node.known.map(|(level, _)| level);
        let next = open.last().map(level);
        let count = open.iter().rev().take(most).take_while(|it| Some(level(it)) == next).count();
        let mut taken = open.split_off(open.len() - count);
        taken.reverse();
        taken
    }

    fn open(self, bytes: &Bytes) -> Result<ListNode, TreeError> {
        let id = self.id;
        let node = decode_list_node(bytes);
        let node = node.map_err(|source| TreeError::Corrupt { id, source })?;
        let found = (node.level(), node.length().unwrap_or(u64::MAX));
        if self.known.is_some_and(|known| known != found) {
            let wrong = "its level or length is not the one expected";
            return Err(TreeError::corrupt(id, wrong));
        }
        Ok(node)
    }
}

/// What is to be read below a node, in order.
fn children(level: u8, children: Vec<(ObjectId, u64)>) -> impl Iterator<Item = Expected> {
    let below = level.saturating_sub(1);
    children.into_iter().map(move |(id, length)| Expected { id, known: Some((below, length)) })
}

/// The parts of a content, in order; reads as it goes. Contents without parts give none.
pub fn parts(reader: Arc<dyn ReadObject>, content: &Content) -> Parts {
    let mut parts = Parts {
        reader,
        open: Vec::new(),
        read: VecDeque::new(),
        ready: Vec::new().into_iter(),
        missing: None,
    };
    match content {
        Content::None | Content::Inline(_) => {}
        Content::Parts(few) => parts.ready = few.clone().into_iter(),
        Content::List { top, parts: count } => {
            parts.open.push(Expected::top(*top));
            parts.missing = Some((*top, *count));
        }
    }
    parts
}

/// So many leaves of a list are read at a time: about 4,000 parts.
const LEAVES: usize = 64;

/// Parts of a content in order; made by [`parts`].
pub struct Parts {
    reader: Arc<dyn ReadObject>,
    /// Nodes still to be read, the next one last.
    open: Vec<Expected>,
    /// Nodes that were read ahead.
    read: VecDeque<Result<ListNode, TreeError>>,
    ready: std::vec::IntoIter<Part>,
    /// The top, and how many of its parts are still to come.
    missing: Option<(ObjectId, u64)>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Parts {
    fn advance(&mut self) -> Result<Option<Part>, TreeError> {
        let wrong = |top| TreeError::corrupt(top, "its list has another number of parts");
        loop {
            if let Some(part) = self.ready.next() {
                if let Some((top, missing)) = &mut self.missing {
                    *missing = missing.checked_sub(1).ok_or_else(|| wrong(*top))?;
                }
                return Ok(Some(part));
            }
            match self.read.pop_front() {
                Some(node) => match node? {
                    ListNode::Parts(parts) => self.ready = parts.into_iter(),
                    ListNode::Children { level, children: below } => {
                        let below: Vec<_> = children(level, below).collect();
                        self.open.extend(below.into_iter().rev());
                    }
                },
                None if self.open.is_empty() => break,
                None => {
                    // Nodes above the leaves go one by one, so that what is below each comes before the next.
                    let is_leaf = |it: &Expected| it.known.is_some_and(|(level, _)| level == 0);
                    let most = if self.open.last().is_some_and(is_leaf) { LEAVES } else { 1 };
                    let wanted = Expected::take_next(&mut self.open, most);
                    self.read.extend(Expected::load_many(&*self.reader, &wanted));
                }
            }
        }
        match self.missing {
            Some((top, 1..)) => Err(wrong(top)),
            _ => Ok(None),
        }
    }
}

impl Iterator for Parts {
    type Item = Result<Part, TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.open.clear();
            self.read.clear();
            self.ready = Vec::new().into_iter();
            self.missing = None;
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Parts {}

/// What a walk through a list tree comes upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListVisit {
    /// A node, before it is read.
    Node(ObjectId),
    /// A part; what is answered makes no difference.
    Part(Part),
}

/// Visits all nodes and parts of a list tree, each node before what is below it.
pub fn list_nodes(
    reader: &dyn ReadObject,
    top: ObjectId,
    visit: &mut dyn FnMut(ListVisit) -> Result<Descend, TreeError>,
) -> Result<(), TreeError> {
    let mut open = vec![Expected::top(top)];
    while !open.is_empty() {
        let mut wanted = Vec::new();
        for node in Expected::take_next(&mut open, BATCH) {
            if visit(ListVisit::Node(node.id))? == Descend::Yes {
                wanted.push(node);
            }
        }
        let mut above = Vec::new();
        for node in Expected::load_many(reader, &wanted) {
            match node? {
                ListNode::Parts(parts) => {
                    for part in parts {
                        visit(ListVisit::Part(part))?;
                    }
                }
                ListNode::Children { level, children: below } => {
                    above.extend(children(level, below));
                }
            }
        }
        open.extend(above.into_iter().rev());
    }
    Ok(())
}
