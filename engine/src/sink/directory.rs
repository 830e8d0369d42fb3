//! A folder of a file system as the target of a restore.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fstat, ftruncate, linkat, mkdirat, openat, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::beneath::{Beneath, FOLDER, Folder};
use super::kind::{file_type, is_done, make_special, type_of};
use super::metadata::{Handle, apply};
use super::notices::Notices;
use super::{EntryPath, SinkError};
use crate::entry::{Entry, EntryKind};
use crate::problem::{Problem, ProblemKind};

/// How often a name is cleared when somebody else keeps taking it.
const ATTEMPTS: usize = 8;

/// What is done with what exists at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// It is kept as it is.
    Never,
    /// It is replaced unless kind, size and time of modification are as the entry tells. As the time is set last, this
    /// also goes on with an interrupted restore.
    #[default]
    IfChanged,
    /// It is replaced.
    Always,
}

/// What a restore would do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It is to be written.
    Write,
    /// Nothing is written.
    Keep {
        /// Why, for a person.
        why: &'static str,
    },
    /// It is there already, as the entry tells.
    Done,
}

/// Writes entries into a folder, from several threads, and never outside of it.
///
/// No link beneath the target is ever followed, not even one that somebody plants while the restore runs. The target
/// itself may be a link: whoever named it meant it. Folders that no entry tells about are made where they are missing.
///
/// The order is the caller's: [`directory`](Self::directory) before what is in it, and
/// [`finish_directory`](Self::finish_directory) after all of that; both for every folder, whatever
/// [`plan`](Self::plan) says of it. An error concerns its path only, unless
/// [`ends_restore`](SinkError::ends_restore) says otherwise.
pub struct DirectorySink {
    overwrite: Overwrite,
    /// Nothing in a preview of a folder that does not exist yet.
    beneath: Option<Beneath>,
    notices: Arc<Notices>,
    /// Folders that existed before and are to be kept as they are.
    kept: Mutex<HashSet<EntryPath>>,
}

/// Where an entry goes: an open folder and a name in it.
struct Place<'a> {
    folder: Arc<Folder>,
    name: &'a [u8],
    path: &'a EntryPath,
}

impl DirectorySink {
    /// Opens the target folder; makes it and the folders above where they are missing.
    ///
    /// # Errors
    /// `Target`.
    pub fn create(root: &Path, overwrite: Overwrite) -> Result<Self, SinkError> {
        let target = |source| SinkError::Target { path: root.to_owned(), source };
        let existed = root.is_dir();
        std::fs::create_dir_all(root).map_err(target)?;
        let fd = open_root(root).map_err(|error| target(error.into()))?;
        let sink = Self::over(Some(fd), overwrite);
        if existed && overwrite == Overwrite::Never {
            sink.keep(&EntryPath::root());
        }
        Ok(sink)
    }

    /// Opens the target folder for [`plan`](Self::plan) only, and makes nothing.
    ///
    /// # Errors
    /// `Target`, where it exists and cannot be opened.
    pub fn preview(root: &Path, overwrite: Overwrite) -> Result<Self, SinkError> {
        match open_root(root) {
            Ok(fd) => Ok(Self::over(Some(fd), overwrite)),
            Err(Errno::NOENT) => Ok(Self::over(None, overwrite)),
            Err(error) => Err(SinkError::Target { path: root.to_owned(), source: error.into() }),
        }
    }

    fn over(root: Option<OwnedFd>, overwrite: Overwrite) -> Self {
        Self {
            overwrite,
            beneath: root.map(|fd| Beneath::new(Folder::new(fd, false))),
            notices: Arc::default(),
            kept: Mutex::default(),
        }
    }

