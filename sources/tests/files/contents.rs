//! Contents: holes, and what happens to a file between the listing and the end of the reading.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use esker_engine::problem::ProblemKind;
use esker_engine::source::{Piece, ScanMode};
use esker_sources::filesystem::StdinSource;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::driver::{Folder, key, paths, push, read, reader_of, scan};

#[test]
fn holes_come_as_holes() {
    let folder = Folder::new();
    let mut file = File::create(folder.at("sparse")).unwrap();
    file.write_all(&[1; 4096]).unwrap();
    file.seek(SeekFrom::Start(1 << 20)).unwrap();
    file.write_all(&[2; 4096]).unwrap();
    file.set_len(3 << 20).unwrap();
    file.sync_all().unwrap();
    File::create(folder.at("all hole")).unwrap().set_len(1 << 20).unwrap();

    let snapshot = folder.scan().snapshot;
    let sparse = &snapshot[&key("sparse")];
    assert_eq!(sparse.content.len(), 3 << 20);
    assert_eq!(sparse.content[..4096], [1; 4096]);
    assert_eq!(sparse.content[1 << 20..(1 << 20) + 4096], [2; 4096]);
    assert_eq!(snapshot[&key("all hole")].content, vec![0; 1 << 20]);
    if sparse.holes.is_empty() {
        return; // A file system that cannot tell holes.
    }
    let length = |holes: &[(u64, u64)]| holes.iter().map(|hole| hole.1).sum::<u64>();
    // Blocks may be larger than what was written.
    assert!(length(&sparse.holes) > 5 << 19, "{:?}", sparse.holes);
    assert_eq!(snapshot[&key("all hole")].holes, [(0, 1 << 20)]);
}

#[test]
fn a_file_that_vanishes_is_a_problem() {
    let folder = Folder::new();
    folder.write("d/file", "content");
    let base = folder.scan().snapshot;
    for known in [false, true] {
        folder.write("d/file", "changed");
        let pushed = push(&folder.source(), known.then_some(&base), ScanMode::Incremental);
        let (mut reader, entry) = reader_of(pushed, "d/file");
        fs::remove_file(folder.at("d/file")).unwrap();
        let problem = read(reader.as_mut(), entry).unwrap_err();
        assert_eq!((problem.kind, problem.stale), (ProblemKind::Vanished, known));
        assert_eq!(problem.path, folder.at("d/file").display().to_string());
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_stored_without_a_token() {
    type Edit = fn(&mut File);
    let cases: [(&str, Edit, usize); 3] = [
        ("append", |file| file.write_all(b"more").unwrap(), 200_000),
        ("cut", |file| file.set_len(100_000).unwrap(), 100_000),
        ("overwrite", |file| drop(file.rewind().and_then(|()| file.write_all(b"new"))), 200_000),
    ];
    for (name, edit, expected) in cases {
        let folder = Folder::new();
        let path = folder.write("log", vec![b'x'; 200_000]);
        let pushed = push(&folder.source(), None, ScanMode::Incremental);
        let (mut reader, mut entry) = reader_of(pushed, "log");
        reader.open(&mut entry).unwrap();
        let (mut buffer, mut total) = (vec![0; 64 * 1024], 0);
        assert_eq!(reader.read(&mut buffer).unwrap(), Piece::Data(64 * 1024), "{name}");
        total += 64 * 1024;
        edit(&mut File::options().append(name == "append").write(true).open(&path).unwrap());
        while let Piece::Data(length) = reader.read(&mut buffer).unwrap() {
            total += length;
        }
        assert_eq!(total, expected, "{name}");
        let finished = reader.finish(total as u64);
        assert_eq!(finished.problem.unwrap().kind, ProblemKind::Changed, "{name}");
        assert!(finished.version.unwrap().is_empty(), "{name}");
    }
}

#[test]
fn a_file_without_a_token_is_read_again() {
    let folder = Folder::new();
    folder.write("log", "x");
    let mut base = folder.scan().snapshot;
    base.get_mut(&key("log")).unwrap().entry.version.clear();
    let again = folder.scan_on(&base);
    assert_eq!(paths(&again.put), ["log"]);
}

#[test]
fn a_file_that_grows_before_it_is_opened_is_stored_as_it_is_then() {
    let folder = Folder::new();
    let path = folder.write("log", "short");
    let pushed = push(&folder.source(), None, ScanMode::Incremental);
    let (mut reader, entry) = reader_of(pushed, "log");
    fs::write(path, "longer than before").unwrap();
    let (stored, problem) = read(reader.as_mut(), entry).unwrap();
    assert_eq!(stored.content, b"longer than before");
    assert!(problem.is_none());
    assert_eq!(stored, folder.scan().snapshot[&key("log")]);
}

#[test]
fn what_takes_the_place_of_a_file_is_neither_followed_nor_waited_for() {
    let folder = Folder::new();
    folder.write("secret", "not to be read");
    for kind in ["link", "pipe", "directory"] {
        let path = folder.write("d/file", "content");
        let pushed = push(&folder.source(), None, ScanMode::Incremental);
        let (mut reader, entry) = reader_of(pushed, "d/file");
        fs::remove_file(&path).unwrap();
        match kind {
            "link" => symlink(folder.at("secret"), &path).unwrap(),
            "pipe" => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        let start = Instant::now();
        let problem = read(reader.as_mut(), entry).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Vanished, "{kind}");
        assert!(start.elapsed() < Duration::from_secs(5));
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
}

#[test]
fn a_link_that_takes_the_place_of_a_directory_is_not_followed() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    folder.write("d/file", "content");
    elsewhere.write("file", "elsewhere");
    let pushed = push(&folder.source(), None, ScanMode::Incremental);
    let (mut reader, entry) = reader_of(pushed, "d/file");
    fs::rename(folder.at("d"), folder.at("moved")).unwrap();
    symlink(elsewhere.path(), folder.at("d")).unwrap();
    let (stored, _) = read(reader.as_mut(), entry).unwrap();
    assert_eq!(stored.content, b"content");
}

#[test]
fn a_stream_is_one_file() {
    let source = StdinSource::new("db/dump.sql", std::io::Cursor::new(vec![5; 100_000])).unwrap();
    let first = scan(&source, None, ScanMode::Incremental);
    assert_eq!(paths(&first.put), ["db/dump.sql"]);
    assert_eq!(first.snapshot[&key("db/dump.sql")].content, vec![5; 100_000]);
    let again = StdinSource::new("other", std::io::empty()).unwrap();
    let second = scan(&again, Some(&first.snapshot), ScanMode::Incremental);
    assert_eq!(paths(&second.deleted), ["db/dump.sql"]);
    assert_eq!(paths(second.snapshot.keys()), ["other"]);
    for name in ["", "/", "../x", "a/./b"] {
        assert!(StdinSource::new(name, std::io::empty()).is_err(), "{name}");
    }
}
