//! Objects: the unit of deduplication, and who can read and store them.

use bytes::Bytes;

use crate::id::ObjectId;

/// What a reader must be allowed to see; each class has its own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Trees, entries, lists: names, sizes, times.
    Meta,
    /// Contents.
    Data,
}

impl Class {
    /// Its code in the format.
    pub fn code(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Data => 1,
        }
    }

    /// The class of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Meta),
            1 => Some(Self::Data),
            _ => None,
        }
    }
}

/// Why an object could not be read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The index knows no such object.
    #[error("object {id} is not in the repository")]
    Missing {
        /// The object asked for.
        id: ObjectId,
    },
    /// The bytes are there and are not what they should be.
    #[error("object {id} is damaged")]
    Damaged {
        /// The object asked for.
        id: ObjectId,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store, or a stage before it, failed.
    #[error("objects cannot be stored or fetched")]
    Failed {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operation was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// Reads objects by id. The bytes are verified against the id.
pub trait ReadObject: Send + Sync {
    /// Fetches one object. Blocks; not to be called on an async worker.
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError>;

    /// Fetches several small objects, in this order. Whoever reads from far away asks for many at a time.
    fn read_many(&self, class: Class, ids: &[ObjectId]) -> Vec<Result<Bytes, ObjectError>> {
        ids.iter().map(|id| self.read(class, id)).collect()
    }
}

/// Stores objects, each once.
pub trait WriteObject {
    /// Stores an object unless the repository has it, and returns its id. It is durable only with a later commit.
    fn write(&mut self, class: Class, plain: &[u8]) -> Result<ObjectId, ObjectError>;
}

/// Computes ids. The keys come from the dedup domain.
#[derive(Clone, zeroize::Zeroize)]
pub struct Identifier {
    meta: [u8; 32],
    data: [u8; 32],
}

impl Identifier {
    /// Takes the two id keys of a domain.
    pub fn new(meta: [u8; 32], data: [u8; 32]) -> Self {
        Self { meta, data }
    }

    /// The id of an object: keyed BLAKE3 of its plaintext.
    pub fn id(&self, class: Class, plain: &[u8]) -> ObjectId {
        let key = match class {
            Class::Meta => &self.meta,
            Class::Data => &self.data,
        };
        ObjectId(*blake3::keyed_hash(key, plain).as_bytes())
    }
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifier(..)")
    }
}
