//! The bytes of attachments, made from a seed for whatever range is asked.

use std::ops::Range;

use bytes::Bytes;

use super::adf::media_id;
use super::model::Attachment;
use super::random::{Random, mix};
use super::state::State;
use super::text;

/// Text is made in blocks of this size, so that any range can be made without what is before it.
const TEXT_BLOCK_BYTES: u64 = 4096;

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
        self.attachment(attachment).map(|attachment| AttachmentFile {
            name: attachment.name.clone(),
            mime: attachment.mime,
            size: attachment.size,
            media_id: media_id(attachment.id),
        })
    }

    /// Some bytes of an attachment; a range beyond its end is cut there.
    pub fn attachment_bytes(&self, attachment: u64, range: Range<u64>) -> Option<Bytes> {
        self.attachment(attachment).map(|attachment| attachment.bytes(range))
    }

    pub(crate) fn attachment(&self, attachment: u64) -> Option<&Attachment> {
        let issue = self.readable(*self.attachment_places.get(&attachment)?)?;
        issue.attachments.iter().find(|file| file.id == attachment)
    }
}

impl Attachment {
    fn bytes(&self, range: Range<u64>) -> Bytes {
        let end = range.end.min(self.size);
        let start = range.start.min(end);
        if self.mime.starts_with("text/") || self.mime == "application/json" {
            blocks(start..end, TEXT_BLOCK_BYTES, |block| text_block(self.seed, block))
        } else {
            blocks(start..end, 8, |block| mix(self.seed ^ mix(block)).to_le_bytes().to_vec())
        }
    }
}

/// Puts a range together from blocks of equal size that can each be made alone.
fn blocks(range: Range<u64>, size: u64, make: impl Fn(u64) -> Vec<u8>) -> Bytes {
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
    let mut at = range.start;
    while at < range.end {
        let block = make(at / size);
        let from = at % size;
        let until = (range.end - (at - from)).min(size);
        bytes.extend_from_slice(&block[from as usize..until as usize]);
        at += until - from;
    }
    bytes.into()
}

fn text_block(seed: u64, block: u64) -> Vec<u8> {
    let mut random = Random::of(seed, block);
    let mut bytes = Vec::with_capacity(TEXT_BLOCK_BYTES as usize + 256);
    while bytes.len() < TEXT_BLOCK_BYTES as usize {
        let line = if random.percent(50) {
            text::sentence(&mut random)
        } else {
            text::code_line(&mut random)
        };
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes.truncate(TEXT_BLOCK_BYTES as usize);
    bytes
}
