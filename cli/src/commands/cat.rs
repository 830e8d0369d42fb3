//! `esker cat`

use std::ffi::OsString;

use esker_engine::Error;
use esker_engine::ops::ls::Contents;

use super::{Surroundings, objects};
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::error::CommandError;

/// Write the content of a file in a snapshot to the standard output
#[derive(Debug, clap::Args)]
pub(crate) struct CatArgs {
    /// The snapshot and the path in it
    #[arg(value_name = "SNAPSHOT:/PATH")]
    snapshot: OsString,
}

pub(super) fn run(args: &CatArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let name = SnapshotName::parse(&args.snapshot)?;
    let Some(path) = &name.path else {
        return Err(CommandError::usage(format!("`{}` names no file", name.text))
            .hint(format!("add its path: `esker cat {}:/PATH`", name.text)));
    };
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let snapshot = name.find(&history)?;
    let contents = Contents::new(objects(&opened)?, snapshot);
    let ctx = around.engine.quiet_context();
    around.ui.with_out(|out| contents.cat(path, out, &ctx)).map_err(|error| {
        let is_no_file = matches!(error, Error::Invalid { .. });
        let failed = CommandError::engine(format!("cannot read `{}`", name.text), error);
        if is_no_file {
            failed.hint(format!("list what is there with `esker ls {}`", name.text))
        } else {
            failed
        }
    })?;
    Ok(Outcome::Done)
}
