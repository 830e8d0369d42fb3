//! `esker forget`

mod keep;

use std::ffi::OsString;

use esker_engine::id::SnapshotId;
use esker_engine::ops::forget::{self, ForgetPlan, Planned};
use esker_engine::repo::{History, Snapshot};
use serde::Serialize;

use self::keep::PolicyOptions;
use super::snapshots::fits;
use super::{Surroundings, prune};
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::local_time;
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;

/// Forget snapshots: those that are named, or those that a policy does not keep
///
/// A policy looks at each source on its own and never drops the last complete snapshot of one. Partial snapshots and such that
/// are dated in the future push no other out. Snapshots that are held or still immutable are never forgotten. Until
/// their space is freed, by --prune or by `esker prune`, `esker undelete` brings snapshots back.
#[derive(Debug, clap::Args)]
pub(crate) struct ForgetArgs {
    /// Forget just these
    #[arg(value_name = "SNAPSHOT", conflicts_with = "policy")]
    snapshots: Vec<OsString>,
    /// Tell what would be forgotten, and forget nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Free the space of what is forgotten, as `esker prune` does
    #[arg(long, conflicts_with = "dry_run")]
    prune: bool,
    #[command(flatten)]
    policy: PolicyOptions,
}

/// What `forget --json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    dry_run: bool,
    keep: Vec<Kept<'a>>,
    remove: Vec<Removed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prune: Option<prune::Summary>,
}

#[derive(Serialize)]
struct Kept<'a> {
    id: SnapshotId,
    source: &'a str,
    time: &'a str,
    reasons: &'a [String],
}

#[derive(Serialize)]
struct Removed<'a> {
    id: SnapshotId,
    source: &'a str,
    time: &'a str,
}

pub(super) fn run(args: &ForgetArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let names = args.snapshots.iter().map(|name| SnapshotName::parse(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let policy = args.policy.policy();
    if names.is_empty() && policy.rules.is_empty() {
        return Err(CommandError::usage("nothing says what to forget").hint(
            "name snapshots, or say what to keep: `esker forget --keep \"daily 30\" --dry-run`",
        ));
    }
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let ctx = around.engine.quiet_context();
    let now = forget::now(&ctx);
    let plan = if names.is_empty() {
        let (source, tags) = (args.policy.source.as_deref(), &args.policy.tag);
        let snapshots: Vec<_> = history.visible().filter(|it| fits(it, source, tags)).collect();
        forget::plan_policy(&snapshots, &policy, now)
    } else {
        let mut snapshots: Vec<&Snapshot> = Vec::new();
        for name in &names {
            let snapshot = name.find(&history)?;
            if !snapshots.iter().any(|known| known.id == snapshot.id) {
                snapshots.push(snapshot);
            }
        }
        let plan = forget::plan_snapshots(&snapshots, now);
        refuse_protected(&plan, &history, args.dry_run)?;
        plan
    };
    // People see the plan before anything happens.
    if !around.ui.is_json() && !around.ui.is_quiet() {
        tell(&plan, around)?;
    }
    if !args.dry_run {
        forget::apply(&opened.repository, &plan, &ctx).map_err(|error| {
            CommandError::engine(format!("cannot forget snapshots of `{}`", opened.url), error)
        })?;
    }
    if !around.ui.is_json() && !around.ui.is_quiet() {
        around.ui.line(&conclusion(&plan, args.dry_run))?;
    }
    let pruned = if args.prune { Some(prune::by_default(&opened, around)?) } else { None };
    if around.ui.is_json() {
        around.ui.json(&summary(&plan, args.dry_run, pruned))?;
    }
    Ok(Outcome::Done)
}

/// Who names a snapshot may not know that it is held or immutable: then nothing is forgotten.
fn refuse_protected(
    plan: &ForgetPlan,
    history: &History,
    dry_run: bool,
) -> Result<(), CommandError> {
    let Some(kept) = plan.keep.first().filter(|_| !dry_run) else {
        return Ok(());
    };
    let id = kept.id.short();
    let message = format!("snapshot {id} is {}: nothing was forgotten", kept.reasons.join(", "));
    let is_held = history.visible().any(|it| it.id == kept.id && !it.holds.is_empty());
    Err(CommandError::failed(message).hint(if is_held {
        format!("let it go first: `esker release {id}`")
    } else {
        "it can be forgotten after that; name only others".into()
    }))
}

fn summary(plan: &ForgetPlan, dry_run: bool, prune: Option<prune::Summary>) -> Summary<'_> {
    let keep = plan.keep.iter().map(|kept| Kept {
        id: kept.id,
        source: &kept.source,
        time: &kept.time,
        reasons: &kept.reasons,
    });
    let remove = plan.remove.iter().map(|removed| Removed {
        id: removed.id,
        source: &removed.source,
        time: &removed.time,
    });
    Summary { dry_run, keep: keep.collect(), remove: remove.collect(), prune }
}

/// The plan as a table.
fn tell(plan: &ForgetPlan, around: &Surroundings<'_>) -> Result<(), CommandError> {
    let mut all: Vec<&Planned> = plan.keep.iter().chain(&plan.remove).collect();
    all.sort_by_key(|planned| (&planned.time, planned.slot.ulid));
    let mut table = Table::new(["", "id", "time", "source", "why"]);
    for planned in all {
        let word = if planned.reasons.is_empty() { "forget" } else { "keep" };
        table.row([
            word.into(),
            planned.id.short(),
            local_time(&planned.time),
            planned.source.clone(),
            planned.reasons.join(", "),
        ]);
    }
    for line in table.lines() {
        around.ui.line(&line)?;
    }
    Ok(())
}

/// What was done, or would be.
fn conclusion(plan: &ForgetPlan, dry_run: bool) -> String {
    let kept = text::count(plan.keep.len() as u64);
    let removed = text::plural(plan.remove.len() as u64, "snapshot", "snapshots");
    if dry_run {
        format!("dry run: {removed} would be forgotten, {kept} kept — nothing was forgotten")
    } else {
        format!("{removed} forgotten, {kept} kept")
    }
}
