//! Which issues changed since the last scan, by what the site says of it.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{listing, sweep};
use crate::jira::client::pages::FeedPages;
use crate::jira::client::{Client, RequestError};
use crate::jira::cursor::Cursor;
use crate::jira::document::number;
use crate::jira::time::window_start;

/// Worklogs that were made or changed.
const UPDATED: &str = "/rest/api/3/worklog/updated";
/// Worklogs that were deleted.
const DELETED: &str = "/rest/api/3/worklog/deleted";
/// Worklogs by id.
const WORKLOGS: &str = "/rest/api/3/worklog/list";
/// Worklogs of one call.
const WORKLOG_BATCH: usize = 1000;

/// The ids of issues whose `updated` is in the window that ends now.
pub(in crate::jira) async fn by_update(
    client: &Client,
    since: Timestamp,
    overlap: Duration,
    zone: &TimeZone,
) -> Result<HashSet<u64>, RequestError> {
    let from = window_start(since, overlap, zone);
    let query = format!("updated >= \"{from}\" ORDER BY updated ASC");
    Ok(sweep::ids(client, &query).await?.into_keys().collect())
}

/// What the feeds of worklogs say.
#[derive(Debug, Default)]
pub(in crate::jira) struct WorklogFeeds {
    /// Issues of which a worklog was made or changed.
    pub(in crate::jira) issues: HashSet<u64>,
    /// Worklogs that are gone; their issues are not said.
    pub(in crate::jira) deleted: HashSet<u64>,
    /// Where the feeds go on, in milliseconds since 1970.
    pub(in crate::jira) until: i64,
}

/// Reads the feeds. They leave out the last minute, and say themselves where to go on.
pub(in crate::jira) async fn worklogs(
    client: &Client,
    cursor: &Cursor,
) -> Result<WorklogFeeds, RequestError> {
    let (updated, updated_until) = feed(client, UPDATED, cursor.worklogs).await?;
    let (deleted, deleted_until) = feed(client, DELETED, cursor.worklogs).await?;
    let mut feeds = WorklogFeeds {
        deleted: deleted.into_iter().collect(),
        until: updated_until.min(deleted_until).max(cursor.worklogs),
        ..WorklogFeeds::default()
    };
    for batch in updated.chunks(WORKLOG_BATCH) {
        let answer = client.post(WORKLOGS, &[], &json!({"ids": batch})).await?;
        let Value::Array(worklogs) = answer else {
            return Err(listing::no_items(format!("POST {WORKLOGS}")));
        };
        feeds.issues.extend(worklogs.iter().filter_map(|it| it.get("issueId").and_then(number)));
    }
    Ok(feeds)
}

async fn feed(
    client: &Client,
    template: &'static str,
    since: i64,
) -> Result<(Vec<u64>, i64), RequestError> {
    let (changes, until) = listing::feed(FeedPages::new(client, template, &[], since)).await?;
    let ids = changes.iter().map(|it| it.get("worklogId").and_then(number));
    let ids: Option<Vec<u64>> = ids.collect();
    Ok((ids.ok_or_else(|| listing::no_items(format!("GET {template}")))?, until))
}

/// Tells which issues are due to be read again although nothing says that they changed. Each issue has its own moment in
/// the period, by its id; so what is due depends on the time that went by, not on how often scans run.
#[derive(Debug, Clone, Copy)]
pub(in crate::jira) struct Rotation {
    /// In milliseconds.
    period: i64,
    from: i64,
    to: i64,
}

impl Rotation {
    /// What falls due after `from` and until `to`.
    pub(in crate::jira) fn new(period: Duration, from: Timestamp, to: Timestamp) -> Self {
        let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        Self { period, from: from.as_millisecond(), to: to.as_millisecond() }
    }

    /// True where an issue is due.
    pub(in crate::jira) fn is_due(&self, issue: u64) -> bool {
        if self.period <= 0 || self.to <= self.from {
            return false;
        }
        // A multiplicative hash spreads neighbouring ids over the period.
        let place = issue.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let moment = ((i128::from(place) * i128::from(self.period)) >> 31) as i64;
        let turn = |time: i64| (time - moment).div_euclid(self.period);
        turn(self.to) > turn(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + number * 86_400).expect("a time")
    }

    #[test]
    fn each_issue_is_due_once_in_a_period() {
        let period = Duration::from_secs(30 * 86_400);
        for issue in 10_000..11_000 {
            let due = |from: i64, to: i64| Rotation::new(period, day(from), day(to)).is_due(issue);
            let days: Vec<_> = (0..30).filter(|number| due(*number, number + 1)).collect();
            assert_eq!(days.len(), 1, "issue {issue} is due on days {days:?}");
            assert!(due(days[0], days[0] + 1) && due(days[0] + 30, days[0] + 31));
            assert!(due(0, 30) && due(0, 90), "a long pause passes over issue {issue}");
            assert!(!due(5, 5) && !due(6, 5));
        }
    }

    #[test]
    fn a_day_is_due_a_thirtieth() {
        let rotation = Rotation::new(Duration::from_secs(30 * 86_400), day(3), day(4));
        let due = (1..=30_000).filter(|issue| rotation.is_due(*issue)).count();
        assert!((900..1100).contains(&due), "{due}");
        let never = Rotation::new(Duration::ZERO, day(3), day(400));
        assert!(!(1..100).any(|issue| never.is_due(issue)));
    }
}
