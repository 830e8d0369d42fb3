//! Identifiers: fixed-size byte strings that print as hex.

use std::fmt;
use std::str::FromStr;

/// A text that should be an identifier and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected} hex digits")]
pub struct ParseIdError {
    text: String,
    expected: usize,
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Reads lower-case hex of exactly `out.len()` bytes; `None` for anything else.
fn hex_into(text: &str, out: &mut [u8]) -> Option<()> {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return None;
    }
    for (pair, byte) in text.chunks_exact(2).zip(out) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(())
}

/// Reads lower-case hex of any even length; `None` for anything else.
pub fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; text.len() / 2];
    hex_into(text, &mut out)?;
    Some(out)
}

/// Writes bytes as lower-case hex.
pub fn hex_encode(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Its length in bytes.
            pub const LEN: usize = $bytes;

            /// All bytes as hex.
            pub fn to_hex(&self) -> String {
                hex_encode(&self.0)
            }

            /// Takes exactly [`LEN`](Self::LEN) bytes.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The first eight hex digits, for people.
            pub fn short(&self) -> String {
                hex_encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $bytes];
                hex_into(text, &mut bytes)
                    .ok_or_else(|| ParseIdError { text: text.into(), expected: $bytes * 2 })?;
                Ok(Self(bytes))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// Keyed BLAKE3 of an object's plaintext (`docs/FORMAT.md` §3).
    ObjectId, 32
);
id!(
    /// The first 16 bytes of an [`ObjectId`], as pack footers list them.
    ShortId, 16
);
id!(
    /// A pack's random name.
    PackId, 16
);
id!(
    /// An index segment's random name.
    SegmentId, 16
);
id!(
    /// The random name of a bundle of commits and marks.
    BundleId, 16
);
id!(
    /// A repository's random identity.
    RepositoryId, 16
);
id!(
    /// A writer: one client's state folder, for as long as it lives.
    WriterId, 8
);
id!(
    /// A key slot's random name.
    SlotId, 8
);
id!(
    /// A snapshot: BLAKE3 of the stored bytes of its commit.
    SnapshotId, 32
);

impl ObjectId {
    /// The part that pack footers keep.
    pub fn to_short(self) -> ShortId {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0[..16]);
        ShortId(short)
    }

    /// The part that index segments keep.
    pub fn prefix(self) -> u64 {
        self.to_short().prefix()
    }
}

impl ShortId {
    /// The part that index segments keep: the first eight bytes, big-endian.
    pub fn prefix(self) -> u64 {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(prefix)
    }
}

/// 48 bits of milliseconds and 80 random bits, which sort by time as text (the ULID specification).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ulid(pub u128);

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Ulid {
    /// Builds one from a time and randomness.
    pub fn new(milliseconds: u64, random: [u8; 10]) -> Self {
        let mut low = [0; 16];
        low[6..].copy_from_slice(&random);
        Self(u128::from(milliseconds & 0xffff_ffff_ffff) << 80 | u128::from_be_bytes(low))
    }

    /// Its time since 1970, as its author's clock had it.
    pub fn time(self) -> std::time::Duration {
        std::time::Duration::from_millis((self.0 >> 80) as u64)
    }
}

impl fmt::Display for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|place| {
            let digit = CROCKFORD[(self.0 >> (place * 5) & 31) as usize];
            fmt::Write::write_char(f, char::from(digit))
        })
    }
}

impl fmt::Debug for Ulid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ulid({self})")
    }
}

impl FromStr for Ulid {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError { text: text.into(), expected: 26 };
        if text.len() != 26 || !matches!(text.as_bytes()[0], b'0'..=b'7') {
            return Err(wrong());
        }
        text.bytes()
            .try_fold(0u128, |value, byte| {
                let digit = CROCKFORD.iter().position(|&known| known == byte)?;
                Some(value << 5 | digit as u128)
            })
            .map(Self)
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_the_rest() {
        let id: PackId = "000102030405060708090a0b0c0d0eff".parse().unwrap();
        assert_eq!(id.0[15], 0xff);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        for text in
            ["", "00", "000102030405060708090A0b0c0d0eff", "zz0102030405060708090a0b0c0d0eff"]
        {
            assert!(text.parse::<PackId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ulids_sort_by_time_and_round_trip() {
        let (early, late) = (Ulid::new(1, [0xff; 10]), Ulid::new(2, [0; 10]));
        assert!(early < late && early.to_string() < late.to_string());
        for ulid in [early, late, Ulid(u128::MAX), Ulid(0)] {
            assert_eq!(ulid.to_string().parse::<Ulid>().unwrap(), ulid);
        }
        for text in ["", "80000000000000000000000000", "0000000000000000000000000u"] {
            assert!(text.parse::<Ulid>().is_err(), "{text}");
        }
    }
}
