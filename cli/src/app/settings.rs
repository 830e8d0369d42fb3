//! Options and environment become settings. The only place that reads the environment and knows the home folder.

use std::ffi::OsString;
use std::path::PathBuf;

use esker_engine::secret::Secret;
use esker_engine::store::StoreOptions;

use super::jira::JiraCredentials;
use crate::args::{GlobalArgs, LogFormat};
use crate::error::CommandError;

/// Looks up an environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub(crate) fn of_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// True where colours may be used on a terminal.
pub(crate) fn wants_colour(environment: Environment<'_>) -> bool {
    variable(environment, "NO_COLOR").is_none()
        && variable(environment, "TERM").is_none_or(|term| term != "dumb")
}

/// Where the key of the repository comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum KeyOrigin {
    /// A key file, and what named it.
    KeyFile(PathBuf, &'static str),
    /// A variable that holds the passphrase.
    Variable(Secret<String>),
    /// A file that holds the passphrase.
    PasswordFile(PathBuf),
    /// A command that prints the passphrase.
    PasswordCommand(String),
    /// A person.
    #[default]
    Terminal,
}

impl KeyOrigin {
    /// What to look at where the key is wrong.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::KeyFile(_, named_by) => named_by,
            Self::Variable(_) => "ESKER_PASSWORD",
            Self::PasswordFile(_) => "ESKER_PASSWORD_FILE",
            Self::PasswordCommand(_) => "ESKER_PASSWORD_COMMAND",
            Self::Terminal => "the terminal",
        }
    }
}

/// How much is told beside results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What happened.
    #[default]
    Normal,
    /// Details too.
    Verbose,
}

/// What was asked of every command, resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The address of the repository.
    pub(crate) repo: Option<String>,
    /// How its store is asked.
    pub(crate) store: StoreOptions,
    /// What opens it.
    pub(crate) key: KeyOrigin,
    /// What Jira sites are asked with.
    pub(crate) jira: JiraCredentials,
    /// Where is kept what is remembered of repositories; nowhere if `None`.
    pub(crate) cache: Option<PathBuf>,
    /// Results as JSON.
    pub(crate) json: bool,
    /// How much is told.
    pub(crate) verbosity: Verbosity,
    /// True where colours may be used on a terminal.
    pub(crate) colour: bool,
    /// What is logged.
    pub(crate) log_level: String,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// Where they go; the standard error if `None`.
    pub(crate) log_file: Option<PathBuf>,
}

impl Settings {
    /// Options go before variables, variables before what is usual.
    pub(crate) fn resolve(
        args: &GlobalArgs,
        environment: Environment<'_>,
    ) -> Result<Self, CommandError> {
        let path = |name: &str| variable(environment, name).map(PathBuf::from);
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let log_level = match (&args.log_level, variable(environment, "ESKER_LOG")) {
            (Some(level), _) => level.clone(),
            (None, Some(level)) => level.to_string_lossy().into_owned(),
            (None, None) => default_level(args).into(),
        };
        Ok(Self {
            repo: match &args.repo {
                Some(url) => Some(url.clone()),
                None => variable(environment, "ESKER_REPO")
                    .map(|url| text("ESKER_REPO", url))
                    .transpose()?,
            },
            store: store_options(environment)?,
            key: key_origin(args, environment)?,
            jira: JiraCredentials::resolve(environment)?,
            cache: if args.no_cache {
                None
            } else {
                let named = args.cache_dir.clone().or_else(|| path("ESKER_CACHE_DIR"));
                named.or_else(|| platform_cache(environment))
            },
            json: args.json,
            verbosity,
            colour: wants_colour(environment),
            log_level,
            log_format: args.log_format,
            log_file: args.log_file.clone(),
        })
    }
}

fn default_level(args: &GlobalArgs) -> &'static str {
    match (args.quiet, args.verbose) {
        (true, _) => "error",
        (false, 0 | 1) => "warn",
        (false, 2) => "info",
        (false, _) => "debug",
    }
}

/// A variable that is set to something.
pub(super) fn variable(environment: Environment<'_>, name: &str) -> Option<OsString> {
    environment(name).filter(|value| !value.is_empty())
}

/// Its text.
pub(super) fn text(name: &str, value: OsString) -> Result<String, CommandError> {
    value.into_string().map_err(|_| {
        CommandError::failed(format!("the variable {name} is no text"))
            .hint(format!("set it anew: `export {name}=…`"))
    })
}

fn store_options(environment: Environment<'_>) -> Result<StoreOptions, CommandError> {
    let is_on = |name: &str| {
        let value = variable(environment, name);
        value.is_some_and(|value| !["0", "false", "no", "off"].iter().any(|no| value == *no))
    };
    let mut options = StoreOptions {
        insecure_http: is_on("ESKER_INSECURE_HTTP"),
        ask_metadata_service: is_on("ESKER_ASK_METADATA_SERVICE"),
        ..StoreOptions::default()
    };
    for name in StoreOptions::NAMES {
        if let Some(value) = variable(environment, name) {
            // Keys come out of files and managers with a line break at their end.
            options = options.with(name, text(name, value)?.trim());
        }
    }
    Ok(options)
}

