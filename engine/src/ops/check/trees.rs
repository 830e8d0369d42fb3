//! Trees: every node is read, and everything that entries refer to must be somewhere that can be relied upon.

use std::collections::HashSet;
use std::sync::Arc;

use super::{CheckReport, Damage};
use crate::context::RunContext;
use crate::entry::{Content, Part};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::{ObjectId, ShortId};
use crate::object::ReadObject;
use crate::ops::base::{SnapshotTrees, decode, display_key};
use crate::repo::{History, Objects, RepoError, Snapshot};
use crate::tree::{Descend, NodeVisit, TreeError, list_nodes};

struct Walk<'a> {
    objects: &'a Arc<Objects>,
    report: &'a mut CheckReport,
    damage: &'a mut Damage,
    /// Nodes, lists and contents that were found whole: what is below them need not be looked at again.
    whole: HashSet<ShortId>,
    snapshot: String,
}

pub(super) fn check(
    objects: &Arc<Objects>,
    history: &History,
    report: &mut CheckReport,
    damage: &mut Damage,
    ctx: &RunContext,
) -> Result<(), Error> {
    let mut walk = Walk { objects, report, damage, whole: HashSet::new(), snapshot: String::new() };
    // The newest first: it is the one that most people need.
    for snapshot in history.snapshots.iter().rev().filter(|snapshot| !snapshot.forgotten) {
        walk.snapshot(snapshot, ctx)?;
    }
    Ok(())
}

impl Walk<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot, ctx: &RunContext) -> Result<(), Error> {
        self.report.snapshots += 1;
        self.snapshot = snapshot.id.short();
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        let trees = SnapshotTrees::new(Arc::clone(&reader), &snapshot.commit);
        let names: Vec<String> = trees.names().map(str::to_owned).collect();
        for name in names {
            let tree = trees.tree(&name);
            let damaged_before = self.damage.hits.len();
            let mut failed = Vec::new();
            let mut visited = Vec::new();
            let where_ = format!("collection {name}");
            let walked = {
                let this = &mut *self;
                let visited = &mut visited;
                tree.nodes_despite_damage(
                    &mut |visit| {
                        if ctx.cancel.is_cancelled() {
                            let source = crate::object::ObjectError::Cancelled;
                            return Err(TreeError::Write { source });
                        }
                        Ok(match visit {
                            NodeVisit::Node { id, .. } | NodeVisit::Spilled { id, .. } => {
                                visited.push(id.to_short());
                                this.meta_object(&id, &where_)
                            }
                            NodeVisit::Value { key, value } => {
                                this.entry(key, value);
                                Descend::Yes
                            }
                        })
                    },
                    &mut |error| {
                        failed.push(error);
                        Ok(())
                    },
                )
            };
            match walked {
                Err(TreeError::Write { source: crate::object::ObjectError::Cancelled }) => {
                    return Err(Error::Cancelled);
                }
                walked => walked?,
            }
            for error in &failed {
                self.broken_node(error, &where_);
            }
            // Only a tree without damage is remembered: each snapshot that a damage hits is to be named.
            if failed.is_empty() && self.damage.hits.len() == damaged_before {
                self.whole.extend(visited);
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

    /// Counts an object of class meta; it is read, and so verified, by the walk itself.
    fn meta_object(&mut self, id: &ObjectId, path: &str) -> Descend {
        if self.whole.contains(&id.to_short()) {
            return Descend::No;
        }
        self.report.objects += 1;
        self.find(id, path);
        Descend::Yes
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        let path = display_key(key);
        let entry = match decode(key, value) {
            Ok(entry) => entry,
            Err(error) => {
                let what = super::chain(&error);
                self.damage.note(&format!("entry `{path}`"), "damaged", &what);
                return;
            }
        };
        match &entry.content {
            Content::None | Content::Inline(_) => {}
            Content::Parts(parts) => {
                for part in parts {
                    self.part(part, &path);
                }
            }
            Content::List { top, .. } => self.list(top, &path),
        }
    }

    fn part(&mut self, part: &Part, path: &str) {
        if let Part::Data { id, .. } = part {
            self.report.objects += 1;
            self.find(id, path);
        }
    }

    fn list(&mut self, top: &ObjectId, path: &str) {
        if self.whole.contains(&top.to_short()) {
            return;
        }
        let before = self.damage.hits.len();
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        let walked = list_nodes(&*reader, *top, &mut |visit| {
            match visit {
                crate::tree::ListVisit::Node(id) => {
                    self.report.objects += 1;
                    self.find(&id, path);
                }
                crate::tree::ListVisit::Part(part) => self.part(&part, path),
            }
            Ok(Descend::Yes)
        });
        match walked {
            Ok(()) if self.damage.hits.len() == before => {
                self.whole.insert(top.to_short());
            }
            Ok(()) => {}
            Err(error) => self.broken_node(&error, path),
        }
    }

    /// Looks for a place of the object that can be relied upon.
    fn find(&mut self, id: &ObjectId, path: &str) {
        let damage = &*self.damage;
        let found = self.objects.find(id, &|place| {
            let frame = (place.pack.id, place.frame);
            !damage.packs.contains(&place.pack.id) && !damage.frames.contains(&frame)
        });
        match found {
            Ok(true) => {}
            Ok(false) => self.lost(id, path, "an object that it needs is lost"),
            Err(error) => self.lost(id, path, &super::chain(&error)),
        }
    }

    /// Puts the blame on the damaged packs that had the object, or on the object itself.
    fn lost(&mut self, id: &ObjectId, path: &str, what: &str) {
        let places = self.objects.places(id).unwrap_or_default();
        let snapshot = self.snapshot.clone();
        for place in &places {
            let name = ObjectName::Pack { id: place.pack.id, kind: place.pack.kind }.to_string();
            if !self.damage.hits.contains_key(&name) {
                self.damage.note(&name, "damaged", what);
            }
            self.damage.hit(&name, &snapshot, path);
        }
        if places.is_empty() && !self.damage.unknown.is_empty() {
            // One of these held it.
            for name in self.damage.unknown.clone() {
                self.damage.hit(&name, &snapshot, path);
            }
        } else if places.is_empty() {
            let name = format!("object {id}");
            self.damage.note(&name, "lost", what);
            self.damage.hit(&name, &snapshot, path);
        }
    }
}

impl Objects {
    /// True if a place of the object that `trusted` accepts lists it in its pack's footer.
    fn find(
        &self,
        id: &ObjectId,
        trusted: &dyn Fn(&crate::index::Place) -> bool,
    ) -> Result<bool, RepoError> {
        for place in self.places(id)? {
            if trusted(&place) && self.is_listed(&place, id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
