//! Stores over the network: S3, Google Cloud Storage, Azure Blob Storage, WebDAV.
//!
//! `object_store` speaks their protocols. Time limits and repetitions are ours (`request.rs`), so its own are off.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    ClientOptions, HeaderMap, HeaderValue, ObjectStore, RetryConfig, StaticCredentialProvider,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::create::{By, EmulatedCreate};
use super::lock::{Locks, S3Locks};
use super::open::without_password;
use super::options::StoreOptions;
use super::request::Patience;
use super::{RetryPolicy, Store, StoreError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the objects are: an address in its parts.
struct Place<'a> {
    url: String,
    scheme: &'a str,
    /// Bucket, container, or host and port.
    host: &'a str,
    prefix: Path,
    options: &'a StoreOptions,
}

/// A store, and what it has and has not beside what all have.
struct Built {
    store: Arc<dyn ObjectStore>,
    by: Option<By>,
    locks: Option<Arc<dyn Locks>>,
}

impl Built {
    fn plain(store: Arc<dyn ObjectStore>, by: Option<By>) -> Self {
        Self { store, by, locks: None }
    }
}

/// Opens the store of `scheme://rest`; `None` where the scheme is of no store.
pub(super) fn open(
    scheme: &str,
    rest: &str,
    options: &StoreOptions,
    runtime: Handle,
) -> Option<Result<Store, StoreError>> {
    let build = match scheme {
        "s3" => Place::s3,
        "gs" => Place::gcs,
        "az" => Place::azure,
        "http" | "https" => Place::webdav,
        _ => return None,
    };
    Some(Place::new(scheme, rest, options).and_then(|place| {
        let built = build(&place)?;
        Ok(place.wrapped(built, runtime))
    }))
}

impl<'a> Place<'a> {
    fn new(scheme: &'a str, rest: &'a str, options: &'a StoreOptions) -> Result<Self, StoreError> {
        let url = format!("{scheme}://{rest}");
        let refused = |what: &str| StoreError::Url { url: url.clone(), what: what.into() };
        for name in options.settings.keys() {
            if !StoreOptions::NAMES.contains(&name.as_str()) {
                let what = "no store knows it".into();
                return Err(StoreError::Setting { name: name.clone(), what });
            }
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(refused("it names no bucket, container or host"));
        }
        if rest.contains(['?', '#']) {
            return Err(refused("it may not contain `?` or `#`"));
        }
        let prefix = if scheme.starts_with("http") {
            Path::from_url_path(path.trim_matches('/'))
        } else {
            Path::parse(path.trim_matches('/'))
        };
        let prefix = prefix.map_err(|error| refused(&error.to_string()))?;
        Ok(Self { url, scheme, host, prefix, options })
    }

    fn wrapped(&self, Built { store, by, locks }: Built, runtime: Handle) -> Store {
        let store = if self.prefix.as_ref().is_empty() {
            store
        } else {
            Arc::new(PrefixStore::new(store, self.prefix.clone()))
        };
        let store = match by {
            Some(by) => Arc::new(EmulatedCreate::new(store, by)),
            None => store,
        };
        let mut store = Store::new(store, &self.url, runtime).with_retry(RetryPolicy::REMOTE);
        store.patience = Some(Patience::REMOTE);
        store.connections = Some(Arc::new(Semaphore::new(self.options.connections.max(1))));
        store.emulates_create = by.is_some();
        store.locks = locks;
        store
    }

    /// Whoever makes the requests. Endpoints over plain HTTP must be on this machine, or wanted.
    fn client(
        &self,
        endpoint: Option<&str>,
        allows_http: &str,
    ) -> Result<ClientOptions, StoreError> {
        let plain = endpoint.and_then(|endpoint| endpoint.strip_prefix("http://"));
        if let Some(rest) = plain {
            let allowed = self.options.insecure_http || self.options.is_on(allows_http);
            if !allowed && !is_loopback(rest.split('/').next().unwrap_or_default()) {
                let url = without_password(&format!("http://{rest}"));
                return Err(StoreError::PlainHttp { url });
            }
        }
        let agent = HeaderValue::from_static(concat!("esker/", env!("CARGO_PKG_VERSION")));
        Ok(ClientOptions::new()
            .with_user_agent(agent)
            .with_allow_http(plain.is_some())
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout_disabled())
    }

    /// Refuses to go on without credentials: `object_store` would ask the metadata service, wherever it runs.
    fn need_credentials(&self, are_there: bool, variables: &'static str) -> Result<(), StoreError> {
        if are_there || self.options.ask_metadata_service {
            return Ok(());
        }
        Err(StoreError::NoCredentials { url: self.url.clone(), variables })
    }

    /// The settings of a cloud, but for those about the client, by the keys that `object_store` has for them.
    fn settings<K: std::str::FromStr>(
        &self,
        prefix: &'a str,
    ) -> Result<Vec<(K, &str)>, StoreError> {
        let settings = self.options.of(prefix).filter(|(name, _)| !name.ends_with("_ALLOW_HTTP"));
        let key = |(name, value): (&str, &'a str)| {
            let key = name.to_ascii_lowercase().parse().map_err(|_| StoreError::Setting {
                name: name.into(),
                what: "this store does not know it".into(),
            })?;
            Ok((key, value))
        };
        settings.map(key).collect()
    }

    fn built<S: ObjectStore>(
        &self,
        built: object_store::Result<S>,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        built
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            .map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &object_store::Error) -> StoreError {
        let what = self.options.without_values(&error.to_string());
        StoreError::Url { url: self.url.clone(), what }
    }

