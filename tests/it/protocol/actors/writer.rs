//! Those who back up.

use super::super::mutants::{Mutant, Rules};
use super::super::sets::Set;
use super::super::store::{Slot, Store};

/// What a writer is to store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriterPlan {
    pub(crate) source: u8,
    /// Objects that the checkpoint reaches, if there is to be one.
    pub(crate) checkpoint: Option<Set>,
    /// Objects that the snapshot reaches.
    pub(crate) objects: Set,
    /// Packs are their own index.
    pub(crate) mixed: bool,
    /// How often it starts again before it gives up.
    pub(crate) restarts: u8,
}

/// A writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Writer {
    at: WriterStep,
    restarts: u8,
    /// Epoch that was listed before the marker.
    epoch: u8,
    session: u8,
    /// Session n+1, while a checkpoint is to be stored in slot n.
    next: u8,
    /// The checkpoint is stored.
    second_part: bool,
    /// The highest epoch, and the floor, that were listed after the marker.
    seen: u8,
    floor: u8,
    /// Commits that are forgotten.
    forgotten: Set,
    /// Packs that are not reused.
    avoided: Set,
    /// Packs that the index lists, and whose footers could be read.
    index: Set,
    /// Objects that need not be stored.
    had: Set,
    pack: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum WriterStep {
    /// Mutants read something before the marker is there.
    Early,
    ListGc,
    CreateMarker,
    ReadDecisions,
    ReadMarks,
    ChooseParent,
    LoadIndex,
    StorePack,
    StoreSegment,
    ListGcForNext,
    CreateNextMarker,
    ReadDecisionsOfNext,
    LookForFence,
    Commit,
    Ended,
}

use WriterStep as At;

impl Writer {
    pub(crate) fn new(plan: WriterPlan) -> Self {
        Self {
            at: At::Early,
            restarts: plan.restarts,
            epoch: 0,
            session: 0,
            next: 0,
            second_part: false,
            seen: 0,
            floor: 0,
            forgotten: Set::EMPTY,
            avoided: Set::EMPTY,
            index: Set::EMPTY,
            had: Set::EMPTY,
            pack: 0,
        }
    }

    pub(crate) fn step(
        &mut self,
        me: u8,
        plan: WriterPlan,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        Some(match self.at {
            At::Ended => return None,
            At::Early => return self.early(me, plan, store, rules),
            At::ListGc | At::ListGcForNext => self.list_gc(store),
            At::CreateMarker | At::CreateNextMarker => self.create_marker(me, plan, store, rules),
            At::ReadDecisions => self.read_decisions(plan, store, rules),
            At::ReadMarks => {
                self.forgotten = store.forgotten(store.all_sessions());
                self.at = At::ChooseParent;
                "reads the marks"
            }
            At::ChooseParent => {
                self.choose_parent(plan, store, rules);
                self.at = At::LoadIndex;
                "chooses the parent"
            }
            At::LoadIndex => self.load_index(plan, store, rules),
            At::StorePack => self.store_pack(plan, store, rules),
            At::StoreSegment => {
                store.segments = store.segments.with(self.pack);
                self.after_segment(plan, rules);
                "stores a segment"
            }
            At::ReadDecisionsOfNext => self.read_decisions_of_next(plan, store, rules),
            At::LookForFence => self.look_for_fence(plan, store, rules),
            At::Commit => self.commit(plan, store, rules),
        })
    }

    /// Does what a mutant does before the marker is there; else begins at once.
    fn early(
        &mut self,
        me: u8,
        plan: WriterPlan,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        self.at = At::ListGc;
        match rules.mutant {
            Some(Mutant::DecisionsBeforeMarker) => {
                self.learn(store, rules);
                Some("reads the decisions")
            }
            Some(Mutant::ParentBeforeMarker) => {
                self.floor = store.floor();
                self.seen = store.highest();
                self.forgotten = store.forgotten(store.all_sessions());
                self.choose_parent(plan, store, rules);
                Some("chooses the parent")
            }
            Some(Mutant::StaleIndex) => {
                self.index = store.index() & store.present;
                Some("loads the index")
            }
            _ => self.step(me, plan, store, rules),
        }
    }

