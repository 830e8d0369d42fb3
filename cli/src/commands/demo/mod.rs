//! `esker demo`

mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use esker_engine::Error;
use esker_engine::object::ReadObject;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::ops::check::{CheckOptions, CheckReport, check};
use esker_engine::ops::diff::{ChangeKind, PathChange, diff};
use esker_engine::ops::restore::{RestoreOptions, RestoreTarget, restore};
use esker_engine::ops::stats::{Stats, stats};
use esker_engine::repo::{
    CacheSizes, Client, CreateOptions, Objects, Repository, Snapshot, Unlock,
};
use esker_engine::store::Store;
use esker_sources::filesystem::{FilesOptions, FilesSource};
use serde::Serialize;

use super::Surroundings;
use crate::Outcome;
use crate::app::units::{first_demo_day, hours_after};
use crate::error::CommandError;
use crate::ui::table::Table;
use crate::ui::text;
use folder::{Folder, LOST_PROJECT, OVERWRITTEN_FILE};

/// Days of the demonstration; the mishap is on the last one.
const DAYS: u64 = 5;

/// Show in a temporary folder what Esker does: days of backups, a mishap, what changed, restore, check
///
/// Needs no repository, no key and no network, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Make the folder and the repository in DIR, which must be new or empty, and keep them
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// One day, as told.
#[derive(Serialize)]
struct Day {
    #[serde(rename = "day")]
    number: u64,
    what: String,
    snapshot: String,
    entries: u64,
    bytes_read: u64,
    bytes_added: u64,
    objects_written: u64,
    seconds: f64,
}

/// What `demo --json` prints.
#[derive(Serialize)]
struct Story {
    days: Vec<Day>,
    source_bytes: u64,
    stored_bytes: u64,
    removed: u64,
    modified: Vec<String>,
    restored_files: u64,
    restored_bytes: u64,
    restore_seconds: f64,
    compared_equal: bool,
    check_findings: usize,
    check_bytes_read: u64,
    seconds: f64,
}

