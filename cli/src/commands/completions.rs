//! `esker completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::Surroundings;
use crate::Outcome;
use crate::args::Args;
use crate::error::CommandError;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(
    args: &CompletionsArgs,
    around: &Surroundings<'_>,
) -> Result<Outcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "esker", &mut script);
    around
        .ui
        .with_out(|out| out.write_all(&script))
        .map_err(|error| CommandError::output(&error))?;
    Ok(Outcome::Done)
}
