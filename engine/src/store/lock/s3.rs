//! Object Lock of S3. `object_store` has no words for it, but signs requests of any kind; they are made by a client of its own
//! with the same settings.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::aws::AmazonS3;
use object_store::client::{
    HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector,
};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ClientOptions, HeaderMap, HeaderValue};

use super::{LockMode, Locks};
use crate::clock::rfc3339;

/// How long a signature is good for.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// No answer is longer.
const MAX_ANSWER: usize = /* 64 KiB */ 64 * 1024;

/// Locks objects of a bucket.
#[derive(Debug)]
pub(in crate::store) struct S3Locks {
    signer: AmazonS3,
    client: HttpClient,
    prefix: Path,
}

/// What a server answered: the status, and the code and text of an error.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The words are those of `object_store`, by which errors are told apart.
        write!(f, "non-2xx status code: {} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "object lock", source: source.into() }
}

impl S3Locks {
    pub(in crate::store) fn new(
        signer: AmazonS3,
        client: &ClientOptions,
        prefix: Path,
    ) -> object_store::Result<Self> {
        Ok(Self { signer, client: ReqwestConnector::default().connect(client)?, prefix })
    }

    fn path(&self, name: &str) -> Path {
        let name = Path::from(name);
        self.prefix.parts().chain(name.parts()).collect()
    }

    /// Asks with a signed request; the answer, or what was refused.
    async fn ask(
        &self,
        method: &str,
        path: &Path,
        query: &str,
        body: String,
    ) -> object_store::Result<Result<Bytes, Refusal>> {
        let options = SignedUrlOptions::new().with_query([(query, "")]);
        let headers = if body.is_empty() { HeaderMap::new() } else { checksum(body.as_bytes())? };
        let options = headers
            .iter()
            .fold(options, |it, (name, value)| it.with_signed_header(name.clone(), value.clone()));
        let verb = method.parse().map_err(|_| generic("this is no method"))?;
        let url = self.signer.signed_url_opts(verb, path, SIGNED_FOR, &options).await?;
        let mut request = HttpRequest::new(HttpRequestBody::from(body));
        *request.method_mut() = method.parse().map_err(|_| generic("this is no method"))?;
        *request.uri_mut() = url.as_str().parse().map_err(|_| generic("this is no address"))?;
        *request.headers_mut() = headers;
        let answer = self.client.execute(request).await.map_err(generic)?;
        let status = answer.status().as_u16();
        let mut text = BytesMut::new();
        let mut parts = answer.into_body().bytes_stream();
        while let Some(part) = parts.try_next().await.map_err(generic)? {
            if text.len() + part.len() > MAX_ANSWER {
                return Err(generic("the answer is too long"));
            }
            text.extend_from_slice(&part);
        }
        if (200..300).contains(&status) {
            return Ok(Ok(text.freeze()));
        }
        let text = String::from_utf8_lossy(&text);
        let told = |name| element(&text, name).unwrap_or_default().to_owned();
        Ok(Err(Refusal { status, code: told("Code"), message: told("Message") }))
    }
}

/// What a request with a body that changes a lock must bear. A CRC is what most tools send.
fn checksum(body: &[u8]) -> object_store::Result<HeaderMap> {
    let sum = base64::engine::general_purpose::STANDARD.encode(crc32(body).to_be_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("CRC32"));
    headers.insert("x-amz-checksum-crc32", HeaderValue::try_from(sum).map_err(generic)?);
    Ok(headers)
}

/// CRC-32 of IEEE 802.3, bit by bit: bodies have some hundred bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// The text of the first element of this name, which has no others inside.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.contains('<')).then(|| text.trim())
}

fn retention(mode: LockMode, until: Duration) -> String {
    let mode = match mode {
        LockMode::Governance => "GOVERNANCE",
        LockMode::Compliance => "COMPLIANCE",
    };
    format!(
        "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{mode}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
        rfc3339(until)
    )
}

/// Reads the end of a lock.
fn end_of(answer: &[u8]) -> object_store::Result<Duration> {
    let text = String::from_utf8_lossy(answer);
    let time = element(&text, "RetainUntilDate")
        .and_then(|time| time.parse::<jiff::Timestamp>().ok())
        .and_then(|time| Duration::try_from(time.as_duration()).ok());
    time.ok_or_else(|| generic("the answer names no end of the lock"))
}

#[async_trait]
impl Locks for S3Locks {
    async fn obstacle(&self) -> object_store::Result<Option<String>> {
        let none = "its bucket was made without Object Lock";
        match self.ask("GET", &Path::default(), "object-lock", String::new()).await? {
            Ok(answer) => {
                let is_on = element(&String::from_utf8_lossy(&answer), "ObjectLockEnabled")
                    == Some("Enabled");
                Ok((!is_on).then(|| none.into()))
            }
            Err(refusal) if refusal.code == "ObjectLockConfigurationNotFoundError" => {
                Ok(Some(none.into()))
            }
            Err(refusal) if matches!(refusal.status, 400 | 405 | 501) => {
                Ok(Some("its server knows no Object Lock".into()))
            }
            Err(refusal) => Err(generic(refusal)),
        }
    }

    async fn lock(&self, name: &str, mode: LockMode, until: Duration) -> object_store::Result<()> {
        let body = retention(mode, until);
        self.ask("PUT", &self.path(name), "retention", body).await?.map(drop).map_err(generic)
    }

    async fn locked_until(&self, name: &str) -> object_store::Result<Option<Duration>> {
        let path = self.path(name);
        match self.ask("GET", &path, "retention", String::new()).await? {
            Ok(answer) => end_of(&answer).map(Some),
            // Whether an object without a lock, or none at all: the codes of servers differ.
            Err(refusal) if refusal.code == "NoSuchKey" => Err(object_store::Error::NotFound {
                path: path.to_string(),
                source: refusal.into(),
            }),
            Err(refusal) if refusal.status == 404 => Ok(None),
            Err(refusal) => Err(generic(refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_end_of_a_lock_is_written_and_read() {
        let until = Duration::from_millis(1_795_392_000_500);
        let written = retention(LockMode::Compliance, until);
        assert!(written.contains("<Mode>COMPLIANCE</Mode>"), "{written}");
        assert!(written.contains(">2026-11-23T00:00:00.500Z<"), "{written}");
        assert_eq!(end_of(written.as_bytes()).unwrap(), until);
        for broken in [
            "",
            "<RetainUntilDate>",
            "<RetainUntilDate>soon</RetainUntilDate>",
            "<RetainUntilDate><a>2026-11-23T00:00:00Z</a></RetainUntilDate>",
            "<RetainUntilDate>1960-01-01T00:00:00Z</RetainUntilDate>",
        ] {
            assert!(end_of(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
