//! A snapshot is made anew from what can be saved, in a session of its own (FORMAT.md §10).

use std::sync::Arc;

use bytes::Bytes;

use super::RepairOptions;
use super::survey::{Lost, Survey};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{Collection, Commit, SnapshotStatus, Statistics};
use crate::id::SnapshotId;
use crate::object::ObjectError;
use crate::ops::base::SnapshotTrees;
use crate::ops::check::Damage;
use crate::problem::Problem;
use crate::repo::{
    BODY_VERSION, FrameFiller, History, Keep, ObjectWriter, Objects, Proof, Repository, Session,
    Snapshot, WriterSizes,
};
use crate::source::CompletenessState;
use crate::tree::{Edit, Root, TreeError, TreeParams, edit};

/// Entries that are under way from the reader to the builder of a tree.
const ENTRIES_UNDER_WAY: usize = 1024;

/// What a repair works with.
pub(super) struct Workshop<'a> {
    pub(super) repository: &'a Arc<Repository>,
    pub(super) damage: &'a Damage,
    pub(super) options: &'a RepairOptions,
    pub(super) ctx: &'a RunContext,
}

/// A collection as it can be saved.
struct Saved {
    root: Option<Root>,
    lost: Lost,
}

impl Workshop<'_> {
    /// Looks at a collection, and gives what can be saved to `keep`.
    pub(super) fn survey(
        &self,
        objects: &Arc<Objects>,
        commit: &Commit,
        collection: &str,
        keep: &mut (dyn FnMut(Bytes, Bytes) -> Result<(), TreeError> + Send),
    ) -> Result<Lost, Error> {
        let mut lost = Lost::default();
        let trees = SnapshotTrees::new(Arc::clone(objects) as _, commit);
        let mut survey = Survey {
            objects,
            damage: self.damage,
            threads: self.options.check_options().threads(),
            ctx: self.ctx,
            place: (&commit.source.kind, collection),
            lost: &mut lost,
            keep,
            waiting: Vec::new(),
        };
        survey.run(&trees.tree(collection))?;
        Ok(lost)
    }

    /// Makes the snapshot anew. `None` where it is gone meanwhile, or nothing is lost any more.
    pub(super) fn repair(
        &self,
        original: SnapshotId,
    ) -> Result<Option<(SnapshotId, Vec<Problem>, u64)>, Error> {
        // The marker, then the decisions; what is damaged is not relied upon.
        let session =
            Arc::new(self.repository.open_session_avoiding(self.damage.all_packs(), self.ctx)?);
        let done = self.repair_in(&session, original);
        if !matches!(done, Ok(Some(_))) {
            // The store may be what failed: then the next run of this client ends the session.
            if let Err(error) = self.repository.abandon(&session, self.ctx) {
                tracing::debug!(%error, "a session that repairs nothing could not be ended");
            }
        }
        done
    }

    fn repair_in(
        &self,
        session: &Arc<Session>,
        original: SnapshotId,
    ) -> Result<Option<(SnapshotId, Vec<Problem>, u64)>, Error> {
        // The original is the parent: it is chosen after the decisions were read.
        let history = self.repository.history()?;
        let Some(original) = history.visible().find(|it| it.id == original) else {
            return Ok(None);
        };
        if history.decisions.drops(&original.slot) || is_repaired(&history, original.id) {
            return Ok(None);
        }
        let sizes = self.options.check_options().cache_sizes();
        let objects = Arc::new(Objects::load(self.repository, sizes)?);
        let writer = Arc::new(ObjectWriter::new(
            Arc::clone(self.repository),
            Arc::clone(&objects),
            Arc::clone(session),
            WriterSizes::default(),
            Keep::Store,
            Proof::Content,
        ));
        let source = &original.commit.source;
        let (mut problems, mut lost) = (original.commit.problems.clone(), 0);
        let mut found = Vec::new();
        let mut collections = Vec::new();
        for collection in &original.commit.collections {
            let saved = self.save(&objects, &writer, original, collection)?;
            lost += saved.lost.entries;
            collections.push(repaired(collection, &saved));
            found.extend(saved.lost.into_problems(&source.name));
            writer.maybe_write_segment()?;
        }
        if lost == 0 {
            return Ok(None);
        }
        problems.extend(found.iter().cloned());
        let mut commit = self.body(&history, original);
        let flushed = writer.flush()?;
        (commit.packs, commit.segments) = (flushed.packs, flushed.segments);
        commit.statistics = Statistics {
            deleted: lost,
            unchanged: collections.iter().filter_map(|it| it.root).map(|it| it.entries).sum(),
            ..Statistics::default()
        };
        (commit.collections, commit.problems) = (collections, problems);
        let made = self.repository.commit(session, commit)?;
        Ok(Some((made.id, found, lost)))
    }

    /// Saves what there is of a collection: as it is where nothing is lost, else in a tree that is built anew.
    fn save(
        &self,
        objects: &Arc<Objects>,
        writer: &Arc<ObjectWriter>,
        original: &Snapshot,
        collection: &Collection,
    ) -> Result<Saved, Error> {
        let commit = &original.commit;
        let lost = self.survey(objects, commit, &collection.name, &mut |_, _| Ok(()))?;
        if lost.entries == 0 {
            return Ok(Saved { root: collection.root.map(Into::into), lost });
        }
        let mut filler = FrameFiller::new(Arc::clone(writer), None)?;
        let (sender, receiver) = crossbeam_channel::bounded(ENTRIES_UNDER_WAY);
        let (root, lost) = std::thread::scope(|scope| -> Result<_, Error> {
            let reader = scope.spawn(move || {
                let mut send = |key: Bytes, value: Bytes| {
                    let stopped = |_| TreeError::Write { source: ObjectError::Cancelled };
                    sender.send(Edit { key, value: Some(value) }).map_err(stopped)
                };
                self.survey(objects, commit, &collection.name, &mut send)
            });
            let root = {
                let mut entries = receiver.into_iter().map(Ok);
                edit(&self.params(), &**objects, None, &mut entries, &mut filler)
            };
            match reader.join() {
                // A builder that failed has stopped the reader, and knows why.
                Ok(lost) => Ok((root?, lost?)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        filler.flush()?;
        Ok(Saved { root, lost })
    }

    fn params(&self) -> TreeParams {
        let sizes = self.repository.config().tree;
        TreeParams {
            min: sizes.min,
            target: sizes.target,
            max: sizes.max,
            spill: sizes.spill,
            boundary_key: self.repository.keys().boundary_key(),
        }
    }

    /// What the commit says beside what it holds.
    fn body(&self, history: &History, original: &Snapshot) -> Commit {
        let own = self.repository.client().writer();
        let heads = history.heads();
        let sequence = heads.get(&own).map_or(0, |head| head.commit.sequence);
        let sequence = sequence.max(self.repository.client().remembered().sequence);
        let others = heads.iter().filter(|(writer, _)| **writer != own);
        let (program, host) = Repository::program_and_host();
        Commit {
            version: BODY_VERSION,
            checkpoint: false,
            started: rfc3339(self.ctx.clock.now()),
            writer: own,
            sequence: sequence + 1,
            previous: heads.get(&own).map(|head| head.reference()),
            heads: others.map(|(_, head)| head.reference()).collect(),
            parent: Some(original.slot),
            repairs: Some(original.id),
            tags: original.tags.clone(),
            status: SnapshotStatus::Partial,
            program,
            host,
            ..original.commit.clone()
        }
    }
}

/// True if there is a snapshot that stands for this one.
pub(super) fn is_repaired(history: &History, id: SnapshotId) -> bool {
    history.visible().any(|snapshot| snapshot.commit.repairs == Some(id))
}

/// A collection that lost anything has no cursor: the next backup reads all of it again.
fn repaired(collection: &Collection, saved: &Saved) -> Collection {
    let mut repaired = collection.clone();
    if saved.lost.entries > 0 {
        repaired.root = saved.root.map(Into::into);
        repaired.cursor = None;
        let number = saved.lost.entries;
        let completeness = &mut repaired.completeness;
        completeness.found = completeness.found.saturating_sub(number);
        completeness.detail = match (number, completeness.detail.as_str()) {
            (1, "") => "1 entry is lost".into(),
            (_, "") => format!("{number} entries are lost"),
            (_, before) => format!("{before}; lost: {number}"),
        };
        if completeness.state == CompletenessState::Complete {
            completeness.state = CompletenessState::Partial;
        }
    }
    repaired
}
