//! Critical steps of the protocol, swapped or left out: every one of them must be noticed.

/// One thing that is done otherwise than `docs/FORMAT.md` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    // Writers.
    /// The decisions are read before the marker is created, and not again.
    DecisionsBeforeMarker,
    /// The parent is chosen before the marker is created.
    ParentBeforeMarker,
    /// A local copy of the index and of footers, from before the marker, is used.
    StaleIndex,
    /// A session goes on though a higher epoch has begun before its marker was there.
    LateMarkerGoesOn,
    /// Packs are reused whatever the decisions say.
    DecisionsIgnored,
    /// A record of the index is believed without a look whether the pack is there.
    RecordsBelieved,
    /// A parent may be one of `dropped` of a pending epoch.
    ParentAmongDropped,
    /// A parent need not count: it is listed and not forgotten.
    ParentNeedNotCount,
    /// The writer looks for a fence, and then writes its commit under a name of its own.
    CommitUnderOwnName,
    /// The commit is stored before the segments.
    CommitBeforeSegments,
    /// A checkpoint fills slot n before session n+1 is open.
    CheckpointBeforeNextSession,
    /// Session n+1 is opened without reading the decisions.
    NextSessionReadsNothing,
    /// A writer that meets a fence with a checkpoint goes on in session n+1.
    FencedCheckpointGoesOn,
    /// A writer that meets a fence opens another session, and keeps what it has found before.
    FencedKeepsItsFinds,

    // Collectors.
    /// The sessions of the first half are those that the second one waits for.
    SessionsBeforeCondemned,
    /// The second half waits for no session.
    SessionsNotAwaited,
    /// Sessions are waited for, but commits are not read again.
    CommitsNotReadAgain,
    /// Commits and marks are read before `closed` is created.
    MarksBeforeClosed,
    /// No `closed` is created.
    ClosedOmitted,
    /// What is not in `dropped` may be given up too, if it was forgotten or superseded since.
    MoreThanDropped,
    /// Of two second halves each follows its own list.
    SweptByEach,
    /// A condemned pack is rescued only if no pack at all holds the object, condemned or not.
    HomesAmongCondemned,
    /// A pack that the index does not list is as good a home as any other.
    UnlistedHomes,
    /// Packs are deleted when they are condemned and no longer needed, before `swept` says so.
    PacksDeletedBeforeSwept,
    /// Segments that list swept packs are deleted before new ones take their place.
    SegmentsDeletedFirst,
    /// Commits below the floor count, whatever `swept` keeps.
    FloorRuleOmitted,
    /// Fences are deleted with the slots that do not count any more.
    FencesDeleted,

    /// Sessions are fenced only by a second half, so not where there is nothing to condemn.
    OldSessionsNotFenced,
    /// An epoch that is swept is not finished before the next one begins.
    EpochLeftUnfinished,
    /// The number of the next epoch is that of another listing than the one which said what is to be finished.
    EpochListedAgain,

    // Undelete and readers.
    /// The decisions are listed before the mark is created.
    UndeleteListsFirst,
    /// `closed` without `swept` is taken for too late.
    UnknownIsTooLate,
    /// The index is not loaded anew when a pack is missing.
    ReaderNeverReloads,
    /// The index is loaded anew once, and never again.
    ReaderReloadsOnce,

    // Steps that are not needed for safety: leaving them out goes unnoticed.
    /// The decisions are not listed again when `condemned` was created.
    CondemnedNotListedAgain,
    /// Packs of open sessions are condemned like any other.
    OpenPacksCondemned,
    /// Sessions and slots are listed before the packs.
    SessionsBeforePacks,
}

impl Mutant {
    /// All that some scenario must notice.
    pub(crate) const CRITICAL: [Self; 34] = [
        Self::DecisionsBeforeMarker,
        Self::ParentBeforeMarker,
        Self::StaleIndex,
        Self::LateMarkerGoesOn,
        Self::DecisionsIgnored,
        Self::RecordsBelieved,
        Self::ParentAmongDropped,
        Self::ParentNeedNotCount,
        Self::CommitUnderOwnName,
        Self::CommitBeforeSegments,
        Self::CheckpointBeforeNextSession,
        Self::NextSessionReadsNothing,
        Self::FencedCheckpointGoesOn,
        Self::FencedKeepsItsFinds,
        Self::SessionsBeforeCondemned,
        Self::SessionsNotAwaited,
        Self::CommitsNotReadAgain,
        Self::MarksBeforeClosed,
        Self::ClosedOmitted,
        Self::MoreThanDropped,
        Self::SweptByEach,
        Self::HomesAmongCondemned,
        Self::UnlistedHomes,
        Self::PacksDeletedBeforeSwept,
        Self::SegmentsDeletedFirst,
        Self::FloorRuleOmitted,
        Self::FencesDeleted,
        Self::OldSessionsNotFenced,
        Self::EpochLeftUnfinished,
        Self::EpochListedAgain,
        Self::UndeleteListsFirst,
        Self::UnknownIsTooLate,
        Self::ReaderNeverReloads,
        Self::ReaderReloadsOnce,
    ];

    /// Steps that make collecting cheaper, not safer.
    pub(crate) const REDUNDANT: [Self; 3] =
        [Self::CondemnedNotListedAgain, Self::OpenPacksCondemned, Self::SessionsBeforePacks];
}

/// The protocol as it is, or with one mutant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) mutant: Option<Mutant>,
}

impl Rules {
    pub(crate) fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
