//! Monitors and clocks that steer an operation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::context::Cancel;
use crate::monitor::{Counter, Monitor};

/// Cancels an operation once a figure has come to a number.
#[derive(Debug)]
pub struct CancelAfter {
    cancel: Cancel,
    counter: Counter,
    left: AtomicU64,
}

impl CancelAfter {
    /// Sets `cancel` when `counter` has been counted `after` times.
    pub fn new(cancel: Cancel, counter: Counter, after: u64) -> Self {
        let left = AtomicU64::new(after);
        Self { cancel, counter, left }
    }
}

impl Monitor for CancelAfter {
    fn count(&self, counter: Counter, by: u64) {
        if counter != self.counter {
            return;
        }
        let take = |left: u64| Some(left.saturating_sub(by));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if before.is_ok_and(|left| left <= by) {
            self.cancel.cancel();
        }
    }
}

/// A clock that moves on by a millisecond whenever somebody looks at it, so that names sort in the order of events.
#[derive(Debug)]
pub struct TickingClock(AtomicU64);

impl Default for TickingClock {
    fn default() -> Self {
        Self(AtomicU64::new(/* November 2026 */ 1_795_392_000_000))
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
