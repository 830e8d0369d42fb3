//! Key slots: from a passphrase or a key file to the master secret.

use zeroize::Zeroize;

use super::RepoError;
use crate::crypto::{
    Argon2Params, CryptoError, MasterSecret, key_file_key, open_slot, passphrase_key, random,
    seal_slot,
};
use crate::format::config::{ConfigError, FORMAT_VERSION, KeySlot, MAX_CONFIG_BYTES, SlotKdf};
use crate::format::name::ObjectName;
use crate::id::{RepositoryId, SlotId, hex_decode, hex_encode};
use crate::secret::Secret;
use crate::store::Store;

const KEY_FILE_PREFIX: &str = "esker-key-v1:";

/// What opens a repository.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// A passphrase.
    Passphrase(Secret<String>),
    /// The secret of a key file.
    KeyFile(Secret<[u8; 32]>),
}

impl Unlock {
    /// Makes the text of a new key file, and the key that it is.
    pub fn new_key_file() -> Result<(Secret<String>, Self), CryptoError> {
        let secret: [u8; 32] = random()?;
        let text = format!("{KEY_FILE_PREFIX}{}\n", hex_encode(&secret));
        Ok((Secret::new(text), Self::KeyFile(Secret::new(secret))))
    }

    /// Reads the text of a key file; `None` where it is none.
    pub fn from_key_file(text: &str) -> Option<Self> {
        let mut bytes = hex_decode(text.trim_end().strip_prefix(KEY_FILE_PREFIX)?)?;
        let secret = <[u8; 32]>::try_from(bytes.as_slice()).ok();
        bytes.zeroize();
        Some(Self::KeyFile(Secret::new(secret?)))
    }

