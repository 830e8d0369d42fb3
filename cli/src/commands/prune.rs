//! `esker prune`

use std::time::Duration;

use esker_engine::ops::prune::{PruneOptions, PrunePlan, PruneReport, prune};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::units::{parse_share, parse_size};
use crate::error::CommandError;
use crate::ui::text;

/// Free the space of what no snapshot needs any more
///
/// Safe beside running backups, restores and another prune. What is to go is written down first; it is deleted when all sessions
/// that were open then have ended: at once where there are none, else by the next run. Until then `undelete` brings forgotten
/// snapshots back.
#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) how: How,
    /// Tell what would go, and delete nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

/// How garbage is collected, wherever it is.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// Let so much of what packs hold be garbage; less is freed at the price of storing more again
    #[arg(long, value_name = "PERCENT", value_parser = parse_share, default_value = "4%")]
    max_waste: f64,
    /// Store at most so much again
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_repack: Option<u64>,
    /// Nobody else uses the repository: end all open sessions, and delete at once
    #[arg(long)]
    exclusive: bool,
}

impl How {
    fn options(&self) -> PruneOptions {
        PruneOptions {
            max_waste: self.max_waste,
            max_repack: self.max_repack.unwrap_or(u64::MAX),
            exclusive: self.exclusive,
            ..PruneOptions::default()
        }
    }
}

/// What `prune --json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    dry_run: bool,
    #[serde(flatten)]
    plan: &'a PrunePlan,
    deleted_packs: u64,
    deleted_bytes: u64,
    rescued_packs: u64,
    waiting_for: &'a [esker_engine::format::name::SessionName],
}

pub(super) fn run(args: &PruneArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let opened = around.open()?;
    let options = PruneOptions { dry_run: args.dry_run, memory: args.memory, ..args.how.options() };
    let report = collect(&opened, &options, around)?;
    if around.ui.is_json() {
        around.ui.json(&Summary {
            dry_run: options.dry_run,
            plan: &report.plan,
            deleted_packs: report.deleted_packs,
            deleted_bytes: report.deleted_bytes,
            rescued_packs: report.rescued_packs,
            waiting_for: &report.waiting_for,
        })?;
    } else if !around.ui.is_quiet() {
        for line in lines(&report, &options) {
            around.ui.line(&line)?;
        }
    }
    Ok(Outcome::Done)
}

fn collect(
    opened: &crate::app::open::Opened,
    options: &PruneOptions,
    around: &Surroundings<'_>,
) -> Result<PruneReport, CommandError> {
    let progress = around.ui.progress(&format!("pruning {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let ended = prune(&opened.repository, options, &ctx);
    progress.end();
    ended.map_err(|error| {
        CommandError::engine(format!("cannot collect the garbage of `{}`", opened.url), error)
    })
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
        let hours = options.patience.as_secs() / Duration::from_hours(1).as_secs();
        lines.push(format!(
            "written down, not deleted yet: {} open; run `esker prune` again when it has ended (after {hours} hours it is not waited for any more)",
            text::plural(report.waiting_for.len() as u64, "session is", "sessions are"),
        ));
    }
    lines
}
