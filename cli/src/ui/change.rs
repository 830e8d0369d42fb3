//! Changes of paths: as lines for people, and as JSON.

use std::collections::BTreeMap;

use esker_engine::ops::diff::{ChangeKind, Difference, FieldChange, PathChange};
use serde::Serialize;
use serde_json::Value;

use super::table::Table;
use super::text;

/// A value is shown with so many characters.
const VALUE_LENGTH: usize = 200;
/// Of a text that begins like the other one so much is shown before the difference.
const CONTEXT_LENGTH: usize = 20;
/// Of a list so many elements are shown.
const ELEMENTS_SHOWN: usize = 8;
/// A value is written as JSON up to this size; of a greater one the beginning is, as text.
const JSON_LENGTH: usize = /* 64 KiB */ 64 * 1024;
/// A field is counted below a list of changes that so many objects have in common.
const COMMON: u64 = 3;
/// So many fields are counted below a list of changes.
const FIELDS_COUNTED: usize = 10;

/// `added`, `removed` or `modified`.
pub(crate) fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Modified => "modified",
    }
}

/// A line for a change, and one below it for each changed field of a document, as many as `most`.
pub(crate) fn lines(change: &PathChange, most: usize) -> Vec<String> {
    let has_value = |field: &&String| change.values.iter().any(|value| value.field == **field);
    let named: Vec<_> = change.fields.iter().filter(|field| !has_value(field)).cloned().collect();
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    let mut lines = vec![format!("{:9} {}{named}", kind_name(change.change), change.path)];
    let shown = change.values.iter().take(most);
    lines.extend(shown.map(|value| format!("  {}: {}", escaped(&value.field), described(value))));
    let further = change.values.len().saturating_sub(most) as u64;
    if further > 0 {
        lines.push(format!("  and {}", text::plural(further, "further field", "further fields")));
    }
    lines
}

/// What became of a field.
fn described(change: &FieldChange) -> String {
    match &change.difference {
        Difference::Elements { added, removed } if !added.is_empty() || !removed.is_empty() => {
            elements(added, removed)
        }
        Difference::Elements { .. } => "in another order".into(),
        Difference::Formatting => "formatted in another way".into(),
        Difference::Value | Difference::Text => {
            let (old, new) = excerpts(change.old.as_ref(), change.new.as_ref());
            format!("{old} → {new}")
        }
    }
}

fn elements(added: &[Value], removed: &[Value]) -> String {
    let shown = |sign: char, values: &[Value]| {
        let values = values.iter().take(ELEMENTS_SHOWN);
        values.map(|value| format!("{sign}{}", excerpt(&named(value), 0))).collect::<Vec<_>>()
    };
    let mut parts = shown('+', added);
    parts.extend(shown('−', removed));
    let hidden = |values: &[Value]| values.len().saturating_sub(ELEMENTS_SHOWN) as u64;
    match hidden(added) + hidden(removed) {
        0 => {}
        further => parts.push(format!("and {} further", text::count(further))),
    }
    parts.join(" ")
}

/// An element of a list: what it is called, where it is called something, else all of it.
fn named(element: &Value) -> String {
    let names = ["key", "name", "displayName", "filename", "value"];
    let name = names.iter().find_map(|name| element.get(name).filter(|it| it.is_string()));
    name.unwrap_or(element).to_string()
}

/// Both values, each within its length; of long texts that begin alike, from where they differ.
fn excerpts(old: Option<&Value>, new: Option<&Value>) -> (String, String) {
    let shown = |value: Option<&Value>| value.map_or_else(|| "none".into(), Value::to_string);
    let (old_text, new_text) = (shown(old), shown(new));
    let is_long = |text: &str| text.chars().count() > VALUE_LENGTH;
    let are_texts = old.is_some_and(Value::is_string) && new.is_some_and(Value::is_string);
    let from = if are_texts && (is_long(&old_text) || is_long(&new_text)) {
        let same = old_text.chars().zip(new_text.chars()).take_while(|(old, new)| old == new);
        same.count().saturating_sub(CONTEXT_LENGTH)
    } else {
        0
    };
    (excerpt(&old_text, from), excerpt(&new_text, from))
}

/// A text from a character on, within its length. Control characters in it are those that JSON leaves as they are.
fn excerpt(text: &str, from: usize) -> String {
    let before = if from > 0 { "…" } else { "" };
    let shown: String = text.chars().skip(from).take(VALUE_LENGTH).collect();
    let after = if text.chars().nth(from + VALUE_LENGTH).is_some() { "…" } else { "" };
    format!("{before}{}{after}", escaped(&shown))
}

