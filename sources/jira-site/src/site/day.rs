//! Days of ordinary work.

use super::state::State;

/// How much happens in a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Day {
    /// Decides what happens to which issue.
    pub seed: u64,
    /// How many issues somebody works on.
    pub changed_issues: usize,
    /// How many issues are created.
    pub new_issues: usize,
    /// How many files are attached.
    pub new_attachments: usize,
    /// How many issues are deleted.
    pub deleted_issues: usize,
}

/// What a day did.
#[derive(Clone, Debug, Default)]
pub struct DayReport {
    /// The keys of issues whose `updated` moved, new ones not among them, by id.
    pub changed: Vec<String>,
    /// The keys of new issues, by id.
    pub created: Vec<String>,
    /// The keys of deleted issues, by id.
    pub deleted: Vec<String>,
    /// The number of new comments.
    pub comments: usize,
    /// The number of new worklogs.
    pub worklogs: usize,
    /// The number of new attachments.
    pub attachments: usize,
    /// The number of new issue links.
    pub links: usize,
    /// The number of new changelog entries, those of new issues too.
    pub history_entries: usize,
}

impl State {
    pub(crate) fn live_through(&mut self, _day: &Day) -> DayReport {
        DayReport::default()
    }
}
