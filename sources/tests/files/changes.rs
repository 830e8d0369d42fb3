//! What is found new, changed, unchanged and gone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use esker_engine::context::RunContext;
use esker_engine::problem::ProblemKind;
use esker_engine::source::{CompletenessState, ScanMode, Source, SourceError};
use esker_sources::filesystem::{FilesOptions, FilesSource};

use crate::driver::{Folder, is_root, key, paths, push, push_in, scan};

fn sample() -> Folder {
    let folder = Folder::new();
    folder.write("a", "one");
    folder.write("a!", "after a, before what would be in it");
    folder.write("d/e/deep", "deep");
    folder.write("d/x", "x");
    folder.write("empty", "");
    folder.write("z", vec![7; 300_000]);
    folder
}

#[test]
fn a_first_scan_has_everything_in_the_order_of_the_keys() {
    let outcome = sample().scan();
    let all = [".", "a", "a!", "d", "d/e", "d/e/deep", "d/x", "empty", "z"];
    assert_eq!(paths(&outcome.put), all);
    assert_eq!(outcome.snapshot[&key("d/e/deep")].content, b"deep");
    assert_eq!(outcome.snapshot[&key("z")].content, vec![7; 300_000]);
    assert_eq!(outcome.snapshot[&key("empty")].entry.size, 0);
    assert_eq!(outcome.snapshot[&key("d")].entry.size, 0);
    let end = &outcome.end.collections[0];
    assert_eq!(end.name, "files");
    assert_eq!(end.completeness.state, CompletenessState::Complete);
    assert_eq!(end.completeness.found, 9);
}

#[test]
fn what_has_not_changed_is_not_pushed() {
    let folder = sample();
    let first = folder.scan();
    let second = folder.scan_on(&first.snapshot);
    assert!(second.put.is_empty() && second.deleted.is_empty());
    assert_eq!(second.unchanged, 9);
}

#[test]
fn each_kind_of_change_is_found_and_nothing_else() {
    type Edit = fn(&Folder);
    let cases: [(&str, Edit, &[&str], &[&str]); 8] = [
        ("new", |f| drop(f.write("d/new", "n")), &["d", "d/new"], &[]),
        ("content", |f| drop(f.write("d/x", "y")), &["d/x"], &[]),
        (
            "mode",
            |f| fs::set_permissions(f.at("a"), Permissions::from_mode(0o4711)).unwrap(),
            &["a"],
            &[],
        ),
        ("delete", |f| fs::remove_file(f.at("a")).unwrap(), &["."], &["a"]),
        (
            "delete a directory",
            |f| fs::remove_dir_all(f.at("d")).unwrap(),
            &["."],
            &["d", "d/e", "d/e/deep", "d/x"],
        ),
        (
            "rename",
            |f| fs::rename(f.at("d/e"), f.at("f")).unwrap(),
            &[".", "d", "f", "f/deep"],
            &["d/e", "d/e/deep"],
        ),
        (
            "a directory becomes a file",
            |f| {
                fs::remove_dir_all(f.at("d")).unwrap();
                f.write("d", "file");
            },
            &[".", "d"],
            &["d/e", "d/e/deep", "d/x"],
        ),
        (
            "a file of the same size and time takes its place",
            |f| {
                let time = fs::metadata(f.at("a")).unwrap().modified().unwrap();
                f.write("other", "two");
                fs::rename(f.at("other"), f.at("a")).unwrap();
                let file = fs::File::options().write(true).open(f.at("a")).unwrap();
                file.set_modified(time).unwrap();
            },
            &[".", "a"],
            &[],
        ),
    ];
    for (name, edit, put, deleted) in cases {
        let folder = sample();
        let first = folder.scan();
        edit(&folder);
        let second = folder.scan_on(&first.snapshot);
        assert_eq!(paths(&second.put), put, "{name}");
        assert_eq!(paths(&second.deleted), deleted, "{name}");
        assert!(second.problems.is_empty(), "{name}");
    }
}

#[test]
fn a_change_right_after_the_reading_is_seen_by_the_next_scan() {
    let folder = Folder::new();
    // Same size, and written within the same tick of the clock unless the reader has waited.
    folder.write("file", "0");
    for round in 1..=9 {
        let before = folder.scan().snapshot;
        folder.write("file", round.to_string());
        let after = folder.scan_on(&before);
        assert_eq!(paths(&after.put), ["file"]);
    }
}

