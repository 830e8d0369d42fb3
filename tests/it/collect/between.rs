//! What others do between two steps of a collector or a writer.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use esker_engine::Error;
use esker_engine::format::commit::MarkAction;
use esker_engine::format::name::ObjectName;
use esker_engine::id::PackId;
use esker_engine::index::merge;
use esker_engine::ops::backup::backup;
use esker_engine::ops::prune::{PruneError, PruneOptions, prune};
use esker_engine::repo::{CacheSizes, Objects};
use esker_engine::store::{Created, Durability};
use esker_engine::testing::MeanwhileStore;
use esker_tests::{Item, TempRepo, noise, small_options, words};

use super::{Days, collect, mark, patient};

/// The collector began after the writer had taken the epoch, and did not see its marker: it would not wait for it.
#[test]
fn a_session_that_a_collector_did_not_see_begins_again() {
    let mut days = Days::new(4);
    days.forget(0..3);
    let other = days.repo.another_client();
    let store = MeanwhileStore::new(days.repo.raw(), "PUT sessions/", move || {
        let report = collect(&other, &patient());
        assert!(report.deleted_packs > 0 && report.waiting_for.is_empty(), "{report:?}");
    });
    let repository = days.repo.try_open(store.store()).expect("it opens");
    store.arm();
    days.change();
    let report = backup(&repository, &days.source, &small_options(), &days.repo.ctx());
    assert!(store.is_done());
    days.note(&report.expect("a backup"));
    days.assert_whole();
    collect(&days.repo, &patient());
    days.assert_whole();
}

#[test]
fn nobody_builds_upon_what_is_about_to_go() {
    let mut days = Days::new(4);
    let newest = days.ids[3];
    // Somebody is at work, so the collector waits after it has condemned.
    let other = days.repo.another_client();
    let repository = other.open();
    let session = repository.open_session(&days.repo.ctx()).expect("a session");
    mark(&days.repo, MarkAction::Forget, &days.ids.clone());
    let report = collect(&days.repo, &patient());
    assert_eq!(report.waiting_for.len(), 1, "{report:?}");
    mark(&days.repo, MarkAction::Undelete, &[newest]);
    days.change();
    let report = days.repo.backup(&days.source);
    assert_eq!(report.parent, None, "it may go yet");
    days.note(&report);
    repository.abandon(&session, &days.repo.ctx()).expect("it ends");
    collect(&days.repo, &patient());
    (0..3).for_each(|day| days.copies.forget(days.ids[day]));
    days.assert_whole();
}

/// It merges the index, sleeps, and wakes when two collectors are done: what it stores then lists what both have swept.
#[test]
fn an_index_that_comes_late_lists_what_is_gone_and_nobody_minds() {
    let mut days = Days::new(19);
    days.forget(0..9);
    let (first, other) = (days.repo.another_client(), days.repo.another_client());
    let waited_for = first.open().open_session(&first.ctx()).expect("a session");
    let report = collect(&days.repo, &patient());
    assert_eq!(report.waiting_for.len(), 1, "{report:?}");
    let more: Vec<_> = days.ids[9..12].to_vec();
    let store = MeanwhileStore::new(days.repo.raw(), "PUT index/", move || {
        first.open().abandon(&waited_for, &first.ctx()).expect("it ends");
        let report = collect(&other, &patient());
        assert!(report.deleted_packs > 0 && report.waiting_for.is_empty(), "{report:?}");
        mark(&other, MarkAction::Forget, &more);
        let report = collect(&other, &PruneOptions { patience: Duration::ZERO, ..patient() });
        assert!(report.deleted_packs > 0 && report.waiting_for.is_empty(), "{report:?}");
    });
    days.ids[9..12].iter().for_each(|id| days.copies.forget(*id));
    let sleeper = days.repo.another_client();
    let repository = sleeper.try_open(store.store()).expect("it opens");
    store.arm();
    days.change();
    let report = backup(&repository, &days.source, &small_options(), &sleeper.ctx());
    let report = report.expect("it begins again");
    assert!(store.is_done());
    days.note(&report);
    let gone = |repo: &TempRepo| {
        let listed = repo.names();
        let objects = Objects::load(&repo.open(), CacheSizes::default()).expect("an index");
        let is_gone = |id: &PackId| !listed.iter().any(|name| name.ends_with(&id.to_string()));
        objects.with_index(|index| index.packs().filter(|it| is_gone(&it.id)).count())
    };
    assert!(gone(&days.repo) > 0, "the late index lists what is gone");
    days.assert_whole();
    collect(&days.repo, &patient());
    assert_eq!(gone(&days.repo), 0);
    days.assert_whole();
}

