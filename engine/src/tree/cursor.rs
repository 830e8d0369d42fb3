//! Moving forward through the nodes of one level, holding one node for each level above it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;

use super::{BATCH, Expected, Root, TreeError, value};
use crate::format::tree::{Item, Node};
use crate::object::ReadObject;

/// A place among the nodes of a level.
pub(super) struct Cursor {
    root: Root,
    level: u8,
    /// From the root down; empty before the first [`seek`](Self::seek).
    frames: Vec<Frame>,
}

pub(super) struct Frame {
    pub(super) expected: Expected,
    pub(super) node: Node,
    pub(super) bytes: Bytes,
    /// The item whose child the next frame is.
    place: usize,
}

impl Cursor {
    /// Starts before the nodes of `level`, which is at most the root's.
    pub(super) fn new(root: Root, level: u8) -> Self {
        Self { root, level, frames: Vec::new() }
    }

    /// Goes on to the node that `key` is in or would be in: the last that begins at or below it, else the first.
    ///
    /// Keys must not descend from one call to the next.
    pub(super) fn seek(
        &mut self,
        reader: &dyn ReadObject,
        key: &[u8],
    ) -> Result<&Frame, TreeError> {
        while self.end().is_some_and(|end| *end <= key) {
            self.frames.pop();
        }
        if self.frames.is_empty() {
            self.push(reader, Expected::root(self.root))?;
        }
        while let Some(frame) = self.frames.last_mut()
            && frame.node.level > self.level
        {
            let after = frame.node.items.partition_point(|item| item.key <= key);
            frame.place = after.saturating_sub(1);
            let child = Expected::child(&frame.node, frame.place, frame.expected.end.as_ref())
                .ok_or_else(|| TreeError::corrupt(frame.expected.id, "it has no child"))?;
            self.push(reader, child)?;
        }
        Ok(self.frames.last().expect("the root was pushed"))
    }

    fn push(&mut self, reader: &dyn ReadObject, expected: Expected) -> Result<(), TreeError> {
        let (node, bytes) = expected.load(reader)?;
        self.frames.push(Frame { expected, node, bytes, place: 0 });
        Ok(())
    }

    /// The first key of the next node; `None` at the last one, and before the first call of [`seek`](Self::seek).
    pub(super) fn end(&self) -> Option<&Bytes> {
        self.frames.last()?.expected.end.as_ref()
    }

    /// Whether it is at the first node of its level.
    pub(super) fn at_first(&self) -> bool {
        self.frames.iter().all(|frame| frame.place == 0)
    }
}

/// Entries of a tree in ascending order; made by [`Tree::range`](super::Tree::range).
pub struct Range {
    reader: Arc<dyn ReadObject>,
    /// Nodes still to be read, the next one last.
    open: Vec<Expected>,
    /// Leaves that were read ahead, and what is left of the first of them.
    leaves: VecDeque<Result<Node, TreeError>>,
    items: vec::IntoIter<Item>,
    /// So many nodes are read next: one at first, for whoever wants a few entries.
    width: usize,
    from: Bytes,
}

impl std::fmt::Debug for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}

impl Range {
    pub(super) fn new(reader: Arc<dyn ReadObject>, root: Option<Root>, from: &[u8]) -> Self {
        Self {
            reader,
            open: root.map(Expected::root).into_iter().collect(),
            leaves: VecDeque::new(),
            items: Vec::new().into_iter(),
            width: 1,
            from: Bytes::copy_from_slice(from),
        }
    }

    fn advance(&mut self) -> Result<Option<(Bytes, Bytes)>, TreeError> {
        loop {
            if let Some(item) = self.items.next() {
                let value = value(&*self.reader, &item.payload)?;
                return Ok(Some((item.key, value)));
            }
            if let Some(leaf) = self.leaves.pop_front() {
                let items = leaf?.items;
                let first = items.partition_point(|item| item.key < self.from);
                self.items = items.into_iter();
                self.items.by_ref().take(first).for_each(drop);
            } else if !self.read_ahead()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next nodes; false where there are none.
    fn read_ahead(&mut self) -> Result<bool, TreeError> {
        let wanted = Expected::take_next(&mut self.open, self.width);
        if wanted.first().is_some_and(|it| it.level == 0) {
            self.width = (self.width * 2).min(BATCH);
        }
        let mut below = Vec::new();
        let mut rest = &wanted[..];
        for loaded in Expected::load_many(&*self.reader, &wanted) {
            let expected = &rest[0];
            match loaded {
                Ok((node, _)) if node.level > 0 => {
                    let is_ahead =
                        |child: &Expected| child.end.as_ref().is_none_or(|end| *end > self.from);
                    below.extend(expected.children(&node).filter(is_ahead));
                }
                // What comes before it is handed out first.
                Err(_) if !below.is_empty() => break,
                Err(error) if expected.level > 0 => return Err(error),
                leaf => self.leaves.push_back(leaf.map(|(node, _)| node)),
            }
            rest = &rest[1..];
        }
        self.open.extend(rest.iter().rev().cloned());
        self.open.extend(below.into_iter().rev());
        Ok(!wanted.is_empty())
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes), TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.open.clear();
            self.leaves.clear();
            self.items = Vec::new().into_iter();
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Range {}
