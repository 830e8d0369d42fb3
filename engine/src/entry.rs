//! What a snapshot holds: entries, ordered by key within collections.

use bytes::Bytes;

use crate::id::ObjectId;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A record of a source that has no files, such as one Jira issue.
    Document,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl EntryKind {
    /// All kinds, at the places of their codes in the format.
    pub const ALL: [Self; 8] = [
        Self::Document,
        Self::File,
        Self::Directory,
        Self::Symlink,
        Self::Fifo,
        Self::Socket,
        Self::CharDevice,
        Self::BlockDevice,
    ];
}

/// A point in time with nanoseconds, for any year a file system can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 10^9.
    pub nanoseconds: u32,
}

/// What identifies the file that several hard links name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkGroup {
    /// The device of the file system.
    pub device: u64,
    /// The number of the inode on it.
    pub inode: u64,
}

/// All that is known of an entry beside its content. `None` and empty mean: the source has no such thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// When the content was last changed.
    pub modified: Option<Timestamp>,
    /// When it came into being.
    pub created: Option<Timestamp>,
    /// When anything of it was last changed (`ctime`).
    pub changed: Option<Timestamp>,
    /// Permission, set-id and sticky bits: the lower twelve.
    pub mode: Option<u32>,
    /// Numeric owner and group.
    pub owner: Option<(u32, u32)>,
    /// The owner's name.
    pub user: Option<Bytes>,
    /// The group's name.
    pub group: Option<Bytes>,
    /// Where a symbolic link points.
    pub link_target: Option<Bytes>,
    /// Set where the file has further names.
    pub link_group: Option<LinkGroup>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Extended attributes, access control lists included, ascending by name.
    pub xattrs: Vec<(Bytes, Bytes)>,
    /// Media type of the content.
    pub media_type: Option<Bytes>,
    /// Further attributes by tag, ascending: the source's own (128 and above), and those of a newer Esker.
    pub other: Vec<(u64, Bytes)>,
}

/// One piece of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An object of class data.
    Data {
        /// Which object.
        id: ObjectId,
        /// Its length in bytes.
        length: u64,
    },
    /// That many zeros that nothing stores: a hole of a sparse file.
    Hole {
        /// Its length in bytes.
        length: u64,
    },
}

impl Part {
    /// How many bytes of the content this is.
    pub fn length(&self) -> u64 {
        match *self {
            Self::Data { length, .. } | Self::Hole { length } => length,
        }
    }
}

/// Where an entry's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It has none.
    None,
    /// Here: at most 64 bytes.
    Inline(Bytes),
    /// The parts one after another.
    Parts(Vec<Part>),
    /// A list tree of parts.
    List {
        /// The list's top node, of class meta.
        top: ObjectId,
        /// How many parts the list has.
        parts: u64,
    },
}

/// One object of a source as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of the content.
    pub size: u64,
    /// The source's change token: equal tokens mean an unchanged object. Empty where there is none.
    pub version: Bytes,
    /// What else is known of it.
    pub metadata: Metadata,
    /// Where its content is.
    pub content: Content,
}

impl Entry {
    /// An entry without content, size, version and metadata.
    pub fn new(kind: EntryKind) -> Self {
        Self {
            kind,
            size: 0,
            version: Bytes::new(),
            metadata: Metadata::default(),
            content: Content::None,
        }
    }
}
