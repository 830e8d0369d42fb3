use super::*;
use crate::testing::{Item, MemorySource, TempRepo};

fn history(place: &TempRepo) -> Vec<Snapshot> {
    let history = place.open().history().unwrap();
    history.visible().cloned().collect()
}

#[test]
fn a_policy_keeps_the_newest_of_each_source_and_the_last_complete_one() {
    let place = TempRepo::memory();
    place.create();
    let sources = ["one", "two"].map(|name| MemorySource::new(name, &["c"]));
    for round in 0..3 {
        for source in &sources {
            source.put("c", format!("{round}"), Item::document("x"));
            place.backup(source);
        }
    }
    let mut snapshots = history(&place);
    // Of the first source only the oldest is complete.
    for snapshot in &mut snapshots[1..] {
        if snapshot.commit.source.name == "one" {
            snapshot.commit.status = SnapshotStatus::Partial;
        }
    }
    snapshots[1].holds.push("audit".into());
    let all: Vec<_> = snapshots.iter().collect();
    let plan = plan_policy(&all, KeepPolicy { last: Some(1) });
    let told: Vec<_> =
        plan.keep.iter().map(|it| (it.source.as_str(), it.reasons.join(", "))).collect();
    assert_eq!(
        told,
        [
            ("one", "the last complete snapshot of its source".to_owned()),
            ("two", "held: audit".into()),
            ("one", "last 1".into()),
            ("two", "last 1".into()),
        ]
    );
    assert_eq!(plan.remove.len(), 2);
    let none = plan_policy(&all, KeepPolicy { last: Some(0) });
    assert_eq!(none.keep.len(), 3);
}

#[test]
fn what_is_named_is_forgotten_unless_it_is_held() {
    let place = TempRepo::memory();
    let repository = place.create();
    let source = MemorySource::new("one", &["c"]);
    place.backup(&source);
    place.backup(&source);
    let mut snapshots = history(&place);
    snapshots[0].holds.push(String::new());
    let all: Vec<_> = snapshots.iter().collect();
    let plan = plan_snapshots(&all);
    assert_eq!(plan.keep[0].reasons, ["held"]);
    assert_eq!(plan.remove[0].id, snapshots[1].id);
    apply(&repository, &plan, &place.ctx()).unwrap();
    let left = history(&place);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, snapshots[0].id);
}
