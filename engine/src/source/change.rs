//! Changes: what a source pushes.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use crate::entry::Entry;
use crate::problem::Problem;

/// One step of reading a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This many bytes were put at the beginning of the buffer; never 0.
    Data(usize),
    /// Zeros that need not be stored.
    Hole(u64),
    /// The content has ended.
    End,
}

/// What a content reader says when all was read.
#[derive(Debug, Default)]
pub struct Finished {
    /// Trouble on the way; the entry is stored all the same.
    pub problem: Option<Problem>,
    /// The change token to store instead, such as an empty one for a file that changed while it was read.
    pub version: Option<Bytes>,
}

/// Reads one content, on a worker thread of the engine. It may block.
pub trait ContentReader: Send {
    /// Opens what is to be read. Called once, first. May correct the entry by what it finds there.
    ///
    /// # Errors
    /// The problem is reported and the base's state of the key stays.
    fn open(&mut self, entry: &mut Entry) -> Result<(), Problem>;

    /// Reads on, into a buffer of at least 64 KiB.
    ///
    /// # Errors
    /// The entry becomes a problem; nothing of what was read is used.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece>;

    /// Called after [`Piece::End`]; `read` is the number of bytes, holes included.
    fn finish(&mut self, read: u64) -> Finished;

    /// The name to report trouble under.
    fn path(&self) -> String;
}

/// The content of a change.
pub enum Payload {
    /// None: a directory, a link.
    None,
    /// Here it is.
    Bytes(Bytes),
    /// A regular file, read by the engine as it is.
    Path(PathBuf),
    /// To be read by this reader; `size` is what is expected and only steers the work.
    Reader {
        /// Expected number of bytes.
        size: u64,
        /// Reads it.
        reader: Box<dyn ContentReader>,
    },
}

impl Payload {
    /// Bytes that it holds in memory while it waits.
    pub fn held_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    /// Bytes to be expected of it.
    pub fn size_hint(&self) -> u64 {
        match self {
            Self::None | Self::Path(_) => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Reader { size, .. } => *size,
        }
    }
}

/// One step of a change list.
pub enum Change {
    /// The key now has this entry. The engine fills in `content`, and `size` unless the payload is `None`.
    Put {
        /// Which collection.
        collection: usize,
        /// The key: 1 to 65,535 bytes.
        key: Bytes,
        /// All but the content.
        entry: Entry,
        /// The content.
        payload: Payload,
    },
    /// The key is gone.
    Delete {
        /// Which collection.
        collection: usize,
        /// The key.
        key: Bytes,
    },
}
