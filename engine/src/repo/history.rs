//! What commits and marks say: which snapshots there are.

use std::collections::BTreeMap;

use super::bundles::Bundles;
use super::loading::is_gone;
use super::{Decisions, RepoError, Repository};
use crate::format::commit::{self, Commit, CommitRef, Mark, MarkAction, Slot};
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::{self, MAX_SEALED_BYTES, SealedKind};
use crate::id::{SnapshotId, Ulid, WriterId};
use crate::store::StoreError;

/// A commit and what was said about it later.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its slot.
    pub slot: SessionName,
    /// What it says.
    pub commit: Commit,
    /// True once it was forgotten; its data are there until they are swept.
    pub forgotten: bool,
    /// Why it must not be forgotten; empty where it may.
    pub holds: Vec<String>,
    /// Tags of the commit and of later marks, sorted.
    pub tags: Vec<String>,
}

impl Snapshot {
    /// The name by which other commits know it.
    pub fn reference(&self) -> CommitRef {
        CommitRef { slot: self.slot, hash: self.id }
    }

    /// Its place in the course of its source. One that repairs an older one stands where that stood, and not at the end.
    fn place(&self) -> (Ulid, Ulid) {
        let own = self.slot.ulid;
        let original = self.commit.parent.filter(|_| self.commit.repairs.is_some());
        (original.map_or(own, |original| original.ulid), own)
    }

    fn apply(&mut self, mark: Mark) {
        let tag = mark.tag.unwrap_or_default();
        match mark.action {
            MarkAction::Forget => self.forgotten = true,
            MarkAction::Undelete => self.forgotten = false,
            MarkAction::Hold => self.holds.push(tag),
            MarkAction::Release => self.holds.clear(),
            MarkAction::Tag => {
                if let Err(place) = self.tags.binary_search(&tag) {
                    self.tags.insert(place, tag);
                }
            }
            MarkAction::Untag => self.tags.retain(|known| *known != tag),
        }
    }
}

/// An object that cannot be used, and why.
#[derive(Debug)]
pub struct DamagedObject {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub error: RepoError,
}

/// All commits and marks of a repository, as far as they can be read.
#[derive(Debug, Default)]
pub struct History {
    /// Commits, checkpoints and forgotten ones included, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Slots that were fenced.
    pub fences: Vec<SessionName>,
    /// Marks that were read: name, and the one before as far as its author knew.
    pub marks: Vec<(Ulid, Option<String>)>,
    /// Objects of these rooms that cannot be used.
    pub damaged: Vec<DamagedObject>,
    /// Commits that are there still although a sweep has dropped them: they do not count.
    pub dropped: Vec<SessionName>,
    /// What collectors had decided before the rest was read.
    pub decisions: Decisions,
    /// How many objects were read one by one.
    pub loose: usize,
    /// Objects that were listed, and gone when they were to be read: a collector is at work.
    gone: Vec<DamagedObject>,
}

/// So often the history is read anew while a collector is at work.
const ATTEMPTS: u32 = 4;

impl History {
    /// What a person calls snapshots: neither checkpoints nor forgotten ones.
    pub fn visible(&self) -> impl DoubleEndedIterator<Item = &Snapshot> {
        self.snapshots.iter().filter(|snapshot| !snapshot.forgotten && !snapshot.commit.checkpoint)
    }

    /// The newest commit of each writer.
    pub fn heads(&self) -> BTreeMap<WriterId, &Snapshot> {
        self.snapshots.iter().map(|snapshot| (snapshot.slot.writer, snapshot)).collect()
    }

    /// The newest mark.
    pub fn newest_mark(&self) -> Option<String> {
        self.marks.last().map(|(ulid, _)| ObjectName::Mark(*ulid).to_string())
    }

    /// What a source's next backup goes on from: its newest commit that is neither forgotten nor about to be swept, checkpoints
    /// included.
    pub fn parent(&self, kind: &str, identity: &str) -> Option<&Snapshot> {
        let of_source = self.snapshots.iter().filter(|snapshot| {
            let source = &snapshot.commit.source;
            let fits = source.kind == kind && source.identity == identity;
            fits && !snapshot.forgotten && !self.decisions.drops(&snapshot.slot)
        });
        of_source.max_by_key(|snapshot| snapshot.place())
    }

    /// The visible snapshot whose id begins with `prefix`, of at least four hex digits.
    ///
    /// # Errors
    /// `NoSuchSnapshot`, saying what is wrong.
    pub fn by_prefix(&self, prefix: &str) -> Result<&Snapshot, RepoError> {
        let none = |what: String| Err(RepoError::NoSuchSnapshot { what });
        if prefix.len() < 4 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return none(format!("`{prefix}` is no snapshot id: at least 4 hex digits are needed"));
        }
        let mut found = self.visible().filter(|snapshot| snapshot.id.to_hex().starts_with(prefix));
        match (found.next(), found.next()) {
            (Some(snapshot), None) => Ok(snapshot),
            (None, _) => none(format!("no snapshot has an id that begins with `{prefix}`")),
            (Some(_), Some(_)) => {
                none(format!("more than one snapshot has an id that begins with `{prefix}`"))
            }
        }
    }
}

