//! The repository of the demonstration, and what is asked of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use esker_engine::Error;
use esker_engine::object::ReadObject;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::ops::check::{CheckOptions, CheckReport, Share, check};
use esker_engine::ops::diff::{PathChange, diff};
use esker_engine::ops::key_of_path;
use esker_engine::ops::log::{Order, Version, log};
use esker_engine::ops::ls::{Contents, Depth};
use esker_engine::ops::restore::{
    Documents, RestoreOptions, RestoreReport, RestoreTarget, restore,
};
use esker_engine::ops::stats::{Stats, stats};
use esker_engine::repo::{CacheSizes, Client, CreateOptions, Objects, Repository, Snapshot};
use esker_engine::source::Source;
use esker_engine::store::{Store, StoreOptions};
use jiff::Timestamp;
use serde_json::Value;

use super::damage::issue_of;
use super::stage::Stage;
use crate::app::passphrase;
use crate::app::settings::KeyOrigin;
use crate::commands::Surroundings;
use crate::error::CommandError;

/// The repository.
pub(super) struct Backups<'a> {
    around: &'a Surroundings<'a>,
    restored: PathBuf,
    repository: Arc<Repository>,
}

fn failed(what: &'static str) -> impl Fn(Error) -> CommandError {
    move |error| CommandError::engine(what, error)
}

impl<'a> Backups<'a> {
    /// Makes the repository. Its key is a key file's, which takes no time to derive.
    pub(super) fn begin(stage: &Stage, around: &'a Surroundings<'a>) -> Result<Self, CommandError> {
        let origin = KeyOrigin::KeyFile(stage.key(), "--keep");
        let key = passphrase::new_key(&origin, around.ui)?;
        let make = || -> Result<Repository, Error> {
            let url = stage.repository().display().to_string();
            let store = Store::open_new(&url, &StoreOptions::default(), around.engine.handle())?;
            let options = CreateOptions { unlocks: vec![key.unlock], ..CreateOptions::default() };
            let ctx = around.engine.quiet_context();
            Ok(Repository::create(store, &options, |_| Client::forgetful(), &ctx)?)
        };
        let repository =
            make().map_err(failed("cannot make the repository of the demonstration"))?;
        Ok(Self { around, restored: stage.restored(), repository: Arc::new(repository) })
    }

    /// Backs up the site; says how long it took.
    pub(super) fn back_up(
        &self,
        source: &dyn Source,
        time: Timestamp,
        task: &str,
    ) -> Result<(BackupReport, Duration), CommandError> {
        let time = Duration::try_from(time.as_duration()).ok();
        let options = BackupOptions { time, ..BackupOptions::default() };
        let progress = self.around.ui.progress(task);
        let ctx = self.around.engine.context(progress.clone());
        let started = Instant::now();
        let report = backup(&self.repository, source, &options, &ctx);
        progress.end();
        let report = report.map_err(failed("cannot back up the simulated site"))?;
        Ok((report, started.elapsed()))
    }

    /// All snapshots, oldest first.
    pub(super) fn snapshots(&self) -> Result<Vec<Snapshot>, CommandError> {
        let history = self.repository.history();
        let history =
            history.map_err(|error| CommandError::engine("cannot read the snapshots", error))?;
        Ok(history.visible().cloned().collect())
    }

    fn reader(&self) -> Result<Arc<dyn ReadObject>, Error> {
        Ok(Arc::new(Objects::load(&self.repository, CacheSizes::default())?))
    }

    /// The keys of the issues that a snapshot holds.
    pub(super) fn issues(&self, snapshot: &Snapshot) -> Result<BTreeSet<String>, CommandError> {
        let list = || -> Result<BTreeSet<String>, Error> {
            let contents = Contents::new(self.reader()?, snapshot);
            let mut issues = BTreeSet::new();
            for located in contents.list(b"/issues", Depth::All)? {
                issues.extend(issue_of(&located?.path).map(ToOwned::to_owned));
            }
            Ok(issues)
        };
        list().map_err(failed("cannot list a snapshot"))
    }

    /// What people call a field, as the snapshot's own copy of the site's configuration says.
    pub(super) fn name_of_field(&self, snapshot: &Snapshot, field: &str) -> Option<String> {
        let contents = Contents::new(self.reader().ok()?, snapshot);
        let path = format!("/configuration/fields/{field}.json");
        let mut document = Vec::new();
        let ctx = self.around.engine.quiet_context();
        contents.cat(path.as_bytes(), &mut document, &ctx).ok()?;
        let document: Value = serde_json::from_slice(&document).ok()?;
        document.get("name")?.as_str().map(ToOwned::to_owned)
    }

    /// What differs between two snapshots.
    pub(super) fn changes(
        &self,
        older: &Snapshot,
        newer: &Snapshot,
    ) -> Result<Vec<PathChange>, CommandError> {
        let compare = || -> Result<Vec<PathChange>, Error> {
            diff(&self.reader()?, older, newer, b"/", &self.around.engine.quiet_context())?
                .collect()
        };
        compare().map_err(failed("cannot compare two snapshots"))
    }

    /// Every version of an issue, oldest first.
    pub(super) fn versions<'s>(
        &self,
        snapshots: &[&'s Snapshot],
        issue: &str,
    ) -> Result<Vec<Version<'s>>, CommandError> {
        let follow = || -> Result<Vec<Version<'s>>, Error> {
            let ctx = self.around.engine.quiet_context();
            let path = format!("/{issue}");
            log(&self.reader()?, snapshots, path.as_bytes(), Order::OldestFirst, &ctx)?.collect()
        };
        let mut versions = follow().map_err(failed("cannot follow an issue"))?;
        versions.retain(|version| version.change.path.ends_with("/issue.json"));
        Ok(versions)
    }

    /// Brings issues back, with documents that people can read.
    pub(super) fn restore(
        &self,
        snapshot: &Snapshot,
        issues: &[String],
    ) -> Result<(RestoreReport, Duration), CommandError> {
        let started = Instant::now();
        let bring_back = || -> Result<RestoreReport, Error> {
            let kind = &snapshot.commit.source.kind;
            let key = |issue: &String| key_of_path(kind, format!("/{issue}").as_bytes());
            let options = RestoreOptions {
                paths: issues.iter().map(key).collect::<Result<_, _>>()?,
                documents: Documents::Pretty,
                ..RestoreOptions::default()
            };
            let target = RestoreTarget::Directory(self.restored.clone());
            let ctx = self.around.engine.quiet_context();
            restore(&self.repository, snapshot, &target, &options, &ctx)
        };
        let report = bring_back().map_err(failed("cannot restore what was lost"))?;
        Ok((report, started.elapsed()))
    }

    /// Reads and verifies every byte of the repository.
    pub(super) fn check(&self) -> Result<CheckReport, CommandError> {
        let progress = self.around.ui.progress("check");
        let ctx = self.around.engine.context(progress.clone());
        let options = CheckOptions { read_data: Some(Share::All), ..CheckOptions::default() };
        let checked = check(&self.repository, &options, &ctx);
        progress.end();
        checked.map_err(failed("cannot check the repository"))
    }

    /// How much the repository holds.
    pub(super) fn stats(&self) -> Result<Stats, CommandError> {
        stats(&self.repository).map_err(failed("cannot measure the repository"))
    }
}
