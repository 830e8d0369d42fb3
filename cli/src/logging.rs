//! Log lines: to the standard error or a file.

use std::fs::OpenOptions;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::app::settings::Settings;
use crate::args::LogFormat;
use crate::error::CommandError;

/// Starts logging for this process; where it is on already it stays as it is.
pub(crate) fn start(settings: &Settings, coloured: bool) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(&settings.log_level).map_err(|error| {
        let message = format!("`{}` is no log level", settings.log_level);
        CommandError::usage(message)
            .caused_by(&error)
            .hint("levels are `error`, `warn`, `info`, `debug` and `trace`")
    })?;
    let writer = match &settings.log_file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| {
                let message = format!("cannot open the log file `{}`", path.display());
                CommandError::failed(message)
                    .caused_by(&error)
                    .hint("name another one with `--log-file FILE`")
            })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(coloured && settings.log_file.is_none());
    // Only a test that runs several commands in one process comes here twice.
    let _ = match settings.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
