//! A repository: made, opened, and the writer's side of its commit protocol.

mod batch;
mod bundles;
mod client;
mod decisions;
mod history;
mod loading;
mod objects;
mod readings;
mod session;
mod unlock;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub(crate) use bundles::LOOSE_LIMIT as LOOSE_HISTORY;
pub use client::{Client, ClientError, Remembered};
pub use decisions::Decisions;
pub use history::{DamagedObject, History, Snapshot};
pub(crate) use loading::is_gone;
pub use objects::{CacheSizes, Objects, PackObjects};
pub use readings::{Reading, Readings};
pub(crate) use session::BODY_VERSION;
pub use session::{Commitment, Session};
pub use unlock::Unlock;
pub use writer::{Flushed, FrameFiller, Keep, Lane, ObjectWriter, Proof, WriterSizes};

use crate::chunk::{ChunkParams, Chunker};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::crypto::{Argon2Params, CryptoError, Domain, DomainKeys, MasterSecret, random};
use crate::format::Corrupt;
use crate::format::commit::{self, SessionMarker};
use crate::format::config::{
    Config, ConfigError, DomainConfig, FORMAT_VERSION, KeySlot, MAX_CONFIG_BYTES, TreeSizes,
    open_domain_keys, seal_domain_keys,
};
use crate::format::name::{ObjectName, SessionName};
use crate::format::sealed::{self, MAX_SEALED_BYTES, SealedError, SealedKind};
use crate::id::{RepositoryId, SlotId};
use crate::index::IndexError;
use crate::object::Identifier;
use crate::pack::PackError;
use crate::problem::ErrorKind;
use crate::secret::Secret;
use crate::store::{Created, Durability, ObjectLock, Probe, Store, StoreError};
use crate::tree::TreeParams;

/// Why a repository cannot be made, opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// There is no repository.
    #[error("there is no repository at `{place}`")]
    NotARepository {
        /// Where.
        place: String,
    },
    /// There is one already.
    #[error("there is a repository at `{place}` already")]
    Exists {
        /// Where.
        place: String,
    },
    /// There is something else.
    #[error("`{place}` is not empty: it holds `{found}`")]
    NotEmpty {
        /// Where.
        place: String,
        /// One of the things there.
        found: String,
    },
    /// The passphrase or key file opens no slot.
    #[error("no key slot opens with this {}: {slots} of that kind tried",
        if *.kind == "passphrase" { "passphrase" } else { "key file" })]
    WrongKey {
        /// The kind of slot.
        kind: &'static str,
        /// How many of that kind there are.
        slots: usize,
    },
    /// The configuration or a key slot cannot be used.
    #[error("`{name}` cannot be used")]
    Config {
        /// Which object.
        name: String,
        /// Why.
        source: ConfigError,
    },
    /// A commit, mark or marker cannot be used.
    #[error("`{name}` cannot be used")]
    Sealed {
        /// Which object.
        name: String,
        /// Why.
        source: SealedError,
    },
    /// An object is there and cannot be used.
    #[error("`{name}` cannot be used: {what}")]
    Unreadable {
        /// Which object.
        name: String,
        /// Why.
        what: String,
    },
    /// A pack cannot be written or read.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The index cannot be written or read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// No snapshot is meant, or more than one.
    #[error("{what}")]
    NoSuchSnapshot {
        /// What was looked for and what was found.
        what: String,
    },
    /// The session may not commit any more.
    #[error("session `{session}` was fenced: {reason}")]
    Fenced {
        /// Which session.
        session: String,
        /// What the fence says.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made or used.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The client's own folder failed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl RepoError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotARepository { .. } | Self::NoSuchSnapshot { .. } => ErrorKind::NotFound,
            Self::Exists { .. } | Self::NotEmpty { .. } => ErrorKind::Exists,
            Self::WrongKey { .. } => ErrorKind::Credentials,
            Self::Config { source, .. } => match source {
                ConfigError::Version { .. } | ConfigError::Feature { .. } => ErrorKind::Unsupported,
                _ => ErrorKind::Corrupt,
            },
            Self::Sealed { source: SealedError::Version(_), .. } => ErrorKind::Unsupported,
            Self::Sealed { .. } => ErrorKind::Corrupt,
            Self::Fenced { .. } | Self::Client(_) => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Unreadable { .. } => ErrorKind::Corrupt,
            Self::Pack(error) if error.is_damage() => ErrorKind::Corrupt,
            Self::Index(IndexError::Read { .. }) => ErrorKind::Unavailable,
            Self::Index(_) => ErrorKind::Corrupt,
            Self::Pack(_) | Self::Crypto(_) => ErrorKind::Internal,
        }
    }
}

