//! The contract in: what a source is told and what it hands over.
//!
//! A source is told what the last snapshot holds ([`Base`]) and pushes a change list into a [`ChangeSink`]; it never sees
//! packs, trees or keys. What it does not mention stays as the base has it, so a quiet day costs nothing.

mod base;
mod change;
mod sink;

use std::sync::Arc;

pub use base::{Base, BaseEntries, BaseError, ReadBase};
pub use change::{Change, ContentReader, Finished, Payload, Piece};
pub use sink::{ChangeReceiver, ChangeSink, ResumeCursors, SinkClosed, Work, change_channel};

use crate::context::RunContext;

/// Who a source is, and what it can hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// The kind, one word: `files`, `jira`.
    pub kind: String,
    /// What stays the same when the source is renamed or moved: the absolute path, the cloud id.
    pub identity: String,
    /// What people call it.
    pub name: String,
    /// The names of its collections.
    pub collections: Vec<String>,
}

/// How much a scan trusts the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanMode {
    /// Cursors, change tokens and unchanged-file tests are used.
    #[default]
    Incremental,
    /// Everything is read; the base only tells what has been deleted and what to carry forward.
    Full,
}

/// How much of a collection a scan has seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Completeness {
    /// The verdict.
    pub state: CompletenessState,
    /// How many objects there should be, by an independent route, where there is one.
    pub expected: Option<u64>,
    /// How many objects were found.
    pub found: u64,
    /// What is missing and why, for a person; empty where nothing is.
    #[serde(default)]
    pub detail: String,
    /// The parts that are not complete, where the collection has parts; its own state says so too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartCompleteness>,
}

/// How much of one part of a collection, such as a project, a scan has seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartCompleteness {
    /// The part, as the source names it.
    pub name: String,
    /// The verdict.
    pub state: CompletenessState,
    /// How many objects there should be, by an independent route, where there is one.
    pub expected: Option<u64>,
    /// How many objects were found.
    pub found: u64,
    /// What is missing and why, for a person.
    #[serde(default)]
    pub detail: String,
}

/// The verdict on a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompletenessState {
    /// All of it.
    Complete,
    /// Some objects could not be read; they are problems, and carried forward.
    Partial,
    /// The account may not see it.
    NotPermitted,
    /// It could not be read at all this time; all of it is carried forward.
    Failed,
}

/// What a scan says of one collection when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionEnd {
    /// Which collection.
    pub name: String,
    /// Where the next incremental scan goes on; opaque to the engine, stored inside the commit.
    pub cursor: Option<Vec<u8>>,
    /// How much was seen.
    pub completeness: Completeness,
}

/// What a scan found gone: top-level objects such as issues, by the names that people know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Known to be deleted: the source says so, or no longer has them though it shows everything.
    pub deleted: Vec<String>,
    /// Not to be seen any more, and nobody knows why: they may be deleted or hidden. Those that should make the snapshot
    /// partial are problems too.
    pub vanished: Vec<String>,
}

/// What a scan says when it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanEnd {
    /// One for each collection that was looked at; the others are carried forward as they are.
    pub collections: Vec<CollectionEnd>,
    /// Requests made to the source, where it counts them.
    pub requests: u64,
    /// What was found gone; empty where the source keeps no such book.
    pub ledger: Ledger,
}

/// Why a scan ended early. One bad object is not such a reason: it is a problem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The source as a whole cannot be read.
    #[error("cannot read `{what}`")]
    Unreadable {
        /// The folder, site or file.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its settings make no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong, naming the setting.
        what: String,
    },
    /// The last snapshot could not be read.
    #[error("the last snapshot cannot be read")]
    Base(#[from] BaseError),
    /// The engine stopped taking changes; the engine knows why.
    #[error("the backup has stopped")]
    Closed(#[from] SinkClosed),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Something that can be backed up.
///
/// **Order** of changes is free; ascending keys within a collection are cheapest. Of several changes to one key the last
/// counts. **Deletions** are said, never implied: an unmentioned key stays. Whoever does a full scan therefore compares with
/// the base, in [`ScanMode::Full`] too. **One bad object** is given to [`ChangeSink::problem`] and the scan goes on; the base's
/// state of it stays. **Two scans of one state** push changes that lead to equal trees, whatever the base: what is
/// volatile is left out before pushing. **Cursors** are returned at the end, stored in the commit and nowhere else.
/// A first scan may name one for checkpoints by [`ChangeSink::resume_from`].
/// When `ctx.cancel` is set the scan returns [`SourceError::Cancelled`] soon; what it pushed until then is kept in a checkpoint.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// Says who the source is. Asked once at the start; may not block for long.
    fn describe(&self) -> SourceInfo;

    /// Pushes all changes since `base`, the last snapshot of this source whatever its state, or everything where there is none.
    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError>;
}

/// A source behind a pointer is a source.
#[async_trait::async_trait]
impl<S: Source + ?Sized> Source for Arc<S> {
    fn describe(&self) -> SourceInfo {
        (**self).describe()
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        (**self).scan(base, mode, changes, ctx).await
    }
}
