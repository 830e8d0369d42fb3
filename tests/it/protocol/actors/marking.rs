//! What lives where: the collector's marking.

use super::super::mutants::{Mutant, Rules};
use super::super::sets::Set;
use super::super::store::Store;

/// Of the packs that the index lists those that are there: records of packs that are gone may come late.
pub(crate) fn believed(index: Set, listed: Set, rules: Rules) -> Set {
    if rules.is(Mutant::RecordsBelieved) { index } else { index & listed }
}

/// What a collector has read, and from which it judges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Packs that were listed; the footers of those that the index does not list are read.
    pub(crate) packs: Set,
    /// Packs that the index lists, and that are there.
    pub(crate) index: Set,
    /// Of several homes the newest is taken, else the oldest.
    pub(crate) newest: bool,
}

impl View {
    /// One home for each of these objects; none in `condemned` where there is another.
    pub(crate) fn homes(self, objects: Set, condemned: Set, store: &Store, rules: Rules) -> Set {
        objects.members().fold(Set::EMPTY, |homes, object| {
            self.home(object, condemned, store, rules).map_or(homes, |home| homes.with(home))
        })
    }

    /// The home of an object: a pack that the index lists, if one holds it.
    pub(crate) fn home(
        self,
        object: u8,
        condemned: Set,
        store: &Store,
        rules: Rules,
    ) -> Option<u8> {
        let listed = store.holding(self.index, object);
        let unlisted = store.holding(self.packs - self.index, object);
        let holders = if rules.is(Mutant::UnlistedHomes) {
            [(listed | unlisted) - condemned, listed | unlisted]
        } else if listed.is_empty() {
            [unlisted - condemned, unlisted]
        } else {
            [listed - condemned, listed]
        };
        let choice = holders.into_iter().find(|holders| !holders.is_empty())?;
        if self.newest { choice.last() } else { choice.first() }
    }

    /// The condemned packs that are still an object's only home.
    pub(crate) fn rescued(self, objects: Set, condemned: Set, store: &Store, rules: Rules) -> Set {
        if rules.is(Mutant::HomesAmongCondemned) {
            let packs = self.index | self.packs;
            let lonely = objects.that(|object| store.holding(packs, object).count() == 1);
            return self.homes(lonely, condemned, store, rules) & condemned;
        }
        self.homes(objects, condemned, store, rules) & condemned
    }
}
