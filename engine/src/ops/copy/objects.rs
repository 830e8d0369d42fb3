//! Between repositories with the same ids: what the original has and the parent has not is copied object by object.

use std::sync::Arc;

use bytes::Bytes;

use super::chain::{Chain, Lost, Moved};
use super::origin::Nodes;
use super::window::{Owner, Window};
use crate::entry::{Content, Entry, EntryKind, Part};
use crate::error::Error;
use crate::id::ObjectId;
use crate::monitor::Counter;
use crate::object::{Class, ObjectError};
use crate::ops::base::decode;
use crate::repo::{FrameFiller, Lane, Snapshot};
use crate::tree::{Root, Tree, TreeError, diff, parts};

/// Threads that fetch: they wait for the store most of the time.
const FETCHERS: usize = 4;

/// Copies the objects of a snapshot. The roots of the copy are those of the original.
pub(super) fn transfer(chain: &mut Chain<'_>, original: &Snapshot) -> Result<Moved, Error> {
    let fillers = chain.run.memory.workers.max(FETCHERS);
    let filler = |_| FrameFiller::new(Arc::clone(&chain.writer), None);
    let mut transfer = Transfer {
        nodes: Arc::new(Nodes::new(Arc::clone(&chain.run.origin))),
        node_filler: filler(0)?,
        fillers: (0..fillers).map(filler).collect::<Result<_, _>>()?,
        window: Window::new(chain.run.options.flush_bytes),
        moved: Moved::default(),
        waiting: 0,
        chain,
    };
    let done = transfer.collections(original);
    if done.is_err()
        && let Err(error) = transfer.flush()
    {
        tracing::debug!(%error, "what was copied last is not kept for the next run");
    }
    done.map(|()| transfer.moved)
}

struct Transfer<'t, 'a> {
    chain: &'t mut Chain<'a>,
    nodes: Arc<Nodes>,
    /// Stores nodes of trees and lists.
    node_filler: FrameFiller,
    /// Store contents, one for each thread.
    fillers: Vec<FrameFiller>,
    window: Window,
    moved: Moved,
    /// Bytes of new objects since packs and index were stored.
    waiting: u64,
}

impl Transfer<'_, '_> {
    fn collections(&mut self, original: &Snapshot) -> Result<(), Error> {
        for (number, collection) in (0u32..).zip(&original.commit.collections) {
            let parent = self.chain.parent.as_ref();
            let old = parent.and_then(|parent| parent.root(&collection.name));
            let new = collection.root.map(Root::from);
            self.collection(number, old, new)?;
            self.moved.roots.push(new);
        }
        self.carry()?;
        self.flush()
    }

    /// Nodes that both trees have are not read: the parent is a commit, so all that is below them is here.
    fn collection(
        &mut self,
        number: u32,
        old: Option<Root>,
        new: Option<Root>,
    ) -> Result<(), Error> {
        let old = Tree::new(self.chain.objects.clone(), old);
        let new = Tree::new(self.nodes.clone(), new);
        for difference in diff(&old, &new) {
            let difference = difference?;
            self.chain.run.ctx.monitor.count(Counter::EntriesSeen, 1);
            self.store_nodes()?;
            if let Some(value) = difference.new {
                self.entry(number, difference.key, &value)?;
            }
        }
        self.store_nodes()
    }

    /// Stores the nodes that were read since the last time.
    fn store_nodes(&mut self) -> Result<(), Error> {
        if self.chain.run.ctx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        for node in self.nodes.take() {
            self.node_filler.put(Lane::Meta, &node)?;
        }
        Ok(())
    }

    /// Finds out which objects of an entry's content are not here.
    fn entry(&mut self, collection: u32, key: Bytes, value: &[u8]) -> Result<(), Error> {
        let decoded = decode(&key, value);
        let lane = decoded.as_ref().map_or(Lane::File, lane_of);
        let owner = Arc::new(Owner { collection, key, lane });
        let entry = match decoded {
            Ok(entry) => entry,
            Err(error) => {
                self.moved.lost.push(owner.lost(&error.to_string()));
                return Ok(());
            }
        };
        let mut read = 0u64;
        for part in parts(self.nodes.clone(), &entry.content) {
            let part = match part {
                Ok(part) => part,
                Err(error) if is_damage(&error) => {
                    self.lost(vec![owner.lost(&error.to_string())]);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            read = read.saturating_add(part.length());
            if let Part::Data { id, length } = part {
                self.piece(id, length, &owner)?;
            }
            self.store_nodes()?;
        }
        let has_parts = matches!(entry.content, Content::Parts(_) | Content::List { .. });
        if has_parts && read != entry.size {
            self.lost(vec![owner.lost("it has another length than its entry says")]);
        }
        Ok(())
    }

    fn piece(&mut self, id: ObjectId, length: u64, owner: &Arc<Owner>) -> Result<(), Error> {
        if self.chain.writer.has(Class::Data, &id)? {
            return Ok(());
        }
        let place = self.chain.run.origin.objects().places(&id)?.into_iter().next();
        self.window.add(id, length, place, owner);
        if self.window.is_full() { self.carry() } else { Ok(()) }
    }

    /// Fetches and stores what has gathered.
    fn carry(&mut self) -> Result<(), Error> {
        let run = self.chain.run;
        let lost = self.window.carry(&run.origin, &mut self.fillers, run.ctx)?;
        self.lost(lost);
        self.chain.writer.maybe_write_segment()?;
        self.count();
        if self.waiting >= run.options.flush_bytes { self.flush() } else { Ok(()) }
    }

    fn count(&mut self) {
        for filler in self.fillers.iter_mut().chain([&mut self.node_filler]) {
            let (objects, bytes) = filler.take_figures();
            self.moved.new_objects += objects;
            self.moved.new_bytes += bytes;
            self.waiting += bytes;
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        for filler in self.fillers.iter_mut().chain([&mut self.node_filler]) {
            filler.flush()?;
        }
        self.count();
        self.waiting = 0;
        self.chain.flush()
    }

    /// Damage of contents is told with the entry, and does not end the copy.
    fn lost(&mut self, lost: Vec<Lost>) {
        self.chain.run.origin.take_damage();
        self.moved.lost.extend(lost);
    }
}

/// Records of a source fill other frames than files.
fn lane_of(entry: &Entry) -> Lane {
    match (entry.kind, &entry.metadata.media_type) {
        (EntryKind::Document, None) => Lane::Document,
        _ => Lane::File,
    }
}

/// True where what was to be read is damaged or lost, and not only out of reach.
fn is_damage(error: &TreeError) -> bool {
    match error {
        TreeError::Corrupt { .. } => true,
        TreeError::Read { source, .. } => {
            matches!(source, ObjectError::Missing { .. } | ObjectError::Damaged { .. })
        }
        _ => false,
    }
}
