//! The nodes on the way to keys that will be asked for, read level by level.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Expected, Root};
use crate::id::ObjectId;
use crate::object::{Class, ObjectError, ReadObject};

/// Reads objects; has the nodes on the paths to some keys already.
pub(super) struct Paths<'a> {
    reader: &'a dyn ReadObject,
    root: Option<Root>,
    nodes: Mutex<HashMap<ObjectId, Bytes>>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(reader: &'a dyn ReadObject, root: Option<Root>) -> Self {
        Self { reader, root, nodes: Mutex::default() }
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<ObjectId, Bytes>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the paths to these keys, which ascend, and gives up those of the last call.
    ///
    /// What cannot be read is told by whoever reads it then.
    pub(super) fn prepare(&self, keys: &[&Bytes]) {
        let mut nodes = HashMap::new();
        let mut level: Vec<(Expected, Range<usize>)> =
            self.root.map(|root| (Expected::root(root), 0..keys.len())).into_iter().collect();
        while !level.is_empty() {
            let (wanted, spans): (Vec<_>, Vec<_>) = level.drain(..).unzip();
            let loaded: Vec<_> = Expected::load_many(self.reader, &wanted).collect();
            for ((expected, span), loaded) in wanted.iter().zip(spans).zip(loaded) {
                let Ok((node, bytes)) = loaded else { continue };
                nodes.insert(expected.id, bytes);
                let mut start = span.start;
                for child in expected.children(&node) {
                    let is_below = |key: &&&Bytes| child.end.as_ref().is_none_or(|end| **key < end);
                    let count = keys[start..span.end].iter().take_while(is_below).count();
                    if count > 0 {
                        level.push((child, start..start + count));
                    }
                    start += count;
                }
            }
        }
        *self.nodes() = nodes;
    }
}

impl ReadObject for Paths<'_> {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        let known = self.nodes().get(id).cloned().filter(|_| class == Class::Meta);
        known.map_or_else(|| self.reader.read(class, id), Ok)
    }
}
