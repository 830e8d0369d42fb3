//! What is left out, and what alone is taken.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use esker_engine::entry::EntryKind;
use esker_engine::problem::ProblemKind;
use esker_engine::source::ScanMode;
use esker_sources::filesystem::{FileList, FilesOptions, FilesSource, Separator};

use crate::driver::{Folder, Snapshot, is_root, key, paths, run, scan};

fn excluding(patterns: &[&str]) -> FilesOptions {
    FilesOptions {
        excludes: patterns.iter().map(ToString::to_string).collect(),
        ..FilesOptions::default()
    }
}

#[test]
fn excludes_follow_gitignore() {
    let folder = Folder::new();
    for name in [
        "a.tmp",
        "keep.tmp",
        "src/a.tmp",
        "src/a.rs",
        "target/x",
        "src/target/y",
        "cache",
        "src/cache",
    ] {
        folder.write(name, "x");
    }
    let cases: [(&[&str], &[&str]); 5] = [
        (&["*.tmp", "!keep.tmp"], &["a.tmp", "src/a.tmp"]),
        (&["/cache"], &["cache"]),
        (&["target/"], &["src/target", "src/target/y", "target", "target/x"]),
        (&["cache/"], &[]),
        (&["/src/*", "!/src/a.rs"], &["src/a.tmp", "src/cache", "src/target", "src/target/y"]),
    ];
    let everything = folder.scan().snapshot;
    for (patterns, missing) in cases {
        let source = folder.source_with(excluding(patterns));
        let first = scan(&source, None, ScanMode::Incremental);
        let gone = everything.keys().filter(|key| !first.snapshot.contains_key(*key));
        assert_eq!(paths(gone), missing, "{patterns:?}");
        // What is excluded from now on is deleted.
        let later = scan(&source, Some(&everything), ScanMode::Incremental);
        assert_eq!(paths(&later.deleted), missing, "{patterns:?}");
        assert_eq!(later.snapshot, first.snapshot);
    }
}

#[test]
fn an_excluded_directory_is_not_entered() {
    let folder = Folder::new();
    folder.write("private/file", "x");
    fs::set_permissions(folder.at("private"), std::os::unix::fs::PermissionsExt::from_mode(0o000))
        .unwrap();
    let outcome = scan(&folder.source_with(excluding(&["private"])), None, ScanMode::Full);
    fs::set_permissions(folder.at("private"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    assert_eq!(paths(&outcome.put), ["."]);
    assert!(outcome.problems.is_empty());
}

#[test]
fn exclude_files_are_read() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    folder.write("a.log", "");
    folder.write("b.log", "");
    let options = FilesOptions {
        exclude_files: vec![elsewhere.write("list", "# logs\n*.log\n!b.log\n")],
        ..FilesOptions::default()
    };
    let outcome = scan(&folder.source_with(options), None, ScanMode::Full);
    assert_eq!(paths(&outcome.put), [".", "b.log"]);
}

/// A mounted file system, for as long as it lives.
struct Mount(PathBuf);

impl Mount {
    fn new(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let arguments = ["-t", "tmpfs", "tmpfs"].map(Path::new);
        let [t, kind, device] = arguments;
        (is_root() && run("mount", &[t, kind, device, &path])).then_some(Self(path))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[&self.0]);
    }
}

#[test]
fn one_file_system_records_mount_points_as_empty_directories() {
    let folder = Folder::new();
    let Some(mount) = Mount::new(folder.at("d/mount")) else {
        return; // Only root mounts, and not in every container.
    };
    folder.write("d/mount/inside", "x");
    folder.write("d/outside", "x");
    let options = FilesOptions { one_file_system: true, ..FilesOptions::default() };
    let all = folder.scan().snapshot;
    assert!(all.contains_key(&key("d/mount/inside")));
    let source = folder.source_with(options.clone());
    let one = scan(&source, Some(&all), ScanMode::Incremental);
    assert_eq!(paths(&one.deleted), ["d/mount/inside"]);
    assert_eq!(paths(one.snapshot.keys()), [".", "d", "d/mount", "d/outside"]);
    assert_eq!(one.snapshot, scan(&source, None, ScanMode::Full).snapshot);
    // A mount point that is named is meant.
    let named = FilesSource::open(vec![folder.path(), folder.at("d/mount")], options).unwrap();
    let prefix = key(&folder.at("d/mount/inside").display().to_string()[1..]);
    assert!(scan(&named, None, ScanMode::Full).snapshot.contains_key(&prefix));
    drop(mount);
}

