//! Shares of the data, what is remembered of them, and checks beside collectors.

use std::sync::Arc;

use esker_engine::format::commit::MarkAction;
use esker_engine::monitor::Counter;
use esker_engine::ops::check::{CheckOptions, CheckReport, Share, check};
use esker_engine::ops::prune::{PruneOptions, prune};
use esker_engine::testing::MeanwhileStore;
use esker_tests::{
    CancelAfter, Copies, Item, MemorySource, TempRepo, issues_and_files, noise, words,
};

fn share(repo: &TempRepo, share: Share) -> CheckReport {
    let options = CheckOptions { read_data: Some(share), workers: 2, ..CheckOptions::default() };
    check(&repo.open(), &options, &repo.ctx()).expect("a check")
}

/// Packs of many sizes, most of them small.
fn many_packs(days: u64) -> (TempRepo, MemorySource) {
    let (repo, source) = (TempRepo::memory(), MemorySource::new("shares", &["files"]));
    repo.create();
    for day in 0..days {
        let length = 1_000 + (day as usize * 7_919) % 90_000;
        source.put("files", format!("{day}"), Item::file(noise(day, length)));
        repo.backup(&source);
    }
    (repo, source)
}

const THIRD: Share = Share::Part { of: 1, parts: 3 };

#[test]
fn three_thirds_are_everything_whatever_is_added() {
    let (repo, source) = many_packs(12);
    let first = share(&repo, THIRD);
    assert!(first.findings.is_empty() && first.proven.unproven_packs > 0, "{first:?}");
    assert!(first.bytes_read >= first.proven.data_bytes / 3);
    assert_eq!(first.proven.proven_bytes, first.bytes_read);
    source.put("files", "added", Item::file(noise(99, 200_000)));
    repo.backup(&source);
    let second = share(&repo, THIRD);
    let third = share(&repo, THIRD);
    assert!(first.proven.proven_bytes < second.proven.proven_bytes);
    // The new pack waits since it was met; all that was there at first is proven.
    assert!(third.proven.unproven_packs <= 1, "{:?}", third.proven);
    let fourth = share(&repo, THIRD);
    assert_eq!((fourth.proven.unproven_packs, fourth.proven.unproven_bytes), (0, 0));
    share(&repo, THIRD);
    let sixth = share(&repo, THIRD);
    assert!(sixth.proven.oldest > first.proven.oldest, "the oldest were read again");
    let structure = repo.check(false).expect("a check");
    assert_eq!(structure.proven, sixth.proven, "it is remembered");
    assert_eq!(structure.bytes_read, 0);
    // Another client has proven nothing.
    let other = repo.another_client();
    assert_eq!(other.check(false).expect("a check").proven.proven_bytes, 0);
}

#[test]
fn a_damaged_pack_is_remembered_until_it_is_whole_or_gone() {
    let (repo, _) = many_packs(6);
    share(&repo, Share::All);
    let packs: Vec<_> = repo.names().into_iter().filter(|it| it.starts_with("packs/")).collect();
    let whole = repo.bytes(&packs[0]);
    let mut harmed = whole.to_vec();
    harmed[10] ^= 1;
    repo.replace(&packs[0], harmed);
    let found = share(&repo, Share::All);
    assert!(found.findings.iter().any(|it| it.object == packs[0]), "{found:?}");
    assert_eq!(found.proven.unproven_packs, 1);
    let known = || repo.open().client().remembered().damaged;
    assert_eq!(known().len(), 1);
    // It comes first: one byte is enough to meet it again.
    let again = share(&repo, Share::Bytes(1));
    assert!(again.findings.iter().any(|it| it.object == packs[0]), "{again:?}");
    assert_eq!(known().len(), 1);
    // Two damaged ones, of which a small share reads one: the other stays known.
    let mut other = repo.bytes(&packs[1]).to_vec();
    other[10] ^= 1;
    let healthy = repo.bytes(&packs[1]);
    repo.replace(&packs[1], other);
    share(&repo, Share::All);
    assert_eq!(known().len(), 2);
    let one = share(&repo, Share::Bytes(1));
    assert_eq!(known().len(), 2, "{one:?}");
    assert!(one.notes.iter().any(|it| it.contains("not read this time")), "{one:?}");
    repo.replace(&packs[0], whole);
    repo.replace(&packs[1], healthy);
    share(&repo, Share::Bytes(1));
    assert_eq!(known().len(), 1, "what was read and is whole is dropped, the other one stays");
    share(&repo, Share::Bytes(1));
    assert_eq!(known().len(), 0);
}

#[test]
fn what_was_proven_before_an_interruption_stays_proven() {
    let (repo, _) = many_packs(12);
    let mut ctx = repo.ctx();
    ctx.monitor = Arc::new(CancelAfter::new(ctx.cancel.clone(), Counter::PacksChecked, 4));
    let options =
        CheckOptions { read_data: Some(Share::All), workers: 1, ..CheckOptions::default() };
    let ended = check(&repo.open(), &options, &ctx);
    assert!(ended.is_err());
    let left = repo.check(false).expect("a check").proven;
    assert!(left.proven_bytes > 0 && left.unproven_packs > 0, "{left:?}");
}

/// A repository of which most is garbage, packs of all kinds and repacked ones among it.
fn mostly_forgotten() -> (TempRepo, Copies) {
    let repo = TempRepo::memory();
    repo.create_proven();
    let source = issues_and_files("beside", 80);
    source.put("files", "large", Item::file(noise(77, 2_500_000)));
    let mut copies = Copies::default();
    for day in 0..6u64 {
        for number in 0..6 {
            let key = format!("issue/{:05}", (day * 11 + number) % 80);
            source.put("issues", key, Item::document(words(day * 100 + number, 900)));
        }
        source.put("files", "changes", Item::file(noise(day + 50, 120_000)));
        let report = repo.backup(&source);
        if day == 5 {
            copies.keep(&report, source.model());
        }
    }
    let slots: Vec<_> = repo.snapshots()[..5].iter().map(|it| it.slot).collect();
    repo.open().mark(MarkAction::Forget, &slots, None, &repo.ctx()).expect("forgotten");
    (repo, copies)
}

#[test]
fn a_collector_beside_a_check_makes_no_findings() {
    for at in ["commits/", "index/", "packs/mixed/", "packs/", "config/", "sessions/"] {
        for read_data in [None, Some(Share::All)] {
            let (repo, copies) = mostly_forgotten();
            let other = repo.another_client();
            let work = move || {
                let options = PruneOptions { max_waste: 0.0, ..PruneOptions::default() };
                let report = prune(&other.open(), &options, &other.ctx()).expect("collected");
                assert!(report.deleted_packs > 0, "{report:?}");
            };
            let store = MeanwhileStore::new(repo.raw(), &format!("GET {at}"), work);
            let repository = repo.try_open(store.store()).expect("it opens");
            store.arm();
            let options = CheckOptions { read_data, workers: 1, ..CheckOptions::default() };
            let report = check(&repository, &options, &repo.ctx()).expect("a check");
            assert!(store.is_done(), "{at}: the collector was not at work");
            assert_eq!(report.findings, [], "{at} {read_data:?}");
            repo.assert_sound();
            copies.assert_equal(&repo);
        }
    }
}
