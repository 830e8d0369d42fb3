//! Sessions in the repository that is copied into: one for each snapshot of a source, each opened before the one before it ends.
//!
//! So the commit of one session may be the parent of the next, as with checkpoints (FORMAT.md §10), and neither the history nor
//! the index has to be read again.

use std::sync::Arc;

use bytes::Bytes;

use super::{CopiedSnapshot, Run, changes, first_of, is_of_one_source, is_same, objects};
use crate::error::Error;
use crate::format::commit::{Collection, Commit, Copied, MarkAction, SnapshotStatus, StoredRoot};
use crate::format::name::SessionName;
use crate::monitor::Counter;
use crate::ops::backup::{CollectionEdit, EditBuffer, apply};
use crate::ops::lineage::Lineage;
use crate::ops::place::path_of;
use crate::problem::{Problem, ProblemKind};
use crate::repo::{
    BODY_VERSION, Flushed, History, Keep, ObjectWriter, Objects, Proof, Session, Snapshot,
};
use crate::source::CompletenessState;
use crate::store::StoreFigures;
use crate::tree::{Root, Tree};

/// Whether the newest commit of the source here is gone on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UseParent {
    /// Yes.
    Newest,
    /// No: it cannot be read. Then objects are read before they are relied upon.
    None,
}

/// The commit here that is gone on from.
pub(super) struct Parent {
    slot: SessionName,
    time: String,
    collections: Vec<Collection>,
    /// The snapshot in the other repository that it is a copy of, where that is known to hold the same.
    pub(super) original: Option<Commit>,
}

/// The tree of a collection.
pub(super) fn root_in(collections: &[Collection], name: &str) -> Option<Root> {
    collections.iter().find(|known| known.name == name)?.root.map(Root::from)
}

impl Parent {
    pub(super) fn root(&self, collection: &str) -> Option<Root> {
        root_in(&self.collections, collection)
    }
}

/// An entry that could not be read in the other repository.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    /// The place of its collection in the commit.
    pub(super) collection: u32,
    pub(super) key: Bytes,
    pub(super) message: String,
}

/// What has been stored of a snapshot.
#[derive(Default)]
pub(super) struct Moved {
    /// The roots of its collections, in the order of the commit. What is lost is in them as it is in the original.
    pub(super) roots: Vec<Option<Root>>,
    pub(super) lost: Vec<Lost>,
    pub(super) new_objects: u64,
    pub(super) new_bytes: u64,
}

/// An open session, and what it goes on from.
pub(super) struct Chain<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) objects: Arc<Objects>,
    pub(super) writer: Arc<ObjectWriter>,
    pub(super) parent: Option<Parent>,
    session: Arc<Session>,
    lineage: Lineage,
    flushed: Flushed,
    before: [StoreFigures; 2],
}

impl<'a> Chain<'a> {
    /// Opens a session, then chooses the parent, then loads the index.
    pub(super) fn begin(
        run: &'a Run<'a>,
        original: &Snapshot,
        parent: UseParent,
    ) -> Result<Self, Error> {
        let before = figures(run);
        let session = Arc::new(run.to.open_session(run.ctx)?);
        let begun = Self::go_on_from(run, original, parent, Arc::clone(&session), before);
        if begun.is_err() {
            abandon(run, &session);
        }
        begun
    }

    fn go_on_from(
        run: &'a Run<'a>,
        original: &Snapshot,
        parent: UseParent,
        session: Arc<Session>,
        before: [StoreFigures; 2],
    ) -> Result<Self, Error> {
        let history = run.to.history()?;
        let (parent, proof) = match parent {
            UseParent::Newest => (choose_parent(run, &history, original), Proof::Footer),
            UseParent::None => (None, Proof::Content),
        };
        let objects = Arc::new(Objects::load(run.to, run.memory.caches)?);
        let writer = Arc::new(ObjectWriter::new(
            Arc::clone(run.to),
            Arc::clone(&objects),
            Arc::clone(&session),
            run.memory.writer,
            Keep::Store,
            proof,
        ));
        let lineage = Lineage::of(run.to, &history);
        let flushed = Flushed::default();
        Ok(Self { run, objects, writer, parent, session, lineage, flushed, before })
    }

