//! What the tests of this crate share. Repositories, sources and stores for tests come from `esker_engine::testing`.

pub mod run_cli;

use std::path::PathBuf;

pub use esker_engine::testing::{
    Call, CancelAfter, Fault, FaultyStore, Item, Key, MemorySource, Model, Operation, TempRepo,
    TickingClock, Trouble, Volatile, noise, read_one, read_snapshot, runtime, small_options, words,
};

use esker_engine::format::commit::StoredRoot;
use esker_engine::id::SnapshotId;
use esker_engine::ops::backup::{BackupOptions, BackupReport};
use esker_engine::source::ScanMode;

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate is in a workspace").into()
}

/// Options of a full backup with little memory.
pub fn full_options() -> BackupOptions {
    BackupOptions { mode: ScanMode::Full, ..small_options() }
}

/// The collections' roots of a report.
pub fn roots(report: &BackupReport) -> Vec<Option<StoredRoot>> {
    report.collections.iter().map(|it| it.root).collect()
}

/// A source of issues and files: records of a few hundred bytes, contents that are inline, one object, several, a list, sparse.
pub fn issues_and_files(identity: &str, issues: u64) -> MemorySource {
    let source = MemorySource::new(identity, &["issues", "files"]);
    for number in 0..issues {
        let text = words(number, 100 + (number as usize * 37) % 900);
        source.put("issues", format!("issue/{number:05}"), Item::document(text));
    }
    for (name, length) in
        [("empty", 0), ("inline", 50), ("small", 20_000), ("parts", 150_000), ("list", 1_500_000)]
    {
        let item = Item::file(noise(length as u64, length));
        source.put("files", format!("folder\0{name}"), item);
    }
    let mut sparse = noise(7, 100_000).to_vec();
    sparse.resize(1_000_000, 0);
    sparse.extend_from_slice(&noise(8, 70_000));
    source.put("files", "folder\0sparse", Item::file(sparse));
    source
}

/// A repository and the plain copies that its snapshots must equal.
#[derive(Clone, Default)]
pub struct Copies(Vec<(SnapshotId, Model)>);

impl Copies {
    /// Keeps what a snapshot should hold.
    pub fn keep(&mut self, report: &BackupReport, model: Model) {
        self.0.push((report.snapshot.expect("a snapshot was made"), model));
    }

    /// Drops the copy of a forgotten snapshot.
    pub fn forget(&mut self, id: SnapshotId) {
        self.0.retain(|(known, _)| *known != id);
    }

    /// The copy of a snapshot.
    ///
    /// # Panics
    /// Where there is none.
    pub fn of(&self, id: SnapshotId) -> &Model {
        let found = self.0.iter().find(|(known, _)| *known == id);
        &found.expect("the snapshot has a copy").1
    }

    /// Compares every visible snapshot with its copy.
    ///
    /// # Panics
    /// Where one is missing, cannot be read or differs.
    pub fn assert_equal(&self, repo: &TempRepo) {
        let snapshots = repo.snapshots();
        for (id, model) in &self.0 {
            let snapshot = snapshots.iter().find(|snapshot| snapshot.id == *id);
            let snapshot = snapshot.unwrap_or_else(|| panic!("snapshot {} is gone", id.short()));
            let read = repo.read(snapshot);
            let read = read.unwrap_or_else(|error| panic!("snapshot {}: {error:?}", id.short()));
            assert_same(&read, model);
        }
    }
}

/// Compares two models, and names the keys that differ rather than printing contents.
///
/// # Panics
/// Where they differ.
pub fn assert_same(found: &Model, wanted: &Model) {
    let keys = found.keys().chain(wanted.keys());
    let differ: Vec<_> = keys
        .filter(|key| found.get(*key) != wanted.get(*key))
        .map(|(collection, key)| format!("{collection}: {}", String::from_utf8_lossy(key)))
        .take(10)
        .collect();
    assert!(differ.is_empty(), "these differ: {differ:?}");
}
