//! Periods of the calendar.

use jiff::Zoned;

/// How long a period of a rule is. The rule keeps one snapshot of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// An hour of the clock on the wall; the one that is repeated in autumn is two.
    Hour,
    /// A day of the calendar, be it 23, 24 or 25 hours long.
    Day,
    /// A week of ISO 8601: from Monday on.
    Week,
    /// A month.
    Month,
    /// January to March, and so on.
    Quarter,
    /// January to June, or July to December.
    HalfYear,
    /// A year of the calendar.
    Year,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 7] =
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::HalfYear, Self::Year];

    /// How its rule begins.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Quarter => "quarterly",
            Self::HalfYear => "half-yearly",
            Self::Year => "yearly",
        }
    }

    /// What the period around a moment is called, such as `2026-W53`. No two periods of a zone have the same name.
    pub(super) fn name_at(self, time: &Zoned) -> String {
        let (year, month) = (time.year(), time.month());
        match self {
            Self::Hour => time.strftime("%Y-%m-%d %Hh %:z").to_string(),
            Self::Day => time.date().to_string(),
            Self::Week => {
                let week = time.date().iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Quarter => format!("{year:04}-Q{}", (month - 1) / 3 + 1),
            Self::HalfYear => format!("{year:04}-H{}", (month - 1) / 6 + 1),
            Self::Year => format!("{year:04}"),
        }
    }
}
