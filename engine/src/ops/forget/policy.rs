//! What a policy says: rules, a time zone, and what is looked at on its own.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use super::period::Period;
use super::span::CalendarSpan;

/// The count of a rule that never has enough.
pub const UNLIMITED: u64 = u64::MAX;

/// What somebody wrote and is no part of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// No rule.
    #[error(
        "`{text}` is no rule: write it like `daily 30`; there are last, hourly, daily, weekly, monthly, quarterly, \
         half-yearly and yearly with a number, `within 14d`, and `tag NAME`"
    )]
    Rule {
        /// As it was written.
        text: String,
    },
    /// No count.
    #[error("`{text}` is no number of snapshots: write it like `30`, or `unlimited`")]
    Count {
        /// As it was written.
        text: String,
    },
    /// No length of time.
    #[error("`{text}` is no length of time: write it like `14d` or `2y5m7d3h`")]
    Span {
        /// As it was written.
        text: String,
    },
    /// Nothing to group by.
    #[error(
        "`{text}` is nothing to group by: write `source`, `host`, `tags`, or several with commas"
    )]
    Grouping {
        /// As it was written.
        text: String,
    },
}

/// One reason to keep snapshots. Reads and writes itself as people do: `daily 30`, `within 14d`, `tag audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepRule {
    /// So many of the newest.
    Last(u64),
    /// The newest of each of the so many newest periods that have any.
    Every(Period, u64),
    /// All that are less than so much older than the newest.
    Within(CalendarSpan),
    /// All that have the tag.
    Tag(String),
}

/// Reads the count of a rule: a number, or `unlimited`.
pub fn parse_count(text: &str) -> Result<u64, KeepError> {
    match text {
        "unlimited" => Ok(UNLIMITED),
        _ => text.parse().map_err(|_| KeepError::Count { text: text.into() }),
    }
}

impl FromStr for KeepRule {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let wrong = || KeepError::Rule { text: text.into() };
        let (word, value) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let value = value.trim();
        match word {
            "last" => parse_count(value).map(Self::Last),
            "within" => value.parse().map(Self::Within),
            "tag" => Ok(Self::Tag(value.into())),
            word => {
                let period = Period::ALL.into_iter().find(|period| period.word() == word);
                Ok(Self::Every(period.ok_or_else(wrong)?, parse_count(value)?))
            }
        }
    }
}

impl fmt::Display for KeepRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, count) = match self {
            Self::Last(count) => ("last", *count),
            Self::Every(period, count) => (period.word(), *count),
            Self::Within(span) => return write!(f, "within {span}"),
            Self::Tag(tag) => return write!(f, "tag {tag}"),
        };
        match count {
            UNLIMITED => write!(f, "{word} unlimited"),
            count => write!(f, "{word} {count}"),
        }
    }
}

/// What is looked at on its own: always each source, and more finely where told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Each machine too.
    pub host: bool,
    /// Each set of tags too.
    pub tags: bool,
}

impl FromStr for Grouping {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let mut grouping = Self::default();
        for word in text.split(',') {
            match word.trim() {
                "source" => {}
                "host" => grouping.host = true,
                "tags" => grouping.tags = true,
                _ => return Err(KeepError::Grouping { text: text.into() }),
            }
        }
        Ok(grouping)
    }
}

/// What is kept of each group of snapshots: whatever one of the rules keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The rules. Without any, all is kept.
    pub rules: Vec<KeepRule>,
    /// Whose days and weeks count.
    pub zone: TimeZone,
    /// What a group is.
    pub grouping: Grouping,
}

impl Default for KeepPolicy {
    fn default() -> Self {
        Self { rules: Vec::new(), zone: TimeZone::UTC, grouping: Grouping::default() }
    }
}
