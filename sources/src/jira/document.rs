//! From what the API sends to what is stored: volatile parts go, all else stays as it came.
//!
//! The list of what goes is in `docs/sources/jira.md`; DESIGN calls it the price of *the same state gives the same tree*.

use bytes::Bytes;
use serde_json::{Map, Value};

/// Fields of an issue that change by themselves, or by the work on other issues.
const VOLATILE_FIELDS: [&str; 9] = [
    "lastViewed",
    "workratio",
    "progress",
    "aggregateprogress",
    "aggregatetimespent",
    "aggregatetimeestimate",
    "aggregatetimeoriginalestimate",
    "comment",
    "worklog",
];
/// Members of a running SLA cycle that the clock changes.
const TICKING: [&str; 4] = ["remainingTime", "elapsedTime", "withinCalendarHours", "breached"];

/// Canonical JSON: keys sorted, no white space, numbers as they were sent.
pub(super) fn canonical(value: &Value) -> Bytes {
    let mut text = Vec::new();
    write(value, &mut text);
    text.into()
}

/// Written by hand since whether `serde_json` sorts keys depends on what other crates ask of it.
fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push(b'{');
            for (place, (name, member)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                leaf(&Value::String(name.clone()), text);
                text.push(b':');
                write(member, text);
            }
            text.push(b'}');
        }
        Value::Array(elements) => {
            text.push(b'[');
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                write(element, text);
            }
            text.push(b']');
        }
        other => leaf(other, text),
    }
}

fn leaf(value: &Value, text: &mut Vec<u8>) {
    serde_json::to_writer(text, value).expect("a leaf is written to memory");
}

