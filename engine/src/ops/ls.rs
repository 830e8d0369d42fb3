//! Looking inside a snapshot: what is below a path, and the content of one.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::place::{document_of_issue, is_plain, path_of, prefix_in};
use super::{SnapshotTrees, display_key, key_of_path};
use crate::context::RunContext;
use crate::entry::{Content, Entry, EntryKind, Part};
use crate::error::Error;
use crate::object::{Class, ReadObject};
use crate::repo::Snapshot;
use crate::tree::parts;

/// The key of the folder itself in a files source (FORMAT.md §8).
const TOP: &[u8] = &[0];
/// Zeros that are written at once.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// How far down a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Everything below.
    #[default]
    All,
    /// Only what lies directly below.
    One,
}

/// An entry and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The collection.
    pub collection: String,
    /// The key in it; that of a directory which no entry stands for is its prefix.
    pub key: Bytes,
    /// The path, safe to print.
    pub path: String,
    /// The entry.
    pub entry: Entry,
}

/// A snapshot's trees by path: `/a/b` is the key `a␀b` of a files source, and `/issues/ABC-1` one of the collection `issues`;
/// `/ABC-7` of a Jira source is the folder of that issue.
#[derive(Clone)]
pub struct Contents {
    trees: SnapshotTrees,
    id: String,
    collections: Vec<String>,
    kind: String,
}

/// A path taken apart.
struct Place {
    /// All collections, or the one that the path names.
    collections: Vec<String>,
    /// Beginning of keys; empty for all.
    prefix: Vec<u8>,
}

impl Contents {
    /// The trees of a snapshot, read through `reader`.
    pub fn new(reader: Arc<dyn ReadObject>, snapshot: &Snapshot) -> Self {
        let trees = SnapshotTrees::new(reader, &snapshot.commit);
        Self {
            collections: trees.names().map(Into::into).collect(),
            trees,
            id: snapshot.id.short(),
            kind: snapshot.commit.source.kind.clone(),
        }
    }

    /// The trees themselves.
    pub fn trees(&self) -> &SnapshotTrees {
        &self.trees
    }

    /// The path of a key.
    pub fn path(&self, collection: &str, key: &[u8]) -> String {
        path_of(&self.kind, collection, key)
    }

    fn place(&self, path: &[u8]) -> Result<Place, Error> {
        let key = key_of_path(&self.kind, path)?;
        let (mut collections, mut found) = (Vec::new(), None);
        for name in &self.collections {
            if let Some(prefix) = prefix_in(&self.kind, name, &key) {
                collections.push(name.clone());
                found = Some(prefix);
            }
        }
        match found {
            Some(prefix) => Ok(Place { collections, prefix: prefix.to_vec() }),
            None if key.is_empty() => Ok(Place { collections, prefix: key }),
            None => Err(self.no_such(path)),
        }
    }

    fn no_such(&self, path: &[u8]) -> Error {
        Error::NoSuchPath {
            snapshot: self.id.clone(),
            path: display_key(&key_of_path(&self.kind, path).unwrap_or_else(|_| path.to_vec())),
        }
    }

    /// The entry of a path.
    ///
    /// # Errors
    /// `NoSuchPath` where there is none.
    pub fn get(&self, path: &[u8]) -> Result<Located, Error> {
        let Place { collections, prefix } = self.place(path)?;
        let key = if prefix.is_empty() { TOP } else { &prefix };
        for collection in collections {
            if let Some(entry) = self.trees.get(&collection, key)? {
                return Ok(Located {
                    path: self.path(&collection, key),
                    key: Bytes::copy_from_slice(key),
                    collection,
                    entry,
                });
            }
        }
        Err(self.no_such(path))
    }

    /// What is below a path, in the order of the keys; the entry itself where it is no directory.
    ///
    /// # Errors
    /// `NoSuchPath` where there is nothing at the path or below it.
    pub fn list(&self, path: &[u8], depth: Depth) -> Result<Listing, Error> {
        let Place { collections, prefix } = self.place(path)?;
        let below_top = prefix.is_empty();
        let mut listing = Listing {
            kind: self.kind.clone(),
            trees: self.trees.clone(),
            collections: collections.into(),
            only_names: depth == Depth::One
                && !is_plain(&self.kind)
                && key_of_path(&self.kind, path)?.is_empty(),
            prefix,
            depth,
            entries: None,
            last: None,
            ready: None,
        };
        // Nothing below the top is an empty snapshot; nothing below another path is a mistake.
        let first = listing.next().transpose()?;
        if first.is_none() && !below_top && self.get(path).is_err() {
            return Err(self.no_such(path));
        }
        listing.ready = first;
        Ok(listing)
    }

    /// The entry of a path; that of the document where the path is the folder of an issue.
    fn get_document(&self, path: &[u8]) -> Result<Located, Error> {
        let found = self.get(path);
        let is_no_entry = matches!(found, Err(Error::NoSuchPath { .. }));
        let document = document_of_issue(&self.kind, &key_of_path(&self.kind, path)?);
        match document.filter(|_| is_no_entry) {
            // As a path it has slashes for the zero bytes.
            Some(key) => self.get(display_key(&key).as_bytes()).or(found),
            None => found,
        }
    }

