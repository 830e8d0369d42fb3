//! The site's own clock.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock that starts where it is told, runs with real time and can be put forward.
pub(crate) struct Clock {
    base: Timestamp,
    since: Instant,
}

impl Clock {
    pub(crate) fn start(at: Timestamp) -> Self {
        Self { base: at, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = later(self.base, self.since.elapsed());
        // Jira shows milliseconds: nothing finer may decide an order.
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Puts the clock to a time that is not before what it shows.
    pub(crate) fn set(&mut self, at: Timestamp) {
        *self = Self::start(at.max(self.now()));
    }

    /// The first multiple of `step` after now: what happens then does not depend on how long the program ran.
    pub(crate) fn next(&self, step: Duration) -> Timestamp {
        let step = step.as_millis().max(1) as i64;
        let now = self.now().as_millisecond();
        Timestamp::from_millisecond((now.div_euclid(step) + 1) * step).unwrap_or(Timestamp::MAX)
    }
}

/// Adds a duration to a time; the end of time is the latest.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Takes a duration from a time; the beginning of time is the earliest.
pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
