//! Between repositories with other ids: the differences between two snapshots of the one are a change list, which goes the way of
//! a backup in the other. Contents are read, cut anew and stored; edits are applied to the trees of the parent.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use bytes::Bytes;

use super::chain::{Chain, Lost, Moved, root_in};
use super::origin::Origin;
use crate::entry::{Content, Entry, Part};
use crate::error::Error;
use crate::object::{Class, ReadObject};
use crate::ops::backup::{EditBuffer, Workers, apply};
use crate::ops::base::{decode, display_key};
use crate::problem::Problem;
use crate::repo::Snapshot;
use crate::source::{
    Change, ChangeSink, ContentReader, Finished, Payload, Piece, SourceError, change_channel,
};
use crate::tree::{Parts, Root, Tree, diff, parts};

/// What the workers' edits are applied to, and how much was stored when that was done last.
struct Applied<'t, 'a> {
    chain: &'t mut Chain<'a>,
    roots: Vec<Option<Root>>,
    bytes: u64,
}

impl Applied<'_, '_> {
    /// Builds the trees so far, and stores packs and index.
    fn apply(&mut self, edits: EditBuffer) -> Result<(), Error> {
        let Chain { run, objects, writer, .. } = &*self.chain;
        apply(run.to, objects, writer, &mut self.roots, edits)?;
        self.chain.flush()
    }
}

/// Copies the entries in which a snapshot differs from what the parent is a copy of.
pub(super) fn transfer(chain: &mut Chain<'_>, original: &Snapshot) -> Result<Moved, Error> {
    let run = chain.run;
    let collections = &original.commit.collections;
    let names: Vec<_> = collections.iter().map(|it| it.name.clone()).collect();
    let parent = chain.parent.as_ref();
    let roots = names.iter().map(|name| parent.and_then(|parent| parent.root(name))).collect();
    let base = parent.and_then(|parent| parent.original.clone());
    let before = base.map(|commit| commit.collections).unwrap_or_default();
    let (sink, receiver) = change_channel(names, run.memory.changes, run.ctx);
    let writer = Arc::clone(&chain.writer);
    let chunker = run.to.chunker();
    let workers = Workers::new(run.memory.workers, writer, chunker, run.memory.edits, run.ctx)?;
    let mut applied = Mutex::new(Applied { chain, roots, bytes: 0 });
    let pushed = std::thread::scope(|scope| {
        for number in 0..workers.count() {
            let (workers, applied, changes) = (&workers, &applied, receiver.clone());
            scope.spawn(move || workers.run(number, &changes, &|| apply_if_due(workers, applied)));
        }
        drop(receiver);
        let pushed = (0..).zip(collections).try_for_each(|(number, collection)| {
            let old = Tree::new(run.origin.clone(), root_in(&before, &collection.name));
            let new = Tree::new(run.origin.clone(), collection.root.map(Root::from));
            push(&run.origin, &sink, number, &old, &new)
        });
        let pushed = pushed.and_then(|()| {
            let flushed = run.to.store().runtime().block_on(sink.flush());
            Ok(flushed.map_err(SourceError::from)?)
        });
        // The workers end when nobody can push any more.
        drop(sink);
        pushed
    });
    let applied = applied.get_mut().unwrap_or_else(PoisonError::into_inner);
    settle(&workers, applied, pushed)
}

/// All workers have ended: the last edits are applied.
fn settle(
    workers: &Workers,
    applied: &mut Applied<'_, '_>,
    pushed: Result<(), Error>,
) -> Result<Moved, Error> {
    let run = applied.chain.run;
    let ended = match workers.take_failure() {
        Some(error) => Err(error),
        None if run.origin.is_out_of_reach() => Err(Error::Cancelled),
        None if run.ctx.cancel.is_cancelled() => Err(Error::Cancelled),
        None => pushed,
    };
    if let Err(error) = ended {
        if let Err(error) = workers.quiesced(|_| applied.chain.flush()) {
            tracing::debug!(%error, "what was copied last is not kept for the next run");
        }
        return Err(error);
    }
    // Damage of contents is told with the entry, and does not end the copy.
    run.origin.take_damage();
    workers.quiesced(|edits| applied.apply(edits))?;
    let problems = &mut *workers.problems.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = std::mem::take(problems).into_iter().map(|it| Lost {
        collection: it.collection as u32,
        key: it.key,
        message: it.problem.message,
    });
    Ok(Moved {
        roots: std::mem::take(&mut applied.roots),
        lost: lost.collect(),
        new_objects: workers.figures.new_objects.load(Ordering::Relaxed),
        new_bytes: workers.figures.new_bytes.load(Ordering::Relaxed),
    })
}

