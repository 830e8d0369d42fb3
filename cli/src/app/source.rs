//! From SOURCE arguments to a source.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use esker_engine::source::{Source, SourceError};
use esker_sources::filesystem::{FileList, FilesOptions, FilesSource, Separator, StdinSource};

use super::jira::{self, JiraRequest};
use super::runtime::Engine;
use super::settings::Settings;
use crate::error::CommandError;

/// The kinds of sources that this program knows.
const KINDS: [&str; 2] = ["files:PATH", "jira:URL"];

/// What is to be backed up, as it was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceRequest {
    /// The SOURCE arguments.
    pub(crate) sources: Vec<OsString>,
    /// Read the standard input instead.
    pub(crate) stdin: bool,
    /// The path to store it under.
    pub(crate) stdin_name: Option<String>,
    /// Lists of paths.
    pub(crate) files_from: Vec<PathBuf>,
    /// Lists of paths that end with a zero byte.
    pub(crate) files_from_nul: Vec<PathBuf>,
    /// Patterns of what is left out.
    pub(crate) exclude: Vec<String>,
    /// Files of such patterns.
    pub(crate) exclude_file: Vec<PathBuf>,
    /// Stay on the file systems of the paths.
    pub(crate) one_file_system: bool,
    /// Patterns of keys of projects of a Jira site.
    pub(crate) projects: Vec<String>,
    /// Plain HTTP is accepted elsewhere than on loopback.
    pub(crate) insecure_http: bool,
}

/// Opens what was asked for.
pub(crate) fn open(
    request: &SourceRequest,
    settings: &Settings,
    engine: &Engine,
) -> Result<Box<dyn Source>, CommandError> {
    if let Some(site) = site(request)? {
        let request = JiraRequest {
            site,
            projects: request.projects.clone(),
            insecure_http: request.insecure_http,
        };
        return Ok(Box::new(jira::open(&request, &settings.jira, engine)?));
    }
    if request.stdin {
        let name = request.stdin_name.as_deref().unwrap_or("stdin");
        let source = StdinSource::new(name, std::io::stdin());
        return Ok(Box::new(source.map_err(|error| {
            CommandError::usage("cannot back up the standard input")
                .caused_by(&error)
                .hint("give it a name: `--stdin-name dump.sql`")
        })?));
    }
    let paths = paths(&request.sources)?;
    if paths.is_empty() && request.files_from.is_empty() && request.files_from_nul.is_empty() {
        return Err(CommandError::usage("nothing to back up was named").hint(
            "name a folder: `esker backup /srv/share`, or `--stdin`, or `--files-from FILE`",
        ));
    }
    let list = |separator| move |path: &PathBuf| FileList { path: path.clone(), separator };
    let lines = request.files_from.iter().map(list(Separator::Newline));
    let zeros = request.files_from_nul.iter().map(list(Separator::Nul));
    let options = FilesOptions {
        excludes: request.exclude.clone(),
        exclude_files: request.exclude_file.clone(),
        one_file_system: request.one_file_system,
        files_from: lines.chain(zeros).collect(),
    };
    let source = FilesSource::open(paths, options).map_err(|error| {
        let failed = CommandError::failed("cannot back up what was named").caused_by(&error);
        match error {
            SourceError::Unreadable { what, .. } => failed
                .hint(format!("check that it exists and that you may read it: `ls -ld {what}`")),
            _ => failed.hint("see `esker backup --help`"),
        }
    })?;
    Ok(Box::new(source))
}

/// The address of the Jira site that is to be backed up, if it is one.
fn site(request: &SourceRequest) -> Result<Option<String>, CommandError> {
    let of = |source: &OsString| match parse(source) {
        Argument::Site(site) => Some(site.to_owned()),
        _ => None,
    };
    let sites: Vec<_> = request.sources.iter().filter_map(of).collect();
    let is_mixed = request.sources.len() > 1
        || request.stdin
        || !(request.files_from.is_empty() && request.files_from_nul.is_empty());
    match sites.into_iter().next() {
        Some(site) if is_mixed => {
            Err(CommandError::usage(format!("`jira:{site}` is a source of its own"))
                .hint("back up one site, or folders, at a time"))
        }
        None if !request.projects.is_empty() => {
            Err(CommandError::usage("only Jira sites have projects")
                .hint("name a site: `esker backup jira:https://acme.atlassian.net --project ABC`"))
        }
        site => Ok(site),
    }
}

/// What a SOURCE argument means.
#[derive(Debug, PartialEq, Eq)]
enum Argument<'a> {
    Path(&'a OsStr),
    Site(&'a str),
    Kind(&'a str),
    Name(&'a str),
}

fn parse(argument: &OsStr) -> Argument<'_> {
    let bytes = argument.as_bytes();
    let colon = bytes.iter().position(|byte| *byte == b':');
    let kind = colon.and_then(|colon| std::str::from_utf8(&bytes[..colon]).ok());
    if let Some(kind) = kind.filter(|kind| is_word(kind)) {
        if kind == "files" {
            return Argument::Path(OsStr::from_bytes(&bytes[kind.len() + 1..]));
        }
        if kind == "jira"
            && let Ok(site) = std::str::from_utf8(&bytes[kind.len() + 1..])
        {
            return Argument::Site(site);
        }
        return Argument::Kind(kind);
    }
    match argument.to_str() {
        Some(word) if !word.contains(['/', '.']) => Argument::Name(word),
        _ => Argument::Path(argument),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn paths(sources: &[OsString]) -> Result<Vec<PathBuf>, CommandError> {
    let path = |source: &OsString| match parse(source) {
        Argument::Path(path) if path.is_empty() => {
            Err(CommandError::usage("a path to back up is empty")
                .hint("name a folder: `esker backup /srv/share`"))
        }
        Argument::Path(path) => Ok(PathBuf::from(path)),
        Argument::Site(kind) | Argument::Kind(kind) => Err(CommandError::failed(format!(
            "sources of the kind `{kind}` are not known"
        ))
        .hint(format!(
            "this version knows `{}`; a path with a colon is written `./{}`",
            KINDS.join("`, `"),
            source.display()
        ))),
        Argument::Name("") => Err(CommandError::usage("a source has no name")
            .hint("name a folder: `esker backup /srv/share`")),
        Argument::Name(name) => Err(CommandError::failed(format!("no source is called `{name}`"))
            .hint(format!("for the folder of that name: `esker backup ./{name}`"))),
    };
    sources.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_slash_or_dot_is_a_path() {
        for (argument, expected) in [
            ("/srv/a", Argument::Path(OsStr::new("/srv/a"))),
            ("a.txt", Argument::Path(OsStr::new("a.txt"))),
            (".", Argument::Path(OsStr::new("."))),
            ("files:/a:b", Argument::Path(OsStr::new("/a:b"))),
            ("files:word", Argument::Path(OsStr::new("word"))),
            ("./a:b", Argument::Path(OsStr::new("./a:b"))),
            ("/a:b", Argument::Path(OsStr::new("/a:b"))),
            ("jira:https://x.example", Argument::Site("https://x.example")),
            ("jia:https://x.example", Argument::Kind("jia")),
            ("share", Argument::Name("share")),
        ] {
            assert_eq!(parse(OsStr::new(argument)), expected, "{argument}");
        }
    }
}
