//! The state of a simulated Jira Cloud site: generated from a seed, changed by days and mishaps, rendered as the REST API does.
//!
//! Texts and attachment bytes are kept as seeds and written out when they are asked for, so that a large site stays small.

mod activity;
mod adf;
mod attachment;
mod catalogue;
mod clock;
mod counts;
mod day;
mod edit;
mod feeds;
mod fields;
mod filling;
mod generate;
pub mod jql;
mod mishap;
mod model;
mod options;
mod overwrite;
mod random;
mod remove;
mod render;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

pub use attachment::AttachmentFile;
pub use counts::Counts;
pub use day::{Day, DayReport};
pub use jql::{Jql, JqlError};
pub use mishap::Mishap;
pub use options::SiteOptions;
pub use render::Expand;
pub use state::State;

/// A simulated site; clones share the same state.
#[derive(Clone)]
pub struct Site(Arc<Mutex<State>>);

impl Site {
    /// Makes the site that the options describe; equal options give an equal site.
    pub fn generate(options: &SiteOptions) -> Site {
        Site(Arc::new(Mutex::new(generate::generate(options))))
    }

    /// Reads the site's own clock: its start, what was advanced, and the real time that went by.
    pub fn now(&self) -> Timestamp {
        self.state().now()
    }

    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        self.state().advance(by);
    }

    /// Lets a day of ordinary work happen, from the next full ten minutes on, and puts the clock at its end.
    pub fn day(&self, day: &Day) -> DayReport {
        self.state().live_through(day)
    }

    /// Changes what changes by itself: last views, running service levels, what differs by who asks.
    pub fn tick(&self) {
        self.state().tick();
    }

    /// Lets something go wrong at the next full minute; returns the keys of the issues that were hit.
    pub fn mishap(&self, mishap: &Mishap) -> Vec<String> {
        self.state().suffer(mishap)
    }

    /// Counts what the site truly holds.
    pub fn counts(&self) -> Counts {
        self.state().counts()
    }

    /// Locks the state, to read it or to render from it.
    ///
    /// Everything else that is asked of the site waits until the guard is dropped, also on the same thread.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has not left half a change: edits do not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