/// Where the demonstration takes place; temporary folders go with it.
enum Stage {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Stage {
    fn open(keep: Option<&Path>) -> Result<Self, CommandError> {
        let failed = |path: &Path, error: &std::io::Error| {
            CommandError::failed(format!("cannot use the folder `{}`", path.display()))
                .caused_by(error)
                .hint("name a new or empty folder: `esker demo --keep /tmp/esker-demo`")
        };
        let Some(keep) = keep else {
            let made = tempfile::Builder::new().prefix("esker-demo-").tempdir();
            return made.map(Self::Temporary).map_err(|error| {
                CommandError::failed("cannot make a temporary folder")
                    .caused_by(&error)
                    .hint("name a folder that you may write to: `TMPDIR=DIR esker demo`")
            });
        };
        std::fs::create_dir_all(keep).map_err(|error| failed(keep, &error))?;
        let mut found = std::fs::read_dir(keep).map_err(|error| failed(keep, &error))?;
        if found.next().is_some() {
            return Err(failed(keep, &std::io::Error::other("it is not empty")));
        }
        std::path::absolute(keep).map(Self::Kept).map_err(|error| failed(keep, &error))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

fn failed(what: &str) -> impl Fn(std::io::Error) -> CommandError {
    let what = what.to_owned();
    move |error| {
        let failed = CommandError::failed(&what).caused_by(&error);
        match error.kind() {
            std::io::ErrorKind::StorageFull => failed
                .hint("about 100 MiB are needed: `TMPDIR=DIR esker demo` takes another folder"),
            _ => failed.hint("name another folder: `TMPDIR=DIR esker demo`"),
        }
    }
}

pub(super) fn run(args: &DemoArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let started = Instant::now();
    let stage = Stage::open(args.keep.as_deref())?;
    let demo = Demo::begin(&stage, around)?;
    let (mut folder, mut days) = demo.first_day()?;
    for day in 2..DAYS {
        let what =
            folder.work(day).map_err(failed("cannot change the folder of the demonstration"))?;
        days.push(demo.back_up(&folder, day, what)?);
    }
    let before = Lost::of(&folder)?;
    folder.mishap().map_err(failed("cannot change the folder of the demonstration"))?;
    let what = "a folder deleted, a file overwritten, unnoticed".into();
    days.push(demo.back_up(&folder, DAYS, what)?);
    let story = demo.tell_end(days, &before, started)?;
    let is_right = story.compared_equal && story.check_findings == 0;
    if around.ui.is_json() {
        around.ui.json(&story)?;
    } else {
        for line in lines(&story, &stage) {
            around.ui.line(&line)?;
        }
    }
    if is_right {
        return Ok(Outcome::Done);
    }
    Err(CommandError::failed("what came back is not what was lost, or the repository is damaged")
        .hint("this is a mistake in Esker: keep it with `esker demo --keep DIR` and report it"))
}

/// What the mishap takes away.
struct Lost {
    project: Vec<(PathBuf, Vec<u8>)>,
    file: Vec<u8>,
    all_bytes: u64,
}

impl Lost {
    fn of(folder: &Folder) -> Result<Self, CommandError> {
        let read = || {
            let all = folder::contents(folder.root())?;
            Ok(Self {
                project: folder::contents(&folder.root().join(LOST_PROJECT))?,
                file: std::fs::read(folder.root().join(OVERWRITTEN_FILE))?,
                all_bytes: all.iter().map(|(_, content)| content.len() as u64).sum(),
            })
        };
        read().map_err(failed("cannot read the folder of the demonstration"))
    }

    /// True where a restored folder holds all of it and nothing else.
    fn is_in(&self, restored: &Path) -> Result<bool, CommandError> {
        let read = || {
            let project = folder::contents(&restored.join(LOST_PROJECT))?;
            let file = std::fs::read(restored.join(OVERWRITTEN_FILE))?;
            let all = folder::contents(restored)?.len();
            let is_all = all == self.project.len() + 1 && !self.project.is_empty();
            Ok(is_all && project == self.project && file == self.file)
        };
        read().map_err(failed("cannot read what was restored"))
    }
}

struct Demo<'a> {
    around: &'a Surroundings<'a>,
    root: PathBuf,
    repository: Arc<Repository>,
}

impl<'a> Demo<'a> {
    /// Makes the repository. Its key is a key file's, which takes no time to derive.
    fn begin(stage: &Stage, around: &'a Surroundings<'a>) -> Result<Self, CommandError> {
        let root = stage.path().to_owned();
        let make = || -> Result<Repository, Error> {
            let (text, key) =
                Unlock::new_key_file().map_err(esker_engine::repo::RepoError::from)?;
            if matches!(stage, Stage::Kept(_)) {
                std::fs::write(root.join("key"), text.expose()).map_err(Error::Temporary)?;
            }
            let url = root.join("repository").display().to_string();
            let store = Store::open_new(&url, around.engine.handle())?;
            let options = CreateOptions { unlocks: vec![key], ..CreateOptions::default() };
            let ctx = around.engine.quiet_context();
            Ok(Repository::create(store, &options, |_| Client::forgetful(), &ctx)?)
        };
        let repository = make().map_err(|error| {
            CommandError::engine("cannot make the repository of the demonstration", error)
        })?;
        Ok(Self { around, root, repository: Arc::new(repository) })
    }

    fn first_day(&self) -> Result<(Folder, Vec<Day>), CommandError> {
        let made = Folder::make(self.root.join("folder"));
        let folder = made.map_err(failed("cannot make the folder of the demonstration"))?;
        let day = self.back_up(&folder, 1, "the first backup".into())?;
        Ok((folder, vec![day]))
    }

