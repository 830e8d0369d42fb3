//! `esker diff`

use std::ffi::OsString;
use std::sync::Arc;

use esker_engine::object::ReadObject;
use esker_engine::ops::diff::{ChangeKind, PathChange, diff};
use serde::Serialize;

use super::{Surroundings, objects};
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::error::CommandError;
use crate::ui::json::Array;
use crate::ui::text;

/// Tell what changed between two snapshots
///
/// Of a JSON document the changed fields are named, of a file its content and what else is known of it. Directories of which
/// only times differ are left out. With a path, as in `A:/PATH B`, only what is below it is compared.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The older snapshot, and perhaps a path
    #[arg(value_name = "A[:/PATH]")]
    older: OsString,
    /// The newer snapshot
    #[arg(value_name = "B[:/PATH]")]
    newer: OsString,
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
}

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
    let changes = changes
        .map(|change| change.map_err(failed))
        .filter(|change| args.times || !change.as_ref().is_ok_and(PathChange::is_only_touched));
    if around.ui.is_json() {
        around.ui.with_out(|out| {
            let mut array = Array::begin(out);
            for change in changes {
                let change = change?;
                array.push(&Listed {
                    path: &change.path,
                    change: change.change,
                    fields: &change.fields,
                })?;
            }
            array.end()
        })?;
        return Ok(Outcome::Done);
    }
    let mut counts = [0u64; 3];
    for change in changes {
        let change = change?;
        counts[change.change as usize] += 1;
        around.ui.line(&line(&change))?;
    }
    around.ui.flush()?;
    let [added, removed, modified] = counts.map(text::count);
    around.ui.note(&format!(
        "{added} added, {removed} removed, {modified} modified from {} to {}",
        old.id.short(),
        new.id.short()
    ));
    Ok(Outcome::Done)
}

fn line(change: &PathChange) -> String {
    match change.change {
        ChangeKind::Added => format!("added     {}", change.path),
        ChangeKind::Removed => format!("removed   {}", change.path),
        ChangeKind::Modified => {
            format!("modified  {} ({})", change.path, change.fields.join(", "))
        }
    }
}
