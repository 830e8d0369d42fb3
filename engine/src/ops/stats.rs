//! How much a repository holds, from the store's listing, the index, and what the commits say of themselves.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::clock::rfc3339;
use crate::error::Error;
use crate::format::name::{ObjectName, SessionName};
use crate::format::pack::PackKind;
use crate::id::PackId;
use crate::ops::prune::PruneOptions;
use crate::parallel::{CONNECTIONS, map};
use crate::repo::{CacheSizes, Objects, Repository};

/// Stored objects of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stored {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was backed up of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SourceStats {
    /// Its snapshots.
    pub snapshots: u64,
    /// Entries of the newest one.
    pub entries: u64,
    /// Bytes that all of them sent to the store.
    pub bytes_added: u64,
    /// When the newest one was taken.
    pub newest: String,
}

/// Figures of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Bytes in the store, everything included.
    pub stored_bytes: u64,
    /// Bytes of all different objects before compression.
    pub raw_bytes: u64,
    /// Different objects.
    pub objects: u64,
    /// Packs in the store.
    pub packs: u64,
    /// Bytes of packs of sessions that are open: of backups that are under way or were broken off.
    pub pending_bytes: u64,
    /// Bytes of packs that a collector has condemned: the next one deletes them, unless sessions are open that were open then.
    pub condemned_bytes: u64,
    /// Such sessions.
    pub condemned_waits_for: u64,
    /// From when on a collector does not wait for them any more: RFC 3339, UTC. `None` where it waits for nobody.
    pub condemned_until: Option<String>,
    /// Sessions that are open, or were broken off and not ended yet.
    pub open_sessions: u64,
    /// Snapshots, without forgotten ones.
    pub snapshots: u64,
    /// Snapshots that were forgotten and whose data are still there.
    pub forgotten: u64,
    /// By kind of stored object.
    pub kinds: BTreeMap<String, Stored>,
    /// By name of the source.
    pub sources: BTreeMap<String, SourceStats>,
}

fn kind_name(name: &ObjectName) -> &'static str {
    match name {
        ObjectName::Config { .. } => "config",
        ObjectName::Key { .. } => "keys",
        ObjectName::Pack { kind, .. } => match kind {
            PackKind::Meta => "meta-packs",
            PackKind::Data => "data-packs",
            PackKind::Mixed => "mixed-packs",
        },
        ObjectName::Segment(_) => "index",
        ObjectName::Session(_) => "sessions",
        ObjectName::Slot(_) => "commits",
        ObjectName::Bundle(_) => "history",
        ObjectName::Mark(_) => "marks",
        ObjectName::Condemned(_) | ObjectName::Closed(_) | ObjectName::Swept(_) => "gc",
    }
}

/// Counts what a repository holds. Nothing is read but commits, marks and the directories of the index.
pub fn stats(repository: &Repository) -> Result<Stats, Error> {
    let history = repository.history()?;
    let open = repository.open_sessions()?;
    let mut stats = Stats { open_sessions: open.len() as u64, ..Stats::default() };
    let condemned = history.decisions.condemned_packs();
    let objects = Objects::load(repository, CacheSizes::default())?;
    (stats.objects, stats.raw_bytes) = objects.with_index(|index| {
        let frames = index.packs().flat_map(|pack| &pack.frames);
        let raw_bytes = frames.map(|frame| u64::from(frame.raw_len)).sum();
        (index.object_count(), raw_bytes)
    });
    let mut listed_by_commits = HashSet::new();
    for snapshot in &history.snapshots {
        let commit = &snapshot.commit;
        listed_by_commits.extend(commit.packs.iter().copied());
        if commit.checkpoint {
            continue;
        }
        if snapshot.forgotten {
            stats.forgotten += 1;
            continue;
        }
        stats.snapshots += 1;
        let source = stats.sources.entry(commit.source.name.clone()).or_default();
        source.snapshots += 1;
        source.bytes_added += commit.statistics.bytes_added;
        if source.newest <= commit.time {
            source.newest.clone_from(&commit.time);
            let roots = commit.collections.iter().filter_map(|it| it.root);
            source.entries = roots.map(|root| root.entries).sum();
        }
    }
    let mut unnamed = Vec::new();
    for object in repository.store().list("")? {
        stats.stored_bytes += object.length;
        let parsed = object.name.parse();
        let kind = parsed.as_ref().map_or("foreign", kind_name);
        let stored = stats.kinds.entry(kind.into()).or_default();
        stored.count += 1;
        stored.bytes += object.length;
        if let Ok(ObjectName::Pack { id, .. }) = parsed {
            stats.packs += 1;
            if condemned.contains(&id) {
                stats.condemned_bytes += object.length;
            } else if !listed_by_commits.contains(&id) {
                unnamed.push(id);
            }
        }
    }
    stats.pending_bytes = pending(&objects, &unnamed, &open)?;
    if stats.condemned_bytes > 0 && history.decisions.pending().is_some() {
        let epoch = history.decisions.epoch;
        let older: Vec<_> = open.iter().filter(|session| session.epoch < epoch).collect();
        let patience = PruneOptions::default().patience;
        let last = older.iter().map(|session| session.ulid.time() + patience).max();
        stats.condemned_waits_for = older.len() as u64;
        stats.condemned_until = last.map(rfc3339);
    }
    Ok(stats)
}

/// Bytes of those of some packs that belong to open sessions. Who wrote a pack is in its footer.
fn pending(
    objects: &Objects,
    packs: &[PackId],
    open: &BTreeSet<SessionName>,
) -> Result<u64, Error> {
    if open.is_empty() {
        return Ok(0);
    }
    let open: HashSet<_> = open.iter().map(|session| (session.writer, session.ulid)).collect();
    objects.read_unlisted()?;
    let known: Vec<_> =
        packs.iter().filter_map(|id| objects.with_index(|index| index.pack(id))).collect();
    let sessions = map(CONNECTIONS, &known, |pack| objects.session_of(pack));
    let mut bytes = 0;
    for (pack, session) in known.iter().zip(sessions) {
        if open.contains(&session?) {
            bytes += pack.length;
        }
    }
    Ok(bytes)
}
