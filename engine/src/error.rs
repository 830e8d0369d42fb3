//! The umbrella over the rooms' own errors.

use crate::format::name::SessionName;
use crate::id::{ObjectId, SnapshotId};
use crate::object::ObjectError;
use crate::pack::PackError;
use crate::problem::ErrorKind;
use crate::repo::RepoError;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::store::StoreError;
use crate::tree::TreeError;

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// A snapshot needs something that is nowhere.
    #[error("{}object {} is lost, so nothing was collected", path_of(.path), .id.short())]
    Lost {
        /// What is lost.
        id: ObjectId,
        /// The path that needs it; empty where it is part of a tree.
        path: String,
    },
    /// A snapshot cannot be read, so it is not known what it needs.
    #[error("snapshot {} cannot be read, so nothing was collected", .snapshot.short())]
    Unreadable {
        /// Which.
        snapshot: SnapshotId,
        /// Why.
        source: Box<Error>,
    },
    /// An object beside the snapshots cannot be read, so it is not known what it says of them.
    #[error("`{name}` cannot be read, so nothing was collected")]
    Damaged {
        /// Its name.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was not seen to do what collecting beside others relies on.
    #[error("the store cannot prove what is needed to collect garbage beside others: {what}")]
    Unproven {
        /// What it does not do.
        what: String,
    },
    /// Another collector was faster.
    #[error("another `prune` is at work in this repository")]
    Late {
        /// Which epoch both wanted.
        epoch: u32,
    },
    /// A forgotten snapshot is gone for good.
    #[error("the data of `{commit}` were swept: it does not come back")]
    Swept {
        /// Its commit.
        commit: SessionName,
    },
    /// Whether a forgotten snapshot stays is just being decided.
    #[error("a `prune` is just deciding about `{commit}`")]
    Sweeping {
        /// Its commit.
        commit: SessionName,
    },
}

fn path_of(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}` needs something: ") }
}

impl PruneError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lost { .. } | Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Unreadable { source, .. } => source.kind(),
            Self::Swept { .. } => ErrorKind::NotFound,
            Self::Unproven { .. } => ErrorKind::Unsupported,
            Self::Late { .. } | Self::Sweeping { .. } => ErrorKind::Unavailable,
        }
    }
}

/// Why an operation ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository cannot be used.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source failed as a whole.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target of a restore failed as a whole.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A tree cannot be read or edited.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An object cannot be read or stored.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A snapshot holds no such path.
    #[error("snapshot {snapshot} holds no `{path}`")]
    NoSuchPath {
        /// The snapshot.
        snapshot: String,
        /// What was looked for.
        path: String,
    },
    /// Garbage cannot be collected.
    #[error(transparent)]
    Prune(#[from] PruneError),
    /// The repository that is copied from cannot be read any more.
    #[error("the repository to copy from cannot be read")]
    CopyFrom {
        /// Why.
        source: Box<Error>,
    },
    /// An entry of a snapshot says what it cannot say.
    #[error("the entry of `{path}` is damaged")]
    Entry {
        /// Its path.
        path: String,
        /// What is wrong.
        source: crate::format::Corrupt,
    },
    /// A content does not hold what its entry says.
    #[error("the content of `{path}` is damaged: {what}")]
    Content {
        /// Its path.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A temporary file failed.
    #[error("a temporary file cannot be used")]
    Temporary(#[source] std::io::Error),
    /// What was asked for cannot be handed over.
    #[error("the output cannot be written")]
    Output(#[source] std::io::Error),
    /// The request makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it.
        what: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<PackError> for Error {
    fn from(error: PackError) -> Self {
        Self::Repo(error.into())
    }
}

fn of_object(error: &ObjectError) -> ErrorKind {
    match error {
        ObjectError::Missing { .. } | ObjectError::Damaged { .. } => ErrorKind::Corrupt,
        ObjectError::Failed { source } => {
            source.downcast_ref::<RepoError>().map_or(ErrorKind::Internal, RepoError::kind)
        }
        ObjectError::Cancelled => ErrorKind::Cancelled,
    }
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Repo(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Source(SourceError::Unreadable { .. } | SourceError::Closed(_)) => {
                ErrorKind::Unavailable
            }
            Self::Source(SourceError::Base(_)) => ErrorKind::Corrupt,
            Self::Source(SourceError::Cancelled) | Self::Cancelled => ErrorKind::Cancelled,
            Self::Source(_) | Self::Invalid { .. } => ErrorKind::Invalid,
            Self::Sink(error) => error.kind(),
            Self::Prune(error) => error.kind(),
            Self::CopyFrom { source } => source.kind(),
            Self::Tree(TreeError::Read { source, .. } | TreeError::Write { source }) => {
                of_object(source)
            }
            Self::Tree(TreeError::Corrupt { .. }) | Self::Entry { .. } | Self::Content { .. } => {
                ErrorKind::Corrupt
            }
            Self::Tree(_) => ErrorKind::Internal,
            Self::Object(error) => of_object(error),
            Self::NoSuchPath { .. } => ErrorKind::NotFound,
            Self::Temporary(error) | Self::Output(error)
                if error.kind() == std::io::ErrorKind::StorageFull =>
            {
                ErrorKind::Full
            }
            Self::Temporary(_) | Self::Output(_) => ErrorKind::Unavailable,
        }
    }

    /// The object that is damaged or missing, where that is the cause.
    pub fn damaged_object(&self) -> Option<ObjectId> {
        match self {
            Self::Object(ObjectError::Missing { id } | ObjectError::Damaged { id, .. })
            | Self::Tree(TreeError::Corrupt { id, .. } | TreeError::Read { id, .. }) => Some(*id),
            _ => None,
        }
    }
}
