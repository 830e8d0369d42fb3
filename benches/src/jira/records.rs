//! Ways to split an issue into records, and a source that stores issues in one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::ops::SnapshotTrees;
use esker_engine::source::{
    Base, Change, ChangeSink, CollectionEnd, Completeness, CompletenessState, Payload, ScanEnd,
    ScanMode, Source, SourceError, SourceInfo,
};
use serde_json::Value;
use tokio::runtime::Handle;

use super::folder::{Document, Folder, ISSUES, touched};
use crate::Failure;

/// How comments and worklogs are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Each is a record.
    Apart,
    /// All of an issue are one record.
    Together,
}

/// How an issue is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Not at all.
    Whole,
    /// As little as need be: only full blocks of so many comments, worklogs or entries of the history are apart.
    Blocks(usize),
    /// Into fields, comments, worklogs and blocks of the history of so many entries; `None` for one block.
    Parts(Lists, Option<usize>),
}

/// A way to store issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How an issue is split.
    pub split: Split,
    /// Numbers of issues are filled up with zeros, so that keys are in the order of numbers.
    pub is_padded: bool,
}

/// A record: its entry without a content, and the text.
type Record = (Entry, Bytes);

impl Layout {
    /// The records of an issue by key.
    pub fn records(&self, folder: &Folder) -> Result<BTreeMap<Vec<u8>, Record>, Failure> {
        let prefix = if self.is_padded { padded(&folder.prefix) } else { folder.prefix.clone() };
        let mut records = BTreeMap::new();
        let mut add = |name: &str, entry: Entry, text: Bytes| {
            records.insert([&prefix, name.as_bytes()].concat(), (entry, text));
        };
        match self.split {
            Split::Whole => add("issue.json", token(folder), merged(folder)),
            Split::Blocks(size) => blocks(folder, size, add)?,
            Split::Parts(lists, block) => parts(folder, lists, block, add)?,
        }
        Ok(records)
    }
}

fn parts(
    folder: &Folder,
    lists: Lists,
    block: Option<usize>,
    mut add: impl FnMut(&str, Entry, Bytes),
) -> Result<(), Failure> {
    for document in &folder.documents {
        let is_joined = match document.list() {
            Some(list) => list == "history" || lists == Lists::Together,
            None => false,
        };
        if !is_joined {
            add(&document.name, plain(&document.entry), document.text.clone());
        }
    }
    if lists == Lists::Together {
        for list in ["comments", "worklogs"] {
            let elements = elements(folder, list)?;
            if !elements.is_empty() {
                let name = format!("{list}.json");
                add(&name, Entry::new(EntryKind::Document), joined(&elements));
            }
        }
    }
    for (place, block) in
        elements(folder, "history")?.chunks(block.unwrap_or(usize::MAX)).enumerate()
    {
        let name = format!("history\0{place:04}.json");
        add(&name, Entry::new(EntryKind::Document), joined(block));
    }
    Ok(())
}

fn blocks(
    folder: &Folder,
    size: usize,
    mut add: impl FnMut(&str, Entry, Bytes),
) -> Result<(), Failure> {
    let mut rest = folder.clone();
    rest.documents.retain(|document| document.list().is_none());
    for list in ["comments", "history", "worklogs"] {
        let elements = elements(folder, list)?;
        let blocks = elements.chunks_exact(size);
        let tail = blocks.remainder();
        for (place, block) in blocks.enumerate() {
            let name = format!("{list}\0{place:04}.json");
            add(&name, Entry::new(EntryKind::Document), joined(block));
        }
        if !tail.is_empty() {
            let entry = Entry::new(EntryKind::Document);
            rest.documents.push(Document { name: list.into(), entry, text: joined(tail) });
        }
    }
    add("issue.json", token(folder), merged(&rest));
    Ok(())
}

/// The elements of a list of an issue, oldest first.
fn elements(folder: &Folder, list: &str) -> Result<Vec<Bytes>, Failure> {
    let of_list = folder.documents.iter().filter(|document| document.list() == Some(list));
    if list != "history" {
        let mut elements: Vec<_> = of_list.map(|it| (number(&it.name), it.text.clone())).collect();
        elements.sort();
        return Ok(elements.into_iter().map(|(_, text)| text).collect());
    }
    let mut elements = Vec::new();
    for document in of_list {
        // The documents are canonical, and stay so.
        let entries: Vec<Value> = serde_json::from_slice(&document.text)?;
        elements.extend(entries.iter().map(|entry| Bytes::from(entry.to_string())));
    }
    Ok(elements)
}

