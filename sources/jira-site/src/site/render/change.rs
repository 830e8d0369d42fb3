//! The changelog.

use serde_json::Value;

use crate::site::state::State;

impl State {
    /// The changelog of `GET /issue/{issueIdOrKey}/changelog`, oldest first.
    pub fn changelog_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (issue, base);
        None
    }

    /// The changelog of several issues for `POST /changelog/bulkfetch`: (issue, entry), oldest first over all of them.
    ///
    /// Only changes of `fields` are given, or of every field if there are none.
    pub fn changelog_of(&self, issues: &[u64], fields: &[&str], base: &str) -> Vec<(u64, Value)> {
        let _ = (issues, fields, base);
        Vec::new()
    }
}