fn escaped(text: &str) -> String {
    let escape = |c: char| c.is_control().then(|| c.escape_default().to_string());
    text.chars().map(|c| escape(c).unwrap_or_else(|| c.to_string())).collect()
}

/// A changed field as JSON.
#[derive(Serialize)]
pub(crate) struct FieldValues<'a> {
    field: &'a str,
    old: Option<Value>,
    new: Option<Value>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    added: &'a [Value],
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    removed: &'a [Value],
    /// True where values were too long, and are texts that show how they begin.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl<'a> From<&'a FieldChange> for FieldValues<'a> {
    fn from(change: &'a FieldChange) -> Self {
        let mut truncated = false;
        let mut bounded = |value: &Option<Value>| {
            let value = value.clone()?;
            let text = value.to_string();
            if text.len() <= JSON_LENGTH {
                return Some(value);
            }
            truncated = true;
            // A character has at most four bytes.
            Some(text.chars().take(JSON_LENGTH / 4).collect::<String>().into())
        };
        let (old, new) = (bounded(&change.old), bounded(&change.new));
        let (added, removed) = match &change.difference {
            Difference::Elements { added, removed } if !truncated => (&added[..], &removed[..]),
            _ => (&[][..], &[][..]),
        };
        Self { field: &change.field, old, new, added, removed, truncated }
    }
}

/// How many objects changed, by folder and by field.
#[derive(Default)]
pub(crate) struct Counts {
    folders: BTreeMap<String, [u64; 3]>,
    fields: BTreeMap<String, u64>,
}

/// What was counted, as JSON.
#[derive(Serialize)]
pub(crate) struct Counted<'a> {
    folders: Vec<CountedFolder<'a>>,
    fields: Vec<CountedField<'a>>,
}

#[derive(Serialize)]
struct CountedFolder<'a> {
    folder: &'a str,
    added: u64,
    removed: u64,
    modified: u64,
}

#[derive(Serialize)]
struct CountedField<'a> {
    field: &'a str,
    objects: u64,
}

impl Counts {
    /// Counts a change. Folders are those at the top, of a source with collections those of its collections.
    pub(crate) fn add(&mut self, change: &PathChange, has_collections: bool) {
        let folder = top_folder(&change.path, 1 + usize::from(has_collections));
        self.folders.entry(folder.into()).or_default()[change.change as usize] += 1;
        let mut fields: Vec<_> = change.fields.iter().map(|field| anywhere(field)).collect();
        fields.sort();
        fields.dedup();
        for field in fields {
            *self.fields.entry(field).or_default() += 1;
        }
    }

    /// Numbers of added, removed and modified objects.
    pub(crate) fn totals(&self) -> [u64; 3] {
        let mut totals = [0; 3];
        for counts in self.folders.values() {
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count;
            }
        }
        totals
    }

    /// Fields by the number of objects, the most frequent first.
    fn by_frequency(&self) -> Vec<(&str, u64)> {
        let fields = self.fields.iter().map(|(field, count)| (field.as_str(), *count));
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        fields
    }

    /// The fields that many objects have in common.
    pub(crate) fn common_fields(&self) -> Vec<String> {
        let common = self.by_frequency().into_iter().filter(|(_, count)| *count >= COMMON);
        common.take(FIELDS_COUNTED).map(|(field, count)| counted(field, count)).collect()
    }

    /// All of it, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut table = Table::new(["folder", "added", "removed", "modified"]).right(&[1, 2, 3]);
        for (folder, counts) in &self.folders {
            let [added, removed, modified] = counts.map(text::count);
            table.row([folder.clone(), added, removed, modified]);
        }
        let mut lines = if self.folders.is_empty() { Vec::new() } else { table.lines() };
        if !self.fields.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.by_frequency().into_iter().map(|(field, count)| counted(field, count)));
        lines
    }

    /// All of it, for programs.
    pub(crate) fn counted(&self) -> Counted<'_> {
        Counted {
            folders: self
                .folders
                .iter()
                .map(|(folder, [added, removed, modified])| CountedFolder {
                    folder,
                    added: *added,
                    removed: *removed,
                    modified: *modified,
                })
                .collect(),
            fields: self
                .by_frequency()
                .into_iter()
                .map(|(field, objects)| CountedField { field, objects })
                .collect(),
        }
    }
}

fn counted(field: &str, count: u64) -> String {
    format!("{}: {}", escaped(field), text::plural(count, "object", "objects"))
}

