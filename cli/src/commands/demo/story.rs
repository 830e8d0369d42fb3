//! What `demo --json` prints, and what the text is made of.

use jiff::Timestamp;
use serde::Serialize;

use super::damage::Damage;
use super::proof::Comparison;

/// How much the site holds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct SiteFigures {
    pub(super) projects: u64,
    pub(super) issues: u64,
    pub(super) comments: u64,
    pub(super) history_entries: u64,
    pub(super) worklogs: u64,
    pub(super) attachments: u64,
    pub(super) attachment_bytes: u64,
}

/// How many issues.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct IssueCounts {
    pub(super) changed: u64,
    pub(super) new: u64,
    pub(super) gone: u64,
}

/// One evening: what had happened, and what the backup cost.
#[derive(Debug, Serialize)]
pub(super) struct Day {
    /// By the site's clock.
    pub(super) time: Timestamp,
    /// The same for people.
    pub(super) evening: String,
    /// What people did on the site since the last backup.
    pub(super) happened: IssueCounts,
    pub(super) new_attachments: u64,
    /// What the snapshot differs in from the last one.
    pub(super) found: IssueCounts,
    pub(super) snapshot: String,
    pub(super) requests: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_added: u64,
    pub(super) objects_written: u64,
    pub(super) seconds: f64,
}

/// One version of an issue.
#[derive(Debug, Serialize)]
pub(super) struct ToldVersion {
    /// The evening of the snapshot that first shows it.
    pub(super) evening: String,
    /// What became of it: `Status To Do → Done`.
    pub(super) what: String,
}

/// The history of one overwritten issue.
#[derive(Debug, Default, Serialize)]
pub(super) struct IssueHistory {
    pub(super) issue: String,
    pub(super) versions: Vec<ToldVersion>,
}

/// What came back.
#[derive(Debug, Serialize)]
pub(super) struct Restored {
    pub(super) snapshot: String,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) compared: Comparison,
}

/// What the check of the repository found.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub(super) bytes_read: u64,
    pub(super) findings: u64,
}

/// The whole story.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    /// The site before the first backup.
    pub(super) site: SiteFigures,
    pub(super) days: Vec<Day>,
    pub(super) damage: Damage,
    pub(super) history: IssueHistory,
    pub(super) restore: Restored,
    pub(super) check: Checked,
    /// Bytes of the repository, which holds all snapshots.
    pub(super) repository_bytes: u64,
    pub(super) seconds: f64,
    /// What is not as it must be; empty unless Esker has a mistake.
    pub(super) faults: Vec<String>,
}

impl Day {
    /// The beginning of the snapshot's id.
    pub(super) fn short_id(&self) -> &str {
        self.snapshot.get(..8).unwrap_or(&self.snapshot)
    }
}
