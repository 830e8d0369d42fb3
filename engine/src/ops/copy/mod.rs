//! Copy: snapshots of another repository, read and verified as for a restore, stored as by a backup, with keys of this one.
//!
//! Where both repositories compute the same ids (`init --like`) objects are copied as they are (`objects.rs`); elsewhere the
//! differences to the last copied snapshot are a change list (`changes.rs`). One session and one commit for each snapshot.

mod chain;
mod changes;
mod objects;
mod origin;
mod window;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{Copied, SnapshotStatus};
use crate::id::{SnapshotId, Ulid};
use crate::ops::backup::MemoryPlan;
use crate::ops::threads::thread_count;
use crate::problem::{ErrorKind, Problem};
use crate::repo::{History, Objects, RepoError, Repository, Snapshot};
use chain::{Chain, UseParent};
use origin::Origin;

/// How often a snapshot is tried again after its session was fenced.
const FENCED_ATTEMPTS: usize = 3;

/// How snapshots are copied.
#[derive(Debug, Clone, Copy)]
pub struct CopyOptions {
    /// Memory to use, in bytes, for both repositories together; at least some 100 MiB are used.
    pub memory: u64,
    /// Threads that read and store; 0 takes one for each core.
    pub workers: usize,
    /// Packs and their index are stored after so many bytes of new objects: an interruption costs no more than that.
    pub flush_bytes: u64,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            memory: /* 256 MiB */ 256 * 1024 * 1024,
            workers: 0,
            flush_bytes: /* 256 MiB */ 256 * 1024 * 1024,
        }
    }
}

/// The repository that is copied from.
#[derive(Debug, Clone, Copy)]
pub struct CopyFrom<'a> {
    /// It, open.
    pub repository: &'a Arc<Repository>,
    /// What snapshots it has.
    pub history: &'a History,
}

/// Whether somebody asked for just these snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// No: for all, or all of a kind.
    ForAll,
    /// Yes, by name. Then those too are copied of which a copy was forgotten here.
    ByName,
}

/// What is to be copied.
#[derive(Debug, Clone, Default)]
pub struct CopyPlan {
    /// Source by source, oldest first.
    pub wanted: Vec<Snapshot>,
    /// Snapshots that are here already.
    pub present: u64,
    /// Snapshots of which a copy was here and was forgotten on purpose.
    pub forgotten: u64,
}

/// A snapshot that was copied.
#[derive(Debug, Clone)]
pub struct CopiedSnapshot {
    /// The copy.
    pub snapshot: SnapshotId,
    /// Whether anything is missing, in the copy or in the original already.
    pub status: SnapshotStatus,
    /// What could not be read in the other repository.
    pub lost: Vec<Problem>,
    /// Objects that this repository did not have.
    pub new_objects: u64,
    /// Bytes of them before compression.
    pub new_bytes: u64,
    /// Bytes sent to the store.
    pub bytes_added: u64,
    /// Objects of the store written.
    pub objects_written: u64,
    /// Bytes fetched from the other repository.
    pub bytes_fetched: u64,
}

/// What became of one snapshot.
#[derive(Debug)]
pub struct CopyOutcome<'a> {
    /// The snapshot of the other repository.
    pub original: &'a Snapshot,
    /// Its copy, or why there is none: its trees are damaged there.
    pub copied: Result<CopiedSnapshot, Error>,
}

/// The snapshot that a commit is a copy of at first: itself, where it is none.
fn first_of(repository: &Repository, snapshot: &Snapshot) -> Copied {
    let own = Copied { repository: repository.id(), snapshot: snapshot.id, lost: 0 };
    snapshot.commit.copied.unwrap_or(own)
}

fn is_same(a: Copied, b: Copied) -> bool {
    (a.repository, a.snapshot) == (b.repository, b.snapshot)
}

/// Sorts source by source, and oldest first.
fn order(a: &Snapshot, b: &Snapshot) -> Ordering {
    fn key(it: &Snapshot) -> (&str, &str, &str, Ulid) {
        let source = &it.commit.source;
        (&source.kind, &source.identity, &it.commit.time, it.slot.ulid)
    }
    key(a).cmp(&key(b))
}

fn is_of_one_source(a: &Snapshot, b: &Snapshot) -> bool {
    let (a, b) = (&a.commit.source, &b.commit.source);
    (&a.kind, &a.identity) == (&b.kind, &b.identity)
}

