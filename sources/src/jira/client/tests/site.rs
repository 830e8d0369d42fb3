//! A site on this machine that answers as it is told.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use esker_engine::context::Cancel;
use esker_engine::secret::Secret;
use reqwest::Url;
use serde_json::Value;

use crate::jira::client::{Auth, Client, ClientOptions, RetryPolicy, Timeouts};

pub(super) const TOKEN: &str = "sesame";

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A running site; it ends with the test's runtime.
pub(super) struct Site {
    pub(super) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Site {
    /// Serves answers; the function is told the request and how many came before.
    pub(super) async fn serve(
        answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = axum::Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let seen = read(request).await;
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.len() - 1
                };
                answer(&seen, before)
            }
        });
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// Everything that was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// A client of this site that loses no time.
    pub(super) fn client(&self) -> Client {
        Client::new(options(self.url.clone()), Cancel::default()).unwrap()
    }
}

async fn read(request: Request) -> Seen {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Seen {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(super) fn options(api: Url) -> ClientOptions {
    let auth = Auth::Basic { email: "ann@acme.example".into(), token: Secret::new(TOKEN.into()) };
    let retry = RetryPolicy {
        attempts: 3,
        delays: vec![Duration::from_millis(1)],
        ..RetryPolicy::default()
    };
    let second = Duration::from_secs(5);
    let timeouts = Timeouts { connect: second, read: second, total: second };
    ClientOptions { retry, timeouts, max_body: 1 << 20, ..ClientOptions::new(api, auth) }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for &(name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body.into()).unwrap()
}

pub(super) fn json(body: &Value) -> Response {
    answer(200, &[("Content-Type", "application/json;charset=UTF-8")], body.to_string())
}

/// A body that breaks off after these bytes.
pub(super) fn cut(bytes: &'static str) -> Body {
    use futures::StreamExt;
    let first = futures::stream::iter([Ok(bytes)]);
    // The server sends what it has before it notices.
    let then = futures::stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("cut"))
    });
    Body::from_stream(first.chain(then))
}

/// A body that begins with these bytes and then waits for ever.
pub(super) fn hanging(bytes: &'static str) -> Body {
    use futures::StreamExt;
    let first = futures::stream::iter([Ok::<_, std::io::Error>(bytes)]);
    Body::from_stream(first.chain(futures::stream::pending()))
}

/// An error as people and logs may see it: with everything below it.
pub(super) fn shown(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        write!(text, "\n{error}").unwrap();
        next = error.source();
    }
    text
}
