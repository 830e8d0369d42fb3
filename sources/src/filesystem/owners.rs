//! Names of users and groups, from `/etc/passwd` and `/etc/group`.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

/// The names as they were at the beginning of a scan.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: HashMap<u32, Bytes>,
    groups: HashMap<u32, Bytes>,
}

impl Owners {
    /// Reads the system's files; where there are none there are no names.
    pub(super) fn read() -> Self {
        let read = |path| parse(&std::fs::read(Path::new(path)).unwrap_or_default());
        Self { users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    pub(super) fn user(&self, uid: u32) -> Option<Bytes> {
        self.users.get(&uid).cloned()
    }

    pub(super) fn group(&self, gid: u32) -> Option<Bytes> {
        self.groups.get(&gid).cloned()
    }
}

/// Lines of `name:password:number:…`; of several names of a number the first counts.
fn parse(file: &[u8]) -> HashMap<u32, Bytes> {
    let mut names = HashMap::new();
    for line in file.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        if let (Some(number), false) = (number, name.is_empty()) {
            names.entry(number).or_insert_with(|| Bytes::copy_from_slice(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts_and_odd_lines_are_skipped() {
        let names = parse(
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:\n# note\n:x:7:\na:x:many:\nbob:x:1000:",
        );
        assert_eq!(names.len(), 2);
        assert_eq!(names[&0], "root");
        assert_eq!(names[&1000], "bob");
    }
}
