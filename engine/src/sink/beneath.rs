//! Reaches folders beneath the target without ever following a link.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::{Errno, Result};

use super::path::split;

/// Folders kept open: siblings come together, in depth first order.
const OPEN_FOLDERS: NonZeroUsize = NonZeroUsize::new(64).expect("is not zero");

/// Longest path given to the system at once; it takes 4,096 bytes.
const PIECE_BYTES: usize = 2048;

/// A folder to look from: it need not be readable.
pub(super) const FOLDER: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder beneath the target.
pub(super) struct Folder {
    fd: OwnedFd,
    /// True where this restore made it, so that nothing is in it but what the restore put there.
    pub(super) fresh: bool,
}

impl Folder {
    pub(super) fn new(fd: OwnedFd, fresh: bool) -> Self {
        Self { fd, fresh }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The target folder, and those beneath it that were used last.
pub(super) struct Beneath {
    root: Arc<Folder>,
    /// True where the kernel resolves several components safely in one call.
    whole_paths: bool,
    open: Mutex<LruCache<Box<[u8]>, Arc<Folder>>>,
}

impl Beneath {
    pub(super) fn new(root: Folder) -> Self {
        Self {
            // Old kernels do not know the call, and old sandboxes answer EPERM to what they do not know.
            whole_paths: open_beneath(root.as_fd(), b".").is_ok(),
            root: Arc::new(root),
            open: Mutex::new(LruCache::new(OPEN_FOLDERS)),
        }
    }

    /// Opens a folder. `ELOOP` and `ENOTDIR` mean that something on the way is no folder.
    pub(super) fn folder(&self, path: &[u8]) -> Result<Arc<Folder>> {
        if let Some(folder) = self.known(path) {
            return Ok(folder);
        }
        let (parent, name) = split(path);
        let fd = match self.known(parent) {
            Some(parent) => openat(&*parent, name, FOLDER, Mode::empty())?,
            None => self.walk(path)?,
        };
        Ok(self.remember(path, Folder::new(fd, false)))
    }

    /// Opens a folder and makes those that are missing on the way, as plain folders: no entry tells about them.
    pub(super) fn folder_or_make(&self, path: &[u8]) -> Result<Arc<Folder>> {
        match self.folder(path) {
            Err(Errno::NOENT) => {}
            found => return found,
        }
        let mut folder = Arc::clone(&self.root);
        let ends = (0..path.len()).filter(|&at| path[at] == b'/');
        let mut from = 0;
        for end in ends.chain([path.len()]) {
            let name = &path[from..end];
            let fresh = match mkdirat(&*folder, name, Mode::from(0o777)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(error),
            };
            let fd = openat(&*folder, name, FOLDER, Mode::empty())?;
            folder = self.remember(&path[..end], Folder::new(fd, fresh));
            from = end + 1;
        }
        Ok(folder)
    }

    /// Keeps a folder at hand.
    pub(super) fn remember(&self, path: &[u8], folder: Folder) -> Arc<Folder> {
        let folder = Arc::new(folder);
        self.open().put(path.into(), Arc::clone(&folder));
        folder
    }

    /// Drops a folder that was removed.
    pub(super) fn forget(&self, path: &[u8]) {
        self.open().pop(path);
    }

    #[cfg(test)]
    pub(super) fn without_whole_paths(mut self) -> Self {
        self.whole_paths = false;
        self
    }

    fn known(&self, path: &[u8]) -> Option<Arc<Folder>> {
        if path.is_empty() {
            return Some(Arc::clone(&self.root));
        }
        self.open().get(path).cloned()
    }

    fn walk(&self, path: &[u8]) -> Result<OwnedFd> {
        let mut folder: Option<OwnedFd> = None;
        for piece in pieces(path, if self.whole_paths { PIECE_BYTES } else { 0 }) {
            let from = folder.as_ref().map_or_else(|| self.root.as_fd(), AsFd::as_fd);
            folder = Some(if self.whole_paths {
                open_beneath(from, piece)?
            } else {
                openat(from, piece, FOLDER, Mode::empty())?
            });
        }
        folder.ok_or(Errno::NOENT)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, LruCache<Box<[u8]>, Arc<Folder>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_beneath(from: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(from, path, FOLDER, Mode::empty(), resolve)
}

/// Cuts a path between components into pieces of at most `limit` bytes, or of one component.
fn pieces(path: &[u8], limit: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = if rest.len() <= limit {
            rest.len()
        } else {
            let within = &rest[..limit.min(rest.len())];
            let last = within.iter().rposition(|&byte| byte == b'/');
            last.or_else(|| rest.iter().position(|&byte| byte == b'/')).unwrap_or(rest.len())
        };
        let piece = &rest[..cut];
        rest = rest.get(cut + 1..).unwrap_or_default();
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_between_components() {
        for (path, limit, expected) in [
            ("", 5, vec![]),
            ("a", 0, vec!["a"]),
            ("a/bc/d", 0, vec!["a", "bc", "d"]),
            ("a/bc/d", 4, vec!["a", "bc/d"]),
            ("a/bc/d", 5, vec!["a/bc", "d"]),
            ("a/bc/d", 6, vec!["a/bc/d"]),
            ("abcdef/g", 3, vec!["abcdef", "g"]),
        ] {
            let cut: Vec<&[u8]> = pieces(path.as_bytes(), limit).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(cut, expected, "{path} at {limit}");
        }
    }
}
