//! The documents of one issue as a snapshot holds them, and which issues differ between two snapshots.

use std::io::Read;

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::ops::{ContentStream, SnapshotTrees};
use esker_engine::tree::{Diff, Tree, diff};

use crate::Failure;

/// The collection of issues.
pub const ISSUES: &str = "issues";

/// One document of an issue.
#[derive(Debug, Clone)]
pub struct Document {
    /// The key after the issue's prefix: `issue.json`, `comments␀10031.json`.
    pub name: String,
    /// Its entry.
    pub entry: Entry,
    /// Its text.
    pub text: Bytes,
}

impl Document {
    /// The list that it is an element or a block of: `comments`, `history`, `worklogs`.
    pub fn list(&self) -> Option<&str> {
        self.name.split_once('\0').map(|(list, _)| list)
    }
}

/// All documents of an issue; its attachments are not among them.
#[derive(Debug, Clone)]
pub struct Folder {
    /// What the keys of the issue begin with: `ABC␀ABC-7␀`.
    pub prefix: Vec<u8>,
    /// Ascending by name.
    pub documents: Vec<Document>,
}

impl Folder {
    /// Reads the folder of an issue; `None` where there is none.
    pub fn read(trees: &SnapshotTrees, prefix: &[u8]) -> Result<Option<Self>, Failure> {
        let mut documents = Vec::new();
        for item in trees.entries(ISSUES, prefix) {
            let (key, entry) = item?;
            let Some(name) = key.strip_prefix(prefix) else { break };
            if entry.kind == EntryKind::Document {
                let name = String::from_utf8(name.to_vec())?;
                documents.push(Document { name, text: read_content(trees, &entry)?, entry });
            }
        }
        Ok((!documents.is_empty()).then(|| Self { prefix: prefix.to_vec(), documents }))
    }
}

/// Reads the content of an entry.
pub fn read_content(trees: &SnapshotTrees, entry: &Entry) -> Result<Bytes, Failure> {
    let mut content = Vec::new();
    ContentStream::new(trees.reader().clone(), entry).read_to_end(&mut content)?;
    Ok(content.into())
}

/// Compares a collection of two snapshots, or takes all of it where there is no older one.
pub fn differences(old: Option<&SnapshotTrees>, new: &SnapshotTrees, collection: &str) -> Diff {
    let old = old.map_or_else(|| Tree::new(new.reader().clone(), None), |it| it.tree(collection));
    diff(&old, &new.tree(collection))
}

/// The prefixes of issues of which anything differs, ascending.
pub fn touched(
    old: Option<&SnapshotTrees>,
    new: &SnapshotTrees,
) -> impl Iterator<Item = Result<Vec<u8>, Failure>> + use<> {
    let mut last = Vec::new();
    differences(old, new, ISSUES).filter_map(move |difference| match difference {
        Err(error) => Some(Err(error.into())),
        Ok(difference) => {
            let prefix = prefix_of(&difference.key)?;
            (prefix != last).then(|| {
                last.clone_from(&prefix);
                Ok(prefix)
            })
        }
    })
}

/// The first two components of a key of the issues, and the separator after them.
pub fn prefix_of(key: &[u8]) -> Option<Vec<u8>> {
    let mut ends = key.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(place, _)| place);
    let end = ends.nth(1)?;
    Some(key[..=end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_the_folder_of_an_issue() {
        for (key, expected) in [
            ("A\0A-1\0issue.json", Some("A\0A-1\0")),
            ("A\0A-1\0history\x000000.json", Some("A\0A-1\0")),
            ("A\0A-1", None),
            ("", None),
        ] {
            let expected = expected.map(|it| it.as_bytes().to_vec());
            assert_eq!(prefix_of(key.as_bytes()), expected, "{key:?}");
        }
    }
}
