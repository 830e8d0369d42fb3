//! What changed between two snapshots, down to the fields of a document.

mod fields;
mod rich_text;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

pub use fields::{Difference, FieldChange};

use super::base::{SnapshotTrees, decode};
use super::document::DOCUMENT_LIMIT;
use super::key_of_path;
use super::ls::write_content;
use super::place::{keys_below, path_of, prefix_in};
use crate::context::RunContext;
use crate::entry::{Content, Entry, EntryKind, Metadata};
use crate::error::Error;
use crate::object::ReadObject;
use crate::repo::Snapshot;
use crate::tree::{self, Tree};

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
    /// The values of those fields that are fields of a document.
    pub values: Vec<FieldChange>,
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
    changes(reader, Some(older), newer, path, ctx)
}

/// As [`diff`]; where there is no older snapshot all is added.
pub(super) fn changes(
    reader: &Arc<dyn ReadObject>,
    older: Option<&Snapshot>,
    newer: &Snapshot,
    path: &[u8],
    ctx: &RunContext,
) -> Result<Changes, Error> {
    let trees = |snapshot: &Snapshot| SnapshotTrees::new(Arc::clone(reader), &snapshot.commit);
    let (old, new) = (older.map(trees), trees(newer));
    let mut collections: Vec<String> =
        old.iter().flat_map(SnapshotTrees::names).map(Into::into).collect();
    for name in new.names() {
        if !collections.iter().any(|known| known == name) {
            collections.push(name.into());
        }
    }
    let kind = newer.commit.source.kind.clone();
    let below = key_of_path(&kind, path)?;
    Ok(Changes {
        reader: Arc::clone(reader),
        old,
        new,
        collections: collections.into(),
        current: None,
        kind,
        below,
        ctx: ctx.clone(),
    })
}

/// Paths that differ, ascending by key within each collection; made by [`diff`].
pub struct Changes {
    reader: Arc<dyn ReadObject>,
    old: Option<SnapshotTrees>,
    new: SnapshotTrees,
    collections: VecDeque<String>,
    current: Option<(String, tree::Diff)>,
    kind: String,
    /// The key of the path that is compared; empty for all.
    below: Vec<u8>,
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
                let Some(prefix) = prefix_in(&self.kind, &name, &self.below) else {
                    continue;
                };
                let none = || Tree::new(Arc::clone(&self.reader), None);
                let old = self.old.as_ref().map_or_else(none, |old| old.tree(&name));
                let keys = keys_below(prefix);
                let differences = tree::diff_within(&old, &self.new.tree(&name), &keys);
                self.current = Some((name, differences));
            }
            let Some((name, differences)) = &mut self.current else {
                continue;
            };
            let Some(difference) = differences.next().transpose()? else {
                self.current = None;
                continue;
            };
            let path = path_of(&self.kind, name, &difference.key);
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
        let mut values = Vec::new();
        let (change, kind, fields) = match (&old, &new) {
            (Some(old), Some(new)) => {
                values = self.values(&path, old, new)?;
                (ChangeKind::Modified, new.kind, fields(old, new, &values))
            }
            (None, Some(new)) => (ChangeKind::Added, new.kind, Vec::new()),
            (Some(old), None) => (ChangeKind::Removed, old.kind, Vec::new()),
            (None, None) => {
                let what = "neither snapshot has it".into();
                return Err(Error::Content { path, what });
            }
        };
        Ok(PathChange { path, change, fields, values, kind, sizes })
    }

    /// The changed fields of two JSON documents; none where one of them is none, or both mean the same.
    fn values(&self, path: &str, old: &Entry, new: &Entry) -> Result<Vec<FieldChange>, Error> {
        let are_documents = [old, new].iter().all(|it| it.kind == EntryKind::Document);
        if !are_documents || old.content == new.content {
            return Ok(Vec::new());
        }
        Ok(match (self.json(path, old)?, self.json(path, new)?) {
            (Some(old), Some(new)) => fields::compare(&old, &new),
            _ => Vec::new(),
        })
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

/// Names what was modified.
fn fields(old: &Entry, new: &Entry, values: &[FieldChange]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    if old.kind != new.kind {
        fields.push("kind".into());
    }
    fields.extend(values.iter().map(|value| value.field.clone()));
    if old.content != new.content && values.is_empty() {
        fields.push("content".into());
    }
    fields.extend(metadata_fields(&old.metadata, &new.metadata).map(Into::into));
    if fields.is_empty() {
        fields.push("version".into());
    }
    fields
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
