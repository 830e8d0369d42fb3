//! A model of the protocol of `docs/FORMAT.md` §10 and §11: in small worlds every interleaving of the
//! steps of writers, collectors, readers and users is visited, with all the sleeping, dying and arriving
//! late that a store and its clients may do, and every promise is looked at in every state.
//!
//! How it is simplified: objects are a handful of numbers, and a commit is the set of those that it reaches; a
//! listing, or loading the index, is one step; the index is a set of packs, and a segment that is stored
//! late adds what it lists. A request without an answer is a client that sleeps before it: the store cannot
//! tell. Not modelled are damage, power cuts, the order of marks by their names' clocks, `hold` and `tag`.
//!
//! Numbers of states and of what was noticed are printed with `--nocapture`.

mod actors;
mod explore;
mod invariants;
mod mutants;
mod noticed;
mod scenarios;
mod sets;
mod store;

use explore::{Watch, explore};
use invariants::Invariant;
use mutants::{Mutant, Rules};
use noticed::NOTICED;
use scenarios::Scenario;

const AS_WRITTEN: Rules = Rules { mutant: None };

#[expect(clippy::print_stdout, reason = "a table for who wants to see it")]
fn row(what: &str, states: usize) {
    println!("{what:68} {states:9} states");
}

/// Visits all states of these scenarios; no promise may be broken.
fn holds(scenarios: Vec<Scenario>, rules: Rules) {
    for Scenario { name, store, cast } in scenarios {
        let found = explore(&store, &cast, rules, Watch::All);
        row(name, found.states);
        if let Some(broken) = found.broken {
            panic!("{name}: {broken}");
        }
    }
}

#[test]
fn writers_beside_a_collector_lose_nothing() {
    holds(scenarios::writers(), AS_WRITTEN);
}

#[test]
fn collectors_do_not_disturb_each_other() {
    holds(scenarios::collectors(), AS_WRITTEN);
}

#[test]
fn readers_find_what_is_repacked() {
    holds(scenarios::readers(), AS_WRITTEN);
}

#[test]
fn undelete_keeps_its_word() {
    holds(scenarios::undeletes(), AS_WRITTEN);
}

#[test]
fn what_comes_late_does_no_harm() {
    holds(scenarios::latecomers(), AS_WRITTEN);
}

/// What is assumed of the store is needed: where a copy of a pack may arrive long after the pack was stored
/// and deleted, an object can be lost, and this model sees it.
#[test]
fn a_late_copy_of_a_pack_has_to_be_assumed_away() {
    let Scenario { store, cast, .. } = scenarios::beyond_what_is_assumed();
    let found = explore(&store, &cast, AS_WRITTEN, Watch::One(Invariant::NothingKeptIsLost));
    assert!(found.broken.is_some());
}

/// Every critical step, swapped or left out, breaks a promise in the scenario that is known for it.
#[test]
fn every_mutant_is_noticed() {
    for (mutant, name, invariant) in NOTICED {
        let all = scenarios::all();
        let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
        let rules = Rules { mutant: Some(mutant) };
        let found = explore(&scenario.store, &scenario.cast, rules, Watch::One(invariant));
        assert!(found.broken.is_some(), "{mutant:?} does not break {invariant:?} in: {name}");
        row(&format!("{mutant:?} breaks {invariant:?}"), found.states);
    }
}

/// No mutant is without a scenario that notices it, and no promise without a mutant that breaks it.
#[test]
fn every_mutant_and_every_promise_is_tried() {
    for mutant in Mutant::CRITICAL {
        assert!(NOTICED.iter().any(|(noticed, ..)| *noticed == mutant), "{mutant:?}");
    }
    for promise in Invariant::ALL {
        assert!(NOTICED.iter().any(|(.., broken)| *broken == promise), "{promise:?}");
    }
}

/// Steps that only save work: without them the promises hold as well.
#[test]
#[ignore = "a minute in a release build"]
fn redundant_steps_are_redundant() {
    for mutant in Mutant::REDUNDANT {
        holds(scenarios::all(), Rules { mutant: Some(mutant) });
    }
}

/// Worlds of many million states.
#[test]
#[ignore = "minutes, and gigabytes of memory, in a release build"]
fn large_worlds_hold_too() {
    holds(scenarios::large(), AS_WRITTEN);
}
