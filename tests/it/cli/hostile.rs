//! Snapshots and targets that want a restore to write where it must not.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use esker_engine::context::RunContext;
use esker_engine::entry::EntryKind;
use esker_engine::ops::backup::backup;
use esker_engine::repo::{Client, Repository, Unlock};
use esker_engine::source::{Base, ChangeSink, ScanEnd, ScanMode, Source, SourceError, SourceInfo};
use esker_engine::store::{Store, StoreOptions};
use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, MemorySource, runtime, small_options};

/// A source that says of itself that it is a folder.
struct AsFolder<'a>(&'a MemorySource);

#[async_trait::async_trait]
impl Source for AsFolder<'_> {
    fn describe(&self) -> SourceInfo {
        let kind = "files".into();
        SourceInfo { kind, ..self.0.describe() }
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        self.0.scan(base, mode, changes, ctx).await
    }
}

fn hostile() -> MemorySource {
    MemorySource::new("hostile", &["files"])
}

/// The sandbox's repository, for the engine.
pub(super) fn open(sandbox: &Sandbox) -> Arc<Repository> {
    let url = sandbox.path("repo").display().to_string();
    let store = Store::open(&url, &StoreOptions::default(), runtime()).unwrap();
    let unlock = Unlock::from_key_file(sandbox.read("key").trim()).unwrap();
    let repository = Repository::open(store, &unlock, |_| Client::forgetful());
    Arc::new(repository.unwrap())
}

/// Puts a snapshot into the sandbox's repository as a program with the key but bad intentions would.
fn back_up(sandbox: &Sandbox, source: &MemorySource) {
    let ctx = RunContext::default();
    backup(&open(sandbox), &AsFolder(source), &small_options(), &ctx).unwrap();
}

fn link(target: &str) -> Item {
    let mut item = Item::file("");
    item.kind = EntryKind::Symlink;
    item.metadata.link_target = Some(target.to_owned().into());
    item
}

#[test]
fn names_that_lead_out_of_the_target() {
    let sandbox = Sandbox::new();
    let source = hostile();
    let bad: [&[u8]; 10] = [
        b"..",
        b"a\0..\0..\0escaped",
        b"a/b",
        b"../escaped",
        b".",
        b"a\0.",
        b"/etc/escaped",
        b"a\0\0b",
        b"a\0",
        b"\0escaped",
    ];
    for key in bad {
        source.put("files", key, Item::file("escaped"));
    }
    source.put("files", &b"good"[..], Item::file("good"));
    back_up(&sandbox, &source);
    let before = sandbox.files("");
    let ran = sandbox.esker(["restore", "latest", "--to", "deep/er/out"]).exits(3);
    assert!(ran.err.contains("warning: "), "{}", ran.report());
    assert_eq!(sandbox.read("deep/er/out/good"), "good");
    let mut after = sandbox.files("");
    after.retain(|path| {
        !before.contains(path) && !path.starts_with("deep/er/out/") && !path.starts_with("home/")
    });
    assert!(after.is_empty(), "written outside: {after:?}");
    assert_eq!(sandbox.files("deep/er/out"), ["good"]);
    let summary = sandbox.esker(["restore", "latest", "--to", "out2", "--json"]).exits(3).summary();
    assert_eq!(summary["problems"].as_array().unwrap().len(), bad.len(), "{summary}");
    sandbox.esker(["restore", "latest", "--to", "out.tar.zst"]).exits(3);
    for command in [&["ls", "latest"][..], &["ls", "latest", "--json"], &["check", "--read-data"]] {
        sandbox.esker(command).ok();
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let sandbox = Sandbox::new();
    let source = hostile();
    source.put("files", &b"a\x1b]0;title\x07b"[..], Item::file("x"));
    source.put("files", &b"new\nline"[..], Item::file("x"));
    source.put("files", &b"not \xff text"[..], Item::file("x"));
    back_up(&sandbox, &source);
    let ran = sandbox.esker(["ls", "latest"]).ok();
    assert_eq!(ran.text().lines().count(), 3, "{}", ran.report());
    assert!(!ran.text().contains(['\x1b', '\x07']), "{}", ran.report());
    let listed = sandbox.esker(["ls", "latest", "--json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    sandbox.esker(["restore", "latest", "--to", "out"]).ok();
    assert_eq!(sandbox.files("out").len(), 3);
}

#[test]
fn a_link_in_the_snapshot_is_not_followed() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("outside")).unwrap();
    let source = hostile();
    source.put("files", &b"sub"[..], link(sandbox.path("outside").to_str().unwrap()));
    source.put("files", &b"sub\0file"[..], Item::file("escaped"));
    back_up(&sandbox, &source);
    sandbox.esker(["restore", "latest", "--to", "out"]).exits(3);
    assert!(sandbox.files("outside").is_empty());
}

#[test]
fn a_link_planted_in_the_target_is_not_followed() {
    let sandbox = Sandbox::with_snapshot();
    fs::create_dir(sandbox.path("outside")).unwrap();
    fs::create_dir(sandbox.path("out")).unwrap();
    symlink(sandbox.path("outside"), sandbox.path("out/folder")).unwrap();
    sandbox.write("victim", "mine");
    symlink(sandbox.path("victim"), sandbox.path("out/a.txt")).unwrap();
    for mode in ["never", "if-changed", "always"] {
        let ran = sandbox.esker(["restore", "latest", "--to", "out", "--overwrite", mode]);
        assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.report());
        assert!(sandbox.files("outside").is_empty(), "{mode}: {}", ran.report());
        assert_eq!(sandbox.read("victim"), "mine", "{mode}");
    }
}
