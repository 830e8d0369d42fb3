//! `esker copy`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use esker_engine::Error;
use esker_engine::format::commit::SnapshotStatus;
use esker_engine::id::SnapshotId;
use esker_engine::ops::copy::{
    Asked, CopiedSnapshot, CopyFrom, CopyOptions, CopyOutcome, CopyPlan, copy, plan,
};
use esker_engine::problem::Problem;
use esker_engine::repo::{History, Snapshot};
use jiff::Timestamp;
use serde::Serialize;

use super::Surroundings;
use super::snapshots::fits;
use crate::Outcome;
use crate::app::open::Opened;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::{WholeDay, local_time, parse_size, parse_time};
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;

/// Copy snapshots from another repository into this one
///
/// Everything is read, verified and encrypted anew, with keys of this repository. What is here already is not copied again, nor is
/// what was forgotten here or in the other repository, unless it is named. The same command again goes on where it was interrupted.
///
/// The other repository opens with ESKER_FROM_PASSWORD, ESKER_FROM_PASSWORD_FILE, ESKER_FROM_PASSWORD_COMMAND,
/// ESKER_FROM_KEY_FILE or --from-key-file. A repository that was made with `esker init --like URL` has the ids of the other one:
/// then only what changed is read at all.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// Copy just these
    #[arg(value_name = "SNAPSHOT", conflicts_with_all = ["source", "tag", "since"])]
    snapshots: Vec<OsString>,
    /// Repository to copy from [env: ESKER_FROM_REPO]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Open it with this key file [env: ESKER_FROM_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    from_key_file: Option<PathBuf>,
    /// Only those of this source: its name, identity or path
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only those with this tag; with all of them where repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only those that were taken then or later
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Tell what would be copied, and copy nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    parse_time(text, WholeDay::Begin)
}

/// A line of `copy --json`: what became of a snapshot.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    original: SnapshotId,
    source: &'a str,
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    copied: Option<Copied<'a>>,
}

#[derive(Serialize)]
struct Copied<'a> {
    snapshot: SnapshotId,
    status: SnapshotStatus,
    new_objects: u64,
    new_bytes: u64,
    bytes_added: u64,
    objects_written: u64,
    bytes_fetched: u64,
    lost: &'a [Problem],
}

/// The last line of `copy --json`.
#[derive(Default, Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    dry_run: bool,
    copied: u64,
    failed: u64,
    lost: u64,
    present: u64,
    forgotten: u64,
    bytes_added: u64,
    bytes_fetched: u64,
    seconds: f64,
}

pub(super) fn run(args: &CopyArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let names = args.snapshots.iter().map(|name| SnapshotName::parse(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let other = around.open_other(args.from.as_deref(), args.from_key_file.as_ref())?;
    let history = around.history(&other)?;
    let opened = around.open()?;
    let failed = |error| failed(&other.url, &opened.url, error);
    let snapshots = chosen(args, &names, &history)?;
    let asked = if names.is_empty() { Asked::ForAll } else { Asked::ByName };
    let here = around.history(&opened)?;
    let plan = plan(&other.repository, &snapshots, asked, &opened.repository, &here);
    let plan = plan.map_err(failed)?;
    let mut summary = Summary {
        kind: "summary",
        dry_run: args.dry_run,
        present: plan.present,
        forgotten: plan.forgotten,
        ..Summary::default()
    };
    let started = Instant::now();
    if args.dry_run {
        foretell(&plan, around)?;
    } else {
        let from = CopyFrom { repository: &other.repository, history: &history };
        carry_out(&plan, from, &opened, args.memory, around, &mut summary)?.map_err(failed)?;
    }
    summary.seconds = started.elapsed().as_secs_f64();
    if around.ui.is_json() {
        around.ui.json(&summary)?;
    } else if !around.ui.is_quiet() {
        around.ui.line(&conclusion(&summary, &plan, started.elapsed()))?;
    }
    let is_whole = summary.failed == 0 && summary.lost == 0;
    Ok(if is_whole { Outcome::Done } else { Outcome::Problems })
}

/// Says which of the two repositories failed, as far as it is known.
fn failed(from: &str, to: &str, error: Error) -> CommandError {
    let what = format!("cannot copy from `{from}` to `{to}`");
    match error {
        Error::CopyFrom { source } => {
            CommandError::engine(format!("{what}: `{from}` cannot be read"), *source)
        }
        error @ Error::Invalid { .. } => CommandError::engine(what, error)
            .hint("name another one: `--from URL`, or another `--repo URL` to copy into"),
        error => {
            let failed = CommandError::engine(what, error);
            if failed.is_interruption() {
                failed.hint("what was stored is kept: the same command again goes on from there")
            } else {
                failed
            }
        }
    }
}

/// The snapshots that are meant, of those that the other repository has.
fn chosen<'a>(
    args: &CopyArgs,
    names: &[SnapshotName],
    history: &'a History,
) -> Result<Vec<&'a Snapshot>, CommandError> {
    if !names.is_empty() {
        // Who names one that is forgotten there wants it all the same.
        let find = |name: &SnapshotName| {
            name.find(history).or_else(|none| name.find_forgotten(history).map_err(|_| none))
        };
        return names.iter().map(find).collect();
    }
    let is_late = |it: &Snapshot| {
        args.since.is_none_or(|since| {
            it.commit.time.parse::<Timestamp>().is_ok_and(|taken| taken >= since)
        })
    };
    let wanted = history.visible().filter(|it| fits(it, args.source.as_deref(), &args.tag));
    Ok(wanted.filter(|it| is_late(it)).collect())
}

