//! What the opener of a store decides. Plain data: the engine reads no environment.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// How a store is asked.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Settings by the names in [`NAMES`](Self::NAMES), which are those of the clouds' own tools. No value is ever shown.
    pub settings: BTreeMap<String, Secret<String>>,
    /// Plain HTTP is accepted elsewhere than on this machine.
    pub insecure_http: bool,
    /// The metadata service of the cloud may be asked for credentials where the settings have none.
    pub ask_metadata_service: bool,
    /// The most requests at a time to a remote store.
    pub connections: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            settings: BTreeMap::new(),
            insecure_http: false,
            ask_metadata_service: false,
            connections: 16,
        }
    }
}

impl StoreOptions {
    /// The settings that are known. `AWS_…` are for `s3://`, `GOOGLE_…` for `gs://`, `AZURE_…` for `az://`, `WEBDAV_…` for
    /// `https://`.
    pub const NAMES: &'static [&'static str] = &[
        "AWS_ACCESS_KEY_ID",
        "AWS_ALLOW_HTTP",
        "AWS_CONDITIONAL_PUT",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_DEFAULT_REGION",
        "AWS_DISABLE_BULK_DELETE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_STS",
        "AWS_METADATA_ENDPOINT",
        "AWS_REGION",
        "AWS_REQUEST_PAYER",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SERVER_SIDE_ENCRYPTION",
        "AWS_SESSION_TOKEN",
        "AWS_SKIP_SIGNATURE",
        "AWS_SSE_BUCKET_KEY_ENABLED",
        "AWS_SSE_KMS_KEY_ID",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AZURE_ALLOW_HTTP",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_SKIP_SIGNATURE",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_TOKEN",
        "AZURE_TENANT_ID",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_BASE_URL",
        "GOOGLE_BEARER_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_SKIP_SIGNATURE",
        "WEBDAV_PASSWORD",
        "WEBDAV_USERNAME",
    ];

    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), Secret::new(value.into()));
        self
    }

    /// A setting that is set to something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.settings.get(name)?.expose().as_str();
        (!value.is_empty()).then_some(value)
    }

    /// True where all of these are set.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.get(name).is_some())
    }

    /// True where a setting says yes.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let is_yes = |value: &str| ["1", "true", "yes", "on"].contains(&value);
        self.get(name).is_some_and(|value| is_yes(&value.to_ascii_lowercase()))
    }

    /// The settings whose names begin so.
    pub(super) fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.settings.keys().filter(move |name| name.starts_with(prefix));
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// A text of somebody else's, without the values of settings.
    pub(super) fn without_values(&self, text: &str) -> String {
        let values = self.settings.values().map(|value| value.expose().as_str());
        values
            .filter(|value| value.len() >= 4)
            .fold(text.to_owned(), |text, value| text.replace(value, "…"))
    }
}