/// How a repository is made.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// What will open it: one slot each, at least one.
    pub unlocks: Vec<Unlock>,
    /// The cost of a passphrase.
    pub argon2: Argon2Params,
    /// Where contents are cut.
    pub chunker: ChunkParams,
    /// How large tree nodes are.
    pub tree: TreeSizes,
    /// The secret that ids come from; a fresh one by default.
    pub id_secret: Option<Secret<[u8; 32]>>,
    /// What the store was seen to do, where it was [probed](Store::probe); it is remembered in the configuration.
    pub store: Option<Probe>,
    /// Lock what must last for so long; the store must be one that can.
    pub object_lock: Option<ObjectLock>,
}

impl CreateOptions {
    /// Lets the repository cut contents, build trees and compute ids as another one does, so that equal contents have equal ids
    /// and copies between the two deduplicate. Keys are fresh all the same.
    #[must_use]
    pub fn like(self, other: &Repository) -> Self {
        let Config { chunker, tree, .. } = *other.config();
        let id_secret = Some(Secret::new(*other.keys().id_secret()));
        Self { chunker, tree, id_secret, ..self }
    }
}

/// An open repository. Cheap to share behind an `Arc`.
pub struct Repository {
    store: Store,
    config: Config,
    slot: SlotId,
    keys: Arc<DomainKeys>,
    identifier: Identifier,
    client: Client,
    master: MasterSecret,
}

/// Writes an object and its copy; the first decides who was first.
fn create_twice(
    store: &Store,
    names: [ObjectName; 2],
    bytes: Vec<u8>,
) -> Result<Created, RepoError> {
    let bytes = Bytes::from(bytes);
    let [name, copy] = names.map(|name| name.to_string());
    let created = store.create(&name, bytes.clone(), Durability::Durable)?;
    if created == Created::New {
        store.create(&copy, bytes, Durability::Durable)?;
    }
    Ok(created)
}

impl Repository {
    /// Makes a repository in an empty place and opens it.
    ///
    /// The configuration is written last, so a half-made repository is none.
    pub fn create(
        store: Store,
        options: &CreateOptions,
        client: impl FnOnce(RepositoryId) -> Result<Client, ClientError>,
        ctx: &RunContext,
    ) -> Result<Self, RepoError> {
        let place = store.label().to_owned();
        if let Some(found) = store.first_object()? {
            let ours = found.name.parse::<ObjectName>().is_ok();
            return Err(if ours && !store.list("config")?.is_empty() {
                RepoError::Exists { place }
            } else {
                RepoError::NotEmpty { place, found: found.name }
            });
        }
        if options.object_lock.is_some() {
            store.refuse_unlockable()?;
        }
        let store = store.locking(options.object_lock);
        let invalid = |source| RepoError::Config { name: "config/0".into(), source };
        let created = rfc3339(ctx.clock.now());
        let repository = RepositoryId(random()?);
        let master = MasterSecret::generate()?;
        let (mut slots, mut slot_digests) = (Vec::new(), BTreeMap::new());
        for unlock in &options.unlocks {
            let slot = unlock::make_slot(&master, repository, unlock, options.argon2, &created);
            let slot = slot.map_err(invalid)?;
            let names = [false, true].map(|copy| ObjectName::Key { slot: slot.slot, copy });
            let bytes = slot.encode();
            slot_digests.insert(slot.slot, blake3::hash(&bytes).to_hex().to_string());
            create_twice(&store, names, bytes)?;
            slots.push(slot.slot);
        }
        let mut keys = DomainKeys::generate(repository, Domain(0))?;
        if let Some(secret) = &options.id_secret {
            let keks = keys.keks().to_vec();
            keys = DomainKeys::new(repository, Domain(0), *secret.expose(), keks);
        }
        let config = Config {
            esker: "repository".into(),
            version: FORMAT_VERSION,
            repository,
            generation: 0,
            created,
            features: Vec::new(),
            slots: slots.clone(),
            slot_digests,
            chunker: options.chunker,
            tree: options.tree,
            domains: vec![DomainConfig {
                id: 0,
                name: "default".into(),
                keys: seal_domain_keys(&keys, &master).map_err(invalid)?,
            }],
            store: options.store.clone(),
            object_lock: options.object_lock,
        };
        let bytes = config.encode(&master);
        Config::decode(&bytes).map_err(invalid)?;
        let names = [false, true].map(|copy| ObjectName::Config { generation: 0, copy });
        if create_twice(&store, names, bytes)? == Created::Exists {
            return Err(RepoError::Exists { place });
        }
        let slot = slots.first().copied().unwrap_or(SlotId([0; 8]));
        let client = client(repository)?;
        Ok(Self {
            identifier: keys.identifier(),
            keys: Arc::new(keys),
            store,
            config,
            slot,
            client,
            master,
        })
    }

