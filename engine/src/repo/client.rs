//! What a client remembers of a repository: who it is, what it wrote last, which of its sessions are alive.
//!
//! The folder may be deleted at any time. Then the client is a new writer, no session of the old one is known to be dead, and the
//! loss of its newest commits goes unnoticed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::readings::{MAX_FILE_BYTES, Readings};
use crate::crypto::random;
use crate::format::commit::CommitRef;
use crate::format::name::SessionName;
use crate::id::{BundleId, PackId, RepositoryId, WriterId};

/// The client's folder for one repository cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the state folder `{path}` cannot be used")]
pub struct ClientError {
    path: String,
    source: io::Error,
}

/// What a client knows that the store must not take back.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// Its own newest commit.
    pub head: Option<CommitRef>,
    /// How many commits it made.
    pub sequence: u64,
    /// The newest mark that it saw.
    pub mark: Option<String>,
    /// Packs in which its checks found damage, and not since that they are whole: they are not deduplicated against.
    pub damaged: Vec<PackId>,
}

/// A client's memory of one repository.
#[derive(Debug)]
pub struct Client {
    folder: Option<PathBuf>,
    writer: WriterId,
}

/// Held while a session is open; the lock goes with the process, however it ends.
#[derive(Debug)]
pub struct SessionLock {
    path: PathBuf,
    _file: File,
}

impl SessionLock {
    /// Forgets the session, whose slot is filled.
    pub fn release(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Client {
    /// A client without a folder: a new writer each time.
    pub fn forgetful() -> Result<Self, ClientError> {
        Ok(Self { folder: None, writer: new_writer(Path::new("(none)"))? })
    }

    /// Opens the folder, or makes it.
    pub fn open(folder: PathBuf) -> Result<Self, ClientError> {
        let failed = |source| ClientError { path: folder.display().to_string(), source };
        fs::create_dir_all(folder.join("sessions")).map_err(failed)?;
        let path = folder.join("writer");
        let writer = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let writer = if let Some(writer) = writer {
            writer
        } else {
            let writer = new_writer(&folder)?;
            replace(&path, writer.to_hex().as_bytes()).map_err(failed)?;
            writer
        };
        Ok(Self { folder: Some(folder), writer })
    }

    /// Where it keeps what may be deleted at any time; `None` for one without a folder.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Who it is.
    pub fn writer(&self) -> WriterId {
        self.writer
    }

    /// What it knows; nothing where the file is missing or unreadable.
    pub fn remembered(&self) -> Remembered {
        let read = || fs::read(self.folder.as_ref()?.join("remembered.json")).ok();
        read().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Keeps what it knows.
    pub fn remember(&self, remembered: &Remembered) -> Result<(), ClientError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let json = serde_json::to_vec(remembered).expect("a plain struct has a JSON form");
        replace(&folder.join("remembered.json"), &json)
            .map_err(|source| ClientError { path: folder.display().to_string(), source })
    }

    /// A bundle as it was read before; whoever opens it finds out whether it is whole.
    pub fn bundle(&self, id: BundleId) -> Option<Vec<u8>> {
        fs::read(self.folder.as_ref()?.join("history").join(id.to_string())).ok()
    }

    /// Keeps a bundle, which never changes, so that it need not be fetched again.
    pub fn remember_bundle(&self, id: BundleId, bytes: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let folder = folder.join("history");
        let kept =
            fs::create_dir_all(&folder).and_then(|()| replace(&folder.join(id.to_string()), bytes));
        if let Err(error) = kept {
            tracing::debug!(%error, "a bundle of commits is not remembered");
        }
    }

    /// Forgets the bundles that are not among these.
    pub fn keep_bundles(&self, listed: &HashSet<BundleId>) {
        let Some(folder) = &self.folder else { return };
        let Ok(files) = fs::read_dir(folder.join("history")) else { return };
        for file in files.flatten() {
            let id = file.file_name().to_str().and_then(|name| name.parse().ok());
            if id.is_none_or(|id| !listed.contains(&id)) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// What it has read of the repository; nothing where the file is missing, unreadable or of another one.
    pub fn readings(&self, repository: RepositoryId) -> Readings {
        let read = || {
            let path = self.folder.as_ref()?.join("readings");
            let bytes = fs::metadata(&path).ok().filter(|it| it.len() <= MAX_FILE_BYTES);
            Readings::decode(&bytes.and_then(|_| fs::read(&path).ok())?, repository)
        };
        read().unwrap_or_default()
    }

    /// Keeps what it has read.
    pub fn keep_readings(
        &self,
        readings: &Readings,
        repository: RepositoryId,
    ) -> Result<(), ClientError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        replace(&folder.join("readings"), &readings.encode(repository))
            .map_err(|source| ClientError { path: folder.display().to_string(), source })
    }

    /// When locks of stored objects end, in seconds since 1970 by their names; nothing where the file is missing or unreadable.
    pub(crate) fn locks(&self) -> BTreeMap<String, u64> {
        let read = || {
            let path = self.folder.as_ref()?.join("locks.json");
            fs::metadata(&path).ok().filter(|it| it.len() <= MAX_FILE_BYTES)?;
            serde_json::from_slice(&fs::read(&path).ok()?).ok()
        };
        read().unwrap_or_default()
    }

    /// Keeps when locks end.
    pub(crate) fn keep_locks(&self, locks: &BTreeMap<String, u64>) -> Result<(), ClientError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let json = serde_json::to_vec(locks).expect("a map of texts and numbers has a JSON form");
        replace(&folder.join("locks.json"), &json)
            .map_err(|source| ClientError { path: folder.display().to_string(), source })
    }

    /// Locks a session that is about to open.
    pub fn lock(&self, session: SessionName) -> Result<Option<SessionLock>, ClientError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let path = folder.join("sessions").join(session.to_string());
        let failed = |source| ClientError { path: path.display().to_string(), source };
        let file = File::create(&path).map_err(failed)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| failed(error.into()))?;
        Ok(Some(SessionLock { path, _file: file }))
    }

