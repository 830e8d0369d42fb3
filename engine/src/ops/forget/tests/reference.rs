//! The rules again, slowly and in another way: for each snapshot by itself the question whether anything keeps it, with its own
//! calendar.

use super::*;

/// A zone by its two offsets and when the summer's holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    Utc,
    /// +1 and +2; summer from the last Sunday of March to that of October, both at 01:00 UTC.
    Berlin,
    /// −5 and −4; summer from the second Sunday of March, 07:00 UTC, to the first of November, 06:00 UTC.
    NewYork,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970, counted one year and one month after another.
pub(super) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|it| 365 + i64::from(is_leap(it))).sum();
    let months: i64 = (1..month).map(|it| days_of_month(year, it)).sum();
    years + months + day - 1
}

fn date(mut days: i64) -> (i64, i64, i64) {
    let (mut year, mut month) = (1970, 1);
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

/// The n-th Sunday of a month, or the last one for 5.
fn sunday(year: i64, month: i64, n: i64) -> i64 {
    // 1970-01-04 was a Sunday.
    let first = days_since_1970(year, month, 1);
    let sundays = (first..first + days_of_month(year, month)).filter(|day| day % 7 == 3);
    let sundays: Vec<_> = sundays.collect();
    sundays[(n as usize).min(sundays.len()) - 1]
}

impl Zone {
    pub(super) fn posix(self) -> &'static str {
        match self {
            Self::Utc => "UTC0",
            Self::Berlin => "CET-1CEST,M3.5.0,M10.5.0/3",
            Self::NewYork => "EST5EDT,M3.2.0,M11.1.0",
        }
    }

    /// Offset in winter, beginning and end of summer.
    fn year(self, year: i64) -> (i64, i64, i64) {
        match self {
            Self::Utc => (0, 0, 0),
            Self::Berlin => {
                (HOUR, sunday(year, 3, 5) * DAY + HOUR, sunday(year, 10, 5) * DAY + HOUR)
            }
            Self::NewYork => (
                -5 * HOUR,
                sunday(year, 3, 2) * DAY + 7 * HOUR,
                sunday(year, 11, 1) * DAY + 6 * HOUR,
            ),
        }
    }

    pub(super) fn offset(self, time: i64) -> i64 {
        // No change is near a new year.
        let (year, ..) = date(time.div_euclid(DAY));
        let (winter, begin, end) = self.year(year);
        winter + if (begin..end).contains(&time) { HOUR } else { 0 }
    }

    fn local(self, time: i64) -> i64 {
        time + self.offset(time)
    }

    /// The first moment with this local time; what spring leaves out is moved by the hour that it leaves out.
    fn moment(self, local: i64) -> i64 {
        let (year, ..) = date(local.div_euclid(DAY));
        let (winter, ..) = self.year(year);
        let summer = local - winter - HOUR;
        if self.offset(summer) == winter + HOUR { summer } else { local - winter }
    }

    /// A number for the period around a moment; another moment has the same one where it is in the same period.
    fn period(self, period: Period, time: i64) -> i64 {
        let day = self.local(time).div_euclid(DAY);
        let (year, month, _) = date(day);
        match period {
            Period::Hour => time.div_euclid(HOUR),
            Period::Day => day,
            // 1970-01-05 was a Monday.
            Period::Week => (day + 3).div_euclid(7),
            Period::Month => year * 12 + month,
            Period::Quarter => year * 4 + (month - 1) / 3,
            Period::HalfYear => year * 2 + (month - 1) / 6,
            Period::Year => year,
        }
    }

    /// The moment that is so many months, days and hours before another.
    fn before(self, time: i64, months: i64, days: i64, hours: i64) -> i64 {
        if (months, days) == (0, 0) {
            return time - hours * HOUR;
        }
        let local = self.local(time);
        let (year, month, day) = date(local.div_euclid(DAY));
        let months = year * 12 + month - 1 - months;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let day = day.min(days_of_month(year, month));
        let day = days_since_1970(year, month, day) - days;
        self.moment(day * DAY + local.rem_euclid(DAY)) - hours * HOUR
    }
}

