//! A stream as a source: one file that is read to its end.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::problem::Problem;
use esker_engine::source::{
    Base, ChangeSink, ContentReader, Finished, Payload, Piece, ScanEnd, ScanMode, Source,
    SourceError, SourceInfo,
};

use super::{COLLECTION, MAX_KEY_BYTES};

/// What is read.
type Stream = Box<dyn Read + Send>;

/// A source of one file whose content is a stream, such as the standard input.
///
/// It has neither times nor an owner, so that two equal streams are stored as equal snapshots.
pub struct StdinSource {
    name: String,
    stream: Mutex<Option<Stream>>,
}

impl StdinSource {
    /// Takes a stream, and the path to store it under.
    ///
    /// # Errors
    /// Where the path is empty or climbs.
    pub fn new(name: &str, stream: impl Read + Send + 'static) -> Result<Self, SourceError> {
        let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
        let is_odd = parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | ".."));
        if is_odd || name.contains('\0') || name.len() > MAX_KEY_BYTES {
            return Err(SourceError::Invalid {
                what: format!("`{name}` cannot be the name of the standard input"),
            });
        }
        Ok(Self { name: parts.join("/"), stream: Mutex::new(Some(Box::new(stream))) })
    }
}

#[async_trait::async_trait]
impl Source for StdinSource {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "files".into(),
            identity: format!("stdin:{}", self.name),
            name: self.name.clone(),
            collections: vec![COLLECTION.into()],
        }
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        _: ScanMode,
        changes: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = stream.ok_or_else(|| SourceError::Invalid {
            what: "the standard input can be read only once".into(),
        })?;
        let key = Bytes::from(self.name.replace('/', "\0"));
        if let Some(base) = base {
            for old in keys_of(base).await?.into_iter().filter(|old| *old != key) {
                changes.delete(0, old).await?;
            }
        }
        let mut entry = Entry::new(EntryKind::File);
        // What comes through a pipe is often a dump of a database: a restore shows it to its owner only.
        entry.metadata.mode = Some(0o600);
        let reader = Box::new(StreamReader { stream, name: self.name.clone() });
        changes.put(0, key, entry, Payload::Reader { size: 0, reader }).await?;
        Ok(super::end(1, 0))
    }
}

/// The keys of the last snapshot: hardly more than one.
async fn keys_of(base: &Base) -> Result<Vec<Bytes>, SourceError> {
    let reader = std::sync::Arc::clone(base.reader());
    let keys = tokio::task::spawn_blocking(move || {
        let entries = reader.entries(COLLECTION, b"");
        entries.map(|entry| Ok(entry?.0)).collect()
    });
    keys.await.unwrap_or_else(|error| {
        Err(SourceError::Unreadable { what: "the last snapshot".into(), source: error.into() })
    })
}

struct StreamReader {
    stream: Stream,
    name: String,
}

impl ContentReader for StreamReader {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Piece::End),
                Ok(read) => return Ok(Piece::Data(read)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn finish(&mut self, _: u64) -> Finished {
        Finished::default()
    }

    fn path(&self) -> String {
        self.name.clone()
    }
}
