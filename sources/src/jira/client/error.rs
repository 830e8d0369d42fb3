//! What can go wrong between us and a site.

use std::time::Duration;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one that can be asked.
    #[error("`{address}` cannot be the address of a site: {what}")]
    Address {
        /// The address, without user and password.
        address: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The token is empty, or holds white space or other characters that no token has.
    #[error("the token is empty or holds characters that no token has")]
    Token,
    /// The mail address is empty, or holds characters that it cannot have here.
    #[error("the mail address is empty or holds characters that cannot be sent")]
    Email,
    /// The HTTP client cannot start, for example for want of certificates.
    #[error("the HTTP client cannot start")]
    Start(#[source] reqwest::Error),
}

/// What a failed request means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No other request will do better: end the run.
    Fatal,
    /// This object or listing cannot be had; others can. Report it and go on.
    Object,
    /// The site does not answer now: whatever was asked, its absence proves nothing.
    Later,
    /// The listing has to be started again from its first page.
    Restart,
    /// The caller asked to stop.
    Cancelled,
}

/// Why a request brought nothing, after all retries.
///
/// `request` is the method and the path, never the query, the host or anything that was sent or received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The credentials are not accepted.
    #[error("{request}: the site does not accept the credentials")]
    Unauthorized {
        /// Method and path.
        request: String,
    },
    /// The account may not see it.
    #[error("{request}: the account has no permission{messages}")]
    Forbidden {
        /// Method and path.
        request: String,
        /// What the site says.
        messages: Messages,
    },
    /// It does not exist, or the account may not know that it does: Jira answers alike.
    #[error("{request}: not found{messages}")]
    NotFound {
        /// Method and path.
        request: String,
        /// What the site says.
        messages: Messages,
    },
    /// The site no longer offers this call.
    #[error("{request}: the site no longer offers this call")]
    Gone {
        /// Method and path.
        request: String,
    },
    /// A rate limit lasts longer than we may wait.
    #[error("{request}: the rate limit `{reason}` lasts longer than the time to wait")]
    RateLimited {
        /// Method and path.
        request: String,
        /// The limit's name as the site gave it, or `unknown`.
        reason: String,
        /// After how long the site would answer again.
        wait: Duration,
    },
    /// The site refuses the request.
    #[error("{request}: refused with status {status}{messages}")]
    Rejected {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// What the site says.
        messages: Messages,
    },
    /// The site cannot be reached, is too slow, or answers with a server's error.
    #[error("{request}: the site is not available ({outage})")]
    Unavailable {
        /// Method and path.
        request: String,
        /// In what way.
        outage: Outage,
        /// The cause below, where there is one.
        source: Option<reqwest::Error>,
    },
    /// A page for people came where data was asked for: a login or a maintenance page.
    #[error("{request}: status {status} came with something other than JSON")]
    NotJson {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
    },
    /// The answer is larger or deeper than we take.
    #[error("{request}: the answer is {what}")]
    TooLarge {
        /// Method and path.
        request: String,
        /// Which limit it passes.
        what: String,
    },
    /// The answer ended before its end.
    #[error("{request}: the answer was cut off")]
    Cut {
        /// Method and path.
        request: String,
        /// The cause below, where there is one.
        source: Option<reqwest::Error>,
    },
    /// The site no longer knows the place in a listing.
    #[error("{request}: the site no longer knows the place in this listing")]
    ExpiredToken {
        /// Method and path.
        request: String,
    },
    /// A listing contradicts itself.
    #[error("{request}: the listing makes no sense: {what}")]
    Listing {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The content is not as long as the place to go on from.
    #[error("{request}: the content ends before byte {from}")]
    Range {
        /// Method and path.
        request: String,
        /// Where it should have gone on.
        from: u64,
        /// Its length, where the site said so. Equal to `from` where nothing is left.
        total: Option<u64>,
    },
    /// A content came in a form that we did not ask for.
    #[error("{request}: the content cannot be taken: {what}")]
    Content {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An identifier cannot stand in a path.
    #[error("{template}: an identifier is empty, too long or made of dots")]
    Identifier {
        /// The path with a gap.
        template: &'static str,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl RequestError {
    /// What it means for the run.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Unauthorized { .. } => FailureKind::Fatal,
            Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Gone { .. }
            | Self::Rejected { .. }
            | Self::TooLarge { .. }
            | Self::Listing { .. }
            | Self::Range { .. }
            | Self::Content { .. }
            | Self::Identifier { .. } => FailureKind::Object,
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::NotJson { .. }
            | Self::Cut { .. } => FailureKind::Later,
            Self::ExpiredToken { .. } => FailureKind::Restart,
            Self::Cancelled => FailureKind::Cancelled,
        }
    }
}

/// In what way a site is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Outage {
    /// It answers with this status.
    #[error("status {0}")]
    Status(u16),
    /// It takes too long.
    #[error("no answer in time")]
    Timeout,
    /// It cannot be reached.
    #[error("no connection")]
    Network,
}

/// What a site says about a refusal: `errorMessages` and `errors`, shortened and on one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages(pub(super) Vec<String>);

impl Messages {
    /// One text for each complaint.
    pub fn texts(&self) -> &[String] {
        &self.0
    }
}

impl std::fmt::Display for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0.join("; ")) }
    }
}
