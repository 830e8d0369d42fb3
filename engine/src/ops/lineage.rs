//! Where a new commit stands among those that are there.

use crate::format::commit::CommitRef;
use crate::repo::{Commitment, History, Repository, Snapshot};

/// The commits that the next one of this client names.
#[derive(Debug, Clone)]
pub(crate) struct Lineage {
    /// Its own newest one.
    pub(crate) previous: Option<CommitRef>,
    /// How many it made.
    pub(crate) sequence: u64,
    /// The newest one of every other writer.
    pub(crate) heads: Vec<CommitRef>,
}

impl Lineage {
    /// As the history has it, and as this client remembers it.
    pub(crate) fn of(repository: &Repository, history: &History) -> Self {
        let own = repository.client().writer();
        let mut heads = history.heads();
        let newest = heads.remove(&own);
        let sequence = newest.map_or(0, |snapshot| snapshot.commit.sequence);
        Self {
            previous: newest.map(Snapshot::reference),
            sequence: sequence.max(repository.client().remembered().sequence),
            heads: heads.values().map(|snapshot| snapshot.reference()).collect(),
        }
    }

    /// The commit that it was asked for exists.
    pub(crate) fn grow(&mut self, made: Commitment) {
        self.previous = Some(CommitRef { slot: made.slot, hash: made.id });
        self.sequence += 1;
    }
}