    /// Sessions of this client whose process is gone: nobody holds their locks.
    pub fn dead_sessions(&self) -> Vec<SessionName> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let Ok(files) = fs::read_dir(folder.join("sessions")) else {
            return Vec::new();
        };
        let mut dead = Vec::new();
        for file in files.flatten() {
            let name = file.file_name().to_str().and_then(|name| name.parse().ok());
            let (Some(name), Ok(lock)) = (name, File::open(file.path())) else {
                continue;
            };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                dead.push(name);
            }
        }
        dead
    }

    /// Forgets a dead session, whose slot is filled now.
    pub fn bury(&self, session: SessionName) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_file(folder.join("sessions").join(session.to_string()));
        }
    }
}

fn new_writer(folder: &Path) -> Result<WriterId, ClientError> {
    let path = folder.display().to_string();
    random().map(WriterId).map_err(|error| ClientError { path, source: io::Error::other(error) })
}

/// Writes a file so that it is there whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Ulid;

    #[test]
    fn a_client_stays_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::open(folder.path().join("state")).unwrap();
        let again = Client::open(folder.path().join("state")).unwrap();
        assert_eq!(client.writer(), again.writer());
        let known = Remembered { sequence: 7, ..Remembered::default() };
        client.remember(&known).unwrap();
        assert_eq!(again.remembered(), known);
    }

    #[test]
    fn a_session_is_dead_when_nobody_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::open(folder.path().to_owned()).unwrap();
        let name = SessionName { epoch: 0, writer: client.writer(), ulid: Ulid(1) };
        let lock = client.lock(name).unwrap().unwrap();
        assert!(client.dead_sessions().is_empty());
        drop(lock);
        assert_eq!(client.dead_sessions(), [name]);
        client.bury(name);
        assert!(client.dead_sessions().is_empty());
    }
}