fn key_origin(args: &GlobalArgs, environment: Environment<'_>) -> Result<KeyOrigin, CommandError> {
    if let Some(path) = &args.key_file {
        return Ok(KeyOrigin::KeyFile(path.clone(), "--key-file"));
    }
    // An empty passphrase is a mistake to be told, not a variable to be passed over.
    if let Some(passphrase) = environment("ESKER_PASSWORD") {
        let passphrase = text("ESKER_PASSWORD", passphrase)?;
        return Ok(KeyOrigin::Variable(Secret::new(passphrase)));
    }
    if let Some(path) = variable(environment, "ESKER_PASSWORD_FILE") {
        return Ok(KeyOrigin::PasswordFile(path.into()));
    }
    if let Some(command) = variable(environment, "ESKER_PASSWORD_COMMAND") {
        let command = text("ESKER_PASSWORD_COMMAND", command)?;
        return Ok(KeyOrigin::PasswordCommand(command));
    }
    Ok(match variable(environment, "ESKER_KEY_FILE") {
        Some(path) => KeyOrigin::KeyFile(path.into(), "ESKER_KEY_FILE"),
        None => KeyOrigin::Terminal,
    })
}

fn platform_cache(environment: Environment<'_>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(variable(environment, name)?);
        path.is_absolute().then_some(path)
    };
    let usual = || {
        let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        Some(absolute("HOME")?.join(below))
    };
    Some(absolute("XDG_CACHE_HOME").or_else(usual)?.join("esker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(args: &GlobalArgs, variables: &[(&str, &str)]) -> Settings {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::resolve(args, &lookup).unwrap()
    }

    #[test]
    fn options_go_before_variables() {
        let args = GlobalArgs { repo: Some("/option".into()), ..GlobalArgs::default() };
        let variables = [("ESKER_REPO", "/variable"), ("NO_COLOR", "1")];
        assert_eq!(resolve(&args, &variables).repo.unwrap(), "/option");
        let settings = resolve(&GlobalArgs::default(), &variables);
        assert_eq!(settings.repo.unwrap(), "/variable");
        assert!(!settings.colour);
        assert!(resolve(&GlobalArgs::default(), &[("ESKER_REPO", "")]).repo.is_none());
    }

    #[test]
    fn what_a_store_is_asked_with_is_taken_along_and_never_shown() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "backup\n"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("ESKER_INSECURE_HTTP", "1"),
            ("ESKER_ASK_METADATA_SERVICE", "0"),
        ];
        let store = resolve(&GlobalArgs::default(), &variables).store;
        assert_eq!(store.settings["AWS_ACCESS_KEY_ID"].expose(), "backup");
        assert!(store.insecure_http && !store.ask_metadata_service);
        let shown = format!("{store:?}");
        assert!(!shown.contains("backup") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn the_cache_is_where_it_was_named_or_where_caches_are() {
        let none = GlobalArgs::default();
        let cache = |variables: &[(&str, &str)]| resolve(&none, variables).cache;
        assert_eq!(cache(&[("ESKER_CACHE_DIR", "/c"), ("HOME", "/h")]), Some("/c".into()));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Some("/x/esker".into()));
        let home = cache(&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")]).unwrap();
        assert!(home.starts_with("/h") && home.ends_with("esker"));
        assert_eq!(cache(&[]), None);
        let forgetful = GlobalArgs { no_cache: true, ..GlobalArgs::default() };
        assert_eq!(resolve(&forgetful, &[("HOME", "/h")]).cache, None);
    }

    #[test]
    fn a_key_comes_from_the_first_place_that_names_one() {
        let name =
            |args: &GlobalArgs, variables: &[(&str, &str)]| resolve(args, variables).key.name();
        let none = GlobalArgs::default();
        let all = [
            ("ESKER_KEY_FILE", "k"),
            ("ESKER_PASSWORD_COMMAND", "c"),
            ("ESKER_PASSWORD_FILE", "f"),
            ("ESKER_PASSWORD", ""),
        ];
        assert_eq!(name(&none, &all), "ESKER_PASSWORD");
        assert_eq!(name(&none, &all[..3]), "ESKER_PASSWORD_FILE");
        assert_eq!(name(&none, &all[..2]), "ESKER_PASSWORD_COMMAND");
        assert_eq!(name(&none, &all[..1]), "ESKER_KEY_FILE");
        assert_eq!(name(&none, &[]), "the terminal");
        let named = GlobalArgs { key_file: Some("k".into()), ..GlobalArgs::default() };
        assert_eq!(name(&named, &all), "--key-file");
    }
}
