//! Backup: a source's changes become a snapshot.
//!
//! The source pushes changes; workers read, cut, hash and store what is new; edits gather and are applied to the trees of the
//! parent at each checkpoint and at the end; the commit comes last.

mod edits;
mod ingest;
mod memory;
mod path;
mod run;
mod snapshot;
mod workers;

use std::sync::Arc;
use std::time::Duration;

pub(in crate::ops) use edits::{CollectionEdit, EditBuffer};
pub(in crate::ops) use memory::MemoryPlan;
pub(in crate::ops) use snapshot::apply;
pub(in crate::ops) use workers::Workers;

use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{Collection, SnapshotStatus, Statistics, StoredLedger};
use crate::id::SnapshotId;
use crate::object::ObjectError;
use crate::problem::{ErrorKind, Problem, ProblemKind};
use crate::repo::{RepoError, Repository};
use crate::source::{ScanMode, Source, SourceError};
use crate::tree::TreeError;

/// How often a backup starts again after its session was fenced.
const FENCED_ATTEMPTS: usize = 3;

/// How a backup is done.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// How far the last snapshot is trusted.
    pub mode: ScanMode,
    /// Tags of the snapshot.
    pub tags: Vec<String>,
    /// Until when nothing forgets the snapshot: seconds since 1970.
    pub immutable_until: Option<Duration>,
    /// When the snapshot was taken, instead of now: seconds since 1970. For imports and tests.
    pub time: Option<Duration>,
    /// Memory that the pipeline may take, in bytes; at least 48 MiB are used.
    pub memory: u64,
    /// Threads that read, cut, hash and compress; 0 takes one for each core.
    pub workers: usize,
    /// A checkpoint is made after so many bytes of new objects.
    pub checkpoint_bytes: u64,
    /// A checkpoint is made after so much time.
    pub checkpoint_interval: Duration,
    /// Find out what would be stored, and store nothing.
    pub dry_run: bool,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            mode: ScanMode::Incremental,
            tags: Vec::new(),
            immutable_until: None,
            time: None,
            memory: /* 256 MiB */ 256 * 1024 * 1024,
            workers: 0,
            checkpoint_bytes: /* 1 GiB */ 1024 * 1024 * 1024,
            checkpoint_interval: Duration::from_secs(600),
            dry_run: false,
        }
    }
}

/// What a backup did.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// The new snapshot; `None` after a dry run.
    pub snapshot: Option<SnapshotId>,
    /// Whether anything is missing.
    pub status: SnapshotStatus,
    /// Figures.
    pub statistics: Statistics,
    /// What it holds.
    pub collections: Vec<Collection>,
    /// Trouble on the way.
    pub problems: Vec<Problem>,
    /// What the source found gone.
    pub ledger: StoredLedger,
    /// The snapshot that it went on from.
    pub parent: Option<SnapshotId>,
}

/// Takes a snapshot of a source. Blocks; not to be called on an async worker.
///
/// When it is cancelled it commits what it has as a checkpoint, and the next backup goes on from there.
///
/// # Errors
/// Of the repository, the store or the source as a whole. Single objects that cannot be read are problems in the report.
pub fn backup(
    repository: &Arc<Repository>,
    source: &dyn Source,
    options: &BackupOptions,
    ctx: &RunContext,
) -> Result<BackupReport, Error> {
    let mut parent = run::UseParent::Newest;
    let mut fenced = 0;
    let mut healed = Vec::new();
    loop {
        match run::Run::begin(repository, source, options, parent, ctx)
            .and_then(|run| run.finish_or_abandon(healed.clone()))
        {
            // Somebody ended the session: what was uploaded is found again through the index.
            Err(Error::Repo(RepoError::Fenced { .. })) if fenced < FENCED_ATTEMPTS => fenced += 1,
            Err(error) if parent == run::UseParent::Newest && is_damaged_base(&error) => {
                tracing::warn!(%error, "the last snapshot is damaged; everything is read again");
                parent = run::UseParent::None;
                healed.push(Problem {
                    path: source.describe().name,
                    kind: ProblemKind::Other,
                    message: format!("the last snapshot is damaged ({error}); all was read again"),
                    stale: false,
                });
            }
            done => return done,
        }
    }
}

/// True where the trees of the parent cannot be read, so that going on from it is no use.
fn is_damaged_base(error: &Error) -> bool {
    match error {
        Error::Source(SourceError::Base(_)) | Error::Tree(TreeError::Corrupt { .. }) => true,
        Error::Tree(TreeError::Read { source, .. }) => {
            matches!(source, ObjectError::Missing { .. } | ObjectError::Damaged { .. })
        }
        error => error.kind() == ErrorKind::Corrupt && error.damaged_object().is_some(),
    }
}
