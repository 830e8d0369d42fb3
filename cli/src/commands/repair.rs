//! `esker repair`

use std::ffi::OsString;

use esker_engine::id::SnapshotId;
use esker_engine::ops::repair::{
    IndexRepair, RepairOptions, SnapshotRepair, SnapshotsReport, index, snapshots,
};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::open::Opened;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::{local_time, parse_size};
use crate::error::CommandError;
use crate::ui::text;

/// Make whole what can be saved after damage; nothing is ever deleted
///
/// `esker check --read-data` finds the damage. Run `repair index` first, then `repair snapshots`, then `backup`, which stores anew
/// what the source still has. The exit code is 3 where something is lost.
#[derive(Debug, clap::Args)]
pub(crate) struct RepairArgs {
    #[command(subcommand)]
    what: What,
}

/// What is repaired.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Rebuild the index from the packs' footers
    ///
    /// Packs that no readable part of the index lists are listed again, and damaged parts are replaced.
    Index(How),
    /// Make a new snapshot, with all that can be saved, for each one in which something is lost
    ///
    /// Reads all data. What is lost is named in the new snapshot, which is partial; the old one stays until it is forgotten.
    Snapshots(SnapshotsArgs),
}

/// Which snapshots.
#[derive(Debug, clap::Args)]
struct SnapshotsArgs {
    /// Which snapshots; all where none is named
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<OsString>,
    #[command(flatten)]
    how: How,
}

/// How it is repaired.
#[derive(Debug, clap::Args)]
struct How {
    /// Tell what would be done, and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

impl How {
    fn options(&self) -> RepairOptions {
        RepairOptions { dry_run: self.dry_run, memory: self.memory, ..RepairOptions::default() }
    }
}

/// What `repair index --json` prints.
#[derive(Serialize)]
struct IndexSummary<'a> {
    dry_run: bool,
    #[serde(flatten)]
    repair: &'a IndexRepair,
}

/// What `repair snapshots --json` prints.
#[derive(Serialize)]
struct SnapshotsSummary<'a> {
    dry_run: bool,
    #[serde(flatten)]
    report: &'a SnapshotsReport,
}

pub(super) fn run(args: &RepairArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let opened = around.open()?;
    match &args.what {
        What::Index(how) => repair_index(&opened, how, around),
        What::Snapshots(args) => repair_snapshots(&opened, args, around),
    }
}

fn repair_index(
    opened: &Opened,
    how: &How,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let progress = around.ui.progress(&format!("repairing the index of {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let ended = index(&opened.repository, &how.options(), &ctx);
    progress.end();
    let repair = ended.map_err(|error| {
        CommandError::engine(format!("cannot repair the index of `{}`", opened.url), error)
    })?;
    if around.ui.is_json() {
        around.ui.json(&IndexSummary { dry_run: how.dry_run, repair: &repair })?;
    } else {
        for pack in &repair.unreadable {
            around.ui.line(&format!("{pack}: its footer cannot be read, so it stays unlisted"))?;
        }
        if !around.ui.is_quiet() {
            around.ui.line(&index_sentence(&repair, how.dry_run))?;
        }
    }
    Ok(if repair.unreadable.is_empty() { Outcome::Done } else { Outcome::Problems })
}

fn index_sentence(repair: &IndexRepair, dry_run: bool) -> String {
    if repair.segments == 0 {
        return format!("the index is whole: {}", text::plural(repair.packs, "pack", "packs"));
    }
    let listed = format!(
        "{} listed again, with {}",
        text::plural(repair.listed_packs, "pack", "packs"),
        text::plural(repair.listed_objects, "object", "objects")
    );
    let replaced =
        text::plural(repair.replaced.len() as u64, "damaged segment", "damaged segments");
    let segments = text::plural(repair.segments, "new segment", "new segments");
    let end = if dry_run { " — dry run: nothing was written" } else { "" };
    format!("{listed}; {replaced} replaced by {segments}{end}")
}

fn repair_snapshots(
    opened: &Opened,
    args: &SnapshotsArgs,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let history = around.history(opened)?;
    let wanted =
        args.snapshots.iter().map(|name| Ok(SnapshotName::parse(name)?.find(&history)?.id));
    let wanted = wanted.collect::<Result<Vec<SnapshotId>, CommandError>>()?;
    let progress = around.ui.progress(&format!("repairing the snapshots of {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let ended = snapshots(&opened.repository, &wanted, &args.how.options(), &ctx);
    progress.end();
    let report = ended.map_err(|error| {
        CommandError::engine(format!("cannot repair the snapshots of `{}`", opened.url), error)
    })?;
    if around.ui.is_json() {
        around.ui.json(&SnapshotsSummary { dry_run: args.how.dry_run, report: &report })?;
    } else {
        tell(&report, args.how.dry_run, around)?;
    }
    let is_whole = report.repairs.is_empty() && report.unreadable.is_empty();
    Ok(if is_whole { Outcome::Done } else { Outcome::Problems })
}

fn tell(
    report: &SnapshotsReport,
    dry_run: bool,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    for name in &report.unreadable {
        around.ui.line(&format!("{name}: cannot be read, and what it held is not known"))?;
    }
    for repair in &report.repairs {
        for line in lines_of(repair) {
            around.ui.line(&line)?;
        }
    }
    if around.ui.is_quiet() {
        return Ok(());
    }
    let skipped = match report.skipped.len() as u64 {
        0 => String::new(),
        skipped => format!("; {} repaired before", text::count(skipped)),
    };
    let examined = text::plural(report.examined, "snapshot", "snapshots");
    let verdict = match (report.repairs.len() as u64, dry_run) {
        (0, _) => "nothing is lost".into(),
        (number, true) => {
            format!("something is lost in {} — dry run: nothing was written", text::count(number))
        }
        (number, false) => format!("something is lost in {}", text::count(number)),
    };
    around.ui.line(&format!("{examined} read and verified{skipped}; {verdict}"))?;
    if !dry_run && !report.repairs.is_empty() {
        let names: Vec<_> = report.repairs.iter().map(|it| it.snapshot.short()).collect();
        around.ui.line("`esker backup SOURCE` stores anew what the source still has;")?;
        around.ui.line(&format!("`esker forget {}` gives up the damaged ones", names.join(" ")))?;
    }
    Ok(())
}

fn lines_of(repair: &SnapshotRepair) -> Vec<String> {
    let (id, time) = (repair.snapshot.short(), local_time(&repair.time));
    let lost = text::plural(repair.lost, "entry is lost", "entries are lost");
    let saved = match &repair.repaired {
        Some(repaired) => format!("; {} holds the rest", repaired.short()),
        None => String::new(),
    };
    let mut lines = vec![format!("snapshot {id} of {}, {time}: {lost}{saved}", repair.source)];
    lines.extend(
        repair.problems.iter().map(|problem| format!("  {}: {}", problem.path, problem.message)),
    );
    lines
}
