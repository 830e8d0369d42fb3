//! Restore: a snapshot, or parts of it, comes back as files.
//!
//! Entries are taken in order of their keys, in windows; within a window the objects are sorted by pack and frame, so that each
//! frame is fetched and opened once, by several threads, and written to all its places.

mod archive;
mod folder;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::context::RunContext;
use crate::entry::{Entry, EntryKind};
use crate::error::Error;
use crate::ops::base::{SnapshotTrees, display_key};
use crate::ops::document::DOCUMENT_LIMIT;
use crate::ops::place::{is_plain, prefix_in};
use crate::problem::{Problem, ProblemKind};
use crate::repo::{CacheSizes, Objects, Repository, Snapshot};
use crate::sink::{EntryPath, Overwrite};

/// Where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreTarget {
    /// A folder; made if it does not exist.
    Directory(PathBuf),
    /// A new file: a tar archive in a zstd frame.
    Archive(PathBuf),
}

/// How documents of sources that have no files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Documents {
    /// Byte for byte as they are stored.
    #[default]
    Stored,
    /// JSON with line ends and indentation, for people; those above 16 MiB as they are stored. They are always written
    /// anew, since what is at the target cannot be recognised by its size.
    Pretty,
}

/// Says whether a path is wanted; the second argument is true for directories.
pub type Select = Arc<dyn Fn(&EntryPath, bool) -> bool + Send + Sync>;

/// How a restore is done.
#[derive(Clone)]
pub struct RestoreOptions {
    /// What is wanted, with all below it: keys as [`key_of_path`](super::key_of_path) makes them. Empty means everything.
    pub paths: Vec<Vec<u8>>,
    /// What is wanted of that.
    pub select: Option<Select>,
    /// What happens to what is at the target.
    pub overwrite: Overwrite,
    /// How documents are written.
    pub documents: Documents,
    /// Tell what would be done, and write nothing.
    pub dry_run: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// Memory to use, in bytes.
    pub memory: u64,
    /// Threads; 0 takes one for each core.
    pub workers: usize,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            select: None,
            overwrite: Overwrite::default(),
            documents: Documents::default(),
            dry_run: false,
            verify: false,
            memory: /* 256 MiB */ 256 * 1024 * 1024,
            workers: 0,
        }
    }
}

impl RestoreOptions {
    /// True for a document that is to be made readable, if it is JSON.
    fn is_for_people(&self, entry: &Entry) -> bool {
        self.documents == Documents::Pretty
            && entry.kind == EntryKind::Document
            && entry.size <= DOCUMENT_LIMIT
    }
}

/// What a restore did.
#[derive(Debug, Clone, Default)]
pub struct RestoreReport {
    /// Entries that were wanted.
    pub entries: u64,
    /// Files of them.
    pub files: u64,
    /// Directories of them.
    pub directories: u64,
    /// Bytes of contents written.
    pub bytes: u64,
    /// Entries left as the target has them.
    pub kept: u64,
    /// Entries that were there already as the snapshot has them.
    pub already: u64,
    /// Files read back and found equal.
    pub verified: u64,
    /// Trouble on the way.
    pub problems: Vec<Problem>,
    /// What would be done, after a dry run: at most 100,000 paths.
    pub planned: Vec<(EntryPath, &'static str)>,
}

impl RestoreReport {
    fn note(&mut self, ctx: &RunContext, problem: Problem) {
        ctx.monitor.problem(&problem);
        self.problems.push(problem);
    }
}

/// One entry that is wanted.
struct Wanted {
    path: EntryPath,
    entry: Entry,
}

/// Restores a snapshot. Blocks; not to be called on an async worker.
///
/// It may be interrupted and repeated: files that are complete are recognised by size and time of modification.
///
/// # Errors
/// Of the repository or the target as a whole. Single paths that cannot be restored are problems in the report.
pub fn restore(
    repository: &Arc<Repository>,
    snapshot: &Snapshot,
    target: &RestoreTarget,
    options: &RestoreOptions,
    ctx: &RunContext,
) -> Result<RestoreReport, Error> {
    let sizes = CacheSizes {
        blocks: options.memory / 16,
        frames: options.memory / 8,
        footer_objects: 1024,
    };
    let objects = Arc::new(Objects::load(repository, sizes)?);
    let trees = SnapshotTrees::new(objects.clone(), &snapshot.commit);
    let wanted = Selection { trees: &trees, snapshot, options };
    wanted.require_paths()?;
    let mut report = match target {
        RestoreTarget::Directory(root) => folder::restore(&objects, &wanted, root, options, ctx)?,
        RestoreTarget::Archive(path) => archive::restore(&objects, &wanted, path, options, ctx)?,
    };
    wanted.tell_lost(&mut report, ctx);
    Ok(report)
}

/// What is wanted of a snapshot.
struct Selection<'a> {
    trees: &'a SnapshotTrees,
    snapshot: &'a Snapshot,
    options: &'a RestoreOptions,
}

fn is_below(key: &[u8], folder: &[u8]) -> bool {
    key.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == 0)
}

