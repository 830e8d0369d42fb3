//! Who may send what, and when: the limits of a site as far as it tells them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use tokio::time::Instant;

use super::headers::{Hints, Rate};

/// The share of a burst limit that we use; in practice it never meets the limit.
const SHARE: f64 = 0.6;

/// What limits and counts go by: a method and a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) template: &'static str,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

/// Spreads requests evenly: a token bucket that holds one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    fn interval(rate: Rate) -> Duration {
        rate.window.div_f64(f64::from(rate.requests) * SHARE)
    }
}

/// A time in which a site takes no requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) until: Instant,
    /// The limit's name.
    pub(super) reason: String,
    /// The limit is an hourly one.
    pub(super) is_hourly: bool,
}

/// What is known of an endpoint.
#[derive(Debug, Default)]
struct Known {
    sent: u64,
    pace: Option<Pace>,
    block: Option<Block>,
}

#[derive(Debug, Default)]
struct State {
    endpoints: HashMap<Endpoint, Known>,
    account: Option<Block>,
    server_time: Option<Timestamp>,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now; it is counted.
    Go,
    /// Not before this time, to keep the pace.
    Later(Instant),
    /// Not before the end of this block.
    Blocked(Block),
}

/// What a site has told about its limits, shared by all requests.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<State>);

