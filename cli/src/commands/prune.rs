//! `esker prune`

use std::time::Duration;

use esker_engine::format::name::SessionName;
use esker_engine::ops::prune::{PruneOptions, PrunePlan, PruneReport, prune};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::open::Opened;
use crate::app::units::{local_time, parse_share, parse_size};
use crate::error::CommandError;
use crate::ui::text;

/// Free the space of what no snapshot needs any more
///
/// Safe beside running backups, restores and another prune. What is to go is written down first; it is deleted when all sessions
/// that were open then have ended: at once where there are none, else by the next run. Until then `undelete` brings forgotten
/// snapshots back.
///
/// Where the repository locks what it stores (`init --object-lock`), what is needed is locked anew when half of its period is
/// over, and what is not needed stays until its lock has ended: run `prune` at least twice in a period.
#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    how: How,
    /// Tell what would go, and delete nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

/// How garbage is collected.
#[derive(Debug, clap::Args)]
struct How {
    /// Let so much of what packs hold be garbage; less is freed at the price of storing more again
    #[arg(long, value_name = "PERCENT", value_parser = parse_share, default_value = "4%")]
    max_waste: f64,
    /// Store at most so much again
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_repack: Option<u64>,
    /// Nobody else uses the repository: end all open sessions, and delete at once
    #[arg(long)]
    exclusive: bool,
    /// End sessions that are open for more seconds than these; for tests that cannot wait for a day
    #[arg(long, value_name = "SECONDS", hide = true)]
    patience: Option<u64>,
}

impl How {
    fn options(&self) -> PruneOptions {
        let usual = PruneOptions::default();
        PruneOptions {
            max_waste: self.max_waste,
            max_repack: self.max_repack.unwrap_or(u64::MAX),
            exclusive: self.exclusive,
            patience: self.patience.map_or(usual.patience, Duration::from_secs),
            ..usual
        }
    }
}

/// What `prune --json` prints.
#[derive(Serialize)]
pub(super) struct Summary {
    dry_run: bool,
    #[serde(flatten)]
    plan: PrunePlan,
    deleted_packs: u64,
    deleted_bytes: u64,
    rescued_packs: u64,
    extended_locks: u64,
    waiting_for: Vec<SessionName>,
}

impl Summary {
    fn new(report: PruneReport, dry_run: bool) -> Self {
        Self {
            dry_run,
            plan: report.plan,
            deleted_packs: report.deleted_packs,
            deleted_bytes: report.deleted_bytes,
            rescued_packs: report.rescued_packs,
            extended_locks: report.extended_locks,
            waiting_for: report.waiting_for,
        }
    }
}

pub(super) fn run(args: &PruneArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let opened = around.open()?;
    let options = PruneOptions { dry_run: args.dry_run, memory: args.memory, ..args.how.options() };
    let summary = collect(&opened, &options, around)?;
    if around.ui.is_json() {
        around.ui.json(&summary)?;
    }
    Ok(Outcome::Done)
}

/// Collects with the usual settings, and tells unless it is to be told as JSON.
pub(super) fn by_default(
    opened: &Opened,
    around: &Surroundings<'_>,
) -> Result<Summary, CommandError> {
    collect(opened, &PruneOptions::default(), around)
}

fn collect(
    opened: &Opened,
    options: &PruneOptions,
    around: &Surroundings<'_>,
) -> Result<Summary, CommandError> {
    let progress = around.ui.progress(&format!("pruning {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let ended = prune(&opened.repository, options, &ctx);
    progress.end();
    let report = ended.map_err(|error| {
        CommandError::engine(format!("cannot collect the garbage of `{}`", opened.url), error)
    })?;
    if !around.ui.is_json() && !around.ui.is_quiet() {
        for line in lines(&report, options) {
            around.ui.line(&line)?;
        }
    }
    Ok(Summary::new(report, options.dry_run))
}

/// What locks of the store keep, and which were set anew.
fn lock_lines(report: &PruneReport) -> Vec<String> {
    let plan = &report.plan;
    let mut lines = Vec::new();
    if let Some(until) = &plan.locked_until {
        lines.push(format!(
            "{} with {} would go and are locked: they stay, the first until {}",
            text::plural(plan.locked_packs, "pack", "packs"),
            text::bytes(plan.locked_bytes),
            local_time(until),
        ));
    }
    if report.extended_locks > 0 {
        let objects = text::plural(report.extended_locks, "object", "objects");
        lines.push(format!("the locks of {objects} that are needed were extended"));
    }
    lines
}

fn lines(report: &PruneReport, options: &PruneOptions) -> Vec<String> {
    let plan = &report.plan;
    let mut lines = Vec::new();
    if report.plan.packs > 0 {
        lines.push(format!(
            "{} in {}; {} kept, {} given up",
            text::bytes(plan.bytes),
            text::plural(plan.packs, "pack", "packs"),
            text::plural(plan.kept_commits, "snapshot", "snapshots"),
            text::count(plan.dropped_commits),
        ));
    }
    if plan.repacked_packs > 0 {
        lines.push(format!(
            "{} of {} still needed and stored again",
            text::bytes(plan.moved_bytes),
            text::plural(plan.repacked_packs, "pack is", "packs are"),
        ));
    }
    if plan.open_packs > 0 {
        lines.push(format!(
            "{} of sessions that are open: left alone",
            text::plural(plan.open_packs, "pack", "packs"),
        ));
    }
    lines.extend(lock_lines(report));
    let waste = text::bytes(plan.waste_bytes);
    if options.dry_run {
        let freed = plan.dead_bytes + plan.repacked_bytes - plan.moved_bytes;
        let packs = text::plural(plan.dead_packs + plan.repacked_packs, "pack", "packs");
        lines.push(format!(
            "dry run: {packs} with {} would go, {} freed, {waste} of garbage left — nothing was deleted",
            text::bytes(plan.dead_bytes + plan.repacked_bytes),
            text::bytes(freed),
        ));
    } else if report.waiting_for.is_empty() {
        lines.push(format!(
            "{} deleted, {}; {waste} of garbage left beside what is needed",
            text::plural(report.deleted_packs, "pack", "packs"),
            text::bytes(report.deleted_bytes),
        ));
    } else {
        let hours = options.patience.as_secs() / 3600;
        lines.push(format!(
            "written down, not deleted yet: {} open; run `esker prune` again when it has ended (after {hours} hours it is not waited for any more)",
            text::plural(report.waiting_for.len() as u64, "session is", "sessions are"),
        ));
    }
    lines
}
