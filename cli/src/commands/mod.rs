//! One file a command.

mod backup;
mod cat;
mod check;
mod completions;
mod copy;
mod demo;
mod diff;
mod forget;
mod init;
mod log;
mod ls;
mod marks;
mod prune;
mod repair;
mod restore;
mod snapshots;
mod stats;
mod unlock;

use std::path::PathBuf;
use std::sync::Arc;

use esker_engine::repo::{CacheSizes, History, Objects};

use crate::Outcome;
use crate::app::open::{self, Opened};
use crate::app::runtime::Engine;
use crate::app::settings::Settings;
use crate::error::CommandError;
use crate::ui::Ui;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Init(init::InitArgs),
    Backup(backup::BackupArgs),
    Snapshots(snapshots::SnapshotsArgs),
    Ls(ls::LsArgs),
    #[command(alias = "dump")]
    Cat(cat::CatArgs),
    Diff(diff::DiffArgs),
    Log(log::LogArgs),
    Restore(restore::RestoreArgs),
    Check(check::CheckArgs),
    Repair(repair::RepairArgs),
    Stats(stats::StatsArgs),
    Forget(forget::ForgetArgs),
    Prune(prune::PruneArgs),
    Copy(copy::CopyArgs),
    Tag(marks::TagArgs),
    Hold(marks::HoldArgs),
    Release(marks::ReleaseArgs),
    Undelete(marks::UndeleteArgs),
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Unlock(unlock::UnlockArgs),
}

/// What commands are given.
pub(crate) struct Surroundings<'a> {
    /// What was asked of every command.
    pub(crate) settings: &'a Settings,
    /// Runtime and signals.
    pub(crate) engine: &'a Engine,
    /// Prints and asks.
    pub(crate) ui: &'a Ui,
}

impl Surroundings<'_> {
    /// Opens the repository; warns where it is not the one that was there.
    pub(crate) fn open(&self) -> Result<Opened, CommandError> {
        self.open_as(self.settings)
    }

    /// Opens the repository to copy from.
    pub(crate) fn open_other(
        &self,
        url: Option<&str>,
        key_file: Option<&PathBuf>,
    ) -> Result<Opened, CommandError> {
        self.open_as(&self.settings.of_other(url, key_file)?)
    }

    fn open_as(&self, settings: &Settings) -> Result<Opened, CommandError> {
        let opened = open::repository(settings, self.engine, self.ui)?;
        if let Some(replaced) = &opened.replaced {
            self.ui.warning(&format!(
                "at `{}` {}; {}",
                opened.url,
                replaced.effect(),
                replaced.hint()
            ));
        }
        Ok(opened)
    }

    /// Reads what snapshots there are; warns of commits that cannot be read.
    pub(crate) fn history(&self, opened: &Opened) -> Result<History, CommandError> {
        let what = format!("cannot read the snapshots of `{}`", opened.url);
        let history =
            opened.repository.history().map_err(|error| CommandError::engine(what, error))?;
        for damaged in &history.damaged {
            self.ui.warning(&format!(
                "`{}` cannot be used, and what it says is passed over; see `esker check`",
                damaged.name
            ));
        }
        Ok(history)
    }
}

/// Opens the index, for reading.
pub(crate) fn objects(opened: &Opened) -> Result<Arc<Objects>, CommandError> {
    let what = format!("cannot read the index of `{}`", opened.url);
    let objects = Objects::load(&opened.repository, CacheSizes::default())
        .map_err(|error| CommandError::engine(what, error))?;
    Ok(Arc::new(objects))
}

/// Runs a command.
pub(crate) fn run(
    command: &Command,
    settings: &Settings,
    engine: &Engine,
    ui: &Ui,
) -> Result<Outcome, CommandError> {
    let around = Surroundings { settings, engine, ui };
    match command {
        Command::Init(args) => init::run(args, &around),
        Command::Backup(args) => backup::run(args, &around),
        Command::Snapshots(args) => snapshots::run(args, &around),
        Command::Ls(args) => ls::run(args, &around),
        Command::Cat(args) => cat::run(args, &around),
        Command::Diff(args) => diff::run(args, &around),
        Command::Log(args) => log::run(args, &around),
        Command::Restore(args) => restore::run(args, &around),
        Command::Check(args) => check::run(args, &around),
        Command::Repair(args) => repair::run(args, &around),
        Command::Stats(args) => stats::run(args, &around),
        Command::Forget(args) => forget::run(args, &around),
        Command::Prune(args) => prune::run(args, &around),
        Command::Copy(args) => copy::run(args, &around),
        Command::Tag(args) => marks::tag(args, &around),
        Command::Hold(args) => marks::hold(args, &around),
        Command::Release(args) => marks::release(args, &around),
        Command::Undelete(args) => marks::undelete(args, &around),
        Command::Demo(args) => demo::run(args, &around),
        Command::Completions(args) => completions::run(args, &around),
        Command::Unlock(args) => unlock::run(args, &around),
    }
}
