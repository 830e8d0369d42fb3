//! What hangs on an issue: comments, worklogs, links, attachments, watchers, votes, properties.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::site::state::State;

impl State {
    /// The comments of `GET /issue/{issueIdOrKey}/comment`, oldest first.
    pub fn comments_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (issue, base);
        None
    }

    /// One comment, as `POST /comment/list` gives it.
    pub fn comment_json(&self, comment: u64, base: &str) -> Option<Value> {
        let _ = (comment, base);
        None
    }

    /// The worklogs of `GET /issue/{issueIdOrKey}/worklog`, oldest first.
    pub fn worklogs_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (issue, base);
        None
    }

    /// One worklog, as `POST /worklog/list` gives it.
    pub fn worklog_json(&self, worklog: u64, base: &str) -> Option<Value> {
        let _ = (worklog, base);
        None
    }

    /// `GET /issue/{issueIdOrKey}/remotelink`.
    pub fn remote_links_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (issue, base);
        None
    }

    /// `GET /issue/{issueIdOrKey}/watchers`.
    pub fn watchers_json(&self, issue: u64, base: &str) -> Option<Value> {
        let _ = (issue, base);
        None
    }

    /// `GET /issue/{issueIdOrKey}/votes`.
    pub fn votes_json(&self, issue: u64, base: &str) -> Option<Value> {
        let _ = (issue, base);
        None
    }

    /// The entity properties of an issue, for `GET /issue/{issueIdOrKey}/properties[/{key}]`.
    pub fn properties(&self, issue: u64) -> Option<&BTreeMap<String, Value>> {
        self.readable(issue).map(|issue| &issue.properties)
    }

    /// `GET /issueLink/{linkId}`: with both ends.
    pub fn link_json(&self, link: u64, base: &str) -> Option<Value> {
        let _ = (link, base);
        None
    }

    /// `GET /attachment/{id}`: what is known of a file.
    pub fn attachment_json(&self, attachment: u64, base: &str) -> Option<Value> {
        let _ = (attachment, base);
        None
    }
}
