//! Kinds of files, and what is known of them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind, Timestamp};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat,
    utimensat,
};

use crate::driver::{Folder, is_root, key, paths};

#[test]
fn links_pipes_and_sockets_are_recorded() {
    let folder = Folder::new();
    symlink("no\nwhere", folder.at("link")).unwrap();
    mknodat(CWD, folder.at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(folder.at("socket")).unwrap();
    let first = folder.scan();
    let kind = |name| first.snapshot[&key(name)].entry.kind;
    assert_eq!(kind("link"), EntryKind::Symlink);
    assert_eq!(kind("pipe"), EntryKind::Fifo);
    assert_eq!(kind("socket"), EntryKind::Socket);
    let link = &first.snapshot[&key("link")].entry;
    assert_eq!(link.metadata.link_target.as_deref(), Some(b"no\nwhere".as_slice()));
    assert_eq!(folder.scan_on(&first.snapshot).unchanged, 4);
}

#[test]
fn devices_are_recorded_with_their_numbers() {
    if !is_root() {
        return; // Only root makes devices.
    }
    let folder = Folder::new();
    for (name, kind) in [("char", FileType::CharacterDevice), ("block", FileType::BlockDevice)] {
        if mknodat(CWD, folder.at(name), kind, Mode::RUSR, makedev(7, 300)).is_err() {
            return; // Not in this container.
        }
    }
    let snapshot = folder.scan().snapshot;
    for (name, kind) in [("char", EntryKind::CharDevice), ("block", EntryKind::BlockDevice)] {
        let entry = &snapshot[&key(name)].entry;
        assert_eq!((entry.kind, entry.metadata.device), (kind, Some((7, 300))));
    }
}

#[test]
fn hard_links_share_their_group() {
    let folder = Folder::new();
    folder.write("one", "shared");
    folder.write("alone", "alone");
    fs::create_dir(folder.at("d")).unwrap();
    fs::hard_link(folder.at("one"), folder.at("d/two")).unwrap();
    let first = folder.scan();
    let group = |name| first.snapshot[&key(name)].entry.metadata.link_group;
    assert!(group("one").is_some());
    assert_eq!(group("one"), group("d/two"));
    assert_eq!((group("alone"), group("d")), (None, None));
    fs::remove_file(folder.at("d/two")).unwrap();
    let second = folder.scan_on(&first.snapshot);
    assert_eq!(paths(&second.put), ["d", "one"]);
    assert_eq!(second.snapshot[&key("one")].entry.metadata.link_group, None);
}

#[test]
fn modes_and_owners_are_stored() {
    let folder = Folder::new();
    let path = folder.write("program", "#!");
    fs::create_dir(folder.at("shared")).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&path, Some(54_321), Some(54_322)).unwrap();
    }
    fs::set_permissions(&path, Permissions::from_mode(0o6755)).unwrap();
    fs::set_permissions(folder.at("shared"), Permissions::from_mode(0o1777)).unwrap();
    let snapshot = folder.scan().snapshot;
    let program = &snapshot[&key("program")].entry.metadata;
    let found = fs::metadata(&path).unwrap();
    assert_eq!(program.mode, Some(found.mode() & 0o7777));
    assert_eq!(program.owner, Some((found.uid(), found.gid())));
    assert_eq!(snapshot[&key("shared")].entry.metadata.mode, Some(0o1777));
    if is_root() {
        assert_eq!(program.mode, Some(0o6755));
        assert_eq!((&program.user, &program.group), (&None, &None));
        let top = &snapshot[&vec![0]].entry.metadata;
        assert_eq!(top.user.as_deref(), Some(b"root".as_slice()));
    }
}

#[test]
fn a_new_name_of_an_owner_is_noticed_without_a_change_of_the_file() {
    let folder = Folder::new();
    folder.write("file", "x");
    let mut base = folder.scan().snapshot;
    base.get_mut(&key("file")).unwrap().entry.metadata.user = Some(Bytes::from("formerly"));
    assert_eq!(paths(&folder.scan_on(&base).put), ["file"]);
}

