//! Prune: the data of forgotten snapshots go, beside running backups, without locks (FORMAT.md §11).
//!
//! The order of the steps is what makes it safe; the numbers in comments are those of FORMAT.md.

mod edges;
mod ids;
mod locks;
mod marks;
mod memory;
mod plan;
mod reach;
mod repack;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use crate::error::PruneError;
pub use plan::PrunePlan;

use self::locks::Locks;
use self::marks::Marks;
use self::memory::Memory;
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit;
use crate::format::gc::Condemned;
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::SealedKind;
use crate::id::PackId;
use crate::ops::forget;
use crate::problem::ErrorKind;
use crate::repo::{
    BODY_VERSION, CacheSizes, Decisions, History, Objects, Repository, Session, Snapshot,
};
use crate::store::{Created, Durability};

/// How garbage is collected.
#[derive(Debug, Clone, Copy)]
pub struct PruneOptions {
    /// Find out what would be done, and do nothing.
    pub dry_run: bool,
    /// Dead bytes that may stay beside living ones in packs, as a share of the living bytes.
    pub max_waste: f64,
    /// At most so many living bytes are stored again.
    pub max_repack: u64,
    /// Nobody else uses the repository: open sessions are ended at once.
    pub exclusive: bool,
    /// A session that is open for longer is ended.
    pub patience: Duration,
    /// Memory to use, in bytes.
    pub memory: u64,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            max_waste: 0.04,
            max_repack: u64::MAX,
            exclusive: false,
            patience: Duration::from_secs(24 * 60 * 60),
            memory: /* 256 MiB */ 256 * 1024 * 1024,
        }
    }
}

/// What was collected, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// What is in the repository, what goes, what is stored again.
    pub plan: PrunePlan,
    /// Packs that were deleted.
    pub deleted_packs: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Packs that were condemned and are needed again.
    pub rescued_packs: u64,
    /// Commits that are gone for good.
    pub dropped_commits: u64,
    /// Objects that are needed and whose locks were set anew.
    pub extended_locks: u64,
    /// Sessions that are open: what was condemned is deleted by a later run, when they have ended.
    pub waiting_for: Vec<SessionName>,
}

/// Collects garbage. Blocks; not to be called on an async worker.
///
/// # Errors
/// If anything that is needed cannot be read, or another collector is at work. Nothing is lost then: what was stored or
/// condemned is taken up by the next run.
pub fn prune(
    repository: &Arc<Repository>,
    options: &PruneOptions,
    ctx: &RunContext,
) -> Result<PruneReport, Error> {
    if !options.dry_run && !options.exclusive {
        refuse_unproven(repository)?;
    }
    let before = repository.decisions()?;
    let done = prune_alone(repository, options, ctx);
    // Whatever stopped it, somebody else has collected meanwhile, and it saw half of before and half of after.
    match done {
        Err(error) if error.kind() != ErrorKind::Cancelled => match repository.decisions() {
            Ok(now) if others_decided(repository, &before, &now) => {
                tracing::debug!(%error, "another collector was at work");
                Err(PruneError::Late { epoch: now.epoch }.into())
            }
            _ => Err(error),
        },
        done => done,
    }
}

/// True where there is a decision that was not there before, and the newest one is not ours.
fn others_decided(repository: &Repository, before: &Decisions, now: &Decisions) -> bool {
    let own = repository.client().writer();
    let condemned = now.condemned.as_ref().map(|(epoch, it)| (*epoch, it.by));
    let swept = now.swept.as_ref().map(|(epoch, it)| (*epoch, it.by));
    let is_new = now.epoch > before.epoch || now.floor() > before.floor();
    is_new
        && condemned.into_iter().chain(swept).any(|(epoch, by)| epoch > before.floor() && by != own)
}

fn prune_alone(
    repository: &Arc<Repository>,
    options: &PruneOptions,
    ctx: &RunContext,
) -> Result<PruneReport, Error> {
    let mut report = PruneReport::default();
    if !options.dry_run {
        repository.fence_dead_sessions(ctx)?;
        // The packs of those who died elsewhere are garbage only when their sessions have ended.
        sweep::settle(repository, u32::MAX, options, ctx)?;
    }
    // (1): what is not carried out is, and the next epoch begins. Both by one listing: who decides something in between has its
    // packs not deleted yet, and they would be homes here.
    let decisions = repository.decisions()?;
    let epoch = decisions.epoch + 1;
    if !options.dry_run {
        sweep::resume(repository, decisions, options, ctx, &mut report)?;
        if !report.waiting_for.is_empty() {
            return Ok(report);
        }
    }
    let gone = collect(repository, epoch, options, ctx, &mut report)?;
    if !options.dry_run {
        sweep::forget_gone(repository, &gone)?;
    }
    Ok(report)
}

fn cache_sizes(options: &PruneOptions) -> CacheSizes {
    CacheSizes {
        blocks: options.memory / 16,
        frames: options.memory / 16,
        footer_objects: (options.memory / 8 / 20) as usize,
    }
}

