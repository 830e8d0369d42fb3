//! What each operation asks of a store: requests, bytes and time.
//!
//! `operations URL [ISSUES]`: URL is that of an empty place, with credentials in the environment as for `esker`; or
//! `far:MILLISECONDS`, a store in memory that answers each request after so long, eight at a time.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker_benches::Failure;
use esker_benches::change_list::{complete, describe};
use esker_benches::documents::{Random, document};
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::ops::check::{CheckOptions, Share, check};
use esker_engine::ops::key_of_path;
use esker_engine::ops::prune::{PruneOptions, prune};
use esker_engine::ops::restore::{RestoreOptions, RestoreTarget, restore};
use esker_engine::repo::{Client, CreateOptions, Repository, Unlock};
use esker_engine::source::{
    Base, ChangeSink, Payload, ScanEnd, ScanMode, Source, SourceError, SourceInfo,
};
use esker_engine::store::{Store, StoreOptions};
use far::FarStore;

/// A store that answers late.
mod far {
    use std::fmt;
    use std::time::Duration;

    use futures::stream::BoxStream;
    use futures::{StreamExt, stream};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };
    use tokio::sync::Semaphore;

    /// Objects in memory, behind a line of eight connections.
    #[derive(Debug)]
    pub(crate) struct FarStore {
        inner: InMemory,
        delay: Duration,
        connections: Semaphore,
    }

    /// A stream that begins late.
    fn late<T: Send + 'static>(
        delay: Duration,
        inner: BoxStream<'static, T>,
    ) -> BoxStream<'static, T> {
        let begin = async move {
            tokio::time::sleep(delay).await;
            inner
        };
        stream::once(begin).flatten().boxed()
    }

    impl FarStore {
        pub(crate) fn new(delay: Duration) -> Self {
            Self { inner: InMemory::new(), delay, connections: Semaphore::new(8) }
        }

        async fn wait(&self) {
            let _connection = self.connections.acquire().await;
            tokio::time::sleep(self.delay).await;
        }
    }

    impl fmt::Display for FarStore {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "far away")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for FarStore {
        async fn put_opts(
            &self,
            at: &Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> Result<PutResult> {
            self.wait().await;
            self.inner.put_opts(at, payload, options).await
        }

        async fn put_multipart_opts(
            &self,
            at: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.wait().await;
            self.inner.put_multipart_opts(at, options).await
        }

        async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
            self.wait().await;
            self.inner.get_opts(at, options).await
        }

        fn delete_stream(
            &self,
            all: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            late(self.delay, self.inner.delete_stream(all))
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            late(self.delay, self.inner.list(prefix))
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.wait().await;
            self.inner.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.wait().await;
            self.inner.copy_opts(from, to, options).await
        }
    }
}

/// A site: issues, and an attachment of 200 KB for every twentieth of them.
struct Site {
    issues: u64,
    changes: Vec<u64>,
}

