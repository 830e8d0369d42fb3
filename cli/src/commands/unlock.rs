//! `esker unlock`

use super::Surroundings;
use crate::Outcome;
use crate::error::CommandError;

/// Say that there are no locks
#[derive(Debug, clap::Args)]
pub(crate) struct UnlockArgs {}

pub(super) fn run(_: &UnlockArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    if around.ui.is_json() {
        around.ui.json(&serde_json::json!({ "locks": [] }))?;
    } else {
        around.ui.line(
            "Nothing to unlock: repositories have no locks. Several machines may back up, check and forget at once,\n\
             and what a broken run left behind is garbage, never in the way.",
        )?;
    }
    Ok(Outcome::Done)
}
