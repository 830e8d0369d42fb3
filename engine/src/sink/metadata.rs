//! Owner, mode, extended attributes and times, in the order in which none undoes another.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat,
    chownat, fchmod, fchown, fsetxattr, fstat, futimens, setxattr, utimensat,
};
use rustix::io::{Errno, Result};

use super::notices::Notices;
use super::{EntryPath, SinkError};
use crate::entry::{Entry, EntryKind, Metadata, Timestamp};
use crate::problem::ProblemKind;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

/// What metadata are set on.
#[derive(Clone, Copy)]
pub(super) enum Handle<'a> {
    /// An open file or folder.
    Open(BorrowedFd<'a>),
    /// Opened as a place only (`O_PATH`): links, pipes, devices, and folders that may not be read.
    Place(BorrowedFd<'a>),
}

impl Handle<'_> {
    pub(super) fn stat(self) -> Result<Stat> {
        match self {
            Self::Open(fd) | Self::Place(fd) => fstat(fd),
        }
    }

    pub(super) fn set_mode(self, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        match self {
            Self::Open(fd) => fchmod(fd, mode),
            Self::Place(fd) => chmodat(CWD, proc_path(fd), mode, AtFlags::empty()),
        }
    }

    fn set_owner(self, user: Option<Uid>, group: Option<Gid>) -> Result<()> {
        match self {
            Self::Open(fd) => fchown(fd, user, group),
            Self::Place(fd) => chownat(fd, "", user, group, AtFlags::EMPTY_PATH),
        }
    }

    fn set_xattr(self, name: &[u8], value: &[u8]) -> Result<()> {
        match self {
            Self::Open(fd) => fsetxattr(fd, name, value, XattrFlags::empty()),
            Self::Place(fd) => setxattr(proc_path(fd), name, value, XattrFlags::empty()),
        }
    }

    fn set_times(self, times: &Timestamps) -> Result<()> {
        match self {
            Self::Open(fd) => futimens(fd, times),
            Self::Place(fd) => match utimensat(fd, "", times, AtFlags::EMPTY_PATH) {
                // Kernels before 5.8 do not know the flag here.
                Err(Errno::INVAL) => utimensat(CWD, proc_path(fd), times, AtFlags::empty()),
                result => result,
            },
        }
    }
}

/// A path that leads to exactly what is open: the call that takes a place for a file needs one.
fn proc_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Sets what the entry tells. What this user may not set is noted once a kind.
pub(super) fn apply(
    handle: Handle<'_>,
    path: &EntryPath,
    entry: &Entry,
    notices: &Notices,
) -> std::result::Result<(), SinkError> {
    let metadata = &entry.metadata;
    let owned = set_owner(handle, path, metadata, notices)?;
    // Attributes of users need a writable file, so they come before the mode; access control lists after it, because
    // the mode would change them.
    set_xattrs(handle, path, metadata, notices, |name| !is_acl(name));
    if entry.kind != EntryKind::Symlink {
        set_mode(handle, path, metadata, owned, notices)?;
    }
    set_xattrs(handle, path, metadata, notices, is_acl);
    // Last: a file that has its time is a file that is complete.
    set_times(handle, path, metadata, notices)
}

/// Which of user and group are as the entry tells.
#[derive(Clone, Copy)]
struct Owned {
    user: bool,
    group: bool,
}

fn set_owner(
    handle: Handle<'_>,
    path: &EntryPath,
    metadata: &Metadata,
    notices: &Notices,
) -> std::result::Result<Owned, SinkError> {
    const STEP: &str = "set the owner of";
    let Some((user, group)) = metadata.owner else {
        return Ok(Owned { user: false, group: false });
    };
    // All bits set would mean: leave it.
    if user != u32::MAX && group != u32::MAX {
        match handle.set_owner(Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
            Ok(()) => {
                return Ok(Owned { user: true, group: true });
            }
            Err(error) if is_refusal(error) => {}
            Err(error) => return Err(SinkError::step(STEP, path, error)),
        }
        // Whoever owns the file may give it to a group of theirs.
        let _ = handle.set_owner(None, Some(Gid::from_raw(group)));
    }
    let stat = handle.stat().map_err(|error| SinkError::step("look at", path, error))?;
    let owned = Owned { user: stat.st_uid == user, group: stat.st_gid == group };
    if !owned.user || !owned.group {
        notices.tell("owner", path, ProblemKind::NotPermitted, || {
            format!("its owner ({user}:{group}) cannot be set by this user")
        });
    }
    Ok(owned)
}