fn list(folder: &Folder, lines: &[&str], separator: Separator) -> FileList {
    let end = if separator == Separator::Nul { "\0" } else { "\n" };
    let text = lines.join(end) + end;
    FileList { path: folder.write("list", text), separator }
}

#[test]
fn lists_alone_decide_what_is_taken() {
    let (folder, lists) = (Folder::new(), Folder::new());
    for name in ["a", "b", "d/x", "d/y", "e/f/g", "e/h", "odd\nname"] {
        folder.write(name, name);
    }
    let at = |name: &str| folder.at(name).display().to_string();
    let names = [at("d"), at("e/f/g"), at("odd\nname"), at("gone"), at("a/below a file")];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = FilesOptions {
        files_from: vec![list(&lists, &names, Separator::Nul)],
        excludes: vec!["y".into()],
        ..FilesOptions::default()
    };
    let source = folder.source_with(options.clone());
    let first = scan(&source, None, ScanMode::Incremental);
    let found = [".", "d", "d/x", "e", "e/f", "e/f/g", "odd\nname"];
    assert_eq!(paths(first.snapshot.keys()), found);
    let problems: Vec<_> = first.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(problems, [ProblemKind::Vanished; 2]);
    let second = scan(&source, Some(&first.snapshot), ScanMode::Incremental);
    assert!(second.put.is_empty() && second.deleted.is_empty());
    assert_eq!(second.unchanged, 7);

    let anywhere = FilesSource::open(vec![], options).unwrap();
    let snapshot = scan(&anywhere, None, ScanMode::Incremental).snapshot;
    let deep = key(&folder.at("e/f/g").display().to_string()[1..]);
    assert_eq!(snapshot[&deep].content, b"e/f/g");
}

#[test]
fn several_paths_are_stored_under_their_full_paths() {
    let folder = Folder::new();
    folder.write("a/x", "x");
    folder.write("b/y", "y");
    folder.write("b/file", "f");
    symlink("a", folder.at("link")).unwrap();
    let roots = vec![folder.at("link"), folder.at("b/file")];
    let source = FilesSource::open(roots, FilesOptions::default()).unwrap();
    let first = scan(&source, None, ScanMode::Incremental);
    let top = folder.path().display().to_string()[1..].to_string();
    let above = |snapshot: &Snapshot| {
        let is_above = |key: &&Vec<u8>| key.len() <= top.len();
        snapshot.keys().filter(is_above).count()
    };
    // The linked folder is meant; the folders above come with what is known of them, the root of all does not.
    assert_eq!(above(&first.snapshot), top.split('/').count());
    let below: Vec<_> = first.snapshot.keys().skip(above(&first.snapshot)).cloned().collect();
    let expected = ["a", "a/x", "b", "b/file"].map(|name| format!("{top}/{name}"));
    assert_eq!(paths(&below), expected);
    let parent = &first.snapshot[&key(&top)].entry;
    assert_eq!(parent.kind, EntryKind::Directory);
    assert!(parent.metadata.mode.is_some());
    let second = scan(&source, Some(&first.snapshot), ScanMode::Incremental);
    assert_eq!(second.snapshot, scan(&source, None, ScanMode::Full).snapshot);
}

#[test]
fn a_single_file_is_stored_under_its_name() {
    let folder = Folder::new();
    folder.write("a", "x");
    let path = folder.write("file", "content");
    let source = FilesSource::open(vec![path], FilesOptions::default()).unwrap();
    let first = scan(&source, None, ScanMode::Incremental);
    assert_eq!(paths(first.snapshot.keys()), ["file"]);
    assert_eq!(first.snapshot[&key("file")].content, b"content");
    assert_eq!(scan(&source, Some(&first.snapshot), ScanMode::Incremental).unchanged, 1);
}
