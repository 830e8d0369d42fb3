//! Snapshots in which something is lost get one that holds what can be saved.

use std::sync::Arc;

use super::RepairOptions;
use super::commit::{Workshop, is_repaired};
use super::survey::Lost;
use crate::context::RunContext;
use crate::error::Error;
use crate::id::SnapshotId;
use crate::ops::check::examine;
use crate::problem::Problem;
use crate::repo::{Objects, RepoError, Repository, Snapshot};

/// So often a snapshot is made anew because its session was fenced.
const FENCED_ATTEMPTS: u32 = 3;

/// A snapshot in which something is lost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SnapshotRepair {
    /// Which.
    pub snapshot: SnapshotId,
    /// What people call its source.
    pub source: String,
    /// When it was taken: RFC 3339, UTC.
    pub time: String,
    /// The one that stands for it now; `None` after a dry run.
    pub repaired: Option<SnapshotId>,
    /// How many entries are lost.
    pub lost: u64,
    /// Which; the first ones, where there are very many.
    pub problems: Vec<Problem>,
}

/// What was, or would be, repaired.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SnapshotsReport {
    /// Snapshots that were looked at.
    pub examined: u64,
    /// Those for which another one stands already.
    pub skipped: Vec<SnapshotId>,
    /// Those in which something is lost.
    pub repairs: Vec<SnapshotRepair>,
    /// Commits that cannot be read themselves: what they held is not known.
    pub unreadable: Vec<String>,
}

/// Reads all data, and makes a new snapshot for each visible one, or each of `wanted`, in which something is lost.
///
/// Nothing is deleted: the old snapshots stay as they are. Packs in which damage was found are remembered, so that the next
/// backups of this client store anew what their sources still have.
///
/// # Errors
/// If the store does not answer, or the repair is cancelled. Snapshots that were repaired before stay so.
pub fn snapshots(
    repository: &Arc<Repository>,
    wanted: &[SnapshotId],
    options: &RepairOptions,
    ctx: &RunContext,
) -> Result<SnapshotsReport, Error> {
    if !options.dry_run {
        repository.fence_dead_sessions(ctx)?;
    }
    let (history, damage) = examine(repository, &options.check_options(), ctx)?;
    let mut report = SnapshotsReport::default();
    let commits = history.damaged.iter().filter(|it| it.name.starts_with("commits/"));
    report.unreadable = commits.map(|it| it.name.clone()).collect();
    let workshop = Workshop { repository, damage: &damage, options, ctx };
    let sizes = options.check_options().cache_sizes();
    let objects = Arc::new(Objects::load(repository, sizes)?);
    for snapshot in history.visible() {
        if !wanted.is_empty() && !wanted.contains(&snapshot.id) {
            continue;
        }
        if is_repaired(&history, snapshot.id) {
            report.skipped.push(snapshot.id);
            continue;
        }
        report.examined += 1;
        report.repairs.extend(one(&workshop, &objects, snapshot)?);
    }
    Ok(report)
}

/// Looks at one snapshot, and makes it anew where something is lost.
fn one(
    workshop: &Workshop<'_>,
    objects: &Arc<Objects>,
    snapshot: &Snapshot,
) -> Result<Option<SnapshotRepair>, Error> {
    let commit = &snapshot.commit;
    let mut lost: Vec<Lost> = Vec::new();
    for collection in &commit.collections {
        lost.push(workshop.survey(objects, commit, &collection.name, &mut |_, _| Ok(()))?);
    }
    let entries = lost.iter().map(|lost| lost.entries).sum();
    if entries == 0 {
        return Ok(None);
    }
    let mut repair = SnapshotRepair {
        snapshot: snapshot.id,
        source: commit.source.name.clone(),
        time: commit.time.clone(),
        repaired: None,
        lost: entries,
        problems: lost
            .into_iter()
            .flat_map(|lost| lost.into_problems(&commit.source.name))
            .collect(),
    };
    if workshop.options.dry_run {
        return Ok(Some(repair));
    }
    let mut attempt = 1;
    let made = loop {
        match workshop.repair(snapshot.id) {
            Err(Error::Repo(RepoError::Fenced { .. })) if attempt < FENCED_ATTEMPTS => attempt += 1,
            made => break made?,
        }
    };
    // A collector, or another repair, may have been faster.
    let Some((id, problems, lost)) = made else {
        return Ok(None);
    };
    (repair.repaired, repair.problems, repair.lost) = (Some(id), problems, lost);
    Ok(Some(repair))
}
