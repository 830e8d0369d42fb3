//! What the kinds of entries are on a file system.

use rustix::fs::{FileType, Mode, Stat, major, makedev, minor, mknodat, readlinkat, symlinkat};
use rustix::io::{Errno, Result};

use super::beneath::Folder;
use crate::entry::{Entry, EntryKind};

/// Makes what is neither a file nor a folder, under a free name.
pub(super) fn make_special(folder: &Folder, name: &[u8], entry: &Entry) -> Result<()> {
    if entry.kind == EntryKind::Symlink {
        let target = entry.metadata.link_target.as_deref().unwrap_or_default();
        return symlinkat(target, folder, name);
    }
    let device = match entry.kind {
        EntryKind::Fifo => 0,
        EntryKind::CharDevice | EntryKind::BlockDevice => {
            let (major, minor) = entry.metadata.device.ok_or(Errno::INVAL)?;
            makedev(major, minor)
        }
        _ => return Err(Errno::INVAL),
    };
    mknodat(folder, name, type_of(entry.kind), Mode::from_raw_mode(0o600), device)
}

/// The system's type of a kind.
pub(super) fn type_of(kind: EntryKind) -> FileType {
    match kind {
        EntryKind::Document | EntryKind::File => FileType::RegularFile,
        EntryKind::Directory => FileType::Directory,
        EntryKind::Symlink => FileType::Symlink,
        EntryKind::Fifo => FileType::Fifo,
        EntryKind::Socket => FileType::Socket,
        EntryKind::CharDevice => FileType::CharacterDevice,
        EntryKind::BlockDevice => FileType::BlockDevice,
    }
}

/// The type of what was looked at.
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// True where what exists is what a finished restore of the entry leaves.
pub(super) fn is_done(folder: &Folder, name: &[u8], stat: &Stat, entry: &Entry) -> bool {
    if file_type(stat) != type_of(entry.kind) {
        return false;
    }
    let same_time = entry.metadata.modified.map(|time| {
        (time.seconds, i64::from(time.nanoseconds)) == (stat.st_mtime, stat.st_mtime_nsec as i64)
    });
    match entry.kind {
        EntryKind::Document | EntryKind::File => {
            same_time == Some(true) && stat.st_size as u64 == entry.size
        }
        EntryKind::Symlink => {
            let target = entry.metadata.link_target.as_deref().unwrap_or_default();
            same_time != Some(false)
                && readlinkat(folder, name, Vec::new()).is_ok_and(|link| link.to_bytes() == target)
        }
        EntryKind::CharDevice | EntryKind::BlockDevice => {
            let device = (major(stat.st_rdev), minor(stat.st_rdev));
            same_time != Some(false) && entry.metadata.device == Some(device)
        }
        EntryKind::Directory | EntryKind::Fifo | EntryKind::Socket => same_time != Some(false),
    }
}
