//! The last snapshot, read beside the walk.

use std::sync::Arc;

use bytes::Bytes;
use esker_engine::entry::Entry;
use esker_engine::source::{BaseEntries, BaseError, ReadBase, SourceError};

use super::COLLECTION;
use super::outbox::Outbox;

/// Where the reading of the last snapshot stands.
pub(super) struct BaseCursor {
    entries: Option<BaseEntries>,
    next: Option<(Bytes, Entry)>,
}

impl BaseCursor {
    pub(super) fn start(base: Option<Arc<dyn ReadBase>>) -> Result<Self, BaseError> {
        let mut cursor =
            Self { entries: base.map(|base| base.entries(COLLECTION, b"")), next: None };
        cursor.step()?;
        Ok(cursor)
    }

    fn step(&mut self) -> Result<Option<(Bytes, Entry)>, BaseError> {
        let following = match &mut self.entries {
            Some(entries) => entries.next().transpose()?,
            None => None,
        };
        if following.is_none() {
            self.entries = None;
        }
        Ok(std::mem::replace(&mut self.next, following))
    }

    /// Moves to a key: deletes the keys before it, and returns its entry where there is one.
    pub(super) fn meet(
        &mut self,
        key: &[u8],
        out: &mut Outbox,
    ) -> Result<Option<Entry>, SourceError> {
        while let Some((next, _)) = &self.next {
            match next.as_ref().cmp(key) {
                std::cmp::Ordering::Greater => break,
                std::cmp::Ordering::Equal => return Ok(self.step()?.map(|(_, entry)| entry)),
                std::cmp::Ordering::Less => {
                    if let Some((key, _)) = self.step()? {
                        out.delete(key);
                        out.flush_full()?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Passes over what is below a key without deleting it; tells how many entries that were.
    pub(super) fn keep_below(&mut self, key: &[u8]) -> Result<u64, BaseError> {
        let mut kept = 0;
        while let Some((next, _)) = &self.next {
            // The key of the whole source is empty here: everything is below it.
            let below = key.is_empty()
                || next.strip_prefix(key).is_some_and(|rest| rest.first() == Some(&0));
            if !below {
                break;
            }
            self.step()?;
            kept += 1;
        }
        Ok(kept)
    }

    /// Deletes the rest of the keys.
    pub(super) fn finish(&mut self, out: &mut Outbox) -> Result<(), SourceError> {
        while let Some((key, _)) = self.step()? {
            out.delete(key);
            out.flush_full()?;
        }
        Ok(())
    }
}
