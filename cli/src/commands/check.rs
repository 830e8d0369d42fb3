//! `esker check`

use esker_engine::ops::check::{CheckOptions, CheckReport, Finding, Proven, Share, check};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::open;
use crate::app::units::{self, parse_size};
use crate::error::CommandError;
use crate::ui::text;

/// Find out whether the repository is whole
///
/// Checks that everything that snapshots need is there. With --read-data every byte is read and verified too, or a share of all
/// bytes: what was not read for longest comes first, so that --read-data=1/30 every night reads everything in a month. Damage is
/// listed with what it hits and what to do; the exit code is then 3. What broken runs left behind is no damage.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Read and verify all data too, or so much of them: `10%`, `1/30`, `20GiB`
    #[arg(long, value_name = "SHARE", value_parser = parse_share, num_args = 0..=1, require_equals = true,
          default_missing_value = "100%")]
    read_data: Option<Share>,
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
    proven: &'a Proven,
    open_sessions: u64,
    unreferenced_packs: u64,
    notes: &'a [String],
}

/// A hundred per cent, in the smallest parts that can be asked for: 0.0001 %.
const PARTS_OF_ALL: u64 = 1_000_000;

/// Reads a number with up to four digits after the point, in such parts.
fn percent(text: &str) -> Option<u64> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || digits.len() > 4 || !is_number(whole) || !is_number(digits) {
        return None;
    }
    format!("{whole}{digits:0<4}").parse().ok()
}

/// Reads a share of the data: `10%`, `1/30` or `20GiB`.
fn parse_share(text: &str) -> Result<Share, String> {
    let wrong =
        || format!("`{text}` is no share of the data: write it like `10%`, `1/30` or `20GiB`");
    let part = |of: Option<u64>, parts: Option<u64>| match (of, parts) {
        (Some(of), Some(parts)) if (1..=parts).contains(&of) => Ok(Share::Part { of, parts }),
        _ => Err(wrong()),
    };
    let text = text.trim();
    if let Some(number) = text.strip_suffix('%') {
        return match part(percent(number.trim_end()), Some(PARTS_OF_ALL))? {
            Share::Part { of, parts } if of == parts => Ok(Share::All),
            share => Ok(share),
        };
    }
    if let Some((of, parts)) = text.split_once('/') {
        return part(of.trim().parse().ok(), parts.trim().parse().ok());
    }
    match parse_size(text) {
        Ok(bytes) if bytes > 0 => Ok(Share::Bytes(bytes)),
        _ => Err(wrong()),
    }
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
            return tell(&report, args.read_data, around);
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
    tell(&report, args.read_data, around)
}

fn tell(
    report: &CheckReport,
    read_data: Option<Share>,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
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
            proven: &report.proven,
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
            for line in sentences(report, read_data) {
                around.ui.line(&line)?;
            }
        }
    }
    Ok(if is_whole { Outcome::Done } else { Outcome::Problems })
}

/// How much of the data is proven, and since when.
fn proof(proven: &Proven) -> String {
    let since = proven.oldest.as_deref().map(units::local_time);
    match (proven.unproven_packs, since) {
        (0, None) => "there are no data".into(),
        (0, Some(since)) => format!("all data were proven since {since}"),
        (packs, since) => format!(
            "never proven: {}, {} of {}{}",
            text::plural(packs, "pack", "packs"),
            text::bytes(proven.unproven_bytes),
            text::bytes(proven.data_bytes),
            since.map_or_else(String::new, |since| format!("; all others since {since}")),
        ),
    }
}

fn sentences(report: &CheckReport, read_data: Option<Share>) -> Vec<String> {
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
    if read_data.is_some_and(|share| share != Share::All) {
        lines.push(proof(&report.proven));
    }
    let read = match report.bytes_read {
        0 => "data not read (`--read-data` reads them)".into(),
        bytes if bytes < report.proven.data_bytes => {
            format!(
                "{} of {} read and verified",
                text::bytes(bytes),
                text::bytes(report.proven.data_bytes)
            )
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_write_them() {
        for (text, expected) in [
            ("100%", Some(Share::All)),
            ("10%", Some(Share::Part { of: 100_000, parts: 1_000_000 })),
            ("2.5 %", Some(Share::Part { of: 25_000, parts: 1_000_000 })),
            ("1/30", Some(Share::Part { of: 1, parts: 30 })),
            ("1 / 30", Some(Share::Part { of: 1, parts: 30 })),
            ("20GiB", Some(Share::Bytes(20 << 30))),
            ("1", Some(Share::Bytes(1))),
            ("0", None),
            ("0%", None),
            ("0/3", None),
            ("1/0", None),
            ("4/3", None),
            ("101%", None),
            ("-1%", None),
            ("1.23456%", None),
            (".%", None),
            ("%", None),
            ("/", None),
            ("", None),
            ("half", None),
            ("99999999999999999999%", None),
        ] {
            assert_eq!(parse_share(text).ok(), expected, "{text}");
        }
    }
}
