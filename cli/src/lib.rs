//! The command line of Esker: arguments in, exit code out.
//!
//! `app` finds out what is meant and opens it, `commands` call the engine, `ui` prints. Only `app` reads the environment, and
//! only `ui` writes to the terminal, so a whole command can run inside a test.

mod app;
mod args;
mod commands;
mod error;
mod logging;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use app::runtime::Engine;
use app::settings::{self, Settings};
use args::Args;
use error::CommandError;
use ui::Ui;

pub use ui::Streams;

/// What a command that did not fail ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All went well.
    Done,
    /// It is done, and something is missing or damaged.
    Problems,
}

/// Runs the command that the arguments name, the first of them the program's own name.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: Streams) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            return ui::usage(&error, streams, settings::wants_colour(&settings::of_process));
        }
    };
    let settings = match Settings::resolve(&args.global, &settings::of_process) {
        Ok(settings) => settings,
        Err(error) => {
            let ui = Ui::new(streams, &Settings::default());
            ui.error(&error);
            return ExitCode::from(error.exit_code());
        }
    };
    let ui = Ui::new(streams, &settings);
    let ended = logging::start(&settings, ui.is_coloured())
        .and_then(|()| Engine::start())
        .and_then(|engine| {
            let ended = commands::run(&args.command, &settings, &engine, &ui);
            engine.stop();
            ended
        })
        .and_then(|outcome| ui.flush().map(|()| outcome));
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Problems) => ExitCode::from(3),
        Err(error) => fail(&ui, &error),
    }
}

fn fail(ui: &Ui, error: &CommandError) -> ExitCode {
    if !error.is_quiet() {
        // What was said before belongs before the error, where both go to one place.
        let _ = ui.flush();
        ui.error(error);
    }
    ExitCode::from(error.exit_code())
}
