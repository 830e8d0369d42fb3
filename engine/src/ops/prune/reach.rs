//! What snapshots need: all their trees are walked, each node once however many snapshots share it.

use std::collections::HashSet;
use std::sync::Arc;

use super::edges::{Edges, Kind, Step};
use super::ids::IdRuns;
use super::memory::Memory;
use crate::context::RunContext;
use crate::entry::Part;
use crate::error::{Error, PruneError};
use crate::id::{ObjectId, ShortId};
use crate::object::{Class, ReadObject};
use crate::ops::base::{SnapshotTrees, display_key};
use crate::repo::{Objects, Snapshot};
use crate::tree::TreeError;

/// So many objects are asked for at a time, at most: about half a megabyte.
const BATCH: usize = 256;
/// So many bytes of long values are held at a time, or one value.
const VALUE_BYTES: u64 = /* 4 MiB */ 4 * 1024 * 1024;

/// The objects that snapshots need.
pub(super) struct Reach {
    reader: Arc<dyn ReadObject>,
    /// Tree nodes, long values and lists that were walked.
    walked: HashSet<(Kind, ShortId)>,
    /// All objects that were met since the last [`take`](Self::take).
    ids: IdRuns,
    /// What earlier collections have read.
    remembered: Memory,
    memory: u64,
}

impl Reach {
    /// Nothing yet; at most so many bytes of ids are held in memory.
    pub(super) fn new(objects: &Arc<Objects>, remembered: Memory, memory: u64) -> Self {
        let reader: Arc<dyn ReadObject> = Arc::clone(objects) as Arc<dyn ReadObject>;
        Self { reader, walked: HashSet::new(), ids: IdRuns::new(memory), remembered, memory }
    }

    /// The objects that were met so far. From now on only others are met: those of trees that were not walked before.
    pub(super) fn take(&mut self) -> IdRuns {
        std::mem::replace(&mut self.ids, IdRuns::new(self.memory))
    }

    /// Remembers all that was walked for the next collection.
    pub(super) fn remember(&mut self) {
        self.remembered.keep();
    }

    /// Adds all that a snapshot needs.
    ///
    /// # Errors
    /// `Unreadable` if one of its trees cannot be read: then nobody knows what it needs.
    pub(super) fn add(&mut self, snapshot: &Snapshot, ctx: &RunContext) -> Result<(), Error> {
        let roots = snapshot.commit.collections.iter().filter_map(|it| it.root.as_ref());
        let mut open: Vec<Step> = roots.map(Step::root).collect();
        while !open.is_empty() {
            if ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            self.walk_next(&mut open).map_err(|error| named(error, snapshot))?;
        }
        Ok(())
    }

    /// Goes one step further from the objects that are next: depth first, so that few are open at a time.
    fn walk_next(&mut self, open: &mut Vec<Step>) -> Result<(), Error> {
        let mut below = Vec::new();
        let mut unknown = Vec::new();
        for step in self.take_next(open)? {
            match self.remembered.get(&step) {
                Some(edges) => self.follow(&step, edges, &mut below)?,
                None => unknown.push(step),
            }
        }
        let ids: Vec<_> = unknown.iter().map(|step| step.id).collect();
        for (step, read) in unknown.iter().zip(self.reader.read_many(Class::Meta, &ids)) {
            let bytes = read.map_err(|source| TreeError::Read { id: step.id, source })?;
            self.follow(step, Edges::of(step, &bytes)?, &mut below)?;
        }
        below.reverse();
        open.append(&mut below);
        Ok(())
    }

    /// Takes the objects that are next and were not walked before.
    fn take_next(&mut self, open: &mut Vec<Step>) -> Result<Vec<Step>, Error> {
        let (mut next, mut bytes) = (Vec::new(), 0);
        while next.len() < BATCH
            && bytes < VALUE_BYTES
            && let Some(step) = open.pop()
        {
            let short = step.id.to_short();
            if self.walked.insert((step.kind, short)) {
                self.ids.push(short)?;
                bytes += u64::from(step.length);
                next.push(step);
            }
        }
        Ok(next)
    }

    fn follow(&mut self, step: &Step, edges: Edges, below: &mut Vec<Step>) -> Result<(), Error> {
        self.remembered.put(step, &edges);
        edges.data.into_iter().try_for_each(|id| self.ids.push(id))?;
        below.extend(edges.steps);
        Ok(())
    }
}

fn named(error: Error, snapshot: &Snapshot) -> Error {
    match error {
        Error::Prune(_) | Error::Cancelled | Error::Temporary(_) => error,
        error => PruneError::Unreadable { snapshot: snapshot.id, source: Box::new(error) }.into(),
    }
}

/// Which entry needs an object that is lost, for the person who has to do something about it.
pub(super) fn who_needs(
    lost: ShortId,
    objects: &Arc<Objects>,
    snapshots: &[&Snapshot],
    ctx: &RunContext,
) -> Result<PruneError, Error> {
    for snapshot in snapshots {
        let reader: Arc<dyn ReadObject> = Arc::clone(objects) as Arc<dyn ReadObject>;
        let trees = SnapshotTrees::new(Arc::clone(&reader), &snapshot.commit);
        let names: Vec<String> = trees.names().map(str::to_owned).collect();
        for entry in names.iter().flat_map(|name| trees.entries(name, b"")) {
            if ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let (key, entry) = entry.map_err(|error| named(error, snapshot))?;
            for part in crate::tree::parts(Arc::clone(&reader), &entry.content) {
                if let Part::Data { id, .. } =
                    part.map_err(|error| named(error.into(), snapshot))?
                    && id.to_short() == lost
                {
                    return Ok(PruneError::Lost { id, path: display_key(&key) });
                }
            }
        }
    }
    // Only a node that was read, and is gone since, is found by no entry.
    let mut id = [0; ObjectId::LEN];
    id[..ShortId::LEN].copy_from_slice(&lost.0);
    Ok(PruneError::Lost { id: ObjectId(id), path: String::new() })
}
