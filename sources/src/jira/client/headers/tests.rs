use reqwest::header::{HeaderName, HeaderValue};

use super::*;

/// Sun, 22 Nov 2026 12:00:00 GMT.
const NOON: &str = "2026-11-22T12:00:00Z";

fn hints(lines: &[(&str, &str)]) -> Hints {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Hints::read(&headers, NOON.parse().unwrap())
}

#[test]
fn waits_in_all_spellings() {
    for (lines, expected) in [
        (&[][..], None),
        (&[("Retry-After", "7")], Some(7)),
        (&[("Retry-After", " 0 ")], Some(0)),
        (&[("Retry-After", "Sun, 22 Nov 2026 12:01:30 GMT")], Some(90)),
        (&[("Retry-After", "Sun, 22 Nov 2026 11:00:00 GMT")], Some(0)),
        (&[("Retry-After", "5"), ("Retry-After", "9")], Some(9)),
        (&[("Retry-After", "99999999999")], Some(u32::MAX.into())),
        (&[("Retry-After", "-1")], None),
        (&[("Retry-After", "soon")], None),
        (&[("Retry-After", "1e3")], None),
        (&[("Retry-After", "\u{e4}")], None),
        (&[("X-RateLimit-Reset", "2026-11-22T13:00Z")], Some(3600)),
        (&[("X-RateLimit-Reset", "2026-11-22T12:00:05Z")], Some(5)),
        (&[("X-RateLimit-Reset", "2026-11-22T12:00:05.000+00:00")], Some(5)),
        (&[("X-RateLimit-Reset", "2026-11-22T11:59Z")], Some(0)),
        (&[("X-RateLimit-Reset", "tomorrow")], None),
        (&[("X-RateLimit-Reset", "2026-11-22T12:00:05Z"), ("Retry-After", "2")], Some(5)),
        (&[("X-RateLimit-Reset", "2026-11-22T12:00:05Z"), ("Retry-After", "8")], Some(8)),
        // The site's own clock counts: its hour is over in a minute, whatever ours shows.
        (
            &[
                ("Date", "Sun, 22 Nov 2026 14:59:00 GMT"),
                ("X-RateLimit-Reset", "2026-11-22T15:00Z"),
            ],
            Some(60),
        ),
        (&[("RateLimit", "\"jira-burst-based\";r=0;t=3")], Some(3)),
        (&[("RateLimit", "\"a, b\";r=50;t=9, \"jira-burst-based\"; r=0; t=4")], Some(4)),
        (&[("RateLimit", "\"jira-burst-based\";t=4;r=0,\"global-app-quota\";t=600")], Some(4)),
        (&[("RateLimit", "\"x\";r=0;t=4"), ("RateLimit", "\"y\";t=6;r=0")], Some(6)),
        (&[("RateLimit", "limit;r=0;t=2")], Some(2)),
        (&[("RateLimit", "\"x\";r=none;t=4")], None),
        (&[("RateLimit", "\"x\";r=0;t=-4")], None),
        (&[("RateLimit", "\"never closed;r=0;t=4, \"")], None),
        (&[("RateLimit", ",;=,\"\";\"")], None),
        // Only announced, not enforced.
        (&[("Beta-Retry-After", "7"), ("X-Beta-RateLimit-Reset", "2026-11-22T13:00Z")], None),
        (&[("Beta-RateLimit", "\"jira-burst-based\";r=0;t=3")], None),
    ] {
        assert_eq!(hints(lines).wait(), expected.map(Duration::from_secs), "{lines:?}");
    }
}

#[test]
fn burst_limits_in_all_spellings() {
    for (lines, expected) in [
        (&[][..], None),
        (&[("RateLimit-Policy", "\"jira-burst-based\";q=100;w=1")], Some((100, 1))),
        (
            &[(
                "RateLimit-Policy",
                "\"global-app-quota\";q=65000;w=3600,\"jira-burst-based\";q=100;w=1",
            )],
            Some((100, 1)),
        ),
        (
            &[(
                "RateLimit-Policy",
                "\"jira-burst-based\" ; w=2 ; q=30 , \"global-app-quota\";q=65000;w=3600",
            )],
            Some((30, 2)),
        ),
        (&[("RateLimit-Policy", "\"global-app-quota\";q=65000;w=3600")], None),
        (&[("RateLimit-Policy", "\"jira-burst-based\";q=0;w=1")], None),
        (&[("RateLimit-Policy", "\"jira-burst-based\";q=100;w=0")], None),
        (&[("RateLimit-Policy", "\"jira-burst-based\";q=100")], None),
        (&[("RateLimit-Policy", "\"jira-burst-based\";q=99999999999;w=1")], None),
        (&[("X-RateLimit-Limit", "150")], Some((150, 1))),
        (&[("X-RateLimit-Limit", "65000")], None),
        (&[("X-RateLimit-Limit", "0")], None),
        (&[("X-RateLimit-Limit", "many")], None),
        (
            &[("X-RateLimit-Limit", "150"), ("RateLimit-Policy", "\"jira-burst-based\";q=100;w=1")],
            Some((100, 1)),
        ),
        (
            &[
                ("X-Beta-RateLimit-Limit", "5"),
                ("Beta-RateLimit-Policy", "\"jira-burst-based\";q=5;w=1"),
            ],
            None,
        ),
    ] {
        let expected = expected
            .map(|(requests, seconds)| Rate { requests, window: Duration::from_secs(seconds) });
        assert_eq!(hints(lines).burst, expected, "{lines:?}");
    }
}

#[test]
fn a_reason_tells_who_waits() {
    for (reason, of_account, hourly) in [
        ("jira-burst-based", false, false),
        ("jira-per-issue-on-write", false, false),
        ("jira-quota-global-based", true, true),
        ("jira-quota-tenant-based", true, true),
        ("jira-cost-based", true, true),
        ("something-new", true, false),
    ] {
        let hints = hints(&[("RateLimit-Reason", reason)]);
        assert_eq!((hints.is_of_account(), hints.is_hourly()), (of_account, hourly), "{reason}");
    }
    assert!(hints(&[]).is_of_account());
    let odd = hints(&[("RateLimit-Reason", "jira-<b>burst</b>\u{e4}\t")]);
    assert_eq!(odd.reason, None);
    let odd = hints(&[("RateLimit-Reason", "jira-<b>burst</b> x")]);
    assert_eq!(odd.reason.unwrap(), "jira-bburstbx");
}

#[test]
fn dates_are_read() {
    let date = |text| hints(&[("Date", text)]).date.map(|date| date.to_string());
    assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap(), "1994-11-06T08:49:37Z");
    assert_eq!(date("yesterday"), None);
}

#[test]
fn a_failed_login_shows_in_any_answer() {
    for (value, failed) in [
        ("AUTHENTICATED_FAILED", true),
        ("AUTHENTICATION_DENIED", true),
        ("OK", false),
        ("AUTHORISATION_FAILED", false),
    ] {
        assert_eq!(hints(&[("X-Seraph-LoginReason", value)]).login_failed, failed, "{value}");
    }
}
