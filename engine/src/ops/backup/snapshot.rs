//! From edits to trees, and from trees to what a commit says.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::edits::EditBuffer;
use super::run::{Progress, Run, root_of};
use super::workers::locked;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::format::commit::{
    Collection, Commit, SnapshotStatus, SourceIdentity, Statistics, StoredLedger,
};
use crate::id::hex_encode;
use crate::repo::{Flushed, FrameFiller, ObjectWriter, Objects, Repository, Session};
use crate::source::{Completeness, CompletenessState, ScanEnd};
use crate::tree::{Edit, Root, Tree, TreeError, diff, edit};

/// Applies edits to the trees of the collections.
pub(in crate::ops) fn apply(
    repository: &Repository,
    objects: &Objects,
    writer: &Arc<ObjectWriter>,
    roots: &mut [Option<Root>],
    edits: EditBuffer,
) -> Result<(), Error> {
    if edits.is_empty() {
        return Ok(());
    }
    let params = repository.tree_params();
    let mut filler = FrameFiller::new(Arc::clone(writer), None)?;
    let mut sorted = edits.into_sorted()?;
    while let Some(collection) = sorted.collection() {
        let mut of_collection = std::iter::from_fn(|| {
            let next = sorted.next_of(collection).transpose()?;
            Some(match next {
                Ok(next) => Ok(Edit { key: next.key, value: next.value }),
                Err(error) => Err(TreeError::Edits { source: error.into() }),
            })
        });
        let root = &mut roots[collection as usize];
        *root = edit(&params, objects, *root, &mut of_collection, &mut filler)?;
    }
    filler.flush()?;
    Ok(())
}

impl Run<'_> {
    pub(super) fn apply(&self, progress: &mut Progress, edits: EditBuffer) -> Result<(), Error> {
        apply(self.repository, &self.objects, &self.writer, &mut progress.roots, edits)
    }

    /// Collections of a checkpoint: verdicts are still the parent's, and cursors too where it has any.
    pub(super) fn carried_collections(&self, progress: &Progress) -> Vec<Collection> {
        let mut collections = self.parent_collections();
        let resume = locked(&self.resume);
        for (name, root) in self.info.collections.iter().zip(&progress.roots) {
            let root = root.map(Into::into);
            match collections.iter_mut().find(|known| known.name == *name) {
                Some(known) => known.root = root,
                None => collections.push(Collection {
                    name: name.clone(),
                    root,
                    cursor: None,
                    completeness: Completeness {
                        state: CompletenessState::Partial,
                        expected: None,
                        found: root
                            .map_or(0, |root: crate::format::commit::StoredRoot| root.entries),
                        detail: "the backup has not ended yet".into(),
                        parts: Vec::new(),
                    },
                }),
            }
        }
        for collection in collections.iter_mut().filter(|it| it.cursor.is_none()) {
            collection.cursor = resume.of(&collection.name).as_deref().map(hex_encode);
        }
        collections
    }

    pub(super) fn parent_collections(&self) -> Vec<Collection> {
        self.parent.as_ref().map_or_else(Vec::new, |parent| parent.commit.collections.clone())
    }

    pub(super) fn commit_body(
        &self,
        progress: &Progress,
        session: &Session,
        flushed: Flushed,
        collections: Vec<Collection>,
        checkpoint: bool,
    ) -> Commit {
        let (program, host) = Repository::program_and_host();
        let now = self.ctx.clock.now();
        Commit {
            version: crate::repo::BODY_VERSION,
            checkpoint,
            source: SourceIdentity {
                kind: self.info.kind.clone(),
                identity: self.info.identity.clone(),
                name: self.info.name.clone(),
            },
            started: self.started.clone(),
            time: rfc3339(self.options.time.unwrap_or(now)),
            writer: session.name.writer,
            sequence: progress.lineage.sequence + 1,
            previous: progress.lineage.previous,
            heads: progress.lineage.heads.clone(),
            parent: self.parent.as_ref().map(|parent| parent.slot),
            repairs: None,
            collections,
            packs: flushed.packs,
            segments: flushed.segments,
            statistics: Statistics::default(),
            problems: Vec::new(),
            ledger: StoredLedger::default(),
            tags: self.options.tags.clone(),
            // A checkpoint is nobody's snapshot.
            immutable_until: self.options.immutable_until.filter(|_| !checkpoint).map(rfc3339),
            status: SnapshotStatus::Complete,
            program,
            host,
            copied: None,
        }
    }

    /// Counts what differs from the parent; exact, since it compares the trees.
    pub(super) fn differences(&self, roots: &[Option<Root>]) -> Result<Statistics, Error> {
        let mut statistics = Statistics::default();
        for (name, root) in self.info.collections.iter().zip(roots) {
            let before = root_of(self.parent.as_ref(), name);
            let entries = root.map_or(0, |root| root.entries);
            let Some(before) = before else {
                statistics.new += entries;
                continue;
            };
            let old = Tree::new(self.objects.clone(), Some(before));
            let new = Tree::new(self.objects.clone(), *root);
            let (mut added, mut changed) = (0, 0);
            for difference in diff(&old, &new) {
                let difference = difference?;
                match (difference.old, difference.new) {
                    (None, _) => added += 1,
                    (Some(_), None) => statistics.deleted += 1,
                    (Some(_), Some(_)) => changed += 1,
                }
            }
            statistics.new += added;
            statistics.changed += changed;
            statistics.unchanged += entries - added - changed;
        }
        Ok(statistics)
    }

    /// What the edits would change, for a dry run, which builds no trees.
    pub(super) fn foreseen(&self, edits: EditBuffer) -> Result<Statistics, Error> {
        let names = self.info.collections.iter();
        let roots = names.filter_map(|name| root_of(self.parent.as_ref(), name));
        let mut statistics =
            Statistics { unchanged: roots.map(|root| root.entries).sum(), ..Statistics::default() };
        let mut sorted = edits.into_sorted()?;
        while let Some(collection) = sorted.collection() {
            let root = root_of(self.parent.as_ref(), &self.info.collections[collection as usize]);
            let tree = Tree::new(self.objects.clone(), root);
            let (mut changed, mut deleted) = (0, 0);
            while let Some(edit) = sorted.next_of(collection)? {
                match (tree.get(&edit.key)?, edit.value) {
                    (None, Some(_)) => statistics.new += 1,
                    (Some(old), Some(new)) if old != new => changed += 1,
                    (Some(_), None) => deleted += 1,
                    _ => {}
                }
            }
            statistics.changed += changed;
            statistics.deleted += deleted;
            statistics.unchanged -= changed + deleted;
        }
        Ok(statistics)
    }

    /// What the scan said of its collections. Where an object was lost in reading, the parent's cursor stays: the next scan
    /// then comes by that object again.
    pub(super) fn final_collections(
        &self,
        progress: &Progress,
        end: &ScanEnd,
        lost: &BTreeSet<String>,
    ) -> Vec<Collection> {
        let mut collections = self.carried_collections(progress);
        for ended in &end.collections {
            if let Some(known) = collections.iter_mut().find(|known| known.name == ended.name) {
                known.completeness = ended.completeness.clone();
                if lost.contains(&ended.name) {
                    continue;
                }
                known.cursor = ended.cursor.as_deref().map(hex_encode);
            }
        }
        collections
    }
}