impl Selection<'_> {
    /// Calls `take` for every wanted entry, parents before what is in them; paths that cannot be are problems.
    fn each(
        &self,
        report: &mut RestoreReport,
        ctx: &RunContext,
        take: &mut dyn FnMut(Wanted, &mut RestoreReport) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for collection in self.trees.names().map(str::to_owned).collect::<Vec<_>>() {
            let mut each = |key: Bytes, entry: Entry, report: &mut RestoreReport| {
                if ctx.cancel.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                match self.path(&collection, &key) {
                    Ok(path) if self.is_selected(&path, &entry) => {
                        report.entries += 1;
                        match entry.kind {
                            EntryKind::Directory => report.directories += 1,
                            EntryKind::File | EntryKind::Document => report.files += 1,
                            _ => {}
                        }
                        take(Wanted { path, entry }, report)
                    }
                    Ok(_) => Ok(()),
                    Err(message) => {
                        let path = display_key(&key);
                        let kind = ProblemKind::Unsupported;
                        report.note(ctx, Problem { path, kind, message, stale: false });
                        Ok(())
                    }
                }
            };
            let prefixes = self.prefixes(&collection);
            if prefixes.iter().any(Vec::is_empty) {
                for item in self.trees.entries(&collection, b"\0") {
                    let (key, entry) = item?;
                    each(key, entry, report)?;
                }
            } else {
                self.each_below(&collection, prefixes, report, &mut each)?;
            }
        }
        Ok(())
    }

    /// What a repair has left out of the snapshot is missing at the target too, where it is at or below what is wanted.
    fn tell_lost(&self, report: &mut RestoreReport, ctx: &RunContext) {
        let wanted: Vec<_> = self.options.paths.iter().map(|path| display_key(path)).collect();
        let is_wanted = |path: &str| {
            let is_below = |folder: &String| {
                path.strip_prefix(folder.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            wanted.is_empty() || wanted.iter().any(is_below)
        };
        let problems = self.snapshot.commit.problems.iter();
        for problem in problems.filter(|it| it.kind == ProblemKind::Lost && is_wanted(&it.path)) {
            report.note(ctx, problem.clone());
        }
    }

    /// What keys of a collection begin with that are wanted; an empty one wants all.
    fn prefixes(&self, collection: &str) -> Vec<Vec<u8>> {
        if self.options.paths.is_empty() {
            return vec![Vec::new()];
        }
        let prefix = |path: &Vec<u8>| prefix_in(self.kind(), collection, path).map(<[u8]>::to_vec);
        self.options.paths.iter().filter_map(prefix).collect()
    }

    fn kind(&self) -> &str {
        &self.snapshot.commit.source.kind
    }

    /// Visits the given prefixes: the directories above them, then all below.
    fn each_below(
        &self,
        collection: &str,
        mut paths: Vec<Vec<u8>>,
        report: &mut RestoreReport,
        each: &mut dyn FnMut(Bytes, Entry, &mut RestoreReport) -> Result<(), Error>,
    ) -> Result<(), Error> {
        paths.sort();
        // A path below another one comes with it.
        paths.dedup_by(|later, earlier| is_below(later, earlier));
        let mut above_seen = std::collections::BTreeSet::new();
        for path in paths {
            for (place, _) in path.iter().enumerate().filter(|(_, byte)| **byte == 0) {
                let above = &path[..place];
                if above.is_empty() || !above_seen.insert(above.to_vec()) {
                    continue;
                }
                if let Some(entry) = self.trees.get(collection, above)? {
                    each(Bytes::copy_from_slice(above), entry, report)?;
                }
            }
            for item in self.trees.entries(collection, &path) {
                let (key, entry) = item?;
                if !is_below(&key, &path) {
                    break;
                }
                each(key, entry, report)?;
            }
        }
        Ok(())
    }

    /// Refuses paths that no collection holds, before a target is made for them.
    fn require_paths(&self) -> Result<(), Error> {
        let is_there = |path: &[u8]| -> Result<bool, Error> {
            for collection in self.trees.names() {
                let Some(prefix) = prefix_in(self.kind(), collection, path) else {
                    continue;
                };
                let first = self.trees.entries(collection, prefix).next().transpose()?;
                if first.is_some_and(|(key, _)| prefix.is_empty() || is_below(&key, prefix)) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        for path in &self.options.paths {
            if !is_there(path)? {
                return Err(Error::NoSuchPath {
                    snapshot: self.snapshot.id.short(),
                    path: display_key(path),
                });
            }
        }
        Ok(())
    }

    /// Collections of a files source are the tree itself; others are folders of the target.
    fn path(&self, collection: &str, key: &[u8]) -> Result<EntryPath, String> {
        let path = if is_plain(self.kind()) {
            EntryPath::from_key(key)
        } else {
            let components = std::iter::once(collection.as_bytes());
            EntryPath::from_components(components.chain(key.split(|&byte| byte == 0)))
        };
        path.map_err(|error| format!("it cannot be restored: {error}"))
    }

    fn is_selected(&self, path: &EntryPath, entry: &Entry) -> bool {
        let select = self.options.select.as_ref();
        select.is_none_or(|select| select(path, entry.kind == EntryKind::Directory))
    }
}
