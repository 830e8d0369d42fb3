//! Small worlds, each with a few actors, that are exhausted one by one.

use super::actors::Role;
use super::actors::collector::CollectorPlan;
use super::actors::late::Late;
use super::actors::marks::Forget;
use super::actors::reader::ReaderPlan;
use super::actors::writer::WriterPlan;
use super::mutants::Mutant;
use super::sets::Set;
use super::store::Store;

/// A store, and those who come to it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    pub(crate) cast: Vec<Role>,
    /// Mutants that this scenario is known to notice.
    pub(crate) notices: &'static [Mutant],
}

const WRITER: WriterPlan =
    WriterPlan { source: 0, checkpoint: None, objects: Set(0b1), mixed: false, restarts: 1 };

const COLLECTOR: CollectorPlan = CollectorPlan {
    runs: 1,
    epochs: 1,
    first_half_only: false,
    repacks: false,
    newest_homes: false,
};

/// A store with commits and packs, by what they hold; commit n was written by session n of a time
/// before the first epoch, pack n too.
fn store(commits: &[&[u8]], packs: &[&[u8]]) -> Store {
    let mut store = Store::default();
    for objects in commits {
        let session = store.open(u8::MAX, 0, 0);
        store.commit(session, Set::of(objects), false);
        store.session_mut(session).success = true;
    }
    for (session, objects) in packs.iter().enumerate() {
        let pack = store.store_pack(session as u8, Set::of(objects));
        store.segments = store.segments.with(pack);
    }
    store
}

fn writer(objects: &[u8]) -> Role {
    Role::Writer(WriterPlan { objects: Set::of(objects), ..WRITER })
}

fn collector() -> Role {
    Role::Collector(COLLECTOR)
}

/// All scenarios that are small enough for every run of the tests.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        two_writers(),
        parent_of_a_parent(),
        checkpoints(),
        checkpoints_two_collectors(),
        two_collectors(),
        two_second_halves(),
        repacking(),
        two_repack(),
        reader_in_two_epochs(),
        undelete(),
        undelete_then_backup(),
        late_copies(),
        late_pack(),
        late_segment(),
        orphan(),
        sleeping_writer_two_epochs(),
        objects_in_two_packs(),
    ]
}

/// A commit that may be forgotten while two writers reuse what it holds, by their parent or by the index.
fn two_writers() -> Scenario {
    Scenario {
        name: "two writers, a collector, a user who forgets",
        store: store(&[&[0]], &[&[0]]),
        cast: vec![writer(&[0, 1]), writer(&[0, 1]), collector(), Role::Forget(Forget::Session(0))],
        notices: &[],
    }
}

