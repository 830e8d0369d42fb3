//! The writer's side of the protocol: marker, decisions, parent, …, commit (FORMAT.md §10).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::client::SessionLock;
use super::{Decisions, Remembered, RepoError, Repository};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::crypto::{CryptoError, random};
use crate::format::commit::{self, Commit, CommitRef, Mark, MarkAction, SessionMarker, Slot};
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::{self, MAX_SEALED_BYTES, SealedKind};
use crate::id::{PackId, SnapshotId, Ulid};
use crate::store::{Created, Durability};

/// The version of the bodies that this program writes.
pub(crate) const BODY_VERSION: u32 = 1;

/// An open session: its marker exists, its slot does not.
#[derive(Debug)]
pub struct Session {
    /// Its name.
    pub name: SessionName,
    /// When it was opened: RFC 3339, UTC.
    pub started: String,
    condemned: HashSet<PackId>,
    lock: Mutex<Option<SessionLock>>,
}

/// A commit that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// Its slot.
    pub slot: SessionName,
}

impl Session {
    /// True for a pack that a collector is about to sweep: it must not be deduplicated against.
    pub fn is_condemned(&self, pack: &PackId) -> bool {
        self.condemned.contains(pack)
    }

    fn release(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lock) = lock {
            lock.release();
        }
    }
}

