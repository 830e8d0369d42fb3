//! Dates in queries: minutes in the time zone of the account, or a distance from now.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Reads a date; `None` if it is none.
pub(super) fn parse(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    moment(text, zone).or_else(|| now.checked_add(period(text)?).ok())
}

/// `yyyy-MM-dd`, `yyyy/MM/dd`, either with ` HH:mm`.
///
/// A time that daylight saving makes twice is the first one, a time that it skips is as much later.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let separator = if date.contains('/') { '/' } else { '-' };
    let [year, month, day] = numbers(date, separator)?;
    let [hour, minute] = time.map_or(Some([0, 0]), |time| numbers(time, ':'))?;
    if year < 1000 {
        return None;
    }
    let civil = DateTime::new(
        year,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        0,
        0,
    );
    Some(civil.ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i16; N]> {
    let parse =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
    let numbers: Option<Vec<i16>> = text.split(separator).map(parse).collect();
    numbers?.try_into().ok()
}

/// `-75m`, `-2h`, `-3d`, `-1w`, `4w 2d`.
fn period(text: &str) -> Option<SignedDuration> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if text.is_empty() {
        return None;
    }
    let mut minutes = 0_i64;
    for part in text.split_whitespace() {
        let unit = match part.chars().last()? {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            'w' => 7 * 24 * 60,
            _ => return None,
        };
        let number: i64 = part.get(..part.len() - 1)?.parse().ok().filter(|number| *number >= 0)?;
        minutes = minutes.checked_add(number.checked_mul(unit)?)?;
    }
    SignedDuration::from_mins(sign).checked_mul(i32::try_from(minutes).ok()?)
}
