//! What a collector remembers of the trees that it has read.

use std::fs;
use std::path::PathBuf;

use esker_engine::ops::prune::{PruneOptions, PrunePlan, prune};
use esker_tests::{Item, noise, words};

use super::{Days, collect, patient};

/// Packs are read for what a plan says of a second collector, and for nothing else.
fn plan(days: &Days) -> (PrunePlan, u64) {
    let repository = days.repo.open();
    let before = repository.store().figures().read_bytes;
    let options = PruneOptions { dry_run: true, ..patient() };
    let report = prune(&repository, &options, &days.repo.ctx()).expect("a plan");
    (report.plan, repository.store().figures().read_bytes - before)
}

fn file(days: &Days) -> PathBuf {
    days.repo.client_folder().join("edges")
}

/// Days with large trees and a content of many parts.
fn days(issues: u64) -> Days {
    let days = Days::new(3);
    for number in 0..issues {
        let text = words(number, 100 + number as usize % 100);
        days.source.put("issues", format!("more/{number:05}"), Item::document(text));
    }
    days.source.put("files", "long", Item::file(noise(77, 3_000_000)));
    days
}

#[test]
fn what_was_read_once_is_not_read_again() {
    let mut days = days(8_000);
    days.day();
    days.forget(0..1);
    let (first, cold) = plan(&days);
    let (second, warm) = plan(&days);
    assert_eq!(first, second);
    assert!(warm * 3 < cold * 2, "{warm} bytes are read where {cold} were before");

    // What is new is read, and what was forgotten goes although its trees are remembered.
    days.day();
    days.forget(1..2);
    let (remembered, _) = plan(&days);
    fs::remove_file(file(&days)).expect("a file");
    let (anew, _) = plan(&days);
    assert_eq!(remembered, anew);
    let report = collect(&days.repo, &patient());
    assert!(report.deleted_packs > 0, "{report:?}");
    days.assert_whole();
    let kept = fs::read(file(&days)).expect("a file").len();
    days.forget(2..4);
    collect(&days.repo, &patient());
    days.assert_whole();
    assert!(fs::read(file(&days)).expect("a file").len() < kept, "what is gone is forgotten");
}

/// A bit that falls over anywhere must not make living data garbage.
#[test]
fn damage_is_forgotten() {
    let mut days = days(100);
    days.day();
    days.forget(0..1);
    let (right, _) = plan(&days);
    let whole = fs::read(file(&days)).expect("a file");
    for place in (0..whole.len()).step_by(whole.len() / 300 + 1) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(file(&days), &damaged).expect("it is written");
        assert_eq!(plan(&days).0, right, "byte {place}");
    }
    for length in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        fs::write(file(&days), &whole[..length]).expect("it is written");
        assert_eq!(plan(&days).0, right, "{length} bytes");
    }
    // Another repository's file.
    let mut other = Days::new(2);
    other.forget(0..1);
    let (right, _) = plan(&other);
    fs::write(file(&other), &whole).expect("it is written");
    assert_eq!(plan(&other).0, right);
}
