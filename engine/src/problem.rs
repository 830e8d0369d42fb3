//! One piece of non-fatal trouble, and what kinds of errors there are.

use std::fmt;

/// What kind of trouble an error is, by what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing named does not exist: check the name.
    NotFound,
    /// The place is taken: choose another.
    Exists,
    /// The passphrase, key or token is wrong: give the right one.
    Credentials,
    /// The request makes no sense: change it.
    Invalid,
    /// The store or source did not answer: try again later.
    Unavailable,
    /// There is no room left: make some.
    Full,
    /// Stored bytes are not what was written: run `check`.
    Corrupt,
    /// A newer version or another system is needed.
    Unsupported,
    /// The caller asked to stop.
    Cancelled,
    /// A mistake of ours: report it.
    Internal,
}

/// What kind of thing went wrong with one object of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// It exists and may not be read.
    NotPermitted,
    /// It was listed and was gone when it was to be read.
    Vanished,
    /// It changed while it was read; what was read is stored, and will be read again.
    Changed,
    /// Reading it failed.
    Unreadable,
    /// It has something that Esker cannot keep.
    Unsupported,
    /// The repository had it and lost it; a repair has left it out.
    Lost,
    /// Something of a kind that this version does not know.
    #[serde(other)]
    Other,
}

/// One piece of trouble that did not end the operation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// What it happened to, as the source names it.
    pub path: String,
    /// What kind it is.
    pub kind: ProblemKind,
    /// What happened, for a person.
    pub message: String,
    /// True where the snapshot holds an older state of it instead.
    #[serde(default)]
    pub stale: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.message)?;
        if self.stale {
            f.write_str(" (the state of the last snapshot is kept)")?;
        }
        Ok(())
    }
}
