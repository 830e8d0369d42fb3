//! From `jira:https://…` and the environment to a Jira source.

use std::ffi::OsString;

use esker_engine::secret::Secret;
use esker_sources::jira::client::{Auth, FailureKind};
use esker_sources::jira::{JiraOptions, JiraSource, OpenError};

use super::runtime::Engine;
use super::settings::{Environment, text, variable};
use crate::error::CommandError;

/// What says that an address is a gateway's, which has the cloud id in its path.
const GATEWAY: &str = "/ex/jira/";
/// Variables that hold what a site is asked with.
const EMAIL: &str = "JIRA_EMAIL";
const API_TOKEN: &str = "JIRA_API_TOKEN";
const BEARER_TOKEN: &str = "JIRA_BEARER_TOKEN";

/// What a site is asked with, as the environment says.
#[derive(Debug, Clone, Default)]
pub(crate) struct JiraCredentials {
    email: Option<String>,
    api_token: Option<Secret<String>>,
    bearer_token: Option<Secret<String>>,
}

impl JiraCredentials {
    /// Reads the variables.
    pub(crate) fn resolve(environment: Environment<'_>) -> Result<Self, CommandError> {
        let read = |name: &str| -> Result<Option<String>, CommandError> {
            let value: Option<OsString> = variable(environment, name);
            let value = value.map(|value| text(name, value)).transpose()?;
            // Tokens come out of files and managers with a line break at their end.
            Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
        };
        Ok(Self {
            email: read(EMAIL)?,
            api_token: read(API_TOKEN)?.map(Secret::new),
            bearer_token: read(BEARER_TOKEN)?.map(Secret::new),
        })
    }

    /// The credentials, and the variable that holds the secret.
    fn choose(&self, site: &str) -> Result<(Auth, &'static str), CommandError> {
        let missing = |what: &str| {
            CommandError::failed(format!("there are no credentials for `{site}`")).hint(format!(
                "{what}: `export {EMAIL}=you@example.com {API_TOKEN}=…`, or `export {BEARER_TOKEN}=…`"
            ))
        };
        match (&self.email, &self.api_token, &self.bearer_token) {
            (_, None, Some(token)) => Ok((Auth::Bearer(token.clone()), BEARER_TOKEN)),
            (Some(email), Some(token), None) => {
                Ok((Auth::Basic { email: email.clone(), token: token.clone() }, API_TOKEN))
            }
            (_, Some(_), Some(_)) => {
                Err(CommandError::usage(format!("both {API_TOKEN} and {BEARER_TOKEN} are set"))
                    .hint(format!("unset one of them: `unset {BEARER_TOKEN}`")))
            }
            (None, Some(_), None) => Err(missing(&format!("{EMAIL} is not set"))),
            (_, None, None) => Err(missing("an API token or a bearer token is needed")),
        }
    }
}

/// What is asked of a site.
#[derive(Debug, Clone, Default)]
pub(crate) struct JiraRequest {
    /// The address after `jira:`.
    pub(crate) site: String,
    /// Patterns of keys of projects; all if empty.
    pub(crate) projects: Vec<String>,
    /// Plain HTTP is accepted elsewhere than on loopback.
    pub(crate) insecure_http: bool,
}

/// Opens a site.
pub(crate) fn open(
    request: &JiraRequest,
    credentials: &JiraCredentials,
    engine: &Engine,
) -> Result<JiraSource, CommandError> {
    let site = request.site.trim_end_matches('/');
    if !site.starts_with("https://") && !site.starts_with("http://") {
        return Err(CommandError::usage(format!("`jira:{site}` names no site"))
            .hint("write the whole address: `jira:https://acme.atlassian.net`"));
    }
    let (auth, variable) = credentials.choose(site)?;
    let mut options = JiraOptions::new(site, auth);
    options.gateway = site.contains(GATEWAY).then(|| site.to_owned());
    options.projects.clone_from(&request.projects);
    options.insecure_http = request.insecure_http;
    let cancel = engine.quiet_context().cancel;
    let opened = engine.handle().block_on(JiraSource::open(options, cancel));
    opened.map_err(|error| refused(site, variable, &error))
}

fn refused(site: &str, variable: &str, error: &OpenError) -> CommandError {
    let failed = CommandError::failed(format!("cannot read `{site}`")).caused_by(error);
    match error {
        OpenError::Request(error) if error.kind() == FailureKind::Cancelled => {
            CommandError::interrupted()
        }
        OpenError::Request(error) if error.kind() == FailureKind::Fatal => failed.hint(format!(
            "the token comes from {variable}: check that it has not expired and belongs to {EMAIL}; \
             a scoped token works at `jira:https://api.atlassian.com{GATEWAY}CLOUD_ID` only"
        )),
        OpenError::Request(_) => failed.hint("check the address, and try again later"),
        _ => failed.hint("write the address of the site: `jira:https://acme.atlassian.net`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(variables: &[(&str, &str)]) -> Result<&'static str, CommandError> {
        let environment =
            |name: &str| variables.iter().find(|it| it.0 == name).map(|it| OsString::from(it.1));
        let credentials = JiraCredentials::resolve(&environment).expect("text");
        credentials.choose("https://acme.example").map(|it| it.1)
    }

    #[test]
    fn credentials_come_from_the_variables_that_are_set() {
        for (variables, expected) in [
            (&[("JIRA_EMAIL", "a@b"), ("JIRA_API_TOKEN", "t\n")][..], Some(API_TOKEN)),
            (&[("JIRA_EMAIL", "a@b"), ("JIRA_BEARER_TOKEN", "t")], Some(BEARER_TOKEN)),
            (&[("JIRA_API_TOKEN", "t")], None),
            (&[("JIRA_EMAIL", "a@b"), ("JIRA_API_TOKEN", " ")], None),
            (&[("JIRA_EMAIL", "a@b"), ("JIRA_API_TOKEN", "t"), ("JIRA_BEARER_TOKEN", "t")], None),
            (&[], None),
        ] {
            assert_eq!(choose(variables).ok(), expected, "{variables:?}");
        }
    }
}
