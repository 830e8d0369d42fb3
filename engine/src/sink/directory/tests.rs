use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::{XattrFlags, fgetxattr, lgetxattr, makedev, mknodat, setxattr};
use tempfile::TempDir;

use super::*;
use crate::entry::Timestamp;

mod limits;
mod planted;

const TIME: Timestamp = Timestamp { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

/// A target folder, and one beside it that must never change.
struct Ground {
    base: TempDir,
}

impl Ground {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("outside")).unwrap();
        fs::write(base.path().join("outside/file"), "untouched").unwrap();
        fs::create_dir(base.path().join("target")).unwrap();
        Self { base }
    }

    fn target(&self) -> PathBuf {
        self.base.path().join("target")
    }

    fn outside(&self) -> PathBuf {
        self.base.path().join("outside")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.target().join(name)
    }

    fn sink(&self, overwrite: Overwrite) -> DirectorySink {
        DirectorySink::create(&self.target(), overwrite).unwrap()
    }

    fn assert_outside_untouched(&self) {
        let names: Vec<_> =
            fs::read_dir(self.outside()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
        let file = self.outside().join("file");
        assert_eq!(fs::read(&file).unwrap(), b"untouched");
        let metadata = fs::metadata(&file).unwrap();
        assert_ne!(metadata.mtime(), TIME.seconds);
        assert_ne!(metadata.mode() & 0o7777, 0o604);
    }
}

/// A sink as on a kernel that resolves no whole paths.
fn walking(ground: &Ground, overwrite: Overwrite) -> DirectorySink {
    let sink = ground.sink(overwrite);
    DirectorySink { beneath: sink.beneath.map(Beneath::without_whole_paths), ..sink }
}

fn path(name: &str) -> EntryPath {
    EntryPath::from_components(name.split('/')).unwrap()
}

fn me() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn is_root() -> bool {
    me().0 == 0
}

/// An entry of this user, with a mode that nothing has by chance.
fn entry(kind: EntryKind, size: usize) -> Entry {
    let mut entry = Entry::new(kind);
    entry.size = size as u64;
    entry.metadata.modified = Some(TIME);
    entry.metadata.mode = Some(0o604);
    entry.metadata.owner = Some(me());
    entry
}

fn folder_entry() -> Entry {
    let mut entry = entry(EntryKind::Directory, 0);
    entry.metadata.mode = Some(0o705);
    entry
}

fn link_entry(target: &str) -> Entry {
    let mut entry = entry(EntryKind::Symlink, target.len());
    entry.metadata.link_target = Some(Bytes::copy_from_slice(target.as_bytes()));
    entry
}

fn write(sink: &DirectorySink, name: &str, content: &[u8]) -> Result<(), SinkError> {
    sink.small_file(&path(name), &entry(EntryKind::File, content.len()), content)
}

fn kinds(sink: &DirectorySink) -> Vec<String> {
    let problems = sink.take_problems();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_tree_comes_back_with_modes_and_times() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::default());
    let folder = folder_entry();
    sink.directory(&path("d"), &folder).unwrap();
    assert_eq!(fs::metadata(ground.at("d")).unwrap().mode() & 0o7777, 0o700);
    write(&sink, "d/small", b"content").unwrap();
    let large = entry(EntryKind::File, 300_000);
    let target = sink.file(&path("d/large"), &large).unwrap();
    assert_eq!(fs::metadata(ground.at("d/large")).unwrap().mode() & 0o7777, 0o600);
    let content = vec![7; 300_000];
    target.write_at(200_000, &content[200_000..]).unwrap();
    target.write_at(0, &content[..200_000]).unwrap();
    target.finish(&large).unwrap();
    sink.special(&path("d/link"), &link_entry("small")).unwrap();
    sink.finish_directory(&path("d"), &folder).unwrap();
    sink.finish_directory(&EntryPath::root(), &folder).unwrap();

    assert_eq!(fs::read(ground.at("d/small")).unwrap(), b"content");
    assert_eq!(fs::read(ground.at("d/large")).unwrap(), content);
    assert_eq!(fs::read_link(ground.at("d/link")).unwrap(), PathBuf::from("small"));
    for (name, mode) in
        [("d/small", 0o604), ("d/large", 0o604), ("d/link", 0o777), ("d", 0o705), ("", 0o705)]
    {
        let metadata = fs::symlink_metadata(ground.at(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
        let time = (metadata.mtime(), metadata.mtime_nsec());
        assert_eq!(time, (TIME.seconds, i64::from(TIME.nanoseconds)), "{name}");
    }
    let mut back = Vec::new();
    let mut file = sink.open(&path("d/small")).unwrap();
    file.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"content");
    assert!(sink.open(&path("d/link")).is_err());
    assert!(sink.open(&path("d")).is_err());
    assert_eq!(kinds(&sink), [""; 0]);
}

