//! One issue as the API sends it, taken apart into what is stored.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::document::{canonical, id_of, number, strip_issue};
use super::layout::IssueKey;
use super::time;

/// An answer that is no issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer for it has no usable `{missing}`")]
pub(super) struct MalformedIssue {
    missing: &'static str,
}

/// A list that an issue embeds, perhaps not whole.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Embedded {
    /// What came with the issue.
    pub(super) values: Vec<Value>,
    /// How many there are; `None` where the issue does not say.
    pub(super) total: Option<u64>,
}

impl Embedded {
    /// True where nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.values.len() as u64 >= total)
    }
}

/// What an issue says of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attachment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) media_type: Option<String>,
    pub(super) created: Option<Timestamp>,
}

/// An issue taken apart.
#[derive(Debug)]
pub(super) struct IssueParts {
    pub(super) id: u64,
    pub(super) key: IssueKey,
    pub(super) updated: Option<Timestamp>,
    /// All that is stored as `issue.json`.
    pub(super) document: Bytes,
    pub(super) comments: Embedded,
    pub(super) worklogs: Embedded,
    /// `None` where the issue does not say.
    pub(super) attachments: Option<Vec<Attachment>>,
    /// How many attachments came without an id; 1 where there is something else than a list.
    pub(super) nameless: usize,
    /// How many watch it; `None` where the issue does not say.
    pub(super) watchers: Option<u64>,
    /// How many voted for it; `None` where the issue does not say.
    pub(super) votes: Option<u64>,
}

impl IssueParts {
    /// Takes an issue apart.
    ///
    /// # Errors
    /// Where id, key or fields are missing: the search may leave out fields of a row without an error.
    pub(super) fn new(issue: &mut Map<String, Value>) -> Result<Self, MalformedIssue> {
        let id = issue.get("id").and_then(number).ok_or(MalformedIssue { missing: "id" })?;
        let key = issue.get("key").and_then(Value::as_str).and_then(IssueKey::parse);
        let key = key.ok_or(MalformedIssue { missing: "key" })?;
        let fields = issue.get_mut("fields").and_then(Value::as_object_mut);
        let fields =
            fields.filter(|it| !it.is_empty()).ok_or(MalformedIssue { missing: "fields" })?;
        let comments = embedded(fields.get_mut("comment"), "comments");
        let worklogs = embedded(fields.get_mut("worklog"), "worklogs");
        let field = fields.get("attachment");
        let listed = field.and_then(Value::as_array);
        let attachments: Option<Vec<_>> =
            listed.map(|it| it.iter().filter_map(Attachment::new).collect());
        let nameless = match (listed, &attachments) {
            (Some(listed), Some(attachments)) => listed.len() - attachments.len(),
            _ => usize::from(field.is_some()),
        };
        let count = |field: &str, member: &str| fields.get(field)?.get(member).and_then(number);
        let (watchers, votes) = (count("watches", "watchCount"), count("votes", "votes"));
        let updated = fields.get("updated").and_then(Value::as_str).and_then(time::parse);
        let mut whole = Value::Object(std::mem::take(issue));
        if let Some(issue) = whole.as_object_mut() {
            strip_issue(issue);
        }
        let document = canonical(&whole);
        Ok(Self {
            id,
            key,
            updated,
            document,
            comments,
            worklogs,
            attachments,
            nameless,
            watchers,
            votes,
        })
    }
}

fn embedded(field: Option<&mut Value>, list: &str) -> Embedded {
    let Some(Value::Object(field)) = field else {
        return Embedded::default();
    };
    match field.remove(list) {
        Some(Value::Array(values)) => {
            Embedded { total: field.get("total").and_then(number), values }
        }
        _ => Embedded::default(),
    }
}

impl Attachment {
    fn new(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(String::from);
        Some(Self {
            id: id_of(value)?,
            name: text("filename").unwrap_or_default(),
            size: value.get("size").and_then(number).unwrap_or(0),
            media_type: text("mimeType"),
            created: text("created").as_deref().and_then(time::parse),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parts(issue: Value) -> Result<IssueParts, MalformedIssue> {
        let Value::Object(mut issue) = issue else { unreachable!("tests give objects") };
        IssueParts::new(&mut issue)
    }

    #[test]
    fn an_issue_is_taken_apart() {
        let issue = parts(json!({"id": 10001, "key": "ABC-7", "fields": {
            "summary": "s", "updated": "2026-03-01T09:12:33.123+1100", "watches": {"watchCount": "3"}, "votes": null,
            "comment": {"comments": [{"id": "1"}], "total": 30}, "worklog": {"worklogs": [], "total": 0},
            "attachment": [{"id": 5, "filename": null, "size": "12", "mimeType": "text/plain"}, {}]}}))
        .expect("an issue");
        assert_eq!(
            (issue.id, &*issue.key.to_string(), issue.watchers, issue.votes),
            (10001, "ABC-7", Some(3), None)
        );
        assert!(!issue.comments.is_whole() && issue.worklogs.is_whole());
        let attachments = issue.attachments.expect("a list");
        assert_eq!((attachments[0].size, attachments.len(), issue.nameless), (12, 1, 1));
        assert_eq!(issue.updated.map(|it| it.as_millisecond() % 1000), Some(123));
        let text = String::from_utf8(issue.document.to_vec()).expect("text");
        assert!(text.starts_with(r#"{"fields":{"attachment""#), "{text}");
        assert!(!text.contains("comment"), "{text}");
    }

    #[test]
    fn lists_that_do_not_say_how_long_they_are_may_be_cut() {
        for list in [
            json!(null),
            json!({}),
            json!({"comments": null, "total": 0}),
            json!({"comments": [], "total": null}),
            json!({"comments": [{}], "total": 2}),
        ] {
            let fields = json!({"comment": list, "attachment": null});
            let issue = parts(json!({"id": "1", "key": "A-1", "fields": fields}));
            let issue = issue.expect("an issue");
            assert!(!issue.comments.is_whole() && !issue.worklogs.is_whole(), "{list}");
            assert_eq!((issue.attachments, issue.nameless), (None, 1));
        }
    }

    #[test]
    fn what_is_no_issue_is_refused() {
        for (issue, missing) in [
            (json!({}), "id"),
            (json!({"id": "x", "key": "A-1", "fields": {"a": 1}}), "id"),
            (json!({"id": "1", "key": "../x", "fields": {"a": 1}}), "key"),
            (json!({"id": "1", "key": "A-1"}), "fields"),
            (json!({"id": "1", "key": "A-1", "fields": null}), "fields"),
            (json!({"id": "1", "key": "A-1", "fields": {}}), "fields"),
        ] {
            assert_eq!(parts(issue.clone()).expect_err("refused").missing, missing, "{issue}");
        }
    }
}
