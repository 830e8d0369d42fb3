//! What of a collection is lost, and what can be saved.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::context::RunContext;
use crate::entry::{Content, Entry, Part};
use crate::error::Error;
use crate::id::ObjectId;
use crate::object::{Class, ObjectError, ReadObject};
use crate::ops::base::decode;
use crate::ops::check::{Damage, is_damage, is_lost};
use crate::ops::place::path_of;
use crate::ops::threads::each;
use crate::problem::{Problem, ProblemKind};
use crate::repo::Objects;
use crate::tree::{Descend, NodeVisit, Tree, TreeError, Unreadable, Walker, parts};

/// Entries that are looked at together.
const ENTRIES_AT_A_TIME: usize = 1024;
/// So much text of what is lost is kept; the rest is only counted. A commit must stay far below its limit.
const NAMED_BYTES: usize = /* 16 MiB */ 16 * 1024 * 1024;

/// What is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// How many entries.
    pub(super) entries: u64,
    /// Which; the first ones, where there are very many.
    pub(super) problems: Vec<Problem>,
    named: u64,
    bytes: usize,
}

impl Lost {
    fn add(&mut self, entries: u64, path: String, message: String) {
        self.entries += entries;
        let bytes = path.len() + message.len();
        if self.bytes + bytes > NAMED_BYTES {
            return;
        }
        self.bytes += bytes;
        self.named += entries;
        self.problems.push(Problem { path, kind: ProblemKind::Lost, message, stale: false });
    }

    /// All problems; the last one counts what is not named.
    pub(super) fn into_problems(self, source: &str) -> Vec<Problem> {
        let mut problems = self.problems;
        if self.entries > self.named {
            let message = format!("{} more entries are lost", self.entries - self.named);
            let (path, kind) = (source.into(), ProblemKind::Lost);
            problems.push(Problem { path, kind, message, stale: false });
        }
        problems
    }
}

/// Who takes the entries that can be saved, in the order of their keys.
pub(super) type Keep<'a> = dyn FnMut(Bytes, Bytes) -> Result<(), TreeError> + Send + 'a;

/// Walks through a collection.
pub(super) struct Survey<'a> {
    pub(super) objects: &'a Arc<Objects>,
    pub(super) damage: &'a Damage,
    pub(super) threads: usize,
    pub(super) ctx: &'a RunContext,
    /// The kind of the source, and the collection.
    pub(super) place: (&'a str, &'a str),
    pub(super) lost: &'a mut Lost,
    pub(super) keep: &'a mut Keep<'a>,
    pub(super) waiting: Vec<(Bytes, Bytes)>,
}

impl Survey<'_> {
    /// Looks at the whole collection.
    pub(super) fn run(&mut self, tree: &Tree) -> Result<(), Error> {
        let walked = tree.walk(self).and_then(|()| self.settle());
        match walked {
            Err(TreeError::Write { source: ObjectError::Cancelled }) => Err(Error::Cancelled),
            walked => Ok(walked?),
        }
    }

    fn path(&self, key: &[u8]) -> String {
        path_of(self.place.0, self.place.1, key)
    }

    /// Decides about the entries that wait: saved or lost.
    fn settle(&mut self) -> Result<(), TreeError> {
        let waiting = std::mem::take(&mut self.waiting);
        let verdicts: Mutex<Vec<Option<String>>> = Mutex::new(vec![None; waiting.len()]);
        let numbers: Vec<_> = (0..waiting.len()).collect();
        let looked = each(self.threads, &numbers, &self.ctx.cancel, |number| {
            let (key, value) = &waiting[*number];
            let verdict = match decode(key, value) {
                Ok(entry) => missing_part(self.objects, self.damage, &entry)?,
                Err(_) => Some("what is known of it is damaged".into()),
            };
            verdicts.lock().unwrap_or_else(PoisonError::into_inner)[*number] = verdict;
            Ok(())
        });
        match looked {
            Ok(()) => {}
            Err(Error::Cancelled) => {
                return Err(TreeError::Write { source: ObjectError::Cancelled });
            }
            Err(error) => return Err(TreeError::Edits { source: error.into() }),
        }
        let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((key, value), verdict) in waiting.into_iter().zip(verdicts) {
            match verdict {
                None => (self.keep)(key, value)?,
                Some(why) => self.lost.add(1, self.path(&key), why),
            }
        }
        Ok(())
    }
}

/// Says what of a content is nowhere to be read.
fn missing_part(
    objects: &Arc<Objects>,
    damage: &Damage,
    entry: &Entry,
) -> Result<Option<String>, Error> {
    if matches!(entry.content, Content::None | Content::Inline(_)) {
        return Ok(None);
    }
    let reader: Arc<dyn ReadObject> = objects.clone();
    let mut lost_bytes = 0;
    for part in parts(reader, &entry.content) {
        match part {
            Ok(Part::Hole { .. }) => {}
            Ok(Part::Data { id, length }) => {
                if !is_there(objects, damage, &id)? {
                    lost_bytes += length;
                }
            }
            Err(error) if is_damage(objects, damage, &error) => {
                return Ok(Some(format!("the list of its content is lost: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((lost_bytes > 0).then(|| {
        format!("its content is lost: {lost_bytes} of {} bytes cannot be read", entry.size)
    }))
}

/// True if the object is at a place whose frame was read and is whole, or can be read after all.
fn is_there(objects: &Objects, damage: &Damage, id: &ObjectId) -> Result<bool, Error> {
    if objects.find(id, damage).is_ok_and(|found| found) {
        return Ok(true);
    }
    match objects.read(Class::Data, id) {
        Ok(_) => Ok(true),
        Err(error) if is_lost(objects, damage, id, &error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Walker for Survey<'_> {
    fn visit(&mut self, visit: NodeVisit<'_>) -> Result<Descend, TreeError> {
        if self.ctx.cancel.is_cancelled() {
            return Err(TreeError::Write { source: ObjectError::Cancelled });
        }
        if let NodeVisit::Value { key, value } = visit {
            self.waiting.push((key.clone(), value.clone()));
            if self.waiting.len() >= ENTRIES_AT_A_TIME {
                self.settle()?;
            }
        }
        Ok(Descend::Yes)
    }

    fn unreadable(&mut self, what: Unreadable<'_>) -> Result<(), TreeError> {
        if !is_damage(self.objects, self.damage, &what.error) {
            return Err(what.error);
        }
        self.settle()?;
        let Unreadable { first, end, entries, is_value, .. } = what;
        if is_value {
            let path = first.map_or_else(String::new, |key| self.path(key));
            self.lost.add(1, path, "what is known of it is lost".into());
            return Ok(());
        }
        let number =
            if entries == 1 { "1 entry is".into() } else { format!("{entries} entries are") };
        let range = match (first, end) {
            (None, _) => "all of it".into(),
            (Some(first), None) => format!("from `{}` on", self.path(first)),
            (Some(first), Some(end)) => {
                format!("between `{}` and `{}`", self.path(first), self.path(end))
            }
        };
        let path = first.map_or_else(|| self.path(b""), |key| self.path(key));
        self.lost.add(entries, path, format!("{range}: {number} lost"));
        Ok(())
    }
}
