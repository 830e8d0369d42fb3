use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Output};

use bytes::Bytes;

use super::*;

fn entry(kind: EntryKind, content: &[u8]) -> Entry {
    let mut entry = Entry::new(kind);
    entry.size = content.len() as u64;
    entry.metadata.modified = Some(Timestamp { seconds: 1_600_000_000, nanoseconds: 123_456_789 });
    entry.metadata.mode = Some(0o640);
    entry.metadata.owner = Some((1234, 4_000_000_000));
    entry.metadata.user = Some(Bytes::from_static("jürgen".as_bytes()));
    entry
}

fn key(name: &[u8]) -> EntryPath {
    EntryPath::from_components(name.split(|&byte| byte == b'/')).unwrap()
}

const BINARY: &[u8] = b"\0\xff = \xc3";

/// Names with what is special about them.
fn names() -> Vec<Vec<u8>> {
    let long = [b"long/".to_vec(), vec![b'x'; 250]].concat();
    let long_raw = [b"long/\xff".to_vec(), vec![b'y'; 150]].concat();
    vec![
        b"plain".to_vec(),
        "ünïcode".as_bytes().to_vec(),
        b"raw-\xff\xfe".to_vec(),
        vec![b'e'; 100],
        vec![b'o'; 101],
        long,
        long_raw,
        // GNU tar unpacks no path longer than the system takes at once.
        vec![&[b'd'; 200][..]; 15].join(&b'/'),
    ]
}

/// An archive with something of everything, uncompressed.
fn archive() -> Vec<u8> {
    let mut sink = ArchiveSink::create(Vec::new()).unwrap();
    let none = &mut io::empty();
    let mut folder = entry(EntryKind::Directory, b"");
    folder.metadata.mode = Some(0o750);
    sink.append(&EntryPath::root(), &folder, none).unwrap();
    for name in names() {
        let file = entry(EntryKind::File, &name);
        sink.append(&key(&name), &file, &mut &name[..]).unwrap();
    }
    sink.append(&key(b"folder"), &folder, none).unwrap();
    let mut early = entry(EntryKind::File, &vec![7; 100_000]);
    early.metadata.modified = Some(Timestamp { seconds: -2, nanoseconds: 500_000_000 });
    early.metadata.xattrs = vec![("user.a=b".into(), Bytes::from_static(BINARY))];
    let content = vec![7; 100_000];
    sink.append(&key(b"folder/early"), &early, &mut &content[..]).unwrap();
    let mut late = entry(EntryKind::File, b"");
    late.metadata.modified = Some(Timestamp { seconds: 13_569_465_600, nanoseconds: 0 });
    sink.append(&key(b"folder/late"), &late, none).unwrap();
    let mut link = entry(EntryKind::Symlink, b"");
    link.metadata.link_target = Some(vec![b't'; 150].into());
    sink.append(&key(b"folder/link"), &link, none).unwrap();
    sink.append(&key(b"pipe"), &entry(EntryKind::Fifo, b""), none).unwrap();
    let long = key(&names()[5]);
    sink.hard_link(&key(b"hard"), &long, &entry(EntryKind::File, b"xx")).unwrap();
    for name in [&b"socket"[..], b"socket2"] {
        let socket = entry(EntryKind::Socket, b"");
        sink.append(&key(name), &socket, none).unwrap();
    }
    let told = sink.take_problems();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].path, "socket");
    let compressed = sink.finish().unwrap();
    zstd::decode_all(&compressed[..]).unwrap()
}

/// What one entry of an archive is read as.
#[derive(Debug)]
struct Found {
    kind: EntryType,
    content: Vec<u8>,
    link: Vec<u8>,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    owner: (u64, u64),
}

fn read(bytes: &[u8]) -> BTreeMap<Vec<u8>, Found> {
    let mut archive = tar::Archive::new(bytes);
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let records = match entry.pax_extensions().unwrap() {
            Some(records) => records
                .map(|record| record.unwrap())
                .map(|record| (record.key_bytes().to_vec(), record.value_bytes().to_vec()))
                .collect(),
            None => BTreeMap::new(),
        };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let read = Found {
            kind: entry.header().entry_type(),
            content,
            link: entry.link_name_bytes().unwrap_or_default().into_owned(),
            records,
            owner: (entry.header().uid().unwrap(), entry.header().gid().unwrap()),
        };
        found.insert(entry.path_bytes().into_owned(), read);
    }
    found
}

#[test]
fn the_tar_crate_reads_it() {
    let found = read(&archive());
    assert_eq!(found.len(), names().len() + 7);
    for name in names() {
        let read = &found[&name];
        assert_eq!(read.content, name);
        assert_eq!(read.records[&b"mtime"[..]], b"1600000000.123456789");
        assert_eq!(read.records[&b"gid"[..]], b"4000000000");
        assert_eq!(read.records[&b"uname"[..]], "jürgen".as_bytes());
        assert_eq!(read.owner.0, 1234);
        let raw = name.len() > 100 && std::str::from_utf8(&name).is_err();
        assert_eq!(read.records.contains_key(&b"hdrcharset"[..]), raw);
    }
    let early = &found[&b"folder/early"[..]];
    assert_eq!(early.content, vec![7; 100_000]);
    assert_eq!(early.records[&b"mtime"[..]], b"-1.500000000");
    assert_eq!(early.records[&b"SCHILY.xattr.user.a%3Db"[..]], BINARY);
    let late = &found[&b"folder/late"[..]];
    assert_eq!(late.records[&b"mtime"[..]], b"13569465600");
    assert_eq!(found[&b"folder/link"[..]].link, [b't'; 150]);
    assert_eq!(found[&b"folder/"[..]].kind, EntryType::Directory);
    assert_eq!(found[&b"./"[..]].kind, EntryType::Directory);
    let hard = &found[&b"hard"[..]];
    assert_eq!((hard.kind, &hard.link), (EntryType::Link, &names()[5]));
    assert!(hard.content.is_empty());
}

