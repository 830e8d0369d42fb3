//! `esker backup`

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use esker_engine::context::RunContext;
use esker_engine::format::commit::{Collection, SnapshotStatus, StoredLedger};
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::ops::forget::{self, CalendarSpan};
use esker_engine::problem::Problem;
use esker_engine::source::{Completeness, CompletenessState, ScanMode};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::source::{self, SourceRequest};
use crate::app::units::{parse_size, parse_snapshot_time};
use crate::error::CommandError;
use crate::ui::text;

/// Of many objects that are gone so many are named.
const GONE_SHOWN: usize = 10;

/// Take a snapshot of folders and files, or of a Jira site
///
/// One folder is stored with its content at the top; several paths are one source, each under its full path. What was not
/// changed since the last snapshot of the same source (size, times and inode are as they were) is not read again.
///
/// A Jira site is named by its address, `jira:https://acme.atlassian.net`, and asked with JIRA_EMAIL and JIRA_API_TOKEN, or with
/// JIRA_BEARER_TOKEN. Issues are read again where the site says that they changed; what is gone is found by every run.
///
/// An interrupted backup keeps what it has stored, and the next one goes on from there.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// What to back up: a path, files:PATH, or jira:URL
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
    /// Let nothing forget the snapshot until then
    #[arg(long, value_name = "TIME", value_parser = parse_snapshot_time)]
    immutable_until: Option<Duration>,
    /// Let nothing forget the snapshot for so long from now, such as 90d or 7y
    #[arg(long, value_name = "SPAN", conflicts_with = "immutable_until")]
    immutable_for: Option<CalendarSpan>,
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
    /// Of a Jira site, back up only projects with such keys; * is any text, ! in front leaves out; may be repeated
    #[arg(long, value_name = "KEY")]
    project: Vec<String>,
    /// Accept plain HTTP elsewhere than on this machine
    #[arg(long)]
    insecure_http: bool,
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
    ledger: &'a StoredLedger,
}

#[derive(Serialize)]
struct CollectionSummary<'a> {
    collection: &'a str,
    #[serde(flatten)]
    completeness: &'a Completeness,
}

