//! Requests that arrive late.
//!
//! A request that was never answered needs no actor of its own: to the store it is the same as a writer
//! that slept before it. What is left are copies of requests that had their answer, and a segment that
//! lists what its author saw long ago.

use super::super::sets::Set;
use super::super::store::{Slot, Store};

/// A second copy of a request; it has an effect only once its name is free.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Late {
    /// The commit of this session.
    Commit(u8),
    /// The marker of this session.
    Marker(u8),
    /// This pack.
    Pack(u8),
}

impl Late {
    pub(crate) fn step(self, done: &mut bool, store: &mut Store) -> Option<&'static str> {
        match self {
            Self::Commit(session) => {
                let session = store.session_mut(session);
                if session.time == 0 || session.slot != Slot::Empty {
                    return None;
                }
                session.slot = Slot::Commit;
            }
            Self::Marker(session) => {
                let session = store.session_mut(session);
                if session.marker {
                    return None;
                }
                session.marker = true;
            }
            Self::Pack(pack) => {
                if store.present.has(pack) {
                    return None;
                }
                store.present = store.present.with(pack);
            }
        }
        *done = true;
        Some("a copy of a request arrives late")
    }
}

/// Reads the index, and some time later stores a segment that lists all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Merger {
    at: u8,
    index: Set,
}

impl Merger {
    pub(crate) fn step(&mut self, store: &mut Store) -> Option<&'static str> {
        self.at += 1;
        match self.at {
            1 => {
                self.index = store.index();
                Some("reads the index")
            }
            2 => {
                store.segments = store.segments | self.index;
                self.index = Set::EMPTY;
                Some("stores a segment that lists what it read")
            }
            _ => None,
        }
    }
}
