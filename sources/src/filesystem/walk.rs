//! The walk over the directories, in lockstep with the last snapshot.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::context::{Cancel, RunContext};
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{Payload, ReadBase, ScanMode, SourceError};
use rustix::fs::readlinkat;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;

use super::base::BaseCursor;
use super::content::FileReader;
use super::directory::{Access, Directory, Names};
use super::metadata::{
    ATTRIBUTES_FAILED, Attributes, Facts, OPEN_FILES, attributes_at, attributes_of, is_unchanged,
};
use super::origin::{Origin, display};
use super::outbox::{Batch, Outbox};
use super::owners::Owners;
use super::selection::{Named, Selection};
use super::{MAX_KEY_BYTES, Setup};

/// So many of the directories that the walk is in stay open, the deepest; the others are opened again on the way back.
const OPEN_DEPTH: usize = 64;

/// The key of the folder that is the source.
const TOP_KEY: &[u8] = b"\0";

/// What a walk has found.
pub(super) struct Walked {
    pub(super) found: u64,
    pub(super) problems: u64,
}

/// Walks over all that the setup selects, on a thread that may block.
pub(super) fn run(
    setup: &Setup,
    base: Option<Arc<dyn ReadBase>>,
    mode: ScanMode,
    sender: mpsc::Sender<Batch>,
    ctx: &RunContext,
) -> Result<Walked, SourceError> {
    let scope = &setup.scope;
    let whole = scope.selection.named != Named::No;
    let access = if whole { Access::List } else { Access::Pass };
    let path = scope.top.as_os_str().as_bytes().to_vec();
    let unreadable = |error: Errno| SourceError::Unreadable {
        what: display(&path),
        source: std::io::Error::from(error).into(),
    };
    let top = Arc::new(Directory::open_top(&scope.top, access).map_err(unreadable)?);
    let facts = Facts::of(top.as_fd()).map_err(unreadable)?;
    let names = if whole { top.names().map_err(unreadable)? } else { names_of(&scope.selection) };
    let origin = Arc::new(Origin {
        top: Arc::clone(&top),
        path,
        owners: Owners::read(),
        clock: Arc::clone(&ctx.clock),
        open_limit: open_limit(),
    });
    let mut walk = Walk {
        setup,
        origin,
        base: BaseCursor::start(base)?,
        mode,
        out: Outbox::new(sender),
        cancel: ctx.cancel.clone(),
        key: Vec::new(),
        stack: Vec::new(),
    };
    if let Err(error) = std::fs::symlink_metadata(OPEN_FILES) {
        walk.out.problem(Problem {
            path: OPEN_FILES.into(),
            kind: ProblemKind::Unsupported,
            message: format!(
                "extended attributes of links and special files are not stored: {error}"
            ),
            stale: false,
        });
    }
    if scope.keeps_top {
        walk.key.extend_from_slice(TOP_KEY);
        walk.settle(&facts, EntryKind::Directory, || attributes_at(&top, b"."))?;
        walk.key.clear();
    }
    walk.stack.push(Frame {
        directory: Some(top),
        identity: facts.identity(),
        device: facts.device,
        key_length: 0,
        names,
        selection: Some(&scope.selection),
        whole,
    });
    walk.run_to_end()
}

/// A quarter of the open files that the process may have: others need some too.
fn open_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 4).unwrap_or(usize::MAX).clamp(16, 4096)
}

fn names_of(selection: &Selection) -> Names {
    let mut names = Names::default();
    for name in selection.children.keys() {
        names.add(name);
    }
    names
}

/// A directory that the walk is in.
struct Frame<'a> {
    /// `None` where the walk is far below.
    directory: Option<Arc<Directory>>,
    identity: (u64, u64),
    /// The file system to stay on.
    device: u64,
    key_length: usize,
    names: Names,
    /// The named paths at or below this directory.
    selection: Option<&'a Selection>,
    /// True where all that is in it is stored, false where only what is named.
    whole: bool,
}

