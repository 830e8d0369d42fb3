//! The bytes of attachments.

use bytes::Bytes;

use super::RequestError;

/// The bytes of an attachment, as they arrive.
#[derive(Debug)]
pub struct Download {
    total: Option<u64>,
    starts_at: u64,
}

impl Download {
    /// Waits for the next bytes; `None` at the end, which has then been checked against the announced length.
    ///
    /// # Errors
    /// `Cut` and `Unavailable` when the connection broke: ask again from [`position`](Self::position).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        todo!()
    }

    /// The length of the whole content, where the site said so.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The place of the first byte.
    pub fn starts_at(&self) -> u64 {
        self.starts_at
    }

    /// The place of the byte that follows what was handed out.
    pub fn position(&self) -> u64 {
        todo!()
    }
}
