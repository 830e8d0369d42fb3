//! Small worlds, each with a few actors, that are exhausted one by one.

use super::actors::Role;
use super::actors::collector::CollectorPlan;
use super::actors::late::Late;
use super::actors::marks::Forget;
use super::actors::reader::ReaderPlan;
use super::actors::writer::WriterPlan;
use super::sets::Set;
use super::store::{Epoch, Store};

/// A store, and those who come to it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    pub(crate) cast: Vec<Role>,
}

const WRITER: WriterPlan =
    WriterPlan { source: 0, checkpoint: None, objects: Set(0b1), mixed: false, restarts: 1 };

const COLLECTOR: CollectorPlan = CollectorPlan {
    runs: 1,
    epochs: 1,
    first_half_only: false,
    repacks: false,
    newest_homes: false,
    fences_first: false,
};

/// Gives up when it meets a fence.
const ONCE: WriterPlan = WriterPlan { restarts: 0, ..WRITER };

const FIRST_HALF: CollectorPlan = CollectorPlan { first_half_only: true, ..COLLECTOR };
const TWICE: CollectorPlan = CollectorPlan { runs: 2, epochs: 2, ..COLLECTOR };
const REPACKS: CollectorPlan = CollectorPlan { repacks: true, ..COLLECTOR };
/// Finds other homes than the others do.
const OTHERWISE: CollectorPlan = CollectorPlan { newest_homes: true, ..COLLECTOR };

/// Stores a checkpoint with objects 0 and 1, and then needs object 2.
const LONG: WriterPlan = WriterPlan { checkpoint: Some(Set(0b011)), objects: Set(0b111), ..ONCE };

/// A store with commits and packs, by the objects that they hold. Commit n was written by session n before
/// the first epoch, pack n too.
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

/// The same, the first commit forgotten.
fn store_forgotten(commits: &[&[u8]], packs: &[&[u8]]) -> Store {
    let mut store = store(commits, packs);
    store.session_mut(0).marks = 1;
    store
}

fn writer(objects: &[u8]) -> Role {
    Role::Writer(WriterPlan { objects: Set::of(objects), ..WRITER })
}

fn reader(commit: u8) -> Role {
    Role::Reader(ReaderPlan { commit, object: 0 })
}

fn scenario(name: &'static str, store: Store, cast: Vec<Role>) -> Scenario {
    Scenario { name, store, cast }
}

/// All scenarios that are small enough for every run of the tests.
pub(crate) fn all() -> Vec<Scenario> {
    [writers(), collectors(), readers(), undeletes(), latecomers()].into_iter().flatten().collect()
}

/// Writers beside a collector, each with another way to rely on what is condemned.
pub(crate) fn writers() -> Vec<Scenario> {
    vec![
        scenario(
            "two writers, by their parent or by the index",
            store(&[&[0]], &[&[0]]),
            vec![
                writer(&[0, 1]),
                Role::Writer(WriterPlan { objects: Set(0b11), ..ONCE }),
                Role::Collector(COLLECTOR),
                Role::Forget(Forget::Session(0)),
            ],
        ),
        scenario(
            "the policy time is over",
            store_forgotten(&[&[0, 2]], &[&[0], &[2]]),
            vec![
                Role::Writer(ONCE),
                Role::Writer(LONG),
                Role::Collector(CollectorPlan { fences_first: true, ..COLLECTOR }),
            ],
        ),
        scenario(
            "a parent of a parent",
            store_forgotten(&[&[0]], &[&[0]]),
            vec![
                writer(&[0]),
                writer(&[0]),
                Role::Collector(COLLECTOR),
                Role::Forget(Forget::NewestOf(0)),
            ],
        ),
        scenario(
            "an object in two condemned packs",
            store_forgotten(&[&[0]], &[&[0], &[0]]),
            vec![Role::Collector(COLLECTOR), writer(&[0])],
        ),
        scenario(
            "checkpoints, superseded by another writer",
            store_forgotten(&[&[0, 2]], &[&[0], &[2]]),
            vec![Role::Writer(LONG), Role::Writer(ONCE), Role::Collector(COLLECTOR)],
        ),
        scenario(
            "checkpoints, two collectors",
            store_forgotten(&[&[0, 2]], &[&[0], &[2]]),
            vec![Role::Writer(LONG), Role::Collector(COLLECTOR), Role::Collector(FIRST_HALF)],
        ),
        scenario(
            "a writer sleeps through two epochs",
            store_forgotten(&[&[0], &[1]], &[&[0], &[1]]),
            vec![Role::Collector(TWICE), Role::Forget(Forget::Session(1)), writer(&[0, 1])],
        ),
    ]
}