#[test]
fn the_target_is_made_and_may_be_a_link() {
    let ground = Ground::new();
    let deep = ground.at("new/deeper");
    write(&DirectorySink::create(&deep, Overwrite::Never).unwrap(), "a", b"1").unwrap();
    assert_eq!(fs::read(deep.join("a")).unwrap(), b"1");

    symlink(&deep, ground.at("link")).unwrap();
    let sink = DirectorySink::create(&ground.at("link"), Overwrite::Never).unwrap();
    write(&sink, "b", b"2").unwrap();
    assert_eq!(fs::read(deep.join("b")).unwrap(), b"2");

    fs::write(ground.at("file"), "").unwrap();
    let error = DirectorySink::create(&ground.at("file"), Overwrite::Always).err();
    assert!(error.unwrap().ends_restore());
}

#[test]
fn a_preview_makes_nothing() {
    let ground = Ground::new();
    let missing = ground.at("missing");
    let sink = DirectorySink::preview(&missing, Overwrite::Never).unwrap();
    let file = entry(EntryKind::File, 1);
    assert_eq!(sink.plan(&path("a/b"), &file).unwrap(), Planned::Write);
    assert!(write(&sink, "a", b"1").is_err());
    assert!(!missing.exists());

    fs::write(ground.at("a"), "1").unwrap();
    let sink = DirectorySink::preview(&ground.target(), Overwrite::Never).unwrap();
    let planned = sink.plan(&path("a"), &file).unwrap();
    assert!(matches!(planned, Planned::Keep { .. }));
}

#[test]
fn folders_that_no_entry_tells_about_are_made() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Never);
    write(&sink, "srv/data/file", b"x").unwrap();
    write(&sink, "srv/other/file", b"x").unwrap();
    assert!(ground.at("srv/other/file").exists());
    // A folder's own name is no place for a file, and neither is the target's.
    assert!(write(&sink, "srv", b"x").is_err());
    let file = entry(EntryKind::File, 0);
    assert!(sink.small_file(&EntryPath::root(), &file, b"").is_err());
    assert!(sink.hard_link(&path("x"), &path("no/such")).is_err());
    assert!(!ground.at("no").exists());
}

#[test]
fn what_exists_is_treated_as_the_mode_says() {
    use Overwrite::{Always, IfChanged, Never};
    let same = entry(EntryKind::File, 3);
    let mut later = same.clone();
    later.metadata.modified = Some(Timestamp { nanoseconds: TIME.nanoseconds + 1, ..TIME });
    let longer = entry(EntryKind::File, 4);
    let folder = folder_entry();
    let mut unknown = same.clone();
    unknown.metadata.modified = None;
    for (overwrite, name, entry, expected) in [
        (Never, "new", &same, "write"),
        (Never, "file", &same, "keep"),
        (Never, "file", &later, "keep"),
        (Never, "dangling", &same, "keep"),
        (IfChanged, "new", &same, "write"),
        (IfChanged, "file", &same, "done"),
        (IfChanged, "file", &later, "write"),
        (IfChanged, "file", &longer, "write"),
        (IfChanged, "file", &unknown, "write"),
        (IfChanged, "file", &folder, "write"),
        (IfChanged, "file/below", &same, "write"),
        (IfChanged, "dangling", &link_entry("nowhere"), "done"),
        (IfChanged, "dangling", &link_entry("elsewhere"), "write"),
        (IfChanged, "dangling", &same, "write"),
        (Always, "file", &same, "write"),
        (Always, "file", &entry(EntryKind::Socket, 0), "keep"),
    ] {
        let ground = Ground::new();
        let first = ground.sink(Never);
        write(&first, "file", b"old").unwrap();
        first.special(&path("dangling"), &link_entry("nowhere")).unwrap();
        let sink = ground.sink(overwrite);
        let planned = match sink.plan(&path(name), entry).unwrap() {
            Planned::Write => "write",
            Planned::Keep { .. } => "keep",
            Planned::Done => "done",
        };
        assert_eq!(planned, expected, "{overwrite:?} {name} {entry:?}");
    }
}