    /// Copies a snapshot and commits it. Where `more` follow and nothing was lost the chain goes on.
    pub(super) fn copy(
        mut self,
        original: &Snapshot,
        more: bool,
    ) -> Result<(CopiedSnapshot, Option<Self>), Error> {
        let mut next = None;
        match self.store(original, more, &mut next) {
            Ok(copied) => {
                let next = next.map(|next| self.go_on(original, next));
                Ok((copied, next))
            }
            Err(error) => {
                abandon(self.run, &self.session);
                if let Some(next) = next {
                    abandon(self.run, &next);
                }
                Err(error)
            }
        }
    }

    /// Stores packs and the index of what was written. No thread may be storing.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let Flushed { packs, segments } = self.writer.flush()?;
        self.flushed.packs.extend(packs);
        self.flushed.segments.extend(segments);
        Ok(())
    }

    fn store(
        &mut self,
        original: &Snapshot,
        more: bool,
        next: &mut Option<Arc<Session>>,
    ) -> Result<CopiedSnapshot, Error> {
        let mut moved = if self.run.is_like {
            objects::transfer(self, original)?
        } else {
            changes::transfer(self, original)?
        };
        self.flush()?;
        let lost = self.give_up_lost(original, &mut moved)?;
        self.writer.merge_loose()?;
        if more && lost.is_empty() {
            *next = Some(Arc::new(self.run.to.open_session(self.run.ctx)?));
        }
        let commit = self.commit_body(original, &moved, &lost);
        let (status, collections) = (commit.status, commit.collections.clone());
        // A held snapshot must never be without its hold, so that comes first; of a slot that stays empty it says nothing.
        for reason in &original.holds {
            let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
            self.run.to.mark(MarkAction::Hold, &[self.session.name], reason, self.run.ctx)?;
        }
        let made = self.run.to.commit(&self.session, commit)?;
        self.lineage.grow(made);
        let time = original.commit.time.clone();
        self.parent = Some(Parent { slot: made.slot, time, collections, original: None });
        let [from, to] = figures(self.run);
        let copied = CopiedSnapshot {
            snapshot: made.id,
            status,
            lost,
            new_objects: moved.new_objects,
            new_bytes: moved.new_bytes,
            bytes_added: to.written_bytes - self.before[1].written_bytes,
            objects_written: to.written_objects - self.before[1].written_objects,
            bytes_fetched: from.read_bytes - self.before[0].read_bytes,
        };
        self.run.ctx.monitor.count(Counter::BytesStored, copied.bytes_added);
        self.run.ctx.monitor.count(Counter::ObjectsWritten, copied.objects_written);
        Ok(copied)
    }

    /// The commit that was made is the next one's parent.
    fn go_on(mut self, original: &Snapshot, next: Arc<Session>) -> Self {
        self.writer.renew(Arc::clone(&next));
        self.session = next;
        self.before = figures(self.run);
        if let Some(parent) = &mut self.parent {
            parent.original = Some(original.commit.clone());
        }
        self
    }

    /// Puts the parent's state, or nothing, in the place of entries that could not be read.
    fn give_up_lost(
        &mut self,
        original: &Snapshot,
        moved: &mut Moved,
    ) -> Result<Vec<Problem>, Error> {
        if moved.lost.is_empty() {
            return Ok(Vec::new());
        }
        // One message for each entry, however many of its objects are gone.
        moved.lost.sort_by(|a, b| (a.collection, &a.key).cmp(&(b.collection, &b.key)));
        moved.lost.dedup_by(|a, b| (a.collection, &a.key) == (b.collection, &b.key));
        let mut edits = EditBuffer::new(self.run.memory.edits)?;
        let mut problems = Vec::new();
        for (number, lost) in (0u64..).zip(&moved.lost) {
            let Commit { source, collections, .. } = &original.commit;
            let name = &collections[lost.collection as usize].name;
            // Only what came before can stand in for it.
            let before = self.parent.as_ref().filter(|it| it.time <= original.commit.time);
            let root = before.and_then(|parent| parent.root(name));
            let value = Tree::new(self.objects.clone(), root).get(&lost.key)?;
            let problem = Problem {
                path: path_of(&source.kind, name, &lost.key),
                kind: ProblemKind::Unreadable,
                message: lost.message.clone(),
                stale: value.is_some(),
            };
            self.run.ctx.monitor.problem(&problem);
            problems.push(problem);
            let (collection, key) = (lost.collection, lost.key.clone());
            edits.extend(vec![CollectionEdit { collection, key, order: (number, 0), value }])?;
        }
        apply(self.run.to, &self.objects, &self.writer, &mut moved.roots, edits)?;
        self.flush()?;
        Ok(problems)
    }

    fn commit_body(&mut self, original: &Snapshot, moved: &Moved, lost: &[Problem]) -> Commit {
        let before = &original.commit;
        let mut collections = before.collections.clone();
        for ((number, collection), root) in (0u32..).zip(&mut collections).zip(&moved.roots) {
            collection.root = root.map(StoredRoot::from);
            match moved.lost.iter().filter(|it| it.collection == number).count() {
                0 => {}
                lost => say_incomplete(collection, lost),
            }
        }
        let first = first_of(self.run.from.repository, original);
        let Flushed { packs, segments } = std::mem::take(&mut self.flushed);
        Commit {
            version: BODY_VERSION,
            checkpoint: false,
            writer: self.session.name.writer,
            sequence: self.lineage.sequence + 1,
            previous: self.lineage.previous,
            heads: self.lineage.heads.clone(),
            parent: self.parent.as_ref().map(|parent| parent.slot),
            collections,
            packs,
            segments,
            problems: before.problems.iter().chain(lost).cloned().collect(),
            tags: original.tags.clone(),
            status: if lost.is_empty() { before.status } else { SnapshotStatus::Partial },
            copied: Some(Copied { lost: first.lost + lost.len() as u64, ..first }),
            ..before.clone()
        }
    }
}