fn joined(elements: &[Bytes]) -> Bytes {
    let texts: Vec<&[u8]> = elements.iter().map(|text| &text[..]).collect();
    [b"[", &*texts.join(&b","[..]), b"]"].concat().into()
}

/// All documents of an issue as one: an object of texts by name.
pub fn merged(folder: &Folder) -> Bytes {
    let mut text = Vec::new();
    for document in &folder.documents {
        text.push(if text.is_empty() { b'{' } else { b',' });
        let name = Value::from(document.name.replace('\0', "/"));
        text.extend_from_slice(name.to_string().as_bytes());
        text.push(b':');
        text.extend_from_slice(&document.text);
    }
    text.push(b'}');
    text.into()
}

/// The id in a name such as `comments␀10031.json`.
fn number(name: &str) -> u64 {
    let name = name.rsplit('\0').next().unwrap_or_default();
    name.trim_end_matches(".json").parse().unwrap_or(0)
}

/// An entry without its content.
fn plain(entry: &Entry) -> Entry {
    let (version, metadata) = (entry.version.clone(), entry.metadata.clone());
    Entry { version, metadata, ..Entry::new(EntryKind::Document) }
}

/// The entry of `issue.json`: the token of the issue and when it changed.
fn token(folder: &Folder) -> Entry {
    let issue = folder.documents.iter().find(|document| document.name == "issue.json");
    issue.map_or_else(|| Entry::new(EntryKind::Document), |it| plain(&it.entry))
}

/// `ABC␀ABC-0000007␀` for `ABC␀ABC-7␀`.
fn padded(prefix: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(prefix);
    match text.trim_end_matches('\0').rsplit_once('-') {
        Some((project, number)) => format!("{project}-{number:0>7}\0").into_bytes(),
        None => prefix.to_vec(),
    }
}

/// An issue of which something changed: what it was and what it is.
#[derive(Debug, Clone)]
pub struct Touched {
    old: Option<Folder>,
    new: Option<Folder>,
}

impl Touched {
    /// Reads all issues of which something differs between two snapshots.
    pub fn between(old: &SnapshotTrees, new: &SnapshotTrees) -> Result<Vec<Self>, Failure> {
        let both = |prefix: Result<Vec<u8>, Failure>| {
            let prefix = prefix?;
            Ok(Self { old: Folder::read(old, &prefix)?, new: Folder::read(new, &prefix)? })
        };
        touched(Some(old), new).map(both).collect()
    }
}

/// What a scan pushes.
#[derive(Clone)]
pub enum Issues {
    /// All issues of a snapshot.
    All(SnapshotTrees),
    /// Those that changed.
    Touched(Arc<Vec<Touched>>),
}

/// A source of issues in some layout.
pub struct Regrouped {
    /// How they are stored.
    pub layout: Layout,
    /// What there is.
    pub issues: Issues,
}

impl Regrouped {
    /// Pushes only records that differ.
    fn push(
        &self,
        issue: &Touched,
        changes: &ChangeSink,
        runtime: &Handle,
    ) -> Result<(), SourceError> {
        let records = |folder: &Option<Folder>| match folder {
            Some(folder) => self.layout.records(folder).map_err(unreadable),
            None => Ok(BTreeMap::new()),
        };
        let (mut old, new) = (records(&issue.old)?, records(&issue.new)?);
        for (key, (entry, text)) in new {
            let before = old.remove(&key);
            let key = Bytes::from(key);
            if before.as_ref() != Some(&(entry.clone(), text.clone())) {
                let payload = Payload::Bytes(text);
                let put = Change::Put { collection: 0, key, entry, payload };
                changes.push_blocking(put, runtime)?;
            }
        }
        for key in old.into_keys() {
            let key = Bytes::from(key);
            changes.push_blocking(Change::Delete { collection: 0, key }, runtime)?;
        }
        Ok(())
    }