struct Walk<'a> {
    setup: &'a Setup,
    origin: Arc<Origin>,
    base: BaseCursor,
    mode: ScanMode,
    out: Outbox,
    cancel: Cancel,
    /// The key of what is being looked at.
    key: Vec<u8>,
    stack: Vec<Frame<'a>>,
}

/// What the walk knows of a name before it looks.
struct Place<'a> {
    directory: Arc<Directory>,
    /// Where the name begins in the key.
    name_at: usize,
    device: u64,
    selection: Option<&'a Selection>,
    named: Named,
    /// True where it is stored with all that is in it.
    whole: bool,
    /// True where that is because of what is above it.
    within: bool,
}

impl<'a> Walk<'a> {
    fn run_to_end(mut self) -> Result<Walked, SourceError> {
        while !self.stack.is_empty() {
            if self.cancel.is_cancelled() {
                self.out.flush()?;
                return Err(SourceError::Cancelled);
            }
            match self.next_place() {
                Some(place) => self.visit(&place)?,
                None => self.leave()?,
            }
            self.out.flush_full()?;
        }
        self.base.finish(&mut self.out)?;
        self.out.flush()?;
        Ok(Walked { found: self.out.found, problems: self.out.problems })
    }

    /// Takes the next name of the deepest directory into the key.
    fn next_place(&mut self) -> Option<Place<'a>> {
        let frame = self.stack.last_mut()?;
        let directory = Arc::clone(frame.directory.as_ref()?);
        let name = frame.names.advance()?;
        self.key.truncate(frame.key_length);
        if !self.key.is_empty() {
            self.key.push(0);
        }
        let name_at = self.key.len();
        self.key.extend_from_slice(name);
        let selection = frame.selection.and_then(|selection| selection.children.get(name));
        let named = selection.map_or(Named::No, |selection| selection.named);
        Some(Place {
            directory,
            name_at,
            device: frame.device,
            selection,
            named,
            whole: frame.whole || named != Named::No,
            within: frame.whole,
        })
    }

    fn visit(&mut self, place: &Place<'a>) -> Result<(), SourceError> {
        let facts = match Facts::at(&place.directory, &self.key[place.name_at..]) {
            Ok(facts) => facts,
            Err(error) => return self.unseen(place, error),
        };
        if self.is_excluded(place, facts.is_directory()) {
            return Ok(());
        }
        if self.key.len() > MAX_KEY_BYTES {
            let message = format!("its path has more than {MAX_KEY_BYTES} bytes");
            self.report(ProblemKind::Unsupported, message, false);
            return Ok(());
        }
        let Some(kind) = facts.kind else {
            let stale = self.keep()?;
            self.report(ProblemKind::Unsupported, "is of an unknown kind".into(), stale);
            return Ok(());
        };
        if kind == EntryKind::Directory {
            return self.enter(place, facts);
        }
        if !place.whole {
            // Something is listed below what is not a directory, or no longer one.
            return self.unseen(place, Errno::NOTDIR);
        }
        self.settle_file(place, &facts, kind)
    }

    /// Stores or passes over what is no directory.
    fn settle_file(
        &mut self,
        place: &Place<'a>,
        facts: &Facts,
        kind: EntryKind,
    ) -> Result<(), SourceError> {
        let directory = &place.directory;
        let known = self.base.meet(&self.key, &mut self.out)?;
        let mut entry = facts.entry(kind, &self.origin.owners);
        if self.is_as_known(known.as_ref(), &entry) {
            self.out.unchanged();
            return Ok(());
        }
        let key = Bytes::copy_from_slice(&self.key);
        if kind == EntryKind::File && facts.size > 0 {
            // The reader adds the attributes when it has the file open.
            let reader = FileReader::new(&self.origin, directory, key.clone(), known.is_some());
            let payload = Payload::Reader { size: facts.size, reader: Box::new(reader) };
            self.out.put(key, entry, payload);
            return Ok(());
        }
        let name = &self.key[place.name_at..];
        if kind == EntryKind::Symlink {
            match readlinkat(directory, name, Vec::new()) {
                Ok(target) => entry.metadata.link_target = Some(Bytes::from(target.into_bytes())),
                Err(error) => {
                    let stale = known.is_some();
                    let problem = self.origin.problem(&key, error, "cannot be read", stale);
                    self.out.problem(problem);
                    return Ok(());
                }
            }
        }
        self.put(key, entry, attributes_at(directory, name));
        Ok(())
    }

    /// Stores or passes over a directory: what is at the key now.
    fn settle(
        &mut self,
        facts: &Facts,
        kind: EntryKind,
        attributes: impl FnOnce() -> Attributes,
    ) -> Result<bool, SourceError> {
        let known = self.base.meet(&self.key, &mut self.out)?;
        let entry = facts.entry(kind, &self.origin.owners);
        if self.is_as_known(known.as_ref(), &entry) {
            self.out.unchanged();
        } else {
            self.put(Bytes::copy_from_slice(&self.key), entry, attributes());
        }
        Ok(known.is_some())
    }

    fn is_as_known(&self, known: Option<&Entry>, found: &Entry) -> bool {
        self.mode == ScanMode::Incremental && known.is_some_and(|known| is_unchanged(known, found))
    }

    fn put(&mut self, key: Bytes, mut entry: Entry, (attributes, failed): Attributes) {
        if let Some(error) = failed {
            let problem = self.origin.problem(&key, error, ATTRIBUTES_FAILED, false);
            self.out.problem(problem);
            // So that the next scan tries again.
            entry.version = Bytes::new();
        }
        entry.metadata.xattrs = attributes;
        self.out.put(key, entry, Payload::None);
    }

    /// Stores a directory, and goes into it.
    fn enter(&mut self, place: &Place<'a>, seen: Facts) -> Result<(), SourceError> {
        let name_at = place.name_at;
        let stays_out = |facts: &Facts| {
            self.setup.one_file_system
                && place.within
                && place.named == Named::No
                && facts.device != place.device
        };
        if stays_out(&seen) {
            let name = &self.key[name_at..].to_vec();
            self.settle(&seen, EntryKind::Directory, || attributes_at(&place.directory, name))?;
            return Ok(());
        }
        let access = if place.whole { Access::List } else { Access::Pass };
        let opened = place
            .directory
            .open_in(&self.key[name_at..], access)
            .and_then(|directory| Ok((Facts::of(directory.as_fd())?, directory)));
        let (facts, directory) = match opened {
            Ok((facts, directory)) => (facts, Arc::new(directory)),
            Err(error @ (Errno::NOENT | Errno::LOOP | Errno::NOTDIR)) => {
                return self.unseen(place, error);
            }
            Err(error) => return self.closed(place, &seen, error),
        };
        let attributes = || match access {
            Access::List => attributes_of(directory.as_fd()),
            Access::Pass => attributes_at(&directory, b"."),
        };
        // Opening may have mounted something.
        if stays_out(&facts) {
            self.settle(&facts, EntryKind::Directory, attributes)?;
            return Ok(());
        }
        let names = match access {
            Access::Pass => Ok(place.selection.map(names_of).unwrap_or_default()),
            Access::List => directory.names(),
        };
        let names = match names {
            Ok(names) => names,
            Err(error) => return self.closed(place, &facts, error),
        };
        self.settle(&facts, EntryKind::Directory, attributes)?;
        self.stack.push(Frame {
            directory: Some(directory),
            identity: facts.identity(),
            device: if place.named == Named::No { place.device } else { facts.device },
            key_length: self.key.len(),
            names,
            selection: place.selection,
            whole: place.whole,
        });
        self.close_far_ones();
        Ok(())
    }

    /// Stores a directory whose content cannot be seen: what the last snapshot has of it stays.
    fn closed(
        &mut self,
        place: &Place<'a>,
        facts: &Facts,
        error: Errno,
    ) -> Result<(), SourceError> {
        self.refuse_root(place, error)?;
        let name = &self.key[place.name_at..].to_vec();
        self.settle(facts, EntryKind::Directory, || attributes_at(&place.directory, name))?;
        let stale = self.base.keep_below(&self.key)? > 0;
        let what = "the directory cannot be read";
        let problem = self.origin.problem(&self.key, error, what, stale);
        self.out.problem(problem);
        Ok(())
    }

    /// Handles a name that was listed and that `stat` does not find or may not see.
    fn unseen(&mut self, place: &Place<'a>, error: Errno) -> Result<(), SourceError> {
        self.refuse_root(place, error)?;
        let is_gone = matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP);
        // What is gone is deleted when the walk comes to the next key.
        let stale = !is_gone && self.keep()?;
        let what = if is_gone { "has vanished" } else { "cannot be read" };
        let problem = self.origin.problem(&self.key, error, what, stale);
        self.out.problem(problem);
        Ok(())
    }

    /// A scan without one of the paths it is for would delete all of it: it fails instead.
    fn refuse_root(&self, place: &Place<'a>, error: Errno) -> Result<(), SourceError> {
        if !place.selection.is_some_and(Selection::holds_root) {
            return Ok(());
        }
        Err(SourceError::Unreadable {
            what: self.origin.name(&self.key),
            source: std::io::Error::from(error).into(),
        })
    }

    /// Leaves the key, and what is below, as the last snapshot has it; tells whether it has anything.
    fn keep(&mut self) -> Result<bool, SourceError> {
        let known = self.base.meet(&self.key, &mut self.out)?.is_some();
        Ok(self.base.keep_below(&self.key)? > 0 || known)
    }

    fn report(&mut self, kind: ProblemKind, message: String, stale: bool) {
        let path = self.origin.name(&self.key);
        self.out.problem(Problem { path, kind, message, stale });
    }

    /// Excludes hold within what is stored, and for what lists name; what the source itself names is always meant.
    fn is_excluded(&self, place: &Place<'a>, is_directory: bool) -> bool {
        let excludes = &self.setup.excludes;
        if excludes.is_empty() || place.named == Named::Root || !place.whole {
            return false;
        }
        let mut path = self.key.clone();
        for byte in &mut path {
            if *byte == 0 {
                *byte = b'/';
            }
        }
        let path = Path::new(OsStr::from_bytes(&path));
        if place.within {
            excludes.exclude(path, is_directory)
        } else {
            excludes.exclude_below(path, is_directory)
        }
    }

    /// Closes the directory that is now too far above.
    fn close_far_ones(&mut self) {
        let depth = self.stack.len();
        if depth > OPEN_DEPTH {
            self.stack[depth - 1 - OPEN_DEPTH].directory = None;
        }
    }

    /// Goes back to the directory above.
    fn leave(&mut self) -> Result<(), SourceError> {
        let Some(left) = self.stack.pop() else {
            return Ok(());
        };
        let Some(above) = self.stack.last_mut() else {
            return Ok(());
        };
        if above.directory.is_some() {
            return Ok(());
        }
        self.key.truncate(above.key_length);
        let expected = above.identity;
        let is_it = |directory: &Directory| {
            Facts::of(directory.as_fd()).is_ok_and(|facts| facts.identity() == expected)
        };
        let climbed = left
            .directory
            .and_then(|directory| directory.open_in(b"..", Access::Pass).ok())
            .filter(is_it);
        let reopened = match climbed {
            Some(directory) => Some(directory),
            None => self.origin.top.open_below(&self.key).ok().filter(is_it),
        };
        above.directory = reopened.map(Arc::new);
        if above.directory.is_none() {
            above.names.clear();
            let stale = self.base.keep_below(&self.key)? > 0;
            let message = "was moved while it was read; not all of it was seen".into();
            self.report(ProblemKind::Vanished, message, stale);
        }
        Ok(())
    }
}
