//! The second half: who is at work is waited for, what is needed again is rescued, the rest is deleted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::marks::Marks;
use super::memory::Memory;
use super::{PruneOptions, PruneReport, cache_sizes, refuse_damage, stays};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit;
use crate::format::gc::{Closed, Condemned, Swept};
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::SealedKind;
use crate::id::PackId;
use crate::index::{Segment, merge};
use crate::ops::forget;
use crate::repo::{
    BODY_VERSION, CacheSizes, Decisions, Objects, RepoError, Repository, Snapshot, is_gone,
};
use crate::store::{Created, Durability};

/// Takes up what an earlier run has left: a second half, or deletions.
pub(super) fn resume(
    repository: &Arc<Repository>,
    decisions: Decisions,
    options: &PruneOptions,
    ctx: &RunContext,
    report: &mut PruneReport,
) -> Result<(), Error> {
    if let Some((epoch, condemned)) = decisions.condemned.filter(|(it, _)| *it == decisions.epoch) {
        let objects = Arc::new(Objects::load(repository, cache_sizes(options))?);
        let damaged = repository.client().remembered().damaged;
        let avoided = condemned.packs.iter().copied().chain(damaged).collect();
        let marks = Marks::new(&objects, avoided, Memory::open(repository), options.memory)?;
        return second_half(repository, epoch, &condemned, marks, options, ctx, report);
    }
    match decisions.swept {
        Some((epoch, swept)) => finish(repository, epoch, &swept, ctx, report),
        None => Ok(()),
    }
}

pub(super) fn second_half(
    repository: &Arc<Repository>,
    epoch: u32,
    condemned: &Condemned,
    mut marks: Marks,
    options: &PruneOptions,
    ctx: &RunContext,
    report: &mut PruneReport,
) -> Result<(), Error> {
    // (8)
    report.waiting_for = settle(repository, epoch, options, ctx)?;
    if !report.waiting_for.is_empty() {
        marks.remember();
        return Ok(());
    }
    // (9): `closed` before the commits and marks are read.
    let by = repository.client().writer();
    let time = rfc3339(ctx.clock.now());
    let closed = Closed { version: BODY_VERSION, by, time: time.clone() };
    repository.create_sealed(
        ObjectName::Closed(epoch),
        SealedKind::Gc,
        &commit::encode(&closed),
        Durability::Durable,
    )?;
    let history = repository.history()?;
    refuse_damage(&history)?;
    let seen = marks.objects().generation();
    marks.objects().reload(seen)?;
    let dropped: HashSet<SessionName> = condemned.dropped.iter().copied().collect();
    // What was forgotten since the list was made stays until the next one: somebody may have built upon it.
    let is_kept =
        |it: &&Snapshot| !dropped.contains(&it.slot) || stays(it, &history, forget::now(ctx));
    let kept: Vec<_> = history.snapshots.iter().filter(is_kept).collect();
    marks.mark(&kept, ctx)?;
    marks.remember();
    let needed = |id: &PackId| marks.packs.get(id).is_some_and(|pack| !pack.is_dead());
    let (rescued, packs): (Vec<_>, Vec<_>) = condemned.packs.iter().copied().partition(needed);
    report.rescued_packs += rescued.len() as u64;
    let kept = kept.iter().map(|it| it.slot).filter(|slot| slot.epoch < epoch).collect();
    let swept = Swept { version: BODY_VERSION, by, time, packs, kept };
    let name = ObjectName::Swept(epoch);
    let body = commit::encode(&swept);
    let (created, _) =
        repository.create_sealed(name, SealedKind::Gc, &body, Durability::Durable)?;
    // Whoever was first has decided.
    let swept = if created == Created::New { swept } else { repository.read_decision(name)? };
    finish(repository, epoch, &swept, ctx, report)
}

/// Sessions from before an epoch that are open still. Those that were open for too long are ended.
pub(super) fn settle(
    repository: &Repository,
    epoch: u32,
    options: &PruneOptions,
    ctx: &RunContext,
) -> Result<Vec<SessionName>, Error> {
    let now = ctx.clock.now();
    let mut open = Vec::new();
    for session in repository.open_sessions()?.into_iter().filter(|it| it.epoch < epoch) {
        let age = now.saturating_sub(session.ulid.time());
        if options.exclusive || age >= options.patience {
            repository.fence(
                session,
                "it was open for too long when garbage was collected",
                ctx,
            )?;
        } else {
            open.push(session);
        }
    }
    Ok(open)
}

