//! What is known of a file beside its content, and the token that tells whether it has changed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind, LinkGroup, Timestamp};
use esker_engine::format::Writer;
use rustix::fs::{
    AtFlags, FileType, Stat, fgetxattr, flistxattr, fstat, lgetxattr, llistxattr, major, minor,
    statat,
};
use rustix::io::Errno;

use super::directory::{Directory, read_growing};
use super::owners::Owners;

/// What `stat` says, in types that are the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: Option<EntryKind>,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) blocks: u64,
    pub(super) changed: Timestamp,
    modified: Timestamp,
    mode: u32,
    owner: (u32, u32),
    links: u64,
    special: (u32, u32),
}

impl Facts {
    /// Of a name in a directory, links not followed.
    pub(super) fn at(directory: &Directory, name: &[u8]) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        Ok(Self::from(&statat(directory, name, flags)?))
    }

    /// Of an open file or directory.
    pub(super) fn of(open: impl AsFd) -> Result<Self, Errno> {
        Ok(Self::from(&fstat(open)?))
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == Some(EntryKind::Directory)
    }

    /// Which file it is, on this machine at this time.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// The change token: whoever changes a file changes its `ctime`.
    pub(super) fn token(&self) -> Bytes {
        let mut token = Writer::new();
        for time in [self.modified, self.changed] {
            let zigzag = (time.seconds << 1) ^ (time.seconds >> 63);
            token.varint(zigzag as u64).varint(u64::from(time.nanoseconds));
        }
        token.varint(self.inode);
        // The size of a directory says nothing that its times do not.
        token.varint(if self.is_directory() { 0 } else { self.size });
        Bytes::from(token.0)
    }

    /// The entry as far as `stat` knows it: all but attributes and the target of a link.
    pub(super) fn entry(&self, kind: EntryKind, owners: &Owners) -> Entry {
        let mut entry = Entry::new(kind);
        entry.version = self.token();
        let metadata = &mut entry.metadata;
        metadata.modified = Some(self.modified);
        metadata.mode = Some(self.mode & 0o7777);
        metadata.owner = Some(self.owner);
        metadata.user = owners.user(self.owner.0);
        metadata.group = owners.group(self.owner.1);
        match kind {
            EntryKind::File => entry.size = self.size,
            EntryKind::CharDevice | EntryKind::BlockDevice => metadata.device = Some(self.special),
            _ => {}
        }
        if self.links > 1 && kind != EntryKind::Directory {
            metadata.link_group = Some(LinkGroup { device: self.device, inode: self.inode });
        }
        entry
    }
}

impl From<&Stat> for Facts {
    #[expect(clippy::unnecessary_cast, reason = "the types differ from machine to machine")]
    fn from(stat: &Stat) -> Self {
        Self {
            kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size.max(0) as u64,
            blocks: stat.st_blocks.max(0) as u64,
            changed: Timestamp {
                seconds: stat.st_ctime as i64,
                nanoseconds: stat.st_ctime_nsec as u32,
            },
            modified: Timestamp {
                seconds: stat.st_mtime as i64,
                nanoseconds: stat.st_mtime_nsec as u32,
            },
            mode: stat.st_mode as u32,
            owner: (stat.st_uid as u32, stat.st_gid as u32),
            links: stat.st_nlink as u64,
            special: (major(stat.st_rdev as u64), minor(stat.st_rdev as u64)),
        }
    }
}

fn kind_of(file_type: FileType) -> Option<EntryKind> {
    Some(match file_type {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        FileType::CharacterDevice => EntryKind::CharDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
        FileType::Unknown => return None,
    })
}

/// Tells whether a file is as the last snapshot has it. Names of owners may change without a change of the file.
pub(super) fn is_unchanged(known: &Entry, found: &Entry) -> bool {
    let (old, new) = (&known.metadata, &found.metadata);
    !known.version.is_empty()
        && known.version == found.version
        && known.kind == found.kind
        && old.modified == new.modified
        && old.mode == new.mode
        && old.owner == new.owner
        && old.user == new.user
        && old.group == new.group
        && old.link_group == new.link_group
        && old.device == new.device
}

/// What is said where an attribute could not be read; the entry is stored without it and without a token.
pub(super) const ATTRIBUTES_FAILED: &str = "not all of its extended attributes can be read";

/// Attributes, ascending by name, and the one that could not be read, if any.
pub(super) type Attributes = (Vec<(Bytes, Bytes)>, Option<Errno>);

/// Reads the extended attributes of an open file or directory.
pub(super) fn attributes_of(open: BorrowedFd<'_>) -> Attributes {
    attributes(|buffer| flistxattr(open, buffer), |name, buffer| fgetxattr(open, name, buffer))
}

/// Where the kernel shows the files that the process has open.
pub(super) const OPEN_FILES: &str = "/proc/self/fd";

/// Reads the extended attributes of a name in a directory, whatever it is, without opening it.
///
/// There is no such call relative to a directory before Linux 6.13; the folder of our own open files stands in for it.
pub(super) fn attributes_at(directory: &Directory, name: &[u8]) -> Attributes {
    let mut path = format!("{OPEN_FILES}/{}/", directory.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    attributes(
        |buffer| llistxattr(path.as_slice(), buffer),
        |name, buffer| lgetxattr(path.as_slice(), name, buffer),
    )
}

fn attributes(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
) -> Attributes {
    let names = match read_growing(list) {
        Ok(names) => names,
        Err(error) => return (Vec::new(), trouble(error)),
    };
    let (mut found, mut failed) = (Vec::new(), None);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match read_growing(|buffer| get(name, buffer)) {
            Ok(value) => found.push((Bytes::copy_from_slice(name), Bytes::from(value))),
            Err(error) => failed = trouble(error).or(failed),
        }
    }
    found.sort_unstable();
    (found, failed)
}

/// What may not be seen, is gone, or is not offered by the file system counts as absent.
fn trouble(error: Errno) -> Option<Errno> {
    let absent = [
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::NODATA,
        Errno::ACCESS,
        Errno::PERM,
        Errno::NOENT,
        Errno::NOTDIR,
    ];
    (!absent.contains(&error)).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let folder = tempfile::tempdir().unwrap();
        let mut facts = Facts::of(std::fs::File::open(folder.path()).unwrap()).unwrap();
        facts.kind = Some(EntryKind::File);
        facts
    }

    #[test]
    fn a_token_differs_in_each_of_its_parts_and_stays_short() {
        let plain = facts();
        let mut changed = [plain; 6];
        changed[0].modified.seconds = -1;
        changed[1].modified.nanoseconds ^= 1;
        changed[2].changed.seconds += 1;
        changed[3].changed.nanoseconds ^= 1;
        changed[4].inode += 1;
        changed[5].size += 1;
        for other in changed {
            assert_ne!(plain.token(), other.token());
        }
        let mut far = plain;
        far.modified.seconds = 1 << 40;
        far.changed = far.modified;
        (far.inode, far.size) = (u64::MAX, i64::MAX as u64);
        assert!(far.token().len() <= 48);
    }

    #[test]
    fn an_empty_token_is_never_unchanged() {
        let found = facts().entry(EntryKind::File, &Owners::default());
        let mut known = found.clone();
        assert!(is_unchanged(&known, &found));
        known.version = Bytes::new();
        assert!(!is_unchanged(&known, &found));
    }
}
