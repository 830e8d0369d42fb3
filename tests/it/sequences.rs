//! Sequences of changes, backups, forgetting and restoring, against plain copies.

use std::sync::Arc;

use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::ops::restore::{RestoreOptions, RestoreTarget, restore};
use esker_engine::repo::Repository;
use esker_engine::source::ScanMode;
use esker_tests::{Copies, Item, MemorySource, Model, TempRepo, noise, small_options, words};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// Adds or changes an object of a source: key, seed, length.
    Put(usize, u8, u8, usize),
    /// Deletes one.
    Remove(usize, u8),
    /// Takes a snapshot.
    Backup(usize, ScanMode),
    /// Forgets one of the snapshots.
    Forget(prop::sample::Index),
    /// Goes on as a new process.
    Reopen,
    /// Goes on as another machine.
    AnotherClient,
    /// Restores the files of a snapshot into a folder.
    Restore(prop::sample::Index),
    /// Compares all snapshots with their copies, and checks the repository.
    Verify,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![
        4 => 0..3_000usize,
        2 => 0..100usize,
        1 => 30_000..400_000usize,
    ];
    let mode = prop_oneof![3 => Just(ScanMode::Incremental), 1 => Just(ScanMode::Full)];
    prop_oneof![
        10 => (0..2usize, 0..24u8, any::<u8>(), length)
            .prop_map(|(source, key, seed, length)| Step::Put(source, key, seed, length)),
        3 => (0..2usize, 0..24u8).prop_map(|(source, key)| Step::Remove(source, key)),
        5 => (0..2usize, mode).prop_map(|(source, mode)| Step::Backup(source, mode)),
        1 => any::<prop::sample::Index>().prop_map(Step::Forget),
        1 => Just(Step::Reopen),
        1 => Just(Step::AnotherClient),
        1 => any::<prop::sample::Index>().prop_map(Step::Restore),
        1 => Just(Step::Verify),
    ]
}

/// Even keys are documents, odd ones are files.
fn place(key: u8) -> (&'static str, String) {
    if key.is_multiple_of(2) {
        ("issues", format!("issue-{key:03}"))
    } else {
        ("files", format!("file-{key:03}"))
    }
}

struct World {
    repo: TempRepo,
    repository: Arc<Repository>,
    sources: [MemorySource; 2],
    copies: Copies,
}

impl World {
    fn new(repo: TempRepo) -> Self {
        Self {
            repository: repo.create(),
            repo,
            sources: ["one", "two"].map(|name| MemorySource::new(name, &["issues", "files"])),
            copies: Copies::default(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Put(source, key, seed, length) => {
                let (collection, key) = place(*key);
                let item = if collection == "issues" {
                    Item::document(words(u64::from(*seed), *length))
                } else {
                    Item::file(noise(u64::from(*seed), *length))
                };
                self.sources[*source].put(collection, key, item);
            }
            Step::Remove(source, key) => {
                let (collection, key) = place(*key);
                self.sources[*source].remove(collection, key);
            }
            Step::Backup(source, mode) => {
                let source = &self.sources[*source];
                let options = BackupOptions { mode: *mode, checkpoint_bytes: 1, ..small_options() };
                let report = backup(&self.repository, source, &options, &self.repo.ctx());
                self.copies.keep(&report.unwrap(), source.model());
            }
            Step::Forget(index) => {
                let snapshots = self.repo.snapshots();
                if !snapshots.is_empty() {
                    let chosen = index.get(&snapshots);
                    let ctx = self.repo.ctx();
                    let marked =
                        self.repository.mark(MarkAction::Forget, &[chosen.slot], None, &ctx);
                    marked.unwrap();
                    self.copies.forget(chosen.id);
                }
            }
            Step::Reopen => self.repository = self.repo.open(),
            Step::AnotherClient => {
                self.repo = self.repo.another_client();
                self.repository = self.repo.open();
            }
            Step::Restore(index) => {
                let snapshots = self.repo.snapshots();
                if !snapshots.is_empty() {
                    let chosen = index.get(&snapshots);
                    let copy = self.copies.of(chosen.id);
                    restored_files_equal(&self.repo, &self.repository, chosen, copy);
                }
            }
            Step::Verify => {
                self.copies.assert_equal(&self.repo);
                self.repo.assert_sound();
            }
        }
    }
}

fn restored_files_equal(
    repo: &TempRepo,
    repository: &Arc<Repository>,
    snapshot: &esker_engine::repo::Snapshot,
    copy: &Model,
) {
    let folder = tempfile::tempdir().unwrap();
    let target = RestoreTarget::Directory(folder.path().join("restored"));
    let options =
        RestoreOptions { workers: 1, memory: 64 * 1024 * 1024, ..RestoreOptions::default() };
    let report = restore(repository, snapshot, &target, &options, &repo.ctx()).unwrap();
    assert_eq!(report.problems, []);
    for ((_, key), item) in copy.iter().filter(|((name, _), _)| name == "files") {
        let path = std::str::from_utf8(key).unwrap();
        let found = folder.path().join("restored/files").join(path);
        let found = std::fs::read(found).unwrap();
        assert!(found == item.content, "`{path}` differs after the restore");
    }
}

fn run(repo: TempRepo, steps: &[Step]) {
    let mut world = World::new(repo);
    for step in steps {
        world.step(step);
    }
    world.step(&Step::Verify);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn in_memory_every_snapshot_equals_its_copy(steps in prop::collection::vec(step(), 1..50)) {
        run(TempRepo::memory(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn in_a_folder_every_snapshot_equals_its_copy(steps in prop::collection::vec(step(), 1..50)) {
        run(TempRepo::folder(), &steps);
    }
}
