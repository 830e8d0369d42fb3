//! What a source holds and what a snapshot should hold, as plain maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::{Content, Entry, EntryKind, Metadata, Part};
use crate::error::Error;
use crate::format::commit::Commit;
use crate::object::{Class, ReadObject};
use crate::ops::{SnapshotTrees, display_key};
use crate::tree::parts;

/// A collection's name and a key in it.
pub type Key = (String, Bytes);

/// Everything that a source, or a snapshot of it, holds.
pub type Model = BTreeMap<Key, Item>;

/// One object of a source, with its content at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: EntryKind,
    /// What is known of it.
    pub metadata: Metadata,
    /// Its content, holes written out.
    pub content: Bytes,
}

impl Item {
    /// A record of a source.
    pub fn document(content: impl Into<Bytes>) -> Self {
        Self { kind: EntryKind::Document, metadata: Metadata::default(), content: content.into() }
    }

    /// A regular file.
    pub fn file(content: impl Into<Bytes>) -> Self {
        let metadata = Metadata { mode: Some(0o640), ..Metadata::default() };
        Self { kind: EntryKind::File, metadata, content: content.into() }
    }

    /// Its change token: equal for equal items.
    pub fn version(&self) -> Bytes {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?} {:?}", self.kind, self.metadata).as_bytes());
        hasher.update(&self.content);
        Bytes::copy_from_slice(&hasher.finalize().as_bytes()[..8])
    }

    /// The entry that a source pushes for it.
    pub fn entry(&self) -> Entry {
        Entry { version: self.version(), metadata: self.metadata.clone(), ..Entry::new(self.kind) }
    }
}

/// Bytes that nothing compresses, the same ones for the same seed.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// A text like a record of an issue tracker: it compresses, and differs for each seed.
pub fn words(seed: u64, length: usize) -> Bytes {
    const WORDS: [&str; 16] = [
        "status", "issue", "summary", "open", "the", "closed", "reporter", "field", "2026", "null",
        "true", "{", "}", "project", "comment", ":",
    ];
    let mut text = format!("{{\"id\":{seed}");
    for byte in &noise(seed, length / 4) {
        text.push(' ');
        text.push_str(WORDS[usize::from(byte % 16)]);
    }
    text.truncate(length.max(8));
    text.into_bytes().into()
}

/// Reads everything that a snapshot holds.
///
/// # Errors
/// The first thing that cannot be read, or that contradicts itself.
pub fn read_snapshot(reader: Arc<dyn ReadObject>, commit: &Commit) -> Result<Model, Error> {
    let trees = SnapshotTrees::new(Arc::clone(&reader), commit);
    let mut model = Model::new();
    for name in trees.names() {
        for entry in trees.entries(name, b"") {
            let (key, entry) = entry?;
            let item = read_item(&reader, &key, &entry)?;
            model.insert((name.to_owned(), key), item);
        }
    }
    Ok(model)
}

/// Reads one object of a snapshot; `None` where it has no such key.
///
/// # Errors
/// What cannot be read, or contradicts itself.
pub fn read_one(
    reader: &Arc<dyn ReadObject>,
    commit: &Commit,
    (collection, key): &Key,
) -> Result<Option<Item>, Error> {
    let trees = SnapshotTrees::new(Arc::clone(reader), commit);
    match trees.get(collection, key)? {
        Some(entry) => read_item(reader, key, &entry).map(Some),
        None => Ok(None),
    }
}

fn read_item(reader: &Arc<dyn ReadObject>, key: &[u8], entry: &Entry) -> Result<Item, Error> {
    let mut content = match &entry.content {
        Content::Inline(bytes) => bytes.to_vec(),
        _ => Vec::new(),
    };
    for part in parts(Arc::clone(reader), &entry.content) {
        match part? {
            Part::Data { id, .. } => content.extend_from_slice(&reader.read(Class::Data, &id)?),
            Part::Hole { length } => content.resize(content.len() + length as usize, 0),
        }
    }
    let item = Item { kind: entry.kind, metadata: entry.metadata.clone(), content: content.into() };
    let what = if entry.size != item.content.len() as u64 {
        "it has another size than its entry says"
    } else if !entry.version.is_empty() && entry.version != item.version() {
        "it is not what its change token says"
    } else {
        return Ok(item);
    };
    Err(Error::Content { path: display_key(key), what: what.into() })
}