#[test]
fn an_interrupted_restore_goes_on() {
    let ground = Ground::new();
    let large = entry(EntryKind::File, 1000);
    let sink = ground.sink(Overwrite::IfChanged);
    write(&sink, "done", b"done").unwrap();
    let half = sink.file(&path("half"), &large).unwrap();
    half.write_at(0, &[1; 500]).unwrap();
    drop((half, sink));

    let inode = fs::metadata(ground.at("done")).unwrap().ino();
    let sink = ground.sink(Overwrite::IfChanged);
    let done = entry(EntryKind::File, 4);
    assert_eq!(sink.plan(&path("done"), &done).unwrap(), Planned::Done);
    assert_eq!(sink.plan(&path("half"), &large).unwrap(), Planned::Write);
    sink.small_file(&path("half"), &large, &[2; 1000]).unwrap();
    assert_eq!(fs::read(ground.at("half")).unwrap(), [2; 1000]);
    assert_eq!(sink.plan(&path("half"), &large).unwrap(), Planned::Done);
    assert_eq!(fs::metadata(ground.at("done")).unwrap().ino(), inode);
}

#[test]
fn a_file_is_replaced_and_never_written_into() {
    let ground = Ground::new();
    // The existing file is also named outside: that one must keep its content.
    fs::hard_link(ground.outside().join("file"), ground.at("file")).unwrap();
    assert!(matches!(
        write(&ground.sink(Overwrite::Never), "file", b"new"),
        Err(SinkError::Exists { .. })
    ));
    write(&ground.sink(Overwrite::Always), "file", b"new").unwrap();
    assert_eq!(fs::read(ground.at("file")).unwrap(), b"new");
    ground.assert_outside_untouched();
}

#[test]
fn only_an_empty_folder_makes_room() {
    let ground = Ground::new();
    fs::create_dir_all(ground.at("full/of")).unwrap();
    let sink = ground.sink(Overwrite::Always);
    sink.directory(&path("empty"), &folder_entry()).unwrap();
    write(&sink, "empty", b"now a file").unwrap();
    // The folder is gone, and so is what was known of it.
    assert!(matches!(write(&sink, "empty/child", b""), Err(SinkError::NotADirectory { .. })));
    assert!(matches!(write(&sink, "full", b""), Err(SinkError::InTheWay { .. })));
    assert!(ground.at("full/of").exists());
}

#[test]
fn existing_folders_keep_their_metadata_under_never() {
    let ground = Ground::new();
    fs::create_dir(ground.at("d")).unwrap();
    fs::set_permissions(ground.at("d"), fs::Permissions::from_mode(0o711)).unwrap();
    let mode = || fs::metadata(ground.at("d")).unwrap().mode() & 0o7777;
    for (overwrite, expected) in [(Overwrite::Never, 0o711), (Overwrite::IfChanged, 0o705)] {
        let sink = ground.sink(overwrite);
        sink.directory(&path("d"), &folder_entry()).unwrap();
        write(&sink, &format!("d/{expected}"), b"").unwrap();
        sink.finish_directory(&path("d"), &folder_entry()).unwrap();
        assert_eq!(mode(), expected);
    }
}

