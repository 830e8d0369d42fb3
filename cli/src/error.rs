//! What a person is told when a command fails: what failed, why, and what to type next.

use esker_engine::Error;
use esker_engine::format::config::ConfigError;
use esker_engine::ops::prune::PruneError;
use esker_engine::problem::ErrorKind;
use esker_engine::repo::RepoError;
use esker_engine::sink::SinkError;
use esker_engine::source::SourceError;
use esker_engine::store::StoreError;

/// Why a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It could not do what was asked.
    Failed,
    /// What was asked makes no sense.
    Usage,
    /// Somebody stopped it.
    Interrupted,
    /// Nobody reads the output any more, as after `| head`.
    NobodyReads,
}

/// A failed command: the three parts of its message, and the exit code.
#[derive(Debug)]
pub(crate) struct CommandError {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    damaged: Option<String>,
}

impl CommandError {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hints: Vec::new(), damaged: None }
    }

    /// Something could not be done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Somebody pressed Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// The engine could not do `what`.
    pub(crate) fn engine(what: impl Into<String>, error: impl Into<Error>) -> Self {
        let error = error.into();
        if let Error::Output(source) = &error {
            return Self::output(source);
        }
        if error.kind() == ErrorKind::Cancelled {
            return Self::interrupted();
        }
        let mut failed = Self::failed(what).caused_by(&error);
        failed.damaged = damaged(&error);
        match hint(&error) {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }

    /// The standard output cannot be written.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::NobodyReads, "nobody reads the output");
        }
        Self::failed("cannot write to the standard output")
            .caused_by(error)
            .hint("send it elsewhere, or make room: see `df -h`")
    }

    /// Adds an error and all that it has for causes.
    pub(crate) fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if self.causes.last().is_none_or(|last| !last.contains(&text)) {
                self.causes.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The object of the repository that is damaged, where that is the cause.
    pub(crate) fn damaged_object(&self) -> Option<&str> {
        self.damaged.as_deref()
    }

    /// True where nobody wants to read of it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.exit == Exit::NobodyReads
    }

    /// True where somebody stopped the command.
    pub(crate) fn is_interruption(&self) -> bool {
        self.exit == Exit::Interrupted
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.exit {
            Exit::NobodyReads => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
        }
    }

    /// What failed, its causes and hints.
    pub(crate) fn parts(&self) -> (&str, &[String], &[String]) {
        (&self.message, &self.causes, &self.hints)
    }
}

fn damaged(error: &Error) -> Option<String> {
    match error {
        Error::Repo(RepoError::Store(StoreError::Missing { name })) => Some(name.clone()),
        _ if error.kind() != ErrorKind::Corrupt => None,
        Error::Repo(
            RepoError::Config { name, .. }
            | RepoError::Sealed { name, .. }
            | RepoError::Unreadable { name, .. }
            | RepoError::Store(StoreError::TooLarge { name, .. }),
        ) => Some(name.clone()),
        _ => None,
    }
}

/// What to type next. Errors whose hint depends on the command are given theirs there.
fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::Repo(RepoError::Config {
            source: ConfigError::Version { .. } | ConfigError::Feature { .. },
            ..
        }) => newer_version(),
        Error::Repo(RepoError::NotARepository { place }) => {
            format!("make one with `esker init --repo {place}`, or check the address")
        }
        Error::Repo(RepoError::Exists { place }) => {
            format!("it can be used as it is: `esker snapshots --repo {place}`")
        }
        Error::Repo(RepoError::NotEmpty { place, .. }) => format!(
            "name an empty or new folder: `esker init --repo {}/esker`",
            place.trim_end_matches('/')
        ),
        Error::Repo(RepoError::NoSuchSnapshot { .. }) => {
            "list the snapshots with `esker snapshots`".into()
        }
        Error::Repo(RepoError::Fenced { .. }) => "run the same command again".into(),
        Error::Repo(RepoError::Client(_)) => {
            "name another folder with `--cache-dir DIR`, or do without: `--no-cache`".into()
        }
        Error::Prune(error) => return hint_of_prune(error).map(Into::into),
        Error::NoSuchPath { snapshot, .. } => {
            format!("list what is there with `esker ls {snapshot}`")
        }
        Error::Store(error) | Error::Repo(RepoError::Store(error)) => {
            return hint_of_store(error);
        }
        Error::Sink(SinkError::Target { .. }) if error.kind() != ErrorKind::Full => {
            "name a new folder, or one that you may write to: `--to DIR`".into()
        }
        Error::Source(SourceError::Unreadable { .. }) => {
            "check that the path exists and that you may read it".into()
        }
        error => return hint_of_kind(error.kind()).map(Into::into),
    };
    Some(text)
}

