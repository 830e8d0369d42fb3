//! `esker stats`

use esker_engine::ops::stats::{Stats, stats};

use super::Surroundings;
use crate::Outcome;
use crate::app::units::local_time;
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;

/// Tell how much the repository holds
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {}

pub(super) fn run(_: &StatsArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let opened = around.open()?;
    let stats = stats(&opened.repository).map_err(|error| {
        CommandError::engine(format!("cannot measure the repository at `{}`", opened.url), error)
    })?;
    if around.ui.is_json() {
        around.ui.json(&stats)?;
        return Ok(Outcome::Done);
    }
    for line in lines(&stats) {
        around.ui.line(&line)?;
    }
    Ok(Outcome::Done)
}

/// When what was condemned goes.
fn going(stats: &Stats) -> String {
    match &stats.condemned_until {
        None => "the next `esker prune` deletes them".into(),
        Some(until) => format!(
            "`esker prune` deletes them when {} ended, at the latest after {}",
            text::plural(stats.condemned_waits_for, "session has", "older sessions have"),
            local_time(until)
        ),
    }
}

fn lines(stats: &Stats) -> Vec<String> {
    let ratio =
        if stats.raw_bytes == 0 { 1.0 } else { stats.raw_bytes as f64 / stats.stored_bytes as f64 };
    let mut lines = vec![
        format!("stored     {}", text::bytes(stats.stored_bytes)),
        format!(
            "raw        {} in {}, before compression ({ratio:.2} : 1)",
            text::bytes(stats.raw_bytes),
            text::plural(stats.objects, "different object", "different objects")
        ),
        format!("packs      {}", text::count(stats.packs)),
        format!(
            "pending    {} of {}",
            text::bytes(stats.pending_bytes),
            text::plural(
                stats.open_sessions,
                "backup that has not ended",
                "backups that have not ended"
            )
        ),
        format!(
            "snapshots  {}, and {} forgotten whose space `esker prune` frees",
            text::count(stats.snapshots),
            text::count(stats.forgotten)
        ),
    ];
    if stats.condemned_bytes > 0 {
        lines.push(format!("condemned  {}: {}", text::bytes(stats.condemned_bytes), going(stats)));
    }
    lines.push(String::new());
    let mut sources =
        Table::new(["source", "snapshots", "entries", "added", "newest"]).right(&[1, 2, 3]);
    for (name, source) in &stats.sources {
        sources.row([
            name.clone(),
            text::count(source.snapshots),
            text::count(source.entries),
            text::bytes(source.bytes_added),
            local_time(&source.newest),
        ]);
    }
    let mut kinds = Table::new(["kind", "objects", "bytes"]).right(&[1, 2]);
    for (name, stored) in &stats.kinds {
        kinds.row([name.clone(), text::count(stored.count), text::bytes(stored.bytes)]);
    }
    if !stats.sources.is_empty() {
        lines.extend(sources.lines());
        lines.push(String::new());
    }
    lines.extend(kinds.lines());
    lines
}
