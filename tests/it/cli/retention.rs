//! Policies of `forget` with the real program: both spellings, time zones, immutable snapshots, what comes back.

use esker_engine::source::{CompletenessState, PartCompleteness};
use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, MemorySource};
use insta::assert_snapshot;
use serde_json::Value;

fn with_times(times: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    for time in times {
        sandbox.esker(["backup", "./src", "--time", time]).ok();
    }
    sandbox
}

/// The reasons for what a dry run would keep, by time.
fn reasons(sandbox: &Sandbox, args: &[&str]) -> Vec<(String, String)> {
    let plan = sandbox.esker([&["forget", "--dry-run", "--json"], args].concat()).ok().json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let kept = plan["keep"].as_array().unwrap().iter().map(|kept| {
        let reasons = kept["reasons"].as_array().unwrap().iter().map(text);
        (text(&kept["time"]), reasons.collect::<Vec<_>>().join(", "))
    });
    kept.collect()
}

#[track_caller]
fn keeps(sandbox: &Sandbox, args: &[&str], expected: &[(&str, &str)]) {
    let told = reasons(sandbox, args);
    let told: Vec<_> = told.iter().map(|(time, why)| (time.as_str(), why.as_str())).collect();
    assert_eq!(told, expected, "{args:?}");
}

#[test]
fn rules_are_spelled_in_two_ways() {
    let times = ["2025-12-31T12:00:00Z", "2026-02-01T12:00:00Z", "2026-02-02T12:00:00Z"];
    let sandbox = with_times(&times);
    let [december, first, second] = times.map(|time| time.replace('Z', ".000Z"));
    let [december, first, second] = [december.as_str(), first.as_str(), second.as_str()];
    for (long, short, expected) in [
        ("last 1", "--keep-last=1", &[(second, "last 1")][..]),
        ("hourly 1", "--keep-hourly=1", &[(second, "hourly 2026-02-02 12h +00:00")]),
        ("daily 2", "--keep-daily=2", &[(first, "daily 2026-02-01"), (second, "daily 2026-02-02")]),
        ("weekly 2", "--keep-weekly=2", &[(first, "weekly 2026-W05"), (second, "weekly 2026-W06")]),
        (
            "monthly unlimited",
            "--keep-monthly=unlimited",
            &[(december, "monthly 2025-12"), (second, "monthly 2026-02")],
        ),
        (
            "quarterly 2",
            "--keep-quarterly=2",
            &[(december, "quarterly 2025-Q4"), (second, "quarterly 2026-Q1")],
        ),
        (
            "half-yearly 2",
            "--keep-half-yearly=2",
            &[(december, "half-yearly 2025-H2"), (second, "half-yearly 2026-H1")],
        ),
        ("yearly 2", "--keep-yearly=2", &[(december, "yearly 2025"), (second, "yearly 2026")]),
        (
            "within 1d12h",
            "--keep-within=1d12h",
            &[(first, "within 1d12h"), (second, "within 1d12h")],
        ),
    ] {
        keeps(&sandbox, &["--keep", long], expected);
        keeps(&sandbox, &[short], expected);
    }
    sandbox.esker(["tag", "latest", "audit"]).ok();
    keeps(&sandbox, &["--keep-tag", "audit"], &[(second, "tag audit")]);
    keeps(
        &sandbox,
        &["--keep", "tag audit", "--keep", "last 1", "--keep-yearly", "1"],
        &[(second, "tag audit, last 1, yearly 2026")],
    );
    keeps(
        &sandbox,
        &["--keep-last", "1", "--group-by", "source,tags"],
        &[(first, "last 1"), (second, "last 1")],
    );
}

#[test]
fn days_begin_where_the_zone_says() {
    // In Berlin the first two are of one day, that of the change to summer time.
    let times = ["2026-03-28T23:30:00Z", "2026-03-29T12:00:00Z", "2026-03-29T22:30:00Z"];
    let sandbox = with_times(&times);
    let [first, second, third] = times.map(|time| time.replace('Z', ".000Z"));
    let [first, second, third] = [first.as_str(), second.as_str(), third.as_str()];
    let in_utc = [(first, "daily 2026-03-28"), (third, "daily 2026-03-29")];
    keeps(&sandbox, &["--keep-daily", "7"], &in_utc);
    keeps(&sandbox, &["--keep-daily", "7", "--timezone", "local"], &in_utc);
    keeps(
        &sandbox,
        &["--keep-daily", "7", "--timezone", "Europe/Berlin"],
        &[(second, "daily 2026-03-29"), (third, "daily 2026-03-30")],
    );
}