#[test]
fn the_content_must_be_as_long_as_told() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    let three = entry(EntryKind::File, 3);
    for content in [&b"12"[..], b"1234"] {
        let error = sink.small_file(&path("a"), &three, content).unwrap_err();
        assert!(matches!(error, SinkError::Size { size: 3, .. }));
    }
    let target = sink.file(&path("a"), &three).unwrap();
    assert!(target.write_at(2, b"12").is_err());
    assert!(target.write_at(u64::MAX, b"12").is_err());
    target.write_at(2, b"1").unwrap();
    // A size that no file system takes is trouble with this path only.
    let mut endless = three.clone();
    endless.size = u64::MAX;
    let error = sink.file(&path("b"), &endless).err().unwrap();
    assert!(!error.ends_restore());
    assert_eq!(error.problem().path, "b");
}

#[test]
fn times_before_1970_and_after_2200_come_back() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    for seconds in [-2_147_400_000, -1, 0, 13_569_465_600] {
        let mut file = entry(EntryKind::File, 0);
        let time = Timestamp { seconds, nanoseconds: 999_999_999 };
        file.metadata.modified = Some(time);
        sink.small_file(&path("f"), &file, b"").unwrap();
        let metadata = fs::metadata(ground.at("f")).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (seconds, 999_999_999));
        assert!(metadata.atime() > TIME.seconds);
        let planned = ground.sink(Overwrite::IfChanged).plan(&path("f"), &file);
        assert_eq!(planned.unwrap(), Planned::Done);
    }
    assert_eq!(kinds(&sink), [""; 0]);
    let mut far = entry(EntryKind::File, 0);
    far.metadata.modified = Some(Timestamp { seconds: i64::MAX, nanoseconds: 0 });
    sink.small_file(&path("far"), &far, b"").unwrap();
    let kept = fs::metadata(ground.at("far")).unwrap().mtime() == i64::MAX;
    assert_eq!(kinds(&sink).len(), usize::from(!kept));
}

#[test]
fn extended_attributes_come_back() {
    let ground = Ground::new();
    let probe = ground.outside().join("file");
    if setxattr(&probe, "user.probe", b"", XattrFlags::empty()).is_err() {
        return; // This file system has none.
    }
    let sink = ground.sink(Overwrite::Always);
    let mut file = entry(EntryKind::File, 1);
    file.metadata.mode = Some(0o400);
    // Version 2; user rw, user 1 r, group r, mask r, others none.
    let mut acl = vec![2, 0, 0, 0];
    for (tag, permissions, id) in [
        (1u16, 6u16, u32::MAX),
        (2, 4, 1),
        (4, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ] {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    file.metadata.xattrs = vec![
        ("system.posix_acl_access".into(), acl.clone().into()),
        ("user.binary".into(), Bytes::from_static(b"\0\xff\n=")),
        ("user.empty".into(), Bytes::new()),
    ];
    sink.small_file(&path("f"), &file, b"x").unwrap();
    let opened = File::open(ground.at("f")).unwrap();
    for (name, value) in &file.metadata.xattrs {
        let mut buffer = [0; 100];
        let length = fgetxattr(&opened, &name[..], &mut buffer[..]).unwrap();
        assert_eq!(&buffer[..length], value, "{name:?}");
    }
    assert_eq!(opened.metadata().unwrap().mode() & 0o7777, 0o640);

    let mut odd = entry(EntryKind::File, 0);
    odd.metadata.xattrs =
        vec![("nonsense.a".into(), Bytes::new()), ("nonsense.b".into(), Bytes::new())];
    sink.small_file(&path("g"), &odd, b"").unwrap();
    sink.small_file(&path("h"), &odd, b"").unwrap();
    let told = kinds(&sink);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`g`") && told[0].contains("nonsense.a") && told[0].contains("3 more")
    );
}

#[test]
fn hard_links_are_one_file() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Never);
    write(&sink, "a", b"1").unwrap();
    for _ in 0..2 {
        sink.hard_link(&path("sub/b"), &path("a")).unwrap();
    }
    let inode = |name: &str| fs::symlink_metadata(ground.at(name)).unwrap().ino();
    assert_eq!(inode("a"), inode("sub/b"));

    fs::write(ground.at("c"), "other").unwrap();
    let error = sink.hard_link(&path("c"), &path("a")).unwrap_err();
    assert!(matches!(error, SinkError::Exists { .. }));
    let sink = ground.sink(Overwrite::IfChanged);
    sink.hard_link(&path("c"), &path("a")).unwrap();
    assert_eq!(inode("a"), inode("c"));
}

