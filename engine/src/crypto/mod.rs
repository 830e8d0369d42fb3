//! Sealing and opening, keys and their derivation. Pure: no store, no clock.

mod aead;
mod kdf;
mod keys;
mod section;

pub use aead::{Aead, TAG_LEN};
pub use kdf::{Argon2Params, key_file_key, passphrase_key};
pub use keys::{Domain, DomainKeys, Kek, MasterSecret};
pub(crate) use keys::{open_slot, seal_slot};
pub use section::{ContainerId, DataKey, KEY_SECTION_LEN};

use zeroize::Zeroize;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The bytes were altered, or belong elsewhere.
    #[error("the {what} is not authentic: its bytes were changed, or it belongs elsewhere")]
    NotAuthentic {
        /// What was to be opened.
        what: &'static str,
    },
    /// The key is not the one that the bytes were sealed with.
    #[error("the {what} was sealed with another key")]
    OtherKey {
        /// What was to be opened.
        what: &'static str,
    },
    /// The domain has no key of that class and epoch.
    #[error("there is no key of epoch {epoch} for the {class} class")]
    NoKey {
        /// The epoch asked for.
        epoch: u32,
        /// `meta` or `data`.
        class: &'static str,
    },
    /// The passphrase parameters are outside what is accepted.
    #[error("the key derivation parameters are not acceptable: {what}")]
    Parameters {
        /// Which.
        what: String,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no random bytes")]
    Random,
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

/// `derive_key(context, material…)` of BLAKE3; contexts are listed in FORMAT.md §3.
fn derive(context: &'static str, material: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in material {
        hasher.update(part);
    }
    let key = *hasher.finalize().as_bytes();
    hasher.zeroize();
    key
}
