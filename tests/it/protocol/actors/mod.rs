//! Everybody who reads or writes the store. One call of a `step` is atomic; between two of them
//! anything may happen, and there may never be another: that is a crash.

pub(crate) mod collector;
pub(crate) mod late;
pub(crate) mod marking;
pub(crate) mod marks;
pub(crate) mod reader;
pub(crate) mod sweeping;
pub(crate) mod writer;

use super::mutants::Rules;
use super::store::Store;
use collector::{Collector, CollectorPlan};
use late::{Late, Merger};
use marks::{Forget, Undelete};
use reader::{Reader, ReaderPlan};
use writer::{Writer, WriterPlan};

/// What an actor is to do in a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Writer(WriterPlan),
    Collector(CollectorPlan),
    Reader(ReaderPlan),
    /// Somebody forgets a commit.
    Forget(Forget),
    /// Somebody undeletes the commit of this session.
    Undelete(u8),
    /// A request of which a copy arrives late.
    Late(Late),
    /// A writer that merges segments of the index.
    Merger,
}

/// How far an actor has come, and what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Actor {
    Writer(Writer),
    Collector(Collector),
    Reader(Reader),
    Undelete(Undelete),
    Merger(Merger),
    /// One that has a single step, which is done or not.
    Once(bool),
}

impl Role {
    /// The actor before its first step.
    pub(crate) fn start(self) -> Actor {
        match self {
            Self::Writer(plan) => Actor::Writer(Writer::new(plan)),
            Self::Collector(plan) => Actor::Collector(Collector::new(plan)),
            Self::Reader(_) => Actor::Reader(Reader::default()),
            Self::Undelete(_) => Actor::Undelete(Undelete::default()),
            Self::Merger => Actor::Merger(Merger::default()),
            Self::Forget(_) | Self::Late(_) => Actor::Once(false),
        }
    }

    /// What a trace calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Writer(_) => "writer",
            Self::Collector(_) => "collector",
            Self::Reader(_) => "reader",
            Self::Forget(_) | Self::Undelete(_) => "user",
            Self::Late(_) => "network",
            Self::Merger => "merging writer",
        }
    }

    /// Does the actor's next step, if it has one now; says which.
    pub(crate) fn step(
        self,
        me: u8,
        actor: &mut Actor,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        match (self, actor) {
            (Self::Writer(plan), Actor::Writer(it)) => it.step(me, plan, store, rules),
            (Self::Collector(plan), Actor::Collector(it)) => it.step(me, plan, store, rules),
            (Self::Reader(plan), Actor::Reader(it)) => it.step(plan, store, rules),
            (Self::Undelete(commit), Actor::Undelete(it)) => it.step(commit, store, rules),
            (Self::Merger, Actor::Merger(it)) => it.step(store),
            (Self::Forget(it), Actor::Once(done)) if !*done => it.step(done, store),
            (Self::Late(it), Actor::Once(done)) if !*done => it.step(done, store),
            _ => None,
        }
    }
}