impl Limits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks to send a request now.
    pub(super) fn turn(&self, endpoint: &Endpoint, now: Instant) -> Turn {
        let mut state = self.state();
        let State { endpoints, account, .. } = &mut *state;
        let known = endpoints.entry(endpoint.clone()).or_default();
        let blocks = [account.as_ref(), known.block.as_ref()];
        let longest = blocks.into_iter().flatten().max_by_key(|block| block.until);
        if let Some(block) = longest.filter(|block| block.until > now) {
            return Turn::Blocked(block.clone());
        }
        if let Some(pace) = &mut known.pace {
            if pace.next > now {
                return Turn::Later(pace.next);
            }
            pace.next = now + pace.interval;
        }
        known.sent += 1;
        Turn::Go
    }

    /// Takes note of what an answer says.
    pub(super) fn observe(&self, endpoint: &Endpoint, hints: &Hints, now: Instant) {
        let mut state = self.state();
        state.server_time = state.server_time.max(hints.date);
        if let Some(rate) = hints.burst {
            let interval = Pace::interval(rate);
            let known = state.endpoints.entry(endpoint.clone()).or_default();
            let pace = known.pace.get_or_insert(Pace { interval, next: now });
            pace.interval = interval;
        }
    }

    /// Blocks an endpoint, or the whole account. A block that lasts longer stays.
    pub(super) fn block(&self, endpoint: Option<&Endpoint>, block: Block) {
        let mut state = self.state();
        let place = match endpoint {
            Some(endpoint) => &mut state.endpoints.entry(endpoint.clone()).or_default().block,
            None => &mut state.account,
        };
        if place.as_ref().is_none_or(|old| old.until < block.until) {
            *place = Some(block);
        }
    }

    /// Counts a request that no limit concerns.
    pub(super) fn count(&self, endpoint: &Endpoint) {
        self.state().endpoints.entry(endpoint.clone()).or_default().sent += 1;
    }

    /// How many requests were sent to each endpoint.
    pub(super) fn sent(&self) -> BTreeMap<String, u64> {
        let state = self.state();
        let sent = state.endpoints.iter().filter(|(_, known)| known.sent > 0);
        sent.map(|(endpoint, known)| (endpoint.to_string(), known.sent)).collect()
    }

    /// The newest time that the site has told.
    pub(super) fn server_time(&self) -> Option<Timestamp> {
        self.state().server_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUE: Endpoint = Endpoint { method: Method::GET, template: "/issue/{}" };
    const SEARCH: Endpoint = Endpoint { method: Method::POST, template: "/search" };

    fn told(requests: u32, window_seconds: u64) -> Hints {
        let window = Duration::from_secs(window_seconds);
        Hints { burst: Some(Rate { requests, window }), ..Hints::default() }
    }

    fn block(until: Instant, reason: &str) -> Block {
        Block { until, reason: reason.into(), is_hourly: false }
    }

    #[test]
    fn the_pace_is_six_tenths_of_the_limit() {
        for (requests, window, interval_micros) in [
            (100, 1, 16_667),
            (5, 1, 333_333),
            (300, 1, 5_556),
            (1, 10, 16_666_667),
            (60, 60, 1_666_667),
        ] {
            let hints = told(requests, window);
            let interval = Pace::interval(hints.burst.unwrap());
            assert_eq!(
                (interval.as_nanos() + 500) / 1000,
                interval_micros,
                "{requests} per {window} s"
            );
        }
    }

    #[test]
    fn no_second_sees_more_than_its_share() {
        let (limits, start) = (Limits::default(), Instant::now());
        limits.observe(&ISSUE, &told(10, 1), start);
        let (mut now, mut sent) = (start, Vec::new());
        while now < start + Duration::from_secs(5) {
            match limits.turn(&ISSUE, now) {
                Turn::Go => sent.push(now),
                Turn::Later(next) => now = next,
                Turn::Blocked(block) => panic!("{block:?}"),
            }
        }
        assert_eq!(sent.len(), 30);
        for window in sent.windows(7) {
            assert!(window[6] - window[0] >= Duration::from_millis(999), "seven within a second");
        }
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let (limits, start) = (Limits::default(), Instant::now());
        limits.observe(&ISSUE, &told(1, 1), start);
        let late = start + Duration::from_secs(100);
        assert_eq!(limits.turn(&ISSUE, late), Turn::Go);
        assert!(matches!(limits.turn(&ISSUE, late), Turn::Later(next) if next > late));
    }

    #[test]
    fn a_pace_is_that_of_its_endpoint() {
        let (limits, now) = (Limits::default(), Instant::now());
        limits.observe(&ISSUE, &told(1, 1), now);
        for _ in 0..100 {
            assert_eq!(limits.turn(&SEARCH, now), Turn::Go);
        }
        let post = Endpoint { method: Method::POST, ..ISSUE };
        assert_eq!(limits.turn(&ISSUE, now), Turn::Go);
        assert_eq!(limits.turn(&post, now), Turn::Go);
        assert!(matches!(limits.turn(&ISSUE, now), Turn::Later(_)));
    }

    #[test]
    fn a_block_is_that_of_an_endpoint_or_of_all() {
        let (limits, now) = (Limits::default(), Instant::now());
        let soon = now + Duration::from_secs(1);
        limits.block(Some(&ISSUE), block(soon, "burst"));
        assert_eq!(limits.turn(&ISSUE, now), Turn::Blocked(block(soon, "burst")));
        assert_eq!(limits.turn(&SEARCH, now), Turn::Go);

        let late = now + Duration::from_secs(60);
        limits.block(None, block(late, "quota"));
        limits.block(None, block(soon, "shorter"));
        for endpoint in [&ISSUE, &SEARCH] {
            assert_eq!(limits.turn(endpoint, soon), Turn::Blocked(block(late, "quota")));
            assert_eq!(limits.turn(endpoint, late), Turn::Go);
        }
    }

    #[test]
    fn only_what_was_sent_is_counted_and_the_newest_time_is_kept() {
        let (limits, now) = (Limits::default(), Instant::now());
        let at = |second| Some(Timestamp::constant(second, 0));
        limits.observe(&ISSUE, &Hints { date: at(20), ..told(1, 1) }, now);
        limits.observe(&ISSUE, &Hints { date: at(10), ..Hints::default() }, now);
        limits.observe(&ISSUE, &Hints::default(), now);
        assert_eq!(limits.server_time(), at(20));
        assert!(limits.sent().is_empty());
        for _ in 0..3 {
            limits.turn(&ISSUE, now);
            limits.turn(&SEARCH, now);
        }
        let counts = [("GET /issue/{}".to_owned(), 1), ("POST /search".to_owned(), 3)];
        assert_eq!(limits.sent(), BTreeMap::from(counts));
    }
}
