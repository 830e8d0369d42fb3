//! Visits every state that the actors of a scenario can reach.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::actors::{Actor, Role};
use super::invariants::{self, Invariant};
use super::mutants::Rules;
use super::store::Store;

pub(crate) const ACTORS: usize = 5;

/// One state of the whole: what is stored, and how far everybody has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) actors: [Actor; ACTORS],
}

/// Which promises are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Watch {
    All,
    One(Invariant),
}

impl Watch {
    pub(crate) fn at(self, invariant: Invariant) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == invariant,
        }
    }
}

/// A promise that was broken, and the shortest way there.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) trace: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} is broken:", self.invariant)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

type Fingerprints = HashSet<u128, BuildHasherDefault<Fingerprint>>;

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) broken: Option<Broken>,
}

/// How a state was reached first: from which one, and by whose step.
struct Visit {
    from: u32,
    actor: u8,
}

/// All interleavings of these actors, in breadth first order, up to the first broken promise.
///
/// Every actor's next step is determined by the state, so a state has as many successors as there are
/// actors that can go on. States that were visited are remembered by a fingerprint of 128 bits: among
/// ten million states two share one with a probability below 10^-24.
pub(crate) fn explore(start: &Store, cast: &[Role], rules: Rules, watch: Watch) -> Found {
    let mut actors = [Actor::Once(true); ACTORS];
    for (actor, role) in actors.iter_mut().zip(cast) {
        *actor = role.start();
    }
    let first = State { store: *start, actors };
    let mut seen = Fingerprints::default();
    let mut alone = Fingerprints::default();
    let mut visits = vec![Visit { from: 0, actor: 0 }];
    let mut queue = VecDeque::from([(0, first)]);
    seen.insert(fingerprints(&first).0);
    while let Some((number, state)) = queue.pop_front() {
        for (actor, role) in cast.iter().enumerate() {
            let mut next = state;
            let actor = actor as u8;
            if step(&mut next, actor, *role, rules).is_none() {
                continue;
            }
            let (whole, stored) = fingerprints(&next);
            if !seen.insert(whole) {
                continue;
            }
            visits.push(Visit { from: number, actor });
            let reached = visits.len() as u32 - 1;
            let garbage = Invariant::GarbageGoesInTheEnd;
            let broken = invariants::broken(&next, rules, watch).or_else(|| {
                let first = watch.at(garbage) && alone.insert(stored);
                (first && invariants::garbage_stays(&next.store, rules)).then_some(garbage)
            });
            if let Some(invariant) = broken {
                let trace = trace(&first, &visits, reached, cast, rules);
                return Found { states: seen.len(), broken: Some(Broken { invariant, trace }) };
            }
            queue.push_back((reached, next));
        }
    }
    Found { states: seen.len(), broken: None }
}

fn step(state: &mut State, actor: u8, role: Role, rules: Rules) -> Option<&'static str> {
    role.step(actor, &mut state.actors[usize::from(actor)], &mut state.store, rules)
}

/// Tells in words how a state was reached.
fn trace(first: &State, visits: &[Visit], last: u32, cast: &[Role], rules: Rules) -> Vec<String> {
    let mut steps = Vec::new();
    let mut number = last;
    while number != 0 {
        let visit = &visits[number as usize];
        steps.push(visit.actor);
        number = visit.from;
    }
    let mut state = *first;
    let tell = |actor: u8| {
        let role = cast[usize::from(actor)];
        let what = step(&mut state, actor, role, rules).unwrap_or("does nothing");
        format!("{actor} {}: {what}", role.name())
    };
    steps.into_iter().rev().map(tell).collect()
}

/// Fingerprints of the state, and of what is stored in it.
fn fingerprints(state: &State) -> (u128, u128) {
    let mut hasher = Fingerprint::default();
    state.store.hash(&mut hasher);
    let stored = hasher.clone().whole();
    state.actors.hash(&mut hasher);
    (hasher.whole(), stored)
}

/// Folds what it is given into two words; a fingerprint itself is passed through.
#[derive(Clone, Default)]
struct Fingerprint {
    word: u64,
    filled: u8,
    low: u64,
    high: u64,
}

impl Fingerprint {
    fn mix(&mut self, word: u64) {
        let low = u128::from(self.low ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.low = (low as u64) ^ ((low >> 64) as u64);
        let high = u128::from(self.high ^ word.rotate_left(32)) * 0xd6e8_feb8_6659_fd93;
        self.high = (high as u64) ^ ((high >> 64) as u64).rotate_left(17) ^ self.low;
    }

    fn whole(mut self) -> u128 {
        self.mix(self.word);
        self.mix(u64::from(self.filled));
        (u128::from(self.high) << 64) | u128::from(self.low)
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.low
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.word = (self.word << 8) | u64::from(byte);
        self.filled += 1;
        if self.filled == 8 {
            self.mix(self.word);
            self.filled = 0;
        }
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.write_u8(discriminant as u8);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn write_u128(&mut self, fingerprint: u128) {
        self.low = fingerprint as u64;
    }
}