fn new_ulid(ctx: &RunContext) -> Result<Ulid, CryptoError> {
    Ok(Ulid::new(ctx.clock.now().as_millis() as u64, random()?))
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn program() -> String {
    concat!("esker ", env!("CARGO_PKG_VERSION")).into()
}

impl Repository {
    /// Opens a session: takes the epoch, creates the marker, *then* reads the collector's decisions.
    pub fn open_session(&self, ctx: &RunContext) -> Result<Session, RepoError> {
        self.open_session_avoiding([], ctx)
    }

    /// As [`open_session`](Self::open_session); nothing in these packs is deduplicated against.
    pub(crate) fn open_session_avoiding(
        &self,
        packs: impl IntoIterator<Item = PackId>,
        ctx: &RunContext,
    ) -> Result<Session, RepoError> {
        let mut session = loop {
            let (session, epoch) = self.begin_session(ctx)?;
            if session.name.epoch == epoch {
                break session;
            }
            // A collector that has begun meanwhile may not have seen the marker: it would not wait for this session.
            self.abandon(&session, ctx)?;
        };
        session.condemned.extend(packs);
        Ok(session)
    }

    /// Opens a session, and says which epoch it is now that the marker exists.
    fn begin_session(&self, ctx: &RunContext) -> Result<(Session, u32), RepoError> {
        let started = rfc3339(ctx.clock.now());
        let epoch = self.newest_epoch()?;
        let mut ulid = new_ulid(ctx)?;
        // Commits count in the order of their names: a clock that was set back must not make an older one the newest.
        if let Some(head) = self.client().remembered().head {
            ulid = ulid.max(Ulid(head.slot.ulid.0.saturating_add(1)));
        }
        let name = SessionName { epoch, writer: self.client().writer(), ulid };
        let lock = self.client().lock(name)?;
        let marker = SessionMarker {
            version: BODY_VERSION,
            started: started.clone(),
            host: host(),
            program: program(),
        };
        self.create_sealed(
            ObjectName::Session(name),
            SealedKind::Session,
            &commit::encode(&marker),
            Durability::Volatile,
        )?;
        let decisions = self.decisions()?;
        let condemned = self.condemned(&decisions);
        Ok((Session { name, started, condemned, lock: Mutex::new(lock) }, decisions.epoch))
    }

    /// A session that nobody sees and that cannot commit, for finding out what a backup would do.
    pub fn imagine_session(&self, ctx: &RunContext) -> Result<Session, RepoError> {
        let epoch = self.newest_epoch()?;
        let name = SessionName { epoch, writer: self.client().writer(), ulid: new_ulid(ctx)? };
        let started = rfc3339(ctx.clock.now());
        let condemned = self.condemned(&self.decisions()?);
        Ok(Session { name, started, condemned, lock: Mutex::default() })
    }

    /// The newest epoch of a collector: all that must be known before the marker exists.
    fn newest_epoch(&self) -> Result<u32, RepoError> {
        let epoch = |name: &str| match name.parse() {
            Ok(
                ObjectName::Condemned(epoch) | ObjectName::Closed(epoch) | ObjectName::Swept(epoch),
            ) => Some(epoch),
            _ => None,
        };
        let listed = self.store().list("gc")?;
        Ok(listed.iter().filter_map(|object| epoch(&object.name)).max().unwrap_or(0))
    }

    /// Packs that must not be deduplicated against.
    fn condemned(&self, decisions: &Decisions) -> HashSet<PackId> {
        let mut packs = decisions.condemned_packs();
        // What a check found damaged is stored anew as far as the source still has it.
        packs.extend(self.client().remembered().damaged);
        packs
    }

    /// All sessions that have a marker, and whether their slots are filled.
    pub fn sessions(&self) -> Result<BTreeMap<SessionName, bool>, RepoError> {
        // Markers before slots: a session that ends meanwhile is taken for open, and not the other way round.
        let markers = self.store().list("sessions")?;
        let slots: HashSet<_> =
            self.store().list("commits")?.into_iter().map(|it| it.name).collect();
        let session = |name: &str| match name.parse() {
            Ok(ObjectName::Session(session)) => Some(session),
            _ => None,
        };
        let names = markers.iter().filter_map(|it| session(&it.name));
        Ok(names.map(|it| (it, slots.contains(&ObjectName::Slot(it).to_string()))).collect())
    }

    /// The sessions that are open: a marker, and nothing in the slot.
    pub fn open_sessions(&self) -> Result<BTreeSet<SessionName>, RepoError> {
        let open = self.sessions()?.into_iter().filter(|(_, has_slot)| !has_slot);
        Ok(open.map(|(name, _)| name).collect())
    }

    pub(crate) fn create_sealed(
        &self,
        name: ObjectName,
        kind: SealedKind,
        json: &[u8],
        durability: Durability,
    ) -> Result<(Created, SnapshotId), RepoError> {
        let name = name.to_string();
        let bytes = Bytes::from(sealed::seal(self.keys(), kind, &name, json)?);
        let hash = SnapshotId(*blake3::hash(&bytes).as_bytes());
        Ok((self.store().create(&name, bytes, durability)?, hash))
    }

    /// Fills the session's slot with its commit.
    ///
    /// # Errors
    /// `Fenced` if somebody ended the session before; the work may be done again in a new session.
    pub fn commit(&self, session: &Session, commit: Commit) -> Result<Commitment, RepoError> {
        let name = ObjectName::Slot(session.name);
        let sequence = commit.sequence;
        let json = commit::encode(&Slot::Commit(Box::new(commit)));
        let (created, id) =
            self.create_sealed(name, SealedKind::Slot, &json, Durability::Durable)?;
        if created == Created::Exists {
            return Err(self.fenced(session));
        }
        session.release();
        let head = Some(CommitRef { slot: session.name, hash: id });
        // The commit stands; a memory that cannot be kept only weakens what `check` notices later.
        let remembered = Remembered { head, sequence, ..self.client().remembered() };
        if let Err(error) = self.client().remember(&remembered) {
            tracing::warn!(%error, "the newest commit cannot be remembered");
        }
        Ok(Commitment { id, slot: session.name })
    }

    fn fenced(&self, session: &Session) -> RepoError {
        let name = ObjectName::Slot(session.name).to_string();
        let read = || {
            let bytes = self.store().read(&name, MAX_SEALED_BYTES).ok()?;
            let json = sealed::open(self.keys(), SealedKind::Slot, &name, &bytes).ok()?;
            match commit::decode(&json).ok()? {
                Slot::Fence { reason, .. } => Some(reason),
                Slot::Commit(_) => Some("its slot holds another commit".into()),
            }
        };
        let reason = read().unwrap_or_else(|| "its slot holds something unreadable".into());
        RepoError::Fenced { session: session.name.to_string(), reason }
    }

    /// Ends a session that will not commit, so that no collector waits for it.
    pub fn abandon(&self, session: &Session, ctx: &RunContext) -> Result<(), RepoError> {
        self.fence(session.name, "the session was abandoned", ctx)?;
        session.release();
        Ok(())
    }

    pub(crate) fn fence(
        &self,
        name: SessionName,
        reason: &str,
        ctx: &RunContext,
    ) -> Result<(), RepoError> {
        let fence = Slot::Fence {
            version: BODY_VERSION,
            by: self.client().writer(),
            reason: reason.into(),
            time: rfc3339(ctx.clock.now()),
        };
        let json = commit::encode(&fence);
        self.create_sealed(ObjectName::Slot(name), SealedKind::Slot, &json, Durability::Durable)?;
        Ok(())
    }

    /// Fences the sessions of this client whose process is gone, so that they hold no garbage.
    pub fn fence_dead_sessions(&self, ctx: &RunContext) -> Result<(), RepoError> {
        for name in self.client().dead_sessions() {
            // Another client of the same folder may use another repository there no more.
            if name.writer == self.client().writer() {
                self.fence(name, "its process is gone", ctx)?;
            }
            self.client().bury(name);
        }
        Ok(())
    }

    /// Says something about commits.
    pub fn mark(
        &self,
        action: MarkAction,
        commits: &[SessionName],
        tag: Option<&str>,
        ctx: &RunContext,
    ) -> Result<(), RepoError> {
        let mut previous = self.store().list("marks")?.pop().map(|object| object.name);
        for commit in commits {
            let mark = Mark {
                version: BODY_VERSION,
                action,
                commit: *commit,
                tag: tag.map(Into::into),
                time: rfc3339(ctx.clock.now()),
                writer: self.client().writer(),
                previous: previous.take(),
            };
            let mut ulid = new_ulid(ctx)?;
            // Marks count in the order of their names: a clock that stands or was set back must not reorder them.
            let newest = Self::newest_mark_before(mark.previous.as_deref());
            if newest.is_some_and(|newest| ulid <= newest) {
                ulid = Ulid(newest.map_or(ulid.0, |newest| newest.0 + 1));
            }
            let name = ObjectName::Mark(ulid);
            self.create_sealed(
                name,
                SealedKind::Mark,
                &commit::encode(&mark),
                Durability::Durable,
            )?;
            previous = Some(name.to_string());
        }
        if previous.is_some() {
            let remembered = Remembered { mark: previous, ..self.client().remembered() };
            self.client().remember(&remembered)?;
        }
        Ok(())
    }

    fn newest_mark_before(previous: Option<&str>) -> Option<Ulid> {
        match previous?.parse() {
            Ok(ObjectName::Mark(ulid)) => Some(ulid),
            _ => None,
        }
    }

    /// What a new commit says of itself whatever its source.
    pub(crate) fn program_and_host() -> (String, String) {
        (program(), host())
    }
}
