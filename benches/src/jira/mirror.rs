//! A snapshot as plain files, for tools that back up folders: one JSON file an issue, and its attachments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use esker_engine::entry::EntryKind;
use esker_engine::ops::SnapshotTrees;

use super::folder::{Folder, ISSUES, differences, prefix_of, read_content, touched};
use super::records::merged;
use crate::Failure;

/// The folder of files.
#[derive(Debug)]
pub struct Mirror {
    folder: PathBuf,
}

impl Mirror {
    /// A mirror in a folder that need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes what differs between two snapshots, and deletes what is gone. Other files are not touched.
    pub fn update(&self, old: Option<&SnapshotTrees>, new: &SnapshotTrees) -> Result<(), Failure> {
        for collection in new.names() {
            for difference in differences(old, new, collection) {
                let key = difference?.key;
                match new.get(collection, &key)? {
                    // A document of an issue is a part of the issue's file.
                    Some(entry) if collection == ISSUES && entry.kind == EntryKind::Document => {}
                    Some(entry) => self.write(collection, &key, &read_content(new, &entry)?)?,
                    None => self.delete(collection, &key)?,
                }
            }
        }
        for prefix in touched(old, new) {
            let prefix = prefix?;
            let key = issue_file(&prefix);
            match Folder::read(new, &prefix)? {
                Some(folder) => self.write(ISSUES, &key, &merged(&folder))?,
                None => self.delete(ISSUES, &key)?,
            }
        }
        Ok(())
    }

    fn path(&self, collection: &str, key: &[u8]) -> Result<PathBuf, Failure> {
        let mut path = self.folder.join(collection);
        for part in std::str::from_utf8(key)?.split('\0') {
            path.push(part);
        }
        Ok(path)
    }

    fn write(&self, collection: &str, key: &[u8], content: &[u8]) -> Result<(), Failure> {
        let path = self.path(collection, key)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, content)?)
    }

    fn delete(&self, collection: &str, key: &[u8]) -> Result<(), Failure> {
        match fs::remove_file(self.path(collection, key)?) {
            // Documents of issues have no files of their own.
            Err(error) if error.kind() == io::ErrorKind::NotFound && prefix_of(key).is_some() => {
                Ok(())
            }
            done => Ok(done?),
        }
    }
}

/// `ABC␀ABC-7.json` for `ABC␀ABC-7␀`.
fn issue_file(prefix: &[u8]) -> Vec<u8> {
    [prefix.strip_suffix(b"\0").unwrap_or(prefix), b".json"].concat()
}
