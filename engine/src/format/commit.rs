//! The bodies of commits, fences, marks and session markers (FORMAT.md §9).

use serde::{Deserialize, Serialize};

use super::Corrupt;
use super::name::SessionName;
use crate::id::{ObjectId, PackId, RepositoryId, SegmentId, SnapshotId, WriterId};
use crate::problem::Problem;
use crate::source::{Completeness, Ledger};

/// A commit that another one names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRef {
    /// Its slot.
    pub slot: SessionName,
    /// BLAKE3 of its stored bytes.
    pub hash: SnapshotId,
}

/// Whose snapshot it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceIdentity {
    /// The kind of the source.
    pub kind: String,
    /// What stays the same when it is renamed.
    pub identity: String,
    /// What people call it.
    pub name: String,
}

/// The root of a tree as a commit holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRoot {
    /// The top node.
    pub node: ObjectId,
    /// Its level.
    pub level: u8,
    /// Entries below it.
    pub entries: u64,
}

/// One collection of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// Its tree; `None` where it is empty.
    pub root: Option<StoredRoot>,
    /// Where the next scan goes on, in hex.
    pub cursor: Option<String>,
    /// How much of it was seen.
    pub completeness: Completeness,
}

/// What a session did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Entries that the parent did not have.
    pub new: u64,
    /// Entries that differ from the parent's.
    pub changed: u64,
    /// Entries that the parent had and this one does not.
    pub deleted: u64,
    /// Entries that are as the parent has them.
    pub unchanged: u64,
    /// Bytes of contents read from the source.
    pub bytes_read: u64,
    /// Bytes sent to the store before the commit.
    pub bytes_added: u64,
    /// Objects of the store written before the commit.
    pub objects_written: u64,
    /// Requests made to the source.
    pub requests: u64,
    /// Objects of contents that the repository did not have.
    pub new_objects: u64,
    /// Bytes of them before compression.
    pub new_bytes: u64,
}

/// A commit names at most so many objects of each kind that are gone; the others are only counted.
const LEDGER_NAMES: usize = 1_000;

/// What the scan found gone, as a commit holds it: the first names, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredLedger {
    /// Known to be deleted.
    pub deleted: Vec<String>,
    /// How many are known to be deleted.
    pub deleted_count: u64,
    /// Not to be seen any more.
    pub vanished: Vec<String>,
    /// How many are not to be seen any more.
    pub vanished_count: u64,
}

impl StoredLedger {
    /// True where nothing is gone.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Ledger> for StoredLedger {
    fn from(Ledger { deleted, vanished }: &Ledger) -> Self {
        let first = |names: &[String]| names.iter().take(LEDGER_NAMES).cloned().collect();
        Self {
            deleted: first(deleted),
            deleted_count: deleted.len() as u64,
            vanished: first(vanished),
            vanished_count: vanished.len() as u64,
        }
    }
}

/// Whether anything is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotStatus {
    /// All of it was read.
    Complete,
    /// Some of it was not: see the problems and the collections' completeness.
    Partial,
}

