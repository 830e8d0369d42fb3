//! Forgetting snapshots: a plan with reasons, then marks. Data go later, when garbage is collected.
//!
//! `docs/decisions/0009-retention.md` tells the rules.

mod period;
mod plan;
mod policy;
mod span;

use jiff::{SignedDuration, Timestamp};

pub use period::Period;
pub use plan::{ForgetPlan, Planned, immutable_until, plan_policy, plan_snapshots};
pub use policy::{Grouping, KeepError, KeepPolicy, KeepRule, UNLIMITED, parse_count};
pub use span::CalendarSpan;

use crate::context::RunContext;
use crate::error::{Error, PruneError};
use crate::format::commit::MarkAction;
use crate::format::name::SessionName;
use crate::repo::Repository;

/// The time by the clock of an operation, as plans want it.
pub fn now(ctx: &RunContext) -> Timestamp {
    let since_epoch = SignedDuration::try_from(ctx.clock.now());
    let time = since_epoch.ok().and_then(|it| Timestamp::from_duration(it).ok());
    time.unwrap_or(Timestamp::MAX)
}

/// Forgets what the plan says. Until their data are swept, forgotten snapshots can be brought back.
pub fn apply(repository: &Repository, plan: &ForgetPlan, ctx: &RunContext) -> Result<(), Error> {
    let slots: Vec<_> = plan.remove.iter().map(|planned| planned.slot).collect();
    if slots.is_empty() {
        return Ok(());
    }
    Ok(repository.mark(MarkAction::Forget, &slots, None, ctx)?)
}

/// Brings forgotten snapshots back: says so, and *then* looks whether a collector was faster (FORMAT.md §11).
///
/// # Errors
/// `Swept` if one of them is gone for good; `Sweeping` if a collector is just deciding it. The others are back.
pub fn undelete(
    repository: &Repository,
    snapshots: &[SessionName],
    ctx: &RunContext,
) -> Result<(), Error> {
    repository.mark(MarkAction::Undelete, snapshots, None, ctx)?;
    let decisions = repository.decisions()?;
    for slot in snapshots {
        if !decisions.counts(slot) {
            return Err(PruneError::Swept { commit: *slot }.into());
        }
        if decisions.drops(slot) && decisions.closed == decisions.epoch {
            return Err(PruneError::Sweeping { commit: *slot }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
