//! What changed between two snapshots, down to the fields of a document.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::base::decode;
use super::ls::{Contents, key_of_path, write_content};
use crate::context::RunContext;
use crate::entry::{Content, Entry, EntryKind, Metadata};
use crate::error::Error;
use crate::object::ReadObject;
use crate::repo::Snapshot;
use crate::tree;

/// A document above this size is compared as a whole.
const DOCUMENT_LIMIT: u64 = /* 16 MiB */ 16 * 1024 * 1024;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The newer snapshot alone has it.
    Added,
    /// The older snapshot alone has it.
    Removed,
    /// Both have it, and it differs.
    Modified,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// The path, safe to print.
    pub path: String,
    /// What happened to it.
    pub change: ChangeKind,
    /// What of it was modified: fields of a JSON document (`fields.summary`), `content`, or names of metadata.
    pub fields: Vec<String>,
    /// The kind of the entry, in the newer snapshot where it is there.
    pub kind: EntryKind,
    /// Bytes of the content in the older and newer snapshot.
    pub sizes: (u64, u64),
}

impl PathChange {
    /// True for a directory of which only times differ, as they do whenever something in it is made or deleted.
    pub fn is_only_touched(&self) -> bool {
        let is_time = |field: &String| matches!(field.as_str(), "modified" | "changed" | "version");
        self.change == ChangeKind::Modified
            && self.kind == EntryKind::Directory
            && self.fields.iter().all(is_time)
    }
}

/// Compares two snapshots below a path, `/` for all of them.
///
/// # Errors
/// `Invalid` where the path makes no sense.
pub fn diff(
    reader: &Arc<dyn ReadObject>,
    older: &Snapshot,
    newer: &Snapshot,
    path: &[u8],
    ctx: &RunContext,
) -> Result<Changes, Error> {
    let (old, new) =
        (Contents::new(Arc::clone(reader), older), Contents::new(Arc::clone(reader), newer));
    let mut collections: Vec<String> = old.trees().names().map(Into::into).collect();
    for name in new.trees().names() {
        if !collections.iter().any(|known| known == name) {
            collections.push(name.into());
        }
    }
    let below = match key_of_path(path)? {
        key if key.is_empty() => String::new(),
        key => super::display_key(&key),
    };
    Ok(Changes {
        reader: Arc::clone(reader),
        old,
        new,
        collections: collections.into(),
        current: None,
        below,
        ctx: ctx.clone(),
    })
}

/// Paths that differ, ascending by key within each collection; made by [`diff`].
pub struct Changes {
    reader: Arc<dyn ReadObject>,
    old: Contents,
    new: Contents,
    collections: VecDeque<String>,
    current: Option<(String, tree::Diff)>,
    below: String,
    ctx: RunContext,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl Changes {
    fn advance(&mut self) -> Result<Option<PathChange>, Error> {
        loop {
            if self.ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if self.current.is_none() {
                let Some(name) = self.collections.pop_front() else {
                    return Ok(None);
                };
                let (old, new) = (self.old.trees().tree(&name), self.new.trees().tree(&name));
                self.current = Some((name, tree::diff(&old, &new)));
            }
            let Some((name, differences)) = &mut self.current else {
                continue;
            };
            let Some(difference) = differences.next().transpose()? else {
                self.current = None;
                continue;
            };
            let path = self.new.path(name, &difference.key);
            let rest = path.strip_prefix(&self.below);
            if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                continue;
            }
            return self.change(path, &difference).map(Some);
        }
    }

