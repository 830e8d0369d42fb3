//! Those who restore or check.

use super::super::mutants::{Mutant, Rules};
use super::super::sets::Set;
use super::super::store::Store;

/// Whose commit is read, and what of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReaderPlan {
    pub(crate) commit: u8,
    pub(crate) object: u8,
}

/// A reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Reader {
    at: ReaderStep,
    /// Packs that hold the object, by the index as it was loaded.
    homes: Set,
    /// Packs that were missing.
    missed: Set,
    loads: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum ReaderStep {
    #[default]
    Load,
    Read,
    Found,
    /// The commit was dropped meanwhile.
    Excused,
    Damage,
}

impl Reader {
    pub(crate) fn reports_damage(self) -> bool {
        self.at == ReaderStep::Damage
    }

    pub(crate) fn step(
        &mut self,
        plan: ReaderPlan,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        match self.at {
            ReaderStep::Load => {
                self.homes = store.holding(store.index(), plan.object);
                self.loads = (self.loads + 1).min(2);
                if (self.homes - self.missed).is_empty() {
                    self.give_up(plan, store, rules);
                } else {
                    self.at = ReaderStep::Read;
                }
                Some("loads the index")
            }
            ReaderStep::Read => {
                self.read(plan, store, rules);
                Some("asks for a pack")
            }
            ReaderStep::Found | ReaderStep::Excused | ReaderStep::Damage => None,
        }
    }

    fn read(&mut self, plan: ReaderPlan, store: &Store, rules: Rules) {
        let Some(home) = (self.homes - self.missed).first() else {
            return self.give_up(plan, store, rules);
        };
        if store.present.has(home) {
            *self = Self { at: ReaderStep::Found, ..Self::default() };
            return;
        }
        self.missed = self.missed.with(home);
        if !(self.homes - self.missed).is_empty() {
            return;
        }
        let loads = if rules.is(Mutant::ReaderNeverReloads) {
            1
        } else if rules.is(Mutant::ReaderReloadsOnce) {
            2
        } else {
            u8::MAX
        };
        if self.loads >= loads {
            self.give_up(plan, store, rules);
        } else {
            self.at = ReaderStep::Load;
        }
    }

    /// The index, loaded after the last miss, names no other pack.
    fn give_up(&mut self, plan: ReaderPlan, store: &Store, rules: Rules) {
        let kept = store.counts(plan.commit, rules) && !store.session(plan.commit).is_forgotten();
        let at = if kept { ReaderStep::Damage } else { ReaderStep::Excused };
        *self = Self { at, ..Self::default() };
    }
}
