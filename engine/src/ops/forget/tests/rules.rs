//! Each rule by itself, with the reasons that it gives.

use jiff::tz::TimeZone;

use super::*;

/// Central European time by its rule, so that no table of the machine is needed.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn policy(rules: &[&str], zone: TimeZone) -> KeepPolicy {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    KeepPolicy { rules, zone, ..KeepPolicy::default() }
}

/// Snapshots of one source, oldest first, from lines like `2026-03-29T01:30:00Z partial tagged`, each followed by the reasons
/// for which it is kept.
#[track_caller]
fn check(rules: &[&str], zone: TimeZone, lines: &[(&str, &[&str])]) {
    let snapshots: Vec<_> = (1u8..)
        .zip(lines)
        .map(|(number, (line, _))| {
            let mut words = line.split(' ');
            let mut snapshot = snapshot(number, words.next().unwrap());
            for word in words {
                match word {
                    "partial" => snapshot.commit.status = SnapshotStatus::Partial,
                    "held" => snapshot.holds.push("audit".into()),
                    "immutable" => {
                        snapshot.commit.immutable_until = Some("2100-01-01T00:00:01Z".into());
                    }
                    "expired" => {
                        snapshot.commit.immutable_until = Some("2100-01-01T00:00:00Z".into());
                    }
                    "odd" => snapshot.commit.immutable_until = Some("for ever".into()),
                    "elsewhere" => snapshot.commit.host = "there".into(),
                    "other" => snapshot.commit.source.identity = "b".into(),
                    tag => snapshot.tags.push(tag.into()),
                }
            }
            snapshot
        })
        .collect();
    let plan = plan(&snapshots, &policy(rules, zone), at("2100-01-01T00:00:00Z"));
    let told: Vec<(SnapshotId, Vec<String>)> =
        plan.keep.into_iter().chain(plan.remove).map(|it| (it.id, it.reasons)).collect();
    for (snapshot, (line, expected)) in snapshots.iter().zip(lines) {
        let (_, reasons) = told.iter().find(|(id, _)| *id == snapshot.id).unwrap();
        assert_eq!(reasons, expected, "{line}");
    }
    assert_eq!(told.len(), lines.len());
}

#[test]
fn last_counts_the_newest() {
    check(
        &["last 2"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &[]),
            ("2026-01-02T00:00:00Z", &["last 2"]),
            ("2026-01-03T00:00:00Z", &["last 1"]),
        ],
    );
    check(
        &["last unlimited"],
        TimeZone::UTC,
        &[("2026-01-01T00:00:00Z", &["last 2"]), ("2026-01-01T00:00:00Z", &["last 1"])],
    );
    check(
        &["last 0"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &[]),
            ("2026-01-02T00:00:00Z", &["the last complete snapshot of its source"]),
        ],
    );
}

#[test]
fn periods_keep_their_newest() {
    check(
        &["daily 2"],
        TimeZone::UTC,
        &[
            ("2026-01-01T23:00:00Z", &[]),
            ("2026-01-02T01:00:00Z", &[]),
            ("2026-01-02T02:00:00Z", &["daily 2026-01-02"]),
            // Days without snapshots do not count.
            ("2026-01-09T00:00:00Z", &["daily 2026-01-09"]),
        ],
    );
    check(
        &["monthly 2", "quarterly 2", "half-yearly 2", "yearly 2"],
        TimeZone::UTC,
        &[
            ("2023-12-31T23:59:59Z", &[]),
            ("2024-12-31T23:59:59Z", &["yearly 2024"]),
            ("2025-06-30T23:59:59Z", &["half-yearly 2025-H1"]),
            ("2025-09-30T23:59:59Z", &["quarterly 2025-Q3"]),
            ("2025-11-30T23:59:59Z", &["monthly 2025-11"]),
            (
                "2025-12-31T23:59:59Z",
                &["monthly 2025-12", "quarterly 2025-Q4", "half-yearly 2025-H2", "yearly 2025"],
            ),
        ],
    );
}

#[test]
fn days_are_those_of_the_zone() {
    let lines = ["2026-03-28T23:30:00Z", "2026-03-29T12:00:00Z", "2026-03-29T22:30:00Z"];
    let in_utc: [&[&str]; 3] = [&["daily 2026-03-28"], &[], &["daily 2026-03-29"]];
    let in_berlin: [&[&str]; 3] = [&[], &["daily 2026-03-29"], &["daily 2026-03-30"]];
    let case =
        |reasons: [&'static [&'static str]; 3]| lines.into_iter().zip(reasons).collect::<Vec<_>>();
    check(&["daily 9"], TimeZone::UTC, &case(in_utc));
    check(&["daily 9"], berlin(), &case(in_berlin));
}

