//! Bytes of attachments: small ones are fetched at once, large ones while the engine takes them.

use std::io;

use bytes::{Bytes, BytesMut};
use esker_engine::entry::Entry;
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{ContentReader, Finished, Payload, Piece};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::client::{Client, Download, FailureKind, RequestError};
use super::issue::Attachment;
use super::scan::listing::{is_forbidden, is_missing};

/// Contents of at most this many bytes are fetched whole.
const SMALL: u64 = /* 1 MiB */ 1024 * 1024;
/// A download that breaks goes on where it broke, this many times without a byte in between.
const RESUMES: u32 = 5;

/// An attachment that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttachmentError {
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A login or maintenance page came in its place.
    #[error("a page for people came in its place")]
    Page,
    /// Its length is wrong.
    #[error("it has {found} bytes where the issue says {expected}")]
    Length {
        /// What the issue says.
        expected: u64,
        /// What came; one more than expected where more was to come.
        found: u64,
    },
}

impl AttachmentError {
    /// The request that failed, if that is why.
    pub(super) fn request(&self) -> Option<&RequestError> {
        match self {
            Self::Request(error) => Some(error),
            _ => None,
        }
    }

    /// True where the rest may come if it is asked for again.
    fn may_pass(&self) -> bool {
        match self {
            Self::Request(error) => error.kind() == FailureKind::Later,
            Self::Page => true,
            Self::Length { .. } => false,
        }
    }
}

/// Gets an attachment, or begins to.
pub(super) async fn fetch(
    client: &Client,
    attachment: &Attachment,
    path: &str,
    permit: OwnedSemaphorePermit,
) -> Result<Payload, AttachmentError> {
    let mut stream = Stream {
        download: None,
        client: client.clone(),
        attachment: attachment.clone(),
        position: 0,
        resumes: 0,
    };
    stream.begin().await?;
    if attachment.size > SMALL {
        let reader = AttachmentReader {
            stream,
            handle: Handle::current(),
            path: path.into(),
            rest: Bytes::new(),
            _permit: permit,
        };
        return Ok(Payload::Reader { size: attachment.size, reader: Box::new(reader) });
    }
    let mut content = BytesMut::new();
    while let Some(piece) = stream.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(Payload::Bytes(content.freeze()))
}

/// The bytes of one attachment, across broken connections.
struct Stream {
    client: Client,
    attachment: Attachment,
    download: Option<Download>,
    position: u64,
    resumes: u32,
}

impl Stream {
    /// Waits for an answer, so that what cannot be had is known at once.
    async fn begin(&mut self) -> Result<(), AttachmentError> {
        loop {
            match self.ask().await {
                Err(AttachmentError::Page) if self.may_resume() => {}
                asked => return asked,
            }
        }
    }

    /// The next bytes; `None` when all came and their number is right.
    async fn next(&mut self) -> Result<Option<Bytes>, AttachmentError> {
        loop {
            match self.step().await {
                Ok(Some(piece)) => {
                    self.position += piece.len() as u64;
                    self.resumes = 0;
                    self.check_not_longer()?;
                    return Ok(Some(piece));
                }
                // What ended so was another file: its rest does not continue it.
                Ok(None) if self.is_short() => return Err(self.wrong_length(self.position)),
                Ok(None) => return Ok(None),
                Err(error) if error.may_pass() && self.may_resume() => self.download = None,
                Err(error) => return Err(error),
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Bytes>, AttachmentError> {
        if self.download.is_none() {
            self.ask().await?;
        }
        match &mut self.download {
            Some(download) => Ok(download.chunk().await?),
            None => Ok(None),
        }
    }

    /// Asks for what has not come yet, and looks at what the answer says of itself: a page for people is no file.
    async fn ask(&mut self) -> Result<(), AttachmentError> {
        let Attachment { id, size, media_type, .. } = &self.attachment;
        let download = self.client.download(id, self.position).await?;
        let is_right = match download.total() {
            Some(total) if *size > 0 => total == *size,
            total => total == Some(0) || !download.is_page(),
        };
        let may_be_page = media_type.as_ref().is_some_and(|it| it.starts_with("text/html"));
        if !is_right && download.is_page() && !may_be_page {
            return Err(AttachmentError::Page);
        }
        match download.total() {
            Some(total) if !is_right && *size > 0 => Err(self.wrong_length(total)),
            _ => {
                self.download = Some(download);
                Ok(())
            }
        }
    }

    fn may_resume(&mut self) -> bool {
        self.resumes += 1;
        self.resumes <= RESUMES
    }

    fn is_short(&self) -> bool {
        self.position < self.attachment.size
    }

    /// Records of 0 bytes may have bytes all the same; those are taken up to the size of a small content.
    fn check_not_longer(&self) -> Result<(), AttachmentError> {
        let most = if self.attachment.size == 0 { SMALL } else { self.attachment.size };
        if self.position > most { Err(self.wrong_length(self.position)) } else { Ok(()) }
    }

    fn wrong_length(&self, found: u64) -> AttachmentError {
        AttachmentError::Length { expected: self.attachment.size, found }
    }
}

/// Reads a large attachment on a worker of the engine.
struct AttachmentReader {
    stream: Stream,
    handle: Handle,
    path: String,
    /// What came and was not taken yet.
    rest: Bytes,
    /// Bounds how many are open at a time.
    _permit: OwnedSemaphorePermit,
}

impl ContentReader for AttachmentReader {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        while self.rest.is_empty() {
            match self.handle.block_on(self.stream.next()).map_err(io::Error::other)? {
                Some(piece) => self.rest = piece,
                None => return Ok(Piece::End),
            }
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest.split_to(count));
        Ok(Piece::Data(count))
    }

    fn finish(&mut self, _: u64) -> Finished {
        Finished::default()
    }

    fn path(&self) -> String {
        self.path.clone()
    }
}

/// The problem that an attachment is which cannot be had.
pub(super) fn problem(path: &str, error: &AttachmentError) -> Problem {
    let kind = match error {
        AttachmentError::Request(error) if is_missing(error) => ProblemKind::Vanished,
        AttachmentError::Request(error) if is_forbidden(error) => ProblemKind::NotPermitted,
        _ => ProblemKind::Unreadable,
    };
    Problem { path: path.into(), kind, message: chain(error), stale: false }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
