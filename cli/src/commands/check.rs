//! `esker check`

use esker_engine::ops::check::{CheckOptions, CheckReport, Finding, check};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::open;
use crate::app::units::parse_size;
use crate::error::CommandError;
use crate::ui::text;

/// Find out whether the repository is whole
///
/// Checks that everything that snapshots need is there. With --read-data every byte is read and verified too. Damage is listed
/// with what it hits and what to do; the exit code is then 3. What broken runs left behind is no damage.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Read and verify all data too
    #[arg(long)]
    read_data: bool,
    /// Take about this much memory
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "256MiB")]
    memory: u64,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    status: &'static str,
    findings: &'a [Finding],
    snapshots: u64,
    packs: u64,
    objects: u64,
    bytes_read: u64,
    open_sessions: u64,
    unreferenced_packs: u64,
    notes: &'a [String],
}

pub(super) fn run(args: &CheckArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    // What keeps the repository from being opened is the first thing that a check should tell.
    let opened = match open::repository(around.settings, around.engine, around.ui) {
        Ok(opened) => opened,
        Err(error) => {
            let Some(object) = error.damaged_object() else {
                return Err(error);
            };
            let mut effect = vec!["nothing can be read: the repository does not open".to_owned()];
            effect.extend(error.parts().1.iter().cloned());
            let report = CheckReport {
                findings: vec![Finding {
                    object: object.to_owned(),
                    kind: "damaged".into(),
                    effect: effect.join(": "),
                    hint: "bring the object back from a copy of the repository".into(),
                }],
                ..CheckReport::default()
            };
            return tell(&report, around);
        }
    };
    let options =
        CheckOptions { read_data: args.read_data, memory: args.memory, ..CheckOptions::default() };
    let progress = around.ui.progress(&format!("checking {}", opened.url));
    let ctx = around.engine.context(progress.clone());
    let ended = check(&opened.repository, &options, &ctx);
    progress.end();
    let mut report = ended.map_err(|error| {
        CommandError::engine(format!("cannot check the repository at `{}`", opened.url), error)
    })?;
    if let Some(replaced) = &opened.replaced {
        report.findings.insert(
            0,
            Finding {
                object: "config".into(),
                kind: "replaced".into(),
                effect: replaced.effect(),
                hint: replaced.hint(),
            },
        );
    }
    tell(&report, around)
}

fn tell(report: &CheckReport, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    for note in &report.notes {
        around.ui.note(note);
    }
    let is_whole = report.findings.is_empty();
    if around.ui.is_json() {
        around.ui.json(&Summary {
            status: if is_whole { "ok" } else { "damaged" },
            findings: &report.findings,
            snapshots: report.snapshots,
            packs: report.packs,
            objects: report.objects,
            bytes_read: report.bytes_read,
            open_sessions: report.open_sessions,
            unreferenced_packs: report.unreferenced_packs,
            notes: &report.notes,
        })?;
    } else {
        for finding in &report.findings {
            let Finding { object, kind, effect, hint } = finding;
            around.ui.line(&format!("{object}: {kind}"))?;
            around.ui.line(&format!("  {effect}"))?;
            around.ui.line(&format!("  hint: {hint}"))?;
        }
        if !around.ui.is_quiet() {
            for line in sentences(report) {
                around.ui.line(&line)?;
            }
        }
    }
    Ok(if is_whole { Outcome::Done } else { Outcome::Problems })
}

fn sentences(report: &CheckReport) -> Vec<String> {
    let mut lines = Vec::new();
    if report.open_sessions > 0 {
        lines.push(format!(
            "{} open, or left behind by a broken run: no damage",
            text::plural(report.open_sessions, "session is", "sessions are")
        ));
    }
    if report.unreferenced_packs > 0 {
        lines.push(format!(
            "{} in no index, left behind by a broken run: no damage",
            text::plural(report.unreferenced_packs, "pack is", "packs are")
        ));
    }
    let read = match report.bytes_read {
        0 => "data not read (`--read-data` reads them)".into(),
        bytes => format!("{} read and verified", text::bytes(bytes)),
    };
    let verdict = match report.findings.len() as u64 {
        0 => "no damage".into(),
        findings => format!("DAMAGED, {}", text::plural(findings, "finding", "findings")),
    };
    lines.push(format!(
        "checked {}, {}, {}; {read} — {verdict}",
        text::plural(report.snapshots, "snapshot", "snapshots"),
        text::plural(report.packs, "pack", "packs"),
        text::plural(report.objects, "object", "objects"),
    ));
    lines
}
