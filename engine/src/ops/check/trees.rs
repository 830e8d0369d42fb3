//! Trees: every node is read, and everything that entries refer to must be somewhere that can be relied upon.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{CheckReport, Damage, Look};
use crate::entry::{Content, Part};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::{ObjectId, ShortId};
use crate::object::{ObjectError, ReadObject};
use crate::ops::base::{SnapshotTrees, decode, display_key};
use crate::ops::threads::each;
use crate::problem::ErrorKind;
use crate::repo::{Objects, RepoError, Snapshot};
use crate::tree::{Descend, ListVisit, NodeVisit, TreeError, Unreadable, Walker, list_nodes};

/// So many objects are looked up together.
const LOOKED_UP_AT_A_TIME: usize = 4096;

/// An object, and the path that needs it.
type Wanted = (ObjectId, Arc<str>);

struct Walk<'a> {
    look: &'a Look<'a>,
    report: &'a mut CheckReport,
    damage: &'a mut Damage,
    /// Nodes, lists and contents that were found whole: what is below them need not be looked at again.
    whole: HashSet<ShortId>,
    /// Nodes and values of the tree that is being walked.
    visited: Vec<ShortId>,
    /// Lists whose parts are still to be looked up.
    lists: Vec<ShortId>,
    wanted: Vec<Wanted>,
    snapshot: String,
    /// Where nodes of the tree are, for people.
    place: Arc<str>,
}

pub(super) fn check(
    look: &Look<'_>,
    report: &mut CheckReport,
    damage: &mut Damage,
) -> Result<(), Error> {
    let mut walk = Walk {
        look,
        report,
        damage,
        whole: HashSet::new(),
        visited: Vec::new(),
        lists: Vec::new(),
        wanted: Vec::new(),
        snapshot: String::new(),
        place: "".into(),
    };
    // The newest first: it is the one that most people need.
    for snapshot in look.history.snapshots.iter().rev().filter(|snapshot| !snapshot.forgotten) {
        walk.snapshot(snapshot)?;
    }
    Ok(())
}

