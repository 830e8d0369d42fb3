//! What goes, what is stored again, what stays.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::PruneOptions;
use super::locks::Locks;
use super::marks::{Marks, PackMarks};
use crate::clock::rfc3339;
use crate::error::Error;
use crate::format::name::{ObjectName, SessionName};
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
    /// Packs that would go, or be stored again, and are locked: they stay.
    pub locked_packs: u64,
    /// Their bytes.
    pub locked_bytes: u64,
    /// When the first of them may go: RFC 3339, UTC.
    pub locked_until: Option<String>,
}

impl PrunePlan {
    fn leave_locked(&mut self, bytes: u64, until: Duration) {
        self.locked_packs += 1;
        self.locked_bytes += bytes;
        // Texts of one form are in the order of their times.
        let until = rfc3339(until);
        let earlier = self.locked_until.take().filter(|known| *known < until);
        self.locked_until = Some(earlier.unwrap_or(until));
    }
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

impl Mixed<'_> {
    fn name(&self) -> ObjectName {
        ObjectName::Pack { id: self.id, kind: self.pack.info.kind }
    }
}

/// A pack of which something is dead, and the end of a lock that keeps it.
type Found<'a> = (Mixed<'a>, Option<Duration>);

pub(super) fn make(
    marks: &Marks,
    open: &BTreeSet<SessionName>,
    options: &PruneOptions,
    objects: &Objects,
    locks: &Locks<'_>,
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
    let look = |it: &Mixed<'_>| -> Result<(bool, Option<Duration>), Error> {
        let locked =
            if it.pack.is_dead() { locks.of_dead(it.name()) } else { locks.of_mixed(it.name()) };
        Ok((is_open(it)?, locked?))
    };
    for (found, it) in map(CONNECTIONS, &wasteful, look).into_iter().zip(wasteful) {
        let (is_open, locked) = found?;
        if is_open {
            plan.open_packs += 1;
        } else if let (true, Some(until)) = (it.pack.is_dead(), locked) {
            plan.leave_locked(it.pack.info.length, until);
        } else if it.pack.is_dead() {
            plan.dead_packs += 1;
            plan.dead_bytes += it.pack.info.length;
            doomed.dead.push(it.id);
        } else {
            mixed.push((it, locked));
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
    mut mixed: Vec<Found<'_>>,
    allowed: u64,
    max_repack: u64,
    plan: &mut PrunePlan,
    doomed: &mut Doomed,
) {
    let waste = |it: &Mixed<'_>| it.dead as f64 / (it.live + 1) as f64;
    mixed.sort_by(|(a, _), (b, _)| waste(b).total_cmp(&waste(a)).then(a.id.cmp(&b.id)));
    plan.waste_bytes = mixed.iter().map(|(it, _)| it.dead).sum();
    // What a lock keeps goes later: nothing else is stored again in its place.
    let mut later = 0;
    for (it, locked) in mixed {
        if plan.waste_bytes - later <= allowed {
            break;
        }
        if plan.moved_bytes + it.live > max_repack {
            continue;
        }
        if let Some(until) = locked {
            plan.leave_locked(it.pack.info.length, until);
            later += it.dead;
            continue;
        }
        plan.waste_bytes -= it.dead;
        plan.moved_bytes += it.live;
        plan.repacked_packs += 1;
        plan.repacked_bytes += it.pack.info.length;
        doomed.repacked.push(it.id);
    }
}