#[test]
fn times_long_ago_and_far_ahead_are_stored_to_the_nanosecond() {
    let folder = Folder::new();
    // 1901, the second before 1970, and 2400.
    for (name, seconds) in [("old", -2_147_483_000), ("eve", -1), ("far", 13_569_465_600_i64)] {
        folder.write(name, "x");
        let time = Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, folder.at(name), &times, AtFlags::empty()).unwrap();
        let kept = fs::metadata(folder.at(name)).unwrap();
        let expected = Timestamp { seconds: kept.mtime(), nanoseconds: kept.mtime_nsec() as u32 };
        let first = folder.scan();
        let entry = &first.snapshot[&key(name)].entry;
        assert_eq!(entry.metadata.modified, Some(expected));
        assert!(folder.scan_on(&first.snapshot).put.is_empty());
        if kept.mtime() == seconds {
            assert_eq!(expected.nanoseconds, 123_456_789);
        }
    }
}

fn attribute<'a>(entry: &'a Entry, name: &str) -> Option<&'a [u8]> {
    let found = entry.metadata.xattrs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_ref())
}

#[test]
fn extended_attributes_and_access_lists_are_stored() {
    let folder = Folder::new();
    folder.write("file", "content");
    folder.write("empty", "");
    fs::create_dir(folder.at("dir")).unwrap();
    let large = vec![b'v'; 3_000];
    for name in ["file", "empty", "dir"] {
        for (attribute, value) in [("user.b", b"".as_slice()), ("user.a", &large)] {
            if lsetxattr(folder.at(name), attribute, value, XattrFlags::empty()).is_err() {
                return; // A file system without them.
            }
        }
    }
    // Version 2; user::rw-, user 54321:r--, group::r--, mask::r--, other::---.
    let mut list = vec![2, 0, 0, 0];
    for (tag, permissions, id) in
        [(1_u16, 6_u16, !0_u32), (2, 4, 54_321), (4, 4, !0), (16, 4, !0), (32, 0, !0)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let acl = "system.posix_acl_access";
    let has_acl = lsetxattr(folder.at("file"), acl, &list, XattrFlags::empty()).is_ok();
    symlink("file", folder.at("link")).unwrap();
    let trusted = "trusted.test";
    let has_trusted =
        is_root() && lsetxattr(folder.at("link"), trusted, b"t", XattrFlags::empty()).is_ok();

    let first = folder.scan();
    let entry = |name| &first.snapshot[&key(name)].entry;
    for name in ["file", "empty", "dir"] {
        assert_eq!(attribute(entry(name), "user.a"), Some(large.as_slice()), "{name}");
        assert_eq!(attribute(entry(name), "user.b"), Some(b"".as_slice()), "{name}");
        assert!(entry(name).metadata.xattrs.is_sorted());
    }
    if has_acl {
        assert_eq!(attribute(entry("file"), acl), Some(list.as_slice()));
    }
    if has_trusted {
        assert_eq!(attribute(entry("link"), trusted), Some(b"t".as_slice()));
    }
    lsetxattr(folder.at("dir"), "user.b", b"new", XattrFlags::empty()).unwrap();
    assert_eq!(paths(&folder.scan_on(&first.snapshot).put), ["dir"]);
}

#[test]
fn reading_leaves_no_new_time_of_access() {
    let folder = Folder::new();
    let path = folder.write("file", "content");
    let long_ago = Timespec { tv_sec: 1_000, tv_nsec: 0 };
    let times = Timestamps { last_access: long_ago, last_modification: long_ago };
    for path in [&path, &folder.path()] {
        utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
    }
    folder.scan();
    for path in [&path, &folder.path()] {
        assert_eq!(File::open(path).unwrap().metadata().unwrap().atime(), 1_000);
    }
}
