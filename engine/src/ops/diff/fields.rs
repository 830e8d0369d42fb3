//! What differs between two JSON documents, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rich_text;

/// One field of a document that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its dotted path, such as `fields.summary`; `content` for the document as a whole.
    pub field: String,
    /// What the older document has there; `None` where it has no such field.
    pub old: Option<Value>,
    /// What the newer document has there.
    pub new: Option<Value>,
    /// How the two differ.
    pub difference: Difference,
}

/// How two values of a field differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// They are two values.
    Value,
    /// They are two lists of plain values, or of objects that have an `id`.
    Elements {
        /// Elements that the newer list alone has.
        added: Vec<Value>,
        /// Elements that the older list alone has.
        removed: Vec<Value>,
    },
    /// They are rich text, given as plain text.
    Text,
    /// They are rich text of the same words, in another form.
    Formatting,
}

/// Compares two documents. What only one of them has is one change, however much it holds.
pub(super) fn compare(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare_at(String::new(), old, new, &mut changes);
    changes
}

fn compare_at(path: String, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    if rich_text::is_rich(old) || rich_text::is_rich(new) {
        changes.push(change(path, Some(old), Some(new)));
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare_at(below(&path, name), old, new, changes),
                    (old, new) => changes.push(change(below(&path, name), old, new)),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, changes),
        _ => changes.push(change(path, Some(old), Some(new))),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn change(path: String, old: Option<&Value>, new: Option<&Value>) -> FieldChange {
    let is_rich = |value: Option<&Value>| value.is_some_and(rich_text::is_rich);
    let field = if path.is_empty() { "content".into() } else { path };
    if !is_rich(old) && !is_rich(new) {
        let (old, new) = (old.cloned(), new.cloned());
        return FieldChange { field, old, new, difference: Difference::Value };
    }
    let (old_text, new_text) = (old.map(rich_text::flattened), new.map(rich_text::flattened));
    if old_text == new_text {
        let (old, new) = (old.cloned(), new.cloned());
        return FieldChange { field, old, new, difference: Difference::Formatting };
    }
    FieldChange { field, old: old_text, new: new_text, difference: Difference::Text }
}

/// Lists of plain values and of objects with ids are compared as sets, others of one length place by place.
fn compare_lists(path: String, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    if old.iter().chain(new).all(is_plain) {
        changes.push(change_of_lists(path, old, new, Value::to_string));
        return;
    }
    if let (Some(old_ids), Some(new_ids)) = (ids(old), ids(new)) {
        if !old_ids.keys().eq(new_ids.keys()) || !old.iter().map(id).eq(new.iter().map(id)) {
            changes.push(change_of_lists(path.clone(), old, new, |value| id(value).to_string()));
        }
        for (place, new) in new.iter().enumerate() {
            if let Some(old) = old_ids.get(&id(new).to_string()) {
                compare_at(below(&path, &place.to_string()), old, new, changes);
            }
        }
        return;
    }
    if old.len() != new.len() {
        let (old, new) = (Value::Array(old.to_vec()), Value::Array(new.to_vec()));
        changes.push(change(path, Some(&old), Some(&new)));
        return;
    }
    for (place, (old, new)) in old.iter().zip(new).enumerate() {
        compare_at(below(&path, &place.to_string()), old, new, changes);
    }
}

fn id(element: &Value) -> &Value {
    element.get("id").unwrap_or(&Value::Null)
}

/// The elements by their ids; `None` where one has none, or two have the same.
fn ids(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let has_id = |element: &Value| matches!(id(element), Value::String(_) | Value::Number(_));
    let by_id: BTreeMap<_, _> = list.iter().map(|it| (id(it).to_string(), it)).collect();
    (list.iter().all(has_id) && by_id.len() == list.len()).then_some(by_id)
}

fn change_of_lists(
    path: String,
    old: &[Value],
    new: &[Value],
    name: impl Fn(&Value) -> String,
) -> FieldChange {
    let without = |list: &[Value], others: &[Value]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for other in others {
            *counts.entry(name(other)).or_default() += 1;
        }
        let mut left = list.to_vec();
        left.retain(|value| match counts.get_mut(&name(value)) {
            Some(count @ 1..) => {
                *count -= 1;
                false
            }
            _ => true,
        });
        left
    };
    let difference = Difference::Elements { added: without(new, old), removed: without(old, new) };
    let field = if path.is_empty() { "content".into() } else { path };
    let (old, new) = (Value::Array(old.to_vec()), Value::Array(new.to_vec()));
    FieldChange { field, old: Some(old), new: Some(new), difference }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(old: &Value, new: &Value) -> Vec<String> {
        compare(old, new).into_iter().map(|change| change.field).collect()
    }

    #[test]
    fn changed_fields_have_dotted_paths() {
        let check = |old: Value, new: Value, expected: &[&str]| {
            assert_eq!(fields(&old, &new), expected, "{old} {new}");
        };
        let issue = |summary: &str, labels: &[&str]| json!({"key": "ABC-1", "fields": {"summary": summary, "labels": labels}});
        check(issue("a", &[]), issue("a", &[]), &[]);
        check(issue("a", &[]), issue("b", &[]), &["fields.summary"]);
        check(issue("a", &[]), issue("b", &["x"]), &["fields.labels", "fields.summary"]);
        check(issue("a", &["x", "y"]), issue("a", &["x", "z"]), &["fields.labels"]);
        check(json!({"a": 1}), json!({"b": {"c": 1}}), &["a", "b"]);
        check(json!({"a": 1}), json!({"a": {"c": 1}}), &["a"]);
        check(json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]}), &["a.0.b"]);
        check(json!({"a": [{"b": 1}]}), json!({"a": []}), &["a"]);
        check(json!([1]), json!({}), &["content"]);
    }

    #[test]
    fn a_change_has_both_values() {
        let old = json!({"fields": {"duedate": "2026-12-01", "size": 1}});
        let new = json!({"fields": {"duedate": null, "points": 1.10}});
        let changes = compare(&old, &new);
        let told: Vec<_> =
            changes.iter().map(|it| (it.field.as_str(), it.old.clone(), it.new.clone())).collect();
        assert_eq!(
            told,
            [
                ("fields.duedate", Some(json!("2026-12-01")), Some(Value::Null)),
                ("fields.points", None, new["fields"].get("points").cloned()),
                ("fields.size", Some(json!(1)), None),
            ]
        );
    }

    #[test]
    fn lists_tell_what_came_and_went() {
        let check = |old: Value, new: Value, expected: (Value, Value)| {
            let changes = compare(&json!({"a": old}), &json!({"a": new}));
            let Difference::Elements { added, removed } = &changes[0].difference else {
                panic!("{changes:?}");
            };
            assert_eq!((json!(added), json!(removed)), expected);
            assert_eq!((&changes[0].old, &changes[0].new), (&Some(old), &Some(new)));
        };
        check(json!(["x", "y"]), json!(["y", "z", "z"]), (json!(["z", "z"]), json!(["x"])));
        check(json!(["x", "y"]), json!(["y", "x"]), (json!([]), json!([])));
        check(json!([]), json!([{"id": 1}]), (json!([{"id": 1}]), json!([])));
        // Elements that both have are compared by themselves.
        let old = json!({"a": [{"id": "1", "b": 1}, {"id": "2", "b": 1}]});
        let new = json!({"a": [{"id": "2", "b": 2}]});
        assert_eq!(fields(&old, &new), ["a", "a.0.b"]);
        // Ids that say nothing are no ids.
        let twins = json!({"a": [{"id": "1"}, {"id": "1"}]});
        assert_eq!(compare(&twins, &json!({"a": []}))[0].difference, Difference::Value);
    }

    #[test]
    fn rich_text_is_compared_by_its_words() {
        let doc = |text: &str, marks: Value| {
            json!({"body": {"type": "doc", "version": 1, "content": [
                {"type": "paragraph", "content": [{"type": "text", "text": text, "marks": marks}]}
            ]}})
        };
        let changes = compare(&doc("one", json!([])), &doc("two", json!([])));
        assert_eq!(changes[0].field, "body");
        assert_eq!(changes[0].difference, Difference::Text);
        assert_eq!((&changes[0].old, &changes[0].new), (&Some(json!("one")), &Some(json!("two"))));
        let bold = json!([{"type": "strong"}]);
        let changes = compare(&doc("one", json!([])), &doc("one", bold));
        assert_eq!(changes[0].difference, Difference::Formatting);
        let changes = compare(&json!({"body": null}), &doc("one", json!([])));
        assert_eq!(changes[0].difference, Difference::Text);
        assert_eq!((&changes[0].old, &changes[0].new), (&Some(Value::Null), &Some(json!("one"))));
    }
}