/// The snapshot of another repository that a commit is a copy of; the first one where it is a copy of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The other repository.
    pub repository: RepositoryId,
    /// The snapshot there.
    pub snapshot: SnapshotId,
    /// Entries that could not be read when it was copied.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Format version of the body.
    pub version: u32,
    /// True for the state of a session that goes on.
    pub checkpoint: bool,
    /// Whose snapshot it is.
    pub source: SourceIdentity,
    /// When the session began: RFC 3339, UTC.
    pub started: String,
    /// When the snapshot was taken: RFC 3339, UTC.
    pub time: String,
    /// Who wrote it.
    pub writer: WriterId,
    /// Counts the writer's commits.
    pub sequence: u64,
    /// The writer's commit before.
    pub previous: Option<CommitRef>,
    /// The newest commit seen of every other writer.
    pub heads: Vec<CommitRef>,
    /// The commit whose trees were edited.
    pub parent: Option<SessionName>,
    /// The snapshot that this one stands for: damage was found in that one, and what could be saved is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repairs: Option<SnapshotId>,
    /// What it holds.
    pub collections: Vec<Collection>,
    /// Packs that the session wrote.
    pub packs: Vec<PackId>,
    /// Segments that the session wrote.
    pub segments: Vec<SegmentId>,
    /// What the session did.
    pub statistics: Statistics,
    /// Trouble on the way.
    pub problems: Vec<Problem>,
    /// What the scan found gone.
    #[serde(default, skip_serializing_if = "StoredLedger::is_empty")]
    pub ledger: StoredLedger,
    /// Tags given at the start.
    pub tags: Vec<String>,
    /// Until when nothing may forget it: RFC 3339, UTC.
    #[serde(default)]
    pub immutable_until: Option<String>,
    /// Whether anything is missing.
    pub status: SnapshotStatus,
    /// Name and version of the program.
    pub program: String,
    /// The machine.
    pub host: String,
    /// What it is a copy of, where it was copied from another repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<Copied>,
}

/// What a slot holds: whoever created it first decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Slot {
    /// The session's commit.
    Commit(Box<Commit>),
    /// The session must not commit any more.
    Fence {
        /// Format version of the body.
        version: u32,
        /// Who fenced it.
        by: WriterId,
        /// Why.
        reason: String,
        /// When: RFC 3339, UTC.
        time: String,
    },
}

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkAction {
    /// The snapshot is no longer wanted.
    Forget,
    /// It is wanted after all.
    Undelete,
    /// It must not be forgotten.
    Hold,
    /// It may be forgotten again.
    Release,
    /// It gets a tag.
    Tag,
    /// It loses a tag.
    Untag,
}

/// Something said later about a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "mark", rename_all = "kebab-case")]
pub struct Mark {
    /// Format version of the body.
    pub version: u32,
    /// What it says.
    pub action: MarkAction,
    /// About which commit.
    pub commit: SessionName,
    /// The tag, for `tag` and `untag`; the reason, for `hold`.
    #[serde(default)]
    pub tag: Option<String>,
    /// When: RFC 3339, UTC.
    pub time: String,
    /// Who said it.
    pub writer: WriterId,
    /// The newest mark seen when it was made.
    pub previous: Option<String>,
}

/// Says that a session is open, until its slot is filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "session", rename_all = "kebab-case")]
pub struct SessionMarker {
    /// Format version of the body.
    pub version: u32,
    /// When it was opened: RFC 3339, UTC.
    pub started: String,
    /// On which machine.
    pub host: String,
    /// By which program.
    pub program: String,
}

/// Writes a body.
pub fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("a plain struct has a JSON form")
}

/// Reads a body; fields that this version does not know are passed over.
pub fn decode<T: for<'de> Deserialize<'de>>(json: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(json).map_err(|error| Corrupt::new(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_names_the_first_and_counts_all() {
        let names: Vec<_> = (0..1_500).map(|number| format!("ABC-{number}")).collect();
        let ledger = Ledger { deleted: names, vanished: vec!["XY-1".into()] };
        let stored = StoredLedger::from(&ledger);
        assert_eq!((stored.deleted.len(), stored.deleted_count), (1_000, 1_500));
        assert_eq!((stored.vanished.len(), stored.vanished_count), (1, 1));
        assert_eq!(stored.deleted[999], "ABC-999");
        assert!(!stored.is_empty());
        assert!(StoredLedger::from(&Ledger::default()).is_empty());
    }

    #[test]
    fn completeness_of_old_commits_has_no_parts() {
        let old = r#"{"state":"complete","expected":null,"found":3,"detail":""}"#;
        let read: Completeness = decode(old.as_bytes()).unwrap();
        assert_eq!(read.parts, []);
        assert_eq!(encode(&read), old.as_bytes(), "nothing is added where there is nothing to say");
    }
}
