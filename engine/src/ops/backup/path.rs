//! Reading a plain file by its path, for sources that keep their contents in files.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::entry::Entry;
use crate::problem::{Problem, ProblemKind};
use crate::source::{ContentReader, Finished, Piece};

pub(super) struct PathReader {
    path: PathBuf,
    file: Option<File>,
}

impl PathReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }
}

impl ContentReader for PathReader {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        let opened = File::open(&self.path).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ProblemKind::Vanished,
                io::ErrorKind::PermissionDenied => ProblemKind::NotPermitted,
                _ => ProblemKind::Unreadable,
            };
            let message = format!("it cannot be opened: {error}");
            Problem { path: self.path(), kind, message, stale: false }
        })?;
        self.file = Some(opened);
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        let Some(file) = &mut self.file else {
            return Ok(Piece::End);
        };
        Ok(match file.read(buffer)? {
            0 => Piece::End,
            length => Piece::Data(length),
        })
    }

    fn finish(&mut self, _: u64) -> Finished {
        Finished::default()
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }
}
