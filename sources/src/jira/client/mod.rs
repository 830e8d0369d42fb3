//! The HTTP client: one site, one account, read only.
//!
//! A [`Client`] keeps the site's rate limits, repeats what is worth repeating, never takes more than it was told, and never
//! takes a login page for data. It knows nothing of issues: it hands out JSON values, pages of them, and bytes.

mod auth;
mod download;
mod error;
pub mod pages;
mod request;
mod retry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use esker_engine::context::Cancel;
use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;

pub use auth::Auth;
pub use download::Download;
pub use error::{ClientError, FailureKind, Messages, Outage, RequestError};
pub use request::Call;
pub use retry::RetryPolicy;

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
struct Shared {}

impl Client {
    /// Prepares a client; nothing is sent yet.
    pub fn new(options: ClientOptions, cancel: Cancel) -> Result<Self, ClientError> {
        let _ = (options, cancel);
        Ok(Self { shared: Arc::new(Shared {}) })
    }

    /// Reads a value.
    pub async fn get(
        &self,
        template: &'static str,
        args: &[&str],
        query: &[(&str, String)],
    ) -> Result<Value, RequestError> {
        let _ = (template, args, query, &self.shared);
        todo!()
    }

    /// Reads a value, or `None` where there is none.
    pub async fn get_optional(
        &self,
        template: &'static str,
        args: &[&str],
        query: &[(&str, String)],
    ) -> Result<Option<Value>, RequestError> {
        let _ = (template, args, query);
        todo!()
    }

    /// Reads a value by POST; the request may be sent more than once.
    pub async fn post(
        &self,
        template: &'static str,
        args: &[&str],
        body: &Value,
    ) -> Result<Value, RequestError> {
        let _ = (template, args, body);
        todo!()
    }

    /// Sends a request and reads its JSON answer; `Null` where the answer is empty by its status.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, RequestError> {
        let _ = call;
        todo!()
    }

    /// Starts to read an attachment from this byte on.
    pub async fn download(&self, attachment_id: &str, from: u64) -> Result<Download, RequestError> {
        let _ = (attachment_id, from);
        todo!()
    }

    /// How many requests were sent, by method and template, retries included.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        todo!()
    }

    /// How many requests were sent in all, retries included.
    pub fn request_count(&self) -> u64 {
        todo!()
    }

    /// The newest time that the site has told.
    pub fn server_time(&self) -> Option<Timestamp> {
        todo!()
    }
}
