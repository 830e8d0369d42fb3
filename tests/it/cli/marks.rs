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
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "2", "--dry-run"]).screen(), @"
            id  time  source  why
    forget  ID8  DATE TIME  DIR/src
    keep  ID8  DATE TIME  DIR/src  last 2
    keep  ID8  DATE TIME  DIR/src  last 1
    dry run: 1 snapshot would be forgotten, 2 kept — nothing was forgotten
    --- exit 0
    ");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 3);
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "2"]).screen(), @"
            id  time  source  why
    forget  ID8  DATE TIME  DIR/src
    keep  ID8  DATE TIME  DIR/src  last 2
    keep  ID8  DATE TIME  DIR/src  last 1
    1 snapshot forgotten, 2 kept
    --- exit 0
    ");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 2);
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "0"]).screen(), @"
            id  time  source  why
    forget  ID8  DATE TIME  DIR/src
    keep  ID8  DATE TIME  DIR/src  the last complete snapshot of its source
    1 snapshot forgotten, 1 kept
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["forget"]).exits(2).screen(), @r#"
    --- stderr
    error: nothing says what to forget
    hint: name snapshots, or say what to keep: `esker forget --keep "daily 30" --dry-run`
    --- exit 2
    "#);
    sandbox.assert_sound();
}

#[test]
fn a_held_snapshot_is_not_forgotten_until_released() {
    let sandbox = with_days(2);
    let listed = sandbox.esker(["snapshots", "--json"]).json();
    let first = listed[0]["id"].as_str().unwrap();
    assert_snapshot!(sandbox.esker(["hold", first, "--reason", "court case 7"]).screen(), @"
    snapshot ID8: no tags; held: court case 7
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["forget", first]).fails().screen(), @"
    --- stderr
    error: snapshot ID8 is held: court case 7: nothing was forgotten
    hint: let it go first: `esker release ID8`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "1"]).screen(), @"
          id  time  source  why
    keep  ID8  DATE TIME  DIR/src  held: court case 7
    keep  ID8  DATE TIME  DIR/src  last 1
    0 snapshots forgotten, 2 kept
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"
    id  time  source  entries  added  status  tags
    ID8  DATE TIME  DIR/src  5  N SIZE  complete, held
    ID8  DATE TIME  DIR/src  5  N SIZE  complete
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["release", first]).screen(), @"
    snapshot ID8: no tags; not held
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["forget", first]).screen(), @"
            id  time  source  why
    forget  ID8  DATE TIME  DIR/src
    1 snapshot forgotten, 0 kept
    --- exit 0
    ");
    let gone = sandbox.esker(["ls", first]).fails();
    assert!(gone.err.contains("there is no snapshot"), "{}", gone.err);
}

#[test]
fn tags_come_and_go() {
    let sandbox = with_days(1);
    assert_snapshot!(sandbox.esker(["tag", "latest", "monthly", "--add", "keep"]).screen(), @"
    snapshot ID8: tags keep, monthly; not held
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["tag", "latest", "--remove", "monthly"]).screen(), @"
    snapshot ID8: tags keep; not held
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["tag", "latest", ""]).misused().screen(), @"
    --- stderr
    error: `` is no tag
    hint: a tag is a word: `esker tag latest monthly`
    --- exit 2
    ");
    sandbox.esker(["tag", "latest"]).exits(2);
    sandbox.esker(["hold"]).exits(2);
    sandbox.esker(["release", "ffff"]).fails();
}
