//! The story on one screen.

use std::path::Path;
use std::time::Duration;

use super::damage::shown;
use super::stage::Stage;
use super::story::{Day, Story};
use crate::ui::table::Table;
use crate::ui::text;

/// Columns that the text takes.
const WIDTH: usize = 100;
/// Columns of the words that paragraphs begin with.
const LABEL: usize = 9;
/// Of the issues that are gone so many are named.
const GONE_NAMED: usize = 4;

/// The lines of the story.
pub(super) fn lines(story: &Story, stage: &Stage) -> Vec<String> {
    let mut lines = paragraph("", &opening(story));
    lines.push(String::new());
    lines.extend(table(story));
    lines.push(String::new());
    for (label, text) in damage(story).into_iter().chain(repair(story)) {
        lines.extend(paragraph(&format!("{label:LABEL$}"), &text));
    }
    lines.push(String::new());
    lines.extend(farewell(story, stage));
    lines
}

/// Keeps two words on one line.
const GLUE: &str = "\u{a0}";

/// A text in lines that are not too wide; the first begins with a label, the others with as much space.
fn paragraph(label: &str, text: &str) -> Vec<String> {
    let indent = label.chars().count();
    let mut lines = vec![label.to_owned()];
    let mut width = indent;
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > indent && width + 1 + length > WIDTH {
            lines.push(" ".repeat(indent));
            width = indent;
        }
        if let Some(line) = lines.last_mut() {
            if width > indent {
                line.push(' ');
                width += 1;
            }
            line.push_str(&word.replace(GLUE, " "));
            width += length;
        }
    }
    lines
}

fn opening(story: &Story) -> String {
    let site = &story.site;
    format!(
        "A simulated Jira site on this machine ({} projects, {} issues, {} comments, {} attachments), \
         backed up every evening by its REST API, like a real one:",
        site.projects,
        text::count(site.issues),
        text::count(site.comments),
        site.attachments,
    )
}

fn table(story: &Story) -> Vec<String> {
    let titles = ["evening", "issues on the site", "requests", "read", "stored", "objects", "time"];
    let mut table = Table::new(titles).right(&[2, 3, 4, 5, 6]);
    for (place, day) in story.days.iter().enumerate() {
        let what = match place {
            0 => "the first backup reads all of them".to_owned(),
            place if place + 1 == story.days.len() => {
                "a day like the others, and a mishap".to_owned()
            }
            _ => day_of_work(day),
        };
        table.row([
            day.evening.clone(),
            what,
            text::count(day.requests),
            text::bytes(day.bytes_read),
            text::bytes(day.bytes_added),
            text::count(day.objects_written),
            seconds(day.seconds),
        ]);
    }
    table.lines()
}

/// `57 edited, 12 new, 1 deleted; 6 new files`
fn day_of_work(day: &Day) -> String {
    let happened = day.happened;
    format!(
        "{} edited, {} new, {} deleted; {}",
        text::count(happened.changed),
        text::count(happened.new),
        text::count(happened.gone),
        text::plural(day.new_attachments, "new file", "new files"),
    )
}