/// (10) to (12): the index forgets the packs, then they go, then what nobody reads any more.
fn finish(
    repository: &Arc<Repository>,
    epoch: u32,
    swept: &Swept,
    ctx: &RunContext,
    report: &mut PruneReport,
) -> Result<(), Error> {
    let gone: BTreeSet<PackId> = swept.packs.iter().copied().collect();
    let objects = rewrite_index(repository, &gone)?;
    if ctx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let store = repository.store();
    let lengths: HashMap<PackId, (String, u64)> = objects
        .listed_packs("packs")?
        .into_iter()
        .filter(|(id, _, _)| gone.contains(id))
        .map(|(id, kind, length)| (id, (ObjectName::Pack { id, kind }.to_string(), length)))
        .collect();
    let names: Vec<_> = lengths.values().map(|(name, _)| name.clone()).collect();
    store.delete_many(&names)?;
    report.deleted_packs += names.len() as u64;
    report.deleted_bytes += lengths.values().map(|(_, length)| length).sum::<u64>();
    delete_segments(repository)?;
    store.delete_many(&repository.replaced_bundles()?)?;
    store.remove_leftovers()?;
    delete_sessions(repository, epoch, report)
}

/// Makes the index forget packs that are gone and that nobody needs. A writer that merged segments while a collector did lists
/// again what went, and later collectors have only what they swept themselves in mind.
pub(super) fn forget_gone(repository: &Repository, gone: &BTreeSet<PackId>) -> Result<(), Error> {
    if gone.is_empty() {
        return Ok(());
    }
    rewrite_index(repository, gone)?;
    delete_segments(repository)
}

/// So often the index is read again because another collector was at it.
const ATTEMPTS: u32 = 4;

/// Stores one segment in the place of those that list packs which are gone. Returns the index as it was.
fn rewrite_index(repository: &Repository, gone: &BTreeSet<PackId>) -> Result<Objects, Error> {
    for _ in 1..ATTEMPTS {
        match try_rewrite_index(repository, gone) {
            Err(Error::Repo(error)) if is_gone(&error) => {}
            done => return done,
        }
    }
    try_rewrite_index(repository, gone)
}

fn try_rewrite_index(repository: &Repository, gone: &BTreeSet<PackId>) -> Result<Objects, Error> {
    let objects = Objects::load(repository, CacheSizes::default())?;
    let built = objects.with_index(|index| {
        let lists_gone = |it: &&Segment| it.packs().iter().any(|it| gone.contains(&it.id));
        let affected: Vec<_> = index.segments().iter().filter(lists_gone).collect();
        if affected.is_empty() {
            return Ok(None);
        }
        merge(repository.keys(), &affected, &[], gone).map(Some)
    });
    let Some(built) = built.map_err(RepoError::from)? else { return Ok(objects) };
    let name = ObjectName::Segment(built.id).to_string();
    match repository.store().create(&name, built.bytes, Durability::Durable)? {
        Created::New => Ok(objects),
        Created::Exists => {
            let what = "another object has its random name".into();
            Err(RepoError::Unreadable { name, what }.into())
        }
    }
}

/// Deletes segments that others replace.
fn delete_segments(repository: &Repository) -> Result<(), Error> {
    let objects = Objects::load(repository, CacheSizes::default())?;
    let used: HashSet<String> = objects.with_index(|index| {
        index.segment_ids().map(|id| ObjectName::Segment(id).to_string()).collect()
    });
    // One that cannot be read replaces nothing, and is not ours to delete.
    let damaged: HashSet<&str> = objects.damaged().iter().map(|it| it.name.as_str()).collect();
    let replaced: HashSet<String> = objects.with_index(|index| {
        index.replaced().map(|id| ObjectName::Segment(id).to_string()).collect()
    });
    let listed = repository.store().list("index")?.into_iter().map(|it| it.name);
    let unused: Vec<_> = listed
        .filter(|it| replaced.contains(it) && !used.contains(it) && !damaged.contains(it.as_str()))
        .collect();
    Ok(repository.store().delete_many(&unused)?)
}

/// Deletes commits that do not count any more, and the markers of sessions that have ended. A session may have begun late with
/// an old epoch: its marker stays until its slot is filled.
fn delete_sessions(
    repository: &Repository,
    epoch: u32,
    report: &mut PruneReport,
) -> Result<(), Error> {
    let history = repository.history()?;
    let dropped: BTreeSet<SessionName> = history.dropped.iter().copied().collect();
    report.dropped_commits += dropped.len() as u64;
    // Markers before slots: one whose slot is gone would look like a session that is open.
    let mut ended = repository.sessions()?;
    ended.retain(|name, has_slot| *has_slot && name.epoch < epoch);
    let markers: Vec<_> = ended.keys().map(|name| ObjectName::Session(*name).to_string()).collect();
    repository.store().delete_many(&markers)?;
    let commits: Vec<_> = dropped.iter().map(|it| ObjectName::Slot(*it).to_string()).collect();
    Ok(repository.store().delete_many(&commits)?)
}
