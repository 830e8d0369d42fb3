//! The options that every command takes.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::commands::Command;

/// Deduplicating, encrypted, incremental backups
///
/// A repository is named with --repo or ESKER_REPO. It opens with a passphrase (ESKER_PASSWORD, ESKER_PASSWORD_FILE,
/// ESKER_PASSWORD_COMMAND, or asked on the terminal) or with a key file (--key-file or ESKER_KEY_FILE).
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done with problems, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "esker", version, propagate_version = false, disable_help_subcommand = false)]
pub(crate) struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The options that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Repository: a folder, s3://BUCKET/PREFIX, gs://…, az://…, https://… (WebDAV) or memory:// [env: ESKER_REPO]
    #[arg(long, short, global = true, value_name = "URL")]
    pub(crate) repo: Option<String>,
    /// Open the repository with this key file [env: ESKER_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Keep what is remembered of repositories in this folder [env: ESKER_CACHE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Remember nothing of repositories on this machine
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only results that were asked for, and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell more; twice for more still
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log to this level: error, warn, info, debug, trace, or a filter [env: ESKER_LOG]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How log lines look
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Log to this file instead of the standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
