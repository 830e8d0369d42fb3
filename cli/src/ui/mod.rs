//! The only place that prints. Results go to the standard output, everything else to the standard error.

pub(crate) mod change;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod text;

use std::fmt::{Display, Write as _};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use esker_engine::problem::Problem;
use esker_engine::secret::Secret;
use serde::Serialize;

use crate::app::passphrase::Ask;
use crate::app::settings::{Settings, Verbosity};
use crate::error::CommandError;
use progress::{Progress, Show};

/// Of many warnings of one kind so many are shown.
const WARNINGS_SHOWN: usize = 50;

/// Where a command prints to.
pub struct Streams {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    is_terminal: bool,
}

impl Streams {
    /// The streams of this process.
    pub fn of_process() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Other streams, where nobody looks on: for tests.
    pub fn captured(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out), err: Box::new(err), is_terminal: false }
    }
}

/// Prints, and asks.
pub(crate) struct Ui {
    out: Mutex<BufWriter<Box<dyn Write + Send>>>,
    err: Arc<Mutex<Box<dyn Write + Send>>>,
    is_terminal: bool,
    colour: bool,
    verbosity: Verbosity,
    json: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints what is wrong with the arguments, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error, mut streams: Streams, colour: bool) -> ExitCode {
    let text = error.render();
    let coloured = |terminal: bool| {
        if terminal && colour { text.ansi().to_string() } else { text.to_string() }
    };
    if error.use_stderr() {
        let _ = streams.err.write_all(coloured(streams.is_terminal).as_bytes());
        return ExitCode::from(2);
    }
    let text = coloured(io::stdout().is_terminal());
    let written = streams.out.write_all(text.as_bytes()).and_then(|()| streams.out.flush());
    match written.map_err(|error| CommandError::output(&error)) {
        Err(error) => ExitCode::from(error.exit_code()),
        Ok(()) => ExitCode::SUCCESS,
    }
}

impl Ui {
    /// Prints to these streams, as the settings say.
    pub(crate) fn new(streams: Streams, settings: &Settings) -> Self {
        Self {
            out: Mutex::new(BufWriter::with_capacity(/* 64 KiB */ 64 * 1024, streams.out)),
            err: Arc::new(Mutex::new(streams.err)),
            is_terminal: streams.is_terminal,
            colour: settings.colour && streams.is_terminal,
            verbosity: settings.verbosity,
            json: settings.json,
        }
    }

    /// True where results are wanted as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// True where only what was asked for is wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// True where details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// True where the standard error may be coloured.
    pub(crate) fn is_coloured(&self) -> bool {
        self.colour
    }

    /// Writes to the standard output.
    pub(crate) fn with_out<T>(&self, write: impl FnOnce(&mut dyn Write) -> T) -> T {
        write(&mut *locked(&self.out))
    }

    /// Writes a line of a result.
    pub(crate) fn line(&self, text: &str) -> Result<(), CommandError> {
        let written = self.with_out(|out| writeln!(out, "{text}"));
        written.map_err(|error| CommandError::output(&error))
    }

    /// Writes a result as one JSON document.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CommandError> {
        self.with_out(|out| json::document(out, value))
    }

    /// Sends on what was written so far.
    pub(crate) fn flush(&self) -> Result<(), CommandError> {
        locked(&self.out).flush().map_err(|error| CommandError::output(&error))
    }

    /// Tells something beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet() {
            self.keep_order();
            // Whoever closed the standard error does not want to know.
            let _ = writeln!(locked(&self.err), "{text}");
        }
    }

    /// Tells about trouble that does not end the command.
    pub(crate) fn warning(&self, text: &str) {
        self.keep_order();
        let _ = writeln!(locked(&self.err), "{} {text}", self.label("warning:", "33"));
    }

    /// Lists problems: the first ones in full, of the rest how many there are.
    pub(crate) fn problems(&self, problems: &[Problem]) {
        self.warnings(problems, ("further problem", "further problems"));
    }

    /// Warns of each item of a list: the first ones in full, of the rest how many there are.
    pub(crate) fn warnings<T: Display>(&self, items: &[T], (one, many): (&str, &str)) {
        for item in items.iter().take(WARNINGS_SHOWN) {
            self.warning(&item.to_string());
        }
        let further = items.len().saturating_sub(WARNINGS_SHOWN);
        if further > 0 {
            let further = text::plural(further as u64, one, many);
            self.warning(&format!("and {further}; `--json` lists all"));
        }
    }

    /// Sends on what was written before, where both streams go to one terminal; an error shows at the end.
    fn keep_order(&self) {
        let _ = locked(&self.out).flush();
    }

    /// Tells why the command ended.
    pub(crate) fn error(&self, error: &CommandError) {
        let (message, causes, hints) = error.parts();
        let mut text = format!("{} {message}\n", self.label("error:", "31"));
        for (label, colour, lines) in [("caused by:", "31", causes), ("hint:", "36", hints)] {
            for line in lines {
                let _ = writeln!(text, "{} {line}", self.label(label, colour));
            }
        }
        let _ = locked(&self.err).write_all(text.as_bytes());
    }

    fn label(&self, text: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.into() }
    }

    /// Shows the progress of an operation.
    pub(crate) fn progress(&self, task: &str) -> Arc<Progress> {
        let show = match (self.is_quiet(), self.is_terminal) {
            (true, _) => Show::Nothing,
            (false, true) => Show::Bar,
            (false, false) => Show::Lines,
        };
        let err = Arc::clone(&self.err);
        let write_line = move |line: &str| {
            let _ = writeln!(locked(&err), "{line}");
        };
        Progress::begin(task, show, Box::new(write_line))
    }
}

impl Ask for Ui {
    fn passphrase(&self, prompt: &str) -> io::Result<Option<Secret<String>>> {
        // Without a terminal at either end this is a script, and a script cannot answer.
        if !self.is_terminal && !io::stdin().is_terminal() {
            return Ok(None);
        }
        rpassword::prompt_password(prompt).map(|text| Some(Secret::new(text)))
    }
}