    fn change(&self, path: String, difference: &tree::Difference) -> Result<PathChange, Error> {
        let entry = |value: &Option<Bytes>| {
            let value = value.as_ref();
            value.map(|value| decode(&difference.key, value)).transpose()
        };
        let (old, new) = (entry(&difference.old)?, entry(&difference.new)?);
        let size = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.size);
        let sizes = (size(&old), size(&new));
        let (change, kind, fields) = match (&old, &new) {
            (Some(old), Some(new)) => {
                (ChangeKind::Modified, new.kind, self.fields(&path, old, new)?)
            }
            (None, Some(new)) => (ChangeKind::Added, new.kind, Vec::new()),
            (Some(old), None) => (ChangeKind::Removed, old.kind, Vec::new()),
            (None, None) => {
                let what = "neither snapshot has it".into();
                return Err(Error::Content { path, what });
            }
        };
        Ok(PathChange { path, change, fields, kind, sizes })
    }

    fn fields(&self, path: &str, old: &Entry, new: &Entry) -> Result<Vec<String>, Error> {
        let mut fields = Vec::new();
        if old.kind != new.kind {
            fields.push("kind".into());
        }
        if old.content != new.content {
            let leaves = if old.kind == EntryKind::Document && new.kind == EntryKind::Document {
                self.changed_leaves(path, old, new)?
            } else {
                None
            };
            fields.extend(leaves.unwrap_or_else(|| vec!["content".into()]));
        }
        fields.extend(metadata_fields(&old.metadata, &new.metadata).map(Into::into));
        if fields.is_empty() {
            fields.push("version".into());
        }
        Ok(fields)
    }

    /// The changed leaves of two JSON documents; `None` where one of them is none, or both mean the same.
    fn changed_leaves(
        &self,
        path: &str,
        old: &Entry,
        new: &Entry,
    ) -> Result<Option<Vec<String>>, Error> {
        let (Some(old), Some(new)) = (self.json(path, old)?, self.json(path, new)?) else {
            return Ok(None);
        };
        let mut leaves = Vec::new();
        compare(String::new(), &old, &new, &mut leaves);
        Ok(Some(leaves).filter(|leaves| !leaves.is_empty()))
    }

    fn json(&self, path: &str, entry: &Entry) -> Result<Option<Value>, Error> {
        if entry.size > DOCUMENT_LIMIT || entry.content == Content::None {
            return Ok(None);
        }
        let mut text = Limited(Vec::new());
        match write_content(&self.reader, &entry.content, &mut text, &self.ctx) {
            Ok(_) => Ok(serde_json::from_slice(&text.0).ok()),
            Err(Error::Output(_)) => Err(Error::Content {
                path: path.into(),
                what: "it is longer than its entry says".into(),
            }),
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Changes {
    type Item = Result<PathChange, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.collections.clear();
            self.current = None;
        }
        next.transpose()
    }
}

/// Takes no more than a document may have.
struct Limited(Vec<u8>);

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.0.len() + bytes.len()) as u64 > DOCUMENT_LIMIT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn metadata_fields(old: &Metadata, new: &Metadata) -> impl Iterator<Item = &'static str> {
    [
        ("modified", old.modified != new.modified),
        ("created", old.created != new.created),
        ("changed", old.changed != new.changed),
        ("mode", old.mode != new.mode),
        ("owner", old.owner != new.owner),
        ("user", old.user != new.user),
        ("group", old.group != new.group),
        ("link-target", old.link_target != new.link_target),
        ("link-group", old.link_group != new.link_group),
        ("device", old.device != new.device),
        ("xattrs", old.xattrs != new.xattrs),
        ("media-type", old.media_type != new.media_type),
        ("other", old.other != new.other),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
}

/// Collects the dotted paths of what differs. What only one side has is named whole, and so are arrays that grew or shrank.
fn compare(path: String, old: &Value, new: &Value, leaves: &mut Vec<String>) {
    let below = |name: &str| {
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    };
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare(below(name), old, new, leaves),
                    _ => leaves.push(below(name)),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (place, (old, new)) in old.iter().zip(new).enumerate() {
                compare(below(&place.to_string()), old, new, leaves);
            }
        }
        _ if path.is_empty() => leaves.push("content".into()),
        _ => leaves.push(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changed_leaves_have_dotted_paths() {
        let check = |old: Value, new: Value, expected: &[&str]| {
            let mut leaves = Vec::new();
            compare(String::new(), &old, &new, &mut leaves);
            assert_eq!(leaves, expected, "{old} {new}");
        };
        let issue = |summary: &str, labels: &[&str]| json!({"key": "ABC-1", "fields": {"summary": summary, "labels": labels}});
        check(issue("a", &[]), issue("a", &[]), &[]);
        check(issue("a", &[]), issue("b", &[]), &["fields.summary"]);
        check(issue("a", &[]), issue("b", &["x"]), &["fields.labels", "fields.summary"]);
        check(issue("a", &["x", "y"]), issue("a", &["x", "z"]), &["fields.labels.1"]);
        check(json!({"a": 1}), json!({"b": {"c": 1}}), &["a", "b"]);
        check(json!({"a": 1}), json!({"a": {"c": 1}}), &["a"]);
        check(json!([1]), json!({}), &["content"]);
    }
}
