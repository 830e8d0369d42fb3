//! Sealed objects: commits, fences, marks, session markers, bundles (FORMAT.md §9).

use super::{Corrupt, Reader, Writer};
use crate::crypto::{ContainerId, CryptoError, DataKey, Domain, DomainKeys, KEY_SECTION_LEN};
use crate::object::Class;

const MAGIC: &[u8; 4] = b"ESKO";
const VERSION: u8 = 1;
/// What a sealed object may have at most, opened.
pub const MAX_SEALED_BYTES: u64 = /* 64 MiB */ 64 * 1024 * 1024;
/// Bodies longer than this are compressed.
const COMPRESS_FROM: usize = 512;

/// What a sealed object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedKind {
    /// The marker of a session.
    Session,
    /// What fills a session's slot.
    Slot,
    /// A mark.
    Mark,
    /// A decision of the collector.
    Gc,
    /// Copies of commits and marks.
    Bundle,
}

impl SealedKind {
    fn code(self) -> u8 {
        match self {
            Self::Session => 1,
            Self::Slot => 2,
            Self::Mark => 3,
            Self::Gc => 4,
            Self::Bundle => 5,
        }
    }
}

/// Why a sealed object does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// Its bytes are not what they should be.
    #[error("the object is damaged")]
    Corrupt(#[from] Corrupt),
    /// It is not authentic, or its key is not there.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A newer Esker wrote it.
    #[error("the object has format version {0}; this program knows 1")]
    Version(u8),
}

fn context(keys: &DomainKeys, kind: SealedKind, name: &str) -> Vec<u8> {
    let mut context = Writer::new();
    context.raw(b"esker v1 object").raw(&keys.repository.0).u32(keys.domain.0);
    context.u8(kind.code()).raw(name.as_bytes());
    context.0
}

/// Seals a JSON body for the object of this name.
pub fn seal(
    keys: &DomainKeys,
    kind: SealedKind,
    name: &str,
    json: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = DataKey::generate(keys, Class::Meta, ContainerId::of_name(name))?;
    let compressed = (json.len() > COMPRESS_FROM).then(|| zstd::bulk::compress(json, 3).ok());
    let (codec, payload) = match compressed.flatten() {
        Some(smaller) if smaller.len() < json.len() => (1, smaller),
        _ => (0, json.to_vec()),
    };
    let mut body = Writer::new();
    body.u8(codec).varint(json.len() as u64).raw(&payload);
    key.aead.seal(0, &context(keys, kind, name), &mut body.0);
    let mut object = Writer::new();
    object.raw(MAGIC).u8(VERSION).u8(kind.code()).u32(keys.domain.0);
    object.raw(&key.section).raw(&body.0);
    Ok(object.0)
}

/// The domain that a sealed object belongs to.
pub fn domain(object: &[u8]) -> Result<Domain, SealedError> {
    Ok(Domain(header(object)?.1))
}

/// Kind, domain, key section and sealed body.
type Header<'a> = (u8, u32, [u8; KEY_SECTION_LEN], &'a [u8]);

fn header(object: &[u8]) -> Result<Header<'_>, SealedError> {
    let mut reader = Reader::new(object);
    if reader.array()? != *MAGIC {
        return Err(Corrupt::new("not a sealed object").into());
    }
    match reader.u8()? {
        VERSION => {}
        0 => return Err(reader.corrupt("version 0").into()),
        newer => return Err(SealedError::Version(newer)),
    }
    let (kind, domain, section) = (reader.u8()?, reader.u32()?, reader.array()?);
    Ok((kind, domain, section, reader.take(reader.remaining())?))
}

/// Opens the object of this name; returns its JSON body.
pub fn open(
    keys: &DomainKeys,
    kind: SealedKind,
    name: &str,
    object: &[u8],
) -> Result<Vec<u8>, SealedError> {
    let (found, domain, section, body) = header(object)?;
    if found != kind.code() || domain != keys.domain.0 {
        return Err(Corrupt::new("an object of another kind or domain").into());
    }
    let key = DataKey::open(keys, Class::Meta, ContainerId::of_name(name), &section)?;
    let mut body = body.to_vec();
    key.aead.open(0, &context(keys, kind, name), &mut body, "object")?;
    let mut reader = Reader::new(&body);
    let codec = reader.u8()?;
    let length = reader.count("bytes", MAX_SEALED_BYTES)?;
    let payload = reader.take(reader.remaining())?;
    let json = match codec {
        0 => payload.to_vec(),
        1 => zstd::bulk::decompress(payload, length)
            .map_err(|_| Corrupt::new("a body that does not decompress"))?,
        _ => return Err(Corrupt::new("an unknown codec").into()),
    };
    if json.len() != length {
        return Err(Corrupt::new("a body of another length than it says").into());
    }
    Ok(json)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::id::RepositoryId;

    #[test]
    fn a_sealed_object_opens_under_its_name_only() {
        let keys = DomainKeys::generate(RepositoryId([1; 16]), Domain(0)).unwrap();
        for length in [0usize, 1, 100, 512, 513, 5000] {
            let json = vec![b'x'; length];
            let object = seal(&keys, SealedKind::Slot, "commits/a", &json).unwrap();
            assert_eq!(open(&keys, SealedKind::Slot, "commits/a", &object).unwrap(), json);
            assert!(open(&keys, SealedKind::Slot, "commits/b", &object).is_err());
            assert!(open(&keys, SealedKind::Mark, "commits/a", &object).is_err());
            for byte in 0..object.len() {
                let mut bent = object.clone();
                bent[byte] ^= 0x10;
                assert!(open(&keys, SealedKind::Slot, "commits/a", &bent).is_err(), "byte {byte}");
                assert!(open(&keys, SealedKind::Slot, "commits/a", &object[..byte]).is_err());
            }
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let keys = DomainKeys::generate(RepositoryId([1; 16]), Domain(0)).unwrap();
        let mut object = seal(&keys, SealedKind::Slot, "n", b"{}").unwrap();
        object[4] = 9;
        assert!(matches!(
            open(&keys, SealedKind::Slot, "n", &object),
            Err(SealedError::Version(9))
        ));
    }
}
