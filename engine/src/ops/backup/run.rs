//! One run of a backup: session, scan, checkpoints, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::edits::EditBuffer;
use super::memory::MemoryPlan;
use super::workers::{Workers, locked};
use super::{BackupOptions, BackupReport};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{Collection, SnapshotStatus, Statistics};
use crate::id::hex_decode;
use crate::monitor::Counter;
use crate::ops::base::SnapshotTrees;
use crate::ops::lineage::Lineage;
use crate::problem::{ErrorKind, Problem};
use crate::repo::{
    Keep, LOOSE_HISTORY, ObjectWriter, Objects, Proof, Repository, Session, Snapshot,
};
use crate::source::{
    Base, ChangeSink, CompletenessState, ResumeCursors, ScanEnd, Source, SourceError, SourceInfo,
    change_channel,
};
use crate::store::StoreFigures;
use crate::tree::{Root, Tree};

/// Whether the newest snapshot of the source is gone on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UseParent {
    /// Yes.
    Newest,
    /// No: it cannot be read. Then objects are read before they are relied upon.
    None,
}

/// What changes from checkpoint to checkpoint.
pub(super) struct Progress {
    pub(super) session: Arc<Session>,
    pub(super) roots: Vec<Option<Root>>,
    pub(super) lineage: Lineage,
    last_checkpoint: Duration,
    last_bytes: u64,
}

pub(super) struct Run<'a> {
    pub(super) repository: &'a Arc<Repository>,
    source: &'a dyn Source,
    pub(super) info: SourceInfo,
    pub(super) options: &'a BackupOptions,
    pub(super) ctx: &'a RunContext,
    plan: MemoryPlan,
    pub(super) objects: Arc<Objects>,
    pub(super) writer: Arc<ObjectWriter>,
    pub(super) parent: Option<Snapshot>,
    progress: Mutex<Progress>,
    pub(super) resume: Mutex<ResumeCursors>,
    pub(super) started: String,
    figures_before: StoreFigures,
    /// Commits and marks that no bundle has.
    loose_history: usize,
}

