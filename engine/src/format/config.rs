//! The configuration of a repository and its key slots (FORMAT.md §4, §5).

use std::collections::BTreeMap;

use super::Corrupt;
use crate::chunk::ChunkParams;
use crate::crypto::{Argon2Params, CryptoError, Domain, DomainKeys, Kek, MasterSecret};
use crate::id::{RepositoryId, SlotId, hex_decode, hex_encode};
use crate::object::Class;
use crate::secret::Secret;
use crate::store::{ObjectLock, Probe};

/// The version that this program writes.
pub const FORMAT_VERSION: u32 = 1;
/// The largest configuration or key slot that is read.
pub const MAX_CONFIG_BYTES: u64 = /* 1 MiB */ 1024 * 1024;

/// Sizes of tree nodes, as the configuration holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TreeSizes {
    /// No node ends below this size but the last of its level.
    pub min: u32,
    /// The size that nodes should have.
    pub target: u32,
    /// Every node ends at this size.
    pub max: u32,
    /// Values longer than this are objects of their own.
    pub spill: u32,
}

impl Default for TreeSizes {
    fn default() -> Self {
        Self { min: 1024, target: 2048, max: 8192, spill: 1024 }
    }
}

/// A dedup domain in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DomainConfig {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its sealed key set, in hex.
    pub keys: String,
}

/// The configuration of a repository.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Always `repository`.
    pub esker: String,
    /// Format version.
    pub version: u32,
    /// The repository's identity.
    pub repository: RepositoryId,
    /// Counts the configurations.
    pub generation: u32,
    /// When it was written.
    pub created: String,
    /// Names of features that a reader must know.
    pub features: Vec<String>,
    /// The key slots that should exist.
    pub slots: Vec<SlotId>,
    /// BLAKE3 of each slot's bytes, in hex.
    #[serde(default)]
    pub slot_digests: BTreeMap<SlotId, String>,
    /// Where contents are cut.
    pub chunker: ChunkParams,
    /// How large tree nodes are.
    pub tree: TreeSizes,
    /// The dedup domains.
    pub domains: Vec<DomainConfig>,
    /// What the store was seen to do when the repository was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Probe>,
    /// For how long the store locks what must last; `None` where it locks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
}

/// Why a configuration or slot cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Its bytes are not what they should be.
    #[error("it is damaged: {what}")]
    Corrupt {
        /// What is wrong.
        what: String,
    },
    /// A newer Esker wrote it.
    #[error("it has format version {found}; this program knows version {FORMAT_VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// It uses what this program does not know.
    #[error("it uses the feature `{feature}`, which this program does not know")]
    Feature {
        /// Which feature.
        feature: String,
    },
    /// Its authentication failed.
    #[error("it was changed by somebody who has no key")]
    NotAuthentic,
    /// A key inside it cannot be used.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

fn corrupt(what: impl ToString) -> ConfigError {
    ConfigError::Corrupt { what: what.to_string() }
}

/// Reads the version before anything else, so that a newer format is named and not called damage.
fn checked_version(line: &[u8], kind: &str) -> Result<serde_json::Value, ConfigError> {
    let value: serde_json::Value = serde_json::from_slice(line).map_err(corrupt)?;
    if value.get("esker").and_then(serde_json::Value::as_str) != Some(kind) {
        return Err(corrupt(format!("it does not say that it is a {kind}")));
    }
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => Ok(value),
        Some(found) if found > u64::from(FORMAT_VERSION) => Err(ConfigError::Version { found }),
        _ => Err(corrupt("it has no version")),
    }
}

impl Config {
    /// Writes the two lines.
    pub fn encode(&self, master: &MasterSecret) -> Vec<u8> {
        let line = serde_json::to_vec(self).expect("a plain struct has a JSON form");
        let mac = hex_encode(&master.config_mac(&line));
        [&line[..], b"\n", mac.as_bytes(), b"\n"].concat()
    }