/// The folders at the beginning of a path, not more than `depth`; `/` for what is in none.
fn top_folder(path: &str, depth: usize) -> &str {
    let ends = path.match_indices('/').map(|(place, _)| place).filter(|place| *place > 0);
    ends.take(depth).last().map_or("/", |end| &path[..end])
}

/// A field wherever it is in a list: `a.3.b` is `a.*.b`.
fn anywhere(field: &str) -> String {
    let is_place = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = field.split('.').map(|part| if is_place(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use esker_engine::entry::EntryKind;
    use serde_json::json;

    fn field(old: Option<Value>, new: Option<Value>, difference: Difference) -> FieldChange {
        FieldChange { field: "fields.x".into(), old, new, difference }
    }

    #[test]
    fn values_are_shown_within_their_length() {
        let check = |old: Option<Value>, new: Option<Value>, expected: &str| {
            assert_eq!(described(&field(old, new, Difference::Value)), expected);
        };
        check(Some(json!("2026-12-01")), Some(Value::Null), "\"2026-12-01\" → null");
        check(None, Some(json!(1)), "none → 1");
        check(Some(json!("a\u{9b}b\n")), None, "\"a\\u{9b}b\\n\" → none");
        let long = "x".repeat(500);
        let told = described(&field(Some(json!(long)), Some(json!("y")), Difference::Value));
        assert_eq!(told.chars().count(), VALUE_LENGTH + 1 + " → ".chars().count() + 3, "{told}");
        // What both begin with is left out.
        let (old, new) = (json!(format!("{long}old")), json!(format!("{long}new")));
        let told = described(&field(Some(old), Some(new), Difference::Text));
        let same = "x".repeat(CONTEXT_LENGTH);
        assert_eq!(told, format!("…{same}old\" → …{same}new\""));
    }

    #[test]
    fn lists_are_shown_by_what_came_and_went() {
        let check = |added: Value, removed: Value, expected: &str| {
            let list = |value: &Value| value.as_array().unwrap().clone();
            let difference = Difference::Elements { added: list(&added), removed: list(&removed) };
            assert_eq!(described(&field(Some(removed), Some(added), difference)), expected);
        };
        check(json!(["x"]), json!(["y"]), "+\"x\" −\"y\"");
        check(json!([{"id": "1", "name": "Core"}]), json!([]), "+\"Core\"");
        check(json!([]), json!([{"id": "1"}]), "−{\"id\":\"1\"}");
        check(json!([]), json!([]), "in another order");
        let many: Vec<_> = (0..20).collect();
        check(json!(many), json!([]), "+0 +1 +2 +3 +4 +5 +6 +7 and 12 further");
    }

    #[test]
    fn json_has_whole_values_up_to_a_limit() {
        let small = field(Some(json!({"a": 1.10})), None, Difference::Value);
        let text = serde_json::to_string(&FieldValues::from(&small)).unwrap();
        assert_eq!(text, r#"{"field":"fields.x","old":{"a":1.1},"new":null}"#);
        let large = field(Some(json!("é".repeat(JSON_LENGTH))), Some(json!(1)), Difference::Value);
        let value = serde_json::to_value(FieldValues::from(&large)).unwrap();
        assert_eq!((&value["truncated"], &value["new"]), (&json!(true), &json!(1)));
        assert!(value["old"].as_str().unwrap().len() <= JSON_LENGTH);
    }

    #[test]
    fn changes_are_counted_by_folder_and_field() {
        let change = |path: &str, change, fields: &[&str]| PathChange {
            path: path.into(),
            change,
            fields: fields.iter().map(|&field| field.into()).collect(),
            values: Vec::new(),
            kind: EntryKind::Document,
            sizes: (0, 0),
        };
        let mut counts = Counts::default();
        for number in 0..3 {
            let path = format!("/issues/ABC/ABC-{number}/issue.json");
            counts.add(&change(&path, ChangeKind::Modified, &["a", "list.0.b", "list.1.b"]), true);
        }
        counts.add(&change("/users/1.json", ChangeKind::Added, &[]), true);
        counts.add(&change("/issues/ABC/ABC-9/issue.json", ChangeKind::Modified, &["c"]), true);
        assert_eq!(counts.totals(), [1, 0, 4]);
        assert_eq!(counts.common_fields(), ["a: 3 objects", "list.*.b: 3 objects"]);
        let lines = counts.lines();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["/issues/ABC", "0", "0", "4"]);
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["/users", "1", "0", "0"]);
        assert_eq!(lines.last().unwrap(), "c: 1 object");
        assert_eq!(top_folder("/a.txt", 1), "/");
        assert_eq!(top_folder("/folder/sub/a.txt", 1), "/folder");
    }
}
