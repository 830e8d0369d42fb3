//! Names of stored objects (FORMAT.md §2).

use std::fmt;
use std::str::FromStr;

use crate::format::pack::PackKind;
use crate::id::{BundleId, PackId, SegmentId, SlotId, Ulid, WriterId};

/// What a session's marker and its slot share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName {
    /// The collector's epoch when the session was opened.
    pub epoch: u32,
    /// Who opened it.
    pub writer: WriterId,
    /// Which one it is.
    pub ulid: Ulid,
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.epoch, self.writer, self.ulid)
    }
}

/// A text that names no object of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a stored object")]
pub struct ParseNameError(pub String);

impl FromStr for SessionName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let epoch = parts.next().filter(|epoch| epoch.len() == 8)?;
            Some(Self {
                epoch: u32::from_str_radix(epoch, 16).ok()?,
                writer: parts.next()?.parse().ok()?,
                ulid: parts.next()?.parse().ok()?,
            })
        };
        read().filter(|name| name.to_string() == text).ok_or_else(|| ParseNameError(text.into()))
    }
}

impl serde::Serialize for SessionName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SessionName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// The configuration of a generation, or its copy.
    Config {
        /// Which generation.
        generation: u32,
        /// True for the copy.
        copy: bool,
    },
    /// A key slot, or its copy.
    Key {
        /// Which slot.
        slot: SlotId,
        /// True for the copy.
        copy: bool,
    },
    /// A pack.
    Pack {
        /// Which one.
        id: PackId,
        /// Of what kind.
        kind: PackKind,
    },
    /// An index segment.
    Segment(SegmentId),
    /// The marker of a session.
    Session(SessionName),
    /// The slot of a session.
    Slot(SessionName),
    /// A mark.
    Mark(Ulid),
    /// Copies of commits and marks.
    Bundle(BundleId),
    /// The packs that a collector condemned.
    Condemned(u32),
    /// The end of the time in which a dropped commit can be brought back.
    Closed(u32),
    /// What a collector swept.
    Swept(u32),
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = |copy: &bool| if *copy { ".copy" } else { "" };
        match self {
            Self::Config { generation, copy } => write!(f, "config/{generation}{}", suffix(copy)),
            Self::Key { slot, copy } => write!(f, "keys/{slot}{}", suffix(copy)),
            Self::Pack { id, kind } => match kind {
                PackKind::Mixed => write!(f, "packs/mixed/{id}"),
                PackKind::Meta => write!(f, "packs/{:02x}/{id}-m", id.0[0]),
                PackKind::Data => write!(f, "packs/{:02x}/{id}-d", id.0[0]),
            },
            Self::Segment(id) => write!(f, "index/{id}"),
            Self::Session(name) => write!(f, "sessions/{name}"),
            Self::Slot(name) => write!(f, "commits/{name}"),
            Self::Mark(ulid) => write!(f, "marks/{ulid}"),
            Self::Bundle(id) => write!(f, "history/{id}"),
            Self::Condemned(epoch) => write!(f, "gc/{epoch:08x}/condemned"),
            Self::Closed(epoch) => write!(f, "gc/{epoch:08x}/closed"),
            Self::Swept(epoch) => write!(f, "gc/{epoch:08x}/swept"),
        }
    }
}

impl FromStr for ObjectName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let read = || {
            let (room, rest) = text.split_once('/')?;
            let copied = |rest: &str| match rest.strip_suffix(".copy") {
                Some(name) => (name.to_owned(), true),
                None => (rest.to_owned(), false),
            };
            Some(match room {
                "config" => {
                    let (generation, copy) = copied(rest);
                    Self::Config { generation: generation.parse().ok()?, copy }
                }
                "keys" => {
                    let (slot, copy) = copied(rest);
                    Self::Key { slot: slot.parse().ok()?, copy }
                }
                "packs" => {
                    let (folder, name) = rest.split_once('/')?;
                    let (id, kind) = match (folder, name.split_once('-')) {
                        ("mixed", None) => (name, PackKind::Mixed),
                        (_, Some((id, "m"))) => (id, PackKind::Meta),
                        (_, Some((id, "d"))) => (id, PackKind::Data),
                        _ => return None,
                    };
                    Self::Pack { id: id.parse().ok()?, kind }
                }
                "index" => Self::Segment(rest.parse().ok()?),
                "sessions" => Self::Session(rest.parse().ok()?),
                "commits" => Self::Slot(rest.parse().ok()?),
                "marks" => Self::Mark(rest.parse().ok()?),
                "history" => Self::Bundle(rest.parse().ok()?),
                "gc" => {
                    let (epoch, what) = rest.split_once('/')?;
                    let epoch = u32::from_str_radix(epoch, 16).ok()?;
                    match what {
                        "condemned" => Self::Condemned(epoch),
                        "closed" => Self::Closed(epoch),
                        "swept" => Self::Swept(epoch),
                        _ => return None,
                    }
                }
                _ => return None,
            })
        };
        // A name has one spelling: whatever prints differently is none of ours.
        read().filter(|name| name.to_string() == text).ok_or_else(|| ParseNameError(text.into()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for text in [
            "config/0",
            "config/12.copy",
            "keys/0123456789abcdef",
            "keys/0123456789abcdef.copy",
            "packs/00/000102030405060708090a0b0c0d0e0f-d",
            "packs/00/000102030405060708090a0b0c0d0e0f-m",
            "packs/mixed/000102030405060708090a0b0c0d0e0f",
            "index/000102030405060708090a0b0c0d0e0f",
            "sessions/0000000a-0123456789abcdef-01arz3ndektsv4rrffq69g5fav",
            "commits/00000000-0123456789abcdef-01arz3ndektsv4rrffq69g5fav",
            "marks/01arz3ndektsv4rrffq69g5fav",
            "history/000102030405060708090a0b0c0d0e0f",
            "gc/00000001/condemned",
            "gc/00000001/closed",
            "gc/00000001/swept",
        ] {
            assert_eq!(text.parse::<ObjectName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn strangers_are_not_named() {
        for text in [
            "",
            "config",
            "config/",
            "config/00",
            "config/-1",
            "keys/xyz",
            "packs/01/000102030405060708090a0b0c0d0e0f-d",
            "packs/mixed/000102030405060708090a0b0c0d0e0f-d",
            "index/",
            "sessions/a-b-c",
            "other/1",
            "sessions/0000000A-0123456789abcdef-01arz3ndektsv4rrffq69g5fav",
            "gc/1/condemned",
        ] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }
}
