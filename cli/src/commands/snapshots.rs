//! `esker snapshots`

use esker_engine::format::commit::{SnapshotStatus, Statistics, StoredLedger};
use esker_engine::id::SnapshotId;
use esker_engine::ops::forget;
use esker_engine::repo::Snapshot;
use jiff::Timestamp;
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::snapshot_name::{is_of_source, order};
use crate::app::units::local_time;
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;

/// List the snapshots, oldest first
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotsArgs {
    /// Only those of this source: its name, identity or path
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only those with this tag; with all of them where repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Forgotten ones too
    #[arg(long)]
    all: bool,
    /// Only those that were forgotten
    #[arg(long, conflicts_with = "all")]
    forgotten: bool,
}

impl SnapshotsArgs {
    fn wants(&self, snapshot: &Snapshot) -> bool {
        let is_wanted = match (self.all, self.forgotten) {
            (true, _) => true,
            (false, forgotten) => snapshot.forgotten == forgotten,
        };
        is_wanted
            && !snapshot.commit.checkpoint
            && fits(snapshot, self.source.as_deref(), &self.tag)
    }
}

/// An element of `snapshots --json`.
#[derive(Serialize)]
struct Listed<'a> {
    id: SnapshotId,
    source: &'a str,
    kind: &'a str,
    identity: &'a str,
    time: &'a str,
    status: SnapshotStatus,
    tags: &'a [String],
    holds: &'a [String],
    immutable_until: Option<&'a str>,
    forgotten: bool,
    entries: u64,
    host: &'a str,
    stats: &'a Statistics,
    ledger: &'a StoredLedger,
}

fn entries(snapshot: &Snapshot) -> u64 {
    let roots = snapshot.commit.collections.iter().filter_map(|it| it.root);
    roots.map(|root| root.entries).sum()
}

impl<'a> From<&'a Snapshot> for Listed<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        let commit = &snapshot.commit;
        Self {
            id: snapshot.id,
            source: &commit.source.name,
            kind: &commit.source.kind,
            identity: &commit.source.identity,
            time: &commit.time,
            status: commit.status,
            tags: &snapshot.tags,
            holds: &snapshot.holds,
            immutable_until: commit.immutable_until.as_deref(),
            forgotten: snapshot.forgotten,
            entries: entries(snapshot),
            host: &commit.host,
            stats: &commit.statistics,
            ledger: &commit.ledger,
        }
    }
}

/// True for a snapshot of the source that has all of the tags.
pub(super) fn fits(snapshot: &Snapshot, source: Option<&str>, tags: &[String]) -> bool {
    source.is_none_or(|source| is_of_source(source, &snapshot.commit.source))
        && tags.iter().all(|tag| snapshot.tags.contains(tag))
}

pub(super) fn run(
    args: &SnapshotsArgs,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let mut snapshots: Vec<_> = history.snapshots.iter().filter(|it| args.wants(it)).collect();
    snapshots.sort_by(|a, b| order(a).cmp(&order(b)));
    if around.ui.is_json() {
        let listed: Vec<_> = snapshots.into_iter().map(Listed::from).collect();
        around.ui.json(&listed)?;
        return Ok(Outcome::Done);
    }
    if snapshots.is_empty() {
        let hint = if args.source.is_some() || !args.tag.is_empty() {
            "no snapshot is of that source and has those tags"
        } else if args.forgotten {
            "no snapshot is forgotten"
        } else {
            "no snapshots yet: make one with `esker backup FOLDER`"
        };
        around.ui.note(hint);
        return Ok(Outcome::Done);
    }
    let now = forget::now(&around.engine.quiet_context());
    let mut table =
        Table::new(["id", "time", "source", "entries", "added", "status", "tags"]).right(&[3, 4]);
    for snapshot in &snapshots {
        table.row(row(snapshot, now));
    }
    for line in table.lines() {
        around.ui.line(&line)?;
    }
    Ok(Outcome::Done)
}

fn row(snapshot: &Snapshot, now: Timestamp) -> [String; 7] {
    let commit = &snapshot.commit;
    let mut status = match commit.status {
        SnapshotStatus::Complete => "complete".to_owned(),
        SnapshotStatus::Partial => "partial".to_owned(),
    };
    for (is_so, word) in [
        (!snapshot.holds.is_empty(), ", held"),
        (forget::immutable_until(snapshot, now).is_some(), ", immutable"),
        (snapshot.forgotten, ", forgotten"),
    ] {
        status.push_str(if is_so { word } else { "" });
    }
    [
        snapshot.id.short(),
        local_time(&commit.time),
        commit.source.name.clone(),
        text::count(entries(snapshot)),
        text::bytes(commit.statistics.bytes_added),
        status,
        snapshot.tags.join(", "),
    ]
}
