//! Jira Cloud sites: what their REST API shows (`docs/sources/jira.md`).

mod attachments;
pub mod client;
mod config;
mod cursor;
mod document;
mod issue;
mod layout;
#[cfg(test)]
mod sample_tests;
mod scan;
mod time;

use esker_engine::context::{Cancel, RunContext};
use esker_engine::source::{Base, ChangeSink, ScanEnd, ScanMode, Source, SourceError, SourceInfo};
use jiff::Timestamp;
use serde_json::Value;

use self::client::{Client, ClientError, ClientOptions, RequestError, RetryPolicy};
pub use self::config::JiraOptions;
use self::layout::COLLECTIONS;
use self::scan::{Scan, Session};

/// Who asks, and in which time zone times are written.
const MYSELF: &str = "/rest/api/3/myself";
/// What the site is, without credentials; not in the API's document.
const TENANT: &str = "/_edge/tenant_info";
/// What the server is.
const SERVER: &str = "/rest/api/3/serverInfo";

/// How often a site is asked for a first answer.
const FIRST_ATTEMPTS: u32 = 2;

/// A site that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The site does not answer as it should.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// A Jira Cloud site.
#[derive(Debug)]
pub struct JiraSource {
    options: JiraOptions,
    client: Client,
    identity: String,
}

impl JiraSource {
    /// Opens a site: asks what it is, and whether the credentials are accepted.
    ///
    /// # Errors
    /// Where an address makes no sense, the site does not answer, or the credentials are refused.
    pub async fn open(options: JiraOptions, cancel: Cancel) -> Result<Self, OpenError> {
        let settings = options.client().map_err(OpenError::Invalid)?;
        // Somebody waits for the answer who may have mistyped the address: not as patient as in the night.
        let retry = RetryPolicy { attempts: FIRST_ATTEMPTS, ..settings.retry.clone() };
        let probe = Client::new(ClientOptions { retry, ..settings.clone() }, cancel.clone())?;
        let identity = match cloud_id_of_gateway(&options) {
            Some(id) => id,
            None => identity(&probe, &options).await?,
        };
        probe.get(MYSELF, &[], &[]).await?;
        let client = Client::new(settings, cancel)?;
        Ok(Self { options, client, identity })
    }

    /// How often each endpoint was asked.
    pub fn requests(&self) -> std::collections::BTreeMap<String, u64> {
        self.client.requests()
    }

    async fn session(&self) -> Result<Session, RequestError> {
        let me = self.client.get(MYSELF, &[], &[]).await?;
        let zone = me.get("timeZone").and_then(Value::as_str).unwrap_or("UTC");
        let started = self.client.server_time().unwrap_or_else(Timestamp::now);
        Ok(Session { started, time_zone: zone.into() })
    }
}

/// The cloud id that the address of a gateway holds: `…/ex/jira/CLOUD_ID`.
fn cloud_id_of_gateway(options: &JiraOptions) -> Option<String> {
    let (_, id) = options.gateway.as_ref()?.split_once("/ex/jira/")?;
    Some(id.trim_end_matches('/').to_owned()).filter(|id| !id.is_empty())
}

/// The cloud id; of a site that has none, its own base address.
async fn identity(client: &Client, options: &JiraOptions) -> Result<String, RequestError> {
    let text = |value: Option<Value>, name: &str| Some(value?.get(name)?.as_str()?.to_owned());
    let tenant = match client.get_optional(TENANT, &[], &[]).await {
        // Not in the API's document: a page for people says that there is no such thing.
        Err(RequestError::NotJson { status: 404, .. }) => None,
        answer => answer?,
    };
    if let Some(id) = text(tenant, "cloudId") {
        return Ok(id);
    }
    let server = client.get_optional(SERVER, &[], &[]).await?;
    let address = text(server, "baseUrl").unwrap_or_else(|| options.site.clone());
    Ok(address.trim_end_matches('/').to_owned())
}

#[async_trait::async_trait]
impl Source for JiraSource {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "jira".into(),
            identity: self.identity.clone(),
            name: self.options.site.trim_end_matches('/').to_owned(),
            collections: COLLECTIONS.map(String::from).to_vec(),
        }
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let session = self.session().await.map_err(|error| match error {
            RequestError::Cancelled => SourceError::Cancelled,
            error => {
                SourceError::Unreadable { what: self.options.site.clone(), source: Box::new(error) }
            }
        })?;
        let client = self.client.clone();
        Scan::new(client, &self.options, base, mode, session, changes, ctx).run().await
    }
}
