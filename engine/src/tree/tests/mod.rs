//! What the tests of trees share: objects in memory, and a builder that is too simple to be wrong.

mod editing;
mod hostile;
mod listing;
mod reading;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::format::tree::{Item, encode_node};
use crate::object::{Identifier, WriteObject};

/// Objects in memory; clones share them.
#[derive(Clone)]
pub(crate) struct MemoryObjects {
    identifier: Identifier,
    objects: Arc<Mutex<HashMap<(Class, ObjectId), Bytes>>>,
    reads: Arc<Mutex<Vec<ObjectId>>>,
    writes: Arc<Mutex<Vec<ObjectId>>>,
}

impl MemoryObjects {
    pub(crate) fn new() -> Self {
        Self {
            identifier: Identifier::new([1; 32], [2; 32]),
            objects: Arc::default(),
            reads: Arc::default(),
            writes: Arc::default(),
        }
    }

    /// What was read since the last call.
    pub(crate) fn take_reads(&self) -> Vec<ObjectId> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }

    /// What was written since the last call, again or for the first time.
    pub(crate) fn take_writes(&self) -> Vec<ObjectId> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    /// The stored length of an object of class meta.
    pub(crate) fn length(&self, id: ObjectId) -> usize {
        self.objects.lock().unwrap()[&(Class::Meta, id)].len()
    }

    /// Puts bytes where they do not belong.
    pub(crate) fn forge(&self, id: ObjectId, bytes: Vec<u8>) {
        let mut objects = self.objects.lock().unwrap();
        objects.insert((Class::Meta, id), bytes.into());
    }

    fn add_all(&self, other: &Self) {
        let mut objects = self.objects.lock().unwrap();
        objects.extend(other.objects.lock().unwrap().clone());
    }
}

impl ReadObject for MemoryObjects {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        self.reads.lock().unwrap().push(*id);
        let objects = self.objects.lock().unwrap();
        let found = objects.get(&(class, *id)).cloned();
        found.ok_or(ObjectError::Missing { id: *id })
    }
}

impl WriteObject for MemoryObjects {
    fn write(&mut self, class: Class, plain: &[u8]) -> Result<ObjectId, ObjectError> {
        let id = self.identifier.id(class, plain);
        self.writes.lock().unwrap().push(id);
        let mut objects = self.objects.lock().unwrap();
        objects.insert((class, id), Bytes::copy_from_slice(plain));
        Ok(id)
    }
}

pub(super) type Map = BTreeMap<Bytes, Bytes>;

/// The sizes of the format.
pub(super) fn params() -> TreeParams {
    TreeParams::new([9; 32])
}

/// Sizes that make many levels of few entries.
pub(super) fn small_params() -> TreeParams {
    TreeParams { min: 30, target: 60, max: 1500, spill: 100, boundary_key: [9; 32] }
}

/// Step 8 of the specification read word by word: lay all items from left to right, level by level.
pub(super) fn naive(params: &TreeParams, map: &Map, objects: &mut MemoryObjects) -> Option<Root> {
    let mut items = Vec::new();
    for (key, value) in map {
        let length = value.len() as u64;
        let payload = if length > u64::from(params.spill) {
            let id = objects.write(Class::Meta, value).unwrap();
            Payload::Spilled { id, length }
        } else {
            Payload::Inline(value.clone())
        };
        let key = key.clone();
        items.push(Item { key, payload });
    }
    for level in 0.. {
        let mut nodes = Vec::new();
        let mut node: Vec<Item> = Vec::new();
        let mut size = 0;
        for item in &items {
            node.push(item.clone());
            let before = size;
            size += (encode_node(level, std::slice::from_ref(item)).len() - 3) as u64;
            if naive_end(params, level, before, size, &item.key) && (level == 0 || node.len() > 1) {
                nodes.push(std::mem::take(&mut node));
                size = 0;
            }
        }
        nodes.extend((!node.is_empty()).then_some(node));
        items = Vec::new();
        for node in nodes {
            let id = objects.write(Class::Meta, &encode_node(level, &node));
            let payload =
                Payload::Child { id: id.unwrap(), entries: node.iter().map(Item::entries).sum() };
            let key = node[0].key.clone();
            items.push(Item { key, payload });
        }
        match &items[..] {
            [] => return None,
            [Item { payload: Payload::Child { id, entries }, .. }] => {
                let (node, entries) = (*id, *entries);
                return Some(Root { node, level, entries });
            }
            _ => {}
        }
    }
    None
}

