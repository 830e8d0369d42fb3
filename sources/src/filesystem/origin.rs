//! Where a scan began: what the walk and the readers of contents share.

use std::sync::Arc;

use esker_engine::clock::Clock;
use esker_engine::problem::{Problem, ProblemKind};
use rustix::io::Errno;

use super::directory::Directory;
use super::owners::Owners;

/// The surroundings of one scan.
pub(super) struct Origin {
    /// The directory that keys are relative to.
    pub(super) top: Arc<Directory>,
    /// Its path, to name things by.
    pub(super) path: Vec<u8>,
    pub(super) owners: Owners,
    pub(super) clock: Arc<dyn Clock>,
    /// So many directories may be kept open for contents that are still to be read.
    pub(super) open_limit: usize,
}

impl Origin {
    /// The full path of a key, for people.
    pub(super) fn name(&self, key: &[u8]) -> String {
        let mut path = self.path.clone();
        for name in key.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        display(&path)
    }

    /// A problem of a key.
    pub(super) fn problem(&self, key: &[u8], error: Errno, what: &str, stale: bool) -> Problem {
        let kind = match error {
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::LOOP | Errno::NXIO => {
                ProblemKind::Vanished
            }
            Errno::ACCESS | Errno::PERM => ProblemKind::NotPermitted,
            _ => ProblemKind::Unreadable,
        };
        Problem {
            path: self.name(key),
            kind,
            message: format!("{what}: {}", std::io::Error::from(error)),
            stale,
        }
    }
}

/// A path as text; what is not printable is written as `\xNN`, and a backslash doubled, so that no two paths look alike.
pub(super) fn display(path: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str(r"\\"),
                '\0'..'\x20' | '\x7f' => {
                    let _ = write!(text, "\\x{:02x}", u32::from(character));
                }
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_so_that_no_two_look_alike() {
        for (path, text) in [
            (b"/srv/data".as_slice(), "/srv/data"),
            ("/größe".as_bytes(), "/größe"),
            (b"/a\nb", r"/a\x0ab"),
            (br"/a\x0ab", r"/a\\x0ab"),
            (b"/\xff\xfe!", r"/\xff\xfe!"),
        ] {
            assert_eq!(display(path), text);
        }
    }
}
