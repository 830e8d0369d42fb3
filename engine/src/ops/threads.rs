//! Work on many things by several threads, each thing once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::context::Cancel;
use crate::error::Error;

/// The number of threads that 0 stands for.
pub(crate) fn thread_count(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        wanted => wanted,
    }
}

/// Calls `work` for every item, on up to `threads` threads. The first error ends it.
pub(crate) fn each<T: Sync>(
    threads: usize,
    items: &[T],
    cancel: &Cancel,
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::default();
    let locked = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if cancel.is_cancelled() || locked().is_some() {
                return;
            }
            if let Err(error) = work(item) {
                locked().get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    match locked().take() {
        Some(error) => Err(error),
        None if cancel.is_cancelled() => Err(Error::Cancelled),
        None => Ok(()),
    }
}
