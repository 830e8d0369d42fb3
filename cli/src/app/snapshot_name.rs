//! SNAPSHOT arguments: `latest`, an id, `SOURCE@latest`, `SOURCE@TIME`, each with a `:/path`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use esker_engine::format::commit::SourceIdentity;
use esker_engine::repo::{History, Snapshot};
use jiff::Timestamp;

use super::units::{WholeDay, parse_time};
use crate::error::CommandError;

/// Which snapshot is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// The newest of all.
    Latest,
    /// The one whose id begins so.
    Id(String),
    /// The newest of a source.
    OfSource(String),
    /// The last one of a source at or before a time.
    AtTime(String, Timestamp),
}

/// A SNAPSHOT argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotName {
    /// As it was written, for messages.
    pub(crate) text: String,
    /// Which snapshot.
    pub(crate) which: Which,
    /// The path inside; it begins with a slash.
    pub(crate) path: Option<Vec<u8>>,
}

/// Splits a path off: it begins with a slash and follows the first `:/`.
fn split_path(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.windows(2).position(|pair| pair == b":/") {
        Some(colon) => (&bytes[..colon], Some(&bytes[colon + 1..])),
        None => (bytes, None),
    }
}

fn is_id(text: &str) -> bool {
    (4..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl SnapshotName {
    /// Reads an argument.
    pub(crate) fn parse(argument: &OsStr) -> Result<Self, CommandError> {
        let bytes = argument.as_bytes();
        let named = |which, path: Option<&[u8]>| Self {
            text: argument.to_string_lossy().into_owned(),
            which,
            path: path.map(<[u8]>::to_vec),
        };
        let (head, path) = split_path(bytes);
        match std::str::from_utf8(head) {
            Ok("latest") => return Ok(named(Which::Latest, path)),
            Ok(id) if is_id(id) => return Ok(named(Which::Id(id.to_ascii_lowercase()), path)),
            _ => {}
        }
        // The source is split off at the last `@` that a moment follows: paths may hold others.
        let ats = bytes.iter().enumerate().rev();
        for (at, _) in ats.filter(|(_, byte)| **byte == b'@') {
            let source = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let (moment, path) = split_path(&bytes[at + 1..]);
            let moment = String::from_utf8_lossy(moment);
            if source.is_empty() {
                continue;
            }
            if moment == "latest" {
                return Ok(named(Which::OfSource(source), path));
            }
            if let Ok(time) = parse_time(&moment, WholeDay::End) {
                return Ok(named(Which::AtTime(source, time), path));
            }
        }
        let text = argument.to_string_lossy();
        Err(
            CommandError::failed(format!("`{text}` is no snapshot")).hint(
                "write `latest`, an id of at least 4 hex digits, `SOURCE@latest` or `SOURCE@2026-11-22 03:00`; \
                 list them with `esker snapshots`",
            ),
        )
    }

    /// The path inside, `/` where none was given.
    pub(crate) fn path_or_top(&self) -> &[u8] {
        self.path.as_deref().unwrap_or(b"/")
    }

    /// Finds the snapshot.
    pub(crate) fn find<'a>(&self, history: &'a History) -> Result<&'a Snapshot, CommandError> {
        let none = |cause: String| {
            CommandError::failed(format!("there is no snapshot `{}`", self.text))
                .caused_by(&std::io::Error::other(cause))
                .hint(if history.visible().next().is_none() {
                    "make the first one with `esker backup FOLDER`"
                } else {
                    "list the snapshots with `esker snapshots`"
                })
        };
        let newest = |wanted: &dyn Fn(&Snapshot) -> bool| {
            let fitting = history.visible().filter(|it| wanted(it));
            fitting.max_by(|a, b| order(a).cmp(&order(b)))
        };
        match &self.which {
            Which::Latest => {
                newest(&|_| true).ok_or_else(|| none("the repository has none yet".into()))
            }
            Which::Id(prefix) => history.by_prefix(prefix).map_err(|error| none(error.to_string())),
            Which::OfSource(source) => newest(&|it| is_of_source(source, &it.commit.source))
                .ok_or_else(|| none(format!("no snapshot is of a source `{source}`"))),
            Which::AtTime(source, time) => {
                let is_before = |it: &Snapshot| {
                    it.commit.time.parse::<Timestamp>().is_ok_and(|taken| taken <= *time)
                };
                newest(&|it| is_of_source(source, &it.commit.source) && is_before(it)).ok_or_else(
                    || none(format!("`{source}` has no snapshot of that time or before")),
                )
            }
        }
    }
    /// Finds a snapshot that was forgotten, by its id.
    pub(crate) fn find_forgotten<'a>(
        &self,
        history: &'a History,
    ) -> Result<&'a Snapshot, CommandError> {
        let none = |cause: &str| {
            CommandError::failed(format!("there is no forgotten snapshot `{}`", self.text))
                .caused_by(&std::io::Error::other(cause.to_owned()))
                .hint("list them with `esker snapshots --forgotten`")
        };
        let Which::Id(prefix) = &self.which else {
            return Err(none("forgotten snapshots are named by their ids"));
        };
        let is_meant = |it: &&Snapshot| is_forgotten(it) && it.id.to_hex().starts_with(prefix);
        let mut found = history.snapshots.iter().filter(is_meant);
        match (found.next(), found.next()) {
            (Some(snapshot), None) => Ok(snapshot),
            (None, _) if history.by_prefix(prefix).is_ok() => Err(none("it is not forgotten")),
            (None, _) => Err(none("no id begins so")),
            (Some(_), Some(_)) => Err(none("more than one id begins so")),
        }
    }
}

