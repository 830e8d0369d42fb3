use std::sync::Arc;

use super::*;
use crate::ops::diff::{ChangeKind, diff};
use crate::ops::log::{Order, Version, log};
use crate::ops::stats::stats;
use crate::repo::{CacheSizes, Objects, Repository};
use crate::testing::{Item, MemorySource, TempRepo, noise};

struct Fixture {
    repository: Arc<Repository>,
    reader: Arc<dyn ReadObject>,
    snapshots: Vec<Snapshot>,
}

/// Backs up once for each edit.
fn fixture(edits: &[&dyn Fn(&MemorySource)]) -> Fixture {
    let place = TempRepo::memory();
    place.create();
    let source = MemorySource::new("m", &["issues", "users"]);
    for edit in edits {
        edit(&source);
        place.backup(&source);
    }
    let repository = place.open();
    let objects = Objects::load(&repository, CacheSizes::default()).unwrap();
    let history = repository.history().unwrap();
    Fixture {
        reader: Arc::new(objects),
        snapshots: history.visible().cloned().collect(),
        repository,
    }
}

fn put(source: &MemorySource, keys: &[&str]) {
    for key in keys {
        let key = key.replace('/', "\0");
        source.put("issues", key.clone(), Item::document(format!("content of {key}")));
    }
}

fn paths(contents: &Contents, path: &str, depth: Depth) -> Vec<String> {
    let listing = contents.list(path.as_bytes(), depth).unwrap();
    listing.map(|located| located.unwrap().path).collect()
}

#[test]
fn listings_go_all_the_way_or_one_level_down() {
    let fixture = fixture(&[&|source| {
        put(source, &["a", "a.txt", "a/b", "a/b/c", "a/d", "z/y/x"]);
        source.put("users", "u", Item::document("x"));
    }]);
    let other = Contents::new(Arc::clone(&fixture.reader), &fixture.snapshots[0]);
    assert_eq!(paths(&other, "/", Depth::One), ["/issues", "/users"]);
    assert_eq!(paths(&other, "/users", Depth::All), ["/users/u"]);
    assert_eq!(paths(&other, "/", Depth::All).len(), 7);

    let mut snapshot = fixture.snapshots[0].clone();
    snapshot.commit.source.kind = "files".into();
    snapshot.commit.collections.truncate(1);
    let files = Contents::new(fixture.reader, &snapshot);
    let all = ["/a", "/a/b", "/a/b/c", "/a/d", "/a.txt", "/z/y/x"];
    assert_eq!(paths(&files, "/", Depth::All), all);
    // Directories that no entry stands for are there all the same.
    assert_eq!(paths(&files, "", Depth::One), ["/a", "/a.txt", "/z"]);
    assert_eq!(paths(&files, "/a", Depth::All), ["/a", "/a/b", "/a/b/c", "/a/d"]);
    assert_eq!(paths(&files, "//z/./y/", Depth::One), ["/z/y/x"]);
    for nothing in ["/b", "/a/b/c/d", "/z/y/xx", "/a.tx"] {
        let error = files.list(nothing.as_bytes(), Depth::All).err().unwrap();
        assert!(matches!(error, Error::NoSuchPath { .. }), "{nothing}: {error}");
    }
    for wrong in ["/a/../b", "/a\0b"] {
        let error = files.list(wrong.as_bytes(), Depth::All).err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{wrong}: {error}");
    }
}

#[test]
fn contents_come_back_whole_and_only_of_files() {
    let large = noise(7, 1_000_000);
    let fixture = fixture(&[&|source| {
        source.put("issues", "large", Item::file(large.clone()));
        source.put("issues", "small", Item::file("x"));
        source.put("issues", "empty", Item::file(""));
    }]);
    let contents = Contents::new(fixture.reader, &fixture.snapshots[0]);
    let ctx = RunContext::default();
    for (path, expected) in
        [("/issues/large", large.as_ref()), ("/issues/small", b"x"), ("/issues/empty", b"")]
    {
        let mut out = Vec::new();
        let length = contents.cat(path.as_bytes(), &mut out, &ctx).unwrap();
        assert!(out == expected && length == expected.len() as u64, "{path}");
    }
    let mut out = Vec::new();
    for nothing in ["/issues", "/issues/none", "/none/x"] {
        let error = contents.cat(nothing.as_bytes(), &mut out, &ctx).unwrap_err();
        assert!(matches!(error, Error::NoSuchPath { .. }), "{nothing}: {error}");
    }
    let mut full = [0u8; 10];
    let error = contents.cat(b"/issues/large", &mut full.as_mut_slice(), &ctx);
    assert!(matches!(error, Err(Error::Output(_))));
}