    /// The kind of slot that it opens.
    fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::KeyFile(_) => "key-file",
        }
    }

    /// The key of a slot, or `None` where this is of another kind.
    fn slot_key(&self, kdf: &SlotKdf) -> Result<Option<Secret<[u8; 32]>>, ConfigError> {
        let bytes = |salt: &str| {
            let what = "its salt is no hex".to_owned();
            hex_decode(salt).ok_or(ConfigError::Corrupt { what })
        };
        Ok(match (self, kdf) {
            (Self::Passphrase(passphrase), SlotKdf::Argon2id { params, salt }) => {
                Some(passphrase_key(passphrase, &bytes(salt)?, *params)?)
            }
            (Self::KeyFile(secret), SlotKdf::KeyFile { salt }) => {
                Some(key_file_key(secret, &bytes(salt)?))
            }
            _ => None,
        })
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Bundle {
    master: String,
    capabilities: Vec<String>,
}

/// Makes a slot for a master secret.
pub(super) fn make_slot(
    master: &MasterSecret,
    repository: RepositoryId,
    unlock: &Unlock,
    argon2: Argon2Params,
    created: &str,
) -> Result<KeySlot, ConfigError> {
    let salt = hex_encode(&random::<16>()?);
    let kdf = match unlock {
        Unlock::Passphrase(_) => SlotKdf::Argon2id { params: argon2, salt },
        Unlock::KeyFile(_) => SlotKdf::KeyFile { salt },
    };
    let mut slot = KeySlot {
        esker: "key slot".into(),
        version: FORMAT_VERSION,
        slot: SlotId(random()?),
        repository,
        kind: unlock.kind().into(),
        label: unlock.kind().into(),
        created: created.into(),
        kdf,
        sealed: String::new(),
        commitment: String::new(),
    };
    let bundle =
        Bundle { master: hex_encode(master.expose()), capabilities: vec!["administer".into()] };
    let json = Secret::new(serde_json::to_string(&bundle).expect("a plain struct has a JSON form"));
    let key = unlock.slot_key(&slot.kdf)?.expect("the slot was made for this kind of key");
    let (sealed, commitment) = seal_slot(&key, &slot.slot.0, &slot.context(), &json)?;
    slot.sealed = hex_encode(&sealed);
    slot.commitment = hex_encode(&commitment);
    Ok(slot)
}

/// Tries a key on a slot: `None` where it is another key's.
fn try_slot(slot: &KeySlot, unlock: &Unlock) -> Result<Option<MasterSecret>, ConfigError> {
    let corrupt = |what: &str| ConfigError::Corrupt { what: what.into() };
    let Some(key) = unlock.slot_key(&slot.kdf)? else {
        return Ok(None);
    };
    let sealed = hex_decode(&slot.sealed).ok_or_else(|| corrupt("its bundle is no hex"))?;
    let commitment = hex_decode(&slot.commitment)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| corrupt("its commitment is no hex of 32 bytes"))?;
    let opened = open_slot(&key, &slot.slot.0, &slot.context(), &sealed, &commitment);
    let json = match opened {
        Ok(json) => json,
        Err(CryptoError::OtherKey { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let bundle: Bundle = serde_json::from_str(json.expose())
        .map_err(|error| ConfigError::Corrupt { what: error.to_string() })?;
    let master = hex_decode(&bundle.master)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| corrupt("its bundle has no master secret"))?;
    Ok(Some(MasterSecret::from_bytes(master)))
}

/// Reads an object that has a copy: the first of the two that is accepted.
pub(super) fn read_either<T>(
    store: &Store,
    names: [ObjectName; 2],
    accept: impl Fn(&[u8]) -> Result<T, ConfigError>,
) -> Result<T, RepoError> {
    let mut first = None;
    for name in names {
        let name = name.to_string();
        let error = match store.read(&name, MAX_CONFIG_BYTES) {
            Ok(bytes) => match accept(&bytes) {
                Ok(value) => return Ok(value),
                Err(source) => RepoError::Config { name, source },
            },
            Err(source) => RepoError::Store(source),
        };
        first.get_or_insert(error);
    }
    Err(first.expect("two names were tried"))
}

/// Finds the slot that the key opens.
pub(super) fn unlock(
    store: &Store,
    repository: RepositoryId,
    key: &Unlock,
) -> Result<(SlotId, MasterSecret), RepoError> {
    let mut slots = Vec::new();
    for listed in store.list("keys")? {
        if let Ok(ObjectName::Key { slot, .. }) = listed.name.parse() {
            slots.push(slot);
        }
    }
    slots.dedup();
    if slots.is_empty() {
        return Err(RepoError::Unreadable {
            name: "keys".into(),
            what: "no key slot is left".into(),
        });
    }
    let (mut of_kind, mut damaged) = (0, None);
    for id in slots {
        let names = [false, true].map(|copy| ObjectName::Key { slot: id, copy });
        let attempt = read_either(store, names, |bytes| {
            let slot = KeySlot::decode(bytes)?;
            if slot.slot != id || slot.repository != repository {
                let what = "it belongs to another repository or slot".into();
                return Err(ConfigError::Corrupt { what });
            }
            let same = slot.kind == key.kind();
            Ok((same, if same { try_slot(&slot, key)? } else { None }))
        });
        match attempt {
            Ok((_, Some(master))) => return Ok((id, master)),
            Ok((same, None)) => of_kind += usize::from(same),
            Err(error) => damaged = Some(error),
        }
    }
    match damaged {
        Some(error) if of_kind == 0 => Err(error),
        _ => Err(RepoError::WrongKey { kind: key.kind(), slots: of_kind }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_files_round_trip_and_others_are_refused() {
        let (text, key) = Unlock::new_key_file().unwrap();
        let again = Unlock::from_key_file(text.expose()).unwrap();
        let (Unlock::KeyFile(one), Unlock::KeyFile(two)) = (key, again) else { panic!() };
        assert_eq!(one.expose(), two.expose());
        for text in ["", "esker-key-v1:", "esker-key-v1:00", "ssh-rsa AAAA", "esker-key-v2:00"] {
            assert!(Unlock::from_key_file(text).is_none(), "{text}");
        }
    }
}
