//! Read access of a source to its last snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::Entry;

/// The last snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("collection `{collection}` cannot be read")]
pub struct BaseError {
    /// The collection asked for.
    pub collection: String,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Entries in ascending order of key.
pub type BaseEntries = Box<dyn Iterator<Item = Result<(Bytes, Entry), BaseError>> + Send>;

/// Reads the trees of a snapshot. All calls block: use threads, or [`Base::get`] on async workers.
pub trait ReadBase: Send + Sync {
    /// The entry of a key.
    fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Entry>, BaseError>;

    /// All entries whose key is `from` or greater. An unknown collection is empty.
    fn entries(&self, collection: &str, from: &[u8]) -> BaseEntries;
}

/// The last snapshot of a source, complete or not, or a checkpoint of a broken run.
#[derive(Clone)]
pub struct Base {
    reader: Arc<dyn ReadBase>,
    cursors: BTreeMap<String, Vec<u8>>,
}

impl Base {
    /// Joins the trees of a snapshot and the cursors that it holds.
    pub fn new(reader: Arc<dyn ReadBase>, cursors: BTreeMap<String, Vec<u8>>) -> Self {
        Self { reader, cursors }
    }

    /// Where the last scan of a collection ended.
    pub fn cursor(&self, collection: &str) -> Option<&[u8]> {
        self.cursors.get(collection).map(Vec::as_slice)
    }

    /// The blocking reader, for sources that walk on threads of their own.
    pub fn reader(&self) -> &Arc<dyn ReadBase> {
        &self.reader
    }

    /// The entry of a key, from async code.
    pub async fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Entry>, BaseError> {
        let reader = Arc::clone(&self.reader);
        let (name, key) = (collection.to_owned(), key.to_vec());
        let read = tokio::task::spawn_blocking(move || reader.get(&name, &key)).await;
        read.unwrap_or_else(|error| {
            Err(BaseError { collection: collection.into(), source: error.into() })
        })
    }
}
