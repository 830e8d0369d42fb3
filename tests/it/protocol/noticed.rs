//! Which scenario notices which mutant, and by which broken promise.

use super::invariants::Invariant::{
    self, ASuccessfulCommitStays, GarbageGoesInTheEnd, NothingKeptIsLost, OneCollectorAnEpoch,
    ReadersFindWhatIsKept, SweptStaysSwept, TheIndexFindsWhatIsKept, TooLateIsTrue,
    UndeleteKeepsItsWord,
};
use super::mutants::Mutant::{self, *};

const TWICE_STORED: &str = "an object in two condemned packs";
const PARENT: &str = "a parent of a parent";
const CHECKPOINTS: &str = "checkpoints, superseded by another writer";
const TWO_EPOCHS: &str = "a writer sleeps through two epochs";
const HALVES: &str = "a first half, and two second ones";
const OVERTAKEN: &str = "a collector is overtaken by one that finds other homes";
const SLOW_READER: &str = "a slow reader, two epochs of repacking";
const REPACKING: &str = "repacking, a writer";
const ORPHAN: &str = "a pack without a segment";
const UNDELETE: &str = "undelete, a collector in two processes";
const UNDELETE_BACKUP: &str = "undelete, a writer that would build on it";
const LATE_CHECKPOINT: &str = "a dropped checkpoint comes late";
const LATE_SEGMENT: &str = "a merged segment comes late";

/// Every critical mutant has a line here, and every promise.
pub(crate) const NOTICED: [(Mutant, &str, Invariant); 41] = [
    (DecisionsBeforeMarker, TWICE_STORED, NothingKeptIsLost),
    (ParentBeforeMarker, LATE_CHECKPOINT, NothingKeptIsLost),
    (StaleIndex, TWO_EPOCHS, NothingKeptIsLost),
    (LateMarkerGoesOn, TWICE_STORED, ASuccessfulCommitStays),
    (DecisionsIgnored, TWICE_STORED, NothingKeptIsLost),
    (RecordsBelieved, LATE_SEGMENT, NothingKeptIsLost),
    (ParentAmongDropped, LATE_CHECKPOINT, NothingKeptIsLost),
    (ParentNeedNotCount, LATE_CHECKPOINT, NothingKeptIsLost),
    (ParentNeedNotCount, UNDELETE_BACKUP, NothingKeptIsLost),
    (CommitUnderOwnName, TWICE_STORED, ASuccessfulCommitStays),
    (CommitBeforeSegments, CHECKPOINTS, TheIndexFindsWhatIsKept),
    (CheckpointBeforeNextSession, CHECKPOINTS, NothingKeptIsLost),
    (NextSessionReadsNothing, CHECKPOINTS, NothingKeptIsLost),
    (FencedCheckpointGoesOn, CHECKPOINTS, NothingKeptIsLost),
    (FencedKeepsItsFinds, TWICE_STORED, NothingKeptIsLost),
    (SessionsBeforeCondemned, TWICE_STORED, ASuccessfulCommitStays),
    (SessionsNotAwaited, TWICE_STORED, ASuccessfulCommitStays),
    (SessionsNotAwaited, CHECKPOINTS, NothingKeptIsLost),
    (CommitsNotReadAgain, TWICE_STORED, ASuccessfulCommitStays),
    (CommitsNotReadAgain, UNDELETE, UndeleteKeepsItsWord),
    (MarksBeforeClosed, UNDELETE_BACKUP, UndeleteKeepsItsWord),
    (ClosedOmitted, UNDELETE_BACKUP, UndeleteKeepsItsWord),
    (MoreThanDropped, PARENT, NothingKeptIsLost),
    (MoreThanDropped, UNDELETE, UndeleteKeepsItsWord),
    (SweptByEach, UNDELETE, NothingKeptIsLost),
    (SweptByEach, HALVES, OneCollectorAnEpoch),
    (HomesAmongCondemned, TWICE_STORED, NothingKeptIsLost),
    (UnlistedHomes, ORPHAN, ReadersFindWhatIsKept),
    (PacksDeletedBeforeSwept, UNDELETE_BACKUP, NothingKeptIsLost),
    (SegmentsDeletedFirst, SLOW_READER, ReadersFindWhatIsKept),
    (FloorRuleOmitted, UNDELETE_BACKUP, NothingKeptIsLost),
    (FloorRuleOmitted, LATE_CHECKPOINT, SweptStaysSwept),
    (FencesDeleted, TWICE_STORED, ASuccessfulCommitStays),
    (OldSessionsNotFenced, UNDELETE_BACKUP, GarbageGoesInTheEnd),
    (EpochLeftUnfinished, SLOW_READER, GarbageGoesInTheEnd),
    (EpochListedAgain, OVERTAKEN, NothingKeptIsLost),
    (UndeleteListsFirst, UNDELETE_BACKUP, UndeleteKeepsItsWord),
    (UnknownIsTooLate, UNDELETE, TooLateIsTrue),
    (ReaderNeverReloads, REPACKING, ReadersFindWhatIsKept),
    (ReaderNeverReloads, SLOW_READER, ReadersFindWhatIsKept),
    (ReaderReloadsOnce, SLOW_READER, ReadersFindWhatIsKept),
];