type Paragraph = (&'static str, String);

/// What the difference between the last two snapshots says.
fn damage(story: &Story) -> [Paragraph; 4] {
    let (damage, overwritten) = (&story.damage, &story.damage.overwritten);
    let named: Vec<_> = damage.gone.iter().take(GONE_NAMED).map(String::as_str).collect();
    let further = damage.gone.len().saturating_sub(GONE_NAMED);
    let examples = overwritten.examples.iter().map(|it| {
        let (old, new) = (shown(it.old.as_ref()), shown(it.new.as_ref()));
        format!("{} {old} → {new}", it.issue).replace(' ', GLUE)
    });
    let versions = story.history.versions.iter();
    let versions = versions.map(|it| format!("{} {}", weekday(&it.evening), it.what));
    [
        (
            "Damage",
            format!(
                "`esker diff` of the last two snapshots shows, beside {} of usual work:",
                text::plural(damage.otherwise_changed, "issue", "issues"),
            ),
        ),
        (
            "",
            format!(
                "{} are gone, with {}: {}{}",
                text::plural(damage.gone.len() as u64, "issue", "issues"),
                text::plural(damage.gone_attachments, "attachment", "attachments"),
                named.join(", "),
                if further > 0 { format!(" and {further} further") } else { String::new() },
            ),
        ),
        (
            "",
            format!(
                "{} of {} have another {}: {}",
                text::plural(overwritten.issues.len() as u64, "issue", "issues"),
                overwritten.project,
                overwritten.name,
                examples.collect::<Vec<_>>().join(", "),
            ),
        ),
        (
            "History",
            format!("{}: {}", story.history.issue, versions.collect::<Vec<_>>().join("; ")),
        ),
    ]
}

fn repair(story: &Story) -> [Paragraph; 3] {
    let (restore, compared) = (&story.restore, &story.restore.compared);
    let equal = if compared.differences.is_empty() { "what" } else { "NOT what" };
    let whole = if story.check.findings == 0 { "no damage" } else { "DAMAGED" };
    let site_bytes = story.days.first().map_or(0, |day| day.bytes_read);
    let usual_days = story.days.get(1..story.days.len().saturating_sub(1)).unwrap_or_default();
    let added: u64 = usual_days.iter().map(|day| day.bytes_added).sum();
    let usual_day = added / (usual_days.len() as u64).max(1);
    [
        (
            "Restore",
            format!(
                "the {} issues of the evening before: {}, {} in {}. Their fields, {} comments, {} worklogs, {} \
                 changes and {} attachments (byte for byte) are {equal} the site had",
                compared.issues,
                text::plural(restore.files, "file", "files"),
                text::bytes(restore.bytes),
                seconds(restore.seconds),
                compared.comments,
                compared.worklogs,
                compared.history_entries,
                compared.attachments,
            ),
        ),
        (
            "Check",
            format!(
                "every byte of the repository read and verified ({}): {whole}",
                text::bytes(story.check.bytes_read),
            ),
        ),
        (
            "Kept",
            format!(
                "{} full snapshots of {} each, encrypted, in {}; a usual day adds {}",
                story.days.len(),
                text::bytes(site_bytes),
                text::bytes(story.repository_bytes),
                text::bytes(usual_day),
            ),
        ),
    ]
}

fn farewell(story: &Story, stage: &Stage) -> Vec<String> {
    let took = seconds(story.seconds);
    match stage {
        Stage::Temporary(_) => vec![
            format!("It took {took} and leaves nothing behind. The same with your own site:"),
            "  export ESKER_REPO=/backups/jira ESKER_KEY_FILE=~/esker.key JIRA_EMAIL=… JIRA_API_TOKEN=…".into(),
            "  esker init; esker backup jira:https://acme.atlassian.net    # every evening".into(),
            "  esker diff OLDER NEWER; esker log /ABC-7; esker restore OLDER:/ABC-7 --to FOLDER".into(),
        ],
        Stage::Kept(_) => vec![
            format!("It took {took}. The repository, its key file and what was restored are kept:"),
            format!(
                "  export ESKER_REPO={} ESKER_KEY_FILE={}",
                quoted(&stage.repository()),
                quoted(&stage.key())
            ),
            format!(
                "  esker snapshots; esker diff --stat {}; esker log /{}",
                last_two(story),
                story.history.issue
            ),
            format!("  ls {}/issues/*", quoted(&stage.restored())),
        ],
    }
}

/// The ids of the last two snapshots, shortened.
fn last_two(story: &Story) -> String {
    let ids: Vec<_> = story.days.iter().map(Day::short_id).collect();
    ids[ids.len().saturating_sub(2)..].join(" ")
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// `Mon` of `Mon 2 Mar`
fn weekday(evening: &str) -> &str {
    evening.split(' ').next().unwrap_or(evening)
}

fn seconds(seconds: f64) -> String {
    text::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_within_the_screen() {
        let text = ["word"; 60].join(" ");
        let lines = paragraph("Damage   ", &text);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        assert!(lines[0].starts_with("Damage   word word"));
        assert!(lines[1].starts_with("         word"));
        let words: Vec<_> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert_eq!(words.len(), 61);
        // What has no spaces is not torn.
        let long = "x".repeat(200);
        assert_eq!(paragraph("", &long), [long]);
    }

    #[test]
    fn paths_can_be_typed_as_they_are_told() {
        assert_eq!(quoted(Path::new("/tmp/a-b_1.c")), "/tmp/a-b_1.c");
        assert_eq!(quoted(Path::new("/tmp/it's me")), r"'/tmp/it'\''s me'");
    }
}
