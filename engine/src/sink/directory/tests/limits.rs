//! Large, deep, sparse, odd, many at once, and no room.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::*;

#[test]
fn a_sparse_file_stays_sparse() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    let size = 1 << 30;
    let sparse = entry(EntryKind::File, size);
    let target = sink.file(&path("sparse"), &sparse).unwrap();
    target.write_at(size as u64 / 2, b"island").unwrap();
    target.finish(&sparse).unwrap();
    let metadata = fs::metadata(ground.at("sparse")).unwrap();
    assert_eq!(metadata.len(), size as u64);
    assert!(metadata.blocks() * 512 < 1 << 20, "{}", metadata.blocks());
}

#[test]
fn threads_write_parts_of_one_file() {
    const PART: usize = 10_000;
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    let whole = entry(EntryKind::File, 8 * 20 * PART);
    let target = sink.file(&path("d/f"), &whole).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (target, sink) = (&target, &sink);
            scope.spawn(move || {
                for round in 0..20 {
                    let part = round * 8 + thread;
                    let bytes = [part as u8; PART];
                    target.write_at((part * PART) as u64, &bytes).unwrap();
                    let name = format!("d/{round}/{thread}/x");
                    write(sink, &name, &bytes[..100]).unwrap();
                }
            });
        }
    });
    target.finish(&whole).unwrap();
    let content = fs::read(ground.at("d/f")).unwrap();
    assert_eq!(content.len(), 8 * 20 * PART);
    for (part, bytes) in content.chunks(PART).enumerate() {
        assert!(bytes.iter().all(|&byte| byte == part as u8), "{part}");
    }
    assert_eq!(fs::read(ground.at("d/19/7/x")).unwrap(), [159; 100]);
}

#[test]
fn paths_longer_than_the_system_takes_at_once_work() {
    const LEVELS: usize = 600;
    let ground = Ground::new();
    let component = "x".repeat(200);
    let deep = vec![component.as_str(); LEVELS];
    let at = |levels: usize| EntryPath::from_components(&deep[..levels]).unwrap();
    let file = EntryPath::from_components(deep.iter().copied().chain(["f"])).unwrap();
    let sink = ground.sink(Overwrite::IfChanged);
    for levels in 1..=LEVELS {
        sink.directory(&at(levels), &folder_entry()).unwrap();
    }
    let content = entry(EntryKind::File, 4);
    sink.small_file(&file, &content, b"deep").unwrap();
    for levels in (1..=LEVELS).rev() {
        sink.finish_directory(&at(levels), &folder_entry()).unwrap();
    }
    // Sinks that know no folder yet, by both ways of opening one.
    for sink in [ground.sink(Overwrite::IfChanged), walking(&ground, Overwrite::IfChanged)] {
        assert_eq!(sink.plan(&file, &content).unwrap(), Planned::Done);
        let mut text = String::new();
        let mut opened = sink.open(&file).unwrap();
        opened.read_to_string(&mut text).unwrap();
        assert_eq!(text, "deep");
    }
    // All made on the way to one file.
    let sink = DirectorySink::create(&ground.at("other"), Overwrite::Never).unwrap();
    sink.small_file(&file, &content, b"deep").unwrap();
    // The standard library would hold a folder open a level.
    let mut remove = Command::new("rm");
    remove.arg("-rf").arg(ground.target()).status().unwrap();
}

#[test]
fn names_of_255_bytes_and_of_no_text_come_back() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    let long = vec![b'n'; 255];
    for key in [&long[..], b"\xff\xfe", b"\xc3\x28\0\x01\x1b[2J", b"new\nline\\"] {
        let path = EntryPath::from_key(key).unwrap();
        sink.small_file(&path, &entry(EntryKind::File, 1), b"x").unwrap();
        let name = ground.target().join(OsStr::from_bytes(path.as_bytes()));
        assert_eq!(fs::read(name).unwrap(), b"x");
    }
}

/// A small file system mounted at a folder.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts it; nothing where that is not allowed.
    fn new(at: PathBuf) -> Option<Self> {
        let arguments = ["-t", "tmpfs", "-o", "size=1m", "none"];
        let mut mount = Command::new("mount");
        let output = mount.args(arguments).arg(&at).output().ok()?;
        output.status.success().then_some(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_apart() {
    let ground = Ground::new();
    let Some(_mounted) = Mounted::new(ground.target()) else {
        return;
    };
    let sink = ground.sink(Overwrite::Always);
    let large = entry(EntryKind::File, 4 << 20);
    let target = sink.file(&path("large"), &large).unwrap();
    let piece = vec![1; 1 << 16];
    let error = (0..64).find_map(|part| target.write_at(part << 16, &piece).err()).unwrap();
    assert!(matches!(&error, SinkError::Full { path, .. } if path.to_string() == "large"));
    assert!(error.ends_restore());
    assert_eq!(error.kind(), crate::problem::ErrorKind::Full);
    let error = write(&sink, "small", &piece).unwrap_err();
    assert!(matches!(error, SinkError::Full { .. }), "{error:?}");
}