#[test]
fn differences_name_the_fields_of_documents() {
    let issue =
        |summary: &str| Item::document(format!(r#"{{"fields":{{"summary":"{summary}"}}}}"#));
    let fixture = fixture(&[
        &|source| {
            source.put("issues", "ABC-1", issue("a"));
            source.put("issues", "ABC-2", Item::document("no JSON"));
            source.put("issues", "ABC-3", issue("c"));
            source.put("users", "u", Item::document("u"));
        },
        &|source| {
            source.put("issues", "ABC-1", issue("b"));
            source.put("issues", "ABC-2", Item::document("no JSON either"));
            source.remove("issues", "ABC-3");
            source.put("users", "v", Item::document("v"));
        },
    ]);
    let [old, new] = fixture.snapshots.as_slice() else { panic!("two snapshots") };
    let changes = |old, new, path: &str| {
        let changes = diff(&fixture.reader, old, new, path.as_bytes(), &RunContext::default());
        changes.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let found = changes(old, new, "/");
    let told: Vec<_> =
        found.iter().map(|it| (it.path.as_str(), it.change, it.fields.join(","))).collect();
    assert_eq!(
        told,
        [
            ("/issues/ABC-1", ChangeKind::Modified, "fields.summary".into()),
            ("/issues/ABC-2", ChangeKind::Modified, "content".into()),
            ("/issues/ABC-3", ChangeKind::Removed, String::new()),
            ("/users/v", ChangeKind::Added, String::new()),
        ]
    );
    let values = &found[0].values;
    assert_eq!((&values[0].old, &values[0].new), (&Some("a".into()), &Some("b".into())));
    assert!(found[1..].iter().all(|it| it.values.is_empty()));
    assert!(changes(new, new, "/").is_empty());
    assert_eq!(changes(old, new, "/users").len(), 1);
    assert_eq!(changes(old, new, "/issues/ABC-1").len(), 1);
    assert!(changes(old, new, "/issues/ABC").is_empty());
    let back = changes(new, old, "/users");
    assert_eq!(back[0].change, ChangeKind::Removed);
}

#[test]
fn a_log_tells_every_version_of_what_is_below_a_path() {
    let fixture = fixture(&[
        &|source| put(source, &["ABC/ABC-1", "ABC/ABC-2/x", "ABC/ABC-3"]),
        &|source| put(source, &["XY/XY-1"]),
        &|source| source.put("issues", "ABC\0ABC-1", Item::document("new")),
        &|source| {
            source.remove("issues", "ABC\0ABC-1");
            source.remove("issues", "ABC\0ABC-2\0x");
        },
    ]);
    let snapshots: Vec<_> = fixture.snapshots.iter().collect();
    let told = |path: &str, order| -> Vec<_> {
        let log = log(&fixture.reader, &snapshots, path.as_bytes(), order, &RunContext::default());
        let place = |version: &Version<'_>| {
            fixture.snapshots.iter().position(|it| it.id == version.snapshot.id).unwrap()
        };
        let versions = log.unwrap().map(Result::unwrap);
        versions.map(|it| (place(&it), it.change.change, it.change.path)).collect()
    };
    let version = |place, change, path: &str| (place, change, path.to_owned());
    let mut expected = vec![
        version(3, ChangeKind::Removed, "/issues/ABC/ABC-1"),
        version(2, ChangeKind::Modified, "/issues/ABC/ABC-1"),
        version(0, ChangeKind::Added, "/issues/ABC/ABC-1"),
    ];
    assert_eq!(told("/issues/ABC/ABC-1", Order::NewestFirst), expected);
    expected.reverse();
    assert_eq!(told("/issues/ABC/ABC-1/", Order::OldestFirst), expected);
    let below = told("/issues/ABC/ABC-2", Order::OldestFirst);
    assert_eq!(
        below,
        [
            version(0, ChangeKind::Added, "/issues/ABC/ABC-2/x"),
            version(3, ChangeKind::Removed, "/issues/ABC/ABC-2/x"),
        ]
    );
    assert_eq!(told("/", Order::OldestFirst).len(), 7);
    assert_eq!(told("/issues/ABC/ABC", Order::OldestFirst), []);
    assert_eq!(told("/none", Order::OldestFirst), []);
}

#[test]
fn an_issue_is_found_by_its_key() {
    let fixture = fixture(&[&|source| put(source, &["ABC/ABC-7/issue.json", "ABC/ABC-7/x"])]);
    let mut snapshot = fixture.snapshots[0].clone();
    let ctx = RunContext::default();
    let other = Contents::new(Arc::clone(&fixture.reader), &snapshot);
    assert!(other.list(b"/ABC-7", Depth::All).is_err());
    snapshot.commit.source.kind = "jira".into();
    let jira = Contents::new(fixture.reader, &snapshot);
    let below = ["/issues/ABC/ABC-7/issue.json", "/issues/ABC/ABC-7/x"];
    assert_eq!(paths(&jira, "/ABC-7", Depth::All), below);
    for path in ["/ABC-7", "/issues/ABC/ABC-7/", "/issues/ABC/ABC-7/issue.json"] {
        let mut out = Vec::new();
        jira.cat(path.as_bytes(), &mut out, &ctx).unwrap();
        assert_eq!(out, b"content of ABC\0ABC-7\0issue.json", "{path}");
    }
    let error = jira.cat(b"/ABC-8", &mut Vec::new(), &ctx).unwrap_err();
    assert!(matches!(&error, Error::NoSuchPath { path, .. } if path == "/issues/ABC/ABC-8"));
}

#[test]
fn figures_add_up() {
    let fixture = fixture(&[
        &|source| source.put("issues", "large", Item::file(noise(1, 600_000))),
        &|source| source.put("issues", "more", Item::file(noise(2, 600_000))),
    ]);
    let stats = stats(&fixture.repository).unwrap();
    assert_eq!((stats.snapshots, stats.forgotten, stats.pending_bytes), (2, 0, 0));
    assert!(stats.raw_bytes > 1_200_000 && stats.stored_bytes > 1_200_000, "{stats:?}");
    assert_eq!(stats.packs, 2);
    let by_kind: u64 = stats.kinds.values().map(|stored| stored.bytes).sum();
    assert_eq!(by_kind, stats.stored_bytes);
    assert_eq!(stats.sources["m"].entries, 2);
}
