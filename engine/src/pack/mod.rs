//! Packs: frames sealed, collected, verified; opened again. No store: bytes in, bytes out.

mod builder;
mod frame;
mod open;

pub use builder::{FinishedPack, MAX_TARGET_BYTES, PackBuilder, Reservation};
pub use frame::{EncodedFrame, Frame, FrameCodec, RawFrame};
pub use open::{PackKeys, Tail, read_tail};

use std::fmt;

use crate::compress::CompressError;
use crate::crypto::{ContainerId, CryptoError, DataKey, Domain, DomainKeys};
use crate::format::Corrupt;
use crate::id::{ObjectId, PackId, RepositoryId};
use crate::object::Class;

/// The part of a pack that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// A frame that was not read from a pack.
    LooseFrame,
    /// The random name of a pack that is begun.
    Name,
    /// A frame.
    Frame {
        /// Of this pack.
        pack: PackId,
        /// Its number.
        number: u32,
    },
    /// The list of frames and objects.
    Footer {
        /// Of this pack.
        pack: PackId,
    },
    /// The last bytes.
    Trailer {
        /// Of this pack.
        pack: PackId,
    },
    /// The key of a class.
    Key {
        /// Of this pack.
        pack: PackId,
        /// What it opens.
        class: Class,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LooseFrame => f.write_str("a frame"),
            Self::Name => f.write_str("the name of a new pack"),
            Self::Frame { pack, number } => write!(f, "frame {number} of pack {}", pack.short()),
            Self::Footer { pack } => write!(f, "the footer of pack {}", pack.short()),
            Self::Trailer { pack } => write!(f, "the trailer of pack {}", pack.short()),
            Self::Key { pack, class } => {
                let class = match class {
                    Class::Meta => "meta",
                    Class::Data => "data",
                };
                write!(f, "the {class} key of pack {}", pack.short())
            }
        }
    }
}

/// Why a pack could not be filled or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The bytes are authentic, or need not be, and are not what they should be.
    #[error("{part} is damaged")]
    Corrupt {
        /// Which bytes.
        part: Part,
        /// What is wrong with them.
        source: Corrupt,
    },
    /// A part cannot be sealed or opened.
    #[error("{part} cannot be sealed or opened")]
    Crypto {
        /// Which.
        part: Part,
        /// Why.
        source: CryptoError,
    },
    /// A sealed frame, opened again, does not hold what was put in: memory or processor cannot be trusted.
    #[error(
        "frame {number} of pack {} does not hold object {object} after sealing; this computer is not reliable",
        pack.short()
    )]
    Verify {
        /// The pack, which must not be stored.
        pack: PackId,
        /// The frame's number.
        number: u32,
        /// The first object that differs.
        object: ObjectId,
    },
    /// More than the format allows.
    #[error("{size} {what}, where at most {limit} are allowed")]
    TooLarge {
        /// Things, in the plural.
        what: &'static str,
        /// How many.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The frame needs something that this program does not have.
    #[error("{part} was compressed against another object, which this program does not know")]
    Reference {
        /// Which.
        part: Part,
    },
    /// The compressor failed.
    #[error("a frame cannot be compressed")]
    Compress {
        /// Why.
        source: CompressError,
    },
    /// The pack was asked for something out of order.
    #[error("pack {} {what}", pack.short())]
    Misused {
        /// Which.
        pack: PackId,
        /// What is wrong.
        what: &'static str,
    },
}

impl PackError {
    /// True if bytes from the store are to blame, so that another copy of the pack would help.
    ///
    /// A key that the reader does not have is no damage.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Crypto { source, .. } => {
                matches!(source, CryptoError::NotAuthentic { .. } | CryptoError::OtherKey { .. })
            }
            _ => false,
        }
    }
}

/// Nonce of the footer: no frame has this number.
const FOOTER_NONCE: u32 = u32::MAX;

/// Nonce of the padding: no frame has this number.
const PADDING_NONCE: u32 = u32::MAX - 1;

/// Padding looks like what is sealed, and its owner can tell whether it was changed: sealed zeros without their tag.
fn padding(key: &DataKey, length: usize) -> Vec<u8> {
    let mut zeros = vec![0; length];
    key.aead.seal(PADDING_NONCE, b"esker v1 padding", &mut zeros);
    zeros.truncate(length);
    zeros
}

/// What all parts of a pack are bound to.
#[derive(Debug, Clone, Copy)]
struct Binding {
    repository: RepositoryId,
    domain: Domain,
    pack: PackId,
}

impl Binding {
    fn new(keys: &DomainKeys, pack: PackId) -> Self {
        Self { repository: keys.repository, domain: keys.domain, pack }
    }

    fn container(&self) -> ContainerId {
        ContainerId(self.pack.0)
    }

    /// Associated data of a frame.
    fn frame(&self, class: Class, number: u32) -> Vec<u8> {
        let mut associated = Vec::with_capacity(64);
        associated.extend_from_slice(b"esker v1 frame");
        associated.extend_from_slice(&self.repository.0);
        associated.extend_from_slice(&self.domain.0.to_le_bytes());
        associated.push(class.code());
        associated.extend_from_slice(&self.pack.0);
        associated.extend_from_slice(&number.to_le_bytes());
        associated
    }

    /// Associated data of the footer.
    fn footer(&self) -> Vec<u8> {
        let mut associated = b"esker v1 footer".to_vec();
        associated.extend_from_slice(&self.repository.0);
        associated.extend_from_slice(&self.domain.0.to_le_bytes());
        associated.extend_from_slice(&self.pack.0);
        associated
    }
}

#[cfg(test)]
mod tests;
