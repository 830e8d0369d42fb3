//! From an address to an open repository, and what this machine remembers of the place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker_engine::Error;
use esker_engine::id::RepositoryId;
use esker_engine::repo::{Client, ClientError, CreateOptions, RepoError, Repository};
use esker_engine::store::{ObjectLock, Store, StoreError};

use super::passphrase::{Ask, existing_key, new_key};
use super::runtime::Engine;
use super::settings::{KeyNames, KeyOrigin, Settings};
use crate::error::CommandError;

/// An open repository.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The repository.
    pub(crate) repository: Arc<Repository>,
    /// Its address as it was given.
    pub(crate) url: String,
    /// Set where another repository was at this address before.
    pub(crate) replaced: Option<Replaced>,
}

/// Another repository is at an address than the one that this machine knows there.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// The repository that was there.
    pub(crate) known: RepositoryId,
    /// The one that is there now.
    pub(crate) found: RepositoryId,
    /// What remembers it.
    pub(crate) record: PathBuf,
}

impl Replaced {
    /// What happened, for people.
    pub(crate) fn effect(&self) -> String {
        format!(
            "another repository is here than the one this machine knows: {} instead of {}; snapshots of the old one are not in it",
            self.found.short(),
            self.known.short()
        )
    }

    /// What to type where that is right.
    pub(crate) fn hint(&self) -> String {
        format!("if you replaced it yourself: `rm {}`", self.record.display())
    }
}

/// A repository that was just made.
pub(crate) struct Made {
    /// The repository.
    pub(crate) opened: Opened,
    /// Its key file, where it opens with one.
    pub(crate) key_file: Option<PathBuf>,
}

/// What this machine remembers of an address.
struct Memory {
    folder: Option<PathBuf>,
    address: String,
}

impl Memory {
    fn new(settings: &Settings, url: &str) -> Self {
        let lasting = !url.starts_with("memory:");
        let cache = settings.cache.as_ref().filter(|_| lasting);
        let hash = blake3_hex(&canonical(url));
        Self { folder: cache.map(|cache| cache.join("repositories")), address: hash }
    }

    /// Makes sure that something can be remembered, before there is something to remember.
    fn prepare(&self) -> Result<(), CommandError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        std::fs::create_dir_all(folder).map_err(|error| {
            CommandError::failed(format!("cannot use the cache folder `{}`", folder.display()))
                .caused_by(&error)
                .hint("name another folder with `--cache-dir DIR`, or do without: `--no-cache`")
        })
    }

    fn client(&self, id: RepositoryId) -> Result<Client, ClientError> {
        match &self.folder {
            Some(folder) => Client::open(folder.join(format!("{}-{id}", self.address))),
            None => Client::forgetful(),
        }
    }

    fn record(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{}.repository", self.address)))
    }

    /// Compares with the repository that was at the address before, and remembers the first one.
    fn replaced(&self, found: RepositoryId) -> Option<Replaced> {
        let record = self.record()?;
        let known = std::fs::read_to_string(&record).ok();
        match known.and_then(|text| text.trim().parse::<RepositoryId>().ok()) {
            Some(known) if known == found => None,
            Some(known) => Some(Replaced { known, found, record }),
            None => {
                self.remember(found);
                None
            }
        }
    }

    fn remember(&self, id: RepositoryId) {
        let Some(record) = self.record() else { return };
        if let Err(error) = write_whole(&record, &format!("{id}\n")) {
            tracing::warn!(%error, "the repository's identity cannot be remembered");
        }
    }
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn blake3_hex(text: &str) -> String {
    let hash = esker_engine::id::hex_encode(blake3::hash(text.as_bytes()).as_bytes());
    hash[..16].into()
}

/// One spelling for each place.
fn canonical(url: &str) -> String {
    let path = match url.split_once("://") {
        None => url,
        Some(("file", path)) => path,
        Some(_) => return url.trim_end_matches('/').into(),
    };
    let path = Path::new(path);
    let real = path
        .canonicalize()
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned());
    format!("file://{}", real.display())
}

fn address(settings: &Settings) -> Result<&str, CommandError> {
    let url = settings.repo.as_deref().ok_or_else(|| {
        CommandError::failed("no repository was named")
            .hint("name it with `--repo URL`, or set `ESKER_REPO`")
    })?;
    // An address is shown, remembered and printed on the recovery sheet.
    if holds_password(url) {
        return Err(CommandError::usage("the address of the repository holds credentials")
            .hint("leave them out, and set `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`"));
    }
    Ok(url)
}

fn holds_password(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    authority.is_some_and(|authority| authority.contains('@')) && !url.starts_with("file:")
}

