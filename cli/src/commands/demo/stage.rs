//! Where the demonstration takes place.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// A folder for the repository and what is restored; a temporary one goes with this.
pub(super) enum Stage {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Stage {
    /// Makes the folder; one that is to be kept must be new or empty.
    pub(super) fn open(keep: Option<&Path>) -> Result<Self, CommandError> {
        match keep {
            None => Self::temporary(),
            Some(keep) => Self::kept(keep).map_err(|error| {
                CommandError::failed(format!("cannot use the folder `{}`", keep.display()))
                    .caused_by(&error)
                    .hint("name a new or empty folder: `esker demo --keep /tmp/esker-demo`")
            }),
        }
    }

    fn temporary() -> Result<Self, CommandError> {
        let made = tempfile::Builder::new().prefix("esker-demo-").tempdir();
        made.map(Self::Temporary).map_err(|error| {
            CommandError::failed("cannot make a temporary folder")
                .caused_by(&error)
                .hint("name a folder that you may write to: `TMPDIR=DIR esker demo`")
        })
    }

    fn kept(keep: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(keep)?;
        if std::fs::read_dir(keep)?.next().is_some() {
            return Err(io::Error::other("it is not empty"));
        }
        std::path::absolute(keep).map(Self::Kept)
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    /// The repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.path().join("repository")
    }

    /// The file that opens it.
    pub(super) fn key(&self) -> PathBuf {
        self.path().join("key")
    }

    /// Where lost issues come back.
    pub(super) fn restored(&self) -> PathBuf {
        self.path().join("restored")
    }
}
