//! `esker log`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use esker_engine::format::commit::SourceIdentity;
use esker_engine::id::SnapshotId;
use esker_engine::object::ReadObject;
use esker_engine::ops::diff::{ChangeKind, PathChange};
use esker_engine::ops::log::{Order, Version, log};
use esker_engine::repo::{History, Snapshot};
use serde::Serialize;

use super::{Surroundings, objects};
use crate::Outcome;
use crate::app::snapshot_name::{is_of_source, order};
use crate::app::units::local_time;
use crate::error::CommandError;
use crate::ui::change::{self, FieldValues};
use crate::ui::json::Array;
use crate::ui::text;

/// Of one version so many changed fields are shown without `--patch`.
const FIELDS_SHOWN: usize = 20;

/// Tell every version of an object, newest first
///
/// Each version is told with the snapshot that first shows it, and with what changed; of a folder, or of an issue by its key
/// (`esker log /ABC-7`), every version of what is below it. Forgotten snapshots are not looked at, so the oldest version may be
/// older than its snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// The path, as `esker ls` shows it
    #[arg(value_name = "/PATH")]
    path: OsString,
    /// Of this source: its name, identity or path; needed where the repository has several
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Tell the oldest version first
    #[arg(long)]
    reverse: bool,
    /// Show all changed fields of documents, however many
    #[arg(long, short)]
    patch: bool,
}

/// An element of `log --json`.
#[derive(Serialize)]
struct Listed<'a> {
    snapshot: SnapshotId,
    source: &'a str,
    time: &'a str,
    path: &'a str,
    change: ChangeKind,
    fields: &'a [String],
    values: Vec<FieldValues<'a>>,
    size: u64,
}

impl<'a> From<&'a Version<'_>> for Listed<'a> {
    fn from(Version { snapshot, change }: &'a Version<'_>) -> Self {
        Self {
            snapshot: snapshot.id,
            source: &snapshot.commit.source.name,
            time: &snapshot.commit.time,
            path: &change.path,
            change: change.change,
            fields: &change.fields,
            values: change.values.iter().map(FieldValues::from).collect(),
            size: change.sizes.1,
        }
    }
}

type Versions<'a, 'h> = &'a mut dyn Iterator<Item = Result<Version<'h>, CommandError>>;

pub(super) fn run(args: &LogArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let path = args.path.to_string_lossy();
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let snapshots = snapshots(args, &history)?;
    let what = format!("cannot follow `{path}`");
    let failed = |error| CommandError::engine(what.clone(), error);
    let reader: Arc<dyn ReadObject> = objects(&opened)?;
    let ctx = around.engine.quiet_context();
    let sequence = if args.reverse { Order::OldestFirst } else { Order::NewestFirst };
    let versions = log(&reader, &snapshots, args.path.as_bytes(), sequence, &ctx);
    let mut versions = versions
        .map_err(|error| failed(error).hint("a path is written as `esker ls latest` shows it"))?
        .map(|version| version.map_err(failed))
        .filter(|it| !it.as_ref().is_ok_and(|it| it.change.is_only_touched()))
        .peekable();
    if versions.peek().is_none() {
        return Err(CommandError::failed(format!("no snapshot has `{path}`")).hint(
            match snapshots.last() {
                Some(newest) => format!("list what is there with `esker ls {}`", newest.id.short()),
                None => "list the snapshots with `esker snapshots`".into(),
            },
        ));
    }
    if around.ui.is_json() {
        list(&mut versions, around)?;
    } else {
        tell(&mut versions, if args.patch { usize::MAX } else { FIELDS_SHOWN }, around)?;
    }
    Ok(Outcome::Done)
}

/// The snapshots of the source, oldest first.
fn snapshots<'h>(args: &LogArgs, history: &'h History) -> Result<Vec<&'h Snapshot>, CommandError> {
    let is_wanted = |it: &&Snapshot| {
        let source = args.source.as_deref();
        source.is_none_or(|source| is_of_source(source, &it.commit.source))
    };
    let mut snapshots: Vec<_> = history.visible().filter(is_wanted).collect();
    snapshots.sort_by(|a, b| order(a).cmp(&order(b)));
    let Some(first) = snapshots.first() else {
        return Err(match &args.source {
            Some(source) => CommandError::failed(format!("no snapshot is of a source `{source}`"))
                .hint("list the snapshots with `esker snapshots`"),
            None => CommandError::failed("the repository has no snapshots yet")
                .hint("make the first one with `esker backup FOLDER`"),
        });
    };
    let same = |it: &SourceIdentity| {
        let first = &first.commit.source;
        it.kind == first.kind && it.identity == first.identity
    };
    match snapshots.iter().find(|it| !same(&it.commit.source)) {
        Some(other) => Err(CommandError::usage("the repository has snapshots of several sources")
            .hint(format!(
                "say which one: `--source {}` or `--source {}`",
                first.commit.source.name, other.commit.source.name
            ))),
        None => Ok(snapshots),
    }
}

fn list(versions: Versions<'_, '_>, around: &Surroundings<'_>) -> Result<(), CommandError> {
    around.ui.with_out(|out| {
        let mut array = Array::begin(out);
        for version in versions {
            array.push(&Listed::from(&version?))?;
        }
        array.end()
    })
}

fn tell(
    versions: Versions<'_, '_>,
    most_fields: usize,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    let mut last = None;
    for version in versions {
        let Version { snapshot, change } = version?;
        if last != Some(snapshot.id) {
            if last.is_some() {
                around.ui.line("")?;
            }
            last = Some(snapshot.id);
            let (time, source) = (local_time(&snapshot.commit.time), &snapshot.commit.source.name);
            around.ui.line(&format!("snapshot {}  {time}  {source}", snapshot.id.short()))?;
        }
        for line in lines(&change, most_fields) {
            around.ui.line(&format!("  {line}"))?;
        }
    }
    Ok(())
}

/// The lines of a change, with the size of what is there now.
fn lines(change: &PathChange, most_fields: usize) -> Vec<String> {
    let mut lines = change::lines(change, most_fields);
    if change.change != ChangeKind::Removed
        && let Some(first) = lines.first_mut()
    {
        *first = format!("{first}, {}", text::bytes(change.sizes.1));
    }
    lines
}