/// Opens the repository that the settings name.
pub(crate) fn repository(
    settings: &Settings,
    engine: &Engine,
    ask: &dyn Ask,
) -> Result<Opened, CommandError> {
    let url = address(settings)?;
    let failed = |error: Error| {
        CommandError::engine(format!("cannot open the repository at `{url}`"), error)
    };
    let store = open_store(url, settings, engine).map_err(|error| failed(error.into()))?;
    let key = existing_key(&settings.key, settings.key_names, ask)?;
    let memory = Memory::new(settings, url);
    let repository = Repository::open(store, &key, |id| memory.client(id)).map_err(|error| {
        let wrong_key = match &error {
            RepoError::WrongKey { kind, slots } => {
                Some(key_hint(kind, *slots, &settings.key, settings.key_names))
            }
            _ => None,
        };
        let failed = failed(error.into());
        match wrong_key {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    })?;
    Ok(Opened {
        replaced: memory.replaced(repository.id()),
        repository: Arc::new(repository),
        url: url.into(),
    })
}

/// Opens the place, and makes sure that a repository is there before anybody is asked for a key.
fn open_store(url: &str, settings: &Settings, engine: &Engine) -> Result<Store, RepoError> {
    let none = || RepoError::NotARepository { place: url.into() };
    let store = match Store::open(url, &settings.store, engine.handle()) {
        Err(StoreError::Folder { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(none());
        }
        opened => opened?,
    };
    if store.list("config")?.is_empty() {
        return Err(none());
    }
    Ok(store)
}

fn key_hint(kind: &str, slots: usize, origin: &KeyOrigin, names: &KeyNames) -> String {
    let other = if kind == "passphrase" {
        format!("if it opens with a key file, give `{} FILE`", names.option)
    } else {
        format!("if it opens with a passphrase, set `{}` and give no key file", names.password)
    };
    match origin {
        _ if slots == 0 => other,
        KeyOrigin::Terminal => format!("type the passphrase again; {other}"),
        origin => format!("look at what `{}` says; {other}", origin.name(names)),
    }
}

/// What a new repository is to be like.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// Another one, whose ids it shares.
    pub(crate) like: Option<&'a Repository>,
    /// For how long it locks what must last.
    pub(crate) object_lock: Option<ObjectLock>,
}

/// Makes the repository that the settings name.
pub(crate) fn make(
    settings: &Settings,
    engine: &Engine,
    ask: &dyn Ask,
    wanted: &Wanted<'_>,
) -> Result<Made, CommandError> {
    let url = address(settings)?;
    let failed =
        |error: Error| CommandError::engine(format!("cannot make a repository at `{url}`"), error);
    refuse_occupied(url, settings, engine).map_err(|error| failed(error.into()))?;
    if wanted.object_lock.is_some() {
        refuse_unlockable(url, settings, engine).map_err(|error| failed(error.into()))?;
    }
    let memory = Memory::new(settings, url);
    memory.prepare()?;
    let key = new_key(&settings.key, ask)?;
    let create = || -> Result<Repository, Error> {
        let store = Store::open_new(url, &settings.store, engine.handle())?;
        let options = CreateOptions {
            unlocks: vec![key.unlock.clone()],
            store: Some(store.probe()?),
            object_lock: wanted.object_lock,
            ..CreateOptions::default()
        };
        let options = match wanted.like {
            Some(other) => options.like(other),
            None => options,
        };
        let ctx = engine.quiet_context();
        Ok(Repository::create(store, &options, |id| memory.client(id), &ctx)?)
    };
    let repository = create().map_err(|error| {
        // A repository that came to be after all must not lose its only key.
        let is_none = |store: Store| store.list("config").is_ok_and(|found| found.is_empty());
        if Store::open(url, &settings.store, engine.handle()).map_or(true, is_none) {
            key.discard();
        }
        failed(error)
    })?;
    memory.remember(repository.id());
    Ok(Made {
        opened: Opened { repository: Arc::new(repository), url: url.into(), replaced: None },
        key_file: key.file,
    })
}

/// Refuses a place that holds something, before a key is asked for or made.
fn refuse_occupied(url: &str, settings: &Settings, engine: &Engine) -> Result<(), RepoError> {
    let place = || url.to_owned();
    let store = match Store::open(url, &settings.store, engine.handle()) {
        Ok(store) => store,
        Err(StoreError::Folder { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if !store.list("config")?.is_empty() {
        return Err(RepoError::Exists { place: place() });
    }
    match store.first_object()? {
        Some(found) => Err(RepoError::NotEmpty { place: place(), found: found.name.clone() }),
        None => Ok(()),
    }
}

/// Refuses a place that cannot lock objects, before anything is stored.
fn refuse_unlockable(url: &str, settings: &Settings, engine: &Engine) -> Result<(), StoreError> {
    match Store::open(url, &settings.store, engine.handle()) {
        Ok(store) => store.refuse_unlockable(),
        Err(StoreError::Folder { .. }) => {
            Err(StoreError::Unlockable { place: url.into(), what: "it is a folder".into() })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_canonical_address() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let plain = canonical(real.to_str().unwrap());
        assert_eq!(plain, format!("file://{}", real.display()));
        assert_eq!(canonical(&format!("file://{}/", real.display())), plain);
        assert_eq!(canonical(&format!("{}/./", real.display())), plain);
        assert_eq!(canonical("s3://bucket/x/"), "s3://bucket/x");
    }

    #[test]
    fn another_repository_at_a_known_address_is_noticed_until_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { cache: Some(folder.path().to_owned()), ..Settings::default() };
        let memory = Memory::new(&settings, "/somewhere/else");
        let (one, two) = (RepositoryId([1; 16]), RepositoryId([2; 16]));
        assert!(memory.replaced(one).is_none());
        assert!(memory.replaced(one).is_none());
        let replaced = memory.replaced(two).unwrap();
        assert_eq!((replaced.known, replaced.found), (one, two));
        assert!(memory.replaced(two).is_some());
        std::fs::remove_file(replaced.record).unwrap();
        assert!(memory.replaced(two).is_none());
        memory.remember(one);
        assert!(memory.replaced(two).is_some());
    }
}
