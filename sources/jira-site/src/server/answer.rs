//! What a handler answers with, before it becomes bytes on the wire.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Reads a part of a file.
pub type ReadPart = Arc<dyn Fn(Range<u64>) -> Bytes + Send + Sync>;

/// An answer: status, headers beside the usual ones, content.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers beside `Content-Type` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub content: Content,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Content {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// Text of a media type.
    Text(&'static str, String),
    /// A part of a file.
    File(File),
}

/// A part of a file, read in pieces while it is sent.
#[derive(Clone)]
pub struct File {
    /// Its media type.
    pub media_type: String,
    /// The part that is sent.
    pub range: Range<u64>,
    /// The length of the whole file.
    pub length: u64,
    /// Where the bytes come from.
    pub read: ReadPart,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{} of {}", self.range.start, self.range.end, self.length)
    }
}

impl Answer {
    /// Answers 200 with `value`.
    pub fn json(value: Value) -> Answer {
        Answer { status: 200, headers: Vec::new(), content: Content::Json(value) }
    }

    /// Answers with text.
    pub fn text(status: u16, media_type: &'static str, text: impl Into<String>) -> Answer {
        Answer { status, headers: Vec::new(), content: Content::Text(media_type, text.into()) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request that was refused, in the words of Jira.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// What is wrong.
    pub messages: Vec<String>,
    /// What is wrong with single parameters.
    pub errors: Map<String, Value>,
}

impl Refusal {
    /// Refuses with one message.
    pub fn new(status: u16, message: impl Into<String>) -> Refusal {
        Refusal { status, messages: vec![message.into()], errors: Map::new() }
    }

    /// Refuses what is not understood.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(400, message)
    }

    /// Refuses what is not there, or not for the caller: Jira does not tell which.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(404, message)
    }

    /// Refuses an issue that is not there or not for the caller.
    pub fn no_issue() -> Refusal {
        Refusal::not_found("Issue does not exist or you do not have permission to see it.")
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        let body = json!({ "errorMessages": refusal.messages, "errors": refusal.errors });
        Answer { status: refusal.status, headers: Vec::new(), content: Content::Json(body) }
    }
}
