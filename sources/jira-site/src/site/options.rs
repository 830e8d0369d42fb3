//! What a generated site looks like.

use std::time::Duration;

use jiff::Timestamp;

/// What a generated site holds, and when it begins.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    /// Decides everything that is not decided by the other options.
    pub seed: u64,
    /// The number of projects.
    pub projects: usize,
    /// The number of issues, spread unevenly over the projects.
    pub issues: usize,
    /// The number of attachments, spread over the issues.
    pub attachments: usize,
    /// The number of users besides the calling account.
    pub users: usize,
    /// How many of the users have been deleted: their name is gone, where they wrote it is not.
    pub deleted_users: usize,
    /// How many issues are archived: readable by key, never found.
    pub archived: usize,
    /// How many issues the search index misses: readable by key, never found.
    pub unlisted: usize,
    /// How many issues the account may not see, by issue security.
    pub hidden: usize,
    /// The size of one additional attachment, for tests of large files; its bytes cost no memory.
    pub huge_attachment_bytes: Option<u64>,
    /// The IANA name of the calling account's time zone.
    pub time_zone: String,
    /// What the clock shows at the beginning.
    pub start: Timestamp,
    /// Whether issues have links, parents and sub-tasks: each then shows copies of others, which change without it.
    pub relations: bool,
    /// How late search sees a change.
    pub index_lag: Duration,
    /// The site's title.
    pub title: String,
    /// The e-mail address of the calling account.
    pub account_email: String,
}

impl Default for SiteOptions {
    /// A small site: 3 projects, 60 issues, 12 attachments, 8 users.
    fn default() -> Self {
        Self {
            seed: 1,
            projects: 3,
            issues: 60,
            attachments: 12,
            users: 8,
            deleted_users: 1,
            archived: 0,
            unlisted: 0,
            hidden: 0,
            huge_attachment_bytes: None,
            // A zone with daylight saving, far from UTC, on the half of the world where summer is in January.
            time_zone: "Australia/Sydney".to_owned(),
            start: Timestamp::constant(1_772_400_000 /* 2026-03-01T21:20:00Z */, 0),
            index_lag: Duration::ZERO,
            relations: true,
            title: "Jira".to_owned(),
            account_email: "backup@example.com".to_owned(),
        }
    }
}