/// A writer builds on the commit of another one, which builds on what is condemned.
fn parent_of_a_parent() -> Scenario {
    let mut store = store(&[&[0]], &[&[0]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "a parent of a parent, forgotten meanwhile",
        store,
        cast: vec![writer(&[0]), writer(&[0]), collector(), Role::Forget(Forget::NewestOf(0))],
        notices: &[],
    }
}

fn checkpoints() -> Scenario {
    let long =
        WriterPlan { checkpoint: Some(Set::of(&[0, 1])), objects: Set::of(&[0, 1, 2]), ..WRITER };
    let short = WriterPlan { objects: Set::of(&[0]), restarts: 0, ..WRITER };
    let mut store = store(&[&[0, 2]], &[&[0], &[2]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "checkpoints, superseded by another writer",
        store,
        cast: vec![Role::Writer(long), Role::Writer(short), collector()],
        notices: &[],
    }
}

fn checkpoints_two_collectors() -> Scenario {
    let long =
        WriterPlan { checkpoint: Some(Set::of(&[0, 1])), objects: Set::of(&[0, 1, 2]), ..WRITER };
    let mut store = store(&[&[0, 2]], &[&[0], &[2]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "checkpoints, two collectors, two epochs",
        store,
        cast: vec![
            Role::Writer(long),
            Role::Collector(CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR }),
            Role::Collector(CollectorPlan { epochs: 2, ..COLLECTOR }),
        ],
        notices: &[],
    }
}

fn two_collectors() -> Scenario {
    let newest = CollectorPlan { newest_homes: true, ..COLLECTOR };
    Scenario {
        name: "two collectors, a writer, a user who forgets",
        store: store(&[&[0], &[1]], &[&[0, 1], &[0, 2]]),
        cast: vec![
            collector(),
            Role::Collector(newest),
            writer(&[0, 2]),
            Role::Forget(Forget::Session(0)),
        ],
        notices: &[],
    }
}

/// One process condemns, two others sweep.
fn two_second_halves() -> Scenario {
    let mut store = store(&[&[0, 1], &[1]], &[&[0], &[1]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "a first half, and two second ones",
        store,
        cast: vec![
            Role::Collector(CollectorPlan { first_half_only: true, ..COLLECTOR }),
            collector(),
            collector(),
            Role::Undelete(0),
        ],
        notices: &[],
    }
}

fn repacking() -> Scenario {
    let repacks = CollectorPlan { repacks: true, ..COLLECTOR };
    let mut store = store(&[&[0, 1], &[0]], &[&[0, 1]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "repacking, a reader, a writer",
        store,
        cast: vec![
            Role::Collector(repacks),
            Role::Reader(ReaderPlan { commit: 1, object: 0 }),
            writer(&[0, 1]),
        ],
        notices: &[],
    }
}

fn two_repack() -> Scenario {
    let repacks = CollectorPlan { repacks: true, ..COLLECTOR };
    let mut store = store(&[&[0, 1], &[0]], &[&[0, 1]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "two collectors that repack, a reader",
        store,
        cast: vec![
            Role::Collector(repacks),
            Role::Collector(CollectorPlan { newest_homes: true, ..repacks }),
            Role::Reader(ReaderPlan { commit: 1, object: 0 }),
        ],
        notices: &[],
    }
}

fn reader_in_two_epochs() -> Scenario {
    let repacks = CollectorPlan { repacks: true, runs: 2, epochs: 2, ..COLLECTOR };
    let mut store = store(&[&[0, 1], &[0, 2], &[0]], &[&[0, 1, 2]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "a slow reader, two epochs of repacking",
        store,
        cast: vec![
            Role::Collector(repacks),
            Role::Forget(Forget::Session(1)),
            Role::Reader(ReaderPlan { commit: 2, object: 0 }),
        ],
        notices: &[],
    }
}

fn undelete() -> Scenario {
    let mut store = store(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(1).marks = 1;
    Scenario {
        name: "forgotten, undeleted, forgotten again, a collector in two processes",
        store,
        cast: vec![
            Role::Collector(CollectorPlan { first_half_only: true, ..COLLECTOR }),
            collector(),
            Role::Forget(Forget::Session(0)),
            Role::Undelete(0),
            Role::Forget(Forget::Again(0)),
        ],
        notices: &[],
    }
}

fn undelete_then_backup() -> Scenario {
    let mut store = store(&[&[0]], &[&[0]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "undelete, a writer that would build on it",
        store,
        cast: vec![collector(), Role::Undelete(0), writer(&[0])],
        notices: &[],
    }
}

fn late_copies() -> Scenario {
    let runs = CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR };
    let mut store = store(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(0).checkpoint = true;
    Scenario {
        name: "a dropped checkpoint comes late, two epochs",
        store,
        cast: vec![
            Role::Collector(runs),
            Role::Late(Late::Commit(0)),
            Role::Late(Late::Marker(0)),
            Role::Forget(Forget::Session(1)),
            writer(&[0]),
        ],
        notices: &[],
    }
}

fn late_pack() -> Scenario {
    let runs = CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR };
    let mut store = store(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(0).marks = 1;
    store.mixed = Set::of(&[0]);
    store.segments = Set::of(&[1]);
    Scenario {
        name: "a deleted pack comes late, a collector sleeps, two epochs",
        store,
        cast: vec![
            Role::Collector(runs),
            collector(),
            Role::Late(Late::Pack(0)),
            Role::Forget(Forget::Session(1)),
            Role::Writer(WriterPlan { restarts: 0, ..WRITER }),
        ],
        notices: &[],
    }
}

fn late_segment() -> Scenario {
    let runs = CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR };
    let mut store = store(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "a merged segment comes late, two epochs",
        store,
        cast: vec![
            Role::Collector(runs),
            Role::Merger,
            Role::Forget(Forget::Session(1)),
            writer(&[0]),
        ],
        notices: &[],
    }
}

fn orphan() -> Scenario {
    let mut store = store(&[&[0]], &[&[0, 1]]);
    let crashed = store.open(u8::MAX, u8::MAX, 0);
    store.fence(crashed);
    store.store_pack(crashed, Set::of(&[0]));
    Scenario {
        name: "a pack without a segment, a reader, a writer",
        store,
        cast: vec![
            Role::Collector(CollectorPlan { newest_homes: true, ..COLLECTOR }),
            Role::Reader(ReaderPlan { commit: 0, object: 0 }),
            writer(&[0, 1]),
        ],
        notices: &[],
    }
}

fn sleeping_writer_two_epochs() -> Scenario {
    let runs = CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR };
    let mut store = store(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "a writer sleeps through two epochs",
        store,
        cast: vec![Role::Collector(runs), Role::Forget(Forget::Session(1)), writer(&[0, 1])],
        notices: &[],
    }
}

fn objects_in_two_packs() -> Scenario {
    let mut store = store(&[&[0]], &[&[0], &[0]]);
    store.session_mut(0).marks = 1;
    Scenario {
        name: "an object in two condemned packs",
        store,
        cast: vec![collector(), writer(&[0])],
        notices: &[],
    }
}