#[test]
fn pipes_come_back_and_sockets_are_told_once() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::IfChanged);
    let pipe = entry(EntryKind::Fifo, 0);
    sink.special(&path("pipe"), &pipe).unwrap();
    let metadata = fs::metadata(ground.at("pipe")).unwrap();
    assert!(metadata.file_type().is_fifo());
    assert_eq!(metadata.mode() & 0o7777, 0o604);
    assert_eq!(metadata.mtime(), TIME.seconds);
    assert!(sink.open(&path("pipe")).is_err());
    assert_eq!(sink.plan(&path("pipe"), &pipe).unwrap(), Planned::Done);

    for name in ["s", "t"] {
        sink.special(&path(name), &entry(EntryKind::Socket, 0)).unwrap();
        assert!(!ground.at(name).exists());
    }
    let told = kinds(&sink);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("`s`: it is a socket"), "{told:?}");
}

#[test]
fn without_a_mode_the_umask_decides() {
    let ground = Ground::new();
    fs::write(ground.at("plain"), "").unwrap();
    fs::create_dir(ground.at("plain-folder")).unwrap();
    let sink = ground.sink(Overwrite::Never);
    let (mut file, mut folder) = (Entry::new(EntryKind::File), folder_entry());
    file.size = 1;
    folder.metadata.mode = None;
    sink.small_file(&path("file"), &file, b"1").unwrap();
    sink.directory(&path("folder"), &folder).unwrap();
    sink.finish_directory(&path("folder"), &folder).unwrap();
    let mode = |name: &str| fs::metadata(ground.at(name)).unwrap().mode();
    assert_eq!(mode("file"), mode("plain"));
    assert_eq!(mode("folder"), mode("plain-folder"));
    assert_eq!(kinds(&sink), [""; 0]);
}

#[test]
fn root_brings_back_owners_set_id_bits_devices_and_trusted_attributes() {
    if !is_root() {
        return;
    }
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::IfChanged);
    let mut program = entry(EntryKind::File, 1);
    program.metadata.mode = Some(0o6755);
    program.metadata.owner = Some((1234, 4_000_000_000));
    program.metadata.xattrs = vec![("trusted.t".into(), Bytes::from_static(b"1"))];
    sink.small_file(&path("program"), &program, b"x").unwrap();
    let mut link = link_entry("program");
    link.metadata.owner = Some((1235, 1236));
    link.metadata.xattrs = vec![("trusted.t".into(), Bytes::from_static(b"2"))];
    sink.special(&path("link"), &link).unwrap();
    let mut device = entry(EntryKind::CharDevice, 0);
    device.metadata.device = Some((1, 3));
    device.metadata.owner = Some((1237, 1238));
    let mknod_works = {
        let folder = File::open(ground.outside().parent().unwrap()).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        mknodat(&folder, "probe", FileType::CharacterDevice, mode, makedev(1, 3)).is_ok()
    };
    sink.special(&path("null"), &device).unwrap();
    let mut folder = folder_entry();
    folder.metadata.mode = Some(0o3770);
    folder.metadata.owner = Some((1239, 1240));
    sink.directory(&path("d"), &folder).unwrap();
    sink.finish_directory(&path("d"), &folder).unwrap();

    for (name, mode, owner) in [
        ("program", 0o6755, (1234, 4_000_000_000)),
        ("link", 0o777, (1235, 1236)),
        ("d", 0o3770, (1239, 1240)),
    ] {
        let metadata = fs::symlink_metadata(ground.at(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
        assert_eq!((metadata.uid(), metadata.gid()), owner, "{name}");
    }
    if mknod_works {
        let metadata = fs::metadata(ground.at("null")).unwrap();
        assert!(metadata.file_type().is_char_device());
        assert_eq!(metadata.rdev(), makedev(1, 3));
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (1237, 0o604));
        assert_eq!(sink.plan(&path("null"), &device).unwrap(), Planned::Done);
        device.metadata.device = Some((1, 5));
        assert_eq!(sink.plan(&path("null"), &device).unwrap(), Planned::Write);
        assert_eq!(kinds(&sink), [""; 0]);
    }
    let mut buffer = [0; 8];
    for (name, value) in [("program", b"1"), ("link", b"2")] {
        let length = lgetxattr(ground.at(name), "trusted.t", &mut buffer[..]).unwrap();
        assert_eq!(&buffer[..length], value);
    }
}

