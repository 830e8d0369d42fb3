//! Reads the content of a regular file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind, Timestamp};
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{ContentReader, Finished, Piece};
use rustix::fs::{Mode, OFlags, SeekFrom, openat, seek};
use rustix::io::{Errno, pread, retry_on_intr};

use super::directory::{Directory, open_quietly};
use super::metadata::{ATTRIBUTES_FAILED, Facts, OPEN_FILES, attributes_of};
use super::origin::Origin;

/// The kernel's clock for time stamps ticks at least this often.
const TICK: Duration = Duration::from_millis(20);

/// A file as the walk found it, to be read later on another thread.
///
/// At most as many bytes are read as the file had when it was opened, so a file that grows all the time has an end.
pub(super) struct FileReader {
    origin: Arc<Origin>,
    /// The directory of the file; `None` where too many were open: then the path is walked again.
    directory: Option<Arc<Directory>>,
    key: Bytes,
    /// True where the last snapshot has the key.
    is_known: bool,
    open: Option<OpenFile>,
}

struct OpenFile {
    fd: OwnedFd,
    facts: Facts,
    attributes_failed: Option<Errno>,
    position: u64,
    /// The end of the data extent that is being read; the file's end where it has no holes.
    data_end: u64,
}

impl FileReader {
    pub(super) fn new(
        origin: &Arc<Origin>,
        directory: &Arc<Directory>,
        key: Bytes,
        is_known: bool,
    ) -> Self {
        let keep = directory.open_count() <= origin.open_limit;
        Self {
            origin: Arc::clone(origin),
            directory: keep.then(|| Arc::clone(directory)),
            key,
            is_known,
            open: None,
        }
    }

    fn open_file(&mut self) -> Result<OwnedFd, Errno> {
        let name_at = self.key.iter().rposition(|byte| *byte == 0).map_or(0, |zero| zero + 1);
        let (above, name) = self.key.split_at(name_at);
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => Arc::new(self.origin.top.open_below(above)?),
        };
        // Without `NONBLOCK` a pipe that took the file's place would wait for a writer.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match open_quietly(directory.as_fd(), name, flags) {
            Err(Errno::AGAIN) => open_leased(&directory, name),
            opened => opened,
        }
    }

    fn problem(&self, error: Errno) -> Problem {
        self.origin.problem(&self.key, error, "cannot be opened", self.is_known)
    }

    fn replaced(&self) -> Problem {
        Problem {
            path: self.path(),
            kind: ProblemKind::Vanished,
            message: "is no longer a regular file".into(),
            stale: self.is_known,
        }
    }
}

/// Opens a file that another process has a lease on: that has to wait, so it is first made sure what it is.
fn open_leased(directory: &Directory, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = openat(directory, name, flags | OFlags::PATH, Mode::empty())?;
    if Facts::of(&handle)?.kind != Some(EntryKind::File) {
        return Err(Errno::NXIO);
    }
    let path = format!("{OPEN_FILES}/{}", handle.as_raw_fd());
    open_quietly(rustix::fs::CWD, path.as_str(), OFlags::CLOEXEC)
}

impl ContentReader for FileReader {
    fn open(&mut self, entry: &mut Entry) -> Result<(), Problem> {
        let fd = match self.open_file() {
            Ok(fd) => fd,
            Err(Errno::LOOP | Errno::NXIO) => return Err(self.replaced()),
            Err(error) => return Err(self.problem(error)),
        };
        let mut facts = Facts::of(&fd).map_err(|error| self.problem(error))?;
        if facts.kind != Some(EntryKind::File) {
            return Err(self.replaced());
        }
        // A change after our reading must not get the time stamp that it had before: see `docs/sources/files.md`.
        if let Some(wait) = until_next_tick(self.origin.clock.now(), facts.changed) {
            std::thread::sleep(wait);
            facts = Facts::of(&fd).map_err(|error| self.problem(error))?;
        }
        *entry = facts.entry(EntryKind::File, &self.origin.owners);
        let (attributes, attributes_failed) = attributes_of(fd.as_fd());
        entry.metadata.xattrs = attributes;
        let is_sparse = facts.blocks.saturating_mul(512) < facts.size;
        self.open = Some(OpenFile {
            fd,
            facts,
            attributes_failed,
            position: 0,
            data_end: if is_sparse { 0 } else { facts.size },
        });
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        let Some(open) = &mut self.open else {
            return Err(io::Error::other("the file was not opened"));
        };
        Ok(open.read(buffer)?)
    }

