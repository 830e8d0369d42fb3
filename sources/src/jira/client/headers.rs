//! What the headers of an answer say about time and limits.
//!
//! Everything here takes what it understands and ignores the rest: a header that makes no sense is as good as none. Those
//! with the prefix `Beta-` or `X-Beta-` announce limits that are not enforced, and are never read.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The highest figure that `X-RateLimit-Limit` may show to be one of requests per second; above it is an hourly quota.
const MAX_PER_SECOND: u32 = 1000;

/// How many requests a site takes in what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) requests: u32,
    pub(super) window: Duration,
}

/// What the headers of one answer say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// The site's time.
    pub(super) date: Option<Timestamp>,
    /// How long to wait at least, by `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// After what time the exhausted limits start anew.
    pub(super) reset: Option<Duration>,
    /// Which limit refused the request.
    pub(super) reason: Option<String>,
    /// The limit of this endpoint.
    pub(super) burst: Option<Rate>,
    /// The credentials were looked at and found wanting, whatever the status is.
    ///
    /// A site that allows anonymous access answers 200 to an expired token, with what anybody may see: often nothing.
    pub(super) login_failed: bool,
}

impl Hints {
    /// Reads the headers; `now` counts where the site does not tell its time.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let date = texts(headers, DATE.as_str()).find_map(http_date);
        let now = date.unwrap_or(now);
        let retry_after =
            texts(headers, RETRY_AFTER.as_str()).filter_map(|text| wait(text, now)).max();
        let named = texts(headers, "x-ratelimit-reset")
            .filter_map(|text| text.parse::<Timestamp>().ok())
            .map(|reset| between(now, reset));
        let exhausted = texts(headers, "ratelimit")
            .flat_map(items)
            .filter(|item| item.number("r") == Some(0))
            .filter_map(|item| item.number("t").map(seconds));
        Self {
            date,
            retry_after,
            reset: named.chain(exhausted).max(),
            reason: texts(headers, "ratelimit-reason").next().map(reason),
            burst: burst(headers),
            login_failed: texts(headers, "x-seraph-loginreason").any(|text| {
                text.contains("AUTHENTICATED_FAILED") || text.contains("AUTHENTICATION_DENIED")
            }),
        }
    }

    /// How long a refused request has to wait at least, by whatever header says the most.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.retry_after.max(self.reset)
    }

    /// True where the limit is one of the whole account.
    ///
    /// A limit that is not named may be anything, so it counts as the account's.
    pub(super) fn is_of_account(&self) -> bool {
        self.reason
            .as_deref()
            .is_none_or(|reason| !reason.contains("burst") && !reason.contains("per-issue"))
    }

    /// True where the limit is an hourly one, whose reset is worth waiting for.
    pub(super) fn is_hourly(&self) -> bool {
        self.reason
            .as_deref()
            .is_some_and(|reason| reason.contains("quota") || reason.contains("cost"))
    }
}

fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok().map(str::trim))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    match text.parse::<u64>() {
        Ok(number) => Some(seconds(number)),
        Err(_) => http_date(text).map(|until| between(now, until)),
    }
}

/// The time from `now` to `later`; none where that has passed.
fn between(now: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(now)).unwrap_or_default()
}

/// Seconds from outside, small enough to be added to any time.
fn seconds(number: u64) -> Duration {
    Duration::from_secs(number.min(u64::from(u32::MAX)))
}

/// The name of a limit, fit for a message.
fn reason(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .take(64)
        .collect()
}

fn burst(headers: &HeaderMap) -> Option<Rate> {
    let policy = texts(headers, "ratelimit-policy")
        .flat_map(items)
        .filter(|item| item.name.contains("burst"))
        .find_map(|item| rate(item.number("q")?, item.number("w")?));
    policy.or_else(|| {
        let limit =
            texts(headers, "x-ratelimit-limit").find_map(|text| text.parse::<u32>().ok())?;
        (limit <= MAX_PER_SECOND).then(|| rate(limit.into(), 1)).flatten()
    })
}

fn rate(requests: u64, window_seconds: u64) -> Option<Rate> {
    let requests = u32::try_from(requests).ok()?;
    (requests > 0 && window_seconds > 0).then(|| Rate { requests, window: seconds(window_seconds) })
}

/// One entry of a structured header: `"name";q=100;w=1`.
#[derive(Debug, PartialEq, Eq)]
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

impl Item<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .and_then(|(_, value)| value.trim().parse().ok())
    }
}

/// Cuts a structured header into its entries; commas and semicolons in quotes do not count.
fn items(header: &str) -> impl Iterator<Item = Item<'_>> {
    let mut quoted = false;
    header
        .split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(|entry| {
            let entry = entry.trim();
            let unquoted = entry.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let (name, parameters) =
                unquoted.or_else(|| entry.split_once(';')).unwrap_or((entry, ""));
            Item { name, parameters }
        })
}

#[cfg(test)]
mod tests;
