//! What goes, what is stored again, what stays.

use std::collections::{BTreeSet, HashSet};

use super::PruneOptions;
use super::marks::{Marks, PackMarks};
use crate::error::Error;
use crate::format::name::SessionName;
use crate::id::PackId;
use crate::parallel::{CONNECTIONS, map};
use crate::repo::{Objects, RepoError};

/// What a collector found, and what it is going to do. Bytes are stored bytes of packs.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PrunePlan {
    /// Packs there are.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits that stay.
    pub kept_commits: u64,
    /// Commits that are given up.
    pub dropped_commits: u64,
    /// Packs of which nothing lives.
    pub dead_packs: u64,
    /// Their bytes.
    pub dead_bytes: u64,
    /// Packs whose living objects are stored again.
    pub repacked_packs: u64,
    /// Their bytes.
    pub repacked_bytes: u64,
    /// The share of them that lives, and is stored again.
    pub moved_bytes: u64,
    /// Dead bytes that stay in packs beside living ones.
    pub waste_bytes: u64,
    /// Packs of sessions that are open: they stay.
    pub open_packs: u64,
    /// Packs whose footers cannot be read: they stay.
    pub unreadable_packs: u64,
}

/// The packs that go.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    pub(super) dead: Vec<PackId>,
    pub(super) repacked: Vec<PackId>,
}

impl Doomed {
    pub(super) fn is_empty(&self) -> bool {
        self.dead.is_empty() && self.repacked.is_empty()
    }

    pub(super) fn packs(&self) -> impl Iterator<Item = PackId> {
        self.dead.iter().chain(&self.repacked).copied()
    }
}

/// A pack in which not everything lives.
struct Mixed<'a> {
    id: PackId,
    pack: &'a PackMarks,
    live: u64,
    dead: u64,
}

pub(super) fn make(
    marks: &Marks,
    open: &BTreeSet<SessionName>,
    options: &PruneOptions,
    objects: &Objects,
) -> Result<(PrunePlan, Doomed), Error> {
    let sessions: HashSet<_> = open.iter().map(|it| (it.writer, it.ulid)).collect();
    let mut plan = PrunePlan {
        packs: (marks.packs.len() + marks.unreadable.len()) as u64,
        unreadable_packs: marks.unreadable.len() as u64,
        bytes: marks.unreadable.iter().map(|(_, _, length)| length).sum(),
        ..PrunePlan::default()
    };
    let mut doomed = Doomed::default();
    let mut mixed = Vec::new();
    let mut live_bytes = 0;
    let mut wasteful = Vec::new();
    for (&id, pack) in &marks.packs {
        plan.bytes += pack.info.length;
        let live = pack.live_bytes();
        live_bytes += live;
        let dead = pack.frame_bytes() - live;
        if pack.is_dead() || dead > 0 {
            wasteful.push(Mixed { id, pack, live, dead });
        }
    }
    // Who wrote a pack is in its footer: it is read where somebody is at work, and for what may go only.
    let is_open = |it: &Mixed<'_>| -> Result<bool, RepoError> {
        Ok(!sessions.is_empty() && sessions.contains(&objects.session_of(&it.pack.info)?))
    };
    for (is_open, it) in map(CONNECTIONS, &wasteful, is_open).into_iter().zip(wasteful) {
        if is_open? {
            plan.open_packs += 1;
        } else if it.pack.is_dead() {
            plan.dead_packs += 1;
            plan.dead_bytes += it.pack.info.length;
            doomed.dead.push(it.id);
        } else {
            mixed.push(it);
        }
    }
    let allowed = (live_bytes as f64 * options.max_waste) as u64;
    choose(mixed, allowed, options.max_repack, &mut plan, &mut doomed);
    doomed.dead.sort_unstable();
    doomed.repacked.sort_unstable();
    Ok((plan, doomed))
}

/// Packs are stored again, those with the most waste for their living bytes first, until what is left may stay.
fn choose(
    mut mixed: Vec<Mixed<'_>>,
    allowed: u64,
    max_repack: u64,
    plan: &mut PrunePlan,
    doomed: &mut Doomed,
) {
    let waste = |it: &Mixed<'_>| it.dead as f64 / (it.live + 1) as f64;
    mixed.sort_by(|a, b| waste(b).total_cmp(&waste(a)).then(a.id.cmp(&b.id)));
    plan.waste_bytes = mixed.iter().map(|it| it.dead).sum();
    for it in mixed {
        if plan.waste_bytes <= allowed {
            break;
        }
        if plan.moved_bytes + it.live > max_repack {
            continue;
        }
        plan.waste_bytes -= it.dead;
        plan.moved_bytes += it.live;
        plan.repacked_packs += 1;
        plan.repacked_bytes += it.pack.info.length;
        doomed.repacked.push(it.id);
    }
}
