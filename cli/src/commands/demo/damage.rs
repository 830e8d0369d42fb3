//! What two snapshots say of a mishap: issues that are gone, and a field that many issues have another value in.

use std::collections::BTreeMap;

use esker_engine::ops::diff::{ChangeKind, Difference, FieldChange, PathChange};
use serde::Serialize;
use serde_json::Value;

use super::site::Issues;

/// The document that describes an issue.
const ISSUE_DOCUMENT: &str = "/issue.json";
/// Changes with every edit, and so tells nothing.
const UPDATED: &str = "fields.updated";
/// So many values of an overwritten field are told.
const EXAMPLES: usize = 3;

/// A value that was overwritten.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Example {
    pub(super) issue: String,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

/// The field that most issues of one project have another value in.
#[derive(Debug, Serialize)]
pub(super) struct Overwritten {
    pub(super) project: String,
    /// As documents name it: `fields.duedate`.
    pub(super) field: String,
    /// As people name it: `Due date`.
    pub(super) name: String,
    pub(super) issues: Vec<String>,
    pub(super) examples: Vec<Example>,
}

/// The difference between two snapshots as somebody looks at it who has to repair it.
#[derive(Debug, Serialize)]
pub(super) struct Damage {
    /// The older snapshot.
    pub(super) before: String,
    /// The newer snapshot.
    pub(super) after: String,
    pub(super) gone: Vec<String>,
    pub(super) gone_attachments: u64,
    pub(super) overwritten: Overwritten,
    /// Issues that changed in another way, as they do on any day.
    pub(super) otherwise_changed: u64,
}

/// The key of the issue that a path belongs to.
pub(super) fn issue_of(path: &str) -> Option<&str> {
    path.strip_prefix("/issues/")?.split('/').nth(1)
}

/// The project and the number of a key, so that `ABC-9` comes before `ABC-10`.
fn order(key: &String) -> (String, u64) {
    let (project, number) = key.rsplit_once('-').unwrap_or((key, ""));
    (project.to_owned(), number.parse().unwrap_or(0))
}

impl Issues {
    /// What became of issues between two snapshots.
    pub(super) fn of(changes: &[PathChange]) -> Self {
        let mut issues = Self::default();
        for change in changes {
            let Some(issue) = issue_of(&change.path) else { continue };
            let is_issue = change.path.ends_with(ISSUE_DOCUMENT);
            match change.change {
                ChangeKind::Added if is_issue => issues.new.insert(issue.to_owned()),
                ChangeKind::Removed if is_issue => issues.gone.insert(issue.to_owned()),
                _ => issues.changed.insert(issue.to_owned()),
            };
        }
        let Self { changed, new, gone } = &mut issues;
        changed.retain(|issue| !new.contains(issue) && !gone.contains(issue));
        issues
    }
}

impl Damage {
    /// What the changes between two snapshots have in common.
    pub(super) fn of(changes: &[PathChange], [before, after]: [String; 2]) -> Self {
        let issues = Issues::of(changes);
        let mut gone: Vec<_> = issues.gone.iter().cloned().collect();
        gone.sort_by_key(order);
        let is_lost_attachment = |it: &&PathChange| {
            it.change == ChangeKind::Removed
                && it.path.contains("/attachments/")
                && issue_of(&it.path).is_some_and(|issue| issues.gone.contains(issue))
        };
        let gone_attachments = changes.iter().filter(is_lost_attachment).count() as u64;
        let overwritten = most_frequent(changes);
        let otherwise_changed = issues.changed.len().saturating_sub(overwritten.issues.len());
        Self {
            before,
            after,
            gone,
            gone_attachments,
            overwritten,
            otherwise_changed: otherwise_changed as u64,
        }
    }
}

/// Counts changed fields by project, and takes the one that most issues have in common.
fn most_frequent(changes: &[PathChange]) -> Overwritten {
    let mut fields: BTreeMap<(&str, &str), Vec<Example>> = BTreeMap::new();
    for change in changes.iter().filter(|it| it.path.ends_with(ISSUE_DOCUMENT)) {
        let Some(issue) = issue_of(&change.path) else { continue };
        let project = issue.rsplit_once('-').map_or(issue, |(project, _)| project);
        for value in change.values.iter().filter(|value| value.field != UPDATED) {
            let FieldChange { field, old, new, .. } = value;
            fields.entry((project, field)).or_default().push(Example {
                issue: issue.to_owned(),
                old: old.clone(),
                new: new.clone(),
            });
        }
    }
    let most = fields.into_iter().max_by_key(|(_, examples)| examples.len());
    let ((project, field), mut examples) = most.unwrap_or_default();
    examples.sort_by_key(|example| order(&example.issue));
    let issues = examples.iter().map(|example| example.issue.clone()).collect();
    // Values that were there tell more than those that were not.
    examples.sort_by_key(|example| example.old.as_ref().is_none_or(Value::is_null));
    examples.truncate(EXAMPLES);
    Overwritten {
        project: project.to_owned(),
        field: field.to_owned(),
        name: field.to_owned(),
        issues,
        examples,
    }
}