fn set_mode(
    handle: Handle<'_>,
    path: &EntryPath,
    metadata: &Metadata,
    owned: Owned,
    notices: &Notices,
) -> std::result::Result<(), SinkError> {
    let Some(mode) = metadata.mode else {
        return Ok(());
    };
    let mut allowed = mode;
    // A program must not run as somebody whom the backup did not mean. On folders the bit only hands the group on.
    if !owned.user {
        allowed &= !SET_UID;
    }
    if !owned.group {
        allowed &= !SET_GID;
    }
    if allowed != mode {
        notices.tell("set-id", path, ProblemKind::NotPermitted, || {
            "its set-user-id or set-group-id bit is left out, because its owner is another".into()
        });
    }
    match handle.set_mode(allowed) {
        Ok(()) => Ok(()),
        Err(error) if is_refusal(error) => {
            notices.tell("mode", path, ProblemKind::NotPermitted, || {
                format!("its permissions ({mode:04o}) cannot be set: {error}")
            });
            Ok(())
        }
        Err(error) => Err(SinkError::step("set the permissions of", path, error)),
    }
}

fn set_xattrs(
    handle: Handle<'_>,
    path: &EntryPath,
    metadata: &Metadata,
    notices: &Notices,
    wanted: impl Fn(&[u8]) -> bool,
) {
    for (name, value) in metadata.xattrs.iter().filter(|(name, _)| wanted(name)) {
        // No error of an attribute ends a restore: even ENOSPC only says that this one is too large here.
        if let Err(error) = handle.set_xattr(name, value) {
            let end = name.iter().position(|&byte| byte == b'.');
            let space = String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]);
            notices.tell(&format!("xattr {space}"), path, problem_kind(error), || {
                let name = name.escape_ascii();
                format!("its extended attribute `{name}` cannot be set: {error}")
            });
        }
    }
}

fn set_times(
    handle: Handle<'_>,
    path: &EntryPath,
    metadata: &Metadata,
    notices: &Notices,
) -> std::result::Result<(), SinkError> {
    let Some(modified) = metadata.modified else {
        return Ok(());
    };
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified.seconds,
            tv_nsec: modified.nanoseconds.min(999_999_999).into(),
        },
    };
    match handle.set_times(&times) {
        Ok(()) => {
            if i32::try_from(modified.seconds).is_err() {
                tell_clamped(handle, path, modified, notices);
            }
            Ok(())
        }
        Err(error) if is_refusal(error) || error == Errno::INVAL => {
            notices.tell("time", path, problem_kind(error), || {
                format!("its time of modification cannot be set: {error}")
            });
            Ok(())
        }
        Err(error) => Err(SinkError::step("set the times of", path, error)),
    }
}

/// File systems silently set the time that is next to one they cannot hold.
fn tell_clamped(handle: Handle<'_>, path: &EntryPath, wanted: Timestamp, notices: &Notices) {
    if handle.stat().is_ok_and(|stat| stat.st_mtime != wanted.seconds) {
        notices.tell("far time", path, ProblemKind::Unsupported, || {
            "its time of modification is beyond what this file system holds".into()
        });
    }
}

fn is_acl(name: &[u8]) -> bool {
    name.starts_with(b"system.posix_acl_")
}

/// True where the user or the file system cannot do it, so that a further try is no use. `EINVAL`: an owner that the
/// user namespace does not know.
fn is_refusal(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL)
}

fn problem_kind(error: Errno) -> ProblemKind {
    match io::Error::from(error).kind() {
        io::ErrorKind::PermissionDenied => ProblemKind::NotPermitted,
        _ => ProblemKind::Unsupported,
    }
}
