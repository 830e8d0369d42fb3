//! The site-wide feeds of worklogs.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::earlier;
use super::model::Id;
use super::state::State;

/// A worklog that is gone.
pub(crate) struct DeletedWorklog {
    pub(crate) id: Id,
    pub(crate) project: Id,
    pub(crate) at: Timestamp,
}

impl State {
    /// Lists worklogs changed at or after `since`, as (id, milliseconds), oldest first.
    ///
    /// What happened in the last minute is not listed yet, as in Jira.
    pub fn worklogs_updated(&self, since: Timestamp) -> Vec<(u64, i64)> {
        let issues = self.issues.values().filter(|issue| self.may_read(issue));
        let worklogs = issues.flat_map(|issue| &issue.worklogs);
        self.feed(since, worklogs.map(|worklog| (worklog.id, worklog.updated)))
    }

    /// Lists worklogs deleted at or after `since`, alone or with their issue, as (id, milliseconds), oldest first.
    ///
    /// What happened in the last minute is not listed yet, as in Jira.
    pub fn worklogs_deleted(&self, since: Timestamp) -> Vec<(u64, i64)> {
        let visible = self.deleted_worklogs.iter().filter(|gone| self.may_browse(gone.project));
        self.feed(since, visible.map(|gone| (gone.id, gone.at)))
    }

    /// The latest time that the feeds of worklogs tell of.
    pub fn feed_until(&self) -> Timestamp {
        earlier(self.now(), Duration::from_secs(60))
    }

    fn feed(
        &self,
        since: Timestamp,
        entries: impl Iterator<Item = (Id, Timestamp)>,
    ) -> Vec<(u64, i64)> {
        let until = self.feed_until();
        let mut entries: Vec<_> = entries.filter(|(_, at)| (since..=until).contains(at)).collect();
        entries.sort_by_key(|&(id, at)| (at, id));
        entries.into_iter().map(|(id, at)| (id, at.as_millisecond())).collect()
    }
}
