//! What is in the store: the only thing that the actors share.

use std::hash::{Hash, Hasher};

use super::mutants::{Mutant, Rules};
use super::sets::Set;

pub(crate) const SESSIONS: usize = 8;
pub(crate) const PACKS: usize = 8;
pub(crate) const EPOCHS: usize = 6;

/// What is under the name of a session's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Fence,
    Commit,
}

/// A session: its marker, its slot, and what was said about its commit.
///
/// What the commit says stays here when the slot is deleted, for a copy of it may come late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Session {
    pub(crate) epoch: u8,
    pub(crate) marker: bool,
    pub(crate) slot: Slot,
    /// Which actor opened it; its commits are those of one source.
    pub(crate) actor: u8,
    pub(crate) source: u8,
    pub(crate) checkpoint: bool,
    /// All objects that the commit's trees reach.
    pub(crate) objects: Set,
    /// The commit's place among all commits, by time; 0 where there never was one.
    pub(crate) time: u8,
    /// The newest mark: odd ones forget, even ones undelete.
    pub(crate) marks: u8,
    /// Its writer was told that the commit is stored.
    pub(crate) success: bool,
    /// An undelete of it answered that the commit stays.
    pub(crate) promised: bool,
    /// An undelete of it answered that it came too late.
    pub(crate) denied: bool,
}

impl Session {
    pub(crate) fn is_open(&self) -> bool {
        self.marker && self.slot == Slot::Empty
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.marks % 2 == 1
    }
}

/// A pack. What it holds stays here when it is deleted, for a copy of it may come late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Pack {
    pub(crate) objects: Set,
    pub(crate) session: u8,
}

/// The decisions of one epoch of the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Epoch {
    pub(crate) condemned: bool,
    pub(crate) closed: bool,
    pub(crate) swept: bool,
    /// Packs that `condemned` names.
    pub(crate) packs: Set,
    /// Commits that `condemned` gives up.
    pub(crate) dropped: Set,
    /// Packs that `swept` names.
    pub(crate) gone: Set,
    /// Commits below the epoch that `swept` keeps.
    pub(crate) kept: Set,
}

/// Everything that is stored, and what the invariants need to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Store {
    pub(crate) sessions: [Session; SESSIONS],
    pub(crate) session_count: u8,
    pub(crate) packs: [Pack; PACKS],
    pub(crate) pack_count: u8,
    /// Packs that are there.
    pub(crate) present: Set,
    /// Packs that a segment of the index lists, whether they are there or not.
    pub(crate) segments: Set,
    /// Packs that are their own index while they are there.
    pub(crate) mixed: Set,
    /// Decisions of epoch 1 and so on.
    pub(crate) epochs: [Epoch; EPOCHS],
    /// Number of commits so far.
    pub(crate) clock: u8,
    /// Commits that have ceased to count.
    pub(crate) ended: Set,
}

/// Leaves out what is not there yet: it is the same in all stores.
impl Hash for Store {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.session_count.hash(hasher);
        self.sessions[..usize::from(self.session_count)].hash(hasher);
        self.pack_count.hash(hasher);
        self.packs[..usize::from(self.pack_count)].hash(hasher);
        (self.present, self.segments, self.mixed, self.ended, self.clock).hash(hasher);
        let highest = self.highest();
        highest.hash(hasher);
        self.epochs[..usize::from(highest)].hash(hasher);
    }
}

impl Store {
    /// The highest epoch of which there is a decision.
    pub(crate) fn highest(&self) -> u8 {
        let mut highest = 0;
        while usize::from(highest) < EPOCHS && self.epochs[usize::from(highest)].condemned {
            highest += 1;
        }
        highest
    }

    /// The highest epoch that is swept.
    pub(crate) fn floor(&self) -> u8 {
        let highest = self.highest();
        if highest > 0 && !self.epoch(highest).swept { highest - 1 } else { highest }
    }

    pub(crate) fn epoch(&self, epoch: u8) -> &Epoch {
        &self.epochs[usize::from(epoch) - 1]
    }

    pub(crate) fn epoch_mut(&mut self, epoch: u8) -> &mut Epoch {
        &mut self.epochs[usize::from(epoch) - 1]
    }