    /// Tells what is to be done with an entry. Looks only.
    ///
    /// # Errors
    /// `Step`, where it may not look.
    pub fn plan(&self, path: &EntryPath, entry: &Entry) -> Result<Planned, SinkError> {
        if entry.kind == EntryKind::Socket {
            return Ok(Planned::Keep { why: "a socket is recorded, not made" });
        }
        let Some(beneath) = &self.beneath else {
            return Ok(Planned::Write);
        };
        if path.is_root() {
            return Ok(Planned::Write);
        }
        let folder = match beneath.folder(path.parent_bytes()) {
            Ok(folder) if folder.fresh => return Ok(Planned::Write),
            Ok(folder) => folder,
            // What is in the way is seen to when the folder above is written.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Planned::Write),
            Err(error) => return Err(SinkError::step("look at", path, error)),
        };
        let name = path.name();
        let stat = match statat(&*folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Planned::Write),
            Err(error) => return Err(SinkError::step("look at", path, error)),
        };
        Ok(match self.overwrite {
            Overwrite::Never => Planned::Keep { why: "something exists at its place" },
            Overwrite::IfChanged if is_done(&folder, name, &stat, entry) => Planned::Done,
            Overwrite::IfChanged | Overwrite::Always => Planned::Write,
        })
    }

    /// Makes a folder, open to this user alone until it is finished. One that exists is fine; a link or file at its
    /// place is removed where overwriting is allowed.
    ///
    /// # Errors
    /// `Exists`, `Full`, `NotADirectory`, `Step`.
    pub fn directory(&self, path: &EntryPath, entry: &Entry) -> Result<(), SinkError> {
        if path.is_root() {
            return Ok(());
        }
        let place = self.reach(path)?;
        let mode = Mode::from_raw_mode(if entry.metadata.mode.is_some() { 0o700 } else { 0o777 });
        for _ in 0..ATTEMPTS {
            let fresh = match mkdirat(&*place.folder, place.name, mode) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(SinkError::step("make the folder", path, error)),
            };
            match openat(&*place.folder, place.name, FOLDER, Mode::empty()) {
                Ok(fd) => {
                    if !fresh {
                        self.enter_existing(&fd, path);
                    }
                    self.beneath()?.remember(path.as_bytes(), Folder::new(fd, fresh));
                    return Ok(());
                }
                Err(Errno::NOTDIR | Errno::LOOP) => self.clear(&place)?,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(SinkError::step("open the folder", path, error)),
            }
        }
        Err(SinkError::Exists { path: path.clone() })
    }

    /// Sets the metadata of a folder, after all that is in it was written.
    ///
    /// # Errors
    /// `Full`, `NotADirectory`, `Step`.
    pub fn finish_directory(&self, path: &EntryPath, entry: &Entry) -> Result<(), SinkError> {
        if self.kept().remove(path) {
            return Ok(());
        }
        let folder = self.beneath()?.folder(path.as_bytes());
        let folder = folder.map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => SinkError::NotADirectory { path: path.clone() },
            error => SinkError::step("open the folder", path, error),
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(&*folder, ".", flags, Mode::empty()) {
            Ok(fd) => apply(Handle::Open(fd.as_fd()), path, entry, &self.notices),
            Err(Errno::ACCESS) => apply(Handle::Place(folder.as_fd()), path, entry, &self.notices),
            Err(error) => Err(SinkError::step("open the folder", path, error)),
        }
    }

    /// Makes a file of the entry's size, all hole, readable by this user alone until it is finished.
    ///
    /// # Errors
    /// `Exists`, `InTheWay`, `Full`, `NotADirectory`, `Step`.
    pub fn file(&self, path: &EntryPath, entry: &Entry) -> Result<FileTarget, SinkError> {
        let file = self.create_file(path, entry)?;
        if entry.size > 0 {
            ftruncate(&file, entry.size)
                .map_err(|error| SinkError::step("set the size of", path, error))?;
        }
        Ok(FileTarget {
            file,
            path: path.clone(),
            size: entry.size,
            notices: Arc::clone(&self.notices),
        })
    }

    /// Writes a whole file at once.
    ///
    /// # Errors
    /// Those of [`file`](Self::file), and `Size`.
    pub fn small_file(
        &self,
        path: &EntryPath,
        entry: &Entry,
        content: &[u8],
    ) -> Result<(), SinkError> {
        if content.len() as u64 != entry.size {
            return Err(SinkError::Size { path: path.clone(), size: entry.size });
        }
        let file = self.create_file(path, entry)?;
        file.write_all_at(content, 0).map_err(|error| SinkError::step("write", path, error))?;
        apply(Handle::Open(file.as_fd()), path, entry, &self.notices)
    }

    /// Makes a symbolic link, a named pipe or a device, with its metadata. Sockets, and devices where this user may
    /// not make them, are told once and left out.
    ///
    /// # Errors
    /// `Exists`, `InTheWay`, `Full`, `NotADirectory`, `Step`.
    pub fn special(&self, path: &EntryPath, entry: &Entry) -> Result<(), SinkError> {
        if entry.kind == EntryKind::Socket {
            self.notices.tell("socket", path, ProblemKind::Unsupported, || {
                "it is a socket: those are recorded, not made".into()
            });
            return Ok(());
        }
        let place = self.reach(path)?;
        match self.retry(&place, "make", || make_special(&place.folder, place.name, entry)) {
            Ok(()) => {}
            Err(SinkError::Step { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied
                    && matches!(entry.kind, EntryKind::CharDevice | EntryKind::BlockDevice) =>
            {
                self.notices.tell("device", path, ProblemKind::NotPermitted, || {
                    "it is a device, which this user may not make".into()
                });
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&*place.folder, place.name, flags, Mode::empty())
            .and_then(|fd| Ok((fstat(&fd)?, fd)));
        let (stat, fd) = made.map_err(|error| SinkError::step("open", path, error))?;
        // Somebody who swaps it for another name of a thing of theirs gets no owner and mode from us.
        if file_type(&stat) != type_of(entry.kind) || stat.st_nlink != 1 {
            return Err(SinkError::Exists { path: path.clone() });
        }
        apply(Handle::Place(fd.as_fd()), path, entry, &self.notices)
    }

    /// Makes a further name of a file that was restored under its first one. It may be called whether the name exists
    /// or not: there is nothing to plan.
    ///
    /// # Errors
    /// `Exists`, `InTheWay`, `Full`, `NotADirectory`, and `Step` where the file system has no such links: then a copy is
    /// the way.
    pub fn hard_link(&self, path: &EntryPath, first: &EntryPath) -> Result<(), SinkError> {
        let from = self.find(first)?;
        let place = self.reach(path)?;
        let look = |place: &Place<'_>| {
            statat(&*place.folder, place.name, AtFlags::SYMLINK_NOFOLLOW)
                .map(|stat| (stat.st_dev, stat.st_ino))
        };
        if let (Ok(first), Ok(existing)) = (look(&from), look(&place))
            && first == existing
        {
            return Ok(());
        }
        self.retry(&place, "link", || {
            linkat(&*from.folder, from.name, &*place.folder, place.name, AtFlags::empty())
        })
    }

    /// Opens a restored file for reading, to verify it.
    ///
    /// # Errors
    /// `NotADirectory`, `Step`; also where it is no regular file.
    pub fn open(&self, path: &EntryPath) -> Result<File, SinkError> {
        let step = |error| SinkError::step("read back", path, error);
        let place = self.find(path)?;
        // Not to wait for a writer, should it be a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(&*place.folder, place.name, flags, Mode::empty()).map_err(step)?;
        if file_type(&fstat(&fd).map_err(step)?) != FileType::RegularFile {
            return Err(step(Errno::INVAL));
        }
        Ok(File::from(fd))
    }

    /// Takes what could not be restored as it was, one problem a kind. To be called at the end: what happens again
    /// after a call is told again.
    pub fn take_problems(&self) -> Vec<Problem> {
        self.notices.take()
    }

    fn create_file(&self, path: &EntryPath, entry: &Entry) -> Result<File, SinkError> {
        let place = self.reach(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Where the entry has no mode, it is as the user's umask says.
        let mode = Mode::from_raw_mode(if entry.metadata.mode.is_some() { 0o600 } else { 0o666 });
        self.retry(&place, "make", || openat(&*place.folder, place.name, flags, mode))
            .map(File::from)
    }

    fn beneath(&self) -> Result<&Beneath, SinkError> {
        self.beneath.as_ref().ok_or_else(|| SinkError::Step {
            step: "write in a preview to",
            path: EntryPath::root(),
            source: Errno::NOENT.into(),
        })
    }

    /// The place of an entry that is there.
    fn find<'a>(&self, path: &'a EntryPath) -> Result<Place<'a>, SinkError> {
        place(path, self.beneath()?.folder(path.parent_bytes()))
    }

    /// The place of an entry to be written.
    fn reach<'a>(&self, path: &'a EntryPath) -> Result<Place<'a>, SinkError> {
        place(path, self.beneath()?.folder_or_make(path.parent_bytes()))
    }

    /// Makes something, and clears its place as often as something is there.
    fn retry<T>(
        &self,
        place: &Place<'_>,
        step: &'static str,
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> Result<T, SinkError> {
        for _ in 0..ATTEMPTS {
            match make() {
                Ok(made) => return Ok(made),
                Err(Errno::EXIST) => self.clear(place)?,
                Err(error) => return Err(SinkError::step(step, place.path, error)),
            }
        }
        Err(SinkError::Exists { path: place.path.clone() })
    }

    /// Removes what is at a place: a file, a link itself, an empty folder.
    fn clear(&self, place: &Place<'_>) -> Result<(), SinkError> {
        let path = place.path;
        if self.overwrite == Overwrite::Never {
            return Err(SinkError::Exists { path: path.clone() });
        }
        match unlinkat(&*place.folder, place.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            Err(error) => return Err(SinkError::step("replace", path, error)),
        }
        match unlinkat(&*place.folder, place.name, AtFlags::REMOVEDIR) {
            Ok(()) => {
                self.beneath()?.forget(path.as_bytes());
                Ok(())
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Err(SinkError::InTheWay { path: path.clone() }),
            Err(error) => Err(SinkError::step("replace", path, error)),
        }
    }

    /// Sees to a folder that was there before: it is kept as it is, or made writable until it is finished.
    fn enter_existing(&self, fd: &OwnedFd, path: &EntryPath) {
        if self.overwrite == Overwrite::Never {
            self.keep(path);
        } else if let Ok(stat) = fstat(fd)
            && stat.st_mode & 0o700 != 0o700
        {
            // Where this is refused, the first entry in it will tell.
            let _ = Handle::Place(fd.as_fd()).set_mode(stat.st_mode | 0o700);
        }
    }

    fn keep(&self, path: &EntryPath) {
        self.kept().insert(path.clone());
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashSet<EntryPath>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file being restored. Several threads may write to it. Dropped before [`finish`](Self::finish), it stays with the
/// current time, so that a further restore writes it again.
pub struct FileTarget {
    file: File,
    path: EntryPath,
    size: u64,
    notices: Arc<Notices>,
}

impl FileTarget {
    /// Writes a piece of the content. What is never written stays a hole.
    ///
    /// # Errors
    /// `Full`, `Step`, and `Size` where the piece would end after the size of the entry.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), SinkError> {
        let end = offset.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(SinkError::Size { path: self.path.clone(), size: self.size });
        }
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| SinkError::step("write", &self.path, error))
    }

    /// Sets the metadata, after all of the content was written.
    ///
    /// # Errors
    /// `Full`, `Step`.
    pub fn finish(&self, entry: &Entry) -> Result<(), SinkError> {
        apply(Handle::Open(self.file.as_fd()), &self.path, entry, &self.notices)
    }
}

/// Opens the target. Its own name may be a link.
fn open_root(root: &Path) -> rustix::io::Result<OwnedFd> {
    openat(CWD, root, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())
}

fn place(
    path: &EntryPath,
    folder: rustix::io::Result<Arc<Folder>>,
) -> Result<Place<'_>, SinkError> {
    if path.is_root() {
        return Err(SinkError::InTheWay { path: path.clone() });
    }
    Ok(Place {
        folder: folder.map_err(|error| unreachable_at(path, error))?,
        name: path.name(),
        path,
    })
}

fn unreachable_at(path: &EntryPath, error: Errno) -> SinkError {
    match error {
        Errno::NOTDIR | Errno::LOOP => {
            SinkError::NotADirectory { path: path.parent().unwrap_or_else(EntryPath::root) }
        }
        error => SinkError::step("open the folder of", path, error),
    }
}

#[cfg(test)]
mod tests;