    fn back_up(&self, folder: &Folder, day: u64, what: String) -> Result<Day, CommandError> {
        let source = FilesSource::open(vec![folder.root().to_owned()], FilesOptions::default())
            .map_err(|error| CommandError::engine("cannot read the folder", error))?;
        let options = BackupOptions {
            time: hours_after(first_demo_day(DAYS), (day - 1) * 24),
            tags: vec![format!("day-{day}")],
            ..BackupOptions::default()
        };
        let progress = self.around.ui.progress(&format!("day {day}"));
        let ctx = self.around.engine.context(progress.clone());
        let started = Instant::now();
        let report: BackupReport = backup(&self.repository, &source, &options, &ctx)
            .map_err(|error| CommandError::engine(format!("cannot back up day {day}"), error))?;
        let seconds = started.elapsed().as_secs_f64();
        progress.end();
        let statistics = report.statistics;
        Ok(Day {
            number: day,
            what,
            snapshot: report.snapshot.map(|id| id.to_hex()).unwrap_or_default(),
            entries: statistics.new + statistics.changed + statistics.unchanged,
            bytes_read: statistics.bytes_read,
            bytes_added: statistics.bytes_added,
            objects_written: statistics.objects_written,
            seconds,
        })
    }

    /// Finds out what happened, brings it back, and checks everything.
    fn tell_end(
        &self,
        days: Vec<Day>,
        lost: &Lost,
        started: Instant,
    ) -> Result<Story, CommandError> {
        let engine = |what: &'static str| move |error: Error| CommandError::engine(what, error);
        let history = self
            .repository
            .history()
            .map_err(|error| CommandError::engine("cannot read the snapshots", error))?;
        let snapshots: Vec<_> = history.visible().collect();
        let [.., before, after] = snapshots.as_slice() else {
            return Err(CommandError::failed("the demonstration has lost its snapshots")
                .hint("this is a mistake in Esker: `esker demo --log-level debug` shows more"));
        };
        let changes =
            self.changes(before, after).map_err(engine("cannot compare the snapshots"))?;
        let removed = changes.iter().filter(|it| it.change == ChangeKind::Removed);
        let modified = changes.iter().filter(|it| it.change == ChangeKind::Modified);

        let target = self.root.join("restored");
        let restore_started = Instant::now();
        let report =
            self.bring_back(before, &target).map_err(engine("cannot restore what was lost"))?;
        let restore_seconds = restore_started.elapsed().as_secs_f64();
        let compared_equal = report.problems.is_empty() && lost.is_in(&target)?;

        let checked = self.check().map_err(engine("cannot check the repository"))?;
        let stats: Stats =
            stats(&self.repository).map_err(engine("cannot measure the repository"))?;
        Ok(Story {
            days,
            source_bytes: lost.all_bytes,
            stored_bytes: stats.stored_bytes,
            removed: removed.count() as u64,
            modified: modified.map(|it| it.path.clone()).collect(),
            restored_files: report.files,
            restored_bytes: report.bytes,
            restore_seconds,
            compared_equal,
            check_findings: checked.findings.len(),
            check_bytes_read: checked.bytes_read,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn changes(&self, before: &Snapshot, after: &Snapshot) -> Result<Vec<PathChange>, Error> {
        let objects = Objects::load(&self.repository, CacheSizes::default())?;
        let reader: Arc<dyn ReadObject> = Arc::new(objects);
        let ctx = self.around.engine.quiet_context();
        let changes = diff(&reader, before, after, b"/", &ctx)?;
        let is_told =
            |it: &Result<PathChange, Error>| !it.as_ref().is_ok_and(PathChange::is_only_touched);
        changes.filter(is_told).collect()
    }

    fn bring_back(
        &self,
        before: &Snapshot,
        target: &Path,
    ) -> Result<esker_engine::ops::restore::RestoreReport, Error> {
        let key = |path: &str| path.replace('/', "\0").into_bytes();
        let options = RestoreOptions {
            paths: vec![key(LOST_PROJECT), key(OVERWRITTEN_FILE)],
            ..RestoreOptions::default()
        };
        let target = RestoreTarget::Directory(target.to_owned());
        let ctx = self.around.engine.quiet_context();
        restore(&self.repository, before, &target, &options, &ctx)
    }

    fn check(&self) -> Result<CheckReport, Error> {
        let progress = self.around.ui.progress("check");
        let ctx = self.around.engine.context(progress.clone());
        let options = CheckOptions { read_data: true, ..CheckOptions::default() };
        let checked = check(&self.repository, &options, &ctx);
        progress.end();
        checked
    }
}

/// The story on one screen.
fn lines(story: &Story, stage: &Stage) -> Vec<String> {
    let mut table = Table::new(["day", "what happened", "read", "added", "objects", "time"])
        .right(&[2, 3, 4, 5]);
    for day in &story.days {
        table.row([
            day.number.to_string(),
            day.what.clone(),
            text::bytes(day.bytes_read),
            text::bytes(day.bytes_added),
            text::count(day.objects_written),
            format!("{:.2} s", day.seconds),
        ]);
    }
    let first = story.days.first().map_or(0, |day| day.entries);
    let mut lines = vec![
        format!(
            "A folder of {} ({}), backed up on each of {DAYS} days:",
            text::plural(first, "entry", "entries"),
            text::bytes(story.source_bytes)
        ),
        String::new(),
    ];
    lines.extend(table.lines());
    let kept_elsewhere = story.source_bytes * story.days.len() as u64;
    let modified = match story.modified.as_slice() {
        [] => "none modified".into(),
        [one] => format!("`{one}` modified"),
        many => format!("{} modified", text::count(many.len() as u64)),
    };
    let (equal, damage) = (
        if story.compared_equal { "equal byte for byte" } else { "NOT EQUAL" },
        if story.check_findings == 0 { "no damage" } else { "DAMAGED" },
    );
    let time = |seconds| text::duration(Duration::from_secs_f64(seconds));
    lines.extend([
        String::new(),
        format!(
            "Kept     {} full snapshots, encrypted, in {}; plain copies would take {}",
            story.days.len(),
            text::bytes(story.stored_bytes),
            text::bytes(kept_elsewhere)
        ),
        format!(
            "Mishap   `esker diff` of days 4 and 5: {} of `/{LOST_PROJECT}` removed,",
            text::plural(story.removed, "entry", "entries")
        ),
        format!("         {modified}"),
        format!(
            "Restore  both from day 4: {}, {} in {}, {equal}",
            text::plural(story.restored_files, "file", "files"),
            text::bytes(story.restored_bytes),
            time(story.restore_seconds)
        ),
        format!(
            "Check    every byte of the repository read and verified ({}): {damage}",
            text::bytes(story.check_bytes_read)
        ),
        String::new(),
    ]);
    lines.extend(farewell(story, stage));
    lines
}

/// The ids of the last two snapshots, shortened.
fn last_two(story: &Story) -> String {
    let ids = story.days.iter().map(|day| day.snapshot.get(..8).unwrap_or_default());
    let ids: Vec<_> = ids.collect();
    ids[ids.len().saturating_sub(2)..].join(" ")
}

fn farewell(story: &Story, stage: &Stage) -> Vec<String> {
    let took = text::duration(Duration::from_secs_f64(story.seconds));
    match stage {
        Stage::Temporary(_) => vec![
            format!("It took {took} and leaves nothing behind. With your own folder:"),
            "  export ESKER_REPO=/path/to/backups ESKER_KEY_FILE=~/esker.key".into(),
            "  esker init && esker backup ~/Documents".into(),
        ],
        Stage::Kept(path) => vec![
            format!("It took {took}. Look around, in `{}`:", path.display()),
            format!("  export ESKER_REPO={0}/repository ESKER_KEY_FILE={0}/key", path.display()),
            format!("  esker snapshots; esker diff {}; esker ls latest", last_two(story)),
        ],
    }
}