#[test]
fn set_id_bits_need_a_known_owner() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    let mut program = entry(EntryKind::File, 0);
    program.metadata.mode = Some(0o6755);
    program.metadata.owner = None;
    sink.small_file(&path("p"), &program, b"").unwrap();
    assert_eq!(fs::metadata(ground.at("p")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(kinds(&sink).len(), 1);
}

/// Run by the test below as another user.
#[test]
#[ignore = "is run as another user by the test below"]
fn another_user() {
    assert!(!is_root());
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::IfChanged);
    let mut program = entry(EntryKind::File, 1);
    program.metadata.owner = Some((0, 0));
    program.metadata.mode = Some(0o6755);
    program.metadata.xattrs = vec![("trusted.t".into(), Bytes::from_static(b"1"))];
    for name in ["a", "b"] {
        sink.small_file(&path(name), &program, b"x").unwrap();
        let metadata = fs::metadata(ground.at(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o755);
    }
    let mut device = entry(EntryKind::BlockDevice, 0);
    device.metadata.device = Some((7, 0));
    sink.special(&path("device"), &device).unwrap();
    let mut read_only = entry(EntryKind::File, 1);
    read_only.metadata.mode = Some(0o400);
    read_only.metadata.xattrs = vec![("user.u".into(), Bytes::from_static(b"1"))];
    sink.small_file(&path("read-only"), &read_only, b"x").unwrap();
    let told = kinds(&sink);
    let topics = ["its owner", "its set-user-id", "`trusted.t`", "it is a device"];
    assert_eq!(told.len(), topics.len(), "{told:?}");
    for topic in topics {
        assert!(told.iter().any(|told| told.contains(topic)), "{told:?}");
    }

    // A folder that its own user may not enter is opened for the restore, and closed again.
    let mut closed = folder_entry();
    closed.metadata.mode = Some(0o100);
    for content in [&b"1"[..], b"22"] {
        let sink = ground.sink(Overwrite::IfChanged);
        sink.directory(&path("closed"), &closed).unwrap();
        write(&sink, "closed/file", content).unwrap();
        sink.finish_directory(&path("closed"), &closed).unwrap();
        sink.finish_directory(&path("closed"), &closed).unwrap();
        let metadata = fs::metadata(ground.at("closed")).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o100);
        assert_eq!(metadata.mtime(), TIME.seconds);
    }
    fs::set_permissions(ground.at("closed"), fs::Permissions::from_mode(0o700)).unwrap();

    // What may not be written is trouble with one path.
    fs::create_dir(ground.at("sealed")).unwrap();
    fs::set_permissions(ground.at("sealed"), fs::Permissions::from_mode(0o500)).unwrap();
    let error = write(&sink, "sealed/file", b"").unwrap_err();
    assert!(!error.ends_restore());
    assert_eq!(error.problem().kind, ProblemKind::NotPermitted);
    assert!(error.problem().message.contains("sealed/file"));
}

#[test]
fn another_user_restores_what_it_can_and_tells_the_rest_once() {
    use std::os::unix::process::CommandExt;
    if !is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // The build folder may be closed to others.
    let program = home.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = std::process::Command::new(&program)
        .args(["--ignored", "--exact", "sink::directory::tests::another_user"])
        .env("TMPDIR", home.path())
        .current_dir(home.path())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
}
