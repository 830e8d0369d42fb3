//! Check: is everything there, and is it what was written?
//!
//! The structure is always checked: configuration, key slots, commits and their chains, marks, the index against the packs'
//! footers, trees against the index. `read_data` also opens every frame of every pack and compares every object's id.
//! Whatever is wrong becomes a finding that names the object and the paths that it hits.

mod history;
mod packs;
mod store;
mod trees;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::context::RunContext;
use crate::error::Error;
use crate::id::PackId;
use crate::repo::{CacheSizes, Objects, Remembered, Repository};

/// How a check is done.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions {
    /// Read and verify all data.
    pub read_data: bool,
    /// Memory to use, in bytes.
    pub memory: u64,
    /// Threads; 0 takes one for each core.
    pub workers: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { read_data: false, memory: /* 256 MiB */ 256 * 1024 * 1024, workers: 0 }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Finding {
    /// The object's path in the repository.
    pub object: String,
    /// What is wrong, one word: `missing`, `truncated`, `damaged`, `lost`, `rolled-back`, `unproven`.
    pub kind: String,
    /// What it hits.
    pub effect: String,
    /// What to do.
    pub hint: String,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    /// What is wrong; empty where nothing is.
    pub findings: Vec<Finding>,
    /// Snapshots that were checked, checkpoints included.
    pub snapshots: u64,
    /// Packs that were checked.
    pub packs: u64,
    /// Objects that snapshots refer to and that were found.
    pub objects: u64,
    /// Bytes that were read and verified.
    pub bytes_read: u64,
    /// Sessions that are open, or were left behind by a crash: no damage.
    pub open_sessions: u64,
    /// Packs that no index knows, left behind by a crash: no damage.
    pub unreferenced_packs: u64,
    /// What could not be checked, and is no damage.
    pub notes: Vec<String>,
}

/// Checks a repository. Blocks; not to be called on an async worker.
///
/// # Errors
/// If the repository cannot be listed or the check is cancelled. Damage is no error but a finding.
pub fn check(
    repository: &Arc<Repository>,
    options: &CheckOptions,
    ctx: &RunContext,
) -> Result<CheckReport, Error> {
    let sizes = CacheSizes {
        blocks: options.memory / 16,
        frames: options.memory / 16,
        footer_objects: (options.memory / 8 / 20) as usize,
    };
    let mut report = CheckReport::default();
    let mut damage = Damage::default();
    let history = history::check(repository, &mut report)?;
    let objects = Arc::new(Objects::load(repository, sizes)?);
    packs::check(repository, &objects, &history, options, &mut report, &mut damage, ctx)?;
    trees::check(&objects, &history, &mut report, &mut damage, ctx)?;
    store::check(repository, &mut report);
    if options.read_data {
        remember(repository, &damage);
    }
    report.findings.extend(damage.findings());
    report.findings.sort();
    report.findings.dedup();
    Ok(report)
}

/// The next backups of this client do not rely on what is damaged.
fn remember(repository: &Repository, damage: &Damage) {
    let of_frames = damage.frames.iter().map(|(pack, _)| *pack);
    let mut damaged: Vec<_> = damage.packs.iter().copied().chain(of_frames).collect();
    damaged.sort();
    damaged.dedup();
    let client = repository.client();
    if let Err(error) = client.remember(&Remembered { damaged, ..client.remembered() }) {
        tracing::warn!(%error, "the damage that was found cannot be remembered");
    }
}

/// What a damaged pack hits.
#[derive(Debug, Default)]
struct Hits {
    kind: String,
    what: String,
    paths: BTreeSet<String>,
    path_count: u64,
    snapshots: BTreeSet<String>,
}

/// Packs, and frames of packs, that cannot be relied upon.
#[derive(Debug, Default)]
struct Damage {
    packs: HashSet<PackId>,
    frames: HashSet<(PackId, u32)>,
    /// Names of damaged packs of which only the packs themselves said what they held.
    unknown: BTreeSet<String>,
    hits: BTreeMap<String, Hits>,
}

/// So many paths are named in a finding.
const NAMED_PATHS: usize = 5;

impl Damage {
    /// Notes a damaged object of the repository.
    fn note(&mut self, object: &str, kind: &str, what: &str) {
        let hits = self.hits.entry(object.into()).or_default();
        if hits.kind.is_empty() {
            kind.clone_into(&mut hits.kind);
            what.clone_into(&mut hits.what);
        }
    }

    /// Notes that a path needs what is damaged.
    fn hit(&mut self, object: &str, snapshot: &str, path: &str) {
        let hits = self.hits.entry(object.into()).or_default();
        hits.snapshots.insert(snapshot.into());
        if hits.paths.contains(path) {
            return;
        }
        hits.path_count += 1;
        if hits.paths.len() < NAMED_PATHS {
            hits.paths.insert(path.into());
        }
    }

    fn findings(self) -> impl Iterator<Item = Finding> {
        self.hits.into_iter().map(|(object, hits)| {
            let effect = if hits.path_count == 0 {
                format!("{}; no snapshot was seen to need it", hits.what)
            } else {
                let named: Vec<_> = hits.paths.iter().map(|path| format!("`{path}`")).collect();
                let more = hits.path_count - named.len() as u64;
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let snapshots: Vec<_> = hits.snapshots.into_iter().collect();
                let (paths, snapshots) = (named.join(", "), snapshots.join(", "));
                format!("{}; hits {paths}{more} in snapshot {snapshots}", hits.what)
            };
            let hint = "`esker backup --full SOURCE` stores anew what the source still has".into();
            let kind = if hits.kind.is_empty() { "lost".into() } else { hits.kind };
            Finding { object, kind, effect, hint }
        })
    }
}

/// An error with all its causes, for a finding.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let line = next.to_string();
        if !text.ends_with(&line) {
            text = format!("{text}: {line}");
        }
        cause = next.source();
    }
    text
}
