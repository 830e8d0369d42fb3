//! The `esker` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    esker_cli::run(std::env::args_os(), esker_cli::Streams::of_process())
}
