//! Those who collect garbage: the first half, up to `condemned`.

use super::super::mutants::{Mutant, Rules};
use super::super::sets::Set;
use super::super::store::{Slot, Store};
use super::marking::{View, believed};

/// How a collector works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CollectorPlan {
    /// How many runs it makes.
    pub(crate) runs: u8,
    /// It begins no epoch above this one.
    pub(crate) epochs: u8,
    /// It leaves the second half to others.
    pub(crate) first_half_only: bool,
    /// It stores living objects of packs again in which something is dead.
    pub(crate) repacks: bool,
    /// Of several homes of an object it takes the newest.
    pub(crate) newest_homes: bool,
    /// The policy time is over: it fences all open sessions before it begins.
    pub(crate) fences_first: bool,
}

impl CollectorPlan {
    fn first_step(self) -> CollectorStep {
        if self.fences_first { At::ListOld } else { At::ListGc }
    }
}

/// A collector. Numbers in brackets are the steps of `docs/FORMAT.md` §11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Collector {
    pub(super) at: CollectorStep,
    pub(super) runs: u8,
    pub(super) epoch: u8,
    /// It only finishes an epoch, and then begins the next one.
    pub(super) finishing: bool,
    /// Packs and index as they were read.
    pub(super) packs: Set,
    pub(super) index: Set,
    /// Sessions that were open, and those whose slots were filled.
    pub(super) open: Set,
    pub(super) slots: Set,
    /// Packs that are to go.
    pub(super) doomed: Set,
    /// Commits that are given up, or in the second half those that stay.
    pub(super) commits: Set,
    /// Objects that must stay, or those to be stored again.
    pub(super) objects: Set,
    /// What is to be fenced or deleted, one by one.
    pub(super) todo: Set,
    /// Its own session, in which it repacks.
    pub(super) own: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CollectorStep {
    ListOld,
    FenceOld,
    ListGc,
    ListGcForEpoch,
    ListPacks,
    ReadIndex,
    ListSessions,
    ReadCommits,
    OpenOwn,
    StoreCopies,
    StoreCopiesSegment,
    CreateCondemned,
    ListGcAgain,
    FenceOwn,
    FenceOwnAndStop,
    ListOpen,
    Fence,
    CreateClosed,
    ReadMarksAgain,
    ReadCommitsAgain,
    ReadIndexAgain,
    CreateSwept,
    ListWhatGoes,
    StoreSegments,
    DeletePacks,
    DeleteSlots,
    DeleteMarkers,
    Ended,
}

use CollectorStep as At;

impl Collector {
    pub(crate) fn new(plan: CollectorPlan) -> Self {
        Self {
            at: plan.first_step(),
            runs: plan.runs,
            epoch: 0,
            finishing: false,
            packs: Set::EMPTY,
            index: Set::EMPTY,
            open: Set::EMPTY,
            slots: Set::EMPTY,
            doomed: Set::EMPTY,
            commits: Set::EMPTY,
            objects: Set::EMPTY,
            todo: Set::EMPTY,
            own: None,
        }
    }

    pub(crate) fn step(
        &mut self,
        me: u8,
        plan: CollectorPlan,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        Some(match self.at {
            At::Ended => return None,
            At::ListOld => {
                self.todo = store.sessions_where(|_, it| it.is_open());
                let none = self.todo.is_empty() || rules.is(Mutant::OldSessionsNotFenced);
                self.at = if none { At::ListGc } else { At::FenceOld };
                "(1) lists sessions and slots"
            }
            At::FenceOld => {
                if let Some(session) = self.todo.take_first() {
                    store.fence(session);
                }
                if self.todo.is_empty() {
                    self.at = At::ListGc;
                }
                "(1) fences a session, unless its slot is filled"
            }
            At::ListGc => self.list_gc(plan, store, rules),
            At::ListGcForEpoch => {
                self.epoch = store.highest();
                self.begin_epoch(plan, Rules { mutant: None });
                "(1) lists the decisions once more"
            }
            At::ListPacks => {
                self.packs = store.present;
                self.at = At::ReadIndex;
                "(2) lists the packs"
            }
            At::ReadIndex => {
                self.index = store.index();
                let sessions = rules.is(Mutant::SessionsBeforePacks);
                self.at = if sessions { At::ReadCommits } else { At::ListSessions };
                "(2) reads the index"
            }
            At::ListSessions => {
                self.open = store.sessions_where(|_, it| it.is_open());
                self.slots = store.sessions_where(|_, it| it.slot == Slot::Commit);
                let packs = rules.is(Mutant::SessionsBeforePacks);
                self.at = if packs { At::ListPacks } else { At::ReadCommits };
                "(3) lists sessions and slots"
            }
            At::ReadCommits => self.read_commits(plan, store, rules),
            At::OpenOwn => {
                self.own = Some(store.open(me, u8::MAX, self.epoch - 1));
                self.at = At::StoreCopies;
                "(6) opens a session to repack"
            }
            At::StoreCopies => self.store_copies(store),
            At::StoreCopiesSegment => {
                store.segments = store.segments | self.todo;
                self.todo = Set::EMPTY;
                self.at = At::CreateCondemned;
                "(6) stores a segment that lists the new pack"
            }
            At::CreateCondemned => self.create_condemned(plan, store, rules),
            At::ListGcAgain => {
                if store.highest() > self.epoch {
                    self.end_run(plan);
                } else {
                    self.after_condemned(plan);
                }
                "(7) lists the decisions again"
            }
            At::FenceOwn | At::FenceOwnAndStop => {
                if let Some(own) = self.own.take() {
                    store.fence(own);
                }
                if self.at == At::FenceOwn {
                    self.begin_second_half(plan);
                } else {
                    self.end_run(plan);
                }
                "(7) ends its own session with a fence"
            }
            _ => self.sweep(plan, store, rules),
        })
    }

