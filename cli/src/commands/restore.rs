//! `esker restore`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use esker_engine::id::SnapshotId;
use esker_engine::ops::key_of_path;
use esker_engine::ops::restore::{self, RestoreOptions, RestoreReport, RestoreTarget, restore};
use esker_engine::problem::Problem;
use esker_engine::repo::{History, Snapshot};
use esker_engine::sink;
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::selection;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::parse_size;
use crate::error::CommandError;
use crate::ui::text;

/// What happens to what is at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Overwrite {
    /// Keep it
    Never,
    /// Replace it unless kind, size and time of modification are as in the snapshot
    #[default]
    IfChanged,
    /// Replace it
    Always,
}

/// How documents, such as issues, are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Documents {
    /// For people: JSON with line ends and indentation
    #[default]
    Pretty,
    /// Byte for byte as they are stored
    Stored,
}

/// Bring back a snapshot, or paths of it, to a folder or an archive
///
/// The content of a snapshot of one folder comes directly into the target. A path comes back with the folders above it.
/// An interrupted restore is continued by the same command.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The snapshot, and perhaps a path in it; several paths may be given
    #[arg(value_name = "SNAPSHOT[:/PATH]", required = true)]
    snapshots: Vec<OsString>,
    /// Where to: a folder, new or not, or a new FILE.tar.zst
    #[arg(long, visible_alias = "target", short = 't', value_name = "DIR")]
    to: PathBuf,
    /// Restore only what matches, with all below it, in the syntax of .gitignore; may be repeated
    #[arg(long, short, value_name = "PATTERN")]
    include: Vec<String>,
    /// Leave out what matches; may be repeated
    #[arg(long, short, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// What happens to what is there already
    #[arg(long, value_enum, default_value_t)]
    overwrite: Overwrite,
    /// How documents of sources that have no files are written
    #[arg(long, value_enum, default_value_t)]
    documents: Documents,
    /// Tell what would be done, and write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Read everything back and compare it
    #[arg(long)]
    verify: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

/// The last line of `restore --json`.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    snapshot: SnapshotId,
    target: String,
    dry_run: bool,
    entries: u64,
    files: u64,
    directories: u64,
    bytes: u64,
    kept: u64,
    already: u64,
    verified: u64,
    seconds: f64,
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    planned: Vec<PlannedPath>,
}

#[derive(Serialize)]
struct PlannedPath {
    path: String,
    action: &'static str,
}

/// One snapshot and the keys that are wanted of it; no keys for all.
struct Wanted<'a> {
    snapshot: &'a Snapshot,
    paths: Vec<Vec<u8>>,
}