impl<'a> Run<'a> {
    /// Opens the session, then chooses the parent, then loads the index.
    pub(super) fn begin(
        repository: &'a Arc<Repository>,
        source: &'a dyn Source,
        options: &'a BackupOptions,
        parent: UseParent,
        ctx: &'a RunContext,
    ) -> Result<Self, Error> {
        let figures_before = repository.store().figures();
        let info = source.describe();
        let cores = match options.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        };
        let plan = MemoryPlan::new(options.memory, cores);
        let (session, keep) = if options.dry_run {
            (repository.imagine_session(ctx)?, Keep::Count)
        } else {
            repository.fence_dead_sessions(ctx)?;
            (repository.open_session(ctx)?, Keep::Store)
        };
        let session = Arc::new(session);
        let history = repository.history()?;
        let lineage = Lineage::of(repository, &history);
        let proof = match parent {
            UseParent::Newest => Proof::Footer,
            UseParent::None => Proof::Content,
        };
        let parent = match parent {
            UseParent::Newest => history.parent(&info.kind, &info.identity).cloned(),
            UseParent::None => None,
        };
        let objects = Arc::new(Objects::load(repository, plan.caches)?);
        let writer = Arc::new(ObjectWriter::new(
            Arc::clone(repository),
            Arc::clone(&objects),
            Arc::clone(&session),
            plan.writer,
            keep,
            proof,
        ));
        let roots = info.collections.iter().map(|name| root_of(parent.as_ref(), name)).collect();
        let now = ctx.clock.now();
        Ok(Self {
            progress: Mutex::new(Progress {
                session,
                roots,
                lineage,
                last_checkpoint: now,
                last_bytes: 0,
            }),
            resume: Mutex::default(),
            started: rfc3339(now),
            repository,
            source,
            info,
            options,
            ctx,
            plan,
            objects,
            writer,
            parent,
            figures_before,
            loose_history: history.loose,
        })
    }

    fn base(&self) -> Option<Base> {
        let parent = self.parent.as_ref()?;
        let reader = Arc::new(SnapshotTrees::new(self.objects.clone(), &parent.commit));
        let cursors: BTreeMap<_, _> = parent
            .commit
            .collections
            .iter()
            .filter_map(|it| Some((it.name.clone(), hex_decode(it.cursor.as_ref()?)?)))
            .collect();
        Some(Base::new(reader, cursors))
    }

    /// Scans, stores and commits; a run that fails ends its session, so that nobody waits for it.
    pub(super) fn finish_or_abandon(self, problems: Vec<Problem>) -> Result<BackupReport, Error> {
        let done = self.finish(problems);
        if let Err(error) = &done
            && !self.options.dry_run
            && error.kind() != ErrorKind::Cancelled
        {
            let session = Arc::clone(&locked(&self.progress).session);
            // The store may be what failed: then the next run of this client fences the session.
            if let Err(error) = self.repository.abandon(&session, self.ctx) {
                tracing::debug!(%error, "a failed session could not be ended");
            }
        }
        done
    }

    /// Scans, stores and commits.
    fn finish(&self, mut problems: Vec<Problem>) -> Result<BackupReport, Error> {
        let (sink, receiver) =
            change_channel(self.info.collections.clone(), self.plan.changes, self.ctx);
        *locked(&self.resume) = sink.resume_cursors();
        let workers = Workers::new(
            self.plan.workers,
            Arc::clone(&self.writer),
            self.repository.chunker(),
            self.plan.edits,
            self.ctx,
        )?;
        let after_batch = || self.checkpoint_if_due(&workers);
        let scanned = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers.count())
                .map(|number| {
                    let (workers, changes, after) = (&workers, receiver.clone(), &after_batch);
                    scope.spawn(move || workers.run(number, &changes, after))
                })
                .collect();
            drop(receiver);
            let scanned = self.scan(&sink, &workers);
            problems.extend(sink.take_problems());
            drop(sink);
            for thread in threads {
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            scanned
        });
        if let Some(error) = workers.take_failure() {
            return Err(error);
        }
        match scanned {
            // Asked to stop after the source had pushed its last change: the workers have dropped some of them.
            Ok(_) if self.ctx.cancel.is_cancelled() => {
                self.keep_progress(&workers)?;
                Err(Error::Cancelled)
            }
            Ok(end) => {
                let lost = self.key_problems(&workers, &mut problems)?;
                if self.options.dry_run {
                    return self.foresee(&workers, &end, &lost, problems);
                }
                self.commit(&workers, &end, &lost, problems)
            }
            Err(SourceError::Cancelled) => {
                self.keep_progress(&workers)?;
                Err(Error::Cancelled)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs the source's side on this thread, until it ends or a worker fails.
    fn scan(&self, sink: &ChangeSink, workers: &Workers) -> Result<ScanEnd, SourceError> {
        let base = self.base();
        let runtime = self.repository.store().runtime();
        runtime.block_on(async {
            let scan = async {
                let end =
                    self.source.scan(base.as_ref(), self.options.mode, sink, self.ctx).await?;
                sink.flush().await?;
                Ok(end)
            };
            tokio::select! {
                end = scan => end,
                () = workers.alarm.notified() => Err(SourceError::Cancelled),
            }
        })
    }

    /// The problems of the workers; those whose entry stays as the base has it say so.
    /// Returns the collections that lack something: their cursors must not pass it.
    fn key_problems(
        &self,
        workers: &Workers,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut lost = BTreeSet::new();
        for found in std::mem::take(&mut *locked(&workers.problems)) {
            let mut problem = found.problem;
            if found.is_lost {
                let name = &self.info.collections[found.collection];
                let tree = Tree::new(self.objects.clone(), root_of(self.parent.as_ref(), name));
                problem.stale = tree.get(&found.key)?.is_some();
                lost.insert(name.clone());
            }
            problems.push(problem);
        }
        Ok(lost)
    }

    fn checkpoint_if_due(&self, workers: &Workers) -> Result<(), Error> {
        if self.options.dry_run {
            return Ok(());
        }
        let stored = workers.figures.new_bytes.load(Ordering::Relaxed);
        let is_due = |progress: &Progress| {
            let waited = self.ctx.clock.now().saturating_sub(progress.last_checkpoint);
            stored - progress.last_bytes >= self.options.checkpoint_bytes
                || waited >= self.options.checkpoint_interval
        };
        // Another worker that is making one holds the lock.
        let Ok(mut progress) = self.progress.try_lock() else {
            return Ok(());
        };
        if !is_due(&progress) {
            return Ok(());
        }
        progress.last_bytes = stored;
        progress.last_checkpoint = self.ctx.clock.now();
        workers.quiesced(|edits| self.checkpoint(&mut progress, edits))
    }

    /// Commits what is there, and goes on in a new session.
    fn checkpoint(&self, progress: &mut Progress, edits: EditBuffer) -> Result<(), Error> {
        self.apply(progress, edits)?;
        let flushed = self.writer.flush()?;
        let next = Arc::new(self.repository.open_session(self.ctx)?);
        self.writer.renew(Arc::clone(&next));
        let session = std::mem::replace(&mut progress.session, next);
        let collections = self.carried_collections(progress);
        let commit = self.commit_body(progress, &session, flushed, collections, true);
        let made = self.repository.commit(&session, commit)?;
        progress.lineage.grow(made);
        Ok(())
    }

    /// Keeps what a cancelled run has stored, as a checkpoint.
    fn keep_progress(&self, workers: &Workers) -> Result<(), Error> {
        if self.options.dry_run {
            return Ok(());
        }
        let mut progress = locked(&self.progress);
        if workers.changes.load(Ordering::Relaxed) == 0 {
            return Ok(self.repository.abandon(&progress.session, self.ctx)?);
        }
        workers.quiesced(|edits| {
            self.apply(&mut progress, edits)?;
            let flushed = self.writer.flush()?;
            let session = Arc::clone(&progress.session);
            let collections = self.carried_collections(&progress);
            let commit = self.commit_body(&progress, &session, flushed, collections, true);
            self.repository.commit(&session, commit)?;
            Ok(())
        })
    }

    /// The report of a dry run.
    fn foresee(
        &self,
        workers: &Workers,
        end: &ScanEnd,
        lost: &BTreeSet<String>,
        problems: Vec<Problem>,
    ) -> Result<BackupReport, Error> {
        let mut statistics = workers.quiesced(|edits| self.foreseen(edits))?;
        self.read_figures(workers, &mut statistics);
        statistics.requests = end.requests;
        let collections = self.final_collections(&locked(&self.progress), end, lost);
        Ok(BackupReport {
            snapshot: None,
            status: status(&problems, &collections),
            statistics,
            collections,
            problems,
            ledger: (&end.ledger).into(),
            parent: self.parent.as_ref().map(|parent| parent.id),
        })
    }

    fn read_figures(&self, workers: &Workers, statistics: &mut Statistics) {
        statistics.bytes_read = workers.figures.bytes_read.load(Ordering::Relaxed);
        statistics.new_objects = workers.figures.new_objects.load(Ordering::Relaxed);
        statistics.new_bytes = workers.figures.new_bytes.load(Ordering::Relaxed);
        let figures = self.repository.store().figures();
        statistics.bytes_added = figures.written_bytes - self.figures_before.written_bytes;
        statistics.objects_written = figures.written_objects - self.figures_before.written_objects;
    }

    fn commit(
        &self,
        workers: &Workers,
        end: &ScanEnd,
        lost: &BTreeSet<String>,
        problems: Vec<Problem>,
    ) -> Result<BackupReport, Error> {
        let mut progress = locked(&self.progress);
        let flushed = workers.quiesced(|edits| {
            self.apply(&mut progress, edits)?;
            Ok(self.writer.flush()?)
        })?;
        self.writer.merge_loose()?;
        if self.loose_history >= LOOSE_HISTORY
            && let Err(error) = self.repository.merge_history()
        {
            tracing::warn!(%error, "commits could not be bundled: opening takes more requests");
        }
        let mut statistics = self.differences(&progress.roots)?;
        self.read_figures(workers, &mut statistics);
        statistics.requests = end.requests;
        let collections = self.final_collections(&progress, end, lost);
        let session = Arc::clone(&progress.session);
        let mut commit = self.commit_body(&progress, &session, flushed, collections.clone(), false);
        commit.statistics = statistics;
        commit.problems.clone_from(&problems);
        commit.ledger = (&end.ledger).into();
        commit.status = status(&problems, &collections);
        let (status, ledger) = (commit.status, commit.ledger.clone());
        let made = self.repository.commit(&session, commit)?;
        self.read_figures(workers, &mut statistics);
        self.ctx.monitor.count(Counter::BytesStored, statistics.bytes_added);
        self.ctx.monitor.count(Counter::ObjectsWritten, statistics.objects_written);
        Ok(BackupReport {
            snapshot: Some(made.id),
            status,
            statistics,
            collections,
            problems,
            ledger,
            parent: self.parent.as_ref().map(|parent| parent.id),
        })
    }
}

pub(super) fn root_of(snapshot: Option<&Snapshot>, collection: &str) -> Option<Root> {
    let mut collections = snapshot?.commit.collections.iter();
    collections.find(|known| known.name == collection)?.root.map(Into::into)
}

/// A snapshot is partial by its problems and by what was seen of the collections, and by nothing else: an object that vanished
/// counts where the source reports it as a problem.
fn status(problems: &[Problem], collections: &[Collection]) -> SnapshotStatus {
    let is_whole = |it: &Collection| it.completeness.state == CompletenessState::Complete;
    if problems.is_empty() && collections.iter().all(is_whole) {
        SnapshotStatus::Complete
    } else {
        SnapshotStatus::Partial
    }
}