    fn s3(&self) -> Result<Built, StoreError> {
        let options = self.options;
        let is_known = options.has(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
            || options.has(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"])
            || options.is_on("AWS_SKIP_SIGNATURE");
        self.need_credentials(
            is_known,
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN",
        )?;
        let endpoint =
            options.get("AWS_ENDPOINT_URL_S3").or_else(|| options.get("AWS_ENDPOINT_URL"));
        let mut builder = AmazonS3Builder::new().with_checksum_algorithm(Checksum::SHA256);
        for (key, value) in self.settings("AWS_")? {
            builder = builder.with_config(key, value);
        }
        let client = self.client(endpoint, "AWS_ALLOW_HTTP")?;
        let built = builder
            .with_bucket_name(self.host)
            .with_client_options(client.clone())
            .with_retry(no_retry())
            .build();
        // For servers that refuse the condition; one that ignores it is found out by the probe.
        let is_unconditional = options.get("AWS_CONDITIONAL_PUT") == Some("disabled");
        let by = is_unconditional.then_some(By::Looking);
        let locks =
            built.as_ref().ok().map(|s3| S3Locks::new(s3.clone(), &client, self.prefix.clone()));
        let store = self.built(built)?;
        let locks = locks.transpose().map_err(|error| self.refused(&error))?;
        let locks = locks.map(|locks| Arc::new(locks) as Arc<dyn Locks>);
        Ok(Built { store, by, locks })
    }

    fn gcs(&self) -> Result<Built, StoreError> {
        let options = self.options;
        let names = [
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_BEARER_TOKEN",
            "GOOGLE_SERVICE_ACCOUNT",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
        ];
        let is_anonymous = options.is_on("GOOGLE_SKIP_SIGNATURE");
        self.need_credentials(
            is_anonymous || names.iter().any(|name| options.has(&[name])),
            "GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT, GOOGLE_SERVICE_ACCOUNT_KEY or GOOGLE_BEARER_TOKEN",
        )?;
        let mut builder = GoogleCloudStorageBuilder::new();
        for (key, value) in self.settings("GOOGLE_")? {
            builder = builder.with_config(key, value);
        }
        if is_anonymous {
            // Otherwise a write would ask the metadata service all the same.
            let nobody = GcpCredential { bearer: String::new() };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
        }
        let built = builder
            .with_bucket_name(self.host)
            .with_client_options(self.client(options.get("GOOGLE_BASE_URL"), "GOOGLE_ALLOW_HTTP")?)
            .with_retry(no_retry())
            .build();
        Ok(Built::plain(self.built(built)?, None))
    }

    fn azure(&self) -> Result<Built, StoreError> {
        let options = self.options;
        if options.get("AZURE_STORAGE_ACCOUNT_NAME").is_none() {
            let what = "it must name the storage account".into();
            return Err(StoreError::Setting { name: "AZURE_STORAGE_ACCOUNT_NAME".into(), what });
        }
        let one = ["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"];
        let client = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
        let secret = ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];
        let any = |names: &[&str]| names.iter().any(|name| options.has(&[name]));
        self.need_credentials(
            any(&one) || options.has(&client) && any(&secret) || options.is_on("AZURE_SKIP_SIGNATURE"),
            "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_TOKEN, or AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
        )?;
        let endpoint = options.get("AZURE_STORAGE_ENDPOINT");
        let mut builder = MicrosoftAzureBuilder::new();
        for (key, value) in self.settings("AZURE_")? {
            builder = builder.with_config(key, value);
        }
        let built = builder
            .with_container_name(self.host)
            .with_client_options(self.client(endpoint, "AZURE_ALLOW_HTTP")?)
            .with_retry(no_retry())
            .build();
        Ok(Built::plain(self.built(built)?, None))
    }

    fn webdav(&self) -> Result<Built, StoreError> {
        let endpoint = format!("{}://{}", self.scheme, self.host);
        let mut client = self.client(Some(&endpoint), "")?;
        if let Some(user) = self.options.get("WEBDAV_USERNAME") {
            client = client.with_default_headers(self.basic(user)?);
        }
        // The path is a prefix: `object_store` would list names with the path of the address in front.
        let built = HttpBuilder::new()
            .with_url(endpoint)
            .with_client_options(client)
            .with_retry(no_retry())
            .build();
        Ok(Built::plain(self.built(built)?, Some(By::Copying)))
    }

    fn basic(&self, user: &str) -> Result<HeaderMap, StoreError> {
        let password = self.options.get("WEBDAV_PASSWORD").unwrap_or_default();
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let value = HeaderValue::try_from(format!("Basic {encoded}"));
        let mut value = value.map_err(|_| StoreError::Setting {
            name: "WEBDAV_USERNAME".into(),
            what: "it fits into no header".into(),
        })?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", value);
        Ok(headers)
    }
}

fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// True for a host, and perhaps a port, of this machine. A user's name before the host is none.
fn is_loopback(host_and_port: &str) -> bool {
    if host_and_port.contains(['@', '\\', '?', '#']) {
        return false;
    }
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host_and_port.rsplit_once(':').map_or(host_and_port, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1:9000", "127.1.2.3", "[::1]", "[::1]:80"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "localhost.example.com",
            "10.0.0.1",
            "[::2]:80",
            "127.0.0.1.example.com",
            "localhost:80@example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