pub(super) fn run(args: &RestoreArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let target = target(args)?;
    let names = args.snapshots.iter().map(|name| SnapshotName::parse(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let select = selection::select(&args.include, &args.exclude)?;
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let wanted = gather(&names, &history)?;
    if wanted.len() > 1 && matches!(target, RestoreTarget::Archive(_)) {
        return Err(CommandError::usage("several snapshots cannot go into one archive")
            .hint("restore one after another, each `--to` a file of its own"));
    }
    let mut outcome = Outcome::Done;
    for wanted in wanted {
        let options = RestoreOptions {
            paths: wanted.paths,
            select: select.clone(),
            overwrite: match args.overwrite {
                Overwrite::Never => sink::Overwrite::Never,
                Overwrite::IfChanged => sink::Overwrite::IfChanged,
                Overwrite::Always => sink::Overwrite::Always,
            },
            documents: match args.documents {
                Documents::Pretty => restore::Documents::Pretty,
                Documents::Stored => restore::Documents::Stored,
            },
            dry_run: args.dry_run,
            verify: args.verify,
            memory: args.memory,
            ..RestoreOptions::default()
        };
        let what = format!(
            "cannot restore snapshot {} to `{}`",
            wanted.snapshot.id.short(),
            args.to.display()
        );
        let started = Instant::now();
        let progress = around.ui.progress(&format!("to {}", args.to.display()));
        let ctx = around.engine.context(progress.clone());
        let ended = restore(&opened.repository, wanted.snapshot, &target, &options, &ctx);
        progress.end();
        let report = ended.map_err(|error| {
            let failed = CommandError::engine(what, error);
            if failed.is_interruption() {
                failed.hint("the same command again goes on where this one ended")
            } else {
                failed
            }
        })?;
        tell(&report, wanted.snapshot, args, started.elapsed(), around)?;
        if !report.problems.is_empty() {
            outcome = Outcome::Problems;
        }
    }
    Ok(outcome)
}

fn target(args: &RestoreArgs) -> Result<RestoreTarget, CommandError> {
    let name = args.to.to_string_lossy();
    if name.is_empty() {
        return Err(
            CommandError::usage("the target has no name").hint("name a folder: `--to /tmp/back`")
        );
    }
    if name.starts_with("jira:") {
        return Err(CommandError::usage(format!("this version cannot restore to `{name}`"))
            .hint("restore to a folder: `--to /tmp/back`"));
    }
    Ok(if name.ends_with(".tar.zst") && !args.to.is_dir() {
        RestoreTarget::Archive(args.to.clone())
    } else {
        RestoreTarget::Directory(args.to.clone())
    })
}

/// Joins the paths of each snapshot.
fn gather<'a>(
    names: &[SnapshotName],
    history: &'a History,
) -> Result<Vec<Wanted<'a>>, CommandError> {
    let mut wanted: Vec<Wanted<'a>> = Vec::new();
    for name in names {
        let snapshot = name.find(history)?;
        let kind = &snapshot.commit.source.kind;
        let key = key_of_path(kind, name.path_or_top()).map_err(|error| {
            CommandError::engine(format!("cannot restore `{}`", name.text), error)
        })?;
        match wanted.iter_mut().find(|it| it.snapshot.id == snapshot.id) {
            // All of it was asked for already.
            Some(known) if known.paths.is_empty() => {}
            Some(known) if key.is_empty() => known.paths.clear(),
            Some(known) => known.paths.push(key),
            None => wanted.push(Wanted {
                snapshot,
                paths: Some(key).into_iter().filter(|key| !key.is_empty()).collect(),
            }),
        }
    }
    Ok(wanted)
}

fn tell(
    report: &RestoreReport,
    snapshot: &Snapshot,
    args: &RestoreArgs,
    elapsed: Duration,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    around.ui.problems(&report.problems);
    if around.ui.is_json() {
        let planned =
            report.planned.iter().map(|(path, action)| PlannedPath { path: shown(path), action });
        return around.ui.json(&Summary {
            kind: "summary",
            snapshot: snapshot.id,
            target: args.to.display().to_string(),
            dry_run: args.dry_run,
            entries: report.entries,
            files: report.files,
            directories: report.directories,
            bytes: report.bytes,
            kept: report.kept,
            already: report.already,
            verified: report.verified,
            seconds: elapsed.as_secs_f64(),
            problems: &report.problems,
            planned: planned.collect(),
        });
    }
    for (path, action) in &report.planned {
        around.ui.line(&format!("{action:8} {}", shown(path)))?;
    }
    if around.ui.is_quiet() {
        return Ok(());
    }
    around.ui.line(&sentence(report, snapshot, args, elapsed))
}

/// A path as it is named everywhere else.
fn shown(path: &sink::EntryPath) -> String {
    if path.is_root() { "/".into() } else { format!("/{path}") }
}

fn sentence(
    report: &RestoreReport,
    snapshot: &Snapshot,
    args: &RestoreArgs,
    elapsed: Duration,
) -> String {
    let (id, target) = (snapshot.id.short(), args.to.display());
    let entries = text::plural(report.entries, "entry", "entries");
    let files = text::plural(report.files, "file", "files");
    if args.dry_run {
        return format!(
            "dry run: {entries}, {files} of them, {} of snapshot {id} would go to `{target}` — nothing was written",
            text::bytes(report.bytes)
        );
    }
    let mut parts = vec![format!("{} written", text::bytes(report.bytes))];
    let figures = [
        (report.already, "there already"),
        (report.kept, "kept as they were"),
        (report.verified, "read back and equal"),
    ];
    for (figure, what) in figures.into_iter().filter(|(figure, _)| *figure > 0) {
        parts.push(format!("{} {what}", text::count(figure)));
    }
    let status = match report.problems.len() as u64 {
        0 => "complete".into(),
        problems => text::plural(problems, "problem", "problems"),
    };
    format!(
        "snapshot {id} restored to `{target}`: {entries}, {files} of them; {}, {} — {status}",
        parts.join(", "),
        text::duration(elapsed)
    )
}
