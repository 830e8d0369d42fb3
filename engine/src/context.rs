//! What every long operation is given: where to report, when to stop, what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::{Clock, SystemClock};
use crate::monitor::{Monitor, NullMonitor};

/// A flag that asks an operation to stop.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks to stop; may be called from a signal's thread, and more than once.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once somebody has asked. Operations look per entry and per pack.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The surroundings of an operation.
#[derive(Clone)]
pub struct RunContext {
    /// Receives figures and problems.
    pub monitor: Arc<dyn Monitor>,
    /// Asks the operation to stop.
    pub cancel: Cancel,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Default for RunContext {
    fn default() -> Self {
        Self {
            monitor: Arc::new(NullMonitor),
            cancel: Cancel::default(),
            clock: Arc::new(SystemClock),
        }
    }
}