    fn push_all(&self, changes: &ChangeSink, runtime: &Handle) -> Result<(), SourceError> {
        match &self.issues {
            Issues::Touched(issues) => {
                issues.iter().try_for_each(|issue| self.push(issue, changes, runtime))
            }
            Issues::All(trees) => touched(None, trees).try_for_each(|prefix| {
                let prefix = prefix.map_err(unreadable)?;
                let new = Folder::read(trees, &prefix).map_err(unreadable)?;
                self.push(&Touched { old: None, new }, changes, runtime)
            }),
        }
    }
}

fn unreadable(error: Failure) -> SourceError {
    SourceError::Unreadable { what: "the snapshot".into(), source: error.to_string().into() }
}

#[async_trait::async_trait]
impl Source for Regrouped {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "records".into(),
            identity: "bench".into(),
            name: "bench".into(),
            collections: vec![ISSUES.into()],
        }
    }

    async fn scan(
        &self,
        _: Option<&Base>,
        _: ScanMode,
        changes: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let runtime = Handle::current();
        tokio::task::block_in_place(|| self.push_all(changes, &runtime))?;
        let completeness = Completeness {
            state: CompletenessState::Complete,
            expected: None,
            found: 0,
            detail: String::new(),
            parts: Vec::new(),
        };
        let end = CollectionEnd { name: ISSUES.into(), cursor: None, completeness };
        Ok(ScanEnd { collections: vec![end], ..ScanEnd::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        let document = |name: &str, text: &'static str| Document {
            name: name.into(),
            entry: Entry::new(EntryKind::Document),
            text: Bytes::from(text),
        };
        Folder {
            prefix: b"A\0A-7\0".to_vec(),
            documents: vec![
                document("comments\x0010.json", r#"{"id":"10"}"#),
                document("comments\x009.json", r#"{"id":"9"}"#),
                document("history\x000000.json", r#"[{"a":1.0},{"b":2}]"#),
                document("history\x000001.json", r#"[{"c":3}]"#),
                document("issue.json", "{}"),
            ],
        }
    }

    fn records(split: Split, is_padded: bool) -> Vec<(String, String)> {
        let records = Layout { split, is_padded }.records(&folder()).expect("records");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        records.iter().map(|(key, (_, it))| (text(key).replace('\0', "/"), text(it))).collect()
    }

    #[test]
    fn an_issue_is_one_document() {
        let expected = r#"{"comments/10.json":{"id":"10"},"comments/9.json":{"id":"9"},"history/0000.json":[{"a":1.0},{"b":2}],"history/0001.json":[{"c":3}],"issue.json":{}}"#;
        let found = records(Split::Whole, true);
        assert_eq!(found, [("A/A-0000007/issue.json".into(), expected.into())]);
        assert!(serde_json::from_str::<Value>(expected).is_ok());
    }

    #[test]
    fn lists_are_joined_in_order_and_histories_cut_anew() {
        let found = records(Split::Parts(Lists::Together, Some(2)), false);
        let expected = [
            ("A/A-7/comments.json", r#"[{"id":"9"},{"id":"10"}]"#),
            ("A/A-7/history/0000.json", r#"[{"a":1.0},{"b":2}]"#),
            ("A/A-7/history/0001.json", r#"[{"c":3}]"#),
            ("A/A-7/issue.json", "{}"),
        ];
        assert_eq!(found, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
        let apart = records(Split::Parts(Lists::Apart, Some(1)), false);
        assert_eq!(apart.len(), 2 + 3 + 1);
        let one = records(Split::Parts(Lists::Apart, None), false);
        assert_eq!(one[2].1, r#"[{"a":1.0},{"b":2},{"c":3}]"#);
    }

    #[test]
    fn only_full_blocks_are_apart() {
        let found = records(Split::Blocks(2), false);
        let expected = [
            ("A/A-7/comments/0000.json", r#"[{"id":"9"},{"id":"10"}]"#),
            ("A/A-7/history/0000.json", r#"[{"a":1.0},{"b":2}]"#),
            ("A/A-7/issue.json", r#"{"issue.json":{},"history":[{"c":3}]}"#),
        ];
        assert_eq!(found, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
    }
}
