//! The one place where data are sealed: AES-256-GCM with counted nonces under keys that are used for one container.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};

use super::CryptoError;

/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;

/// A cipher with its key. Making one costs a key schedule: keep it for the container.
pub struct Aead(Aes256Gcm);

impl Aead {
    /// Takes a fresh key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
    }

    fn nonce(number: u32) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&number.to_be_bytes());
        nonce.into()
    }

    /// Seals in place and appends the tag. A number is used once under one key.
    pub fn seal(&self, number: u32, associated: &[u8], buffer: &mut Vec<u8>) {
        let tag = self
            .0
            .encrypt_inout_detached(&Self::nonce(number), associated, buffer.as_mut_slice().into())
            .expect("a frame is far below the 64 GiB limit of GCM");
        buffer.extend_from_slice(&tag);
    }

    /// Opens in place and removes the tag.
    ///
    /// # Errors
    /// `NotAuthentic`, naming `what`; the buffer's content is then undefined.
    pub fn open(
        &self,
        number: u32,
        associated: &[u8],
        buffer: &mut Vec<u8>,
        what: &'static str,
    ) -> Result<(), CryptoError> {
        let length = buffer.len().checked_sub(TAG_LEN).ok_or(CryptoError::NotAuthentic { what })?;
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&buffer[length..]);
        buffer.truncate(length);
        self.0
            .decrypt_inout_detached(
                &Self::nonce(number),
                associated,
                buffer.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .map_err(|_| CryptoError::NotAuthentic { what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let cipher = Aead::new(&[7; 32]);
        let mut sealed = b"hello".to_vec();
        cipher.seal(3, b"context", &mut sealed);
        assert_eq!(sealed.len(), 5 + TAG_LEN);
        let open = |number, associated: &[u8], mut bytes: Vec<u8>| {
            cipher.open(number, associated, &mut bytes, "test").map(|()| bytes)
        };
        assert_eq!(open(3, b"context", sealed.clone()).unwrap(), b"hello");
        assert!(open(4, b"context", sealed.clone()).is_err());
        assert!(open(3, b"another", sealed.clone()).is_err());
        assert!(open(3, b"context", sealed[..20].to_vec()).is_err());
        assert!(open(3, b"context", vec![1; 3]).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(3, b"context", flipped).is_err(), "bit {bit}");
        }
    }

    /// NIST GCM test case 16 has 96-bit nonces with bytes in front; ours are zero there, so this vector is our own.
    #[test]
    fn the_nonce_is_the_number_big_endian() {
        use aes_gcm::aead::Aead as _;
        let cipher = Aead::new(&[1; 32]);
        let mut ours = b"x".to_vec();
        cipher.seal(0x0102_0304, b"", &mut ours);
        let nonce: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let theirs = cipher.0.encrypt(&nonce.into(), b"x".as_slice()).unwrap();
        assert_eq!(ours, theirs);
    }
}