    fn list_gc(&mut self, plan: CollectorPlan, store: &Store, rules: Rules) -> &'static str {
        let highest = store.highest();
        self.epoch = highest;
        if highest > store.floor() {
            self.at = At::ListOpen;
        } else if highest == 0 || rules.is(Mutant::EpochLeftUnfinished) {
            self.begin_epoch(plan, rules);
        } else {
            self.finishing = true;
            self.at = At::ListWhatGoes;
        }
        "(1) lists the decisions"
    }

    /// Goes on with the first half of the next epoch.
    pub(super) fn begin_epoch(&mut self, plan: CollectorPlan, rules: Rules) {
        if rules.is(Mutant::EpochListedAgain) {
            self.at = At::ListGcForEpoch;
            return;
        }
        let epoch = self.epoch + 1;
        if epoch > plan.epochs {
            return self.end_run(plan);
        }
        let sessions = rules.is(Mutant::SessionsBeforePacks);
        let at = if sessions { At::ListSessions } else { At::ListPacks };
        *self = Self { at, epoch, runs: self.runs, ..Self::new(plan) };
    }

    /// Ends a run; the next one starts with nothing in hand.
    pub(super) fn end_run(&mut self, plan: CollectorPlan) {
        let runs = self.runs - 1;
        let at = if runs == 0 { At::Ended } else { plan.first_step() };
        *self = Self { at, runs, ..Self::new(plan) };
    }

    fn begin_second_half(&mut self, plan: CollectorPlan) {
        if plan.first_half_only {
            self.end_run(plan);
        } else {
            self.at = At::ListOpen;
        }
    }

    /// Decides what is given up: (4), (5), and (7) up to the creation of `condemned`.
    fn read_commits(&mut self, plan: CollectorPlan, store: &Store, rules: Rules) -> &'static str {
        let commits = self.slots & store.counting(rules);
        self.commits = store.forgotten(commits) | store.superseded(commits);
        let living = store.reach(commits - self.commits);
        let view = View {
            packs: self.packs,
            index: believed(self.index, self.packs, rules),
            newest: plan.newest_homes,
        };
        let homes = view.homes(living, Set::EMPTY, store, rules);
        let spared = self.packs.that(|pack| {
            self.open.has(store.packs[usize::from(pack)].session)
                && !rules.is(Mutant::OpenPacksCondemned)
        });
        self.doomed = self.packs - homes - spared;
        self.objects = Set::EMPTY;
        if plan.repacks {
            let half_dead = |pack| !store.contents(Set::of(&[pack])).within(living);
            let sources = ((self.packs & homes) - spared).that(half_dead);
            let home = |object| view.home(object, Set::EMPTY, store, rules);
            self.objects = living.that(|object| home(object).is_some_and(|it| sources.has(it)));
            self.doomed = self.doomed | sources;
        }
        let something = !self.doomed.is_empty() || !self.commits.is_empty();
        self.open = only_if(rules.is(Mutant::SessionsBeforeCondemned), self.open);
        if !something {
            self.end_run(plan);
        } else if self.objects.is_empty() {
            self.at = At::CreateCondemned;
        } else {
            self.at = At::OpenOwn;
        }
        "(4) reads commits and marks, (5) marks"
    }

    /// Stores living objects again, unless their packs were deleted meanwhile.
    fn store_copies(&mut self, store: &mut Store) -> &'static str {
        if !self.objects.within(store.contents(self.doomed & store.present)) {
            self.at = At::FenceOwnAndStop;
            return "(6) misses a pack that it wanted to repack, and stops";
        }
        let pack = store.store_pack(self.own.unwrap_or_default(), self.objects);
        self.todo = Set::of(&[pack]);
        self.objects = Set::EMPTY;
        self.at = At::StoreCopiesSegment;
        "(6) stores living objects again"
    }

    fn create_condemned(
        &mut self,
        plan: CollectorPlan,
        store: &mut Store,
        rules: Rules,
    ) -> &'static str {
        if store.epoch(self.epoch).condemned {
            self.at = At::FenceOwnAndStop;
            if self.own.is_none() {
                self.end_run(plan);
            }
            return "(7) finds that another one was faster, and stops";
        }
        let epoch = store.epoch_mut(self.epoch);
        epoch.condemned = true;
        epoch.packs = self.doomed;
        epoch.dropped = self.commits;
        let known = only_if(rules.is(Mutant::CommitsNotReadAgain), self.slots);
        let open = self.open;
        *self = Self { epoch: self.epoch, own: self.own, runs: self.runs, ..Self::new(plan) };
        self.slots = known;
        self.open = open;
        self.at = At::ListGcAgain;
        if rules.is(Mutant::CondemnedNotListedAgain) {
            self.after_condemned(plan);
        }
        "(7) creates condemned"
    }

    fn after_condemned(&mut self, plan: CollectorPlan) {
        if self.own.is_some() {
            self.at = At::FenceOwn;
        } else {
            self.begin_second_half(plan);
        }
    }
}

/// What is remembered only by a mutant.
fn only_if(remembered: bool, set: Set) -> Set {
    if remembered { set } else { Set::EMPTY }
}
