//! Tags, holds, and forgetting.

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

fn with_days(days: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    for day in 1..=days {
        let time = format!("2026-03-{day:02}T00:00:00Z");
        sandbox.esker(["backup", "./src", "--time", &time]).ok();
    }
    sandbox
}

#[test]
fn a_policy_keeps_the_newest_and_says_why() {
    let sandbox = with_days(3);
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "2", "--dry-run"]).screen(), @"");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 3);
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "2"]).screen(), @"");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 2);
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "0"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["forget"]).exits(2).screen(), @"");
    sandbox.assert_sound();
}

#[test]
fn a_held_snapshot_is_not_forgotten_until_released() {
    let sandbox = with_days(2);
    let listed = sandbox.esker(["snapshots", "--json"]).json();
    let first = listed[0]["id"].as_str().unwrap();
    assert_snapshot!(sandbox.esker(["hold", first, "--reason", "court case 7"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["forget", first]).fails().screen(), @"");
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "1"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["release", first]).screen(), @"");
    assert_snapshot!(sandbox.esker(["forget", first]).screen(), @"");
    let gone = sandbox.esker(["ls", first]).fails();
    assert!(gone.err.contains("there is no snapshot"), "{}", gone.err);
}

#[test]
fn tags_come_and_go() {
    let sandbox = with_days(1);
    assert_snapshot!(sandbox.esker(["tag", "latest", "monthly", "--add", "keep"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["tag", "latest", "--remove", "monthly"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["tag", "latest", ""]).misused().screen(), @"");
    sandbox.esker(["tag", "latest"]).exits(2);
    sandbox.esker(["hold"]).exits(2);
    sandbox.esker(["release", "ffff"]).fails();
}
