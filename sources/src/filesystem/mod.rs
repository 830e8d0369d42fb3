//! Folders: what a file system holds.
//!
//! The walk is depth first with names in bytewise order, which is the order of the keys, so it runs in lockstep with the
//! last snapshot: what both have is compared by its change token, what only the snapshot has is deleted, the rest is pushed.
//! Everything is reached relative to open directories, never by a full path: no depth is too deep, and no symbolic link that
//! is put in place of a directory meanwhile leads elsewhere. What is stored is told in `docs/sources/files.md`.

mod base;
mod content;
mod directory;
mod excludes;
mod metadata;
mod origin;
mod outbox;
mod owners;
mod selection;
mod stdin;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use esker_engine::context::RunContext;
use esker_engine::source::{
    Base, ChangeSink, CollectionEnd, Completeness, CompletenessState, ScanEnd, ScanMode,
    SinkClosed, Source, SourceError, SourceInfo,
};

pub use selection::{FileList, Separator};
pub use stdin::StdinSource;

use excludes::Excludes;
use outbox::Batch;
use selection::Scope;

/// The name of the only collection.
pub const COLLECTION: &str = "files";

/// The longest key that a tree holds (`docs/FORMAT.md` §8).
const MAX_KEY_BYTES: usize = 65_535;

/// Batches between the walk and the engine; with those in the making this bounds what waits there.
const BATCHES_WAITING: usize = 2;

/// What of the folders is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesOptions {
    /// Patterns in gitignore syntax, relative to the source; they count after those of the files.
    pub excludes: Vec<String>,
    /// Files that hold such patterns, one a line.
    pub exclude_files: Vec<PathBuf>,
    /// Mounted file systems are recorded as empty directories.
    pub one_file_system: bool,
    /// Only the paths in these lists are stored, directories with all that is in them.
    pub files_from: Vec<FileList>,
}

/// A source of folders and files.
#[derive(Debug)]
pub struct FilesSource {
    setup: Arc<Setup>,
}

/// What a walk is told.
#[derive(Debug)]
struct Setup {
    scope: Scope,
    excludes: Excludes,
    one_file_system: bool,
}

impl FilesSource {
    /// Prepares a source of these paths, which may be relative to the current folder.
    ///
    /// One folder is stored with its content at the top, one file under its name; of several paths each is stored under its
    /// full path. Without any path the lists of [`FilesOptions::files_from`] decide alone.
    ///
    /// ```
    /// use esker_engine::source::Source;
    /// use esker_sources::filesystem::{FilesOptions, FilesSource};
    ///
    /// let options = FilesOptions { excludes: vec!["*.tmp".into()], ..FilesOptions::default() };
    /// let source = FilesSource::open(vec![std::env::temp_dir()], options)?;
    /// assert_eq!(source.describe().kind, "files");
    /// # Ok::<(), esker_engine::source::SourceError>(())
    /// ```
    ///
    /// # Errors
    /// Where a path or list cannot be read, a listed path is outside of `paths`, or a pattern makes no sense.
    #[expect(clippy::needless_pass_by_value, reason = "callers have no further use for them")]
    pub fn open(paths: Vec<PathBuf>, options: FilesOptions) -> Result<Self, SourceError> {
        let excludes = Excludes::read(&options.exclude_files, &options.excludes)?;
        let scope = Scope::resolve(&paths, &options.files_from)?;
        let setup = Setup { scope, excludes, one_file_system: options.one_file_system };
        Ok(Self { setup: Arc::new(setup) })
    }
}

#[async_trait::async_trait]
impl Source for FilesSource {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "files".into(),
            identity: self.setup.scope.identity.clone(),
            name: self.setup.scope.name.clone(),
            collections: vec![COLLECTION.into()],
        }
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let (sender, mut batches) = tokio::sync::mpsc::channel(BATCHES_WAITING);
        let (setup, ctx) = (Arc::clone(&self.setup), ctx.clone());
        let base = base.map(|base| Arc::clone(base.reader()));
        let walk = tokio::task::spawn_blocking(move || walk::run(&setup, base, mode, sender, &ctx));
        while let Some(batch) = batches.recv().await {
            forward(batch, changes).await?;
        }
        let walked = walk.await.map_err(|error| SourceError::Unreadable {
            what: self.setup.scope.name.clone(),
            source: error.into(),
        })??;
        Ok(end(walked.found, walked.problems))
    }
}

async fn forward(batch: Batch, changes: &ChangeSink) -> Result<(), SinkClosed> {
    use esker_engine::source::Change::{Delete, Put};
    changes.unchanged(batch.unchanged);
    for problem in batch.problems {
        changes.problem(problem);
    }
    for change in batch.changes {
        match change {
            Put { collection, key, entry, payload } => {
                changes.put(collection, key, entry, payload).await?;
            }
            Delete { collection, key } => changes.delete(collection, key).await?,
        }
    }
    Ok(())
}

fn end(found: u64, problems: u64) -> ScanEnd {
    let (state, detail) = match problems {
        0 => (CompletenessState::Complete, String::new()),
        1 => (CompletenessState::Partial, "1 problem".into()),
        many => (CompletenessState::Partial, format!("{many} problems")),
    };
    ScanEnd {
        collections: vec![CollectionEnd {
            name: COLLECTION.into(),
            cursor: None,
            completeness: Completeness { state, expected: None, found, detail, parts: Vec::new() },
        }],
        ..ScanEnd::default()
    }
}
