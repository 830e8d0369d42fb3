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

/// What names the key of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyNames {
    /// The option for a key file.
    pub(crate) option: &'static str,
    /// The variable with the passphrase.
    pub(crate) password: &'static str,
    /// The variable with the name of a file that holds it.
    pub(crate) password_file: &'static str,
    /// The variable with a command that prints it.
    pub(crate) password_command: &'static str,
    /// The variable with the name of a key file.
    pub(crate) key_file: &'static str,
    /// What a person is asked.
    pub(crate) prompt: &'static str,
}

/// For the repository that a command works on.
pub(crate) static OWN_KEY: KeyNames = KeyNames {
    option: "--key-file",
    password: "ESKER_PASSWORD",
    password_file: "ESKER_PASSWORD_FILE",
    password_command: "ESKER_PASSWORD_COMMAND",
    key_file: "ESKER_KEY_FILE",
    prompt: "passphrase: ",
};

/// For the second one: that is copied from.
pub(crate) static FROM_KEY: KeyNames = KeyNames {
    option: "--from-key-file",
    password: "ESKER_FROM_PASSWORD",
    password_file: "ESKER_FROM_PASSWORD_FILE",
    password_command: "ESKER_FROM_PASSWORD_COMMAND",
    key_file: "ESKER_FROM_KEY_FILE",
    prompt: "passphrase of the other repository: ",
};

impl Default for &'static KeyNames {
    fn default() -> Self {
        &OWN_KEY
    }
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
    pub(crate) fn name(&self, names: &KeyNames) -> &'static str {
        match self {
            Self::KeyFile(_, named_by) => named_by,
            Self::Variable(_) => names.password,
            Self::PasswordFile(_) => names.password_file,
            Self::PasswordCommand(_) => names.password_command,
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

/// What the environment says of the repository that is copied from.
#[derive(Debug, Clone, Default)]
pub(crate) struct FromSettings {
    repo: Option<String>,
    store: StoreOptions,
    key: KeyOrigin,
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
    /// What names the key.
    pub(crate) key_names: &'static KeyNames,
    /// The second repository.
    pub(crate) from: FromSettings,
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
            key: key_origin(args.key_file.as_ref(), &OWN_KEY, environment)?,
            key_names: &OWN_KEY,
            from: FromSettings::resolve(environment)?,
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

impl FromSettings {
    /// What is asked of its store is as for the other one, where no variable of its own says otherwise.
    fn resolve(environment: Environment<'_>) -> Result<Self, CommandError> {
        let of_store =
            |name: &str| environment(&format!("ESKER_FROM_{name}")).or_else(|| environment(name));
        let url = variable(environment, "ESKER_FROM_REPO");
        Ok(Self {
            repo: url.map(|url| text("ESKER_FROM_REPO", url)).transpose()?,
            store: store_options(&of_store)?,
            key: key_origin(None, &FROM_KEY, environment)?,
        })
    }
}

impl Settings {
    /// The settings for the second repository: options go before variables.
    pub(crate) fn of_other(
        &self,
        url: Option<&str>,
        key_file: Option<&PathBuf>,
    ) -> Result<Self, CommandError> {
        let FromSettings { repo, store, key } = self.from.clone();
        let Some(url) = url.map(str::to_owned).or(repo) else {
            return Err(CommandError::failed("no repository to copy from was named")
                .hint("name it with `--from URL`, or set `ESKER_FROM_REPO`"));
        };
        let key = match key_file {
            Some(path) => KeyOrigin::KeyFile(path.clone(), FROM_KEY.option),
            None => key,
        };
        Ok(Self { repo: Some(url), store, key, key_names: &FROM_KEY, ..self.clone() })
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

fn key_origin(
    option: Option<&PathBuf>,
    names: &KeyNames,
    environment: Environment<'_>,
) -> Result<KeyOrigin, CommandError> {
    if let Some(path) = option {
        return Ok(KeyOrigin::KeyFile(path.clone(), names.option));
    }
    // An empty passphrase is a mistake to be told, not a variable to be passed over.
    if let Some(passphrase) = environment(names.password) {
        let passphrase = text(names.password, passphrase)?;
        return Ok(KeyOrigin::Variable(Secret::new(passphrase)));
    }
    if let Some(path) = variable(environment, names.password_file) {
        return Ok(KeyOrigin::PasswordFile(path.into()));
    }
    if let Some(command) = variable(environment, names.password_command) {
        let command = text(names.password_command, command)?;
        return Ok(KeyOrigin::PasswordCommand(command));
    }
    Ok(match variable(environment, names.key_file) {
        Some(path) => KeyOrigin::KeyFile(path.into(), names.key_file),
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
        let name = |args: &GlobalArgs, variables: &[(&str, &str)]| {
            resolve(args, variables).key.name(&OWN_KEY)
        };
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
    #[test]
    fn the_second_repository_has_names_of_its_own() {
        let variables = [
            ("ESKER_REPO", "/one"),
            ("ESKER_FROM_REPO", "/two"),
            ("ESKER_KEY_FILE", "k"),
            ("ESKER_FROM_PASSWORD", "p"),
            ("AWS_REGION", "here"),
            ("AWS_ENDPOINT_URL", "https://one"),
            ("ESKER_FROM_AWS_ENDPOINT_URL", "https://two"),
        ];
        let settings = resolve(&GlobalArgs::default(), &variables);
        let other = settings.of_other(None, None).unwrap();
        assert_eq!(other.repo.as_deref(), Some("/two"));
        assert_eq!(other.key.name(other.key_names), "ESKER_FROM_PASSWORD");
        let of_store = |settings: &Settings, name| settings.store.settings[name].expose().clone();
        assert_eq!(of_store(&settings, "AWS_ENDPOINT_URL"), "https://one");
        assert_eq!(of_store(&other, "AWS_ENDPOINT_URL"), "https://two");
        assert_eq!(of_store(&other, "AWS_REGION"), "here");
        let named = settings.of_other(Some("/three"), Some(&"f".into())).unwrap();
        assert_eq!(named.repo.as_deref(), Some("/three"));
        assert_eq!(named.key.name(named.key_names), "--from-key-file");
        let none = resolve(&GlobalArgs::default(), &[("ESKER_KEY_FILE", "k")]);
        assert!(none.of_other(None, None).is_err());
        let other = none.of_other(Some("/two"), None).unwrap();
        assert_eq!(other.key.name(other.key_names), "the terminal", "the own key is no other's");
    }
}