    pub(crate) fn session(&self, session: u8) -> &Session {
        &self.sessions[usize::from(session)]
    }

    pub(crate) fn session_mut(&mut self, session: u8) -> &mut Session {
        &mut self.sessions[usize::from(session)]
    }

    pub(crate) fn all_sessions(&self) -> Set {
        Set::below(self.session_count)
    }

    /// Sessions of which this holds.
    pub(crate) fn sessions_where(&self, holds: impl Fn(u8, &Session) -> bool) -> Set {
        self.all_sessions().that(|session| holds(session, self.session(session)))
    }

    /// What the index lists.
    pub(crate) fn index(&self) -> Set {
        self.segments | (self.mixed & self.present)
    }

    /// Packs that the `swept` of this epoch gives up.
    pub(crate) fn gone(&self, epoch: u8) -> Set {
        if epoch == 0 { Set::EMPTY } else { self.epoch(epoch).gone }
    }

    /// Whether the floor lets a commit of this session count.
    pub(crate) fn above_floor(&self, session: u8, floor: u8, rules: Rules) -> bool {
        rules.is(Mutant::FloorRuleOmitted)
            || self.session(session).epoch >= floor
            || self.epoch(floor).kept.has(session)
    }

    /// Whether there is a commit in the slot, and it counts.
    pub(crate) fn counts(&self, session: u8, rules: Rules) -> bool {
        self.session(session).slot == Slot::Commit && self.above_floor(session, self.floor(), rules)
    }

    /// All commits that count.
    pub(crate) fn counting(&self, rules: Rules) -> Set {
        self.sessions_where(|session, _| self.counts(session, rules))
    }

    /// Of these commits the checkpoints that are not the newest commit of their source.
    pub(crate) fn superseded(&self, commits: Set) -> Set {
        let newer = |than: &Session| {
            commits
                .members()
                .map(|commit| self.session(commit))
                .any(|commit| commit.source == than.source && commit.time > than.time)
        };
        self.sessions_where(|session, it| commits.has(session) && it.checkpoint && newer(it))
    }

    /// Of these commits the forgotten ones.
    pub(crate) fn forgotten(&self, commits: Set) -> Set {
        self.sessions_where(|session, it| commits.has(session) && it.is_forgotten())
    }

    /// All objects that these commits reach.
    pub(crate) fn reach(&self, commits: Set) -> Set {
        commits.all_of(|commit| self.session(commit).objects)
    }

    /// All objects in these packs.
    pub(crate) fn contents(&self, packs: Set) -> Set {
        packs.all_of(|pack| self.packs[usize::from(pack)].objects)
    }

    /// Of these packs those that hold the object.
    pub(crate) fn holding(&self, packs: Set, object: u8) -> Set {
        packs.that(|pack| self.packs[usize::from(pack)].objects.has(object))
    }

    /// Creates a session's marker.
    pub(crate) fn open(&mut self, actor: u8, source: u8, epoch: u8) -> u8 {
        let number = self.session_count;
        self.session_count += 1;
        let session = Session { epoch, marker: true, actor, source, ..Session::default() };
        *self.session_mut(number) = session;
        number
    }

    /// Fills a slot with a fence, if it is empty.
    pub(crate) fn fence(&mut self, session: u8) {
        let session = self.session_mut(session);
        if session.slot == Slot::Empty {
            session.slot = Slot::Fence;
        }
    }

    /// Writes a commit into its slot, whatever is there.
    pub(crate) fn commit(&mut self, session: u8, objects: Set, checkpoint: bool) {
        self.clock += 1;
        let time = self.clock;
        let session = self.session_mut(session);
        *session = Session { slot: Slot::Commit, objects, checkpoint, time, ..*session };
    }

    /// Stores a pack, not yet listed by any segment.
    pub(crate) fn store_pack(&mut self, session: u8, objects: Set) -> u8 {
        let number = self.pack_count;
        self.pack_count += 1;
        self.packs[usize::from(number)] = Pack { objects, session };
        self.present = self.present.with(number);
        number
    }
}