/// The first half, and the second one where nobody is waited for. Returns packs that the index lists, that are gone, and that
/// nobody needs.
fn collect(
    repository: &Arc<Repository>,
    epoch: u32,
    options: &PruneOptions,
    ctx: &RunContext,
    report: &mut PruneReport,
) -> Result<BTreeSet<PackId>, Error> {
    // (2) to (4): packs and index, then sessions, then commits.
    let objects = Arc::new(Objects::load(repository, cache_sizes(options))?);
    // What was found damaged is no home where there is another one: else it would be the healed copy that goes.
    let damaged = repository.client().remembered().damaged.into_iter().collect();
    let mut marks = Marks::new(&objects, damaged, Memory::open(repository), options.memory)?;
    let open = repository.open_sessions()?;
    let history = repository.history()?;
    refuse_damage(&history)?;
    let now = forget::now(ctx);
    let (kept, dropped): (Vec<_>, Vec<_>) =
        history.snapshots.iter().partition(|snapshot| stays(snapshot, &history, now));
    let dropped: Vec<_> = dropped.iter().map(|snapshot| snapshot.slot).collect();
    // (5)
    marks.mark(&kept, ctx)?;
    let locks = Locks::open(repository);
    let (plan, doomed) = plan::make(&marks, &open, options, &objects, &locks)?;
    report.plan = plan;
    report.plan.kept_commits = kept.len() as u64;
    report.plan.dropped_commits = dropped.len() as u64;
    if !options.dry_run {
        report.extended_locks = locks.extend(&marks, &doomed, &kept)?;
    }
    if options.dry_run || (doomed.is_empty() && dropped.is_empty()) {
        marks.remember();
        return Ok(marks.gone);
    }
    // (6)
    let session = Arc::new(repository.open_session_avoiding(doomed.packs(), ctx)?);
    let condemned = condemn(repository, &session, epoch, &doomed, dropped, &marks, ctx);
    // What was stored again is listed by now, or is garbage.
    repository.abandon(&session, ctx)?;
    let condemned = condemned?;
    marks.avoid(condemned.packs.iter().copied())?;
    // (8) to (12)
    let gone = std::mem::take(&mut marks.gone);
    sweep::second_half(repository, epoch, &condemned, marks, options, ctx, report)?;
    Ok(gone)
}

/// Stores again what lives in packs that go, and writes down what goes.
fn condemn(
    repository: &Arc<Repository>,
    session: &Arc<Session>,
    epoch: u32,
    doomed: &plan::Doomed,
    dropped: Vec<SessionName>,
    marks: &Marks,
    ctx: &RunContext,
) -> Result<Condemned, Error> {
    repack::repack(repository, session, doomed, marks, ctx)?;
    // (7)
    let condemned = Condemned {
        version: BODY_VERSION,
        by: repository.client().writer(),
        time: rfc3339(ctx.clock.now()),
        packs: doomed.packs().collect(),
        dropped,
    };
    let (created, _) = repository.create_sealed(
        ObjectName::Condemned(epoch),
        SealedKind::Gc,
        &commit::encode(&condemned),
        Durability::Durable,
    )?;
    if created == Created::Exists || repository.decisions()?.epoch > epoch {
        return Err(PruneError::Late { epoch }.into());
    }
    Ok(condemned)
}

/// What the store can do was found out when the repository was made; where it was not, it is found out now.
fn refuse_unproven(repository: &Repository) -> Result<(), Error> {
    let probe = match &repository.config().store {
        Some(probe) => probe.clone(),
        None => repository.store().probe()?,
    };
    if probe.is_proven() {
        return Ok(());
    }
    Err(PruneError::Unproven { what: probe.shortcomings().join("; ") }.into())
}

/// Where something cannot be read, nobody knows what it says: a snapshot, a hold, an undeletion.
fn refuse_damage(history: &History) -> Result<(), PruneError> {
    match history.damaged.first() {
        None => Ok(()),
        Some(damaged) => {
            let (name, source) = (damaged.name.clone(), damaged.error.to_string().into());
            Err(PruneError::Damaged { name, source })
        }
    }
}

/// A snapshot stays unless it was forgotten, a checkpoint only while its source has nothing newer. What is held or immutable
/// stays whatever was said of it.
fn stays(snapshot: &Snapshot, history: &History, now: Timestamp) -> bool {
    let commit = &snapshot.commit;
    if forget::immutable_until(snapshot, now).is_some() || !snapshot.holds.is_empty() {
        return true;
    }
    if snapshot.forgotten {
        return false;
    }
    let of_source = |it: &&Snapshot| {
        let (a, b) = (&it.commit.source, &commit.source);
        !it.forgotten && a.kind == b.kind && a.identity == b.identity
    };
    let newest = || history.snapshots.iter().rev().find(of_source);
    !commit.checkpoint || newest().is_some_and(|newest| newest.slot == snapshot.slot)
}
