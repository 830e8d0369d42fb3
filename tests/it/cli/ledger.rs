//! What a source says is gone, and which parts of it could not be seen whole.

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::source::{CompletenessState, Ledger, PartCompleteness};
use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, MemorySource};
use serde_json::json;

fn part(name: &str, found: u64) -> PartCompleteness {
    PartCompleteness {
        name: name.into(),
        state: CompletenessState::NotPermitted,
        expected: Some(520),
        found,
        detail: "the account may not browse it".into(),
    }
}

#[test]
fn what_is_gone_is_kept_with_the_snapshot() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::of_kind("jira", "acme", &["issues"]);
    source.put("issues", "ABC\0ABC-1\0issue.json", Item::document("{}"));
    sandbox.back_up(&source, 1);
    let deleted = (0..1_200).map(|number| format!("ABC-{number}")).collect();
    source.set_ledger(Ledger { deleted, vanished: vec!["XY-5".into()] });
    let report = sandbox.back_up(&source, 2);
    assert_eq!(report.ledger.deleted_count, 1_200);
    assert_eq!(report.status, SnapshotStatus::Complete, "only problems make it partial");

    let listed = sandbox.esker(["snapshots", "--json"]).ok().json();
    let none = json!({"deleted": [], "deleted_count": 0, "vanished": [], "vanished_count": 0});
    assert_eq!(listed[0]["ledger"], none);
    let ledger = &listed[1]["ledger"];
    assert_eq!(ledger["deleted"].as_array().unwrap().len(), 1_000);
    assert_eq!(ledger["deleted_count"], 1_200);
    assert_eq!(ledger["vanished"], json!(["XY-5"]));
}

#[test]
fn a_part_that_is_not_complete_makes_the_snapshot_partial() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::new("acme", &["issues", "projects"]);
    source.put("issues", "ABC\0ABC-1\0issue.json", Item::document("{}"));
    source.set_parts("issues", vec![part("ABC", 17)]);
    let report = sandbox.back_up(&source, 1);
    assert_eq!(report.status, SnapshotStatus::Partial);
    assert_eq!(report.collections[0].completeness.parts, [part("ABC", 17)]);
    assert_eq!(report.collections[1].completeness.parts, []);
    let listed = sandbox.esker(["snapshots", "--json"]).ok().json();
    assert_eq!(listed[0]["status"], "partial");
}
