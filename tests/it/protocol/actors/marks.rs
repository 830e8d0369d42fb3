//! Those who forget and undelete.
//!
//! The marks of a commit count in the order of their names, not of their arrival: the highest decides.

use super::super::mutants::{Mutant, Rules};
use super::super::store::{Slot, Store};

/// Somebody forgets a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Forget {
    /// The commit of this session.
    Session(u8),
    /// The same again, when it was undeleted.
    Again(u8),
    /// The newest commit of this actor that was stored.
    NewestOf(u8),
}

impl Forget {
    pub(crate) fn step(self, done: &mut bool, store: &mut Store) -> Option<&'static str> {
        let (session, before) = match self {
            Self::Session(session) => (session, 0),
            Self::Again(session) => (session, 2),
            Self::NewestOf(actor) => {
                let of = |slot| {
                    move |_, it: &super::super::store::Session| it.actor == actor && it.slot == slot
                };
                (store.sessions_where(of(Slot::Commit)).last()?, 0)
            }
        };
        let session = store.session_mut(session);
        if session.marks != before {
            return None;
        }
        session.marks += 1;
        *done = true;
        Some("forgets a commit")
    }
}

/// Somebody undeletes a forgotten commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Undelete {
    at: u8,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Answer {
    #[default]
    Unknown,
    Stays,
    TooLate,
}

impl Undelete {
    pub(crate) fn step(
        &mut self,
        commit: u8,
        store: &mut Store,
        rules: Rules,
    ) -> Option<&'static str> {
        if self.at == 0 && store.session(commit).marks != 1 {
            return None;
        }
        let lists = u8::from(!rules.is(Mutant::UndeleteListsFirst));
        let at = self.at;
        self.at += 1;
        if at == lists {
            self.answer = answer(commit, store, rules);
        } else if at < 2 {
            let session = store.session_mut(commit);
            session.marks = session.marks.max(2);
        }
        if at == 1 {
            let session = store.session_mut(commit);
            session.promised = self.answer == Answer::Stays;
            session.denied = self.answer == Answer::TooLate;
        }
        match at {
            0 => Some("begins to undelete"),
            1 => Some("ends the undelete with an answer"),
            _ => None,
        }
    }
}

/// What the decisions say about a commit that is being undeleted.
fn answer(commit: u8, store: &Store, rules: Rules) -> Answer {
    if !store.above_floor(commit, store.floor(), rules) {
        return Answer::TooLate;
    }
    let highest = store.highest();
    if highest > store.floor() {
        let pending = store.epoch(highest);
        if pending.closed && pending.dropped.has(commit) {
            let too_late = rules.is(Mutant::UnknownIsTooLate);
            return if too_late { Answer::TooLate } else { Answer::Unknown };
        }
    }
    Answer::Stays
}
