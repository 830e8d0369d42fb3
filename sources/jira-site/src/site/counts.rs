//! The true number of everything, to compare a backup with.

use super::state::State;

/// How much of everything there is: what the account can read, however it finds it, unless a field says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Projects, those without Browse too.
    pub projects: usize,
    /// Users that have not been deleted.
    pub users: usize,
    /// Issues, those that search never lists too.
    pub issues: usize,
    /// Comments.
    pub comments: usize,
    /// Changelog entries.
    pub history_entries: usize,
    /// Single field changes in the changelog entries.
    pub history_items: usize,
    /// Worklogs.
    pub worklogs: usize,
    /// Attachments.
    pub attachments: usize,
    /// The sum of the attachments' sizes.
    pub attachment_bytes: u64,
    /// Issue links of which both ends can be read; each counts once.
    pub links: usize,
    /// Remote links.
    pub remote_links: usize,
    /// Watchers over all issues.
    pub watchers: usize,
    /// Votes over all issues.
    pub votes: usize,
    /// Entity properties of issues.
    pub properties: usize,
    /// Components of all projects.
    pub components: usize,
    /// Versions of all projects.
    pub versions: usize,
    /// Issues among `issues` that are archived.
    pub archived_issues: usize,
    /// Issues among `issues` that the search index misses.
    pub unlisted_issues: usize,
    /// Issues that exist and that the account may not read; not among `issues`.
    pub hidden_issues: usize,
}

impl State {
    /// Counts what the site truly holds.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            projects: self.projects.len(),
            users: self.users.iter().filter(|user| !user.deleted).count(),
            ..Counts::default()
        };
        for project in self.projects.values() {
            counts.components += project.components.len();
            counts.versions += project.versions.len();
        }
        for issue in self.issues.values() {
            if !self.may_read(issue) {
                counts.hidden_issues += 1;
                continue;
            }
            counts.issues += 1;
            counts.comments += issue.comments.len();
            counts.history_entries += issue.history.len();
            counts.history_items +=
                issue.history.iter().map(|change| change.items.len()).sum::<usize>();
            counts.worklogs += issue.worklogs.len();
            counts.attachments += issue.attachments.len();
            counts.attachment_bytes += issue.attachments.iter().map(|file| file.size).sum::<u64>();
            counts.remote_links += issue.remote_links.len();
            counts.watchers += issue.watchers.len();
            counts.votes += issue.voters.len();
            counts.properties += issue.properties.len();
            counts.archived_issues += usize::from(issue.archived.is_some());
            counts.unlisted_issues += usize::from(issue.unlisted);
        }
        let readable = |issue| self.readable(issue).is_some();
        counts.links =
            self.links.values().filter(|link| readable(link.from) && readable(link.to)).count();
        counts
    }
}
