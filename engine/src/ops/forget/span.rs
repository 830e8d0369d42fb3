//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, SpanFieldwise, Timestamp, Zoned};

use super::policy::KeepError;

/// A length of time on the calendar, written like `14d` or `2y5m7d3h`: years, months, weeks, days and hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarSpan(SpanFieldwise);

impl CalendarSpan {
    /// The moment so long before another one, by the calendar of its zone; `None` before the calendar begins.
    pub(super) fn before(self, time: &Zoned) -> Option<Timestamp> {
        time.checked_sub(self.0.0).ok().map(|before| before.timestamp())
    }

    /// The moment so long after another one, by the calendar in UTC; `None` after the calendar ends.
    pub fn after(self, time: Timestamp) -> Option<Timestamp> {
        let time = time.to_zoned(TimeZone::UTC);
        time.checked_add(self.0.0).ok().map(|after| after.timestamp())
    }
}

impl FromStr for CalendarSpan {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let wrong = || KeepError::Span { text: text.into() };
        let mut span = Span::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let number: i64 = number.parse().map_err(|_| wrong())?;
            let mut tail = tail.chars();
            // A unit that is given twice is a slip.
            let added = match tail.next() {
                Some('y') if span.get_years() == 0 => span.try_years(number),
                Some('m') if span.get_months() == 0 => span.try_months(number),
                Some('w') if span.get_weeks() == 0 => span.try_weeks(number),
                Some('d') if span.get_days() == 0 => span.try_days(number),
                Some('h') if span.get_hours() == 0 => span.try_hours(number),
                _ => return Err(wrong()),
            };
            span = added.map_err(|_| wrong())?;
            rest = tail.as_str();
        }
        if span.is_zero() {
            return Err(wrong());
        }
        Ok(Self(span.fieldwise()))
    }
}

impl fmt::Display for CalendarSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = &self.0.0;
        let parts = [
            (i64::from(span.get_years()), 'y'),
            (i64::from(span.get_months()), 'm'),
            (i64::from(span.get_weeks()), 'w'),
            (i64::from(span.get_days()), 'd'),
            (i64::from(span.get_hours()), 'h'),
        ];
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number != 0) {
            write!(f, "{number}{unit}")?;
        }
        Ok(())
    }
}
