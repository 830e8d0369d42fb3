//! Who asks.

use esker_engine::secret::Secret;
use reqwest::RequestBuilder;

use super::error::ClientError;

/// The account that asks.
#[derive(Debug, Clone)]
pub enum Auth {
    /// An API token of a user or a service account.
    Basic {
        /// The account's mail address.
        email: String,
        /// Its token.
        token: Secret<String>,
    },
    /// An OAuth access token, or a personal access token of a Data Center.
    Bearer(Secret<String>),
}

impl Auth {
    /// Refuses what a header cannot carry, before the first request does.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        let (email, token) = match self {
            Self::Basic { email, token } => (Some(email), token),
            Self::Bearer(token) => (None, token),
        };
        let is_odd = |text: &str| text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic());
        if is_odd(token.expose()) {
            return Err(ClientError::Token);
        }
        match email {
            // RFC 7617: the first colon ends the name.
            Some(email) if is_odd(email) || email.contains(':') => Err(ClientError::Email),
            _ => Ok(()),
        }
    }

    /// Signs a request; the header is marked as sensitive.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic { email, token } => request.basic_auth(email, Some(token.expose())),
            Self::Bearer(token) => request.bearer_auth(token.expose()),
        }
    }
}
