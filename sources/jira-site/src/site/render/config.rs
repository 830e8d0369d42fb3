//! What issues refer to: fields, types, statuses, priorities, resolutions, link types, roles.

use serde_json::Value;

use crate::site::state::State;

impl State {
    /// `GET /serverInfo`.
    pub fn server_info_json(&self, base: &str) -> Value {
        let _ = base;
        Value::Null
    }

    /// `GET /_edge/tenant_info`.
    pub fn tenant_info_json(&self) -> Value {
        Value::Null
    }

    /// `GET /field`: all fields at once.
    pub fn fields_json(&self) -> Vec<Value> {
        Vec::new()
    }

    /// `GET /issuetype`.
    pub fn issue_types_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /status`.
    pub fn statuses_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /statuscategory`.
    pub fn status_categories_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /priority`, or the values of a page of `GET /priority/search`.
    pub fn priorities_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /resolution`, or the values of a page of `GET /resolution/search`.
    pub fn resolutions_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// The list inside `GET /issueLinkType`, under `issueLinkTypes`.
    pub fn link_types_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }

    /// `GET /role`.
    pub fn roles_json(&self, base: &str) -> Vec<Value> {
        let _ = base;
        Vec::new()
    }
}