/// Several collectors at once.
pub(crate) fn collectors() -> Vec<Scenario> {
    vec![
        scenario(
            "two collectors that find other homes",
            store(&[&[0], &[1]], &[&[0, 1], &[0, 2]]),
            vec![
                Role::Collector(COLLECTOR),
                Role::Collector(OTHERWISE),
                writer(&[0, 2]),
                Role::Forget(Forget::Session(0)),
            ],
        ),
        scenario(
            "a collector is overtaken by one that finds other homes",
            store_forgotten(&[&[1], &[0]], &[&[0], &[0, 1]]),
            vec![
                Role::Collector(COLLECTOR),
                Role::Collector(CollectorPlan { epochs: 2, ..OTHERWISE }),
            ],
        ),
        scenario(
            "a first half, and two second ones",
            store_forgotten(&[&[0, 1], &[1]], &[&[0], &[1]]),
            vec![
                Role::Collector(FIRST_HALF),
                Role::Collector(COLLECTOR),
                Role::Collector(COLLECTOR),
                Role::Undelete(0),
            ],
        ),
    ]
}

/// Readers beside collectors that repack; packs of which the index knows nothing.
pub(crate) fn readers() -> Vec<Scenario> {
    let mut orphan = store(&[&[0]], &[&[0, 1]]);
    let crashed = orphan.open(u8::MAX, u8::MAX, 0);
    orphan.fence(crashed);
    orphan.store_pack(crashed, Set::of(&[0]));
    vec![
        scenario(
            "repacking, a writer",
            store_forgotten(&[&[0, 1], &[0]], &[&[0, 1]]),
            vec![Role::Collector(REPACKS), reader(1), writer(&[0, 1])],
        ),
        scenario(
            "two collectors that repack",
            store_forgotten(&[&[0, 1], &[0]], &[&[0, 1]]),
            vec![
                Role::Collector(REPACKS),
                Role::Collector(CollectorPlan { repacks: true, ..OTHERWISE }),
                reader(1),
            ],
        ),
        scenario(
            "a slow reader, two epochs of repacking",
            store_forgotten(&[&[0, 1], &[0, 2], &[0]], &[&[0, 1, 2]]),
            vec![
                Role::Collector(CollectorPlan { repacks: true, ..TWICE }),
                Role::Forget(Forget::Session(1)),
                reader(2),
            ],
        ),
        scenario(
            "a pack without a segment",
            orphan,
            vec![Role::Collector(OTHERWISE), reader(0), writer(&[0, 1])],
        ),
    ]
}

/// Users who think better of it.
pub(crate) fn undeletes() -> Vec<Scenario> {
    let mut other_forgotten = store(&[&[0], &[1]], &[&[0], &[1]]);
    other_forgotten.session_mut(1).marks = 1;
    vec![
        scenario(
            "undelete, a collector in two processes",
            other_forgotten,
            vec![
                Role::Collector(FIRST_HALF),
                Role::Collector(COLLECTOR),
                Role::Forget(Forget::Session(0)),
                Role::Undelete(0),
                Role::Forget(Forget::Again(0)),
            ],
        ),
        scenario(
            "undelete, a writer that would build on it",
            store_forgotten(&[&[0]], &[&[0]]),
            vec![Role::Collector(COLLECTOR), Role::Undelete(0), writer(&[0])],
        ),
        scenario(
            "undelete, two epochs",
            store_forgotten(&[&[0]], &[&[0]]),
            vec![
                Role::Collector(TWICE),
                Role::Undelete(0),
                Role::Forget(Forget::Again(0)),
                Role::Writer(ONCE),
            ],
        ),
    ]
}