#[test]
fn a_full_scan_reads_all_and_still_deletes() {
    let folder = sample();
    let first = folder.scan();
    fs::remove_file(folder.at("d/x")).unwrap();
    let second = scan(&folder.source(), Some(&first.snapshot), ScanMode::Full);
    assert_eq!(second.put.len(), 8);
    assert_eq!(paths(&second.deleted), ["d/x"]);
}

#[test]
fn an_unreadable_directory_is_a_problem_and_keeps_its_last_state() {
    if is_root() {
        return; // Nothing is unreadable to root.
    }
    let folder = sample();
    let first = folder.scan();
    fs::set_permissions(folder.at("d"), Permissions::from_mode(0o000)).unwrap();
    let second = scan(&folder.source(), Some(&first.snapshot), ScanMode::Incremental);
    fs::set_permissions(folder.at("d"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(paths(&second.put), ["d"]);
    assert!(second.deleted.is_empty());
    let [problem] = second.problems.as_slice() else {
        panic!("{:?}", second.problems);
    };
    assert_eq!((problem.kind, problem.stale), (ProblemKind::NotPermitted, true));
    assert!(problem.path.ends_with("/d"));
    assert_eq!(second.end.collections[0].completeness.state, CompletenessState::Partial);
}

#[test]
fn an_unreadable_file_is_a_problem_and_keeps_its_last_state() {
    if is_root() {
        return; // Nothing is unreadable to root.
    }
    let folder = sample();
    let first = folder.scan();
    folder.write("new", "n");
    for name in ["a", "new"] {
        fs::set_permissions(folder.at(name), Permissions::from_mode(0o000)).unwrap();
    }
    let second = scan(&folder.source(), Some(&first.snapshot), ScanMode::Incremental);
    let stale: Vec<bool> = second.problems.iter().map(|problem| problem.stale).collect();
    assert_eq!(stale, [true, false]);
    assert_eq!(second.snapshot[&key("a")], first.snapshot[&key("a")]);
    assert!(!second.snapshot.contains_key(&key("new")));
}

#[test]
fn a_cancelled_scan_stops() {
    let folder = sample();
    let ctx = RunContext::default();
    ctx.cancel.cancel();
    let result = push_in(&folder.source(), None, ScanMode::Full, &ctx);
    assert!(matches!(result, Err(SourceError::Cancelled)));
}

#[test]
fn a_source_that_is_gone_fails_instead_of_deleting_everything() {
    let folder = sample();
    let (one, two) = (folder.at("d"), folder.at("a"));
    let single = FilesSource::open(vec![one.clone()], FilesOptions::default()).unwrap();
    let several = FilesSource::open(vec![one, two], FilesOptions::default()).unwrap();
    fs::remove_dir_all(folder.at("d")).unwrap();
    for source in [single, several] {
        let error = push_in(&source, None, ScanMode::Incremental, &RunContext::default());
        let error = error.err().unwrap().to_string();
        assert!(error.contains(folder.at("d").to_str().unwrap()), "{error}");
    }
    let missing = FilesSource::open(vec![folder.at("d")], FilesOptions::default());
    assert!(missing.unwrap_err().to_string().contains("/d"));
}

#[test]
fn the_identity_is_the_absolute_path_however_it_is_spelt() {
    let folder = sample();
    let identity = |paths: Vec<PathBuf>| {
        let source = FilesSource::open(paths, FilesOptions::default()).unwrap();
        source.describe().identity
    };
    let plain = folder.at("d").display().to_string();
    for spelling in ["d", "d/", "d/.", "d/e/.."] {
        assert_eq!(identity(vec![folder.at(spelling)]), plain, "{spelling}");
    }
    let both = identity(vec![folder.at("d"), folder.at("a")]);
    assert_eq!(both, format!("{}\n{plain}", folder.at("a").display()));
    let info = folder.source().describe();
    assert_eq!((info.kind.as_str(), info.collections), ("files", vec!["files".to_string()]));
}

#[test]
fn a_directory_with_many_names_is_walked_in_order() {
    let folder = Folder::new();
    for number in 0..1_000 {
        fs::write(folder.at(&format!("{number}")), "").unwrap();
    }
    let pushed = push(&folder.source(), None, ScanMode::Incremental);
    assert_eq!(pushed.changes.len(), 1_001);
    let outcome = crate::driver::apply(pushed, None);
    let again = push(&folder.source(), Some(&outcome.snapshot), ScanMode::Incremental);
    assert!(again.changes.is_empty());
    assert_eq!(again.unchanged, 1_001);
}
