//! The bytes of attachments, made from a seed for whatever range is asked.

use std::ops::Range;

use bytes::Bytes;

use super::state::State;

/// What a download of an attachment needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentFile {
    /// The name as uploaded; it may hold anything.
    pub name: String,
    /// The media type.
    pub mime: &'static str,
    /// The size in bytes.
    pub size: u64,
    /// The id of the file in the media services, as in ADF `media` nodes and in the address of a download.
    pub media_id: String,
}

impl State {
    /// What a download of an attachment needs to know.
    pub fn attachment_file(&self, attachment: u64) -> Option<AttachmentFile> {
        let _ = attachment;
        None
    }

    /// Some bytes of an attachment; a range beyond its end is cut there.
    pub fn attachment_bytes(&self, attachment: u64, range: Range<u64>) -> Option<Bytes> {
        let _ = (attachment, range);
        None
    }
}