fn naive_end(params: &TreeParams, level: u8, before: u64, size: u64, key: &[u8]) -> bool {
    let weight = (before + 1..=size).map(|position| match position {
        p if p <= u64::from(params.min) => 0u128,
        p if p <= u64::from(params.target) => 1 << 9,
        _ => 1 << 11,
    });
    let threshold = (((1u128 << 64) * weight.sum::<u128>()) >> 20).min(1 << 64);
    let hash = blake3::keyed_hash(&params.boundary_key, &[&[level], key].concat());
    let hash = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
    size >= u64::from(params.max) || u128::from(hash) < threshold
}

/// A tree, its objects, and the map it should be.
pub(super) struct Model {
    pub(super) params: TreeParams,
    pub(super) objects: MemoryObjects,
    pub(super) root: Option<Root>,
    pub(super) map: Map,
}

impl Model {
    pub(super) fn new(params: TreeParams) -> Self {
        Self { params, objects: MemoryObjects::new(), root: None, map: Map::new() }
    }

    pub(super) fn of(
        params: TreeParams,
        entries: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Self {
        let mut model = Self::new(params);
        model.put_all(entries);
        model
    }

    pub(super) fn tree(&self) -> Tree {
        Tree::new(Arc::new(self.objects.clone()), self.root)
    }

    pub(super) fn put_all(&mut self, entries: impl IntoIterator<Item = (Bytes, Bytes)>) {
        self.edit(entries.into_iter().map(|(key, value)| (key, Some(value))));
    }

    /// Applies edits and returns what was written; nothing of that can be read meanwhile.
    pub(super) fn edit(
        &mut self,
        edits: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
    ) -> Vec<ObjectId> {
        let edits: BTreeMap<_, _> = edits.into_iter().collect();
        let mut stored = MemoryObjects::new();
        let mut sorted = edits.iter().map(|(key, value)| {
            let (key, value) = (key.clone(), value.clone());
            Ok(Edit { key, value })
        });
        self.root = edit(&self.params, &self.objects, self.root, &mut sorted, &mut stored).unwrap();
        self.objects.add_all(&stored);
        for (key, value) in edits {
            match value {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
        stored.take_writes()
    }

    /// All nodes, and all objects of values.
    pub(super) fn reachable(&self) -> (BTreeSet<ObjectId>, BTreeSet<ObjectId>) {
        let (mut nodes, mut values) = (BTreeSet::new(), BTreeSet::new());
        let mut visit = |visit: NodeVisit<'_>| {
            match visit {
                NodeVisit::Node { id, .. } => nodes.insert(id),
                NodeVisit::Spilled { id, .. } => values.insert(id),
                NodeVisit::Value { key, value } => {
                    assert_eq!(self.map.get(key), Some(value));
                    true
                }
            };
            Ok(Descend::Yes)
        };
        self.tree().nodes(&mut visit).unwrap();
        (nodes, values)
    }

    pub(super) fn naive_root(&self) -> Option<Root> {
        naive(&self.params, &self.map, &mut MemoryObjects::new())
    }

    /// Holds the tree against the map and against the tree built anew.
    pub(super) fn verify(&self) {
        assert_eq!(self.root, self.naive_root());
        let entries: Result<Map, _> = self.tree().range(b"").collect();
        assert_eq!(entries.unwrap(), self.map);
    }
}

/// A value of that length; equal seeds are equal values.
pub(super) fn value(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// Keys of 24 bytes that share much, and values of 22: 46 bytes an entry.
pub(super) fn numbered(count: usize) -> impl Iterator<Item = (Bytes, Bytes)> {
    (0..count).map(|number| {
        let key = format!("folder-{:05}/file-{number:06}", number / 100);
        (key.into(), value(22, number as u64))
    })
}