    fn finish(&mut self, _read: u64) -> Finished {
        let Some(open) = self.open.take() else {
            return Finished::default();
        };
        let has_changed = match Facts::of(&open.fd) {
            Ok(after) => after.token() != open.facts.token(),
            Err(_) => true,
        };
        let problem = match open.attributes_failed {
            _ if has_changed => Problem {
                path: self.path(),
                kind: ProblemKind::Changed,
                message: "changed while it was read".into(),
                stale: false,
            },
            Some(error) => self.origin.problem(&self.key, error, ATTRIBUTES_FAILED, false),
            None => return Finished::default(),
        };
        Finished { problem: Some(problem), version: Some(Bytes::new()) }
    }

    fn path(&self) -> String {
        self.origin.name(&self.key)
    }
}

impl OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Errno> {
        let size = self.facts.size;
        if self.position >= size {
            return Ok(Piece::End);
        }
        if self.position >= self.data_end {
            let data = self.find_data()?;
            if self.position >= size {
                return Ok(Piece::End);
            }
            if data > self.position {
                let length = data - self.position;
                self.position = data;
                return Ok(Piece::Hole(length));
            }
        }
        let left = usize::try_from(self.data_end - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = retry_on_intr(|| pread(&self.fd, &mut buffer[..wanted], self.position))?;
        if read == 0 {
            // It is shorter than it was. The rest of an extent is never a hole: its end was looked up.
            self.position = size;
            return Ok(Piece::End);
        }
        self.position += read as u64;
        Ok(Piece::Data(read))
    }

    /// Finds where data go on, and the end of that extent. Where holes cannot be told, all is data.
    fn find_data(&mut self) -> Result<u64, Errno> {
        let size = self.facts.size;
        let data = match seek(&self.fd, SeekFrom::Data(self.position)) {
            Ok(data) => data.clamp(self.position, size),
            Err(Errno::NXIO) if Facts::of(&self.fd)?.size < size => {
                // It was cut off: there is no hole, there is nothing.
                self.position = size;
                return Ok(size);
            }
            Err(Errno::NXIO) => size,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                self.data_end = size;
                return Ok(self.position);
            }
            Err(error) => return Err(error),
        };
        self.data_end = match seek(&self.fd, SeekFrom::Hole(data)) {
            Ok(hole) if hole > data => hole.min(size),
            _ => size,
        };
        Ok(data)
    }
}

/// How long to wait until a further change gets a time stamp other than `changed`.
///
/// `None` for a time stamp of the past, and for one of the future: then it is another clock's.
fn until_next_tick(now: Duration, changed: Timestamp) -> Option<Duration> {
    let changed = Duration::new(u64::try_from(changed.seconds).ok()?, changed.nanoseconds);
    let age = now.checked_sub(changed)?;
    TICK.checked_sub(age).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::super::directory::Access;
    use super::super::owners::Owners;
    use super::*;

    #[test]
    fn a_file_is_reached_from_the_top_where_too_many_directories_are_open() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/file"), "content").unwrap();
        let top = Arc::new(Directory::open_top(folder.path(), Access::Pass).unwrap());
        let origin = Arc::new(Origin {
            top: Arc::clone(&top),
            path: b"/top".to_vec(),
            owners: Owners::default(),
            clock: Arc::new(esker_engine::clock::SystemClock),
            open_limit: 1,
        });
        let directory = Arc::new(top.open_below(b"a\0b").unwrap());
        assert_eq!(top.open_count(), 2);
        let key = Bytes::from_static(b"a\0b\0file");
        let mut reader = FileReader::new(&origin, &directory, key, false);
        drop(directory);
        assert_eq!(top.open_count(), 1, "the reader keeps none open");

        let mut entry = Entry::new(EntryKind::File);
        reader.open(&mut entry).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(reader.read(&mut buffer).unwrap(), Piece::Data(7));
        assert_eq!(reader.read(&mut buffer).unwrap(), Piece::End);
        assert!(reader.finish(7).version.is_none());
        assert_eq!((entry.size, reader.path().as_str()), (7, "/top/a/b/file"));
    }

    #[test]
    fn only_what_has_just_changed_is_waited_for() {
        let now = Duration::new(1_000, 5_000_000);
        for (seconds, nanoseconds, wait) in [
            (1_000, 5_000_000, Some(20)),
            (1_000, 0, Some(15)),
            (999, 985_000_000, None),
            (999, 986_000_000, Some(1)),
            (1_000, 6_000_000, None),
            (-5, 0, None),
            (2_000, 0, None),
        ] {
            let changed = Timestamp { seconds, nanoseconds };
            let expected = wait.map(Duration::from_millis);
            assert_eq!(until_next_tick(now, changed), expected, "{changed:?}");
        }
    }
}