/// Copies of requests that arrive when what they made was deleted, and segments that are out of date.
pub(crate) fn latecomers() -> Vec<Scenario> {
    let mut superseded = store(&[&[0], &[1]], &[&[0], &[1]]);
    superseded.session_mut(0).checkpoint = true;
    vec![
        scenario(
            "a dropped checkpoint comes late",
            superseded,
            vec![
                Role::Collector(TWICE),
                Role::Late(Late::Commit(0)),
                Role::Late(Late::Marker(0)),
                Role::Forget(Forget::Session(1)),
                writer(&[0]),
            ],
        ),
        scenario(
            "a deleted pack comes late",
            half_swept(),
            vec![
                Role::Collector(CollectorPlan { epochs: 2, ..COLLECTOR }),
                Role::Late(Late::Pack(0)),
                writer(&[0]),
            ],
        ),
        scenario(
            "a merged segment comes late",
            store_forgotten(&[&[0], &[1]], &[&[0], &[1]]),
            vec![
                Role::Collector(TWICE),
                Role::Merger,
                Role::Forget(Forget::Session(1)),
                writer(&[0]),
            ],
        ),
    ]
}

/// Epoch 1 has given up the first commit; its pack, which is its own index, is still there. The second commit
/// is forgotten since.
fn half_swept() -> Store {
    let mut store = store_forgotten(&[&[0], &[1]], &[&[0], &[1]]);
    store.session_mut(1).marks = 1;
    store.mixed = Set::of(&[0]);
    store.segments = Set::of(&[1]);
    store.ended = Set::of(&[0]);
    *store.epoch_mut(1) = Epoch {
        condemned: true,
        closed: true,
        swept: true,
        packs: Set::of(&[0]),
        dropped: Set::of(&[0]),
        gone: Set::of(&[0]),
        kept: Set::of(&[1]),
    };
    store
}

/// What no order of the steps helps against: a copy of a pack comes late, and a collector that slept since
/// it was to delete that pack wakes, and deletes it.
pub(crate) fn beyond_what_is_assumed() -> Scenario {
    scenario(
        "a deleted pack comes late, a collector sleeps",
        half_swept(),
        vec![
            Role::Collector(CollectorPlan { epochs: 2, ..COLLECTOR }),
            Role::Collector(COLLECTOR),
            Role::Late(Late::Pack(0)),
            writer(&[0]),
        ],
    )
}

/// Larger ones, for when there is time.
pub(crate) fn large() -> Vec<Scenario> {
    let mixed = WriterPlan { mixed: true, ..WRITER };
    let mut mixed_store = store(&[&[0], &[1]], &[&[0], &[1]]);
    mixed_store.session_mut(0).marks = 1;
    mixed_store.mixed = Set::of(&[0]);
    mixed_store.segments = Set::of(&[1]);
    let long = WriterPlan { restarts: 1, ..LONG };
    vec![
        scenario(
            "two writers that both start again",
            store(&[&[0]], &[&[0]]),
            vec![
                writer(&[0, 1]),
                writer(&[0, 1]),
                Role::Collector(COLLECTOR),
                Role::Forget(Forget::Session(0)),
            ],
        ),
        scenario(
            "checkpoints, superseded by another writer, both start again",
            store_forgotten(&[&[0, 2]], &[&[0], &[2]]),
            vec![Role::Writer(long), writer(&[0]), Role::Collector(COLLECTOR)],
        ),
        scenario(
            "checkpoints, two collectors, two epochs",
            store_forgotten(&[&[0, 2]], &[&[0], &[2]]),
            vec![
                Role::Writer(long),
                Role::Collector(TWICE),
                Role::Collector(CollectorPlan { runs: 1, ..TWICE }),
            ],
        ),
        scenario(
            "a deleted pack comes late, two epochs",
            mixed_store,
            vec![
                Role::Collector(TWICE),
                Role::Late(Late::Pack(0)),
                Role::Forget(Forget::Session(1)),
                Role::Writer(mixed),
            ],
        ),
        scenario(
            "two collectors that repack, a reader, a writer",
            store_forgotten(&[&[0, 1], &[0]], &[&[0, 1]]),
            vec![
                Role::Collector(REPACKS),
                Role::Collector(CollectorPlan { repacks: true, ..OTHERWISE }),
                reader(1),
                writer(&[0, 1]),
            ],
        ),
    ]
}
