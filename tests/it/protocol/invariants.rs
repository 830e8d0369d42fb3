//! What must hold in every state that can be reached.

use super::actors::collector::{Collector, CollectorPlan};
use super::actors::{Actor, Role};
use super::explore::{State, Watch};
use super::mutants::Rules;
use super::sets::Set;
use super::store::{Slot, Store};

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Invariant {
    /// Every object that a commit reaches which counts, is not forgotten and not a superseded
    /// checkpoint is in a pack that is there.
    NothingKeptIsLost,
    /// One of these packs is listed by the index, so that it is found.
    TheIndexFindsWhatIsKept,
    /// No reader reports damage while the commit that it reads is kept.
    ReadersFindWhatIsKept,
    /// A writer that was told success has a commit that counts, unless it was forgotten, or a
    /// checkpoint that was superseded.
    ASuccessfulCommitStays,
    /// A commit whose undelete answered that it stays is there and counts, until it is forgotten again.
    UndeleteKeepsItsWord,
    /// A commit whose undelete answered that it came too late does not count.
    TooLateIsTrue,
    /// What was deleted is named by some `swept`, which names only what `condemned` does.
    OneCollectorAnEpoch,
    /// A commit that has ceased to count never counts again.
    SweptStaysSwept,
    /// When all others have ended, or died, a collector that is let alone leaves no pack without a
    /// living object, no slot of a commit that does not count, and no session open. (Records of packs that
    /// are gone may stay in the index.)
    GarbageGoesInTheEnd,
}

impl Invariant {
    pub(crate) const ALL: [Self; 9] = [
        Self::NothingKeptIsLost,
        Self::TheIndexFindsWhatIsKept,
        Self::ReadersFindWhatIsKept,
        Self::ASuccessfulCommitStays,
        Self::UndeleteKeepsItsWord,
        Self::TooLateIsTrue,
        Self::OneCollectorAnEpoch,
        Self::SweptStaysSwept,
        Self::GarbageGoesInTheEnd,
    ];
}

/// The promise that this state breaks; for garbage see `garbage_stays`.
pub(crate) fn broken(state: &State, rules: Rules, watch: Watch) -> Option<Invariant> {
    let store = &state.store;
    let counting = store.counting(rules);
    let watched = Invariant::ALL.into_iter().filter(|invariant| watch.at(*invariant));
    watched.into_iter().find(|invariant| !holds(*invariant, state, store, counting))
}

fn holds(invariant: Invariant, state: &State, store: &Store, counting: Set) -> bool {
    match invariant {
        Invariant::NothingKeptIsLost => {
            store.reach(kept(store, counting)).within(store.contents(store.present))
        }
        Invariant::TheIndexFindsWhatIsKept => {
            let found = store.present & store.index();
            store.reach(kept(store, counting)).within(store.contents(found))
        }
        Invariant::ReadersFindWhatIsKept => {
            let damage = |actor: &Actor| matches!(actor, Actor::Reader(it) if it.reports_damage());
            !state.actors.iter().any(damage)
        }
        Invariant::ASuccessfulCommitStays => successes_stay(store, counting),
        Invariant::UndeleteKeepsItsWord => {
            store.sessions_where(|_, it| it.promised && it.marks == 2).within(counting)
        }
        Invariant::TooLateIsTrue => (store.sessions_where(|_, it| it.denied) & counting).is_empty(),
        Invariant::OneCollectorAnEpoch => decisions_are_followed(store),
        Invariant::SweptStaysSwept => (store.ended & counting).is_empty(),
        Invariant::GarbageGoesInTheEnd => true,
    }
}

/// The commits that nothing may happen to.
fn kept(store: &Store, counting: Set) -> Set {
    counting - store.forgotten(counting) - store.superseded(counting)
}

fn successes_stay(store: &Store, counting: Set) -> bool {
    let newer = |session: u8| {
        let than = store.session(session);
        store.sessions_where(|_, it| it.source == than.source && it.time > than.time)
    };
    let missing =
        store.sessions_where(|session, it| it.success && it.marks == 0 && !counting.has(session));
    missing.that(|it| !store.session(it).checkpoint || newer(it).is_empty()).is_empty()
}

fn decisions_are_followed(store: &Store) -> bool {
    let gone = store.epochs.iter().fold(Set::EMPTY, |gone, epoch| gone | epoch.gone);
    let deleted = Set::below(store.pack_count) - store.present;
    deleted.within(gone) && store.epochs.iter().all(|epoch| epoch.gone.within(epoch.packs))
}

/// Lets a collector run alone, and looks what it leaves.
pub(crate) fn garbage_stays(stored: &Store, rules: Rules) -> bool {
    let mut store = *stored;
    let plan = CollectorPlan {
        runs: 3,
        epochs: u8::MAX,
        first_half_only: false,
        repacks: false,
        newest_homes: false,
        fences_first: true,
    };
    let mut collector = Actor::Collector(Collector::new(plan));
    let role = Role::Collector(plan);
    while role.step(u8::MAX, &mut collector, &mut store, rules).is_some() {}
    let kept = kept(&store, store.counting(rules));
    let reach = store.reach(kept);
    let holds_nothing = |pack| (store.contents(Set::of(&[pack])) & reach).is_empty();
    let dead_slot =
        |session, it: &super::store::Session| it.slot == Slot::Commit && !kept.has(session);
    !store.present.that(holds_nothing).is_empty()
        || !store.sessions_where(dead_slot).is_empty()
        || !store.sessions_where(|_, it| it.is_open()).is_empty()
}
