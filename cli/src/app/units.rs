//! Sizes and times as people write them.

use std::time::Duration;

use esker_engine::store::ObjectLock;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Reads a size: a number and a unit, `256MiB`, `64 kB`, `1G` (binary, as in most tools), or bytes alone.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write it like `256MiB`");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "g" | "gib" => 1 << 30,
        "tb" => 1_000_000_000_000,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large a size"));
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * factor as f64;
    if !bytes.is_finite() || bytes < 0.0 || bytes > u64::MAX as f64 {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

/// Reads a period in days, as in `30d`, or with `h` in hours, `m` in minutes and `s` in seconds. Returns its seconds.
pub(crate) fn parse_period(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no period: write it like `30d`, up to 100 years");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|it| (1..=ObjectLock::MOST_SECONDS).contains(it)).ok_or_else(wrong)
}

/// Reads a share: `5%`, `0`, `2.5 %`; without the sign it is per cent too.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no share: write it like `5%`");
    let number = text.trim().trim_end_matches('%').trim_end();
    let number: f64 = number.parse().map_err(|_| wrong())?;
    if (0.0..=100.0).contains(&number) { Ok(number / 100.0) } else { Err(wrong()) }
}

/// Which moment a date without a time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WholeDay {
    /// Its beginning.
    Begin,
    /// Its end: all of the day counts.
    End,
}

/// Reads a time: RFC 3339, or `2026-11-22 03:00` or `2026-11-22` in local time.
pub(crate) fn parse_time(text: &str, day: WholeDay) -> Result<Timestamp, String> {
    let wrong = || {
        format!("`{text}` is no time: write it like `2026-11-22 03:00` or `2026-11-22T03:00:00Z`")
    };
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let is_date = text.len() == 10;
    let local: DateTime = if is_date {
        let date: Date = text.parse().map_err(|_| wrong())?;
        match day {
            WholeDay::Begin => date.at(0, 0, 0, 0),
            WholeDay::End => date.at(23, 59, 59, 999_999_999),
        }
    } else {
        // A zone that was not understood above must not be passed over.
        if text.ends_with(['Z', 'z']) || text.contains(['+', '[']) {
            return Err(wrong());
        }
        text.parse().map_err(|_| wrong())?
    };
    let zoned = local.to_zoned(TimeZone::system()).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

/// Reads a time of 1970 or later for a new snapshot.
pub(crate) fn parse_snapshot_time(text: &str) -> Result<Duration, String> {
    let time = parse_time(text, WholeDay::Begin)?;
    Duration::try_from(time.as_duration()).map_err(|_| format!("`{text}` is before 1970"))
}

/// Reads a time zone: its name, such as `Europe/Berlin`, or `local`.
pub(crate) fn parse_time_zone(name: &str) -> Result<TimeZone, String> {
    if name == "local" {
        return Ok(TimeZone::system());
    }
    TimeZone::get(name).map_err(|_| {
        format!("`{name}` is no time zone that this machine knows: write it like `Europe/Berlin`")
    })
}

/// A time of a commit, for people: local, to the second.
pub(crate) fn local_time(rfc3339: &str) -> String {
    let Ok(time) = rfc3339.parse::<Timestamp>() else {
        return rfc3339.into();
    };
    let zoned = time.to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Seconds and nanoseconds since 1970, for people: local, to the second.
pub(crate) fn local_seconds(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => {
            let zoned = time.to_zoned(TimeZone::system());
            zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("256MiB", Some(256 << 20)),
            ("256 mib", Some(256 << 20)),
            ("64K", Some(64 << 10)),
            ("1.5GiB", Some(3 << 29)),
            ("2MB", Some(2_000_000)),
            ("", None),
            ("MiB", None),
            ("12 parsecs", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("99999999999 TiB", None),
        ] {
            assert_eq!(parse_size(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_period_has_a_unit_and_an_end() {
        for (text, expected) in [
            ("30d", Some(2_592_000)),
            ("1h", Some(3_600)),
            ("5m", Some(300)),
            ("20s", Some(20)),
            ("0d", None),
            ("30", None),
            ("d", None),
            ("-1d", None),
            ("36501d", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse_period(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_with_a_zone_or_locally() {
        let at = |text: &str, day| parse_time(text, day).map(Timestamp::as_second).ok();
        assert_eq!(at("1970-01-01T00:01:00Z", WholeDay::End), Some(60));
        assert_eq!(at("1970-01-01T01:01:00+01:00", WholeDay::End), Some(60));
        assert_eq!(at("1970-01-01 00:01Z", WholeDay::End), Some(60));
        let begin = at("2026-11-22", WholeDay::Begin).unwrap();
        assert_eq!(at("2026-11-22 00:00", WholeDay::End), Some(begin));
        assert_eq!(at("2026-11-22 03:00", WholeDay::End), Some(begin + 3 * 3600));
        assert_eq!(at("2026-11-22", WholeDay::End), Some(begin + 86_399));
        for text in ["", "yesterday", "2026-13-01", "2026-11-22 25:00", "latest"] {
            assert_eq!(at(text, WholeDay::End), None, "{text}");
        }
        assert!(parse_time_zone("local").is_ok() && parse_time_zone("UTC").is_ok());
        assert!(parse_time_zone("Mars/Base").is_err());
        assert!(parse_snapshot_time("1960-01-01T00:00:00Z").is_err());
    }
}
