//! The folder that a writer backs up, and what is in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::random::Random;

/// What is in a folder: of each path the hash, the length, and the time of the last change.
pub(crate) type Content = BTreeMap<String, (blake3::Hash, u64, (i64, i64))>;

/// Reads a folder.
pub(crate) fn read(top: &Path) -> Content {
    let mut content = Content::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(folder) = waiting.pop() {
        for item in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = item.expect("a folder can be listed").path();
            let metadata = fs::symlink_metadata(&path).expect("nobody else works here");
            if metadata.is_dir() {
                waiting.push(path);
                continue;
            }
            let hash = blake3::hash(&fs::read(&path).expect("a file can be read"));
            let changed = (metadata.mtime(), metadata.mtime_nsec());
            let name = path.strip_prefix(top).expect("it is below").display().to_string();
            content.insert(name, (hash, metadata.len(), changed));
        }
    }
    content
}

/// Changes a folder by a few steps. Some contents come from a pool that all writers share.
pub(crate) fn change(top: &Path, random: &mut Random) {
    for _ in 0..=random.below(6) {
        let names: Vec<PathBuf> = read(top).keys().map(|name| top.join(name)).collect();
        let fresh = top.join(format!("{}/{}", random.below(5), random.below(1000)));
        fs::create_dir_all(fresh.parent().expect("it is in a folder")).expect("it can be made");
        let write = |bytes: Vec<u8>| fs::write(&fresh, bytes).expect("a file can be written");
        let chosen = random.one_of(&names);
        match (random.below(10), chosen) {
            (0 | 1, Some(path)) => fs::remove_file(path).expect("it is there"),
            (2, Some(path)) => fs::rename(path, &fresh).expect("it is there"),
            (3, Some(path)) => {
                let file = fs::OpenOptions::new().append(true).open(path);
                let bytes = random.bytes(2000);
                file.expect("it is there").write_all(&bytes).expect("it can be written");
            }
            (4 | 5, _) => write(pooled(100 + random.below(6), 3_000_000)),
            (6 | 7, _) => write(pooled(random.below(40), 60_000)),
            _ => {
                let length = random.below(20_000);
                write(random.bytes(length));
            }
        }
    }
    // Something is different every time.
    fs::write(top.join("last"), random.bytes(16)).expect("a file can be written");
}

fn pooled(number: u64, longest: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let length = longest / 3 + random.below(longest);
    random.bytes(length)
}