pub(super) fn run(args: &BackupArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let request = SourceRequest {
        sources: args.sources.clone(),
        stdin: args.stdin,
        stdin_name: args.stdin_name.clone(),
        files_from: args.files_from.clone(),
        files_from_nul: args.files_from_nul.clone(),
        exclude: args.exclude.clone(),
        exclude_file: args.exclude_file.clone(),
        one_file_system: args.one_file_system,
        projects: args.project.clone(),
        insecure_http: args.insecure_http,
    };
    let immutable_until = immutable_until(args, &around.engine.quiet_context())?;
    let source = source::open(&request, around.settings, around.engine)?;
    let opened = around.open()?;
    let name = source.describe().name;
    let options = BackupOptions {
        mode: if args.full { ScanMode::Full } else { ScanMode::Incremental },
        tags: args.tag.clone(),
        immutable_until,
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

/// Until when the snapshot shall be immutable.
fn immutable_until(args: &BackupArgs, ctx: &RunContext) -> Result<Option<Duration>, CommandError> {
    let wrong = |what: &str| {
        Err(CommandError::usage(what)
            .hint("name a time to come: `--immutable-for 90d` or `--immutable-until 2030-01-01`"))
    };
    match (args.immutable_until, args.immutable_for) {
        (Some(until), _) if until <= ctx.clock.now() => {
            wrong("a snapshot cannot be immutable until a time that is past")
        }
        (Some(until), _) => Ok(Some(until)),
        (None, Some(span)) => {
            let until = span.after(forget::now(ctx));
            match until.and_then(|until| Duration::try_from(until.as_duration()).ok()) {
                Some(until) => Ok(Some(until)),
                None => wrong("a snapshot cannot be immutable beyond the year 9999"),
            }
        }
        (None, None) => Ok(None),
    }
}

fn tell(
    report: &BackupReport,
    name: &str,
    elapsed: Duration,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    around.ui.problems(&report.problems);
    let parts = incomplete(&report.collections);
    around.ui.warnings(&parts, ("further part not complete", "further parts not complete"));
    for note in gone(&report.ledger) {
        around.ui.note(&note);
    }
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
    let of_collection = |it: &'a Collection| CollectionSummary {
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
        ledger: &report.ledger,
    }
}

/// A line for each part of the source that is not complete, where single problems do not say it.
fn incomplete(collections: &[Collection]) -> Vec<String> {
    let mut lines = Vec::new();
    for Collection { name, completeness, .. } in collections {
        let Completeness { state, expected, found, detail, parts } = completeness;
        let is_whole = |state| matches!(state, CompletenessState::Complete);
        let parts = parts.iter().filter(|part| !is_whole(part.state));
        let before = lines.len();
        lines.extend(parts.map(|it| seen(&it.name, it.expected, it.found, &it.detail)));
        let is_refused =
            matches!(state, CompletenessState::NotPermitted | CompletenessState::Failed);
        if is_refused && lines.len() == before {
            lines.push(seen(name, *expected, *found, detail));
        }
    }
    lines
}

/// `ABC: 17 of 520 seen — the account may not browse it`
fn seen(name: &str, expected: Option<u64>, found: u64, detail: &str) -> String {
    let of = expected.map_or_else(String::new, |all| format!(" of {}", text::count(all)));
    let why = if detail.is_empty() { String::new() } else { format!(" — {detail}") };
    format!("{name}: {}{of} seen{why}", text::count(found))
}

/// What the source found gone: the first names, and how many there are.
fn gone(ledger: &StoredLedger) -> impl Iterator<Item = String> {
    let line = |names: &[String], count: u64, what: &str| {
        let shown = &names[..names.len().min(GONE_SHOWN)];
        let further = match count.saturating_sub(shown.len() as u64) {
            0 => String::new(),
            further => format!(" and {} further", text::count(further)),
        };
        (count > 0).then(|| format!("{what}: {}{further}", shown.join(", ")))
    };
    let deleted = line(&ledger.deleted, ledger.deleted_count, "deleted");
    let vanished = line(&ledger.vanished, ledger.vanished_count, "vanished, deleted or hidden");
    deleted.into_iter().chain(vanished)
}

/// How many objects there are: of a Jira site its issues are named too, since each is several records.
fn objects(report: &BackupReport, entries: u64) -> String {
    match report.collections.iter().find(|it| it.name == "issues") {
        Some(issues) => format!(
            "{} ({})",
            text::plural(entries, "record", "records"),
            text::plural(issues.completeness.found, "issue", "issues")
        ),
        None => text::plural(entries, "entry", "entries"),
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
        objects(report, entries),
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
            let problems = text::plural(problems, "problem", "problems");
            match incomplete(&report.collections).len() as u64 {
                0 => format!("partial, {problems}"),
                parts => {
                    let parts = text::plural(parts, "part", "parts");
                    format!("partial, {problems}, {parts} not complete")
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use esker_engine::source::{Ledger, PartCompleteness};

    #[test]
    fn parts_that_are_not_complete_get_a_line() {
        let collection = |state, parts| Collection {
            name: "issues".into(),
            root: None,
            cursor: None,
            completeness: Completeness {
                state,
                expected: None,
                found: 3,
                detail: "refused".into(),
                parts,
            },
        };
        let part = PartCompleteness {
            name: "ABC".into(),
            state: CompletenessState::NotPermitted,
            expected: Some(1_520),
            found: 17,
            detail: "the account may not browse it".into(),
        };
        let check = |state, parts, expected: &[&str]| {
            assert_eq!(incomplete(&[collection(state, parts)]), expected);
        };
        check(CompletenessState::Complete, Vec::new(), &[]);
        // Problems say what is missing.
        check(CompletenessState::Partial, Vec::new(), &[]);
        check(CompletenessState::NotPermitted, Vec::new(), &["issues: 3 seen — refused"]);
        let line = "ABC: 17 of 1,520 seen — the account may not browse it";
        check(CompletenessState::Partial, vec![part.clone()], &[line]);
        check(CompletenessState::Failed, vec![part], &[line]);
    }

    #[test]
    fn what_is_gone_is_named_as_far_as_it_fits() {
        let names = |count: usize| (0..count).map(|number| format!("A-{number}")).collect();
        let lines = |deleted, vanished| -> Vec<String> {
            gone(&StoredLedger::from(&Ledger { deleted, vanished })).collect()
        };
        assert!(lines(names(0), names(0)).is_empty());
        assert_eq!(lines(names(2), names(0)), ["deleted: A-0, A-1"]);
        let many = lines(names(0), names(1_500));
        assert_eq!(many.len(), 1);
        assert!(many[0].starts_with("vanished, deleted or hidden: A-0, "), "{many:?}");
        assert!(many[0].ends_with("A-9 and 1,490 further"), "{many:?}");
    }
}
