//! Data keys: fresh for each container and class, wrapped in a key section.

use super::keys::{unwrap, wrap};
use super::{Aead, CryptoError, DomainKeys, derive, random};
use crate::object::Class;
use crate::secret::Secret;

/// Length of a key section in bytes.
pub const KEY_SECTION_LEN: usize = 96;

/// What a data key belongs to: the id of a pack or segment, or the hash of an object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerId(pub [u8; 16]);

impl ContainerId {
    /// The container of a sealed object: the first 16 bytes of BLAKE3 of its name.
    pub fn of_name(name: &str) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
        Self(id)
    }
}

/// A data key, ready to seal and open.
pub struct DataKey {
    /// The cipher.
    pub aead: Aead,
    /// How the key is stored: 96 bytes (FORMAT.md §3).
    pub section: [u8; KEY_SECTION_LEN],
}

fn context(keys: &DomainKeys, class: Class, epoch: u32, container: ContainerId) -> Vec<u8> {
    let mut context = b"esker v1 dek".to_vec();
    context.extend_from_slice(&keys.repository.0);
    context.extend_from_slice(&keys.domain.0.to_le_bytes());
    context.push(class.code());
    context.extend_from_slice(&epoch.to_le_bytes());
    context.extend_from_slice(&container.0);
    context
}

fn commitment(key: &[u8], container: ContainerId) -> [u8; 32] {
    derive("esker v1 dek commitment", &[key, &container.0])
}

impl DataKey {
    /// A fresh key, wrapped under the newest key-encryption key of the class.
    pub fn generate(
        keys: &DomainKeys,
        class: Class,
        container: ContainerId,
    ) -> Result<Self, CryptoError> {
        let kek = keys.newest(class)?;
        let key: Secret<[u8; 32]> = Secret::new(random()?);
        let wrapped =
            wrap(kek.expose(), &context(keys, class, kek.epoch, container), key.expose())?;
        let mut section = [0; KEY_SECTION_LEN];
        section[..4].copy_from_slice(&kek.epoch.to_le_bytes());
        section[4..64].copy_from_slice(&wrapped);
        section[64..].copy_from_slice(&commitment(key.expose(), container));
        Ok(Self { aead: Aead::new(key.expose()), section })
    }

    /// Opens a stored key section.
    pub fn open(
        keys: &DomainKeys,
        class: Class,
        container: ContainerId,
        section: &[u8; KEY_SECTION_LEN],
    ) -> Result<Self, CryptoError> {
        let what = "data key";
        let mut epoch = [0; 4];
        epoch.copy_from_slice(&section[..4]);
        let epoch = u32::from_le_bytes(epoch);
        let kek = keys.of_epoch(class, epoch)?;
        let plain =
            unwrap(kek.expose(), &context(keys, class, epoch, container), &section[4..64], what)?;
        let key: [u8; 32] = plain.try_into().map_err(|_| CryptoError::NotAuthentic { what })?;
        let key = Secret::new(key);
        let mut stored = [0; 32];
        stored.copy_from_slice(&section[64..]);
        let ours = blake3::Hash::from_bytes(commitment(key.expose(), container));
        if ours != blake3::Hash::from_bytes(stored) {
            return Err(CryptoError::OtherKey { what });
        }
        Ok(Self { aead: Aead::new(key.expose()), section: *section })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Domain, Kek};
    use crate::id::RepositoryId;

    fn keys(fill: u8) -> DomainKeys {
        let keks = vec![Kek::new(Class::Meta, 0, [fill; 32]), Kek::new(Class::Data, 3, [9; 32])];
        DomainKeys::new(RepositoryId([1; 16]), Domain(0), [2; 32], keks)
    }

    #[test]
    fn a_section_opens_only_where_it_belongs() {
        let here = ContainerId([5; 16]);
        let made = DataKey::generate(&keys(1), Class::Meta, here).unwrap();
        let mut sealed = b"frame".to_vec();
        made.aead.seal(0, b"", &mut sealed);
        let again = DataKey::open(&keys(1), Class::Meta, here, &made.section).unwrap();
        again.aead.open(0, b"", &mut sealed, "frame").unwrap();
        assert_eq!(sealed, b"frame");

        let open = |keys: &DomainKeys, class, container, section: &[u8; 96]| {
            DataKey::open(keys, class, container, section).is_err()
        };
        assert!(open(&keys(1), Class::Meta, ContainerId([6; 16]), &made.section));
        assert!(open(&keys(2), Class::Meta, here, &made.section));
        assert!(open(&keys(1), Class::Data, here, &made.section));
        for byte in 0..KEY_SECTION_LEN {
            let mut bent = made.section;
            bent[byte] ^= 1;
            assert!(open(&keys(1), Class::Meta, here, &bent), "byte {byte}");
        }
    }
}
