//! Turns an answer into a response, and sends it as badly as asked.

use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::answer::{Answer, Content, File};
use super::faults::Fault;

/// Bytes of a file that are read and sent at a time.
const PIECE_BYTES: u64 = /* 64 KiB */ 64 * 1024;

/// How long a body that is cut pauses before its end.
const CUT_PAUSE: Duration = Duration::from_millis(5);

/// How a body is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Delivery {
    #[default]
    Whole,
    HangUp,
    Cut,
    Slow {
        piece: usize,
        pause: Duration,
    },
    Endless,
    Stall,
}

impl Delivery {
    /// What a fault makes of the delivery, where it is that kind of fault.
    pub(super) fn of(fault: &Fault) -> Option<Delivery> {
        match fault {
            Fault::HangUp => Some(Delivery::HangUp),
            Fault::Cut => Some(Delivery::Cut),
            Fault::Slow { piece, pause } => Some(Delivery::Slow { piece: *piece, pause: *pause }),
            Fault::Endless => Some(Delivery::Endless),
            Fault::Stall => Some(Delivery::Stall),
            _ => None,
        }
    }
}

/// Makes a response of an answer.
pub(super) fn response(answer: Answer, delivery: &Delivery) -> Response<Body> {
    let (media_type, source) = match answer.content {
        Content::Empty => (None, Source::Bytes(Bytes::new())),
        Content::Json(value) => {
            let media_type = "application/json;charset=UTF-8".to_owned();
            (Some(media_type), Source::Bytes(Bytes::from(value.to_string())))
        }
        Content::Text(media_type, text) => {
            (Some(media_type.to_owned()), Source::Bytes(Bytes::from(text)))
        }
        Content::File(file) => (Some(file.media_type.clone()), Source::File(file)),
    };
    let length = source.length();
    let mut response = Response::new(body(source, delivery));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    if let Some(value) = media_type.and_then(|name| HeaderValue::from_str(&name).ok()) {
        headers.insert(CONTENT_TYPE, value);
    }
    if *delivery != Delivery::Endless {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// Where the bytes of a body come from.
enum Source {
    Bytes(Bytes),
    File(File),
}

impl Source {
    fn length(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(file) => file.range.end - file.range.start,
        }
    }

    /// Reads a part, counted from where the body begins.
    fn read(&self, part: Range<u64>) -> Bytes {
        match self {
            Source::Bytes(bytes) => bytes.slice(part.start as usize..part.end as usize),
            Source::File(file) => {
                (file.read)(file.range.start + part.start..file.range.start + part.end)
            }
        }
    }

    /// The first `length` bytes in pieces.
    fn pieces(self, length: u64, piece: u64) -> impl Iterator<Item = Bytes> + Send {
        let piece = piece.max(1);
        (0..length.div_ceil(piece)).map(move |n| self.read(n * piece..length.min((n + 1) * piece)))
    }
}

fn body(source: Source, delivery: &Delivery) -> Body {
    let length = source.length();
    match *delivery {
        Delivery::Whole => match source {
            Source::Bytes(bytes) => Body::from(bytes),
            Source::File(_) => fallible(stream::iter(source.pieces(length, PIECE_BYTES))),
        },
        // A body that fails at once fails before its headers are sent.
        Delivery::HangUp => Body::from_stream(stream::iter([Err::<Bytes, _>(cut_off())])),
        Delivery::Cut => {
            let half = stream::iter(source.pieces(length / 2, PIECE_BYTES)).map(Ok);
            let cut = stream::once(async {
                // What was written so far is only sent while the body makes its sender wait.
                tokio::time::sleep(CUT_PAUSE).await;
                Err(cut_off())
            });
            Body::from_stream(half.chain(cut))
        }
        Delivery::Slow { piece, pause } => {
            let pieces = stream::iter(source.pieces(length, piece as u64));
            fallible(pieces.then(move |piece| paused(piece, pause)))
        }
        Delivery::Endless => {
            let begun = source.pieces(length.saturating_sub(1), PIECE_BYTES);
            let filler = Bytes::from(vec![b' '; PIECE_BYTES as usize]);
            let rest = stream::repeat(filler).then(|piece| paused(piece, Duration::from_millis(1)));
            fallible(stream::iter(begun).chain(rest))
        }
        Delivery::Stall => fallible(stream::pending()),
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut off")
}

async fn paused(piece: Bytes, pause: Duration) -> Bytes {
    tokio::time::sleep(pause).await;
    piece
}

fn fallible(pieces: impl StreamExt<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(pieces.map(Ok::<Bytes, Infallible>))
}