/// Finds out which of the snapshots are not here yet.
///
/// # Errors
/// If both are the same repository.
pub fn plan(
    from: &Repository,
    snapshots: &[&Snapshot],
    asked: Asked,
    to: &Repository,
    history: &History,
) -> Result<CopyPlan, Error> {
    if from.id() == to.id() {
        let what = "the repository to copy from is the repository itself".into();
        return Err(Error::Invalid { what });
    }
    let mut here: BTreeMap<_, bool> = BTreeMap::new();
    for known in history.snapshots.iter().filter(|it| !it.commit.checkpoint) {
        let first = first_of(to, known);
        let is_visible = here.entry((first.repository, first.snapshot)).or_default();
        *is_visible |= !known.forgotten;
    }
    let mut plan = CopyPlan::default();
    for snapshot in snapshots {
        let first = first_of(from, snapshot);
        match here.get(&(first.repository, first.snapshot)) {
            Some(true) => plan.present += 1,
            Some(false) if asked == Asked::ForAll => plan.forgotten += 1,
            _ => plan.wanted.push((*snapshot).clone()),
        }
    }
    plan.wanted.sort_by(order);
    plan.wanted.dedup_by_key(|it| it.id);
    Ok(plan)
}

/// What all snapshots of a run are copied with.
struct Run<'a> {
    from: CopyFrom<'a>,
    to: &'a Arc<Repository>,
    origin: Arc<Origin>,
    /// Both compute the same ids.
    is_like: bool,
    memory: MemoryPlan,
    options: CopyOptions,
    ctx: &'a RunContext,
}

/// Copies snapshots, as [`plan`] has sorted them, and tells of each. Blocks; not to be called on an async worker.
///
/// What was stored before it is cancelled, or fails, is found again by the next run.
///
/// # Errors
/// Where one of the repositories cannot be used any more. A snapshot that is damaged is told, and the next one is tried.
pub fn copy(
    from: CopyFrom<'_>,
    wanted: &[Snapshot],
    to: &Arc<Repository>,
    options: &CopyOptions,
    ctx: &RunContext,
    tell: &mut dyn FnMut(&CopyOutcome<'_>),
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let memory = MemoryPlan::new(options.memory / 2, thread_count(options.workers));
    let objects = Objects::load(from.repository, memory.caches);
    let objects = Arc::new(objects.map_err(|error| of_origin(error.into()))?);
    let run = Run {
        from,
        to,
        origin: Arc::new(Origin::new(objects)),
        is_like: to.is_like(from.repository),
        memory,
        options: *options,
        ctx,
    };
    to.fence_dead_sessions(ctx)?;
    for of_source in wanted.chunk_by(is_of_one_source) {
        run.copy_source(of_source, tell)?;
    }
    Ok(())
}

impl Run<'_> {
    /// Copies snapshots of one source.
    fn copy_source(
        &self,
        mut wanted: &[Snapshot],
        tell: &mut dyn FnMut(&CopyOutcome<'_>),
    ) -> Result<(), Error> {
        let (mut chain, mut parent, mut fenced) = (None, UseParent::Newest, 0);
        while let Some((original, after)) = wanted.split_first() {
            let current = match chain.take() {
                Some(chain) => chain,
                None => Chain::begin(self, original, parent)?,
            };
            let copied = match current.copy(original, !after.is_empty()) {
                Ok((copied, next)) => {
                    chain = next;
                    Ok(copied)
                }
                Err(error) => match self.judge(error, parent) {
                    Judged::Damaged(error) => Err(error),
                    Judged::WithoutParent(error) => {
                        tracing::warn!(%error, "the last copy is no use; everything is read again");
                        parent = UseParent::None;
                        continue;
                    }
                    Judged::Failed(Error::Repo(RepoError::Fenced { .. }))
                        if fenced < FENCED_ATTEMPTS =>
                    {
                        fenced += 1;
                        continue;
                    }
                    Judged::Failed(error) => return Err(error),
                },
            };
            tell(&CopyOutcome { original, copied });
            (parent, fenced, wanted) = (UseParent::Newest, 0, after);
        }
        Ok(())
    }

    /// What an error means for the snapshot that was to be copied.
    fn judge(&self, error: Error, parent: UseParent) -> Judged {
        let damage = self.origin.take_damage();
        if let Some(outage) = self.origin.take_outage() {
            return Judged::Failed(of_origin(outage));
        }
        if error.damaged_object().is_none() && error.kind() != ErrorKind::Corrupt {
            return Judged::Failed(error);
        }
        // With the same ids only the tree of the original is read there; else that of an older snapshot too.
        let is_original = damage.is_some() && self.is_like;
        match parent {
            UseParent::Newest if !is_original => Judged::WithoutParent(error),
            _ => Judged::Damaged(error),
        }
    }
}

/// It is not the repository that is copied into.
fn of_origin(error: Error) -> Error {
    Error::CopyFrom { source: Box::new(error) }
}

enum Judged {
    /// The snapshot cannot be read in the other repository.
    Damaged(Error),
    /// Perhaps only that cannot be read which it was to be compared with.
    WithoutParent(Error),
    /// The run ends.
    Failed(Error),
}