/// Runs a program; nothing where there is none.
fn run(program: &str, arguments: &[&str], at: &Path) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(at).env("LC_ALL", "C.UTF-8");
    let output = command.output().ok()?;
    // A stand-in for a program that is not installed.
    (output.status.code() != Some(127)).then_some(output)
}

#[test]
fn gnu_tar_reads_it() {
    let Some(version) = run("tar", &["--version"], Path::new("/")) else {
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("GNU") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(folder.path().join("a.tar"), archive()).unwrap();
    let arguments = ["-xpf", "../a.tar", "--xattrs", "--no-same-owner"];
    let output = run("tar", &arguments, &out).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");

    for name in names() {
        let path = out.join(OsStr::from_bytes(&name));
        assert_eq!(fs::read(&path).unwrap(), name);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o640);
        let time = (metadata.mtime(), metadata.mtime_nsec());
        assert_eq!(time, (1_600_000_000, 123_456_789));
    }
    let early = fs::metadata(out.join("folder/early")).unwrap();
    assert_eq!((early.mtime(), early.mtime_nsec()), (-2, 500_000_000));
    let mut value = [0; 64];
    if let Ok(length) = rustix::fs::getxattr(out.join("folder/early"), "user.a=b", &mut value[..]) {
        assert_eq!(&value[..length], BINARY);
    }
    assert_eq!(fs::metadata(out.join("folder/late")).unwrap().mtime(), 13_569_465_600);
    let pipe = fs::metadata(out.join("pipe")).unwrap();
    assert!(pipe.file_type().is_fifo());
    let long = out.join(OsStr::from_bytes(&names()[5]));
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&long), inode(&out.join("hard")));
    let target = fs::read_link(out.join("folder/link")).unwrap();
    assert_eq!(target.as_os_str().len(), 150);
}

#[test]
fn python_reads_it() {
    use std::fmt::Write;
    const SCRIPT: &str = r#"
import tarfile
for t in tarfile.open("a.tar"):
    name = t.name.encode("utf-8", "surrogateescape")
    print(name.hex(), t.type.decode(), t.size, t.mtime, t.uid, t.gid, t.uname)
"#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tar"), archive()).unwrap();
    let Some(output) = run("python3", &["-X", "utf8", "-c", SCRIPT], folder.path()) else {
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), names().len() + 7, "{text}");
    lines.retain(|line| line.ends_with("1600000000.1234567 1234 4000000000 jürgen"));
    for name in names() {
        let mut begin = String::new();
        for byte in &name {
            write!(begin, "{byte:02x}").unwrap();
        }
        write!(begin, " 0 {} ", name.len()).unwrap();
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "{text}");
    }
}

/// Gives some bytes, then an error.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the pack is damaged"));
        }
        let given = self.0.min(buffer.len());
        buffer[..given].fill(b'x');
        self.0 -= given;
        Ok(given)
    }
}

#[test]
fn an_archive_goes_on_after_a_content_that_does_not() {
    let mut sink = ArchiveSink::create(Vec::new()).unwrap();
    let file = entry(EntryKind::File, &vec![0; 100_000]);
    let error = sink.append(&key(b"broken"), &file, &mut Failing(70_000));
    assert!(matches!(error, Err(SinkError::Content { .. })));
    let error = sink.append(&key(b"short"), &file, &mut &b"ab"[..]);
    let error = error.unwrap_err();
    assert!(matches!(error, SinkError::Size { .. }) && !error.ends_restore());
    let good = entry(EntryKind::File, b"good");
    sink.append(&key(b"good"), &good, &mut &b"good and more"[..]).unwrap();
    let found = read(&zstd::decode_all(&sink.finish().unwrap()[..]).unwrap());
    let broken = &found[&b"broken"[..]].content;
    assert_eq!(broken.len(), 100_000);
    assert!(broken[..70_000].iter().all(|&byte| byte == b'x'));
    assert!(broken[70_000..].iter().all(|&byte| byte == 0));
    assert_eq!(&found[&b"short"[..]].content[..3], b"ab\0");
    assert_eq!(found[&b"good"[..]].content, b"good");
}

/// Takes some bytes, then has no room.
struct Small(usize);

impl Write for Small {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.0 < buffer.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= buffer.len();
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_archive() {
    let mut sink = ArchiveSink::create(Small(1000)).unwrap();
    let noise: Vec<u8> = (0..1u32 << 16)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let file = entry(EntryKind::File, &noise);
    let error =
        (0..100).find_map(|_| sink.append(&key(b"f"), &file, &mut &noise[..]).err()).unwrap();
    assert!(error.ends_restore());
    assert!(matches!(error, SinkError::Full { .. }));
}

#[test]
fn sizes_and_devices_beyond_the_plain_header_are_kept() {
    let mut records = Records::default();
    let mut huge = entry(EntryKind::File, b"");
    huge.metadata.device = Some((259, 1_048_575));
    let header = describe(&huge, EntryType::Regular, 1 << 40, &mut records);
    let records = String::from_utf8_lossy(records.as_bytes()).into_owned();
    assert!(records.contains("size=1099511627776\n"), "{records}");
    assert_eq!(header.device_minor().unwrap(), Some(1_048_575));
    assert_eq!(header.device_major().unwrap(), Some(259));
}