#[test]
fn the_hour_that_is_repeated_in_autumn_is_two_hours() {
    check(
        &["hourly 9"],
        berlin(),
        &[
            ("2026-10-25T00:10:00Z", &[]),
            ("2026-10-25T00:30:00Z", &["hourly 2026-10-25 02h +02:00"]),
            ("2026-10-25T01:30:00Z", &["hourly 2026-10-25 02h +01:00"]),
            ("2026-10-25T02:30:00Z", &["hourly 2026-10-25 03h +01:00"]),
        ],
    );
}

#[test]
fn weeks_are_of_iso_8601() {
    check(
        &["weekly 9"],
        TimeZone::UTC,
        &[
            ("2020-12-27T23:59:59Z", &["weekly 2020-W52"]),
            ("2020-12-28T00:00:00Z", &[]),
            ("2021-01-03T23:59:59Z", &["weekly 2020-W53"]),
            ("2021-01-04T00:00:00Z", &["weekly 2021-W01"]),
            ("2024-12-29T12:00:00Z", &["weekly 2024-W52"]),
            ("2024-12-30T12:00:00Z", &[]),
            ("2025-01-05T12:00:00Z", &["weekly 2025-W01"]),
        ],
    );
}

#[test]
fn within_is_counted_from_the_newest_by_the_calendar() {
    check(
        &["within 1m"],
        TimeZone::UTC,
        &[
            ("2024-02-29T12:00:00Z", &[]),
            ("2024-02-29T12:00:01Z", &["within 1m"]),
            ("2024-03-31T12:00:00Z", &["within 1m"]),
        ],
    );
    // The day of the change has 23 hours.
    check(
        &["within 1d"],
        berlin(),
        &[
            ("2026-03-28T22:00:00Z", &[]),
            ("2026-03-28T23:00:01Z", &["within 1d"]),
            ("2026-03-29T22:00:00Z", &["within 1d"]),
        ],
    );
    check(
        &["within 24h"],
        berlin(),
        &[("2026-03-28T22:00:01Z", &["within 24h"]), ("2026-03-29T22:00:00Z", &["within 24h"])],
    );
    let all = ["within 9000y"];
    check(&all, TimeZone::UTC, &[("0001-01-01T00:00:00Z", &all), ("2026-01-01T00:00:00Z", &all)]);
}

#[test]
fn tags_keep_whatever_else_holds() {
    check(
        &["last 1", "tag yearly"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z yearly x", &["tag yearly"]),
            ("2026-01-02T00:00:00Z partial yearly", &["tag yearly (partial)"]),
            ("2026-01-03T00:00:00Z x", &[]),
            ("2026-01-04T00:00:00Z", &["last 1"]),
        ],
    );
}

#[test]
fn partial_snapshots_push_no_complete_one_out() {
    check(
        &["last 2"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &[]),
            ("2026-01-02T00:00:00Z", &["last 2"]),
            ("2026-01-03T00:00:00Z", &["last 1"]),
            ("2026-01-04T00:00:00Z partial", &[]),
            ("2026-01-05T00:00:00Z partial", &["last 2 (partial)"]),
            ("2026-01-06T00:00:00Z partial", &["last 1 (partial)"]),
        ],
    );
    check(
        &["daily 2"],
        TimeZone::UTC,
        &[
            ("2026-01-01T01:00:00Z", &[]),
            ("2026-01-02T01:00:00Z", &["daily 2026-01-02"]),
            ("2026-01-03T01:00:00Z partial", &["daily 2026-01-03 (partial)"]),
            ("2026-01-04T01:00:00Z partial", &[]),
            ("2026-01-04T02:00:00Z", &["daily 2026-01-04"]),
            ("2026-01-04T03:00:00Z partial", &[]),
            ("2026-01-04T04:00:00Z partial", &["daily 2026-01-04 (partial)"]),
        ],
    );
    // A source that is never complete does not pile up.
    check(
        &["daily 1"],
        TimeZone::UTC,
        &[
            ("2026-01-01T01:00:00Z partial", &[]),
            ("2026-01-02T01:00:00Z partial", &["daily 2026-01-02 (partial)"]),
        ],
    );
    check(
        &["within 2d"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &[]),
            ("2026-01-01T00:00:01Z", &["within 2d"]),
            ("2026-01-03T00:00:00Z", &["within 2d"]),
            ("2026-01-05T00:00:00Z partial", &[]),
            ("2026-01-07T00:00:00Z partial", &["within 2d (partial)"]),
        ],
    );
}

