//! Odd names and deep paths.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use esker_engine::context::RunContext;
use esker_engine::entry::Entry;
use esker_engine::problem::ProblemKind;
use esker_engine::source::{BaseEntries, BaseError, ReadBase, ScanMode};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};

use crate::driver::{FakeBase, Folder, paths, push_over};

#[test]
fn names_may_hold_anything() {
    let folder = Folder::new();
    let long = [b'n'; 255];
    let names: [&[u8]; 7] = [b"a\nb", b"\xff\xfe", b" ", b"\\", b"\x01", "größe".as_bytes(), &long];
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let first = folder.scan();
    for name in names {
        assert_eq!(first.snapshot[name].content, name);
    }
    assert_eq!(folder.scan_on(&first.snapshot).unchanged, 8);
}

/// A directory so deep that no path leads there.
struct Deep {
    folder: Folder,
    name: String,
    levels: usize,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

impl Deep {
    fn new(levels: usize) -> Self {
        let deep = Self { folder: Folder::new(), name: "n".repeat(200), levels };
        let mut above = deep.open();
        for _ in 0..levels {
            mkdirat(&above, &*deep.name, Mode::RWXU).unwrap();
            // Something that comes after the way down.
            let file = OFlags::CREATE | OFlags::WRONLY;
            let file = openat(&above, "z", file, Mode::RUSR | Mode::WUSR).unwrap();
            rustix::io::write(&file, b"content").unwrap();
            above = openat(&above, &*deep.name, DIRECTORY, Mode::empty()).unwrap();
        }
        deep
    }

    fn open(&self) -> OwnedFd {
        openat(CWD, self.folder.path(), DIRECTORY, Mode::empty()).unwrap()
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        // Children are moved up before their parent goes, since nobody else can remove so deep a tree.
        let top = self.open();
        for _ in 0..self.levels {
            let old = openat(&top, &*self.name, DIRECTORY, Mode::empty()).unwrap();
            let _ = rustix::fs::renameat(&old, &*self.name, &top, "next");
            let _ = unlinkat(&old, "z", AtFlags::empty());
            unlinkat(&top, &*self.name, AtFlags::REMOVEDIR).unwrap();
            let _ = rustix::fs::renameat(&top, "next", &top, &*self.name);
        }
    }
}

#[test]
fn paths_longer_than_the_system_allows_are_walked() {
    let deep = Deep::new(320);
    let first = deep.folder.scan();
    assert!(first.problems.is_empty(), "{:?}", first.problems);
    assert_eq!(first.snapshot.len(), 641);
    let longest = first.snapshot.keys().map(Vec::len).max().unwrap();
    assert_eq!(longest, 320 * 201 - 1);
    let deepest = [vec![deep.name.as_str(); 319], vec!["z"]].concat().join("\0");
    assert_eq!(first.snapshot[deepest.as_bytes()].content, b"content");
    assert_eq!(deep.folder.scan_on(&first.snapshot).unchanged, 641);
}

#[test]
fn what_is_deeper_than_a_key_is_long_is_a_problem_and_the_rest_is_stored() {
    let deep = Deep::new(600);
    let outcome = deep.folder.scan();
    // 326 levels of 201 bytes fit into 65,535.
    assert_eq!(outcome.snapshot.len(), 1 + 326 * 2 + 1);
    let [problem] = outcome.problems.as_slice() else {
        panic!("{} problems", outcome.problems.len());
    };
    assert_eq!(problem.kind, ProblemKind::Unsupported);
    assert_eq!(paths(outcome.snapshot.keys().rev().take(1)), ["z"]);
}

/// A last snapshot that does something to the folders when the walk has come to a key.
struct Interfering {
    base: FakeBase,
    at: Vec<u8>,
    act: Arc<dyn Fn() + Send + Sync>,
}

impl ReadBase for Interfering {
    fn get(&self, collection: &str, key: &[u8]) -> Result<Option<Entry>, BaseError> {
        self.base.get(collection, key)
    }

    fn entries(&self, collection: &str, from: &[u8]) -> BaseEntries {
        let (at, act) = (self.at.clone(), Arc::clone(&self.act));
        let entries = self.base.entries(collection, from);
        Box::new(entries.inspect(move |entry| {
            if entry.as_ref().is_ok_and(|(key, _)| key == &at) {
                act();
            }
        }))
    }
}

#[test]
fn the_way_back_is_found_when_directories_are_moved_meanwhile() {
    // The walk keeps 64 directories open: on the way back the first to be opened again is at level 6.
    let level = |depth: usize| vec!["n"; depth].join("/");
    for (moved, problems) in [(vec![7], 0), (vec![7, 6], 1)] {
        let folder = Folder::new();
        for depth in 0..=70 {
            folder.write(format!("{}/z", level(depth)).trim_start_matches('/'), "x");
        }
        let snapshot = folder.scan().snapshot;
        let total = snapshot.len() as u64;
        let renames: Vec<_> = moved
            .iter()
            .map(|depth| (folder.at(&level(*depth)), folder.at(&format!("moved{depth}"))))
            .collect();
        let base = Interfering {
            base: FakeBase(snapshot),
            at: format!("{}/z", level(70)).replace('/', "\0").into_bytes(),
            act: Arc::new(move || {
                for (from, to) in &renames {
                    fs::rename(from, to).unwrap();
                }
            }),
        };
        let ctx = RunContext::default();
        let base = Arc::new(base);
        let pushed = push_over(&folder.source(), Some(base), ScanMode::Incremental, &ctx).unwrap();
        assert!(folder.at("moved7").exists());
        assert!(pushed.changes.is_empty(), "nothing is deleted that was not looked for");
        assert_eq!(pushed.unchanged, total - problems);
        assert_eq!(pushed.problems.len() as u64, problems);
        for problem in pushed.problems {
            assert_eq!((problem.kind, problem.stale), (ProblemKind::Vanished, true));
            assert!(problem.path.ends_with(&level(6)), "{}", problem.path);
        }
    }
}
