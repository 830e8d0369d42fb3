//! Into a folder: directories and special files at once, contents in windows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::window::Window;
use super::{RestoreOptions, RestoreReport, Selection, Wanted};
use crate::context::RunContext;
use crate::entry::{Entry, EntryKind, LinkGroup};
use crate::error::Error;
use crate::monitor::Counter;
use crate::repo::Objects;
use crate::sink::{DirectorySink, EntryPath, Planned, SinkError};

/// A dry run lists at most so many paths.
const PLANNED_PATHS: usize = 100_000;

/// What waits until the files before it are complete.
#[derive(Default)]
struct Waiting {
    /// Directories whose content has passed by, in the order in which they came.
    directories: Vec<(EntryPath, Entry)>,
    /// Further names of files.
    links: Vec<(EntryPath, EntryPath, Entry)>,
}

struct Folder<'a> {
    sink: &'a DirectorySink,
    options: &'a RestoreOptions,
    ctx: &'a RunContext,
    /// Directories that the walk is in.
    open: Vec<(EntryPath, Entry)>,
    waiting: Waiting,
    first_names: HashMap<LinkGroup, EntryPath>,
    window: Window<'a>,
}

/// Files of which only some parts were written stay open: a window may hold many.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Without it, large restores may meet the limit, which is an error of its own.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

pub(super) fn restore(
    objects: &Arc<Objects>,
    wanted: &Selection<'_>,
    root: &Path,
    options: &RestoreOptions,
    ctx: &RunContext,
) -> Result<RestoreReport, Error> {
    let mut report = RestoreReport::default();
    let sink = if options.dry_run {
        DirectorySink::preview(root, options.overwrite)?
    } else {
        raise_file_limit();
        DirectorySink::create(root, options.overwrite)?
    };
    let mut folder = Folder {
        sink: &sink,
        options,
        ctx,
        open: Vec::new(),
        waiting: Waiting::default(),
        first_names: HashMap::new(),
        window: Window::new(objects, &sink, options, ctx),
    };
    let walked = wanted.each(&mut report, ctx, &mut |wanted, report| folder.take(wanted, report));
    if let Err(Error::Cancelled) = walked {
        return Err(Error::Cancelled);
    }
    walked?;
    folder.finish(&mut report)?;
    for problem in sink.take_problems() {
        report.note(ctx, problem);
    }
    Ok(report)
}

/// An error of one path is a problem; others end the restore.
pub(super) fn settle(
    done: Result<(), SinkError>,
    report: &mut RestoreReport,
    ctx: &RunContext,
) -> Result<bool, Error> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.ends_restore() => Err(error.into()),
        Err(error) => {
            report.note(ctx, error.problem());
            Ok(false)
        }
    }
}

fn contains(directory: &EntryPath, path: &EntryPath) -> bool {
    let mut above = directory.components();
    let mut below = path.components();
    above.by_ref().all(|component| below.next() == Some(component))
}

impl Folder<'_> {
    fn take(&mut self, wanted: Wanted, report: &mut RestoreReport) -> Result<(), Error> {
        let Wanted { path, entry } = wanted;
        self.ctx.monitor.count(Counter::EntriesRestored, 1);
        self.leave_directories(&path);
        let planned = match self.sink.plan(&path, &entry) {
            Ok(planned) => planned,
            Err(error) => {
                settle(Err(error), report, self.ctx)?;
                return Ok(());
            }
        };
        if self.options.dry_run {
            Self::foresee(path, &entry, planned, report);
            return Ok(());
        }
        // Even a directory that is there is gone through: its content may not be.
        if entry.kind == EntryKind::Directory {
            let made = self.sink.directory(&path, &entry);
            if settle(made, report, self.ctx)? {
                self.open.push((path, entry));
            }
            return Ok(());
        }
        let is_first = match entry.metadata.link_group {
            Some(group) => self.first_name(group, &path, &entry),
            None => true,
        };
        if !is_first {
            return Ok(());
        }
        match planned {
            Planned::Keep { .. } => report.kept += 1,
            Planned::Done if !self.options.is_for_people(&entry) => {
                report.already += 1;
                if self.options.verify && is_file(&entry) {
                    self.window.verify_only(path, entry);
                }
            }
            Planned::Write | Planned::Done if is_file(&entry) => {
                self.window.add(path, entry, report);
            }
            Planned::Write | Planned::Done => {
                settle(self.sink.special(&path, &entry), report, self.ctx)?;
            }
        }
        if self.window.is_full() {
            self.run_window(report)?;
        }
        Ok(())
    }

    fn foresee(path: EntryPath, entry: &Entry, planned: Planned, report: &mut RestoreReport) {
        let what = match planned {
            Planned::Write => {
                report.bytes += entry.size;
                "restore"
            }
            Planned::Keep { why } => {
                report.kept += 1;
                why
            }
            Planned::Done => {
                report.already += 1;
                "is there already"
            }
        };
        if report.planned.len() < PLANNED_PATHS {
            report.planned.push((path, what));
        }
    }

    /// True for the first name of a file; the others are linked to it when it is complete.
    fn first_name(&mut self, group: LinkGroup, path: &EntryPath, entry: &Entry) -> bool {
        match self.first_names.get(&group) {
            None => {
                self.first_names.insert(group, path.clone());
                true
            }
            Some(first) => {
                self.waiting.links.push((path.clone(), first.clone(), entry.clone()));
                false
            }
        }
    }

    /// Directories that `path` is not in any more wait for their metadata.
    fn leave_directories(&mut self, path: &EntryPath) {
        while let Some((directory, _)) = self.open.last() {
            if contains(directory, path) {
                break;
            }
            self.waiting.directories.extend(self.open.pop());
        }
    }

    fn run_window(&mut self, report: &mut RestoreReport) -> Result<(), Error> {
        self.window.run(report)?;
        let waiting = std::mem::take(&mut self.waiting);
        for (path, first, entry) in waiting.links {
            // Where the file system has no links, a copy is better than nothing.
            match self.sink.hard_link(&path, &first) {
                Err(SinkError::Step { .. }) => self.window.add(path, entry, report),
                done => {
                    settle(done, report, self.ctx)?;
                }
            }
        }
        self.window.run(report)?;
        for (path, entry) in waiting.directories {
            settle(self.sink.finish_directory(&path, &entry), report, self.ctx)?;
        }
        Ok(())
    }

    fn finish(mut self, report: &mut RestoreReport) -> Result<(), Error> {
        if self.options.dry_run {
            return Ok(());
        }
        // The innermost first: setting a directory's times must be the last thing done in it.
        while let Some(directory) = self.open.pop() {
            self.waiting.directories.push(directory);
        }
        self.run_window(report)
    }
}

fn is_file(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::File | EntryKind::Document)
}
