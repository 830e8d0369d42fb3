//! `esker forget`

use std::ffi::OsString;

use esker_engine::id::SnapshotId;
use esker_engine::ops::forget::{self, ForgetPlan, KeepPolicy, Planned};
use esker_engine::repo::Snapshot;
use serde::Serialize;

use super::Surroundings;
use super::snapshots::fits;
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::local_time;
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;

/// Forget snapshots: those that are named, or those that a policy does not keep
///
/// A policy looks at each source on its own and never drops the last complete snapshot of one. Held snapshots are never
/// forgotten. Space is not freed by this command.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["snapshots", "keep_last"]))]
pub(crate) struct ForgetArgs {
    /// Forget just these
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<OsString>,
    /// Keep so many of the newest snapshots of each source, and forget the others
    #[arg(long, value_name = "N")]
    keep_last: Option<u64>,
    /// Let the policy look at snapshots of this source only
    #[arg(long, value_name = "SOURCE", requires = "keep_last")]
    source: Option<String>,
    /// Let the policy look at snapshots with this tag only; with all of them where repeated
    #[arg(long, value_name = "TAG", requires = "keep_last")]
    tag: Vec<String>,
    /// Tell what would be forgotten, and forget nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// What `forget --json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    dry_run: bool,
    keep: Vec<Kept<'a>>,
    remove: Vec<Removed<'a>>,
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
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let plan = if names.is_empty() {
        let fitting = |it: &&Snapshot| fits(it, args.source.as_deref(), &args.tag);
        let snapshots: Vec<_> = history.visible().filter(fitting).collect();
        let policy = KeepPolicy { last: args.keep_last };
        forget::plan_policy(&snapshots, policy)
    } else {
        let mut snapshots: Vec<&Snapshot> = Vec::new();
        for name in &names {
            let snapshot = name.find(&history)?;
            if !snapshots.iter().any(|known| known.id == snapshot.id) {
                snapshots.push(snapshot);
            }
        }
        let plan = forget::plan_snapshots(&snapshots);
        refuse_held(&plan, args.dry_run)?;
        plan
    };
    if !args.dry_run {
        let ctx = around.engine.quiet_context();
        forget::apply(&opened.repository, &plan, &ctx).map_err(|error| {
            CommandError::engine(format!("cannot forget snapshots of `{}`", opened.url), error)
        })?;
    }
    tell(&plan, args.dry_run, around)?;
    Ok(Outcome::Done)
}

/// Who names a held snapshot may not know that it is held: then nothing is forgotten.
fn refuse_held(plan: &ForgetPlan, dry_run: bool) -> Result<(), CommandError> {
    match plan.keep.first() {
        Some(held) if !dry_run => {
            let id = held.id.short();
            let message =
                format!("snapshot {id} is {}: nothing was forgotten", held.reasons.join(", "));
            Err(CommandError::failed(message)
                .hint(format!("let it go first: `esker release {id}`")))
        }
        _ => Ok(()),
    }
}

fn tell(plan: &ForgetPlan, dry_run: bool, around: &Surroundings<'_>) -> Result<(), CommandError> {
    if around.ui.is_json() {
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
        return around.ui.json(&Summary {
            dry_run,
            keep: keep.collect(),
            remove: remove.collect(),
        });
    }
    if around.ui.is_quiet() {
        return Ok(());
    }
    let mut all: Vec<&Planned> = plan.keep.iter().chain(&plan.remove).collect();
    all.sort_by_key(|planned| (planned.time.clone(), planned.slot));
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
    let kept = text::count(plan.keep.len() as u64);
    let removed = text::plural(plan.remove.len() as u64, "snapshot", "snapshots");
    around.ui.line(&if dry_run {
        format!("dry run: {removed} would be forgotten, {kept} kept — nothing was forgotten")
    } else {
        format!("{removed} forgotten, {kept} kept")
    })
}
