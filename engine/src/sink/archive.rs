//! A compressed tar archive as the target of a restore.

use std::io::{Read, Write};

use super::{EntryPath, SinkError};
use crate::entry::Entry;
use crate::problem::Problem;

/// Writes entries into a tar archive, compressed with zstd.
pub struct ArchiveSink<W: Write> {
    writer: W,
}

impl<W: Write> ArchiveSink<W> {
    /// Begins an archive.
    pub fn create(writer: W) -> Result<Self, SinkError> {
        Ok(Self { writer })
    }

    /// Adds an entry.
    pub fn append(
        &mut self,
        _path: &EntryPath,
        _entry: &Entry,
        _content: &mut dyn Read,
    ) -> Result<(), SinkError> {
        unimplemented!()
    }

    /// Adds a further name.
    pub fn hard_link(
        &mut self,
        _path: &EntryPath,
        _first: &EntryPath,
        _entry: &Entry,
    ) -> Result<(), SinkError> {
        unimplemented!()
    }

    /// Takes problems.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        Vec::new()
    }

    /// Ends the archive.
    pub fn finish(self) -> Result<W, SinkError> {
        Ok(self.writer)
    }
}
