//! What is damaged, what it hits, and how that is told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Finding;
use crate::id::PackId;
use crate::index::Place;

/// So many paths are named in a finding.
const NAMED_PATHS: usize = 5;

/// What a damaged object of the repository hits.
#[derive(Debug, Default)]
struct Hits {
    kind: String,
    what: String,
    paths: BTreeSet<String>,
    path_count: u64,
    snapshots: BTreeSet<String>,
}

/// Packs, and frames of packs, that cannot be relied upon.
#[derive(Debug, Default)]
pub(in crate::ops) struct Damage {
    pub(super) packs: HashSet<PackId>,
    pub(super) frames: HashSet<(PackId, u32)>,
    /// Names of damaged packs of which only the packs themselves said what they held.
    pub(super) unknown: BTreeMap<String, &'static str>,
    hits: BTreeMap<String, Hits>,
    hit_count: u64,
}

impl Damage {
    /// True for a place that nothing is known against.
    pub(in crate::ops) fn trusts(&self, place: &Place) -> bool {
        !self.packs.contains(&place.pack.id) && !self.frames.contains(&(place.pack.id, place.frame))
    }

    /// All packs of which anything is damaged.
    pub(in crate::ops) fn all_packs(&self) -> BTreeSet<PackId> {
        self.packs.iter().copied().chain(self.frames.iter().map(|(pack, _)| *pack)).collect()
    }

    /// True where nothing is damaged.
    pub(super) fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// How often anything was hit so far.
    pub(super) fn hit_count(&self) -> u64 {
        self.hit_count
    }

    /// True if the object was noted.
    pub(super) fn is_noted(&self, object: &str) -> bool {
        self.hits.contains_key(object)
    }

    /// Notes a damaged object of the repository.
    pub(super) fn note(&mut self, object: &str, kind: &str, what: &str) {
        let hits = self.hits.entry(object.into()).or_default();
        if hits.kind.is_empty() {
            kind.clone_into(&mut hits.kind);
            what.clone_into(&mut hits.what);
        }
    }

    /// Notes that a path needs what is damaged.
    pub(super) fn hit(&mut self, object: &str, snapshot: &str, path: &str) {
        self.hit_count += 1;
        let hits = self.hits.entry(object.into()).or_default();
        hits.snapshots.insert(snapshot.into());
        if hits.paths.contains(path) {
            return;
        }
        hits.path_count += 1;
        if hits.paths.len() < NAMED_PATHS {
            hits.paths.insert(path.into());
        }
    }

    /// Tells it all.
    pub(super) fn findings(self) -> impl Iterator<Item = Finding> {
        self.hits.into_iter().map(|(object, hits)| {
            let effect = if hits.path_count == 0 {
                format!("{}; no snapshot was seen to need it", hits.what)
            } else {
                let named: Vec<_> = hits.paths.iter().map(|path| format!("`{path}`")).collect();
                let more = hits.path_count - named.len() as u64;
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let snapshots: Vec<_> = hits.snapshots.into_iter().collect();
                let (paths, snapshots) = (named.join(", "), snapshots.join(", "));
                format!("{}; hits {paths}{more} in snapshot {snapshots}", hits.what)
            };
            let hint = "`esker backup --full SOURCE` stores anew what the source still has".into();
            let kind = if hits.kind.is_empty() { "lost".into() } else { hits.kind };
            Finding { object, kind, effect, hint }
        })
    }
}