/// While this collector carries out what was decided before, another one decides, and has deleted nothing yet. What it is about to
/// delete must not become the only home of anything.
#[test]
fn a_collector_that_was_overtaken_stops() {
    let mut days = Days::new(6);
    days.forget(0..2);
    collect(&days.repo, &patient());
    days.forget(2..4);
    let other = days.repo.another_client();
    let overtake = move || {
        let ctx = other.ctx();
        let cancel = ctx.cancel.clone();
        let store = MeanwhileStore::new(other.raw(), "PUT gc/00000002/swept", move || {
            cancel.cancel();
        });
        let repository = other.try_open(store.store()).expect("it opens");
        store.arm();
        let everything = PruneOptions { max_waste: 0.0, ..patient() };
        let stopped = prune(&repository, &everything, &ctx);
        assert!(matches!(stopped, Err(Error::Cancelled)) && store.is_done(), "{stopped:?}");
    };
    let store = MeanwhileStore::new(days.repo.raw(), "GET packs/", overtake);
    let repository = days.repo.try_open(store.store()).expect("it opens");
    store.arm();
    let late = prune(&repository, &patient(), &days.repo.ctx());
    assert!(store.is_done());
    assert!(matches!(late, Err(Error::Prune(PruneError::Late { .. }))), "{late:?}");
    days.assert_whole();
    collect(&days.repo, &patient());
    days.assert_whole();
}

/// Somebody who merges the index, or clears up after another collection, takes segments away that this one reads.
#[test]
fn a_collector_whose_index_goes_reads_the_one_that_came() {
    let mut days = Days::new(2);
    // Too large for a pack that is its own index, whose index has several blocks.
    days.source.put("files", "large", Item::file(noise(9, 20_000_000)));
    for number in 0..9_000 {
        let text = words(number, 80);
        days.source.put("issues", format!("more/{number:05}"), Item::document(text));
    }
    days.day();
    days.forget(0..2);
    let other = days.repo.another_client();
    let store = MeanwhileStore::new(days.repo.raw(), "GET commits/", move || {
        let repository = other.open();
        let objects = Objects::load(&repository, CacheSizes::default()).expect("an index");
        let merged = objects.with_index(|index| {
            let segments: Vec<_> = index.segments().iter().collect();
            merge(repository.keys(), &segments, &[], &BTreeSet::new()).expect("they merge")
        });
        let name = |id| ObjectName::Segment(id).to_string();
        let before = repository.store().list("index").expect("a listing");
        let created =
            repository.store().create(&name(merged.id), merged.bytes, Durability::Durable);
        assert_eq!(created.expect("it is stored"), Created::New);
        let before: Vec<_> = before.into_iter().map(|it| it.name).collect();
        assert!(!before.is_empty());
        repository.store().delete_many(&before).expect("they are deleted");
    });
    let repository = days.repo.try_open(store.store()).expect("it opens");
    // The trees are remembered: so it is the index that is read first.
    let dry = PruneOptions { dry_run: true, ..patient() };
    prune(&repository, &dry, &days.repo.ctx()).expect("a plan");
    store.arm();
    let report = prune(&repository, &patient(), &days.repo.ctx()).expect("it collects");
    assert!(store.is_done() && report.dropped_commits == 2, "{report:?}");
    days.assert_whole();
}