impl Site {
    async fn put(&self, sink: &ChangeSink, number: u64, version: u64) -> Result<(), SourceError> {
        let entry = |kind| Entry {
            version: Bytes::from(version.to_be_bytes().to_vec()),
            ..Entry::new(kind)
        };
        let key = Bytes::from(format!("issue-{number:07}"));
        let payload = Payload::Bytes(document(number, version).into());
        sink.put(0, key, entry(EntryKind::Document), payload).await?;
        if version > 0 || !number.is_multiple_of(20) {
            return Ok(());
        }
        let mut random = Random::new(number);
        let words = (0..25_000).map(|_| random.below(u64::MAX));
        let content: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let key = Bytes::from(format!("attachment-{number:07}"));
        sink.put(0, key, entry(EntryKind::Document), Payload::Bytes(content.into())).await?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Source for Site {
    fn describe(&self) -> SourceInfo {
        describe("site")
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        _: ScanMode,
        sink: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        if base.is_none() {
            for number in 0..self.issues {
                self.put(sink, number, 0).await?;
            }
        }
        for number in &self.changes {
            self.put(sink, *number, 1).await?;
        }
        Ok(complete(self.issues))
    }
}

/// Runs an operation in a repository that was just opened, and prints what it asked for; opening included.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn measure(
    what: &str,
    store: &Store,
    open: &dyn Fn() -> Result<Arc<Repository>, Failure>,
    work: impl FnOnce(&Arc<Repository>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (before, start) = (store.figures(), Instant::now());
    work(&open()?)?;
    let (after, wall) = (store.figures(), start.elapsed().as_secs_f64());
    println!(
        "| {what} | {} | {} | {:.2} | {:.2} | {wall:.2} |",
        after.requests - before.requests,
        after.written_objects - before.written_objects,
        (after.read_bytes - before.read_bytes) as f64 / 1e6,
        (after.written_bytes - before.written_bytes) as f64 / 1e6,
    );
    Ok(())
}

fn open_store(url: &str, runtime: &tokio::runtime::Runtime) -> Result<Store, Failure> {
    if let Some(milliseconds) = url.strip_prefix("far:") {
        let far = FarStore::new(Duration::from_millis(milliseconds.parse()?));
        return Ok(Store::new(Arc::new(far), "far away", runtime.handle().clone()));
    }
    let set = StoreOptions::NAMES.iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let options = set.fold(StoreOptions::default(), |all, (name, it)| all.with(name, &it));
    Ok(Store::open_new(url, &options, runtime.handle().clone())?)
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: operations URL [ISSUES]")?;
    let issues = args.next().map_or(Ok(20_000), |it| it.parse::<u64>())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let store = open_store(&url, &runtime)?;
    let ctx = RunContext::default();
    let (_, key) = Unlock::new_key_file()?;
    let options = CreateOptions {
        unlocks: vec![key.clone()],
        store: Some(store.probe()?),
        ..CreateOptions::default()
    };
    Repository::create(store.clone(), &options, |_| Client::forgetful(), &ctx)?;
    let folder = tempfile::tempdir()?;
    let client = folder.path().join("client");
    let open = || -> Result<Arc<Repository>, Failure> {
        Ok(Arc::new(Repository::open(store.clone(), &key, |_| Client::open(client.clone()))?))
    };
    operations(&store, issues, &open, folder.path(), &ctx)
}

fn operations(
    store: &Store,
    issues: u64,
    open: &dyn Fn() -> Result<Arc<Repository>, Failure>,
    folder: &FilePath,
    ctx: &RunContext,
) -> Result<(), Failure> {
    let save = |what: &str, changes: Vec<u64>| {
        measure(what, store, open, |repository| {
            let site = Site { issues, changes };
            backup(repository, &site, &BackupOptions::default(), ctx)?;
            Ok(())
        })
    };
    save("first", Vec::new())?;
    save("quiet", Vec::new())?;
    save("100 changes", (0..100).map(|it| it * issues / 100 + 3).collect())?;
    let bring = |what: &str, options: RestoreOptions| {
        measure(what, store, open, |repository| {
            let history = repository.history()?;
            let newest = history.visible().last().ok_or("no snapshot")?;
            let target = RestoreTarget::Directory(folder.join(what));
            restore(repository, newest, &target, &options, ctx)?;
            Ok(())
        })
    };
    let one = vec![key_of_path("site", format!("/issues/issue-{:07}", issues / 2).as_bytes())?];
    bring("restore one", RestoreOptions { paths: one, ..RestoreOptions::default() })?;
    bring("restore all", RestoreOptions::default())?;
    for (what, read_data) in [("check", None), ("check, all data", Some(Share::All))] {
        measure(what, store, open, |repository| {
            let options = CheckOptions { read_data, ..CheckOptions::default() };
            let report = check(repository, &options, ctx)?;
            if report.findings.is_empty() { Ok(()) } else { Err("damaged".into()) }
        })?;
    }
    for what in ["prune, one of three forgotten", "prune, nothing to do"] {
        let repository = open()?;
        let oldest = repository.history()?.visible().take(1).map(|it| it.slot).collect::<Vec<_>>();
        if what.contains("forgotten") {
            repository.mark(MarkAction::Forget, &oldest, None, ctx)?;
        }
        measure(what, store, open, |repository| {
            prune(repository, &PruneOptions::default(), ctx)?;
            Ok(())
        })?;
    }
    Ok(())
}
