//! What a store can do, found out by trying. Two programs may share a repository only where creation is exclusive.

use bytes::Bytes;
use futures::future::join_all;
use object_store::Error::{AlreadyExists, PermissionDenied, Unauthenticated};

use super::{Created, Durability, Store, StoreError, folder};
use crate::id::hex_encode;

/// The folder of the objects that are created, and deleted again, to try a store.
const FOLDER: &str = "probe";
/// Rounds in which one name is created by several at a time.
const ROUNDS: usize = 3;
/// Who create one name at a time.
const RACERS: usize = 8;
/// Long enough that two writes overlap.
const BYTES: usize = /* 4 KiB */ 4 * 1024;

/// What a store was seen to do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Of several who create one name, one succeeds, and its bytes are there.
    pub creates_once: bool,
    /// An object can be read as soon as it was written.
    pub reads_own_writes: bool,
    /// An object is listed as soon as it was written.
    pub lists_own_writes: bool,
    /// The file system below a local folder, where it is not a disk of this machine: what one machine sees of it says
    /// nothing about two.
    pub network_file_system: Option<String>,
}

impl Probe {
    /// True where the store keeps all that a collection beside running backups relies on.
    pub fn is_proven(&self) -> bool {
        self.shortcomings().is_empty()
    }

    /// What it does not do, for people; empty where it is proven.
    pub fn shortcomings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.creates_once {
            found.push("two writers may both create one object".into());
        }
        if !self.reads_own_writes {
            found.push("what was written cannot always be read at once".into());
        }
        if !self.lists_own_writes {
            found.push("what was written is not always listed at once".into());
        }
        if let Some(name) = &self.network_file_system {
            found.push(format!("its folder is on {name}, which other machines may write to"));
        }
        found
    }
}

/// True for what trying a store may leave behind where nothing may be deleted.
pub(super) fn is_probe(name: &str) -> bool {
    name.strip_prefix(FOLDER).is_some_and(|rest| rest.starts_with('/'))
}

/// How one attempt to create an object ended.
enum Attempt {
    Created,
    Taken,
    /// Nobody knows what became of it.
    Unclear,
}

/// How several attempts to create one name ended.
#[derive(PartialEq, Eq)]
enum Race {
    OneWon,
    MoreWon,
    /// Somebody won, and the bytes are another's.
    Mixed,
    /// Nobody knows who won.
    Unclear,
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| {
        let source = object_store::Error::Generic { store: "random", source: Box::new(error) };
        StoreError::of(FOLDER, source)
    })?;
    Ok(bytes)
}

fn content(number: usize) -> Result<Bytes, StoreError> {
    let mut bytes = vec![number as u8; BYTES];
    bytes.extend_from_slice(&random::<16>()?);
    Ok(bytes.into())
}

impl Store {
    /// Finds out what the store can do, with some forty requests. What it writes for that it deletes again.
    ///
    /// # Errors
    /// Where the store does not let itself be tried: writing is not permitted, or it fails.
    pub fn probe(&self) -> Result<Probe, StoreError> {
        let folder = format!("{FOLDER}/{}", hex_encode(&random::<8>()?));
        let names: Vec<_> = (0..=ROUNDS).map(|number| format!("{folder}/{number}")).collect();
        self.runtime.block_on(async {
            let probed = self.try_out(&folder, &names).await;
            if let Err(error) = self.delete_many_async(&names).await {
                tracing::warn!(%error, folder, "what was written to try the store cannot be deleted");
            }
            self.remove_folders(&folder);
            probed
        })
    }

    async fn try_out(&self, folder: &str, names: &[String]) -> Result<Probe, StoreError> {
        let (first, rounds) = names.split_first().expect("there is one name more than rounds");
        let (bytes, others) = (content(0)?, content(1)?);
        let create = |bytes: &Bytes| self.create_async(first, bytes.clone(), Durability::Volatile);
        let is_new = create(&bytes).await? == Created::New;
        let is_kept = match create(&others).await {
            Ok(created) => created == Created::Exists,
            Err(StoreError::Missing { .. }) => true,
            Err(error) => return Err(error),
        };
        let found = self.read_probe(first).await?;
        let mut probe = Probe {
            creates_once: is_new && is_kept && !self.emulates_create,
            reads_own_writes: found.is_some(),
            lists_own_writes: true,
            network_file_system: self.network_file_system()?,
        };
        if found.is_some_and(|found| found != bytes) {
            probe.creates_once = false;
        }
        let mut written = vec![first.clone()];
        if probe.creates_once {
            let mut is_clear = false;
            for name in rounds {
                match self.race(name).await? {
                    Race::OneWon => is_clear = true,
                    Race::Unclear => continue,
                    Race::MoreWon | Race::Mixed => probe.creates_once = false,
                }
                written.push(name.clone());
            }
            probe.creates_once &= is_clear;
        }
        let listed = self.list_async(folder).await?;
        probe.lists_own_writes =
            written.iter().all(|name| listed.iter().any(|it| it.name == *name));
        Ok(probe)
    }

    /// Lets several create one name at a time.
    async fn race(&self, name: &str) -> Result<Race, StoreError> {
        let contents = (0..RACERS).map(content).collect::<Result<Vec<_>, _>>()?;
        let attempts = join_all(contents.iter().map(|bytes| self.attempt(name, bytes))).await;
        let attempts = attempts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let is_unclear = attempts.iter().any(|it| matches!(it, Attempt::Unclear));
        let created = attempts.iter().zip(&contents);
        let winners: Vec<_> =
            created.filter(|(it, _)| matches!(it, Attempt::Created)).map(|it| it.1).collect();
        let found = self.read_probe(name).await?;
        Ok(match winners[..] {
            [winner] if found.as_ref() == Some(winner) => Race::OneWon,
            [_] => Race::Mixed,
            // S3 may refuse all of several writers at a time.
            [] if is_unclear || found.is_none() => Race::Unclear,
            [] => Race::Mixed,
            _ => Race::MoreWon,
        })
    }

    async fn attempt(&self, name: &str, bytes: &Bytes) -> Result<Attempt, StoreError> {
        match self.once(self.put_new(name, bytes.clone(), Durability::Volatile)).await {
            Ok(()) => Ok(Attempt::Created),
            Err(AlreadyExists { .. }) => Ok(Attempt::Taken),
            Err(error @ (PermissionDenied { .. } | Unauthenticated { .. })) => {
                Err(StoreError::of(name, error))
            }
            Err(error) => {
                tracing::debug!(%error, name, "trying the store: an attempt failed");
                Ok(Attempt::Unclear)
            }
        }
    }

    async fn read_probe(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        match self.read_async(name, 2 * BYTES as u64).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn network_file_system(&self) -> Result<Option<String>, StoreError> {
        let Some(path) = &self.folder else {
            return Ok(None);
        };
        folder::network_file_system(path)
            .map_err(|source| StoreError::Folder { path: path.display().to_string(), source })
    }

    /// A local folder keeps the folders of deleted objects.
    fn remove_folders(&self, folder: &str) {
        if let Some(root) = &self.folder {
            for folder in [folder, FOLDER] {
                // Another one may be trying the store.
                let _ = std::fs::remove_dir(root.join(folder));
            }
        }
    }
}