/// Copies, and tells of each snapshot when it is done. The inner result is that of copying, the outer one that of telling.
fn carry_out(
    plan: &CopyPlan,
    from: CopyFrom<'_>,
    opened: &Opened,
    memory: u64,
    around: &Surroundings<'_>,
    summary: &mut Summary,
) -> Result<Result<(), Error>, CommandError> {
    let progress = around.ui.progress(&format!("copying to {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let options = CopyOptions { memory, ..CopyOptions::default() };
    let mut told = Ok(());
    let done = copy(from, &plan.wanted, &opened.repository, &options, &ctx, &mut |outcome| {
        match &outcome.copied {
            Ok(copied) => {
                summary.copied += 1;
                summary.lost += copied.lost.len() as u64;
                summary.bytes_added += copied.bytes_added;
                summary.bytes_fetched += copied.bytes_fetched;
            }
            Err(_) => summary.failed += 1,
        }
        let line = tell(outcome, around);
        if told.is_ok() {
            told = line;
        }
        if told.is_err() {
            // Nobody reads: there is no use in going on.
            ctx.cancel.cancel();
        }
    });
    progress.end();
    told?;
    Ok(done)
}

/// Tells what became of a snapshot.
fn tell(outcome: &CopyOutcome<'_>, around: &Surroundings<'_>) -> Result<(), CommandError> {
    let commit = &outcome.original.commit;
    let error = outcome.copied.as_ref().err().map(text_of);
    if let Some(error) = &error {
        around.ui.warning(&format!(
            "snapshot {} of {}, {}, cannot be copied: {error}; see `esker check` of the other repository",
            outcome.original.id.short(),
            commit.source.name,
            local_time(&commit.time),
        ));
    }
    if let Ok(copied) = &outcome.copied {
        around.ui.problems(&copied.lost);
    }
    if around.ui.is_json() {
        return around.ui.json(&Line {
            kind: if error.is_none() { "copied" } else { "failed" },
            original: outcome.original.id,
            source: &commit.source.name,
            time: &commit.time,
            error,
            copied: outcome.copied.as_ref().ok().map(of_copied),
        });
    }
    match &outcome.copied {
        Ok(copied) if !around.ui.is_quiet() => around.ui.line(&sentence(outcome.original, copied)),
        _ => Ok(()),
    }
}

fn of_copied(copied: &CopiedSnapshot) -> Copied<'_> {
    Copied {
        snapshot: copied.snapshot,
        status: copied.status,
        new_objects: copied.new_objects,
        new_bytes: copied.new_bytes,
        bytes_added: copied.bytes_added,
        objects_written: copied.objects_written,
        bytes_fetched: copied.bytes_fetched,
        lost: &copied.lost,
    }
}

/// An error and its causes.
fn text_of(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn sentence(original: &Snapshot, copied: &CopiedSnapshot) -> String {
    let lost = match copied.lost.len() as u64 {
        0 => String::new(),
        lost => format!(" — {} lost", text::plural(lost, "entry", "entries")),
    };
    format!(
        "snapshot {} of {}: copy of {}, {}; {} fetched, {} added in {}{lost}",
        copied.snapshot.short(),
        original.commit.source.name,
        original.id.short(),
        local_time(&original.commit.time),
        text::bytes(copied.bytes_fetched),
        text::bytes(copied.bytes_added),
        text::plural(copied.objects_written, "object", "objects"),
    )
}

/// What a dry run prints: the snapshots that would be copied.
fn foretell(plan: &CopyPlan, around: &Surroundings<'_>) -> Result<(), CommandError> {
    if around.ui.is_json() {
        return plan.wanted.iter().try_for_each(|original| {
            around.ui.json(&Line {
                kind: "wanted",
                original: original.id,
                source: &original.commit.source.name,
                time: &original.commit.time,
                error: None,
                copied: None,
            })
        });
    }
    if plan.wanted.is_empty() || around.ui.is_quiet() {
        return Ok(());
    }
    let mut table = Table::new(["id", "time", "source"]);
    for original in &plan.wanted {
        let commit = &original.commit;
        table.row([original.id.short(), local_time(&commit.time), commit.source.name.clone()]);
    }
    table.lines().into_iter().try_for_each(|line| around.ui.line(&line))
}

/// The last line for people.
fn conclusion(summary: &Summary, plan: &CopyPlan, elapsed: Duration) -> String {
    let snapshots = |count| text::plural(count, "snapshot", "snapshots");
    let first = if summary.dry_run {
        format!("dry run: {} would be copied", snapshots(plan.wanted.len() as u64))
    } else {
        format!("{} copied", snapshots(summary.copied))
    };
    let others = [
        (summary.failed, "not, since it cannot be read"),
        (summary.present, "here already"),
        (summary.forgotten, "left out, since it was forgotten here: name it to copy it again"),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0);
    let others = others.map(|(count, what)| format!("{} {what}", text::count(*count)));
    let line = std::iter::once(first).chain(others).collect::<Vec<_>>().join(", ");
    if summary.dry_run {
        return line + " — nothing was copied";
    }
    let lost = match summary.lost {
        0 => String::new(),
        lost => format!(" — {} lost", text::plural(lost, "entry", "entries")),
    };
    format!(
        "{line}; {} fetched, {} added, {}{lost}",
        text::bytes(summary.bytes_fetched),
        text::bytes(summary.bytes_added),
        text::duration(elapsed)
    )
}
