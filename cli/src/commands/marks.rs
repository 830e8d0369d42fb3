//! `esker tag`, `esker hold`, `esker release` and `esker undelete`: what is said about snapshots later.

use std::ffi::OsString;

use esker_engine::format::commit::MarkAction;
use esker_engine::format::name::SessionName;
use esker_engine::id::SnapshotId;
use esker_engine::ops::forget;
use esker_engine::repo::{History, Snapshot};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::open::Opened;
use crate::app::snapshot_name::SnapshotName;
use crate::error::CommandError;

/// Give a snapshot tags, or take them away
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["tags", "add", "remove"]))]
pub(crate) struct TagArgs {
    /// Which snapshot
    #[arg(value_name = "SNAPSHOT")]
    snapshot: OsString,
    /// Tags that it gets
    #[arg(value_name = "TAG")]
    tags: Vec<String>,
    /// A tag that it gets; may be repeated
    #[arg(long, value_name = "TAG")]
    add: Vec<String>,
    /// A tag that it loses; may be repeated
    #[arg(long, value_name = "TAG")]
    remove: Vec<String>,
}

/// Hold snapshots: they are not forgotten until they are released
#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    /// Which snapshots
    #[arg(value_name = "SNAPSHOT", required = true)]
    snapshots: Vec<OsString>,
    /// Why, for whoever meets it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Release held snapshots: they may be forgotten again
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// Which snapshots
    #[arg(value_name = "SNAPSHOT", required = true)]
    snapshots: Vec<OsString>,
}

/// Bring forgotten snapshots back, as long as their data are there
///
/// `esker snapshots --forgotten` lists them.
#[derive(Debug, clap::Args)]
pub(crate) struct UndeleteArgs {
    /// Which snapshots: ids, or how they begin
    #[arg(value_name = "SNAPSHOT", required = true)]
    snapshots: Vec<OsString>,
}

/// An element of what these commands print as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    id: SnapshotId,
    tags: &'a [String],
    holds: &'a [String],
}

pub(super) fn tag(args: &TagArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let add: Vec<_> = args.tags.iter().chain(&args.add).collect();
    if let Some(odd) = add.iter().find(|tag| tag.trim().is_empty()) {
        return Err(CommandError::usage(format!("`{odd}` is no tag"))
            .hint("a tag is a word: `esker tag latest monthly`"));
    }
    let (opened, history, snapshots) =
        find(std::slice::from_ref(&args.snapshot), SnapshotName::find, around)?;
    let slots = slots(&snapshots, &history);
    for tag in add {
        mark(MarkAction::Tag, &slots, Some(tag), &opened, around)?;
    }
    for tag in &args.remove {
        mark(MarkAction::Untag, &slots, Some(tag), &opened, around)?;
    }
    tell(&snapshots, "", &opened, around)
}

pub(super) fn hold(args: &HoldArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let (opened, history, snapshots) = find(&args.snapshots, SnapshotName::find, around)?;
    let slots = slots(&snapshots, &history);
    let reason = args.reason.as_deref();
    mark(MarkAction::Hold, &slots, reason, &opened, around)?;
    tell(&snapshots, "", &opened, around)
}

pub(super) fn release(
    args: &ReleaseArgs,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let (opened, history, snapshots) = find(&args.snapshots, SnapshotName::find, around)?;
    let slots = slots(&snapshots, &history);
    mark(MarkAction::Release, &slots, None, &opened, around)?;
    tell(&snapshots, "", &opened, around)
}

pub(super) fn undelete(
    args: &UndeleteArgs,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let (opened, history, snapshots) = find(&args.snapshots, SnapshotName::find_forgotten, around)?;
    let slots = slots(&snapshots, &history);
    let ctx = around.engine.quiet_context();
    forget::undelete(&opened.repository, &slots, &ctx).map_err(|error| {
        CommandError::engine(format!("cannot bring back snapshots of `{}`", opened.url), error)
    })?;
    tell(&snapshots, " is back", &opened, around)
}

/// How a name finds a snapshot.
type Finder = for<'a> fn(&SnapshotName, &'a History) -> Result<&'a Snapshot, CommandError>;

fn find(
    names: &[OsString],
    finder: Finder,
    around: &Surroundings<'_>,
) -> Result<(Opened, History, Vec<SnapshotId>), CommandError> {
    let names = names.iter().map(|name| SnapshotName::parse(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let mut found = Vec::new();
    for name in &names {
        let id = finder(name, &history)?.id;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok((opened, history, found))
}

fn slots(ids: &[SnapshotId], history: &History) -> Vec<SessionName> {
    let meant = |it: &&Snapshot| ids.contains(&it.id);
    history.snapshots.iter().filter(meant).map(|it| it.slot).collect()
}

fn mark(
    action: MarkAction,
    slots: &[SessionName],
    tag: Option<&str>,
    opened: &Opened,
    around: &Surroundings<'_>,
) -> Result<(), CommandError> {
    let ctx = around.engine.quiet_context();
    let marked = opened.repository.mark(action, slots, tag, &ctx);
    marked.map_err(|error| {
        CommandError::engine(format!("cannot mark snapshots of `{}`", opened.url), error)
    })
}

/// Tells what became of the snapshots and how they are marked now.
fn tell(
    ids: &[SnapshotId],
    became: &str,
    opened: &Opened,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let history = around.history(opened)?;
    let marked: Vec<_> = history.visible().filter(|it| ids.contains(&it.id)).collect();
    if around.ui.is_json() {
        let listed: Vec<_> = marked
            .iter()
            .map(|it| Listed { id: it.id, tags: &it.tags, holds: &it.holds })
            .collect();
        around.ui.json(&listed)?;
        return Ok(Outcome::Done);
    }
    if around.ui.is_quiet() {
        return Ok(Outcome::Done);
    }
    for snapshot in marked {
        let tags = if snapshot.tags.is_empty() {
            "no tags".into()
        } else {
            format!("tags {}", snapshot.tags.join(", "))
        };
        let holds: Vec<_> = snapshot.holds.iter().filter(|it| !it.is_empty()).cloned().collect();
        let held = match (snapshot.holds.is_empty(), holds.is_empty()) {
            (true, _) => "not held".into(),
            (false, true) => "held".into(),
            (false, false) => format!("held: {}", holds.join("; ")),
        };
        around.ui.line(&format!("snapshot {}{became}: {tags}; {held}", snapshot.id.short()))?;
    }
    Ok(Outcome::Done)
}
