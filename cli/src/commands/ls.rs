//! `esker ls`

use std::ffi::OsString;

use esker_engine::entry::{Entry, EntryKind};
use esker_engine::id::hex_encode;
use esker_engine::ops::ls::{Contents, Depth, Located};
use serde::Serialize;

use super::{Surroundings, objects};
use crate::Outcome;
use crate::app::snapshot_name::SnapshotName;
use crate::app::units::local_seconds;
use crate::error::CommandError;
use crate::ui::json::Array;
use crate::ui::text;

/// List what a snapshot holds
///
/// SNAPSHOT is `latest`, an id or its beginning, `SOURCE@latest` or `SOURCE@TIME`; with `:/PATH` only what is below the path.
#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    /// The snapshot, and perhaps a path in it
    #[arg(value_name = "SNAPSHOT[:/PATH]")]
    snapshot: OsString,
    /// Only what lies directly below
    #[arg(long, short = '1')]
    one_level: bool,
    /// Tell mode, owner, size and time of modification too
    #[arg(long, short)]
    long: bool,
}

/// An element of `ls --json`.
#[derive(Serialize)]
struct Listed<'a> {
    path: &'a str,
    /// The path's bytes in hex, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    kind: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_target: Option<String>,
}

fn kind_name(kind: EntryKind) -> (&'static str, char) {
    match kind {
        EntryKind::Document => ("document", '-'),
        EntryKind::File => ("file", '-'),
        EntryKind::Directory => ("directory", 'd'),
        EntryKind::Symlink => ("symlink", 'l'),
        EntryKind::Fifo => ("fifo", 'p'),
        EntryKind::Socket => ("socket", 's'),
        EntryKind::CharDevice => ("char-device", 'c'),
        EntryKind::BlockDevice => ("block-device", 'b'),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'a> From<&'a Located> for Listed<'a> {
    fn from(located: &'a Located) -> Self {
        let metadata = &located.entry.metadata;
        let modified = metadata.modified.and_then(|time| {
            let time = jiff::Timestamp::new(time.seconds, time.nanoseconds as i32).ok()?;
            Some(time.to_string())
        });
        let is_text = std::str::from_utf8(&located.key).is_ok();
        Self {
            path: &located.path,
            key: (!is_text).then(|| hex_encode(&located.key)),
            kind: kind_name(located.entry.kind).0,
            size: located.entry.size,
            mode: metadata.mode,
            owner: metadata.owner,
            modified,
            link_target: metadata.link_target.as_deref().map(lossy),
        }
    }
}

pub(super) fn run(args: &LsArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let name = SnapshotName::parse(&args.snapshot)?;
    let opened = around.open()?;
    let history = around.history(&opened)?;
    let snapshot = name.find(&history)?;
    let failed = |error| CommandError::engine(format!("cannot list `{}`", name.text), error);
    let contents = Contents::new(objects(&opened)?, snapshot);
    let depth = if args.one_level { Depth::One } else { Depth::All };
    let listing = contents.list(name.path_or_top(), depth).map_err(failed)?;
    let ctx = around.engine.quiet_context();
    let listing = listing.map(|located| {
        if ctx.cancel.is_cancelled() {
            return Err(CommandError::interrupted());
        }
        located.map_err(failed)
    });
    if around.ui.is_json() {
        around.ui.with_out(|out| {
            let mut array = Array::begin(out);
            for located in listing {
                array.push(&Listed::from(&located?))?;
            }
            array.end()
        })?;
        return Ok(Outcome::Done);
    }
    for located in listing {
        let located = located?;
        if args.long {
            around.ui.line(&long_line(&located))?;
        } else {
            around.ui.line(&located.path)?;
        }
    }
    Ok(Outcome::Done)
}

fn long_line(located: &Located) -> String {
    let Entry { kind, size, metadata, .. } = &located.entry;
    let letter = kind_name(*kind).1;
    let mode =
        metadata.mode.map_or_else(|| format!("{letter}---------"), |mode| text::mode(letter, mode));
    let name = |name: &Option<bytes::Bytes>, id: Option<u32>| match (name, id) {
        (Some(name), _) => lossy(name),
        (None, Some(id)) => id.to_string(),
        (None, None) => "-".into(),
    };
    let user = name(&metadata.user, metadata.owner.map(|owner| owner.0));
    let group = name(&metadata.group, metadata.owner.map(|owner| owner.1));
    let time = metadata.modified.map_or_else(|| "-".into(), |time| local_seconds(time.seconds));
    let target = match &metadata.link_target {
        Some(target) => format!(" -> {}", lossy(target).escape_default()),
        None => String::new(),
    };
    format!("{mode} {user:8} {group:8} {size:>12} {time:19} {}{target}", located.path)
}
