//! A client for tests: says who it is, wants JSON, follows no redirect.

use esker_jira_site::server::{Credentials, Server, ServerOptions};
use esker_jira_site::site::{Site, SiteOptions};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// A served site and a client of it.
pub(crate) struct Client {
    /// The site.
    pub(crate) server: Server,
    http: reqwest::Client,
}

#[allow(dead_code, reason = "each test binary uses its own part")]
impl Client {
    /// Serves a small site.
    pub(crate) fn new() -> Client {
        Client::with(ServerOptions::default())
    }

    /// Serves a small site with these options.
    pub(crate) fn with(options: ServerOptions) -> Client {
        Client::of(&SiteOptions::default(), options)
    }

    /// Serves the site that these options describe.
    pub(crate) fn of(site: &SiteOptions, options: ServerOptions) -> Client {
        let site = Site::generate(site);
        let server = Server::spawn(site, options).expect("a port is free");
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build();
        Client { server, http: http.expect("the client is built") }
    }

    /// A request without credentials; `path` may be a whole URL.
    pub(crate) fn anonymous(&self, method: &str, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.server.url()),
            None => path.to_owned(),
        };
        let method = method.parse().expect("a method");
        self.http.request(method, url).header("accept", "application/json")
    }

    /// A request with credentials.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let Credentials { email, token, .. } = Credentials::default();
        self.anonymous(method, path).basic_auth(email, Some(token))
    }

    /// Sends a GET, or a POST where there is a body.
    pub(crate) async fn send(&self, path: &str, body: Option<&Value>) -> Response {
        let request = match body {
            None => self.request("GET", path),
            Some(body) => self
                .request("POST", path)
                .header("content-type", "application/json")
                .body(body.to_string()),
        };
        request.send().await.expect("the site answers")
    }

    /// The JSON that comes back from a GET, with its status.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        parsed(self.send(path, None).await).await
    }

    /// The JSON that comes back from a POST, with its status.
    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        parsed(self.send(path, Some(&body)).await).await
    }

    /// The JSON of a GET that must succeed.
    pub(crate) async fn ok(&self, path: &str) -> Value {
        let (status, value) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    /// Every issue's id, in the order of keys.
    pub(crate) async fn issue_ids(&self) -> Vec<String> {
        let jql = "project%20is%20not%20EMPTY%20ORDER%20BY%20key%20ASC";
        let path = format!("/rest/api/3/search/jql?jql={jql}&maxResults=5000");
        let found = self.ok(&path).await;
        let issues = found["issues"].as_array().expect("rows").iter();
        issues.map(|issue| issue["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Fails where a request was wrong.
    pub(crate) fn assert_no_violations(&self) {
        let violations: Vec<String> =
            self.server.violations().iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

async fn parsed(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, value)
}