/// A backup that began before the packs were condemned, and ended before sessions were listed again, needs one of them.
#[test]
fn what_a_backup_between_the_halves_needs_is_rescued() {
    let mut days = Days::new(5);
    days.forget(0..3);
    // It was deleted, and comes back: its content is in a pack of which nothing lives.
    days.source.put("files", "of day 0", Item::file(noise(500, 60_000)));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (other, source, made) =
        (days.repo.another_client(), days.source.clone(), Arc::clone(&reports));
    let store = MeanwhileStore::new(days.repo.raw(), "PUT gc/00000001/condemned", move || {
        made.lock().expect("one thread").push(other.backup(&source));
    });
    let repository = days.repo.try_open(store.store()).expect("it opens");
    store.arm();
    let report = prune(&repository, &patient(), &days.repo.ctx()).expect("it collects");
    assert!(store.is_done() && report.rescued_packs > 0, "{report:?}");
    assert_eq!((report.dropped_commits, report.waiting_for.len()), (3, 0), "{report:?}");
    let made = reports.lock().expect("one thread").pop().expect("a backup");
    days.note(&made);
    days.assert_whole();
}

/// Somebody may have built upon what was not on the list.
#[test]
fn what_is_forgotten_between_the_halves_stays_until_the_next_time() {
    let mut days = Days::new(5);
    days.forget(0..2);
    let (other, late) = (days.repo.another_client(), days.ids[2]);
    let store = MeanwhileStore::new(days.repo.raw(), "PUT gc/00000001/closed", move || {
        mark(&other, MarkAction::Forget, &[late]);
    });
    let repository = days.repo.try_open(store.store()).expect("it opens");
    store.arm();
    let report = prune(&repository, &patient(), &days.repo.ctx()).expect("it collects");
    assert!(store.is_done());
    assert_eq!(report.dropped_commits, 2, "{report:?}");
    mark(&days.repo, MarkAction::Undelete, &[late]);
    days.assert_whole();
}

#[test]
fn what_is_lost_stops_the_collector() {
    let mut days = Days::new(2);
    // Too large for a pack that holds trees as well.
    days.source.put("files", "large", Item::file(noise(9, 20_000_000)));
    days.day();
    days.forget(0..1);
    let mut lost = 0;
    for name in days.repo.names().iter().filter(|it| it.starts_with("packs/")) {
        let repo = days.repo.fork();
        repo.delete(name);
        let before = repo.names();
        match prune(&repo.open(), &patient(), &repo.ctx()) {
            Err(Error::Prune(PruneError::Lost { path, .. })) => {
                assert!(path.starts_with('/'), "who needs it is named: {path:?}");
                lost += 1;
            }
            Err(Error::Prune(PruneError::Unreadable { .. })) => {}
            Err(error) => panic!("{name}: {error:?}"),
            // Nobody needed it.
            Ok(_) => {
                days.copies.assert_equal(&repo);
                continue;
            }
        }
        let kept: HashSet<_> = repo.names().into_iter().collect();
        assert!(before.iter().all(|it| kept.contains(it)), "{name}: nothing was deleted");
    }
    assert!(lost > 0);
}

/// Readers would look for objects in packs that are gone.
#[test]
fn the_index_forgets_packs_before_they_go() {
    let mut days = Days::new(1);
    // So much that there is a segment.
    days.source.put("files", "large", Item::file(noise(9, 20_000_000)));
    days.day();
    days.source.remove("files", "large");
    days.day();
    days.forget(0..2);
    let report = collect(&days.repo, &patient());
    assert!(report.deleted_bytes > 18_000_000, "{report:?}");
    let names = days.repo.names();
    assert!(names.iter().any(|it| it.starts_with("index/")));
    let objects = Objects::load(&days.repo.open(), CacheSizes::default()).expect("an index");
    objects.with_index(|index| {
        for pack in index.packs() {
            let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
            assert!(names.contains(&name), "{name} is listed and gone");
        }
    });
    days.assert_whole();
}
