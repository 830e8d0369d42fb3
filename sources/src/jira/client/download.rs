//! The bytes of attachments.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderMap,
    LOCATION, RANGE,
};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::error::RequestError;
use super::headers::Hints;
use super::limits::Endpoint;
use super::request::{Call, check_scheme, is_loopback};
use super::retry::{Failure, unless_cancelled};
use super::{Shared, answer, body};

const TEMPLATE: &str = "/rest/api/3/attachment/content/{}";
/// What requests to the hosts that hold the bytes are counted by.
const MEDIA: &str = "(media)";
const MAX_REDIRECTS: usize = 5;

/// The bytes of an attachment, as they arrive.
#[derive(Debug)]
pub struct Download {
    response: Response,
    request: String,
    shared: Arc<Shared>,
    /// Bytes still to be passed over, because the site began at the beginning.
    skip: u64,
    starts_at: u64,
    position: u64,
    total: Option<u64>,
    has_ended: bool,
    /// Held as long as the connection is busy.
    _slot: OwnedSemaphorePermit,
}

impl Download {
    /// Waits for the next bytes; `None` at the end, which has then been checked against the announced length.
    ///
    /// # Errors
    /// `Cut` and `Unavailable` when the connection broke: ask again from [`position`](Self::position).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        while !self.has_ended {
            let next = unless_cancelled(&self.shared.gate.cancel, self.response.chunk()).await?;
            let next = next.map_err(|error| body::broken(error, &self.request).error)?;
            let Some(mut bytes) = next else {
                self.check_end()?;
                self.has_ended = true;
                break;
            };
            let skipped = self.skip.min(bytes.len() as u64);
            self.skip -= skipped;
            let bytes = bytes.split_off(skipped as usize);
            if !bytes.is_empty() {
                self.position += bytes.len() as u64;
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    fn check_end(&self) -> Result<(), RequestError> {
        let request = self.request.clone();
        if self.skip > 0 {
            let from = self.starts_at;
            return Err(RequestError::Range { request, from, total: Some(from - self.skip) });
        }
        match self.total {
            Some(total) if self.position < total => {
                Err(RequestError::Cut { request, source: None })
            }
            Some(total) if self.position > total => {
                let what = "it is longer than announced";
                Err(RequestError::Content { request, what })
            }
            _ => Ok(()),
        }
    }

    /// The length of the whole content, where the site said so.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// True where the content is a web page: an attachment, or a login in its place.
    pub fn is_page(&self) -> bool {
        is_page(self.response.headers())
    }

    /// The place of the first byte.
    pub fn starts_at(&self) -> u64 {
        self.starts_at
    }

    /// The place of the byte that follows what was handed out.
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// Starts to read an attachment from this byte on.
pub(super) async fn start(
    shared: &Arc<Shared>,
    id: &str,
    from: u64,
) -> Result<Download, RequestError> {
    let args = [id];
    let call =
        Call { method: Method::GET, template: TEMPLATE, args: &args, query: &[], body: None };
    let (endpoint, path) = (call.endpoint(), call.path()?);
    let (url, request) = (call.url(&shared.api, &path), format!("GET {path}"));
    let attempt = |slot| attempt(shared, &endpoint, url.clone(), &request, from, slot);
    shared.gate.repeat(&endpoint, &request, &shared.downloads, attempt).await
}

async fn attempt(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    mut url: Url,
    request: &str,
    from: u64,
    slot: OwnedSemaphorePermit,
) -> Result<Download, Failure> {
    for hop in 0..=MAX_REDIRECTS {
        let is_site = hop == 0;
        if !is_site {
            shared.gate.limits.count(&Endpoint { method: Method::GET, template: MEDIA });
        }
        let mut sent = shared.plain.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if is_site {
            // Whoever else holds the bytes has been told by the address that we may have them.
            sent = shared.auth.sign(sent);
        }
        if from > 0 {
            sent = sent.header(RANGE, format!("bytes={from}-"));
        }
        let response = sent.send().await.map_err(|error| body::broken(error, request))?;
        let status = response.status();
        let hints = Hints::read(response.headers(), Timestamp::now());
        if is_site {
            shared.gate.limits.observe(endpoint, &hints, Instant::now());
            if hints.login_failed {
                return Err(answer::unauthorized(request));
            }
        }
        if is_redirect(status) {
            url = follow(shared, &url, response.headers(), request)?;
        } else if is_site && is_login(response.headers()) {
            let (request, status) = (request.to_owned(), status.as_u16());
            return Err(Failure::again(RequestError::NotJson { request, status }));
        } else if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return accept(shared, response, request, from, slot);
        } else if is_site {
            let text = body::refusal(response).await;
            return Err(answer::refused(status, &hints, &text, request));
        } else {
            // What a media host says may hold the signed address, and its 401 is not about our credentials.
            let status =
                if status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { status };
            return Err(answer::refused(status, &hints, b"", request));
        }
    }
    Err(refuse(request, "it is moved too often"))
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"))
}

/// True for a page in place of an attachment: a site that sends files itself names them.
fn is_login(headers: &HeaderMap) -> bool {
    is_page(headers) && !headers.contains_key(CONTENT_DISPOSITION)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn refuse(request: &str, what: &'static str) -> Failure {
    Failure::last(RequestError::Content { request: request.to_owned(), what })
}

pub(super) fn follow(
    shared: &Shared,
    url: &Url,
    headers: &HeaderMap,
    request: &str,
) -> Result<Url, Failure> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(next) = location.and_then(|location| url.join(location).ok()) else {
        return Err(refuse(request, "it is moved to nowhere"));
    };
    if check_scheme(&next, shared.insecure_http).is_err() {
        return Err(refuse(request, "it is moved to where we do not go"));
    }
    // A site must not make us read from this machine what only this machine can read.
    if is_loopback(&next) && !is_loopback(&shared.api) {
        return Err(refuse(request, "it is moved to this machine"));
    }
    if next.path().ends_with("/login") || next.path().ends_with("/login.jsp") {
        let (request, status) = (request.to_owned(), StatusCode::FOUND.as_u16());
        return Err(Failure::again(RequestError::NotJson { request, status }));
    }
    Ok(next)
}

fn accept(
    shared: &Arc<Shared>,
    response: Response,
    request: &str,
    from: u64,
    slot: OwnedSemaphorePermit,
) -> Result<Download, Failure> {
    let headers = response.headers();
    let is_packed = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if is_packed {
        return Err(refuse(request, "it is packed though we did not ask for that"));
    }
    let range =
        headers.get(CONTENT_RANGE).and_then(|range| ContentRange::parse(range.to_str().ok()?));
    let (skip, total) = match response.status() {
        StatusCode::OK => (from, response.content_length()),
        StatusCode::PARTIAL_CONTENT => match range {
            Some(ContentRange { start: Some(start), total }) if start == from => (0, total),
            _ => return Err(refuse(request, "another range came than the one asked for")),
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let total = range.and_then(|range| range.total);
            let error = RequestError::Range { request: request.to_owned(), from, total };
            return Err(Failure::last(error));
        }
        _ => return Err(refuse(request, "its status says nothing")),
    };
    Ok(Download {
        response,
        request: request.to_owned(),
        shared: Arc::clone(shared),
        skip,
        starts_at: from,
        position: from,
        total,
        has_ended: false,
        _slot: slot,
    })
}

/// `Content-Range`: which bytes came, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let start = match range.trim() {
            "*" => None,
            range => Some(range.split_once('-')?.0.trim().parse().ok()?),
        };
        let total = match total.trim() {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        Some(Self { start, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        for (text, expected) in [
            ("bytes 5-9/10", Some((Some(5), Some(10)))),
            ("bytes 0-0/*", Some((Some(0), None))),
            ("bytes */10", Some((None, Some(10)))),
            ("bytes -9/10", None),
            ("bytes 5/10", None),
            ("bytes 5-9", None),
            ("lines 5-9/10", None),
            ("bytes 5-9/-1", None),
            ("", None),
        ] {
            let expected = expected.map(|(start, total)| ContentRange { start, total });
            assert_eq!(ContentRange::parse(text), expected, "{text}");
        }
    }
}
