//! Times of the API: what it sends, and what its query language takes.

use std::time::Duration;

use esker_engine::entry;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Reads a time such as `2026-03-01T09:12:33.123+1100`; the colon-less offset is Jira's own.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let jira = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text);
    jira.ok().or_else(|| text.parse().ok())
}

/// As entries hold times.
pub(super) fn stored(time: Timestamp) -> entry::Timestamp {
    let milliseconds = time.as_millisecond();
    entry::Timestamp {
        seconds: milliseconds.div_euclid(1000),
        nanoseconds: (milliseconds.rem_euclid(1000) * 1_000_000) as u32,
    }
}

/// The beginning of a window of changes for the query language: minutes, in the time zone of the account, at or before
/// `started - overlap`. Where a clock change makes that time ambiguous it is moved back until it is not.
pub(super) fn window_start(started: Timestamp, overlap: Duration, zone: &TimeZone) -> String {
    let overlap = SignedDuration::try_from(overlap).unwrap_or(SignedDuration::from_hours(24));
    let mut from = started.saturating_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH);
    for _ in 0..8 {
        let civil = zone.to_datetime(from);
        if !zone.to_ambiguous_timestamp(civil).is_ambiguous() {
            break;
        }
        from = from.saturating_sub(SignedDuration::from_mins(30)).unwrap_or(Timestamp::UNIX_EPOCH);
    }
    zone.to_datetime(from).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn times_of_the_api() {
        for (text, expected) in [
            ("2026-03-01T09:12:33.123+1100", "2026-02-28T22:12:33.123Z"),
            ("2026-03-01T09:12:33.000+0000", "2026-03-01T09:12:33Z"),
            ("2026-03-01T09:12:33+01:00", "2026-03-01T08:12:33Z"),
            ("2026-03-01T09:12:33.5Z", "2026-03-01T09:12:33.5Z"),
        ] {
            assert_eq!(parse(text), Some(at(expected)), "{text}");
        }
        for text in ["", "yesterday", "2026-03-01", "2026-13-01T00:00:00.000+0000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn windows_begin_in_the_zone_of_the_account() {
        let zone = TimeZone::get("Europe/Vienna").expect("a zone");
        let minutes = |count: u64| Duration::from_secs(count * 60);
        for (started, overlap, expected) in [
            ("2026-07-01T10:00:59Z", 10, "2026-07-01 11:50"),
            ("2026-01-01T10:00:00Z", 10, "2026-01-01 10:50"),
            // 2026-10-25 03:00 becomes 02:00: from 02:00 to 03:00 a time means two; 00:50Z is 02:50 before the change.
            ("2026-10-25T01:40:00Z", 10, "2026-10-25 01:30"),
            ("2026-10-25T00:50:00Z", 10, "2026-10-25 01:40"),
            ("2026-10-25T02:30:00Z", 10, "2026-10-25 03:20"),
        ] {
            assert_eq!(window_start(at(started), minutes(overlap), &zone), expected, "{started}");
        }
    }
}