/// After so many bytes what was stored is made known to the index, so that an interrupted copy need not store it again.
fn apply_if_due(workers: &Workers, applied: &Mutex<Applied<'_, '_>>) -> Result<(), Error> {
    let mut applied = match applied.try_lock() {
        Ok(applied) => applied,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another worker does it.
        Err(TryLockError::WouldBlock) => return Ok(()),
    };
    let stored = workers.figures.new_bytes.load(Ordering::Relaxed);
    if stored - applied.bytes < applied.chain.run.options.flush_bytes {
        return Ok(());
    }
    applied.bytes = stored;
    workers.quiesced(|edits| applied.apply(edits))
}

/// Pushes the differences between two trees of the other repository.
fn push(
    origin: &Arc<Origin>,
    sink: &ChangeSink,
    collection: usize,
    old: &Tree,
    new: &Tree,
) -> Result<(), Error> {
    let runtime = origin.objects().store().runtime().clone();
    for difference in diff(old, new) {
        let difference = difference?;
        if origin.is_out_of_reach() {
            return Err(Error::Cancelled);
        }
        let key = difference.key;
        let change = match difference.new {
            None => Change::Delete { collection, key },
            Some(value) => {
                let entry = decode(&key, &value)?;
                let payload = payload(origin, &key, &entry);
                let entry = Entry { content: Content::None, ..entry };
                Change::Put { collection, key, entry, payload }
            }
        };
        sink.push_blocking(change, &runtime).map_err(SourceError::from)?;
    }
    Ok(())
}

fn payload(origin: &Arc<Origin>, key: &[u8], entry: &Entry) -> Payload {
    match &entry.content {
        Content::None => Payload::None,
        Content::Inline(bytes) => Payload::Bytes(bytes.clone()),
        content => Payload::Reader {
            size: entry.size,
            reader: Box::new(StoredContent {
                parts: parts(origin.clone(), content),
                origin: Arc::clone(origin),
                path: display_key(key),
                data: Bytes::new(),
                size: entry.size,
                read: 0,
            }),
        },
    }
}

/// Reads a content of the other repository; every object is verified, holes stay holes.
struct StoredContent {
    origin: Arc<Origin>,
    path: String,
    parts: Parts,
    data: Bytes,
    size: u64,
    read: u64,
}

impl StoredContent {
    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let part = self.parts.next().transpose().map_err(io::Error::other)?;
        let Some(part) = part else {
            if self.read == self.size {
                return Ok(Some(Piece::End));
            }
            return Err(io::Error::other("it has another length than its entry says"));
        };
        self.read = self.read.saturating_add(part.length());
        match part {
            Part::Hole { length } => Ok(Some(Piece::Hole(length))),
            Part::Data { id, length } => {
                self.data = self.origin.read(Class::Data, &id).map_err(io::Error::other)?;
                if self.data.len() as u64 == length {
                    return Ok(None);
                }
                Err(io::Error::other("an object has another length than listed"))
            }
        }
    }
}

impl ContentReader for StoredContent {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        while self.data.is_empty() {
            if let Some(piece) = self.next_piece()? {
                return Ok(piece);
            }
        }
        let length = self.data.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.data.split_to(length));
        Ok(Piece::Data(length))
    }

    fn finish(&mut self, _: u64) -> Finished {
        Finished::default()
    }

    fn path(&self) -> String {
        self.path.clone()
    }
}