impl Repository {
    fn read_room<T>(
        &self,
        room: &str,
        kind: SealedKind,
        bundles: &Bundles,
        history: &mut History,
        take: impl Fn(&mut History, ObjectName, SnapshotId, T),
    ) -> Result<(), RepoError>
    where
        T: for<'de> serde::Deserialize<'de>,
    {
        let listed = self.store().list(room)?.into_iter().map(|object| object.name);
        let (bundled, loose): (Vec<_>, Vec<_>) =
            listed.partition(|name| bundles.objects.contains_key(name));
        history.loose += loose.len();
        let copies = bundled.iter().filter_map(|it| bundles.objects.get(it)).cloned().map(Ok);
        let read = self.store().read_many(&loose, MAX_SEALED_BYTES);
        let mut objects: Vec<_> =
            bundled.iter().zip(copies).chain(loose.iter().zip(read)).collect();
        // What marks say counts in the order of their names.
        objects.sort_unstable_by_key(|(name, _)| *name);
        for (name, read) in objects {
            let opened = read.map_err(RepoError::from).and_then(|bytes| {
                let json = sealed::open(self.keys(), kind, name, &bytes)
                    .map_err(RepoError::sealed(name))?;
                let body = commit::decode(&json).map_err(RepoError::body(name))?;
                Ok((SnapshotId(*blake3::hash(&bytes).as_bytes()), body))
            });
            match (opened, name.parse()) {
                (Ok((hash, body)), Ok(parsed)) => take(history, parsed, hash, body),
                // A stranger's file is not ours to judge.
                (_, Err(_)) => {}
                (Err(error @ RepoError::Store(StoreError::Missing { .. })), _) => {
                    history.gone.push(DamagedObject { name: name.clone(), error });
                }
                (Err(error), _) => {
                    history.damaged.push(DamagedObject { name: name.clone(), error });
                }
            }
        }
        Ok(())
    }

    /// Reads all commits and marks.
    ///
    /// # Errors
    /// Only if the store cannot be listed; single objects that cannot be used are listed in `damaged`.
    pub fn history(&self) -> Result<History, RepoError> {
        self.read_history_with(|| self.bundles())
    }

    /// Reads all commits and marks from their own objects, for finding out whether they are whole; bundles that cannot be used
    /// are listed in `damaged` too.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub fn history_itself(&self) -> Result<History, RepoError> {
        let mut history = self.read_history_with(|| Ok(Bundles::default()))?;
        let mut bundles = self.bundles()?;
        bundles.damaged.retain(|it| !is_gone(&it.error));
        history.damaged.append(&mut bundles.damaged);
        Ok(history)
    }

    fn read_history_with(
        &self,
        bundles: impl Fn() -> Result<Bundles, RepoError>,
    ) -> Result<History, RepoError> {
        for _ in 1..ATTEMPTS {
            let history = self.read_history(&bundles()?)?;
            if history.gone.is_empty() {
                return Ok(history);
            }
        }
        let mut history = self.read_history(&bundles()?)?;
        history.damaged.append(&mut history.gone);
        Ok(history)
    }

    fn read_history(&self, bundles: &Bundles) -> Result<History, RepoError> {
        let mut history = History::default();
        match self.decisions() {
            Ok(decisions) => history.decisions = decisions,
            Err(RepoError::Store(error)) => return Err(error.into()),
            // Whoever reads can do without; whoever stores or collects cannot, and asks by itself.
            Err(error) => {
                history.damaged.push(DamagedObject { name: error.object().into(), error });
            }
        }
        let slots = SealedKind::Slot;
        self.read_room("commits", slots, bundles, &mut history, |history, name, id, slot| {
            let ObjectName::Slot(name) = name else { return };
            match slot {
                Slot::Fence { .. } => history.fences.push(name),
                Slot::Commit(_) if !history.decisions.counts(&name) => history.dropped.push(name),
                Slot::Commit(commit) => {
                    let mut tags = commit.tags.clone();
                    tags.sort();
                    history.snapshots.push(Snapshot {
                        id,
                        slot: name,
                        commit: *commit,
                        forgotten: false,
                        holds: Vec::new(),
                        tags,
                    });
                }
            }
        })?;
        history.snapshots.sort_by_key(|snapshot| (snapshot.slot.ulid, snapshot.slot));
        let marks = SealedKind::Mark;
        self.read_room("marks", marks, bundles, &mut history, |history, name, _, mark: Mark| {
            let ObjectName::Mark(ulid) = name else { return };
            history.marks.push((ulid, mark.previous.clone()));
            let about = mark.commit;
            if let Some(snapshot) = history.snapshots.iter_mut().find(|it| it.slot == about) {
                snapshot.apply(mark);
            }
        })?;
        Ok(history)
    }
}
