//! The changelog.

use serde_json::{Value, json};

use crate::site::model::{Change, ChangeItem};
use crate::site::state::State;

impl State {
    /// The changelog of `GET /issue/{issueIdOrKey}/changelog`, oldest first.
    pub fn changelog_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let issue = self.readable(issue)?;
        Some(issue.history.iter().map(|change| self.change_json(change, &[], base)).collect())
    }

    /// The changelog of several issues for `POST /changelog/bulkfetch`: (issue, entry), oldest first over all of them.
    ///
    /// Only changes of `fields` are given, or of every field if there are none.
    pub fn changelog_of(&self, issues: &[u64], fields: &[&str], base: &str) -> Vec<(u64, Value)> {
        let mut ids: Vec<u64> = issues.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let issues = ids.into_iter().filter_map(|id| self.readable(id));
        let mut changes: Vec<_> = issues
            .flat_map(|issue| issue.history.iter().map(|change| (issue.id, change)))
            .filter(|(_, change)| {
                fields.is_empty() || change.items.iter().any(|item| concerns(item, fields))
            })
            .collect();
        changes.sort_by_key(|(_, change)| (change.created, change.id));
        let json = |(id, change)| (id, self.change_json(change, fields, base));
        changes.into_iter().map(json).collect()
    }

    fn change_json(&self, change: &Change, fields: &[&str], base: &str) -> Value {
        let items = change.items.iter();
        let items = items.filter(|item| fields.is_empty() || concerns(item, fields));
        let mut json = json!({
            "id": change.id.to_string(),
            "created": self.stamp(change.created),
        });
        json["items"] = items.map(item_json).collect();
        // What nobody in particular did has no author at all.
        if change.author.is_some() {
            json["author"] = self.person_json(change.author, base);
        }
        json
    }
}

fn concerns(item: &ChangeItem, fields: &[&str]) -> bool {
    item.field_id.as_deref().is_some_and(|id| fields.contains(&id))
}

fn item_json(item: &ChangeItem) -> Value {
    let mut json = json!({
        "field": item.field,
        "fieldtype": if item.custom { "custom" } else { "jira" },
        "from": item.from,
        "fromString": item.from_text,
        "to": item.to,
        "toString": item.to_text,
    });
    if let Some(id) = &item.field_id {
        json["fieldId"] = json!(id);
    }
    if item.field == "assignee" || item.field == "reporter" {
        json["tmpFromAccountId"] = json!(item.from);
        json["tmpToAccountId"] = json!(item.to);
    }
    json
}