/// A rule without the planner's types for spans.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Last(u64),
    Every(Period, u64),
    Within { months: i64, days: i64, hours: i64 },
    Tag(String),
}

/// What a snapshot says of itself, by a number that is greater where it was begun later.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) number: u8,
    pub(super) time: i64,
    pub(super) is_partial: bool,
    pub(super) source: u8,
    pub(super) host: u8,
    pub(super) tag: Option<u8>,
    pub(super) is_held: bool,
    pub(super) immutable_until: Option<i64>,
}

/// What is asked: which snapshots are kept?
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) facts: Vec<Fact>,
    pub(super) rules: Vec<Rule>,
    pub(super) zone: Zone,
    pub(super) grouping: Grouping,
    pub(super) now: i64,
}

impl Question {
    /// True where nobody may forget it, whatever the rules say.
    pub(super) fn is_protected(&self, fact: &Fact) -> bool {
        fact.time > self.now
            || fact.is_held
            || fact.immutable_until.is_some_and(|until| self.now < until)
            || self.is_last_complete(fact)
    }

    fn is_last_complete(&self, fact: &Fact) -> bool {
        let is_newer = |other: &&Fact| {
            other.source == fact.source && !other.is_partial && self.is_newer(other, fact)
        };
        !fact.is_partial && !self.facts.iter().any(|other| is_newer(&other))
    }

    fn is_newer(&self, other: &Fact, fact: &Fact) -> bool {
        other.time <= self.now && (other.time, other.number) > (fact.time, fact.number)
    }

    pub(super) fn is_kept(&self, fact: &Fact) -> bool {
        self.is_protected(fact)
            || self.rules.is_empty()
            || self.rules.iter().any(|rule| self.keeps(rule, fact))
    }

    /// A complete snapshot is compared with complete ones only, a partial one with all of its group.
    fn keeps(&self, rule: &Rule, fact: &Fact) -> bool {
        let is_rival = |other: &&Fact| {
            other.source == fact.source
                && (!self.grouping.host || other.host == fact.host)
                && (!self.grouping.tags || other.tag == fact.tag)
                && (fact.is_partial || !other.is_partial)
                && self.is_newer(other, fact)
        };
        let newer: Vec<_> = self.facts.iter().filter(is_rival).collect();
        match rule {
            Rule::Last(count) => (newer.len() as u64) < *count,
            Rule::Every(period, count) => {
                let period_of = |it: &Fact| self.zone.period(*period, it.time);
                let own = period_of(fact);
                let mut periods: Vec<_> = newer.iter().map(|it| period_of(it)).collect();
                let is_newest = !periods.contains(&own);
                periods.sort_unstable();
                periods.dedup();
                is_newest && (periods.len() as u64) < *count
            }
            Rule::Within { months, days, hours } => {
                let newest = newer.iter().map(|it| it.time).max().unwrap_or(fact.time);
                fact.time > self.zone.before(newest, *months, *days, *hours)
            }
            Rule::Tag(tag) => fact.tag.is_some_and(|own| own.to_string() == *tag),
        }
    }
}

#[test]
fn the_calendar_of_the_reference_is_right() {
    for (date_of, days) in [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2026, 11, 23), 20_780)] {
        let (year, month, day) = date_of;
        assert_eq!(days_since_1970(year, month, day), days);
        assert_eq!(date(days), date_of);
    }
    // 2026-03-29T01:00:00Z and 2026-11-01T06:00:00Z
    for (zone, change, before, after) in [
        (Zone::Berlin, 1_774_746_000, HOUR, 2 * HOUR),
        (Zone::NewYork, 1_793_512_800, -4 * HOUR, -5 * HOUR),
    ] {
        assert_eq!((zone.offset(change - 1), zone.offset(change)), (before, after), "{zone:?}");
    }
}
