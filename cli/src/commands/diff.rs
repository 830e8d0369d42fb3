//! `esker diff`

use std::ffi::OsString;
use std::sync::Arc;

use esker_engine::object::ReadObject;
use esker_engine::ops::diff::{ChangeKind, PathChange, diff};
use esker_engine::repo::Snapshot;
use serde::Serialize;

use super::{Surroundings, objects};
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::error::CommandError;
use crate::ui::change::{self, Counts, FieldValues};
use crate::ui::json::Array;
use crate::ui::text;

/// Of one object so many changed fields are shown; `--json` lists all.
const FIELDS_SHOWN: usize = 20;

/// Tell what changed between two snapshots
///
/// Of a JSON document the changed fields are told with their old and new values, of a file its content and what else is
/// known of it. Directories of which only times differ are left out. With a path, as in `A:/PATH B`, only what is below it is
/// compared.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The older snapshot, and perhaps a path
    #[arg(value_name = "A[:/PATH]")]
    older: OsString,
    /// The newer snapshot
    #[arg(value_name = "B[:/PATH]")]
    newer: OsString,
    /// Tell only how many objects changed, by folder and by field
    #[arg(long)]
    stat: bool,
    /// Tell of directories of which only times differ too
    #[arg(long)]
    times: bool,
}

/// An element of `diff --json`.
#[derive(Serialize)]
struct Listed<'a> {
    path: &'a str,
    change: ChangeKind,
    fields: &'a [String],
    values: Vec<FieldValues<'a>>,
}

type Changes<'a> = &'a mut dyn Iterator<Item = Result<PathChange, CommandError>>;

pub(super) fn run(args: &DiffArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let older = SnapshotName::parse(&args.older)?;
    let newer = SnapshotName::parse(&args.newer)?;
    let path = match (&older.path, &newer.path) {
        (Some(one), Some(other)) if one != other => {
            return Err(CommandError::usage("two different paths cannot be compared")
                .hint("give the same path to both snapshots, or to one of them"));
        }
        (Some(path), _) | (None, Some(path)) => path.clone(),
        (None, None) => b"/".to_vec(),
    };
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let (old, new) = (older.find(&history)?, newer.find(&history)?);
    let failed = |error| {
        CommandError::engine(format!("cannot compare `{}` and `{}`", older.text, newer.text), error)
    };
    let reader: Arc<dyn ReadObject> = objects(&opened)?;
    let ctx = around.engine.quiet_context();
    let changes = diff(&reader, old, new, &path, &ctx).map_err(failed)?;
    let mut changes = changes
        .map(|change| change.map_err(failed))
        .filter(|change| args.times || !change.as_ref().is_ok_and(PathChange::is_only_touched));
    match (args.stat, around.ui.is_json()) {
        (true, _) => count(&mut changes, new, around)?,
        (false, true) => list(&mut changes, around)?,
        (false, false) => tell(&mut changes, old, new, around)?,
    }
    Ok(Outcome::Done)
}

fn list(changes: Changes<'_>, around: &Surroundings<'_>) -> Result<(), CommandError> {
    around.ui.with_out(|out| {
        let mut array = Array::begin(out);
        for change in changes {
            let change = change?;
            array.push(&Listed {
                path: &change.path,
                change: change.change,
                fields: &change.fields,
                values: change.values.iter().map(FieldValues::from).collect(),
            })?;
        }
        array.end()
    })
}

fn tell(
    changes: Changes<'_>,
    old: &Snapshot,
    new: &Snapshot,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    let mut counts = Counts::default();
    for change in changes {
        let change = change?;
        counts.add(&change, has_collections(new));
        for line in change::lines(&change, FIELDS_SHOWN) {
            around.ui.line(&line)?;
        }
    }
    let common = counts.common_fields();
    if !common.is_empty() {
        around.ui.line("")?;
    }
    for line in common {
        around.ui.line(&line)?;
    }
    around.ui.flush()?;
    let [added, removed, modified] = counts.totals().map(text::count);
    around.ui.note(&format!(
        "{added} added, {removed} removed, {modified} modified from {} to {}",
        old.id.short(),
        new.id.short()
    ));
    Ok(())
}

fn count(
    changes: Changes<'_>,
    new: &Snapshot,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    let mut counts = Counts::default();
    for change in changes {
        counts.add(&change?, has_collections(new));
    }
    if around.ui.is_json() {
        return around.ui.json(&counts.counted());
    }
    for line in counts.lines() {
        around.ui.line(&line)?;
    }
    Ok(())
}

/// True where paths begin with a collection.
fn has_collections(snapshot: &Snapshot) -> bool {
    snapshot.commit.source.kind != "files"
}
