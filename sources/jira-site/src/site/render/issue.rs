//! Issues with all their fields.

use serde_json::Value;

use crate::site::state::State;

impl State {
    /// `GET /issue/{issueIdOrKey}`: in full, with at most 20 comments and 20 worklogs embedded.
    pub fn issue_json(&self, issue: u64, base: &str) -> Option<Value> {
        let _ = (issue, base);
        None
    }
}
