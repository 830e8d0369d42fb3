//! A store that is far away: how many requests each operation makes, and how often it waits for them.

use std::sync::Arc;

use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::ops::check::{CheckOptions, check};
use esker_engine::ops::prune::{PruneOptions, prune};
use esker_engine::ops::restore::{RestoreOptions, RestoreTarget, restore};
use esker_engine::repo::{CacheSizes, Objects, Repository};
use esker_engine::store::Store;
use esker_engine::testing::{DistantStore, Trips, runtime};
use esker_tests::{Item, MemorySource, TempRepo, noise, words};

/// The repository as a process sees it that begins now, and the way to it.
fn far(repo: &TempRepo) -> (Arc<Repository>, DistantStore) {
    let distant = DistantStore::new(repo.raw());
    let store = Store::new(Arc::new(distant.clone()), "far away", runtime());
    (repo.try_open(store).expect("the repository opens"), distant)
}

/// A site of so many issues and a few attachments.
fn site(issues: u64) -> MemorySource {
    let source = MemorySource::new("site", &["issues", "attachments"]);
    for number in 0..issues {
        source.put("issues", format!("issue/{number:06}"), Item::document(words(number, 700)));
    }
    for number in 0..20 {
        let key = format!("attachment/{number:03}");
        source.put("attachments", key, Item::file(noise(number, 300_000)));
    }
    source
}

fn take_snapshot(repo: &TempRepo, source: &MemorySource) -> Trips {
    let (repository, distant) = far(repo);
    let options = BackupOptions { workers: 2, ..BackupOptions::default() };
    backup(&repository, source, &options, &repo.ctx()).expect("the backup works");
    distant.take()
}

/// Requests together in few round trips: eight connections would make an eighth of them, a chain of questions all.
fn assert_together(trips: &Trips, chain: u64, what: &str) {
    let all = trips.of("");
    assert!(trips.rounds <= chain + all.div_ceil(4), "{what}: {trips:#?}");
}

fn assert_at_most(trips: &Trips, bounds: &[(&str, u64)], what: &str) {
    for (kind, most) in bounds {
        assert!(trips.of(kind) <= *most, "{what}: more than {most} {kind}: {trips:#?}");
    }
}

#[test]
fn operations_ask_for_little_and_for_much_at_a_time() {
    let repo = TempRepo::memory();
    repo.create_proven();
    let source = site(6_000);
    let first = take_snapshot(&repo, &source);
    // A marker, the packs, a segment and a commit.
    assert_at_most(&first, &[("GET", 6), ("PUT", 8), ("LIST", 10)], "first");

    let quiet = take_snapshot(&repo, &source);
    assert_at_most(&quiet, &[("GET", 10), ("PUT", 2), ("LIST", 10)], "quiet");

    for number in (0..6_000).step_by(60) {
        let text = words(90_000 + number, 700);
        source.put("issues", format!("issue/{number:06}"), Item::document(text));
    }
    let changed = take_snapshot(&repo, &source);
    assert_at_most(&changed, &[("GET", 60), ("PUT", 3), ("LIST", 10)], "100 changes");
    assert_together(&changed, 24, "100 changes");

    let (repository, distant) = far(&repo);
    let history = repository.history().expect("a history");
    let snapshot = history.visible().last().expect("a snapshot").clone();
    distant.take();
    let folder = tempfile::tempdir().expect("a folder");
    let target = RestoreTarget::Directory(folder.path().join("all"));
    let options = RestoreOptions::default();
    restore(&repository, &snapshot, &target, &options, &repo.ctx()).expect("it is restored");
    let all = distant.take();
    assert_at_most(&all, &[("GET", 60), ("PUT", 0), ("LIST", 4)], "restore");
    assert_together(&all, 16, "restore");

    let (repository, distant) = far(&repo);
    distant.take();
    let options = CheckOptions { workers: 8, ..CheckOptions::default() };
    let report = check(&repository, &options, &repo.ctx()).expect("a check");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let checked = distant.take();
    assert_together(&checked, 40, "check");

    let slots: Vec<_> = history.snapshots.iter().take(2).map(|it| it.slot).collect();
    repo.open().mark(MarkAction::Forget, &slots, None, &repo.ctx()).expect("it is said");
    let (repository, distant) = far(&repo);
    distant.take();
    let report = prune(&repository, &PruneOptions::default(), &repo.ctx()).expect("it is freed");
    assert_eq!(report.dropped_commits, 2);
    let pruned = distant.take();
    assert_at_most(&pruned, &[("GET", 120), ("PUT", 12), ("DELETE", 6)], "prune");
    assert_together(&pruned, 60, "prune");
}

