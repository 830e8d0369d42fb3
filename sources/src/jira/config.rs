//! What a user says of a site.

use std::time::Duration;

use reqwest::Url;

use super::client::{Auth, ClientOptions, RetryPolicy, Timeouts};

/// Where the API of a site is, and how it is to be read.
#[derive(Debug, Clone)]
pub struct JiraOptions {
    /// The address that people use: `https://acme.atlassian.net`.
    pub site: String,
    /// The API's base where it is not the site: `https://api.atlassian.com/ex/jira/CLOUD_ID`.
    pub gateway: Option<String>,
    /// Who asks.
    pub auth: Auth,
    /// Keys of projects to read, `*` for any text, `!` in front for all but these; empty for all.
    pub projects: Vec<String>,
    /// Changes are looked for from this long before the last scan began: the search lags behind, and its times have minutes.
    pub overlap: Duration,
    /// Everything is read again in slices within this time, since some changes leave no trace; zero for never.
    pub rotation: Duration,
    /// Configuration, projects and people are read when this much time has gone by.
    pub configuration: Duration,
    /// Requests in flight.
    pub connections: usize,
    /// Plain HTTP is accepted elsewhere than on loopback.
    pub insecure_http: bool,
    /// How failed requests are repeated.
    pub retry: RetryPolicy,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// Ten minutes: the search is seconds behind as a rule, minutes after bulk changes.
const OVERLAP: Duration = Duration::from_secs(10 * 60);
/// A month.
const ROTATION: Duration = Duration::from_secs(30 * 24 * 3600);
/// A hundred issues with everything are a few megabytes; as parsed values they take several times as much.
const MAX_BODY: u64 = /* 96 MiB */ 96 * 1024 * 1024;
/// As many as a browser opens, times two.
const CONNECTIONS: usize = 12;

impl JiraOptions {
    /// The usual way to read a site.
    pub fn new(site: impl Into<String>, auth: Auth) -> Self {
        Self {
            site: site.into(),
            gateway: None,
            auth,
            projects: Vec::new(),
            overlap: OVERLAP,
            rotation: ROTATION,
            configuration: Duration::ZERO,
            connections: CONNECTIONS,
            insecure_http: false,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// True where a project is to be read.
    pub(super) fn wants(&self, project: &str) -> bool {
        let mut wanted = self.projects.iter().all(|pattern| pattern.starts_with('!'));
        for pattern in &self.projects {
            match pattern.strip_prefix('!') {
                Some(pattern) => wanted &= !matches(pattern, project),
                None => wanted |= matches(pattern, project),
            }
        }
        wanted
    }

    /// What the HTTP client needs of it.
    ///
    /// # Errors
    /// Where the address is none.
    pub(super) fn client(&self) -> Result<ClientOptions, String> {
        let api = self.gateway.as_ref().unwrap_or(&self.site);
        let url = Url::parse(api).map_err(|error| format!("`{api}` is no address: {error}"))?;
        let mut options = ClientOptions::new(url, self.auth.clone());
        options.connections = self.connections;
        options.insecure_http = self.insecure_http;
        options.retry = self.retry.clone();
        options.timeouts = self.timeouts;
        options.max_body = MAX_BODY;
        Ok(options)
    }
}

/// `*` stands for any text; upper and lower case are one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_uppercase(), text.to_ascii_uppercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use esker_engine::secret::Secret;

    #[test]
    fn projects_are_chosen_by_pattern() {
        for (patterns, chosen, left_out) in [
            (&[][..], &["ABC", "X"][..], &[][..]),
            (&["ABC"], &["ABC", "abc"], &["ABCD", "X"]),
            (&["*", "!SAND*"], &["ABC"], &["SANDBOX", "SAND"]),
            (&["!SANDBOX"], &["ABC", "SAND"], &["SANDBOX"]),
            (&["A*C*E"], &["ACE", "ABCDE"], &["ABC", "CE"]),
        ] {
            let auth = Auth::Bearer(Secret::new("t".into()));
            let mut options = JiraOptions::new("https://acme.example", auth);
            options.projects = patterns.iter().map(ToString::to_string).collect();
            assert!(chosen.iter().all(|it| options.wants(it)), "{patterns:?} leaves out");
            assert!(!left_out.iter().any(|it| options.wants(it)), "{patterns:?} takes");
        }
    }
}