/// Ends a session that does not commit, so that nobody waits for it.
fn abandon(run: &Run<'_>, session: &Session) {
    if let Err(error) = run.to.abandon(session, run.ctx) {
        // The store may be what failed: then the next run of this client fences the session.
        tracing::debug!(%error, "a failed session could not be ended");
    }
}

/// A backup that goes on from a collection of which something was lost must look at everything.
fn say_incomplete(collection: &mut Collection, lost: usize) {
    collection.cursor = None;
    let completeness = &mut collection.completeness;
    let what = format!("{lost} could not be read when the snapshot was copied");
    completeness.detail = match completeness.detail.as_str() {
        "" => what,
        before => format!("{before}; {what}"),
    };
    if completeness.state == CompletenessState::Complete {
        completeness.state = CompletenessState::Partial;
    }
}

fn figures(run: &Run<'_>) -> [StoreFigures; 2] {
    [run.from.repository.store().figures(), run.to.store().figures()]
}

fn has_lost(snapshot: &Snapshot) -> bool {
    snapshot.commit.copied.is_some_and(|copied| copied.lost > 0)
}

/// The newest commit of the source here. With other ids its trees say nothing of those of the original; then it must be a copy
/// of, or the original of, a snapshot that can be compared with.
fn choose_parent(run: &Run<'_>, history: &History, original: &Snapshot) -> Option<Parent> {
    let source = &original.commit.source;
    let parent = |it: &Snapshot, original| Parent {
        slot: it.slot,
        time: it.commit.time.clone(),
        collections: it.commit.collections.clone(),
        original,
    };
    if run.is_like {
        return history.parent(&source.kind, &source.identity).map(|it| parent(it, None));
    }
    let fits = |it: &&Snapshot| {
        let is_kept = !it.forgotten && !history.decisions.drops(&it.slot);
        is_kept && !it.commit.checkpoint && !has_lost(it) && is_of_one_source(it, original)
    };
    history.snapshots.iter().rev().filter(fits).find_map(|it| {
        let first = first_of(run.to, it);
        let mut known = run.from.history.visible().filter(|it| !has_lost(it));
        let known = known.find(|known| is_same(first_of(run.from.repository, known), first))?;
        Some(parent(it, Some(known.commit.clone())))
    })
}
