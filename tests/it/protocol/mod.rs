//! A model of the protocol of `docs/FORMAT.md` §10 and §11: every interleaving of its steps, in small
//! worlds, with all that may happen in between.

mod actors;
mod explore;
mod invariants;
mod mutants;
mod scenarios;
mod sets;
mod store;

use std::time::Instant;

use explore::explore;
use mutants::{Mutant, Rules};

#[test]
fn the_protocol_holds() {
    for scenario in scenarios::all() {
        let start = Instant::now();
        let found = explore(&scenario.store, &scenario.cast, &Rules { mutant: None });
        println!("{:60} {:8} {:?}", scenario.name, found.states, start.elapsed());
        if let Some(broken) = found.broken {
            println!("{broken}");
        }
    }
}

#[test]
fn matrix() {
    for mutant in Mutant::CRITICAL.into_iter().chain(Mutant::REDUNDANT) {
        let rules = Rules { mutant: Some(mutant) };
        println!("== {mutant:?}");
        for scenario in scenarios::all() {
            let found = explore(&scenario.store, &scenario.cast, &rules);
            if let Some(broken) = found.broken {
                println!("  {:?} {} {} states", broken.invariant, scenario.name, found.states);
            }
        }
    }
}
