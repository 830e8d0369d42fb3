//! Open directories, and the names in them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;

/// Room for the names that one system call returns.
const LISTING_BYTES: usize = /* 32 KiB */ 32 * 1024;

/// What a directory is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Its names are read.
    List,
    /// Something in it is reached by name: needs no right to read it.
    Pass,
}

/// An open directory. How many there are is counted, since the number of open files is limited.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    open: Arc<AtomicUsize>,
}

impl Directory {
    /// Opens the top of a walk, through symbolic links.
    pub(super) fn open_top(path: &Path, access: Access) -> Result<Self, Errno> {
        let fd = open_directory(CWD, path, access, OFlags::empty())?;
        Ok(Self::count(fd, Arc::default()))
    }

    /// Opens a directory in this one; a symbolic link is none.
    pub(super) fn open_in(&self, name: &[u8], access: Access) -> Result<Self, Errno> {
        let fd = open_directory(self.as_fd(), name, access, OFlags::NOFOLLOW)?;
        Ok(Self::count(fd, Arc::clone(&self.open)))
    }

    /// Opens what is reached by these names one after another, which are joined by zero bytes.
    pub(super) fn open_below(&self, key: &[u8]) -> Result<Self, Errno> {
        let mut reached = None::<Self>;
        for name in key.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let from = reached.as_ref().unwrap_or(self);
            reached = Some(from.open_in(name, Access::Pass)?);
        }
        match reached {
            Some(directory) => Ok(directory),
            None => self.open_in(b".", Access::Pass),
        }
    }

    fn count(fd: OwnedFd, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { fd, open }
    }

    /// How many directories of this walk are open.
    pub(super) fn open_count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Reads all names, sorted.
    pub(super) fn names(&self) -> Result<Names, Errno> {
        let mut buffer = Vec::<u8>::with_capacity(LISTING_BYTES);
        let mut listing = RawDir::new(self.as_fd(), buffer.spare_capacity_mut());
        let mut names = Names::default();
        while let Some(entry) = listing.next() {
            match entry?.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.add(name),
            }
        }
        names.sort();
        Ok(names)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn open_directory<P: rustix::path::Arg + Copy>(
    from: BorrowedFd<'_>,
    path: P,
    access: Access,
    also: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = also | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match access {
        Access::Pass => openat(from, path, flags | OFlags::PATH, Mode::empty()),
        Access::List => open_quietly(from, path, flags),
    }
}

/// Opens for reading without leaving a new time of access, where that is allowed: to owners only.
pub(super) fn open_quietly<P: rustix::path::Arg + Copy>(
    from: BorrowedFd<'_>,
    path: P,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY;
    match openat(from, path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(from, path, flags, Mode::empty()),
        result => result,
    }
}

/// The names in a directory, in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    places: Vec<(usize, usize)>,
    next: usize,
}

impl Names {
    pub(super) fn add(&mut self, name: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.places.push((start, self.bytes.len()));
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
    }

    /// The next name that has not been visited.
    pub(super) fn advance(&mut self) -> Option<&[u8]> {
        let (start, end) = *self.places.get(self.next)?;
        self.next += 1;
        Some(&self.bytes[start..end])
    }

    /// Forgets those that have not been visited.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Reads into a buffer of the right size: most attributes are small, none is larger than the kernel's limit.
pub(super) fn read_growing(
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<u8>, Errno> {
    let mut small = [0; 256];
    match read(&mut small) {
        Err(Errno::RANGE) => {
            let mut large = vec![0; /* 64 KiB */ 64 * 1024];
            let length = read(&mut large)?;
            large.truncate(length);
            Ok(large)
        }
        length => Ok(small[..length?].to_vec()),
    }
}
