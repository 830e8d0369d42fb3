//! A snapshot as a source sees its last one, and as the other verbs read it.

use std::sync::Arc;

use bytes::Bytes;

use crate::entry::Entry;
use crate::error::Error;
use crate::format::commit::{Collection, Commit, StoredRoot};
use crate::format::entry::decode_entry;
use crate::object::ReadObject;
use crate::source::{BaseEntries, BaseError, ReadBase};
use crate::tree::{Root, Tree};

impl From<StoredRoot> for Root {
    fn from(StoredRoot { node, level, entries }: StoredRoot) -> Self {
        Self { node, level, entries }
    }
}

impl From<Root> for StoredRoot {
    fn from(Root { node, level, entries }: Root) -> Self {
        Self { node, level, entries }
    }
}

/// The trees of a snapshot.
#[derive(Clone)]
pub struct SnapshotTrees {
    reader: Arc<dyn ReadObject>,
    collections: Vec<Collection>,
}

impl SnapshotTrees {
    /// The trees that a commit names.
    pub fn new(reader: Arc<dyn ReadObject>, commit: &Commit) -> Self {
        Self { reader, collections: commit.collections.clone() }
    }

    /// What reads its objects.
    pub fn reader(&self) -> &Arc<dyn ReadObject> {
        &self.reader
    }

    /// The names of its collections, in the order of the commit.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.collections.iter().map(|collection| collection.name.as_str())
    }

    /// The tree of a collection; an empty one where there is none.
    pub fn tree(&self, collection: &str) -> Tree {
        let found = self.collections.iter().find(|known| known.name == collection);
        let root = found.and_then(|known| known.root).map(Root::from);
        Tree::new(Arc::clone(&self.reader), root)
    }

    /// The entry of a key.
    pub fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Entry>, Error> {
        let Some(value) = self.tree(collection).get(key)? else {
            return Ok(None);
        };
        decode(key, &value).map(Some)
    }

    /// All entries from a key on.
    pub fn entries(
        &self,
        collection: &str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(Bytes, Entry), Error>> + Send + use<> {
        self.tree(collection).range(from).map(|item| {
            let (key, value) = item?;
            let entry = decode(&key, &value)?;
            Ok((key, entry))
        })
    }
}

/// Reads an entry of a tree.
pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Entry, Error> {
    decode_entry(value).map_err(|source| Error::Entry { path: display_key(key), source })
}

/// A key for people: components joined by slashes, what is no text escaped.
pub fn display_key(key: &[u8]) -> String {
    if key == [0] {
        return "/".into();
    }
    let parts =
        key.split(|&byte| byte == 0).map(|part| {
            let text = String::from_utf8_lossy(part);
            text.chars()
                .flat_map(|c| {
                    if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }
                })
                .collect::<String>()
        });
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

impl ReadBase for SnapshotTrees {
    fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Entry>, BaseError> {
        Self::get(self, collection, key).map_err(|error| base_error(collection, error))
    }

    fn entries(&self, collection: &str, from: &[u8]) -> BaseEntries {
        let name = collection.to_owned();
        let entries = Self::entries(self, collection, from);
        Box::new(entries.map(move |item| item.map_err(|error| base_error(&name, error))))
    }
}

fn base_error(collection: &str, error: Error) -> BaseError {
    BaseError { collection: collection.into(), source: error.into() }
}
