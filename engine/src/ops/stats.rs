//! How much a repository holds, from the store's listing, the index, and what the commits say of themselves.

use std::collections::{BTreeMap, HashSet};

use crate::error::Error;
use crate::format::name::ObjectName;
use crate::format::pack::PackKind;
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
    /// Bytes of packs that no commit lists: of backups that are under way or were broken off.
    pub pending_bytes: u64,
    /// Bytes of packs that a collector has condemned: they go when the sessions have ended that were open then.
    pub condemned_bytes: u64,
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
    let mut stats =
        Stats { open_sessions: repository.open_sessions()?.len() as u64, ..Stats::default() };
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
                continue;
            }
            if !listed_by_commits.contains(&id) {
                stats.pending_bytes += object.length;
            }
        }
    }
    Ok(stats)
}
