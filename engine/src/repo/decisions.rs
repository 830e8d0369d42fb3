//! What collectors have decided (FORMAT.md §11), and what follows for commits, packs and parents.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use super::{RepoError, Repository};
use crate::format::commit;
use crate::format::gc::{Condemned, Swept};
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::{self, MAX_SEALED_BYTES, SealedKind};
use crate::id::PackId;

/// The newest decisions of collectors. Older ones are carried out, and say nothing any more.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// The highest epoch of all; 0 where nothing was ever collected.
    pub epoch: u32,
    /// The newest list of what is to go.
    pub condemned: Option<(u32, Condemned)>,
    /// The newest epoch that is closed to undeletion; 0 where there is none.
    pub closed: u32,
    /// The newest list of what went.
    pub swept: Option<(u32, Swept)>,
    kept: HashSet<SessionName>,
}

impl Decisions {
    /// The epoch below which a commit must be kept by name to count; 0 where nothing was ever swept.
    pub fn floor(&self) -> u32 {
        self.swept.as_ref().map_or(0, |(epoch, _)| *epoch)
    }

    /// What was condemned and not swept yet.
    pub fn pending(&self) -> Option<&Condemned> {
        let (epoch, condemned) = self.condemned.as_ref()?;
        (*epoch > self.floor()).then_some(condemned)
    }

    /// True for a commit that no sweep has dropped.
    pub fn counts(&self, slot: &SessionName) -> bool {
        slot.epoch >= self.floor() || self.kept.contains(slot)
    }

    /// True for a commit that is about to be dropped: nothing may be built upon it.
    pub fn drops(&self, slot: &SessionName) -> bool {
        self.pending().is_some_and(|condemned| condemned.dropped.contains(slot))
    }

    /// Packs that must not be relied upon: they go, or are gone.
    pub fn condemned_packs(&self) -> HashSet<PackId> {
        let pending = self.pending().map_or(&[][..], |condemned| &condemned.packs);
        let swept = self.swept.as_ref().map_or(&[][..], |(_, swept)| &swept.packs);
        pending.iter().chain(swept).copied().collect()
    }
}

impl Repository {
    /// Reads the newest decisions of collectors. One request where nothing was ever collected.
    pub fn decisions(&self) -> Result<Decisions, RepoError> {
        let (mut condemned, mut swept) = (0, 0);
        let mut decisions = Decisions::default();
        for object in self.store().list("gc")? {
            let epoch = match object.name.parse() {
                Ok(ObjectName::Condemned(epoch)) => {
                    condemned = epoch.max(condemned);
                    epoch
                }
                Ok(ObjectName::Closed(epoch)) => {
                    decisions.closed = epoch.max(decisions.closed);
                    epoch
                }
                Ok(ObjectName::Swept(epoch)) => {
                    swept = epoch.max(swept);
                    epoch
                }
                _ => continue,
            };
            decisions.epoch = epoch.max(decisions.epoch);
        }
        if condemned > swept {
            decisions.condemned =
                Some((condemned, self.read_decision(ObjectName::Condemned(condemned))?));
        }
        if swept > 0 {
            let body: Swept = self.read_decision(ObjectName::Swept(swept))?;
            decisions.kept = body.kept.iter().copied().collect();
            decisions.swept = Some((swept, body));
        }
        Ok(decisions)
    }

    /// Those of some packs that no collector has ever swept. Old decisions are read, the newest first, until there is an answer
    /// for each pack: one request a decision. One that cannot be read explains nothing.
    pub(crate) fn never_swept(
        &self,
        mut packs: BTreeSet<PackId>,
    ) -> Result<BTreeSet<PackId>, RepoError> {
        if packs.is_empty() {
            return Ok(packs);
        }
        let swept = |name: &String| match name.parse() {
            Ok(ObjectName::Swept(epoch)) => Some(epoch),
            _ => None,
        };
        let listed = self.store().list("gc")?;
        let epochs: BTreeSet<u32> =
            listed.iter().filter_map(|object| swept(&object.name)).collect();
        for epoch in epochs.into_iter().rev() {
            let Ok(body) = self.read_decision::<Swept>(ObjectName::Swept(epoch)) else { continue };
            body.packs.iter().for_each(|pack| _ = packs.remove(pack));
            if packs.is_empty() {
                break;
            }
        }
        Ok(packs)
    }

    pub(crate) fn read_decision<T>(&self, name: ObjectName) -> Result<T, RepoError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let name = name.to_string();
        let bytes = self.store().read(&name, MAX_SEALED_BYTES)?;
        let json = sealed::open(self.keys(), SealedKind::Gc, &name, &bytes)
            .map_err(RepoError::sealed(&name))?;
        commit::decode(&json).map_err(RepoError::body(&name))
    }
}