    /// Reads the first line, which is not authenticated yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigError> {
        let (line, _) = Self::lines(bytes)?;
        let value = checked_version(line, "repository")?;
        let config: Self = serde_json::from_value(value).map_err(corrupt)?;
        if let Some(feature) = config.features.first() {
            return Err(ConfigError::Feature { feature: feature.clone() });
        }
        if !config.chunker.is_valid() {
            return Err(corrupt("its chunk sizes make no sense"));
        }
        let tree = config.tree;
        if tree.min == 0 || tree.min > tree.target || tree.target > tree.max || tree.max > 1 << 20 {
            return Err(corrupt("its tree sizes make no sense"));
        }
        if config.object_lock.is_some_and(|lock| !lock.is_valid()) {
            return Err(corrupt("its locks last for no time that makes sense"));
        }
        Ok(config)
    }

    /// Compares the second line.
    pub fn authenticate(bytes: &[u8], master: &MasterSecret) -> Result<(), ConfigError> {
        let (line, mac) = Self::lines(bytes)?;
        let stored: [u8; 32] = hex_decode(mac)
            .and_then(|mac| mac.try_into().ok())
            .ok_or_else(|| corrupt("its second line is no hex number of 32 bytes"))?;
        if blake3::Hash::from_bytes(stored) == blake3::Hash::from_bytes(master.config_mac(line)) {
            return Ok(());
        }
        Err(ConfigError::NotAuthentic)
    }

    fn lines(bytes: &[u8]) -> Result<(&[u8], &str), ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|_| corrupt("it is not text"))?;
        let (line, rest) = text.split_once('\n').ok_or_else(|| corrupt("it has one line"))?;
        let mac = rest.strip_suffix('\n').ok_or_else(|| corrupt("its second line does not end"))?;
        Ok((line.as_bytes(), mac))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct KeySet {
    id_secret: String,
    keks: Vec<StoredKek>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct StoredKek {
    class: u8,
    epoch: u32,
    key: String,
}

/// Seals a domain's keys for the configuration.
pub fn seal_domain_keys(keys: &DomainKeys, master: &MasterSecret) -> Result<String, ConfigError> {
    let stored = |kek: &Kek| StoredKek {
        class: kek.class.code(),
        epoch: kek.epoch,
        key: hex_encode(kek.expose()),
    };
    let set = KeySet {
        id_secret: hex_encode(keys.id_secret()),
        keks: keys.keks().iter().map(stored).collect(),
    };
    let json = Secret::new(serde_json::to_string(&set).map_err(corrupt)?);
    Ok(hex_encode(&master.seal_domain(keys.repository, keys.domain, &json)?))
}

/// Opens a domain's keys from the configuration.
pub fn open_domain_keys(
    config: &Config,
    domain: &DomainConfig,
    master: &MasterSecret,
) -> Result<DomainKeys, ConfigError> {
    let sealed = hex_decode(&domain.keys).ok_or_else(|| corrupt("its key set is no hex"))?;
    let id = Domain(domain.id);
    let json = master.open_domain(config.repository, id, &sealed)?;
    let set: KeySet = serde_json::from_str(json.expose()).map_err(corrupt)?;
    let key = |hex: &str| -> Result<[u8; 32], ConfigError> {
        let key = hex_decode(hex).and_then(|key| key.try_into().ok());
        key.ok_or_else(|| corrupt("a key that is not 32 bytes of hex"))
    };
    let mut keks = Vec::new();
    for kek in &set.keks {
        let class = Class::from_code(kek.class).ok_or_else(|| corrupt("an unknown key class"))?;
        keks.push(Kek::new(class, kek.epoch, key(&kek.key)?));
    }
    Ok(DomainKeys::new(config.repository, id, key(&set.id_secret)?, keks))
}

/// How the key of a slot comes about.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum SlotKdf {
    /// From a passphrase.
    Argon2id {
        /// The cost.
        #[serde(flatten)]
        params: Argon2Params,
        /// Hex of 16 random bytes.
        salt: String,
    },
    /// From a key file.
    KeyFile {
        /// Hex of 16 random bytes.
        salt: String,
    },
}

/// A key slot: one way to the master secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeySlot {
    /// Always `key slot`.
    pub esker: String,
    /// Format version.
    pub version: u32,
    /// Its name.
    pub slot: SlotId,
    /// The repository that it opens.
    pub repository: RepositoryId,
    /// `passphrase` or `key-file`.
    pub kind: String,
    /// What people call it.
    pub label: String,
    /// When it was written.
    pub created: String,
    /// How its key comes about.
    pub kdf: SlotKdf,
    /// The sealed bundle, in hex.
    pub sealed: String,
    /// The commitment to its key, in hex.
    pub commitment: String,
}

impl KeySlot {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("a plain struct has a JSON form");
        json.push(b'\n');
        json
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_value(checked_version(bytes, "key slot")?).map_err(corrupt)
    }

    /// What the seal of the bundle is bound to.
    pub fn context(&self) -> Vec<u8> {
        #[derive(serde::Serialize)]
        struct Bound<'a> {
            kdf: &'a SlotKdf,
            kind: &'a str,
            repository: RepositoryId,
            slot: SlotId,
        }
        let Self { kdf, kind, repository, slot, .. } = self;
        let bound = Bound { kdf, kind, repository: *repository, slot: *slot };
        let json = serde_json::to_vec(&bound).expect("a plain struct has a JSON form");
        [b"esker v1 slot", &json[..]].concat()
    }
}

impl From<Corrupt> for ConfigError {
    fn from(error: Corrupt) -> Self {
        corrupt(error)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn sample(master: &MasterSecret) -> Config {
        let repository = RepositoryId([3; 16]);
        let keys = DomainKeys::generate(repository, Domain(0)).unwrap();
        Config {
            esker: "repository".into(),
            version: 1,
            repository,
            generation: 0,
            created: "2026-11-22T00:00:00.000Z".into(),
            features: Vec::new(),
            slots: vec![SlotId([1; 8])],
            slot_digests: BTreeMap::new(),
            chunker: ChunkParams::default(),
            tree: TreeSizes::default(),
            domains: vec![DomainConfig {
                id: 0,
                name: "default".into(),
                keys: seal_domain_keys(&keys, master).unwrap(),
            }],
            store: None,
            object_lock: None,
        }
    }

    #[test]
    fn a_configuration_round_trips_and_every_byte_counts() {
        let master = MasterSecret::from_bytes([8; 32]);
        let config = sample(&master);
        let bytes = config.encode(&master);
        assert_eq!(Config::decode(&bytes).unwrap(), config);
        Config::authenticate(&bytes, &master).unwrap();
        open_domain_keys(&config, &config.domains[0], &master).unwrap();
        assert!(Config::authenticate(&bytes, &MasterSecret::from_bytes([9; 32])).is_err());
        for byte in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[byte] ^= 1;
            let opened = Config::decode(&bent).and_then(|_| Config::authenticate(&bent, &master));
            assert!(opened.is_err(), "byte {byte}");
        }
    }

    #[test]
    fn a_newer_version_and_an_unknown_feature_are_named() {
        let master = MasterSecret::from_bytes([8; 32]);
        let newer = Config { version: 2, ..sample(&master) }.encode(&master);
        assert!(matches!(Config::decode(&newer), Err(ConfigError::Version { found: 2 })));
        let feature = Config { features: vec!["parity".into()], ..sample(&master) };
        let error = Config::decode(&feature.encode(&master)).unwrap_err();
        assert!(error.to_string().contains("`parity`"));
    }
}
