//! One request: how long it may take, how often it is repeated, and how much of its answer is believed.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::{GetResult, GetResultPayload};

use super::Store;
use super::error::is_worth_repeating;

/// How often a failed request is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Wait before the second one; doubled each time.
    pub first_delay: Duration,
}

impl RetryPolicy {
    /// One attempt: a local disk's answer is final.
    pub const NONE: Self = Self { attempts: 1, first_delay: Duration::ZERO };
    /// Half a minute of trouble is survived.
    pub const REMOTE: Self = Self { attempts: 7, first_delay: Duration::from_millis(500) };
}

/// How long is waited for a remote store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For an answer to begin, or to go on.
    pub(super) answer: Duration,
    /// More than that for every so many bytes that travel.
    pub(super) bytes_per_second: u64,
}

impl Patience {
    /// A pack of 32 MiB may take 35 minutes; a dead connection is noticed by the system long before.
    pub(super) const REMOTE: Self =
        Self { answer: Duration::from_secs(60), bytes_per_second: /* 16 KiB */ 16 * 1024 };

    fn for_bytes(&self, bytes: u64) -> Duration {
        self.answer + Duration::from_secs(bytes / self.bytes_per_second)
    }
}

/// What is wrong with an answer that came.
#[derive(Debug)]
enum Fault {
    TimedOut,
    Length { expected: u64, found: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => write!(f, "the store did not answer in time"),
            Self::Length { expected, found } if found < expected => {
                write!(f, "the answer ended after {found} of {expected} bytes")
            }
            Self::Length { expected, .. } => {
                write!(f, "the answer did not end after its {expected} bytes")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for object_store::Error {
    fn from(fault: Fault) -> Self {
        Self::Generic { store: "answer", source: Box::new(fault) }
    }
}

/// The body of an answer, or its length where that is above the limit.
pub(super) type Body = Result<Bytes, u64>;

impl Store {
    /// Repeats a request while that may help. Each attempt takes its turn among the connections.
    pub(super) async fn repeat<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        mut request: impl FnMut() -> F,
    ) -> object_store::Result<T> {
        let mut attempt = 1;
        loop {
            match self.once(request()).await {
                Err(error) if attempt < self.retry.attempts && is_worth_repeating(&error) => {
                    tracing::warn!(%error, "a request to the store failed and is repeated");
                    self.pause(attempt).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Makes a request once.
    pub(super) async fn once<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        // The semaphore is never closed.
        let _turn = match &self.connections {
            Some(connections) => connections.acquire().await.ok(),
            None => None,
        };
        self.figures.requests.fetch_add(1, Ordering::Relaxed);
        request.await
    }

    /// Waits after the so-manieth failed attempt: longer each time, and not as long as everybody else.
    pub(super) async fn pause(&self, attempt: u32) {
        let longest = self.retry.first_delay * 2u32.saturating_pow(attempt - 1);
        let mut random = [0u8; 1];
        let share =
            getrandom::fill(&mut random).map_or(1.0, |()| 1.0 - f64::from(random[0]) / 512.0);
        tokio::time::sleep(longest.mul_f64(share)).await;
    }

    /// Gives a request the time that so many bytes may take.
    pub(super) async fn in_time<T>(
        &self,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        match &self.patience {
            None => request.await,
            Some(patience) => tokio::time::timeout(patience.for_bytes(bytes), request)
                .await
                .unwrap_or_else(|_| Err(Fault::TimedOut.into())),
        }
    }

    /// Takes the body of an answer, which must have the length that its head promised.
    pub(super) async fn body(&self, answer: GetResult, limit: u64) -> object_store::Result<Body> {
        let expected = answer.range.end.saturating_sub(answer.range.start);
        if expected > limit {
            return Ok(Err(expected));
        }
        let wrong = |found: u64| object_store::Error::from(Fault::Length { expected, found });
        if let GetResultPayload::File(..) = answer.payload {
            let bytes = answer.bytes().await?;
            let found = bytes.len() as u64;
            return if found == expected { Ok(Ok(bytes)) } else { Err(wrong(found)) };
        }
        let collect = async {
            let mut stream = answer.into_stream();
            let mut body = BytesMut::new();
            while let Some(part) = self.in_time(0, next(&mut stream)).await? {
                let found = (body.len() + part.len()) as u64;
                if found > expected {
                    return Err(wrong(found));
                }
                if found == expected && body.is_empty() {
                    return Ok(part);
                }
                body.extend_from_slice(&part);
            }
            let found = body.len() as u64;
            if found == expected { Ok(body.freeze()) } else { Err(wrong(found)) }
        };
        self.in_time(expected, collect).await.map(Ok)
    }
}

/// The next item of a stream of results.
pub(super) async fn next<T>(
    stream: &mut (impl futures::Stream<Item = object_store::Result<T>> + Unpin),
) -> object_store::Result<Option<T>> {
    stream.next().await.transpose()
}