impl Walk<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.report.snapshots += 1;
        self.snapshot = snapshot.id.short();
        let reader: Arc<dyn ReadObject> = self.look.objects.clone();
        let trees = SnapshotTrees::new(Arc::clone(&reader), &snapshot.commit);
        for name in trees.names() {
            let hits_before = self.damage.hit_count();
            self.visited.clear();
            self.place = format!("collection {name}").into();
            match trees.tree(name).walk(self) {
                Err(TreeError::Write { source: ObjectError::Cancelled }) => {
                    return Err(Error::Cancelled);
                }
                walked => walked?,
            }
            self.look_up()?;
            // Only a tree without damage is remembered: each snapshot that a damage hits is to be named.
            if self.damage.hit_count() == hits_before {
                self.whole.extend(self.visited.drain(..));
            }
        }
        Ok(())
    }

    fn broken_node(&mut self, error: &TreeError, path: &str) {
        let (TreeError::Corrupt { id, .. } | TreeError::Read { id, .. }) = error else {
            return;
        };
        self.lost(id, path, &super::chain(error));
    }

    /// Counts an object; it is looked up with others.
    fn want(&mut self, id: ObjectId, path: &Arc<str>) {
        self.report.objects += 1;
        self.wanted.push((id, Arc::clone(path)));
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), TreeError> {
        let path: Arc<str> = display_key(key).into();
        let entry = match decode(key, value) {
            Ok(entry) => entry,
            Err(error) => {
                let what = super::chain(&error);
                self.damage.note(&format!("entry `{path}`"), "damaged", &what);
                return Ok(());
            }
        };
        match &entry.content {
            Content::None | Content::Inline(_) => {}
            Content::Parts(parts) => {
                for part in parts {
                    self.part(part, &path);
                }
            }
            Content::List { top, .. } => self.list(top, &path)?,
        }
        Ok(())
    }

    fn part(&mut self, part: &Part, path: &Arc<str>) {
        if let Part::Data { id, .. } = part {
            self.want(*id, path);
        }
    }

    fn list(&mut self, top: &ObjectId, path: &Arc<str>) -> Result<(), TreeError> {
        if self.whole.contains(&top.to_short()) {
            return Ok(());
        }
        let reader: Arc<dyn ReadObject> = self.look.objects.clone();
        let walked = list_nodes(&*reader, *top, &mut |visit| {
            match visit {
                ListVisit::Node(id) => self.want(id, path),
                ListVisit::Part(part) => self.part(&part, path),
            }
            Ok(Descend::Yes)
        });
        match walked {
            Ok(()) => self.lists.push(top.to_short()),
            Err(error) if is_damage(self.look.objects, self.damage, &error) => {
                self.broken_node(&error, path);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks for places of the wanted objects that can be relied upon, by several threads.
    fn look_up(&mut self) -> Result<(), Error> {
        let hits_before = self.damage.hit_count();
        // What lies together is found together.
        self.wanted.sort_unstable_by_key(|(id, _)| *id);
        let wanted = std::mem::take(&mut self.wanted);
        let failed: Mutex<Vec<(Wanted, Option<String>)>> = Mutex::default();
        let (objects, damage) = (self.look.objects, &*self.damage);
        let parts: Vec<_> = wanted.chunks(PART).collect();
        each(self.look.options.threads(), &parts, &self.look.ctx.cancel, |part| {
            for (id, path) in *part {
                let why = match objects.find(id, damage) {
                    Ok(true) => continue,
                    Ok(false) => None,
                    Err(RepoError::Store(error)) if error.kind() != ErrorKind::NotFound => {
                        return Err(error.into());
                    }
                    Err(error) => Some(super::chain(&error)),
                };
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(((*id, Arc::clone(path)), why));
            }
            Ok(())
        })?;
        for ((id, path), why) in failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.lost(&id, &path, why.as_deref().unwrap_or("an object that it needs is lost"));
        }
        if self.damage.hit_count() == hits_before {
            self.whole.extend(self.lists.drain(..));
        }
        self.lists.clear();
        Ok(())
    }

    /// Puts the blame on the damaged packs that had the object, or on the object itself.
    fn lost(&mut self, id: &ObjectId, path: &str, what: &str) {
        let places = self.look.objects.places(id).unwrap_or_default();
        let snapshot = self.snapshot.clone();
        for place in &places {
            let name = ObjectName::Pack { id: place.pack.id, kind: place.pack.kind }.to_string();
            if !self.damage.is_noted(&name) {
                self.damage.note(&name, "damaged", what);
            }
            self.damage.hit(&name, &snapshot, path);
        }
        if places.is_empty() && !self.damage.unknown.is_empty() {
            // One of these held it.
            for (name, what) in self.damage.unknown.clone() {
                self.damage.note(&name, "missing", what);
                self.damage.hit(&name, &snapshot, path);
            }
        } else if places.is_empty() {
            let name = format!("object {id}");
            self.damage.note(&name, "lost", what);
            self.damage.hit(&name, &snapshot, path);
        }
    }
}

/// Objects that one thread looks up before it takes the next ones.
const PART: usize = 64;

impl Walker for Walk<'_> {
    fn visit(&mut self, visit: NodeVisit<'_>) -> Result<Descend, TreeError> {
        if self.look.ctx.cancel.is_cancelled() {
            return Err(TreeError::Write { source: ObjectError::Cancelled });
        }
        if self.wanted.len() >= LOOKED_UP_AT_A_TIME {
            self.look_up().map_err(|error| match error {
                Error::Cancelled => TreeError::Write { source: ObjectError::Cancelled },
                error => TreeError::Edits { source: error.into() },
            })?;
        }
        match visit {
            NodeVisit::Node { id, .. } | NodeVisit::Spilled { id, .. } => {
                if self.whole.contains(&id.to_short()) {
                    return Ok(Descend::No);
                }
                self.visited.push(id.to_short());
                // It is read, and so verified, by the walk itself.
                let place = Arc::clone(&self.place);
                self.want(id, &place);
            }
            NodeVisit::Value { key, value } => self.entry(key, value)?,
        }
        Ok(Descend::Yes)
    }

    fn unreadable(&mut self, what: Unreadable<'_>) -> Result<(), TreeError> {
        if !is_damage(self.look.objects, self.damage, &what.error) {
            return Err(what.error);
        }
        let place = Arc::clone(&self.place);
        self.broken_node(&what.error, &place);
        Ok(())
    }
}

/// True for trouble with a node, or an object of a value, that is lost: a store that does not answer is no damage.
pub(in crate::ops) fn is_damage(objects: &Objects, damage: &Damage, error: &TreeError) -> bool {
    match error {
        TreeError::Corrupt { .. } => true,
        TreeError::Read { id, source } => is_lost(objects, damage, id, source),
        _ => false,
    }
}

/// True if an object that could not be read is nowhere.
pub(in crate::ops) fn is_lost(
    objects: &Objects,
    damage: &Damage,
    id: &ObjectId,
    error: &ObjectError,
) -> bool {
    let source = match error {
        ObjectError::Missing { .. } => return true,
        ObjectError::Damaged { source, .. } => source,
        _ => return false,
    };
    let kind = source.downcast_ref().map(RepoError::kind);
    // A range beyond the end of a truncated pack is refused by each store in words of its own: it is known to be damaged then.
    let is_known = || objects.places(id).is_ok_and(|it| it.iter().all(|it| !damage.trusts(it)));
    matches!(kind, Some(ErrorKind::Corrupt | ErrorKind::NotFound)) || is_known()
}

impl Objects {
    /// True if a place of the object that nothing is known against lists it in its pack's footer.
    pub(in crate::ops) fn find(&self, id: &ObjectId, damage: &Damage) -> Result<bool, RepoError> {
        for place in self.places(id)? {
            if damage.trusts(&place) && self.is_listed(&place, id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