    /// Writes the content of a path, holes as zeros; returns its length. Every object is verified before it is written.
    /// Of an issue's folder it is the issue.
    ///
    /// # Errors
    /// `Output` where the writer fails, `Invalid` for what has no content.
    pub fn cat(&self, path: &[u8], out: &mut dyn Write, ctx: &RunContext) -> Result<u64, Error> {
        let located = self.get_document(path)?;
        match located.entry.kind {
            EntryKind::File | EntryKind::Document => {}
            kind => {
                return Err(Error::Invalid {
                    what: format!("`{}` is no file: it is {}", located.path, article(kind)),
                });
            }
        }
        let written = write_content(self.trees.reader(), &located.entry.content, out, ctx)?;
        if written != located.entry.size {
            return Err(Error::Content {
                path: located.path,
                what: format!("it has {written} bytes and should have {}", located.entry.size),
            });
        }
        Ok(written)
    }
}

fn article(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Document => "a document",
        EntryKind::File => "a file",
        EntryKind::Directory => "a directory",
        EntryKind::Symlink => "a symbolic link",
        EntryKind::Fifo => "a named pipe",
        EntryKind::Socket => "a socket",
        EntryKind::CharDevice | EntryKind::BlockDevice => "a device",
    }
}

/// Writes a content; returns how long it is.
pub(super) fn write_content(
    reader: &Arc<dyn ReadObject>,
    content: &Content,
    out: &mut dyn Write,
    ctx: &RunContext,
) -> Result<u64, Error> {
    if let Content::Inline(bytes) = content {
        out.write_all(bytes).map_err(Error::Output)?;
        return Ok(bytes.len() as u64);
    }
    let mut written = 0;
    for part in parts(Arc::clone(reader), content) {
        if ctx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let part = part?;
        match part {
            Part::Data { id, .. } => {
                let bytes = reader.read(Class::Data, &id)?;
                out.write_all(&bytes).map_err(Error::Output)?;
                written += bytes.len() as u64;
            }
            Part::Hole { mut length } => {
                written += length;
                while length > 0 {
                    let now = length.min(ZEROS.len() as u64);
                    let zeros = &ZEROS[..now as usize];
                    out.write_all(zeros).map_err(Error::Output)?;
                    length -= now;
                }
            }
        }
    }
    Ok(written)
}

type Entries = Box<dyn Iterator<Item = Result<(Bytes, Entry), Error>> + Send>;

/// Entries below a path; made by [`Contents::list`].
pub struct Listing {
    kind: String,
    trees: SnapshotTrees,
    collections: VecDeque<String>,
    only_names: bool,
    prefix: Vec<u8>,
    depth: Depth,
    entries: Option<Entries>,
    /// What one level showed last: what is below it is passed over.
    last: Option<Bytes>,
    ready: Option<Located>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

/// A key as seen from a prefix.
enum Seen {
    /// After everything that the prefix has; `a.txt` comes after all below `a`.
    Beyond,
    /// The prefix itself, or the top.
    Itself,
    /// Below; the end of the first component after the prefix.
    Below(usize),
}

fn see(key: &[u8], prefix: &[u8]) -> Seen {
    let Some(rest) = key.strip_prefix(prefix) else {
        return Seen::Beyond;
    };
    let first_end = |from: usize| {
        let end = key[from..].iter().position(|byte| *byte == 0);
        Seen::Below(end.map_or(key.len(), |end| from + end))
    };
    match (prefix.is_empty(), rest.first()) {
        (true, _) if key == TOP => Seen::Itself,
        (true, _) => first_end(0),
        (false, None) => Seen::Itself,
        (false, Some(0)) => first_end(prefix.len() + 1),
        (false, Some(_)) => Seen::Beyond,
    }
}

impl Listing {
    fn advance(&mut self) -> Result<Option<Located>, Error> {
        loop {
            let Some(collection) = self.collections.front().cloned() else {
                return Ok(None);
            };
            if self.only_names {
                self.collections.pop_front();
                let directory = Entry::new(EntryKind::Directory);
                return Ok(Some(self.located(&collection, Bytes::new(), directory)));
            }
            let entries = self
                .entries
                .get_or_insert_with(|| Box::new(self.trees.entries(&collection, &self.prefix)));
            let next = entries.next().transpose()?;
            let seen = next.as_ref().map(|(key, _)| see(key, &self.prefix));
            let (Some((key, entry)), Some(seen)) = (next, seen) else {
                self.next_collection();
                continue;
            };
            match seen {
                Seen::Beyond => self.next_collection(),
                Seen::Itself if entry.kind == EntryKind::Directory => {}
                Seen::Itself => return Ok(Some(self.located(&collection, key, entry))),
                Seen::Below(_) if self.depth == Depth::All => {
                    return Ok(Some(self.located(&collection, key, entry)));
                }
                Seen::Below(end) => {
                    let child = key.slice(..end);
                    if self.last.as_ref() == Some(&child) {
                        self.skip_below(&collection, &child);
                        continue;
                    }
                    self.last = Some(child.clone());
                    let entry =
                        if end == key.len() { entry } else { Entry::new(EntryKind::Directory) };
                    return Ok(Some(self.located(&collection, child, entry)));
                }
            }
        }
    }

    fn next_collection(&mut self) {
        self.collections.pop_front();
        self.entries = None;
        self.last = None;
    }

    /// Goes on behind everything below a child: keys below it continue with a zero byte.
    fn skip_below(&mut self, collection: &str, child: &[u8]) {
        let mut after = child.to_vec();
        after.push(1);
        self.entries = Some(Box::new(self.trees.entries(collection, &after)));
    }

    fn located(&self, collection: &str, key: Bytes, entry: Entry) -> Located {
        Located {
            path: path_of(&self.kind, collection, &key),
            collection: collection.into(),
            key,
            entry,
        }
    }
}

impl Iterator for Listing {
    type Item = Result<Located, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(ready) = self.ready.take() {
            return Some(Ok(ready));
        }
        let next = self.advance();
        if next.is_err() {
            self.collections.clear();
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests;