impl Overwritten {
    /// True for a change that replaces a value of the field.
    pub(super) fn is_lost_in(&self, change: &PathChange) -> bool {
        let is_value = |value: &FieldChange| {
            value.field == self.field && value.old.as_ref().is_some_and(|old| !old.is_null())
        };
        change.values.iter().any(is_value)
    }
}

/// What became of an issue in one version of it, in a few words: `status To Do → Done`.
pub(super) fn headline(change: &PathChange, overwritten: &Overwritten) -> Option<String> {
    let telling = [
        (overwritten.field.as_str(), overwritten.name.as_str()),
        ("fields.status.name", "Status"),
        ("fields.priority.name", "Priority"),
        ("fields.assignee.displayName", "Assignee"),
        ("fields.summary", "Summary"),
    ];
    telling.into_iter().find_map(|(field, name)| {
        let value = change.values.iter().find(|value| value.field == field)?;
        let is_plain = value.difference == Difference::Value;
        let (old, new) = (shown(value.old.as_ref()), shown(value.new.as_ref()));
        is_plain.then(|| format!("{name} {old} → {new}"))
    })
}

/// A value as people write it.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use esker_engine::entry::EntryKind;
    use serde_json::json;

    use super::*;

    fn change(path: &str, change: ChangeKind, fields: &[(&str, Value, Value)]) -> PathChange {
        let value = |(field, old, new): &(&str, Value, Value)| FieldChange {
            field: (*field).to_owned(),
            old: Some(old.clone()),
            new: Some(new.clone()),
            difference: Difference::Value,
        };
        PathChange {
            path: path.to_owned(),
            change,
            fields: fields.iter().map(|it| it.0.to_owned()).collect(),
            values: fields.iter().map(value).collect(),
            kind: EntryKind::Document,
            sizes: (1, 1),
        }
    }

    #[test]
    fn damage_is_what_many_issues_have_in_common() {
        use ChangeKind::{Added, Modified, Removed};
        let due = |old: Value| ("fields.duedate", old, json!("2036-03-06"));
        let updated = || (UPDATED, json!("a"), json!("b"));
        let changes = [
            change(
                "/issues/ABC/ABC-10/issue.json",
                Modified,
                &[due(json!("2026-01-01")), updated()],
            ),
            change("/issues/ABC/ABC-10/history/0000.json", Modified, &[]),
            change("/issues/ABC/ABC-9/issue.json", Modified, &[due(Value::Null), updated()]),
            change(
                "/issues/ABC/ABC-8/issue.json",
                Modified,
                &[("fields.status.name", json!("To Do"), json!("Done")), updated()],
            ),
            change("/issues/XY/XY-1/attachments/7-a.txt", Removed, &[]),
            change("/issues/XY/XY-1/issue.json", Removed, &[]),
            change("/issues/XY/XY-2/attachments/8-a.txt", Removed, &[]),
            change("/issues/XY/XY-3/issue.json", Added, &[]),
            change("/users/1.json", Added, &[]),
        ];
        let issues = Issues::of(&changes);
        let keys =
            |keys: &std::collections::BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&issues.changed), ["ABC-10", "ABC-8", "ABC-9", "XY-2"]);
        assert_eq!(
            (keys(&issues.new), keys(&issues.gone)),
            (vec!["XY-3".into()], vec!["XY-1".into()])
        );
        let damage = Damage::of(&changes, ["1".into(), "2".into()]);
        assert_eq!((&damage.gone[..], damage.gone_attachments), (&["XY-1".to_owned()][..], 1));
        let Overwritten { project, field, issues, examples, .. } = &damage.overwritten;
        assert_eq!((project.as_str(), field.as_str()), ("ABC", "fields.duedate"));
        assert_eq!(issues, &["ABC-9", "ABC-10"]);
        assert_eq!(examples[0].issue, "ABC-10", "the one that had a value is told first");
        assert_eq!(damage.otherwise_changed, 2);
        assert_eq!(
            headline(&changes[0], &damage.overwritten).as_deref(),
            Some("fields.duedate 2026-01-01 → 2036-03-06")
        );
        assert_eq!(
            headline(&changes[3], &damage.overwritten).as_deref(),
            Some("Status To Do → Done")
        );
        assert_eq!(headline(&changes[1], &damage.overwritten), None);
        let is_lost = |change: &PathChange| damage.overwritten.is_lost_in(change);
        assert!(is_lost(&changes[0]) && !is_lost(&changes[2]) && !is_lost(&changes[3]));
    }

    #[test]
    fn no_change_is_no_damage() {
        let damage = Damage::of(&[], ["1".into(), "2".into()]);
        assert!(damage.gone.is_empty() && damage.overwritten.issues.is_empty());
    }
}