fn hint_of_prune(error: &PruneError) -> Option<&'static str> {
    match error {
        PruneError::Unproven { .. } => {
            Some("while nobody else uses the repository: `esker prune --exclusive`")
        }
        PruneError::Late { .. } => {
            Some("let the other one end; what it leaves is taken up by the next run")
        }
        PruneError::Sweeping { .. } => Some("see `esker snapshots --all` when it has ended"),
        PruneError::Swept { .. } => None,
        _ => Some("nothing was deleted; `esker check` tells what is hit"),
    }
}

fn hint_of_store(error: &StoreError) -> Option<String> {
    let text = match error {
        StoreError::Url { .. } => {
            "a repository is a folder, as in `--repo /backups/esker`, or an address such as `s3://bucket/esker`"
        }
        StoreError::Missing { .. } => "find out what is missing with `esker check`",
        StoreError::NoBucket { .. } => "make the bucket or container first, or check the address",
        StoreError::NoCredentials { .. } => {
            "on a machine of that cloud: `export ESKER_ASK_METADATA_SERVICE=1`"
        }
        StoreError::PlainHttp { .. } => {
            "write `https://`, or `export ESKER_INSECURE_HTTP=1` where nobody listens"
        }
        StoreError::Setting { name, .. } => return Some(format!("set it anew: `export {name}=…`")),
        StoreError::Denied { .. } => {
            "check the credentials, and that they permit to read and write there"
        }
        StoreError::Unlockable { .. } => {
            "make a bucket with Object Lock, or leave `--object-lock` out"
        }
        StoreError::Lock { .. } => {
            "check that the credentials permit `s3:PutObjectRetention`; what was stored is taken up by the next run"
        }
        StoreError::Folder { path, .. } if error.kind() != ErrorKind::Full => {
            return Some(format!(
                "a repository is a folder that you may write to; look: `ls -ld {path}`"
            ));
        }
        error => return hint_of_kind(error.kind()).map(Into::into),
    };
    Some(text.into())
}

fn newer_version() -> String {
    format!(
        "a newer Esker is needed; this one is {}: see `esker --version`",
        env!("CARGO_PKG_VERSION")
    )
}

fn hint_of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Full => Some("make room there and run the same command again; see `df -h`"),
        ErrorKind::Corrupt => Some("find out what is damaged with `esker check --read-data`"),
        ErrorKind::Unsupported => Some("a newer Esker is needed; see `esker --version`"),
        ErrorKind::Internal => Some("this is a mistake in Esker; `--log-level debug` shows more"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_once_and_codes_follow_the_kind() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left");
        let error = CommandError::engine("cannot back up `/x`", Error::Temporary(io));
        let (message, causes, hints) = error.parts();
        assert_eq!(message, "cannot back up `/x`");
        assert_eq!(causes, ["a temporary file cannot be used", "no space left"]);
        assert!(hints[0].contains("df -h"));
        assert_eq!(error.exit_code(), 1);
        assert_eq!(CommandError::engine("x", Error::Cancelled).exit_code(), 130);
        assert_eq!(CommandError::usage("x").exit_code(), 2);
        let closed = Error::Output(std::io::ErrorKind::BrokenPipe.into());
        let closed = CommandError::engine("x", closed);
        assert!(closed.is_quiet() && closed.exit_code() == 0);
    }
}