/// What a machine asks for that opens a repository of so many small sessions for the first time.
fn cold_open(sessions: u64) -> Trips {
    let repo = TempRepo::memory();
    repo.create_proven();
    let source = MemorySource::new("small", &["issues"]);
    for day in 0..sessions {
        source.put("issues", format!("issue/{}", day % 7), Item::document(words(day, 200)));
        repo.backup(&source);
    }
    // Another machine knows nothing of it yet.
    let (repository, distant) = far(&repo.another_client());
    let history = repository.history().expect("a history");
    assert_eq!(history.visible().count() as u64, sessions);
    Objects::load(&repository, CacheSizes::default()).expect("an index");
    repo.assert_sound();
    distant.take()
}

#[test]
fn many_small_sessions_open_with_few_requests() {
    let cold = cold_open(200);
    assert_at_most(&cold, &[("GET", 64)], "200 sessions");
    assert_together(&cold, 16, "200 sessions");
}

#[test]
#[ignore = "most of an hour in a release build"]
fn ten_thousand_small_sessions_open_with_few_requests() {
    let cold = cold_open(10_000);
    assert_at_most(&cold, &[("GET", 64)], "10,000 sessions");
}

/// What marks say counts in the order of their names, whether a bundle has them or not.
#[test]
fn a_mark_that_turns_up_late_keeps_its_place() {
    let repo = TempRepo::memory();
    repo.create_proven();
    let source = MemorySource::new("small", &["issues"]);
    source.put("issues", "issue/1", Item::document(words(1, 200)));
    repo.backup(&source);
    let slot = [repo.snapshots()[0].slot];
    let say = |action, tag: Option<&str>| {
        repo.open().mark(action, &slot, tag, &repo.ctx()).expect("it is said");
    };
    say(MarkAction::Forget, None);
    let mut marks = repo.names().into_iter().filter(|it| it.starts_with("marks/"));
    let forgotten = marks.next_back().expect("a mark");
    let bytes = repo.bytes(&forgotten);
    repo.delete(&forgotten);
    say(MarkAction::Undelete, None);
    (0..20).for_each(|_| say(MarkAction::Tag, Some("kept")));
    repo.backup(&source);
    assert!(repo.names().iter().any(|it| it.starts_with("history/")), "they are bundled");
    repo.replace(&forgotten, bytes);
    let snapshots = repo.snapshots();
    assert_eq!(snapshots.len(), 2, "it was forgotten before it was brought back");
    assert_eq!(snapshots[0].tags, ["kept"]);
}

/// A bundle must stay small enough to be read, so what is large stays by itself.
#[test]
fn what_is_large_is_in_no_bundle() {
    let repo = TempRepo::memory();
    repo.create_proven();
    let source = MemorySource::new("small", &["issues"]);
    source.put("issues", "issue/1", Item::document(words(1, 200)));
    repo.backup(&source);
    let slot = [repo.snapshots()[0].slot];
    // Printable, and nothing that compresses to less than a mebibyte.
    let large: String =
        noise(7, 3_000_000).iter().map(|byte| char::from(b'0' + byte % 64)).collect();
    for tag in
        [&large[..], "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"]
    {
        repo.open().mark(MarkAction::Tag, &slot, Some(tag), &repo.ctx()).expect("it is said");
    }
    repo.backup(&source);
    repo.backup(&source);
    let listed = repo.store().list("history").expect("a listing");
    assert!(!listed.is_empty() && listed.iter().all(|it| it.length < 1024 * 1024), "{listed:?}");
    assert!(repo.snapshots()[0].tags.contains(&large));
}