/// True for a snapshot that people knew and that was forgotten.
pub(crate) fn is_forgotten(snapshot: &Snapshot) -> bool {
    snapshot.forgotten && !snapshot.commit.checkpoint
}

/// What sorts snapshots by age. All times of commits are in UTC, written alike.
pub(crate) fn order(snapshot: &Snapshot) -> (&str, impl Ord + use<>) {
    (&snapshot.commit.time, snapshot.slot.ulid)
}

/// True where a SOURCE argument means this source: by name, identity, locator, or as a path.
pub(crate) fn is_of_source(argument: &str, source: &SourceIdentity) -> bool {
    let plain = |text: &str| text == source.name || text == source.identity;
    if plain(argument) {
        return true;
    }
    let locator = argument.strip_prefix(&source.kind);
    let locator = locator.and_then(|rest| rest.strip_prefix(':'));
    let path = match locator {
        Some(rest) if plain(rest) => return true,
        Some(rest) => rest,
        None => argument,
    };
    if source.kind != "files" {
        return false;
    }
    let is_same = |path: std::io::Result<std::path::PathBuf>| {
        path.is_ok_and(|path| path.components().eq(Path::new(&source.identity).components()))
    };
    is_same(std::path::absolute(path)) || is_same(Path::new(path).canonicalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        parse_time(text, WholeDay::End).unwrap()
    }

    #[test]
    fn snapshots_are_named_in_four_ways() {
        let source = |text: &str| Which::OfSource(text.into());
        let cases = [
            ("latest", Which::Latest, None),
            ("latest:/", Which::Latest, Some("/")),
            ("latest:/a:/b@latest", Which::Latest, Some("/a:/b@latest")),
            ("5C1e", Which::Id("5c1e".into()), None),
            ("5c1e:/a@b", Which::Id("5c1e".into()), Some("/a@b")),
            ("acme@latest", source("acme"), None),
            ("acme@latest:/a@b", source("acme"), Some("/a@b")),
            (
                "jira:https://acme.example@latest:/ABC-1",
                source("jira:https://acme.example"),
                Some("/ABC-1"),
            ),
            ("/srv/a@b@latest", source("/srv/a@b"), None),
            (
                "/srv@2026-11-22 03:00:/x",
                Which::AtTime("/srv".into(), time("2026-11-22 03:00")),
                Some("/x"),
            ),
            (
                "acme@2026-11-22T03:00:00Z",
                Which::AtTime("acme".into(), time("2026-11-22T03:00:00Z")),
                None,
            ),
        ];
        for (text, which, path) in cases {
            let name = SnapshotName::parse(OsStr::new(text)).unwrap();
            assert_eq!(name.which, which, "{text}");
            assert_eq!(name.path.as_deref(), path.map(str::as_bytes), "{text}");
        }
        for text in ["", "abc", "newest", "@latest", "acme@tomorrow", "/srv/a"] {
            assert!(SnapshotName::parse(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_source_is_known_by_name_identity_locator_and_path() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let source = |kind: &str, identity: &str, name: &str| SourceIdentity {
            kind: kind.into(),
            identity: identity.into(),
            name: name.into(),
        };
        let jira = source("jira", "cloud-1", "acme");
        assert!(is_of_source("acme", &jira) && is_of_source("cloud-1", &jira));
        assert!(is_of_source("jira:cloud-1", &jira) && is_of_source("jira:acme", &jira));
        assert!(!is_of_source("files:acme", &jira) && !is_of_source("other", &jira));
        let path = real.to_str().unwrap();
        let files = source("files", path, path);
        assert!(is_of_source(path, &files));
        assert!(is_of_source(&format!("{path}/"), &files));
        assert!(is_of_source(&format!("files:{path}/./"), &files));
        assert!(!is_of_source("/", &files));
    }
}
