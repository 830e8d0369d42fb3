//! The contract out: where a restore writes.
//!
//! A [`DirectorySink`] writes into a folder and never outside it, whatever the names of the entries are and whatever
//! else lies in that folder. An [`ArchiveSink`] writes one compressed tar archive.

mod archive;
mod beneath;
mod directory;
mod kind;
mod metadata;
mod notices;
mod path;
mod pax;

use std::io;
use std::path::PathBuf;

pub use archive::ArchiveSink;
pub use directory::{DirectorySink, FileTarget, Overwrite, Planned};
pub use path::{EntryPath, PathError};

use crate::problem::{ErrorKind, Problem, ProblemKind};

/// Why something could not be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The target folder itself cannot be made or opened.
    #[error("cannot open the target folder `{}`", path.display())]
    Target {
        /// The folder as it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name cannot be one of a file.
    #[error("an entry cannot be restored under its name")]
    Name(#[from] PathError),
    /// There is no room left. It ends the restore.
    #[error("no room is left to restore `{path}`")]
    Full {
        /// What was written when it happened.
        path: EntryPath,
        /// What the system said.
        source: io::Error,
    },
    /// Something is at the path, and is to be kept.
    #[error("`{path}` exists already and is kept")]
    Exists {
        /// Where.
        path: EntryPath,
    },
    /// A folder that holds something is where something else is to be written.
    #[error("`{path}` is a folder with content, which is not deleted to make room")]
    InTheWay {
        /// Where.
        path: EntryPath,
    },
    /// A link or a file is where a folder must be. It is not followed.
    #[error("`{path}` is not a folder: links are not followed")]
    NotADirectory {
        /// Where.
        path: EntryPath,
    },
    /// Content and size of an entry differ.
    #[error("the content of `{path}` is not the {size} bytes that its entry tells")]
    Size {
        /// Which entry.
        path: EntryPath,
        /// Bytes that the entry tells.
        size: u64,
    },
    /// The content could not be read while it was restored.
    #[error("the content of `{path}` cannot be read")]
    Content {
        /// Which entry.
        path: EntryPath,
        /// Why.
        source: io::Error,
    },
    /// The system refused one step with one path.
    #[error("cannot {step} `{path}`")]
    Step {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: EntryPath,
        /// What the system said.
        source: io::Error,
    },
    /// The archive cannot be written. It ends the restore.
    #[error("cannot write the archive")]
    Archive {
        /// What the system said.
        source: io::Error,
    },
}

impl SinkError {
    /// Tells what kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Name(_) => ErrorKind::Invalid,
            Self::Full { .. } => ErrorKind::Full,
            Self::Exists { .. } | Self::InTheWay { .. } | Self::NotADirectory { .. } => {
                ErrorKind::Exists
            }
            Self::Size { .. } => ErrorKind::Corrupt,
            Self::Target { source, .. }
            | Self::Content { source, .. }
            | Self::Step { source, .. }
            | Self::Archive { source } => kind_of(source),
        }
    }

    /// True where the restore cannot go on; else only this path is concerned.
    pub fn ends_restore(&self) -> bool {
        matches!(self, Self::Target { .. } | Self::Full { .. } | Self::Archive { .. })
    }

    /// Makes a problem of it, for what does not end the restore.
    pub fn problem(&self) -> Problem {
        let path = match self {
            Self::Target { path, .. } => path.display().to_string(),
            Self::Name(error) => error.name().to_owned(),
            Self::Full { path, .. }
            | Self::Exists { path }
            | Self::InTheWay { path }
            | Self::NotADirectory { path }
            | Self::Size { path, .. }
            | Self::Content { path, .. }
            | Self::Step { path, .. } => path.to_string(),
            Self::Archive { .. } => String::new(),
        };
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Problem { path, kind: self.problem_kind(), message, stale: false }
    }

    fn problem_kind(&self) -> ProblemKind {
        match self {
            Self::Content { .. } | Self::Size { .. } => ProblemKind::Unreadable,
            Self::Name(_) => ProblemKind::Unsupported,
            Self::Step { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ProblemKind::NotPermitted
            }
            _ => ProblemKind::Other,
        }
    }

    /// The error of one step with one path; lack of room is told apart.
    fn step(step: &'static str, path: &EntryPath, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.clone(), source.into());
        if is_full(&source) {
            Self::Full { path, source }
        } else {
            Self::Step { step, path, source }
        }
    }
}

/// True for a full disk and for an exhausted quota.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::Exists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::Unsupported => ErrorKind::Unsupported,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}
