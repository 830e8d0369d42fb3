//! Somebody ends a session while it works: the backup notices when it commits, and is done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use esker_engine::Error;
use esker_engine::context::RunContext;
use esker_engine::format::commit::{self, Slot};
use esker_engine::format::name::ObjectName;
use esker_engine::format::sealed::{self, SealedKind};
use esker_engine::repo::{RepoError, Repository};
use esker_engine::source::{Base, ChangeSink, ScanEnd, ScanMode, Source, SourceError, SourceInfo};
use esker_tests::{Copies, MemorySource, TempRepo, assert_same, issues_and_files, small_options};

/// A source whose scan comes upon a collector that fences all open sessions, so many times.
struct FencedSource {
    inner: MemorySource,
    repository: Arc<Repository>,
    repo: TempRepo,
    times: AtomicU32,
}

/// Fills the slot of every open session with a fence.
fn fence_all(repo: &TempRepo, repository: &Repository) {
    let names = repo.names();
    for name in &names {
        let Ok(ObjectName::Session(session)) = name.parse() else {
            continue;
        };
        let slot = ObjectName::Slot(session).to_string();
        if names.contains(&slot) {
            continue;
        }
        let fence = Slot::Fence {
            version: 1,
            by: repository.client().writer(),
            reason: "a collector wants to sweep".into(),
            time: "2026-11-23T00:00:00.000Z".into(),
        };
        let json = commit::encode(&fence);
        let bytes = sealed::seal(repository.keys(), SealedKind::Slot, &slot, &json);
        repo.replace(&slot, bytes.unwrap());
    }
}

#[async_trait::async_trait]
impl Source for FencedSource {
    fn describe(&self) -> SourceInfo {
        self.inner.describe()
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let end = self.inner.scan(base, mode, changes, ctx).await?;
        let left = |times: u32| times.checked_sub(1);
        let left = self.times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        if left.is_ok() {
            std::thread::scope(|scope| {
                scope.spawn(|| fence_all(&self.repo, &self.repository)).join().unwrap();
            });
        }
        Ok(end)
    }
}

fn fenced(repo: &TempRepo, inner: &MemorySource, times: u32) -> FencedSource {
    let other = repo.another_client();
    FencedSource {
        inner: inner.clone(),
        repository: other.open(),
        repo: other,
        times: AtomicU32::new(times),
    }
}

#[test]
fn a_fenced_backup_is_done_again() {
    for times in [1, 3] {
        let repo = TempRepo::memory();
        repo.create();
        let inner = issues_and_files("fenced", 50);
        let mut copies = Copies::default();
        copies.keep(&repo.backup(&fenced(&repo, &inner, times)), inner.model());
        assert_same(&repo.newest(), &inner.model());
        inner.remove("files", "folder\0list");
        copies.keep(&repo.backup(&fenced(&repo, &inner, times)), inner.model());
        copies.assert_equal(&repo);
        repo.assert_sound();
    }
}

#[test]
fn what_a_fenced_session_stored_is_found_again() {
    let repo = TempRepo::memory();
    repo.create();
    let inner = issues_and_files("fenced", 50);
    let plain = repo.fork();
    let bytes = plain.backup(&inner).statistics.bytes_added;
    let fenced = repo.backup(&fenced(&repo, &inner, 1)).statistics;
    assert!(
        fenced.bytes_added < bytes / 10,
        "the second run stored {} of {bytes} bytes again",
        fenced.bytes_added
    );
}

#[test]
fn who_is_fenced_again_and_again_gives_up() {
    let repo = TempRepo::memory();
    repo.create();
    let inner = issues_and_files("fenced", 5);
    let source = fenced(&repo, &inner, u32::MAX);
    let error = repo.backup_with(&source, &small_options()).unwrap_err();
    assert!(matches!(error, Error::Repo(RepoError::Fenced { .. })), "{error:?}");
    repo.assert_sound();
    repo.backup(&inner);
    assert_same(&repo.newest(), &inner.model());
}
