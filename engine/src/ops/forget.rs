//! Forgetting snapshots: a plan with reasons, then marks. Data go later, when garbage is collected.

use std::collections::BTreeMap;

use crate::context::RunContext;
use crate::error::Error;
use crate::format::commit::{MarkAction, SnapshotStatus};
use crate::format::name::SessionName;
use crate::id::SnapshotId;
use crate::repo::{Repository, Snapshot};

/// What is kept of each source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepPolicy {
    /// So many of the newest snapshots.
    pub last: Option<u64>,
}

/// One snapshot in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its id.
    pub id: SnapshotId,
    /// Its slot.
    pub slot: SessionName,
    /// Its source's name.
    pub source: String,
    /// When it was taken.
    pub time: String,
    /// Why it is kept; empty where it is not.
    pub reasons: Vec<String>,
}

/// What would be forgotten, and what is kept and why. Both oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetPlan {
    /// Kept, with reasons.
    pub keep: Vec<Planned>,
    /// To be forgotten.
    pub remove: Vec<Planned>,
}

impl ForgetPlan {
    fn add(&mut self, snapshot: &Snapshot, mut reasons: Vec<String>) {
        reasons.extend(snapshot.holds.iter().map(|reason| held(reason)));
        let place = if reasons.is_empty() { &mut self.remove } else { &mut self.keep };
        place.push(Planned {
            id: snapshot.id,
            slot: snapshot.slot,
            source: snapshot.commit.source.name.clone(),
            time: snapshot.commit.time.clone(),
            reasons,
        });
    }

    fn sort(&mut self) {
        let order = |planned: &Planned| (planned.time.clone(), planned.slot);
        self.keep.sort_by_key(order);
        self.remove.sort_by_key(order);
    }
}

fn held(reason: &str) -> String {
    if reason.is_empty() { "held".into() } else { format!("held: {reason}") }
}

/// Plans to forget just these snapshots; held ones are kept.
pub fn plan_snapshots(snapshots: &[&Snapshot]) -> ForgetPlan {
    let mut plan = ForgetPlan::default();
    for snapshot in snapshots {
        plan.add(snapshot, Vec::new());
    }
    plan.sort();
    plan
}

/// Plans by a policy, for each source on its own; the newest complete snapshot of a source is always kept.
pub fn plan_policy(snapshots: &[&Snapshot], policy: KeepPolicy) -> ForgetPlan {
    let mut sources: BTreeMap<(&str, &str), Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        let source = &snapshot.commit.source;
        let of_source = sources.entry((&source.kind, &source.identity)).or_default();
        of_source.push(snapshot);
    }
    let mut plan = ForgetPlan::default();
    for mut of_source in sources.into_values() {
        of_source.sort_by(|a, b| (&b.commit.time, b.slot).cmp(&(&a.commit.time, a.slot)));
        let is_complete = |it: &&Snapshot| it.commit.status == SnapshotStatus::Complete;
        let last_complete = of_source.iter().copied().find(is_complete).map(|it| it.id);
        for (place, snapshot) in (1u64..).zip(of_source) {
            let mut reasons = Vec::new();
            if policy.last.is_some_and(|last| place <= last) {
                reasons.push(format!("last {place}"));
            }
            if reasons.is_empty() && last_complete == Some(snapshot.id) {
                reasons.push("the last complete snapshot of its source".into());
            }
            plan.add(snapshot, reasons);
        }
    }
    plan.sort();
    plan
}

/// Forgets what the plan says. Until their data are swept, forgotten snapshots can be brought back.
pub fn apply(repository: &Repository, plan: &ForgetPlan, ctx: &RunContext) -> Result<(), Error> {
    let slots: Vec<_> = plan.remove.iter().map(|planned| planned.slot).collect();
    if slots.is_empty() {
        return Ok(());
    }
    Ok(repository.mark(MarkAction::Forget, &slots, None, ctx)?)
}

#[cfg(test)]
mod tests;