    /// Opens a repository with a key.
    pub fn open(
        store: Store,
        unlock: &Unlock,
        client: impl FnOnce(RepositoryId) -> Result<Client, ClientError>,
    ) -> Result<Self, RepoError> {
        let newest = Self::newest_generation(&store)?;
        let names = [false, true].map(|copy| ObjectName::Config { generation: newest, copy });
        let (config, bytes) = unlock::read_either(&store, names, |bytes| {
            Ok((Config::decode(bytes)?, bytes.to_vec()))
        })?;
        let (slot, master) = unlock::unlock(&store, config.repository, unlock)?;
        let name = || names[0].to_string();
        // A copy may be right where the first one was altered in a way that still reads.
        let config = match Config::authenticate(&bytes, &master) {
            Ok(()) => config,
            Err(_) => unlock::read_either(&store, names, |bytes| {
                Config::authenticate(bytes, &master)?;
                Config::decode(bytes)
            })?,
        };
        let domain = config.domains.first().ok_or_else(|| RepoError::Config {
            name: name(),
            source: ConfigError::Corrupt { what: "it has no dedup domain".into() },
        })?;
        let keys = open_domain_keys(&config, domain, &master)
            .map_err(|source| RepoError::Config { name: name(), source })?;
        let client = client(config.repository)?;
        Ok(Self {
            identifier: keys.identifier(),
            keys: Arc::new(keys),
            store: store.locking(config.object_lock),
            config,
            slot,
            client,
            master,
        })
    }

    fn newest_generation(store: &Store) -> Result<u32, RepoError> {
        let generation = |name: &str| match name.parse() {
            Ok(ObjectName::Config { generation, .. }) => Some(generation),
            _ => None,
        };
        let listed = store.list("config")?;
        let newest = listed.iter().filter_map(|object| generation(&object.name)).max();
        newest.ok_or_else(|| RepoError::NotARepository { place: store.label().into() })
    }

    /// Reads a configuration object and compares its authentication.
    pub(crate) fn check_config(&self, name: ObjectName) -> Result<(), RepoError> {
        let bytes = self.store.read(&name.to_string(), MAX_CONFIG_BYTES)?;
        let checked = Config::authenticate(&bytes, &self.master).and_then(|()| {
            Config::decode(&bytes)?;
            Ok(())
        });
        checked.map_err(|source| RepoError::Config { name: name.to_string(), source })
    }

    /// Reads a key slot; its copy must say the same.
    pub(crate) fn check_slot(&self, name: ObjectName) -> Result<(), RepoError> {
        let bytes = self.store.read(&name.to_string(), MAX_CONFIG_BYTES)?;
        let damaged = |source| RepoError::Config { name: name.to_string(), source };
        let slot = KeySlot::decode(&bytes).map_err(damaged)?;
        let expected = self.config.slot_digests.get(&slot.slot);
        if expected.is_some_and(|digest| *digest != blake3::hash(&bytes).to_hex().as_str()) {
            let what = "it is not what was written".into();
            return Err(damaged(ConfigError::Corrupt { what }));
        }
        Ok(())
    }

    /// Reads the marker of a session.
    pub(crate) fn check_marker(&self, name: SessionName) -> Result<(), RepoError> {
        let name = ObjectName::Session(name).to_string();
        let bytes = self.store.read(&name, MAX_SEALED_BYTES)?;
        let json = sealed::open(&self.keys, SealedKind::Session, &name, &bytes)
            .map_err(RepoError::sealed(&name))?;
        commit::decode::<SessionMarker>(&json).map_err(RepoError::body(&name))?;
        Ok(())
    }

    /// Where its objects are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its identity.
    pub fn id(&self) -> RepositoryId {
        self.config.repository
    }

    /// The key slot that opened it.
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// The keys of its default domain.
    pub fn keys(&self) -> &Arc<DomainKeys> {
        &self.keys
    }

    /// Computes object ids.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// What this client remembers of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Cuts contents as this repository does.
    pub fn chunker(&self) -> Chunker {
        Chunker::new(&self.keys.gear_key(), self.config.chunker)
    }

    /// Builds trees as this repository does.
    pub fn tree_params(&self) -> TreeParams {
        let TreeSizes { min, target, max, spill } = self.config.tree;
        TreeParams { min, target, max, spill, boundary_key: self.keys.boundary_key() }
    }

    /// True where equal contents have the same ids in both: one was made [like](CreateOptions::like) the other.
    pub fn is_like(&self, other: &Self) -> bool {
        self.config.chunker == other.config.chunker
            && self.config.tree == other.config.tree
            && self.keys.id_secret() == other.keys.id_secret()
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repository({} at {})", self.id().short(), self.store.label())
    }
}

impl RepoError {
    /// The stored object that it is about; the folder of the collector's decisions where it names none.
    fn object(&self) -> &str {
        match self {
            Self::Sealed { name, .. } => name,
            _ => "gc",
        }
    }

    /// Damage of a sealed object.
    fn sealed(name: &impl ToString) -> impl Fn(SealedError) -> Self {
        let name = name.to_string();
        move |source| Self::Sealed { name: name.clone(), source }
    }

    /// Damage of a sealed object's body.
    fn body(name: &impl ToString) -> impl Fn(Corrupt) -> Self {
        let name = name.to_string();
        move |source| Self::Sealed { name: name.clone(), source: source.into() }
    }
}
