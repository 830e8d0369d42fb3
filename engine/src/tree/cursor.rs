//! Moving forward through the nodes of one level, holding one node for each level above it.

use std::sync::Arc;

use bytes::Bytes;

use super::{Expected, Root, TreeError, value};
use crate::format::tree::Node;
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
    cursor: Option<Cursor>,
    /// Where the entry to come is: this key or above, and this place of the cursor's node once that was found.
    from: Bytes,
    place: Option<usize>,
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
            cursor: root.map(|root| Cursor::new(root, 0)),
            from: Bytes::copy_from_slice(from),
            place: None,
        }
    }

    fn advance(&mut self) -> Result<Option<(Bytes, Bytes)>, TreeError> {
        loop {
            let Some(cursor) = &mut self.cursor else {
                return Ok(None);
            };
            let items = &cursor.seek(&*self.reader, &self.from)?.node.items;
            let first = || items.partition_point(|item| item.key < self.from);
            let place = self.place.unwrap_or_else(first);
            if let Some(item) = items.get(place) {
                self.place = Some(place + 1);
                let value = value(&*self.reader, &item.payload)?;
                return Ok(Some((item.key.clone(), value)));
            }
            match cursor.end() {
                Some(end) => self.from = end.clone(),
                None => self.cursor = None,
            }
            self.place = None;
        }
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes), TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.cursor = None;
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Range {}
