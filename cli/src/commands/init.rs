//! `esker init`

use std::path::PathBuf;

use esker_engine::store::{LockMode, ObjectLock, Probe};

use super::Surroundings;
use crate::Outcome;
use crate::app::open::{self, Made, Wanted};
use crate::app::units::parse_period;
use crate::error::CommandError;

/// Make a repository, and print its recovery sheet
///
/// The place must be empty or new. Without --key-file the repository opens with a passphrase: ESKER_PASSWORD,
/// ESKER_PASSWORD_FILE, ESKER_PASSWORD_COMMAND, or asked for twice on the terminal. With --key-file FILE the file is made
/// (readable by you alone) and is the key; an existing key file is used and never overwritten.
///
/// With --like the repository cuts and names contents as another one does, so that `esker copy` between the two reads and stores
/// only what changed. They share the secret that names contents, and no key that opens data: whoever has the keys of one can tell
/// whether the other holds a content that he knows. The other one opens with ESKER_FROM_PASSWORD and so on, or --from-key-file.
///
/// With --object-lock each pack, index segment, snapshot, key slot and the configuration is locked when it is stored: not even
/// whoever holds the credentials of this machine can remove its contents before the period has ended. `prune` extends the locks
/// of what is still needed, so run it at least twice in a period; what is locked and not needed goes when its lock has ended.
/// Give the bucket a lifecycle rule that expires noncurrent versions, else deleting frees no space there.
#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Name contents as this repository does
    #[arg(long, value_name = "URL")]
    like: Option<String>,
    /// Open the other repository with this key file [env: ESKER_FROM_KEY_FILE]
    #[arg(long, value_name = "FILE", requires = "like")]
    from_key_file: Option<PathBuf>,
    /// Lock what is stored for so long against deletion, such as 30d; for S3 buckets with Object Lock
    #[arg(long, value_name = "PERIOD", value_parser = parse_period)]
    object_lock: Option<u64>,
    /// Who may end a lock early: with governance who has a permission for it, with compliance nobody
    #[arg(long, value_name = "MODE", requires = "object_lock", default_value = "governance")]
    object_lock_mode: Mode,
}

/// Who may end a lock before its time.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Mode {
    Governance,
    Compliance,
}

impl InitArgs {
    fn object_lock(&self) -> Option<ObjectLock> {
        let mode = match self.object_lock_mode {
            Mode::Governance => LockMode::Governance,
            Mode::Compliance => LockMode::Compliance,
        };
        self.object_lock.map(|seconds| ObjectLock { mode, seconds })
    }
}

pub(super) fn run(args: &InitArgs, around: &Surroundings<'_>) -> Result<Outcome, CommandError> {
    let like = args.like.as_deref();
    let like = like.map(|url| around.open_other(Some(url), args.from_key_file.as_ref()));
    let like = like.transpose()?.map(|opened| opened.repository);
    let wanted = Wanted { like: like.as_deref(), object_lock: args.object_lock() };
    let made = open::make(around.settings, around.engine, around.ui, &wanted)?;
    let repository = &made.opened.repository;
    if around.ui.is_json() {
        around.ui.json(&serde_json::json!({
            "repository": made.opened.url,
            "id": repository.id(),
            "created": repository.config().created,
            "key": repository.slot(),
            "kind": if made.key_file.is_some() { "key-file" } else { "passphrase" },
            "like": like.as_ref().map(|other| other.id()),
            "key_file": made.key_file.as_ref().map(|path| path.display().to_string()),
            "store": repository.config().store,
            "object_lock": repository.config().object_lock,
        }))?;
        return Ok(Outcome::Done);
    }
    for line in recovery_sheet(&made) {
        around.ui.line(&line)?;
    }
    around.ui.note("");
    around
        .ui
        .note("Print this sheet, or keep it where this machine's loss does not take it along.");
    if let Some(shortcomings) = shortcomings(repository.config().store.as_ref()) {
        around.ui.note(&shortcomings);
    }
    around.ui.note(&format!("Now: `esker backup --repo {} FOLDER`", made.opened.url));
    Ok(Outcome::Done)
}

/// What the store was not seen to do, and what that means.
fn shortcomings(probe: Option<&Probe>) -> Option<String> {
    let found = probe?.shortcomings();
    (!found.is_empty()).then(|| {
        format!("This store is not proven: {}; prune will need --exclusive.", found.join("; "))
    })
}

/// What somebody needs who has lost everything else.
fn recovery_sheet(made: &Made) -> Vec<String> {
    let repository = &made.opened.repository;
    let place = std::path::absolute(&made.opened.url)
        .ok()
        .filter(|_| !made.opened.url.contains("://"))
        .map_or_else(|| made.opened.url.clone(), |path| path.display().to_string());
    let (key, needed) = match &made.key_file {
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            (
                format!("key file `{}`", path.display()),
                format!(
                    "a copy of `{}`, kept elsewhere: without it nothing can be read",
                    path.display()
                ),
            )
        }
        None => (
            "passphrase".into(),
            "the passphrase: without it nothing can be read, and nobody can find it out".into(),
        ),
    };
    vec![
        "ESKER RECOVERY SHEET".into(),
        format!("  repository     {place}"),
        format!("  repository id  {}", repository.id()),
        format!("  made           {}", repository.config().created),
        format!("  key            {} ({key})", repository.slot()),
        "To restore without this machine you need".into(),
        "  1. the program `esker`, version 0.1 or later".into(),
        "  2. the repository, or a copy of its folder".into(),
        format!("  3. {needed}"),
        format!("  4. `esker restore latest --repo {place} --to FOLDER`"),
    ]
}
