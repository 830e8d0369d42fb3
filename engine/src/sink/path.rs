//! The path of an entry below the target: checked once, so that nothing after needs to.

use std::fmt::{self, Write};

use crate::entry::EntryKind;

/// The longest name that file systems take.
const NAME_MAX: usize = 255;

/// Why a name cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The name has no bytes, or a part of it has none.
    #[error("`{name}` has an empty part")]
    Empty {
        /// The whole name.
        name: String,
    },
    /// A part of the name is `.` or `..`.
    #[error("`{name}` has a part `.` or `..`")]
    Dots {
        /// The whole name.
        name: String,
    },
    /// A part of the name holds a slash or a zero byte.
    #[error("`{name}` has a part with a slash or a zero byte in it")]
    Separator {
        /// The whole name.
        name: String,
    },
    /// A part of the name is longer than file systems take.
    #[error("`{name}` has a part longer than 255 bytes")]
    TooLong {
        /// The whole name.
        name: String,
    },
}

impl PathError {
    /// The whole name, safe to print.
    pub fn name(&self) -> &str {
        match self {
            Self::Empty { name }
            | Self::Dots { name }
            | Self::Separator { name }
            | Self::TooLong { name } => name,
        }
    }
}

/// The checked path of an entry, relative to the target. The empty path is the target itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryPath {
    /// The components with slashes between them; no component is empty, `.` or `..`, or holds a slash or zero byte.
    joined: Box<[u8]>,
}

impl EntryPath {
    /// The target itself.
    pub fn root() -> Self {
        Self { joined: Box::default() }
    }

    /// Takes the key of an entry of a files source apart: components joined by zero bytes.
    ///
    /// # Errors
    /// Where a component is empty, `.`, `..`, holds a slash, or is longer than 255 bytes.
    pub fn from_key(key: &[u8]) -> Result<Self, PathError> {
        if key == [0] {
            return Ok(Self::root());
        }
        Self::from_components(key.split(|&byte| byte == 0))
    }

    /// Joins components.
    ///
    /// # Errors
    /// As [`from_key`](Self::from_key), and where a component holds a zero byte.
    pub fn from_components<C: AsRef<[u8]>>(
        components: impl IntoIterator<Item = C>,
    ) -> Result<Self, PathError> {
        let mut joined = Vec::new();
        let mut wrong: Option<fn(String) -> PathError> = None;
        for (number, component) in components.into_iter().enumerate() {
            let component = component.as_ref();
            wrong = wrong.or_else(|| fault(component));
            if number > 0 {
                joined.push(b'/');
            }
            joined.extend_from_slice(component);
        }
        match wrong {
            Some(error) => Err(error(shown(&joined))),
            None => Ok(Self { joined: joined.into() }),
        }
    }

    /// True for the target itself.
    pub fn is_root(&self) -> bool {
        self.joined.is_empty()
    }

    /// The components from the top down; none for the target itself.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.joined.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// The last component; empty for the target itself.
    pub fn name(&self) -> &[u8] {
        split(&self.joined).1
    }

    /// The path without its last component; nothing for the target itself.
    pub fn parent(&self) -> Option<Self> {
        (!self.is_root()).then(|| Self { joined: self.parent_bytes().into() })
    }

    /// The components with slashes between them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.joined
    }

    /// The bytes of the parent.
    pub(super) fn parent_bytes(&self) -> &[u8] {
        split(&self.joined).0
    }

    /// The bytes as an archive spells them: folders end with a slash, and the target is `./`.
    pub(super) fn archived(&self, kind: EntryKind) -> Vec<u8> {
        let mut name = if self.is_root() { b".".to_vec() } else { self.joined.to_vec() };
        if kind == EntryKind::Directory {
            name.push(b'/');
        }
        name
    }
}

/// Splits joined components into parent and name.
pub(super) fn split(joined: &[u8]) -> (&[u8], &[u8]) {
    match joined.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&joined[..slash], &joined[slash + 1..]),
        None => (&[], joined),
    }
}

fn fault(component: &[u8]) -> Option<fn(String) -> PathError> {
    match component {
        b"" => Some(|name| PathError::Empty { name }),
        b"." | b".." => Some(|name| PathError::Dots { name }),
        _ if component.iter().any(|byte| matches!(byte, b'/' | 0)) => {
            Some(|name| PathError::Separator { name })
        }
        _ if component.len() > NAME_MAX => Some(|name| PathError::TooLong { name }),
        _ => None,
    }
}

/// Bytes for a terminal: what is no text is replaced, and what would steer the terminal is escaped.
fn shown(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        // The second half reverses the direction of writing: `exe.txt` may show as `txt.exe`.
        if character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_char('.');
        }
        f.write_str(&shown(&self.joined))
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_names_are_refused() {
        let long = vec![b'x'; 256];
        for key in [
            &b""[..],
            b"\0\0",
            b"a\0",
            b"\0a",
            b"a\0\0b",
            b".",
            b"..",
            b"a\0..\0b",
            b"a\0.",
            b"/abs",
            b"a/b",
            b"a\0b/../../c",
            b"../etc",
            &long,
        ] {
            assert!(EntryPath::from_key(key).is_err(), "{key:?}");
        }
        assert!(EntryPath::from_components([&b"a\0b"[..]]).is_err());
    }

    #[test]
    fn ordinary_and_odd_names_are_taken() {
        let long = vec![b'x'; 255];
        for (key, components) in [
            (&b"\0"[..], vec![]),
            (b"a", vec![&b"a"[..]]),
            (b"a\0b c\0...", vec![b"a", b"b c", b"..."]),
            (b"\xff\xfe\0\n", vec![b"\xff\xfe", b"\n"]),
            (b"\\..\\x", vec![b"\\..\\x"]),
            (&long, vec![&long]),
        ] {
            let path = EntryPath::from_key(key).unwrap();
            assert_eq!(path.components().collect::<Vec<_>>(), components);
            assert_eq!(path.name(), components.last().copied().unwrap_or(b""));
        }
    }

    #[test]
    fn the_root_has_no_parent_and_a_parent_loses_one_component() {
        assert_eq!(EntryPath::root().parent(), None);
        let path = EntryPath::from_key(b"a\0b").unwrap();
        let parent = path.parent().unwrap();
        assert_eq!(parent.as_bytes(), b"a");
        assert_eq!(parent.parent(), Some(EntryPath::root()));
    }

    #[test]
    fn what_would_steer_a_terminal_is_escaped() {
        let path = EntryPath::from_key("a\0\u{1b}[2J\u{202e}ü".as_bytes()).unwrap();
        assert_eq!(path.to_string(), "a/\\u{1b}[2J\\u{202e}ü");
        assert_eq!(EntryPath::root().to_string(), ".");
    }

    proptest! {
        #[test]
        fn a_taken_key_never_leads_out(key in proptest::collection::vec(
            prop_oneof![Just(0u8), Just(b'.'), Just(b'/'), any::<u8>()], 0..40)) {
            if let Ok(path) = EntryPath::from_key(&key) {
                for component in path.components() {
                    prop_assert!(!matches!(component, b"" | b"." | b".."));
                    prop_assert!(!component.contains(&b'/') && !component.contains(&0));
                }
                let again: Vec<u8> = path.components().collect::<Vec<_>>().join(&0);
                prop_assert_eq!(&again[..], if key == [0] { &[][..] } else { &key[..] });
            }
        }
    }
}