#[test]
fn a_policy_that_says_nothing_is_refused() {
    let sandbox = with_times(&["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]);
    assert_snapshot!(sandbox.esker(["forget"]).misused().screen(), @r#"
    --- stderr
    error: nothing says what to forget
    hint: name snapshots, or say what to keep: `esker forget --keep "daily 30" --dry-run`
    --- exit 2
    "#);
    for args in [
        &["forget", "--dry-run"][..],
        &["forget", "--timezone", "Europe/Berlin"],
        &["forget", "--source", "./src"],
        &["forget", "latest", "--keep-last", "1"],
        &["forget", "--keep", "daily"],
        &["forget", "--keep", "fortnightly 3"],
        &["forget", "--keep-within", "14"],
        &["forget", "--keep-last", "1", "--timezone", "Mars/Base"],
        &["forget", "--keep-last", "1", "--group-by", "paths"],
        &["backup", "./src", "--immutable-for", "soon"],
        &["backup", "./src", "--immutable-for", "9d", "--immutable-until", "2999-01-01"],
        &["backup", "./src", "--immutable-for", "9999y"],
    ] {
        let ran = sandbox.esker(args).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{}", ran.report());
    }
    assert_snapshot!(sandbox.esker(["forget", "--keep", "dayly 3"]).screen(), @"
    --- stderr
    error: invalid value 'dayly 3' for '--keep <RULE>': `dayly 3` is no rule: write it like `daily 30`; there are last, hourly, daily, weekly, monthly, quarterly, half-yearly and yearly with a number, `within 14d`, and `tag NAME`

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(
        sandbox.esker(["backup", "./src", "--immutable-until", "2020-01-01"]).misused().screen(),
        @"
        --- stderr
        error: a snapshot cannot be immutable until a time that is past
        hint: name a time to come: `--immutable-for 90d` or `--immutable-until DATE`
        --- exit 2
        "
    );
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 2);
}

#[test]
fn nothing_forgets_an_immutable_snapshot() {
    let sandbox = Sandbox::new();
    let until = ["--immutable-until", "2999-01-01T00:00:00Z"];
    let args = ["backup", "./src", "--time", "2026-03-01T00:00:00Z"];
    sandbox.esker([&args[..], &until[..]].concat()).ok();
    sandbox.esker(["backup", "./src", "--time", "2026-03-02", "--immutable-for", "1y"]).ok();
    sandbox.esker(["backup", "./src", "--time", "2026-03-03"]).ok();
    let listed = sandbox.esker(["snapshots", "--json"]).json();
    let first = listed[0]["id"].as_str().unwrap();
    assert_eq!(listed[0]["immutable_until"], "2999-01-01T00:00:00.000Z");
    assert!(listed[1]["immutable_until"].is_string());
    assert!(listed[2]["immutable_until"].is_null());
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"
    id  time  source  entries  added  status  tags
    ID8  DATE TIME  DIR/src  5  N SIZE  complete, immutable
    ID8  DATE TIME  DIR/src  5  N SIZE  complete, immutable
    ID8  DATE TIME  DIR/src  5  N SIZE  complete
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["forget", first]).fails().screen(), @"
    --- stderr
    error: snapshot ID8 is immutable until TIME: nothing was forgotten
    hint: it can be forgotten after that; name only others
    --- exit 1
    ");
    // Letting go of holds does not help.
    sandbox.esker(["release", first]).ok();
    sandbox.esker(["forget", first]).fails();
    assert_snapshot!(sandbox.esker(["forget", "--keep-last", "1"]).screen(), @"
          id  time  source  why
    keep  ID8  DATE TIME  DIR/src  immutable until TIME
    keep  ID8  DATE TIME  DIR/src  immutable until TIME
    keep  ID8  DATE TIME  DIR/src  last 1
    0 snapshots forgotten, 3 kept
    --- exit 0
    ");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 3);
}

#[test]
fn what_is_dated_in_the_future_pushes_nothing_out() {
    let sandbox =
        with_times(&["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "2999-01-01T00:00:00Z"]);
    keeps(
        &sandbox,
        &["--keep-last", "1"],
        &[
            ("2026-03-02T00:00:00.000Z", "last 1"),
            ("2999-01-01T00:00:00.000Z", "dated in the future"),
        ],
    );
}

#[test]
fn forgotten_snapshots_are_listed_and_come_back() {
    let sandbox = with_times(&["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]);
    assert_snapshot!(sandbox.esker(["snapshots", "--forgotten"]).screen(), @"
    --- stderr
    no snapshot is forgotten
    --- exit 0
    ");
    let listed = sandbox.esker(["snapshots", "--json"]).json();
    let ids: Vec<_> = (0..2).map(|at| listed[at]["id"].as_str().unwrap()).collect();
    sandbox.esker(["forget", ids[0]]).ok();
    assert_snapshot!(sandbox.esker(["snapshots", "--forgotten"]).screen(), @"
    id  time  source  entries  added  status  tags
    ID8  DATE TIME  DIR/src  5  N SIZE  complete, forgotten
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["snapshots", "--all"]).screen(), @"
    id  time  source  entries  added  status  tags
    ID8  DATE TIME  DIR/src  5  N SIZE  complete, forgotten
    ID8  DATE TIME  DIR/src  5  N SIZE  complete
    --- exit 0
    ");
    let forgotten = sandbox.esker(["snapshots", "--forgotten", "--json"]).json();
    assert_eq!(forgotten.as_array().unwrap().len(), 1);
    assert_eq!((&forgotten[0]["id"], &forgotten[0]["forgotten"]), (&ids[0].into(), &true.into()));
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json()[0]["forgotten"], false);
    for name in ["latest", ids[1], "ffff"] {
        sandbox.esker(["undelete", name]).fails();
    }
    assert_snapshot!(sandbox.esker(["undelete", ids[1]]).fails().screen(), @"
    --- stderr
    error: there is no forgotten snapshot `ID64`
    caused by: it is not forgotten
    hint: list them with `esker snapshots --forgotten`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["undelete", &ids[0][..8]]).screen(), @"
    snapshot ID8 is back: no tags; not held
    --- exit 0
    ");
    sandbox.esker(["undelete"]).exits(2);
    let listed = sandbox.esker(["snapshots", "--json"]).json();
    assert_eq!((&listed[0]["id"], &listed[0]["forgotten"]), (&ids[0].into(), &false.into()));
    sandbox.esker(["restore", ids[0], "--to", "out"]).ok();
    assert_eq!(sandbox.read("out/a.txt"), "one");
    sandbox.assert_sound();
}

#[test]
fn partial_snapshots_push_no_complete_one_out() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::new("acme", &["issues"]);
    for day in 1..=4 {
        if day == 3 {
            let part = PartCompleteness {
                name: "ABC".into(),
                state: CompletenessState::NotPermitted,
                expected: Some(520),
                found: 17,
                detail: "the account may not browse it".into(),
            };
            source.set_parts("issues", vec![part]);
        }
        source.put("issues", "ABC\0ABC-1\0issue.json", Item::document(day.to_string()));
        sandbox.back_up(&source, day);
    }
    keeps(
        &sandbox,
        &["--keep-last", "1"],
        &[("2026-03-02T00:00:00.000Z", "last 1"), ("2026-03-04T00:00:00.000Z", "last 1 (partial)")],
    );
    assert_snapshot!(sandbox.esker(["forget", "--keep-daily", "1"]).screen(), @"
            id  time  source  why
    forget  ID8  DATE TIME  acme
    keep  ID8  DATE TIME  acme  daily DATE
    forget  ID8  DATE TIME  acme
    keep  ID8  DATE TIME  acme  daily DATE (partial)
    2 snapshots forgotten, 2 kept
    --- exit 0
    ");
}
