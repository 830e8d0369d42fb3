//! From a passphrase or a key file to the key of a slot.

use argon2::{Algorithm, Argon2, Params, Version};

use super::{CryptoError, derive};
use crate::secret::Secret;

/// Parameters of Argon2id (RFC 9106), stored in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Argon2Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Argon2Params {
    /// RFC 9106, second recommended choice: 64 MiB, 3 passes, 4 lanes.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl Argon2Params {
    /// Refuses what a hostile slot could use to exhaust memory or time.
    fn checked(self) -> Result<Params, CryptoError> {
        let acceptable =
            self.memory_kib <= 4 * 1024 * 1024 && self.passes <= 64 && self.lanes <= 64;
        if !acceptable {
            return Err(CryptoError::Parameters {
                what: format!(
                    "{} KiB, {} passes, {} lanes; accepted are at most 4 GiB, 64 and 64",
                    self.memory_kib, self.passes, self.lanes
                ),
            });
        }
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|error| CryptoError::Parameters { what: error.to_string() })
    }
}

/// The slot key of a passphrase. Costs what the parameters say: about half a second by default.
pub fn passphrase_key(
    passphrase: &Secret<String>,
    salt: &[u8],
    params: Argon2Params,
) -> Result<Secret<[u8; 32]>, CryptoError> {
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.checked()?)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key)
        .map_err(|error| CryptoError::Parameters { what: error.to_string() })?;
    Ok(Secret::new(key))
}

/// The slot key of a key file's secret.
pub fn key_file_key(secret: &Secret<[u8; 32]>, salt: &[u8]) -> Secret<[u8; 32]> {
    Secret::new(derive("esker v1 key file", &[secret.expose(), salt]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_parameters_are_refused_before_any_memory_is_taken() {
        let pass = Secret::new("p".to_owned());
        for (memory_kib, passes, lanes) in
            [(u32::MAX, 1, 1), (64, u32::MAX, 1), (64, 1, 65), (0, 1, 1), (64, 0, 1), (64, 1, 0)]
        {
            let params = Argon2Params { memory_kib, passes, lanes };
            assert!(passphrase_key(&pass, &[1; 16], params).is_err(), "{params:?}");
        }
    }

    #[test]
    fn salt_and_passphrase_count() {
        let cheap = Argon2Params { memory_kib: 8, passes: 1, lanes: 1 };
        let key = |pass: &str, salt: u8| {
            *passphrase_key(&Secret::new(pass.to_owned()), &[salt; 16], cheap).unwrap().expose()
        };
        assert_eq!(key("a", 1), key("a", 1));
        assert_ne!(key("a", 1), key("b", 1));
        assert_ne!(key("a", 1), key("a", 2));
    }
}
