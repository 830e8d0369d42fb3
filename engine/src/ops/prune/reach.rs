//! What snapshots need: all their trees are walked, each node once however many snapshots share it.

use std::collections::HashSet;
use std::sync::Arc;

use super::ids::IdRuns;
use crate::context::RunContext;
use crate::entry::{Content, Part};
use crate::error::{Error, PruneError};
use crate::id::{ObjectId, ShortId};
use crate::object::{ObjectError, ReadObject};
use crate::ops::base::{SnapshotTrees, decode, display_key};
use crate::repo::{Objects, Snapshot};
use crate::tree::{Descend, ListVisit, NodeVisit, TreeError, list_nodes};

/// The objects that snapshots need.
pub(super) struct Reach {
    reader: Arc<dyn ReadObject>,
    /// Tree nodes, long values and lists that were walked.
    walked: HashSet<ShortId>,
    /// All objects that were met since the last [`take`](Self::take).
    pub(super) ids: IdRuns,
    memory: u64,
}

impl Reach {
    /// Nothing yet; at most so many bytes of ids are held in memory.
    pub(super) fn new(objects: &Arc<Objects>, memory: u64) -> Self {
        let reader: Arc<dyn ReadObject> = Arc::clone(objects) as Arc<dyn ReadObject>;
        Self { reader, walked: HashSet::new(), ids: IdRuns::new(memory), memory }
    }

    /// The objects that were met so far. From now on only others are met: those of trees that were not walked before.
    pub(super) fn take(&mut self) -> IdRuns {
        std::mem::replace(&mut self.ids, IdRuns::new(self.memory))
    }

    /// Adds all that a snapshot needs.
    ///
    /// # Errors
    /// `Unreadable` if one of its trees cannot be read: then nobody knows what it needs.
    pub(super) fn add(&mut self, snapshot: &Snapshot, ctx: &RunContext) -> Result<(), Error> {
        let trees = SnapshotTrees::new(Arc::clone(&self.reader), &snapshot.commit);
        let names: Vec<String> = trees.names().map(str::to_owned).collect();
        for name in names {
            let mut failure = None;
            let walked = trees.tree(&name).nodes(&mut |visit| {
                let met = match visit {
                    _ if ctx.cancel.is_cancelled() => Err(Error::Cancelled),
                    NodeVisit::Node { id, .. } | NodeVisit::Spilled { id, .. } => self.walk(&id),
                    NodeVisit::Value { key, value } => self.entry(key, value).map(|()| true),
                };
                or_stop(met, &mut failure)
            });
            match failure {
                Some(error) => return Err(named(error, snapshot)),
                None => walked.map_err(|error| named(error.into(), snapshot))?,
            }
        }
        Ok(())
    }

    /// Notes an object that leads to others; false if it was walked before.
    fn walk(&mut self, id: &ObjectId) -> Result<bool, Error> {
        let is_new = self.walked.insert(id.to_short());
        if is_new {
            self.ids.push(id.to_short())?;
        }
        Ok(is_new)
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        match decode(key, value)?.content {
            Content::None | Content::Inline(_) => Ok(()),
            Content::Parts(parts) => parts.iter().try_for_each(|part| self.part(part)),
            Content::List { top, .. } => self.list(top),
        }
    }

    fn part(&mut self, part: &Part) -> Result<(), Error> {
        match part {
            Part::Data { id, .. } => self.ids.push(id.to_short()),
            Part::Hole { .. } => Ok(()),
        }
    }

    fn list(&mut self, top: ObjectId) -> Result<(), Error> {
        let reader = Arc::clone(&self.reader);
        let mut failure = None;
        let walked = list_nodes(&*reader, top, &mut |visit| {
            let met = match visit {
                ListVisit::Node(id) => self.walk(&id),
                ListVisit::Part(part) => self.part(&part).map(|()| true),
            };
            or_stop(met, &mut failure)
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(walked?),
        }
    }
}

/// An error of the visitor ends the walk, which has no words for it.
fn or_stop(met: Result<bool, Error>, failure: &mut Option<Error>) -> Result<Descend, TreeError> {
    match met {
        Ok(true) => Ok(Descend::Yes),
        Ok(false) => Ok(Descend::No),
        Err(error) => {
            *failure = Some(error);
            Err(TreeError::Write { source: ObjectError::Cancelled })
        }
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
            let (key, entry) = entry?;
            for part in crate::tree::parts(Arc::clone(&reader), &entry.content) {
                if let Part::Data { id, .. } = part?
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
