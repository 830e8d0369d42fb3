//! Users, groups and the calling account.

use serde_json::Value;

use crate::site::state::State;

impl State {
    /// `GET /myself`: the calling account with its time zone, groups and application roles.
    pub fn myself_json(&self, base: &str) -> Value {
        let _ = base;
        Value::Null
    }

    /// `GET /users/search`: every user that can be listed; deleted ones cannot.
    pub fn users_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /user?accountId=`: one user, deactivated or deleted ones too.
    pub fn user_json(&self, account_id: &str, base: &str) -> Option<Value> {
        let _ = (account_id, base);
        None
    }

    /// `GET /group/bulk`: the values of the page, `{name, groupId}`.
    pub fn groups_json(&self) -> Vec<Value> {
        Vec::new()
    }
}

impl State {
    /// A user as other things refer to them.
    pub(super) fn person_json(&self, user: Option<usize>, base: &str) -> Value {
        let _ = (user, base);
        Value::Null
    }
}