#[test]
fn nothing_overrides_holds_and_immutability() {
    check(
        &["last 1"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z held", &["held: audit"]),
            ("2026-01-02T00:00:00Z immutable", &["immutable until 2100-01-01T00:00:01Z"]),
            ("2026-01-03T00:00:00Z expired", &[]),
            ("2026-01-04T00:00:00Z odd", &["immutable until for ever"]),
            (
                "2026-01-05T00:00:00Z held immutable",
                &["last 1", "held: audit", "immutable until 2100-01-01T00:00:01Z"],
            ),
        ],
    );
}

#[test]
fn what_is_dated_in_the_future_takes_no_count() {
    check(
        &["last 1", "daily 1", "within 1d"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &[]),
            ("2099-12-31T00:00:00Z", &[]),
            ("2100-01-01T00:00:00Z", &["last 1", "daily 2100-01-01", "within 1d"]),
            ("2100-01-01T00:00:00.001Z", &["dated in the future"]),
            ("2101-01-01T00:00:00Z partial", &["dated in the future"]),
            ("somewhen", &["its time cannot be read"]),
        ],
    );
}

#[test]
fn each_source_is_looked_at_on_its_own() {
    check(
        &["last 0"],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z other", &["the last complete snapshot of its source"]),
            ("2026-01-02T00:00:00Z", &[]),
            ("2026-01-03T00:00:00Z other partial", &[]),
            ("2026-01-04T00:00:00Z", &["the last complete snapshot of its source"]),
        ],
    );
}

#[test]
fn hosts_and_tags_are_looked_at_on_their_own_where_told() {
    let mut snapshots: Vec<_> =
        (1..=4).map(|number| snapshot(number, "2026-01-01T00:00:00Z")).collect();
    snapshots[0].commit.host = "there".into();
    snapshots[1].tags.push("x".into());
    for (grouping, kept) in [("source", 1), ("host", 2), ("source,tags", 2), ("host, tags", 3)] {
        let grouping = grouping.parse().unwrap();
        let policy = KeepPolicy { grouping, ..policy(&["last 1"], TimeZone::UTC) };
        let plan = plan(&snapshots, &policy, Timestamp::MAX);
        assert_eq!(plan.keep.len(), kept, "{grouping:?}");
    }
    assert!("source,paths".parse::<Grouping>().is_err());
}

#[test]
fn without_rules_all_is_kept() {
    check(
        &[],
        TimeZone::UTC,
        &[
            ("2026-01-01T00:00:00Z", &["the policy has no rules"]),
            ("2026-01-02T00:00:00Z", &["the last complete snapshot of its source"]),
        ],
    );
}

#[test]
fn rules_are_read_and_written_as_people_do() {
    for (text, expected) in [
        ("last 5", Some("last 5")),
        ("  daily   30 ", Some("daily 30")),
        ("hourly 1", Some("hourly 1")),
        ("weekly 0", Some("weekly 0")),
        ("monthly unlimited", Some("monthly unlimited")),
        ("quarterly 4", Some("quarterly 4")),
        ("half-yearly 4", Some("half-yearly 4")),
        ("yearly 7", Some("yearly 7")),
        ("within 2y5m7d3h", Some("within 2y5m7d3h")),
        ("within 3h2w", Some("within 2w3h")),
        ("tag court case 7", Some("tag court case 7")),
        ("", None),
        ("daily", None),
        ("30", None),
        ("daily 30d", None),
        ("daily -1", None),
        ("daily 99999999999999999999", None),
        ("dayly 3", None),
        ("Daily 3", None),
        ("within", None),
        ("within 14", None),
        ("within d", None),
        ("within 0d", None),
        ("within 1d2d", None),
        ("within 14é", None),
        ("within 99999999999y", None),
        ("within -3d", None),
    ] {
        let rule = text.parse::<KeepRule>().ok().map(|rule| rule.to_string());
        assert_eq!(rule.as_deref(), expected, "{text}");
    }
}

#[test]
fn spans_end_by_the_calendar() {
    for (span, expected) in [
        ("90d", Some("2024-05-29T12:00:00Z")),
        ("1y", Some("2025-02-28T12:00:00Z")),
        ("1m36h", Some("2024-03-31T00:00:00Z")),
        ("9999y", None),
    ] {
        let after = span.parse::<CalendarSpan>().unwrap().after(at("2024-02-29T12:00:00Z"));
        assert_eq!(after, expected.map(at), "{span}");
    }
}
