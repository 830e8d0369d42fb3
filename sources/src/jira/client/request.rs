//! One request: what is asked, and where.

use std::fmt::Write as _;

use reqwest::{Method, Url};
use serde_json::Value;

use super::error::{ClientError, RequestError};
use super::limits::Endpoint;

/// The longest identifier that goes into a path; a project's key or an account's id is far shorter.
const MAX_ARGUMENT_BYTES: usize = 512;

/// One request to a site.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// GET, or POST where that only reads.
    pub method: Method,
    /// The path with `{}` for each argument. Requests are counted and limited by it.
    pub template: &'static str,
    /// What stands in the gaps; percent-encoded.
    pub args: &'a [&'a str],
    /// The query's names and values; percent-encoded.
    pub query: &'a [(&'a str, String)],
    /// The JSON to send.
    pub body: Option<&'a Value>,
}

impl Call<'_> {
    /// What limits and counts go by.
    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint { method: self.method.clone(), template: self.template }
    }

    /// The path with its arguments.
    pub(super) fn path(&self) -> Result<String, RequestError> {
        let mut path = String::with_capacity(self.template.len() + 16);
        let mut args = self.args.iter();
        for (place, part) in self.template.split("{}").enumerate() {
            if place > 0 {
                let arg = args.next().filter(|arg| is_identifier(arg));
                let arg = arg.ok_or(RequestError::Identifier { template: self.template })?;
                encode(arg, &mut path);
            }
            path.push_str(part);
        }
        Ok(path)
    }

    /// The address below that of the API.
    pub(super) fn url(&self, api: &Url, path: &str) -> Url {
        let mut url = api.clone();
        url.set_path(&format!("{}{path}", api.path().trim_end_matches('/')));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query);
        }
        url
    }
}

/// Dots would lead out of the path, even when encoded.
fn is_identifier(arg: &str) -> bool {
    !arg.is_empty() && arg.len() <= MAX_ARGUMENT_BYTES && arg != "." && arg != ".."
}

fn encode(arg: &str, path: &mut String) {
    for byte in arg.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                path.push(char::from(byte));
            }
            _ => write!(path, "%{byte:02X}").unwrap_or_default(),
        }
    }
}

/// Refuses an address that cannot be that of an API.
pub(super) fn check_api(api: &Url, insecure_http: bool) -> Result<(), ClientError> {
    let what = if !api.username().is_empty() || api.password().is_some() {
        "it holds a user or a password"
    } else if api.query().is_some() || api.fragment().is_some() {
        "it holds more than a host and a path"
    } else if let Err(what) = check_scheme(api, insecure_http) {
        what
    } else {
        return Ok(());
    };
    let mut shown = api.clone();
    // These fail only for addresses that have no place for a user.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.set_query(None);
    Err(ClientError::Address { address: shown.into(), what })
}

/// Refuses what is neither HTTPS nor allowed plain HTTP.
pub(super) fn check_scheme(url: &Url, insecure_http: bool) -> Result<(), &'static str> {
    match url.scheme() {
        _ if url.host_str().is_none() => Err("it has no host"),
        "https" => Ok(()),
        "http" if insecure_http || is_loopback(url) => Ok(()),
        "http" => Err("plain HTTP would show the credentials to everybody on the way"),
        _ => Err("it is neither HTTPS nor HTTP"),
    }
}

/// True for this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(template: &'static str, args: &'a [&'a str]) -> Call<'a> {
        Call { method: Method::GET, template, args, query: &[], body: None }
    }

    #[test]
    fn arguments_stay_in_their_place() {
        for (args, expected) in [
            (&["ABC-1", "7"][..], Some("/issue/ABC-1/comment/7")),
            (&["a/b", "c?d#e%f"], Some("/issue/a%2Fb/comment/c%3Fd%23e%25f")),
            (&["\u{e4} +", "x"], Some("/issue/%C3%A4%20%2B/comment/x")),
            (&["...", "x"], Some("/issue/.../comment/x")),
            (&["..", "x"], None),
            (&[".", "x"], None),
            (&["", "x"], None),
            (&["x"], None),
        ] {
            let path = call("/issue/{}/comment/{}", args).path();
            assert_eq!(path.ok().as_deref(), expected, "{args:?}");
        }
        let long = "x".repeat(MAX_ARGUMENT_BYTES + 1);
        assert!(call("/issue/{}", &[&long]).path().is_err());
    }

    #[test]
    fn addresses_keep_the_path_of_the_api() {
        for (api, expected) in [
            ("https://acme.example", "https://acme.example/rest/a%2Fb?a+b=c%26d"),
            ("https://acme.example/", "https://acme.example/rest/a%2Fb?a+b=c%26d"),
            ("https://x.example/ex/jira/1", "https://x.example/ex/jira/1/rest/a%2Fb?a+b=c%26d"),
            ("https://x.example/jira/", "https://x.example/jira/rest/a%2Fb?a+b=c%26d"),
        ] {
            let query = [("a b", "c&d".to_owned())];
            let call = Call { query: &query, ..call("/rest/{}", &["a/b"]) };
            let url = call.url(&api.parse().unwrap(), &call.path().unwrap());
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (address, insecure, expected) in [
            ("https://acme.example", false, true),
            ("http://127.0.0.1:80", false, true),
            ("http://127.9.9.9", false, true),
            ("http://[::1]:8080/jira", false, true),
            ("http://localhost", false, true),
            ("http://acme.example", false, false),
            ("http://localhost.acme.example", false, false),
            ("http://10.0.0.1", false, false),
            ("http://acme.example", true, true),
            ("ftp://127.0.0.1", true, false),
            ("file:///etc/passwd", true, false),
            ("data:x", true, false),
            ("https://user@acme.example", false, false),
            ("https://:word@acme.example", false, false),
            ("https://acme.example/?x=1", false, false),
        ] {
            let checked = check_api(&address.parse().unwrap(), insecure);
            assert_eq!(checked.is_ok(), expected, "{address}");
        }
        let odd = "ftp://user:sesame@acme.example/?token=sesame".parse().unwrap();
        assert!(!format!("{:?}", check_api(&odd, false).unwrap_err()).contains("sesame"));
    }
}
