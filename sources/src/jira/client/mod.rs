//! The HTTP client: one site, one account, read only.
//!
//! A [`Client`] keeps the site's rate limits, repeats what is worth repeating, never takes more than it was told, and never
//! takes a login page for data. It knows nothing of issues: it hands out JSON values, pages of them, and bytes.

mod answer;
mod auth;
mod body;
mod download;
mod error;
mod headers;
mod limits;
pub mod pages;
mod request;
mod retry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use esker_engine::context::Cancel;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{ClientBuilder, Method, Url, redirect};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use auth::Auth;
pub use download::Download;
pub use error::{ClientError, FailureKind, Messages, Outage, RequestError};
pub use request::Call;
pub use retry::RetryPolicy;

use headers::Hints;
use limits::{Endpoint, Limits};
use retry::{Failure, Gate};

/// Which site to ask, as whom, and how.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where the API is: the site, or `https://api.atlassian.com/ex/jira/<cloud id>`. A path is kept.
    pub api: Url,
    /// As whom.
    pub auth: Auth,
    /// How many requests are under way at a time, and beside them how many downloads.
    pub connections: usize,
    /// Allows plain HTTP to hosts other than this machine.
    pub insecure_http: bool,
    /// What we call ourselves.
    pub user_agent: String,
    /// When to ask again.
    pub retry: RetryPolicy,
    /// The most bytes of one JSON answer, unpacked.
    pub max_body: u64,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl ClientOptions {
    /// The usual options.
    pub fn new(api: Url, auth: Auth) -> Self {
        Self {
            api,
            auth,
            connections: 8,
            insecure_http: false,
            user_agent: concat!("esker/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry: RetryPolicy::default(),
            max_body: /* 256 MiB */ 256 * 1024 * 1024,
            timeouts: Timeouts::default(),
        }
    }
}

/// How long to wait for a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For a whole JSON answer; downloads may take as long as they go on.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            read: Duration::from_secs(60),
            total: Duration::from_secs(5 * 60),
        }
    }
}

/// A connection to one site as one account; clones share limits and counts.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    api: Url,
    auth: Auth,
    insecure_http: bool,
    max_body: u64,
    total_timeout: Duration,
    gate: Gate,
    slots: Arc<Semaphore>,
    /// Apart from the others: who holds a download open may need an answer to go on.
    downloads: Arc<Semaphore>,
    /// For JSON, which may come packed.
    packed: reqwest::Client,
    /// For bytes, which must come as they are.
    plain: reqwest::Client,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// When the address or the credentials cannot be used, or the HTTP client cannot start.
    pub fn new(options: ClientOptions, cancel: Cancel) -> Result<Self, ClientError> {
        request::check_api(&options.api, options.insecure_http)?;
        options.auth.check()?;
        let packed = builder(&options).gzip(true).build().map_err(ClientError::Start)?;
        let plain = builder(&options).no_gzip().build().map_err(ClientError::Start)?;
        let ClientOptions {
            api, auth, connections, insecure_http, retry, max_body, timeouts, ..
        } = options;
        let slots = || Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS)));
        let gate = Gate { limits: Limits::default(), policy: retry, cancel };
        let shared = Shared {
            api,
            auth,
            insecure_http,
            max_body,
            total_timeout: timeouts.total,
            gate,
            slots: slots(),
            downloads: slots(),
            packed,
            plain,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads a value.
    pub async fn get(
        &self,
        template: &'static str,
        args: &[&str],
        query: &[(&str, String)],
    ) -> Result<Value, RequestError> {
        self.call(&Call { method: Method::GET, template, args, query, body: None }).await
    }

    /// Reads a value, or `None` where the site says that there is none, or that the account may not know of it.
    pub async fn get_optional(
        &self,
        template: &'static str,
        args: &[&str],
        query: &[(&str, String)],
    ) -> Result<Option<Value>, RequestError> {
        match self.get(template, args, query).await {
            Ok(value) => Ok(Some(value)),
            Err(RequestError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a value by POST; the request may be sent more than once.
    pub async fn post(
        &self,
        template: &'static str,
        args: &[&str],
        body: &Value,
    ) -> Result<Value, RequestError> {
        let call = Call { method: Method::POST, template, args, query: &[], body: Some(body) };
        self.call(&call).await
    }

    /// Sends a request, more than once where needed, and reads its JSON answer.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, RequestError> {
        let (endpoint, path) = (call.endpoint(), call.path()?);
        let url = call.url(&self.shared.api, &path);
        let request = format!("{} {path}", call.method);
        let body = call.body.map(Value::to_string);
        let attempt = |slot| {
            let (url, body) = (url.clone(), body.clone());
            let (endpoint, request) = (&endpoint, request.as_str());
            async move {
                let answer = self.attempt(endpoint, url, body, request).await;
                drop(slot);
                answer
            }
        };
        self.shared.gate.repeat(&endpoint, &request, &self.shared.slots, attempt).await
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        url: Url,
        body: Option<String>,
        request: &str,
    ) -> Result<Value, Failure> {
        let shared = &self.shared;
        let mut sent = shared.packed.request(endpoint.method.clone(), url);
        sent = sent.timeout(shared.total_timeout).header(ACCEPT, "application/json");
        if let Some(body) = body {
            sent = sent.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = shared.auth.sign(sent).send().await;
        let response = response.map_err(|error| body::broken(error, request))?;
        let status = response.status();
        let hints = Hints::read(response.headers(), Timestamp::now());
        shared.gate.limits.observe(endpoint, &hints, Instant::now());
        if hints.login_failed {
            Err(answer::unauthorized(request))
        } else if status.is_success() {
            body::json(response, request, shared.max_body).await
        } else {
            let text = body::refusal(response).await;
            Err(answer::refused(status, &hints, &text, request))
        }
    }

    /// Starts to read an attachment from this byte on.
    ///
    /// The site sends us on to whoever holds the bytes, who is not shown our credentials. A download holds one of as many
    /// slots as there are connections until it is dropped.
    ///
    /// # Errors
    /// `Range` where the content ends before `from`, or right there.
    pub async fn download(&self, attachment_id: &str, from: u64) -> Result<Download, RequestError> {
        download::start(&self.shared, attachment_id, from).await
    }

    /// How many requests were sent, by method and template, retries included.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.shared.gate.limits.sent()
    }

    /// How many requests were sent in all, retries included.
    pub fn request_count(&self) -> u64 {
        self.requests().values().sum()
    }

    /// The newest time that the site has told.
    pub fn server_time(&self) -> Option<Timestamp> {
        self.shared.gate.limits.server_time()
    }
}

fn builder(options: &ClientOptions) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        // What is followed and what is repeated is decided here, where it is counted and checked.
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(&options.user_agent)
        .connect_timeout(options.timeouts.connect)
        .read_timeout(options.timeouts.read)
        .pool_max_idle_per_host(options.connections);
    // What is meant for this machine does not leave it by way of a proxy.
    if request::is_loopback(&options.api) { builder.no_proxy() } else { builder }
}

#[cfg(test)]
mod tests;
