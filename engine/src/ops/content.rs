//! Reading the content of an entry from its beginning to its end.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::{Content, Entry, Part};
use crate::object::{Class, ReadObject};
use crate::tree::{Parts, parts};

/// A content as a stream. Holes are zeros; every object is verified against its id.
pub struct ContentStream {
    reader: Arc<dyn ReadObject>,
    parts: Parts,
    data: Bytes,
    hole: u64,
}

impl ContentStream {
    /// Opens the content of an entry.
    pub fn new(reader: Arc<dyn ReadObject>, entry: &Entry) -> Self {
        let data = match &entry.content {
            Content::Inline(bytes) => bytes.clone(),
            _ => Bytes::new(),
        };
        Self { parts: parts(Arc::clone(&reader), &entry.content), reader, data, hole: 0 }
    }
}

impl Read for ContentStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.data.is_empty() {
                let length = self.data.len().min(buffer.len());
                buffer[..length].copy_from_slice(&self.data.split_to(length));
                return Ok(length);
            }
            if self.hole > 0 {
                let length = buffer.len().min(usize::try_from(self.hole).unwrap_or(usize::MAX));
                buffer[..length].fill(0);
                self.hole -= length as u64;
                return Ok(length);
            }
            match self.parts.next().transpose().map_err(io::Error::other)? {
                None => return Ok(0),
                Some(Part::Hole { length }) => self.hole = length,
                Some(Part::Data { id, length }) => {
                    self.data = self.reader.read(Class::Data, &id).map_err(io::Error::other)?;
                    if self.data.len() as u64 != length {
                        return Err(io::Error::other("an object of another length than listed"));
                    }
                }
            }
        }
    }
}