/// Takes out of any object what is volatile wherever it occurs: addresses of the site, pictures, `expand`.
/// Rich text is left alone: what people wrote has no volatile parts.
pub(super) fn strip(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        Value::Object(members) if !is_rich_text(members) => {
            members.retain(|name, member| !is_volatile(name, member));
            if let Some(Value::Object(cycle)) = members.get_mut("ongoingCycle") {
                cycle.retain(|name, _| !TICKING.contains(&name.as_str()));
            }
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

fn is_volatile(name: &str, member: &Value) -> bool {
    match (name, member) {
        ("self", Value::String(url)) => url.contains("/rest/"),
        ("expand" | "iconUrl" | "avatarUrl", Value::String(_)) => true,
        ("avatarUrls", Value::Object(_)) => true,
        // Of a version: the calendar makes it so.
        ("overdue", Value::Bool(_)) => true,
        _ => false,
    }
}

/// True for a document of the Atlassian Document Format.
pub(super) fn is_rich_text(members: &Map<String, Value>) -> bool {
    members.get("type").and_then(Value::as_str) == Some("doc") && members.contains_key("content")
}

/// Takes out of an issue what is volatile in issues: the embedded lists too, which are records of their own.
pub(super) fn strip_issue(issue: &mut Map<String, Value>) {
    for name in ["renderedFields", "changelog", "operations", "editmeta", "transitions"] {
        issue.remove(name);
    }
    if let Some(Value::Object(fields)) = issue.get_mut("fields") {
        fields.retain(|name, _| !VOLATILE_FIELDS.contains(&name.as_str()));
        for (field, members) in
            [("watches", ["isWatching", "watchers"]), ("votes", ["hasVoted", "voters"])]
        {
            if let Some(Value::Object(field)) = fields.get_mut(field) {
                field.retain(|name, _| !members.contains(&name.as_str()));
            }
        }
        if let Some(Value::Array(attachments)) = fields.get_mut("attachment") {
            for attachment in attachments.iter_mut().filter_map(Value::as_object_mut) {
                attachment.retain(|name, _| name != "content" && name != "thumbnail");
            }
        }
    }
    issue.retain(|name, member| !is_volatile(name, member));
    issue.values_mut().for_each(strip);
}

/// The text of an id, whether it came as a string or a number.
pub(super) fn id_of(value: &Value) -> Option<String> {
    match value.get("id")? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, also where it came as a string.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Calls `seen` for every person that an object mentions: account id and the embedded object.
pub(super) fn people(value: &Value, seen: &mut impl FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|it| people(it, seen)),
        Value::Object(members) => {
            let is_person = |name: &str| members.contains_key(name);
            if let Some(Value::String(account)) = members.get("accountId")
                && (is_person("displayName") || is_person("accountType"))
            {
                seen(account, members);
            }
            members.values().for_each(|it| people(it, seen));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stripped(mut value: Value) -> Value {
        strip(&mut value);
        value
    }

    #[test]
    fn canonical_json_is_sorted_and_keeps_numbers() {
        let text =
            r#"{"b":[1.0,2e+3,123456789012345678901234567890],"a":{"z":null,"ä":"\u0001\"é"}}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        let expected =
            r#"{"a":{"z":null,"ä":"\u0001\"é"},"b":[1.0,2e+3,123456789012345678901234567890]}"#;
        assert_eq!(canonical(&value), expected);
    }

    #[test]
    fn addresses_go_and_look_alikes_stay() {
        let value = json!({
            "self": "https://acme.example/rest/api/3/status/1", "expand": "names", "id": "1",
            "iconUrl": "https://acme.example/i.png", "avatarUrls": {"48x48": "u"},
            "nested": [{"self": "https://acme.example/rest/x", "name": "n"}],
            "mine": {"self": "about me", "expand": 3, "avatarUrls": "text"},
            "text": {"type": "doc", "content": [{"self": "https://a/rest/b", "expand": "kept"}]},
        });
        let expected = json!({
            "id": "1", "nested": [{"name": "n"}],
            "mine": {"self": "about me", "expand": 3, "avatarUrls": "text"},
            "text": {"type": "doc", "content": [{"self": "https://a/rest/b", "expand": "kept"}]},
        });
        assert_eq!(stripped(value), expected);
    }

    #[test]
    fn a_running_cycle_does_not_tick() {
        let sla = |remaining: u64| {
            json!({"completedCycles": [{"elapsedTime": {"millis": 5}}],
                "ongoingCycle": {"startTime": "s", "breached": remaining == 0, "goalDuration": {"millis": 9},
                    "remainingTime": {"millis": remaining}, "elapsedTime": {"millis": 9 - remaining}}})
        };
        assert_eq!(stripped(sla(3)), stripped(sla(0)));
        assert_eq!(stripped(sla(3))["completedCycles"][0]["elapsedTime"]["millis"], 5);
    }

    #[test]
    fn an_issue_keeps_all_but_the_list() {
        let mut issue = json!({"id": "1", "key": "A-1", "expand": "x", "renderedFields": {"a": 1},
            "fields": {"summary": "s", "lastViewed": "t", "comment": {"comments": []}, "tomorrow": {"new": true},
                "watches": {"watchCount": 2, "isWatching": true}, "votes": {"votes": 1, "hasVoted": false},
                "attachment": [{"id": "5", "content": "https://x", "size": 3}]}});
        strip_issue(issue.as_object_mut().expect("an object"));
        let expected = json!({"id": "1", "key": "A-1",
            "fields": {"summary": "s", "tomorrow": {"new": true}, "watches": {"watchCount": 2},
                "votes": {"votes": 1}, "attachment": [{"id": "5", "size": 3}]}});
        assert_eq!(issue, expected);
    }

    #[test]
    fn people_are_found_wherever_they_are() {
        let value = json!({"author": {"accountId": "a", "displayName": "A"}, "list": [{"accountId": "b", "accountType": "app"}],
            "mention": {"accountId": "no name"}});
        let mut found = Vec::new();
        people(&value, &mut |account, _| found.push(account.to_owned()));
        assert_eq!(found, ["a", "b"]);
    }
}