    fn list_gc(&mut self, store: &Store) -> &'static str {
        self.epoch = store.highest();
        self.at = if self.at == At::ListGc { At::CreateMarker } else { At::CreateNextMarker };
        "lists the decisions"
    }

    fn create_marker(
        &mut self,
        me: u8,
        plan: WriterPlan,
        store: &mut Store,
        rules: Rules,
    ) -> &'static str {
        let session = store.open(me, plan.source, self.epoch);
        if self.at == At::CreateMarker {
            self.session = session;
            self.at = match rules.mutant {
                Some(Mutant::DecisionsBeforeMarker) => At::ReadMarks,
                _ => At::ReadDecisions,
            };
        } else {
            self.next = session;
            self.at = At::ReadDecisionsOfNext;
            if rules.is(Mutant::NextSessionReadsNothing) {
                self.at = At::Commit;
            }
        }
        "creates a marker"
    }

    /// Remembers what the decisions forbid.
    fn learn(&mut self, store: &Store, rules: Rules) {
        self.seen = store.highest();
        self.floor = store.floor();
        self.avoided = store.gone(self.floor);
        if self.seen > 0 {
            self.avoided = self.avoided | store.epoch(self.seen).packs;
        }
        if rules.is(Mutant::DecisionsIgnored) {
            self.avoided = Set::EMPTY;
        }
    }

    /// Whether a higher epoch than the marker's has begun: the collector may not know this session.
    fn too_late(&mut self, store: &Store, rules: Rules) -> bool {
        let late = store.highest() > self.epoch && !rules.is(Mutant::LateMarkerGoesOn);
        if late {
            self.epoch = store.highest();
        }
        late
    }

    fn read_decisions(&mut self, plan: WriterPlan, store: &Store, rules: Rules) -> &'static str {
        if self.too_late(store, rules) {
            self.again(plan, At::CreateMarker, rules);
            return "finds a higher epoch, and starts again";
        }
        self.learn(store, rules);
        self.at = At::ReadMarks;
        if rules.is(Mutant::ParentBeforeMarker) {
            self.at = At::LoadIndex;
        } else if rules.is(Mutant::FencedKeepsItsFinds) && self.restarts < plan.restarts {
            self.at = At::StorePack;
            self.deduplicate(plan, store, rules);
        }
        "reads the decisions"
    }

    /// Takes over what it needs from the newest commit that may be a parent.
    fn choose_parent(&mut self, plan: WriterPlan, store: &Store, rules: Rules) {
        let may_be = |session: u8| {
            let pending = self.seen > self.floor && !rules.is(Mutant::ParentAmongDropped);
            (rules.is(Mutant::ParentNeedNotCount) || store.above_floor(session, self.floor, rules))
                && !(pending && store.epoch(self.seen).dropped.has(session))
        };
        let commits = store.sessions_where(|session, it| {
            it.slot == Slot::Commit
                && it.source == plan.source
                && !self.forgotten.has(session)
                && may_be(session)
        });
        let parent = commits.members().max_by_key(|commit| store.session(*commit).time);
        if let Some(parent) = parent {
            self.had = store.session(parent).objects & plan.objects;
        }
        self.forgotten = Set::EMPTY;
    }

    /// Loads the index and looks up what the parent does not have.
    fn load_index(&mut self, plan: WriterPlan, store: &Store, rules: Rules) -> &'static str {
        match rules.mutant {
            Some(Mutant::StaleIndex) => {}
            Some(Mutant::RecordsBelieved) => self.index = store.index(),
            _ => self.index = store.index() & store.present,
        }
        self.at = At::StorePack;
        self.deduplicate(plan, store, rules);
        "looks objects up, in the index and in footers"
    }

    /// Finds what is stored already of what is to be stored now.
    fn deduplicate(&mut self, plan: WriterPlan, store: &Store, rules: Rules) {
        let wanted = self.wanted(plan);
        self.had = self.had | (store.contents(self.index - self.avoided) & wanted);
        if (wanted - self.had).is_empty() {
            self.after_segment(plan, rules);
        }
    }

    /// What the commit that comes next reaches.
    fn wanted(&self, plan: WriterPlan) -> Set {
        match plan.checkpoint {
            Some(objects) if !self.second_part => objects,
            _ => plan.objects,
        }
    }

    fn store_pack(&mut self, plan: WriterPlan, store: &mut Store, rules: Rules) -> &'static str {
        let objects = self.wanted(plan) - self.had;
        self.pack = store.store_pack(self.session, objects);
        self.had = self.had | objects;
        if plan.mixed {
            store.mixed = store.mixed.with(self.pack);
            self.after_segment(plan, rules);
        } else if rules.is(Mutant::CommitBeforeSegments) {
            self.at = At::Commit;
        } else {
            self.at = At::StoreSegment;
        }
        "stores a pack"
    }

    fn after_segment(&mut self, plan: WriterPlan, rules: Rules) {
        let checkpoint = plan.checkpoint.is_some() && !self.second_part;
        self.at = match rules.mutant {
            Some(Mutant::CommitUnderOwnName) => At::LookForFence,
            Some(Mutant::CommitBeforeSegments) if self.pack > 0 => At::Ended,
            Some(Mutant::CheckpointBeforeNextSession) => At::Commit,
            _ if checkpoint => At::ListGcForNext,
            _ => At::Commit,
        };
    }

    fn read_decisions_of_next(
        &mut self,
        plan: WriterPlan,
        store: &Store,
        rules: Rules,
    ) -> &'static str {
        if self.too_late(store, rules) {
            self.at = At::CreateNextMarker;
            return "finds a higher epoch, and opens another session";
        }
        self.learn(store, rules);
        self.at = At::Commit;
        if rules.is(Mutant::CheckpointBeforeNextSession) {
            self.session = self.next;
            self.at = At::StorePack;
            self.deduplicate(plan, store, rules);
        }
        "reads the decisions"
    }

    fn look_for_fence(&mut self, plan: WriterPlan, store: &Store, rules: Rules) -> &'static str {
        if store.session(self.session).slot == Slot::Fence {
            self.again(plan, At::ListGc, rules);
        } else {
            self.at = At::Commit;
        }
        "looks for a fence"
    }

    fn commit(&mut self, plan: WriterPlan, store: &mut Store, rules: Rules) -> &'static str {
        let checkpoint = plan.checkpoint.is_some() && !self.second_part;
        let own_name = rules.is(Mutant::CommitUnderOwnName);
        if store.session(self.session).slot == Slot::Fence && !own_name {
            if checkpoint && rules.is(Mutant::FencedCheckpointGoesOn) {
                self.go_on(plan, store, rules);
            } else {
                self.again(plan, At::ListGc, rules);
            }
            return "finds a fence in its slot, and starts again";
        }
        if store.session(self.session).slot == Slot::Empty || own_name {
            store.commit(self.session, self.wanted(plan), checkpoint);
        }
        store.session_mut(self.session).success = true;
        if checkpoint {
            self.go_on(plan, store, rules);
            return "stores a checkpoint";
        }
        self.at = if rules.is(Mutant::CommitBeforeSegments) && self.pack > 0 {
            At::StoreSegment
        } else {
            At::Ended
        };
        if self.at == At::Ended {
            *self = Self { at: At::Ended, ..Self::new(plan) };
        }
        "stores its commit"
    }

    /// Goes on in the next session, with what the checkpoint has.
    fn go_on(&mut self, plan: WriterPlan, store: &Store, rules: Rules) {
        self.had = self.wanted(plan);
        self.second_part = true;
        if rules.is(Mutant::CheckpointBeforeNextSession) {
            self.at = At::ListGcForNext;
            return;
        }
        self.session = self.next;
        self.at = At::StorePack;
        self.deduplicate(plan, store, rules);
    }

    /// Starts again with nothing in hand, if it has not done so too often.
    fn again(&mut self, plan: WriterPlan, at: WriterStep, rules: Rules) {
        let before = *self;
        *self = Self { at: At::Ended, ..Self::new(plan) };
        if let Some(restarts) = before.restarts.checked_sub(1) {
            *self = Self { at, epoch: before.epoch, restarts, ..*self };
            if rules.is(Mutant::FencedKeepsItsFinds) {
                *self = Self { had: before.had, index: before.index, ..*self };
            }
        }
    }
}
