//! `esker backup`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::problem::Problem;
use esker_engine::source::{Completeness, ScanMode};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::source::{self, SourceRequest};
use crate::app::units::{parse_size, parse_snapshot_time};
use crate::error::CommandError;
use crate::ui::text;

/// Take a snapshot of folders and files
///
/// One folder is stored with its content at the top; several paths are one source, each under its full path. What was not
/// changed since the last snapshot of the same source (size, times and inode are as they were) is not read again.
/// An interrupted backup keeps what it has stored, and the next one goes on from there.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// What to back up: a path, or files:PATH
    #[arg(value_name = "SOURCE")]
    sources: Vec<OsString>,
    /// Read everything, also what seems unchanged
    #[arg(long)]
    full: bool,
    /// Find out what would be stored, and store nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Give the snapshot a tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Say when the snapshot was taken, for imports
    #[arg(long, value_name = "TIME", value_parser = parse_snapshot_time)]
    time: Option<Duration>,
    /// Back up the standard input as one file
    #[arg(long, conflicts_with_all = ["sources", "files_from", "files_from_nul", "exclude", "exclude_file", "one_file_system"])]
    stdin: bool,
    /// Store the standard input under this path
    #[arg(
        long,
        value_name = "NAME",
        requires = "stdin",
        default_value_if("stdin", "true", "stdin")
    )]
    stdin_name: Option<String>,
    /// Back up only the paths that this file lists, one a line; - is the standard input
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,
    /// As --files-from, with zero bytes between the paths
    #[arg(long = "files-from0", value_name = "FILE")]
    files_from_nul: Vec<PathBuf>,
    /// Leave out what matches, in the syntax of .gitignore; may be repeated
    #[arg(long, short, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Leave out what the patterns in this file match
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// Stay on the file systems of the paths
    #[arg(long, short = 'x')]
    one_file_system: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

/// The last line of `backup --json`.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    snapshot: Option<String>,
    parent: Option<String>,
    dry_run: bool,
    source: &'a str,
    status: SnapshotStatus,
    new: u64,
    changed: u64,
    deleted: u64,
    unchanged: u64,
    bytes_read: u64,
    bytes_added: u64,
    objects_written: u64,
    new_objects: u64,
    new_bytes: u64,
    requests: u64,
    seconds: f64,
    problems: &'a [Problem],
    completeness: Vec<CollectionSummary<'a>>,
}

#[derive(Serialize)]
struct CollectionSummary<'a> {
    collection: &'a str,
    #[serde(flatten)]
    completeness: &'a Completeness,
}

pub(super) fn run(args: &BackupArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let source = source::open(&SourceRequest {
        sources: args.sources.clone(),
        stdin: args.stdin,
        stdin_name: args.stdin_name.clone(),
        files_from: args.files_from.clone(),
        files_from_nul: args.files_from_nul.clone(),
        exclude: args.exclude.clone(),
        exclude_file: args.exclude_file.clone(),
        one_file_system: args.one_file_system,
    })?;
    let opened = around.open()?;
    let name = source.describe().name;
    let options = BackupOptions {
        mode: if args.full { ScanMode::Full } else { ScanMode::Incremental },
        tags: args.tag.clone(),
        time: args.time,
        memory: args.memory,
        dry_run: args.dry_run,
        ..BackupOptions::default()
    };
    let started = Instant::now();
    let progress = around.ui.progress(&name);
    let ctx = around.engine.context(progress.clone());
    let ended = backup(&opened.repository, &*source, &options, &ctx);
    progress.end();
    let report = ended.map_err(|error| {
        let failed = CommandError::engine(format!("cannot back up `{name}`"), error);
        if failed.is_interruption() {
            failed.hint("what was stored is kept: the same command again goes on from there")
        } else {
            failed
        }
    })?;
    tell(&report, &name, started.elapsed(), around)?;
    Ok(match report.status {
        SnapshotStatus::Complete => Outcome::Done,
        SnapshotStatus::Partial => Outcome::Problems,
    })
}

fn tell(
    report: &BackupReport,
    name: &str,
    elapsed: Duration,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    around.ui.problems(&report.problems);
    if around.ui.is_verbose() {
        around.ui.note(&match report.parent {
            Some(parent) => format!("compared with snapshot {}", parent.short()),
            None => "there was no snapshot of this source to compare with".into(),
        });
    }
    if around.ui.is_json() {
        return around.ui.json(&summary(report, name, elapsed));
    }
    if around.ui.is_quiet() {
        return Ok(());
    }
    around.ui.line(&sentence(report, name, elapsed))
}

fn summary<'a>(report: &'a BackupReport, name: &'a str, elapsed: Duration) -> Summary<'a> {
    let statistics = &report.statistics;
    let of_collection = |it: &'a esker_engine::format::commit::Collection| CollectionSummary {
        collection: &it.name,
        completeness: &it.completeness,
    };
    Summary {
        kind: "summary",
        snapshot: report.snapshot.map(|id| id.to_hex()),
        parent: report.parent.map(|id| id.to_hex()),
        dry_run: report.snapshot.is_none(),
        source: name,
        status: report.status,
        new: statistics.new,
        changed: statistics.changed,
        deleted: statistics.deleted,
        unchanged: statistics.unchanged,
        bytes_read: statistics.bytes_read,
        bytes_added: statistics.bytes_added,
        objects_written: statistics.objects_written,
        new_objects: statistics.new_objects,
        new_bytes: statistics.new_bytes,
        requests: statistics.requests,
        seconds: elapsed.as_secs_f64(),
        problems: &report.problems,
        completeness: report.collections.iter().map(of_collection).collect(),
    }
}

/// The last line for people.
fn sentence(report: &BackupReport, name: &str, elapsed: Duration) -> String {
    let statistics = &report.statistics;
    let entries = statistics.new + statistics.changed + statistics.unchanged;
    let changes = format!(
        "{} new, {} changed, {} deleted of {}",
        text::count(statistics.new),
        text::count(statistics.changed),
        text::count(statistics.deleted),
        text::plural(entries, "entry", "entries"),
    );
    let read = text::bytes(statistics.bytes_read);
    let time = text::duration(elapsed);
    let Some(id) = report.snapshot else {
        let new = text::bytes(statistics.new_bytes);
        return format!(
            "dry run of {name}: {changes}; {read} read, {new} would be new before compression, {time} — nothing was stored"
        );
    };
    let status = match report.status {
        SnapshotStatus::Complete => "complete".into(),
        SnapshotStatus::Partial => {
            let problems = report.problems.len() as u64;
            format!("partial, {}", text::plural(problems, "problem", "problems"))
        }
    };
    let requests = match statistics.requests {
        0 => String::new(),
        requests => format!("{}, ", text::plural(requests, "request", "requests")),
    };
    format!(
        "snapshot {} of {name}: {changes}; {read} read, {} added in {}, {requests}{time} — {status}",
        id.short(),
        text::bytes(statistics.bytes_added),
        text::plural(statistics.objects_written, "object", "objects"),
    )
}
