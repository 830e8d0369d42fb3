//! `esker demo`

mod backups;
mod damage;
mod proof;
mod site;
mod stage;
mod story;
mod tell;
mod week;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use self::site::SimulatedSite;
use self::stage::Stage;
use self::story::Story;
use self::week::Week;
use super::Surroundings;
use crate::Outcome;
use crate::error::CommandError;

/// Show what Esker does with a simulated Jira site: a week of backups, a mishap, what it hit, restore, check
///
/// The site is made up and served on this machine alone. It needs no account, no repository, no key and no network, and leaves
/// nothing behind. That all changes were noticed, and that what came back is what the site had, is verified.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Make the repository in DIR, which must be new or empty, and keep it with what was restored
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(super) fn run(args: &DemoArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let started = Instant::now();
    let stage = Stage::open(args.keep.as_deref())?;
    let site = SimulatedSite::open()?;
    let story = Week::begin(&stage, &site, around)?.live(started)?;
    if around.ui.is_json() {
        around.ui.json(&story)?;
    } else {
        for line in tell::lines(&story, &stage) {
            around.ui.line(&line)?;
        }
    }
    verdict(&story)
}

fn verdict(story: &Story) -> Result<Outcome, CommandError> {
    if story.faults.is_empty() {
        return Ok(Outcome::Done);
    }
    let failed = CommandError::failed("the demonstration did not go as it must");
    let failed = story
        .faults
        .iter()
        .fold(failed, |failed, fault| failed.caused_by(&io::Error::other(fault.clone())));
    Err(failed
        .hint("this is a mistake in Esker: keep it with `esker demo --keep DIR` and report it"))
}
