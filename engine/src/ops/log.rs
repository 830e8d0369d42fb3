//! The history of a path: every version of what is at it or below it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::diff::{Changes, PathChange, changes};
use crate::context::RunContext;
use crate::error::Error;
use crate::object::ReadObject;
use crate::repo::Snapshot;

/// Which versions come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest.
    #[default]
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

/// A version of an object.
#[derive(Debug, Clone)]
pub struct Version<'a> {
    /// The first of the snapshots that shows it.
    pub snapshot: &'a Snapshot,
    /// What became of the object since the snapshot before.
    pub change: PathChange,
}

/// Follows a path through snapshots of one source, given oldest first. Each snapshot is compared with the one before it, and
/// what is equal in both is not read; the first one adds all that it has.
///
/// # Errors
/// `Invalid` where the path makes no sense.
pub fn log<'a>(
    reader: &Arc<dyn ReadObject>,
    snapshots: &[&'a Snapshot],
    path: &[u8],
    order: Order,
    ctx: &RunContext,
) -> Result<Log<'a>, Error> {
    let before = std::iter::once(None).chain(snapshots.iter().copied().map(Some));
    let mut steps: VecDeque<_> = before.zip(snapshots.iter().copied()).collect();
    if order == Order::NewestFirst {
        steps.make_contiguous().reverse();
    }
    let mut log = Log {
        reader: Arc::clone(reader),
        steps,
        current: None,
        path: path.to_vec(),
        ctx: ctx.clone(),
    };
    log.next_step()?;
    Ok(log)
}

/// Versions of objects, by snapshot and then by path; made by [`log()`].
pub struct Log<'a> {
    reader: Arc<dyn ReadObject>,
    /// Snapshots that are still to be compared: one, and the one before it.
    steps: VecDeque<(Option<&'a Snapshot>, &'a Snapshot)>,
    current: Option<(&'a Snapshot, Changes)>,
    path: Vec<u8>,
    ctx: RunContext,
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl<'a> Log<'a> {
    fn next_step(&mut self) -> Result<(), Error> {
        self.current = match self.steps.pop_front() {
            None => None,
            Some((older, newer)) => {
                let changes = changes(&self.reader, older, newer, &self.path, &self.ctx)?;
                Some((newer, changes))
            }
        };
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Version<'a>>, Error> {
        while let Some((snapshot, changes)) = &mut self.current {
            if let Some(change) = changes.next().transpose()? {
                return Ok(Some(Version { snapshot, change }));
            }
            self.next_step()?;
        }
        Ok(None)
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<Version<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.steps.clear();
            self.current = None;
        }
        next.transpose()
    }
}
