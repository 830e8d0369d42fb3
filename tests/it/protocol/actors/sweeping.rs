//! The collector's second half, from `condemned` to the deletion.

use super::super::mutants::{Mutant, Rules};
use super::super::sets::Set;
use super::super::store::{Slot, Store};
use super::collector::CollectorStep as At;
use super::collector::{Collector, CollectorPlan};
use super::marking::{View, believed};

impl Collector {
    pub(super) fn sweep(
        &mut self,
        plan: CollectorPlan,
        store: &mut Store,
        rules: Rules,
    ) -> &'static str {
        match self.at {
            At::ListOpen => self.list_open(store, rules),
            At::Fence => self.fence_next(store, rules),
            At::CreateClosed => {
                store.epoch_mut(self.epoch).closed = true;
                self.at = At::ReadMarksAgain;
                if rules.is(Mutant::MarksBeforeClosed) {
                    self.at = At::ReadIndexAgain;
                }
                "(9) creates closed"
            }
            At::ReadMarksAgain => {
                self.commits = store.forgotten(store.all_sessions());
                self.at = At::ReadCommitsAgain;
                "(9) reads the marks again"
            }
            At::ReadCommitsAgain => self.read_commits_again(store, rules),
            At::ReadIndexAgain => self.read_index_again(plan, store, rules),
            At::CreateSwept => self.create_swept(store, rules),
            At::ListWhatGoes => self.list_what_goes(store, rules),
            At::StoreSegments => self.store_segments(store),
            At::DeletePacks => self.delete_next(store),
            At::DeleteSlots => self.delete_slots(store, rules),
            _ => self.delete_markers(plan, store, rules),
        }
    }

    /// Looks which sessions may rely on what is condemned.
    fn list_open(&mut self, store: &Store, rules: Rules) -> &'static str {
        let epoch = self.epoch;
        self.todo = store.sessions_where(|_, it| it.is_open() && it.epoch < epoch);
        if rules.is(Mutant::SessionsBeforeCondemned) {
            self.todo = self.open;
            self.open = Set::EMPTY;
        }
        if rules.is(Mutant::SessionsNotAwaited) {
            self.todo = Set::EMPTY;
        }
        self.after_fence(rules);
        "(8) lists sessions and slots"
    }

    fn fence_next(&mut self, store: &mut Store, rules: Rules) -> &'static str {
        if let Some(session) = self.todo.take_first() {
            store.fence(session);
        }
        self.after_fence(rules);
        "(8) fences a session, unless its slot is filled"
    }

    fn after_fence(&mut self, rules: Rules) {
        self.at = match rules.mutant {
            _ if !self.todo.is_empty() => At::Fence,
            Some(Mutant::MarksBeforeClosed | Mutant::ClosedOmitted) => At::ReadMarksAgain,
            _ => At::CreateClosed,
        };
    }

    /// Decides which commits stay: all but those of `dropped` that are still forgotten or superseded.
    fn read_commits_again(&mut self, store: &Store, rules: Rules) -> &'static str {
        let mut commits = store.counting(rules);
        if rules.is(Mutant::CommitsNotReadAgain) {
            commits = commits & self.slots;
        }
        let mut given_up = (commits & self.commits) | store.superseded(commits);
        if !rules.is(Mutant::MoreThanDropped) {
            given_up = given_up & store.epoch(self.epoch).dropped;
        }
        let stays = commits - given_up;
        self.objects = store.reach(stays);
        let epoch = self.epoch;
        self.commits = store.sessions_where(|session, it| stays.has(session) && it.epoch < epoch);
        self.slots = Set::EMPTY;
        self.at = At::ReadIndexAgain;
        if rules.is(Mutant::MarksBeforeClosed) && !store.epoch(epoch).closed {
            self.at = At::CreateClosed;
        }
        "(9) reads the commits again"
    }

    fn read_index_again(
        &mut self,
        plan: CollectorPlan,
        store: &Store,
        rules: Rules,
    ) -> &'static str {
        let view = View {
            packs: store.present,
            index: believed(store.index(), store.present, rules),
            newest: plan.newest_homes,
        };
        let condemned = store.epoch(self.epoch).packs;
        self.doomed = condemned - view.rescued(self.objects, condemned, store, rules);
        self.objects = Set::EMPTY;
        self.at = At::CreateSwept;
        if rules.is(Mutant::PacksDeletedBeforeSwept) {
            self.todo = self.doomed;
            self.at = At::DeletePacks;
        }
        "(9) reads the index again, and rescues"
    }

    fn create_swept(&mut self, store: &mut Store, rules: Rules) -> &'static str {
        if !store.epoch(self.epoch).swept {
            let number = self.epoch;
            let kept = self.commits;
            let epoch = store.epoch_mut(number);
            epoch.swept = true;
            epoch.gone = self.doomed;
            epoch.kept = kept;
            let ended = store.sessions_where(|session, it| {
                it.slot == Slot::Commit && it.epoch < number && !kept.has(session)
            });
            store.ended = store.ended | ended;
        }
        if !rules.is(Mutant::SweptByEach) {
            self.doomed = Set::EMPTY;
        }
        self.commits = Set::EMPTY;
        self.at = At::ListWhatGoes;
        "(9) creates swept, if it is not there"
    }

    /// Looks what (10) and (11) have to do.
    fn list_what_goes(&mut self, store: &Store, rules: Rules) -> &'static str {
        let gone = store.gone(self.epoch);
        self.todo = gone | self.doomed;
        self.doomed = Set::EMPTY;
        self.index = store.index();
        self.at = if !(self.index & gone).is_empty() {
            At::StoreSegments
        } else if self.todo.is_empty() {
            At::DeleteSlots
        } else {
            At::DeletePacks
        };
        if self.at != At::StoreSegments {
            self.index = Set::EMPTY;
        } else if rules.is(Mutant::SegmentsDeletedFirst) {
            self.at = At::DeleteMarkers;
        }
        "(10) reads the index, (11) lists the packs"
    }

    /// Replaces the segments that list packs which go. What else they list may be out of date by now.
    fn store_segments(&mut self, store: &mut Store) -> &'static str {
        let gone = store.gone(self.epoch);
        store.segments = (store.segments | (self.index - store.mixed)) - gone;
        self.index = Set::EMPTY;
        self.at = if self.todo.is_empty() { At::DeleteSlots } else { At::DeletePacks };
        "(10) stores new segments"
    }

    fn delete_next(&mut self, store: &mut Store) -> &'static str {
        if let Some(pack) = self.todo.take_first() {
            store.present = store.present.without(pack);
        }
        if self.todo.is_empty() {
            self.at = At::DeleteSlots;
            if !store.epoch(self.epoch).swept {
                self.at = At::CreateSwept;
            }
        }
        "(11) deletes a pack"
    }

    fn delete_slots(&mut self, store: &mut Store, rules: Rules) -> &'static str {
        let dead = store.sessions_where(|session, it| {
            let fence = rules.is(Mutant::FencesDeleted) && it.slot == Slot::Fence;
            let commit = it.slot == Slot::Commit && !store.counts(session, rules);
            commit || (fence && it.epoch < self.epoch)
        });
        for session in dead.members() {
            store.session_mut(session).slot = Slot::Empty;
        }
        self.at = At::DeleteMarkers;
        "(12) deletes slots that do not count any more"
    }

    fn delete_markers(
        &mut self,
        plan: CollectorPlan,
        store: &mut Store,
        rules: Rules,
    ) -> &'static str {
        if !self.index.is_empty() {
            // The mutant: the old segments go before there are new ones.
            store.segments = store.segments - self.index;
            self.at = At::StoreSegments;
            return "(12) deletes segments";
        }
        for session in store.all_sessions().members() {
            let session = store.session_mut(session);
            session.marker &= session.epoch >= self.epoch;
        }
        if self.finishing {
            self.begin_epoch(plan, rules);
        } else {
            self.end_run(plan);
        }
        "(12) deletes markers below the epoch"
    }
}
