//! Check: is everything there, and is it what was written?
//!
//! The structure is always checked: configuration, key slots, commits and their chains, marks, the index against the packs'
//! footers, trees against the index. With `read_data` every frame of all packs, or of a share of them, is opened too, and every
//! object's id compared; which packs were found whole is remembered, and those that wait longest are read first.
//! Whatever is wrong becomes a finding that names the object and the paths that it hits.

mod damage;
mod data;
mod history;
mod locks;
mod packs;
mod segments;
mod share;
mod store;
mod trees;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(in crate::ops) use damage::Damage;
pub(in crate::ops) use data::Data;
pub(in crate::ops) use packs::Packs;
pub use share::Share;
pub(in crate::ops) use trees::{is_damage, is_lost};

use crate::context::RunContext;
use crate::error::Error;
use crate::ops::threads::thread_count;
use crate::repo::{CacheSizes, History, Objects, Repository};

/// So often the structure is looked at while others change it.
const ROUNDS: usize = 3;
/// Requests at a time that keep a remote store busy.
const REQUESTS: usize = 8;

/// How a check is done.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions {
    /// Read and verify so much of the data.
    pub read_data: Option<Share>,
    /// Memory to use, in bytes.
    pub memory: u64,
    /// Threads; 0 takes as many as keep all cores and a remote store busy.
    pub workers: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { read_data: None, memory: /* 256 MiB */ 256 * 1024 * 1024, workers: 0 }
    }
}

impl CheckOptions {
    /// How many threads ask the store at a time.
    pub(in crate::ops) fn threads(&self) -> usize {
        match self.workers {
            0 => thread_count(0).max(REQUESTS),
            workers => workers,
        }
    }

    pub(in crate::ops) fn cache_sizes(&self) -> CacheSizes {
        CacheSizes {
            blocks: self.memory / 16,
            frames: self.memory / 16,
            footer_objects: (self.memory / 8 / 20) as usize,
        }
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

/// How much of the data is proven: read by this client, and whole when it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Proven {
    /// Bytes of all packs.
    pub data_bytes: u64,
    /// Bytes of those that were ever read and whole.
    pub proven_bytes: u64,
    /// Packs that were never read, or found damaged since.
    pub unproven_packs: u64,
    /// Bytes of them.
    pub unproven_bytes: u64,
    /// When that was of the pack for which it is longest ago: RFC 3339, UTC. `None` where nothing is proven.
    pub oldest: Option<String>,
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
    /// How much is proven, by this and by earlier checks.
    pub proven: Proven,
    /// Sessions that are open, or were left behind by a crash: no damage.
    pub open_sessions: u64,
    /// Packs that no index knows, left behind by a crash: no damage.
    pub unreferenced_packs: u64,
    /// What could not be checked, and is no damage.
    pub notes: Vec<String>,
}

/// Checks a repository. Blocks; not to be called on an async worker.
///
/// Safe beside backups and collectors: where something is missing and others were at work meanwhile, it is looked for again.
///
/// # Errors
/// If the repository cannot be listed or the check is cancelled. Damage is no error but a finding.
pub fn check(
    repository: &Arc<Repository>,
    options: &CheckOptions,
    ctx: &RunContext,
) -> Result<CheckReport, Error> {
    let mut data = Data::new(options.read_data, ctx);
    let mut scene = Scene::look(repository)?;
    let mut round = 1;
    let (mut report, damage, packs) = loop {
        let found = structure(repository, options, &mut data, ctx)?;
        let (report, damage, _) = &found;
        if round == ROUNDS || (report.findings.is_empty() && damage.is_empty()) {
            break found;
        }
        let now = Scene::look(repository)?;
        if now == scene {
            break found;
        }
        tracing::debug!(round, "others were at work during the check: it looks again");
        scene = now;
        round += 1;
    };
    store::check(repository, &mut report);
    locks::check(repository, &mut report);
    data.tell(repository, &packs, &mut report);
    if options.read_data.is_some() {
        data.remember_damage(repository, &damage, &packs, &mut report);
    }
    report.findings.extend(damage.findings());
    report.findings.sort();
    report.findings.dedup();
    Ok(report)
}

/// What people who are at work change.
#[derive(PartialEq, Eq)]
struct Scene(BTreeSet<String>);

impl Scene {
    fn look(repository: &Repository) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        for folder in ["gc", "index", "packs/mixed"] {
            names.extend(repository.store().list(folder)?.into_iter().map(|object| object.name));
        }
        Ok(Self(names))
    }
}

/// What a look at the structure works with.
struct Look<'a> {
    repository: &'a Repository,
    objects: &'a Arc<Objects>,
    history: &'a History,
    options: &'a CheckOptions,
    ctx: &'a RunContext,
}

/// Looks at everything but the data; at these too the first time.
fn structure(
    repository: &Arc<Repository>,
    options: &CheckOptions,
    data: &mut Data,
    ctx: &RunContext,
) -> Result<(CheckReport, Damage, Packs), Error> {
    let mut report = CheckReport::default();
    let mut damage = Damage::default();
    let history = history::check(repository, &mut report)?;
    let objects = Arc::new(Objects::load(repository, options.cache_sizes())?);
    let look = Look { repository, objects: &objects, history: &history, options, ctx };
    segments::check(&look, &mut report)?;
    let packs = packs::check(&look, data, &mut report, &mut damage)?;
    trees::check(&look, &mut report, &mut damage)?;
    Ok((report, damage, packs))
}

/// Reads all data, for whoever repairs: which packs and frames cannot be relied upon, in which history. What is found is
/// remembered as a check does.
pub(in crate::ops) fn examine(
    repository: &Arc<Repository>,
    options: &CheckOptions,
    ctx: &RunContext,
) -> Result<(History, Damage), Error> {
    let (mut data, mut report) = (Data::new(options.read_data, ctx), CheckReport::default());
    let mut damage = Damage::default();
    let history = repository.history()?;
    let objects = Arc::new(Objects::load(repository, options.cache_sizes())?);
    let look = Look { repository, objects: &objects, history: &history, options, ctx };
    let packs = packs::check(&look, &mut data, &mut report, &mut damage)?;
    data.tell(repository, &packs, &mut report);
    data.remember_damage(repository, &damage, &packs, &mut report);
    Ok((history, damage))
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
