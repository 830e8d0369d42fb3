//! A request as it came, taken apart.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;

use super::escape::{decode_form, decode_path};
use super::table::Host;

/// Which version of the API a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Rich text is a document tree.
    V3,
    /// Rich text is plain text.
    V2,
}

/// A request as it came, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Where it was sent to.
    pub(super) host: Host,
    /// The method.
    pub(super) method: String,
    /// The path as it was sent.
    pub(super) path: String,
    /// The path's parts, decoded; an alias of a version is `3`, the gateway's part is gone.
    pub(super) segments: Vec<String>,
    /// The query's parameters, decoded, in their order.
    pub(super) query: Vec<(String, String)>,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
    /// The version of the API.
    pub(super) version: Version,
    /// The cloud id of a path below the gateway's `/ex/jira/`.
    pub(super) cloud_id: Option<String>,
}

impl Request {
    /// Takes a request apart.
    pub(super) fn new(host: Host, parts: &Parts, body: Bytes) -> Request {
        let path = parts.uri.path();
        let mut segments: Vec<String> = path.split('/').skip(1).map(decode_path).collect();
        let cloud_id = match &*segments {
            [ex, jira, id, ..] if ex == "ex" && jira == "jira" => Some(id.clone()),
            _ => None,
        };
        if cloud_id.is_some() {
            segments.drain(..3);
        }
        let mut version = Version::V3;
        if let [rest, api, number, ..] = &mut *segments
            && rest == "rest"
            && api == "api"
            && (number == "2" || number == "latest")
        {
            version = Version::V2;
            "3".clone_into(number);
        }
        let query = parts.uri.query().unwrap_or_default();
        Request {
            host,
            method: parts.method.as_str().to_owned(),
            path: path.to_owned(),
            segments,
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode_form(name), decode_form(value)))
                .collect(),
            headers: parts.headers.clone(),
            body,
            version,
            cloud_id,
        }
    }

    /// The value of a header, where it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request {
        let (parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Request::new(Host::Site, &parts, Bytes::new())
    }

    #[test]
    fn versions_and_the_gateway_are_seen() {
        let gateway = request("/ex/jira/1-2/rest/api/2/issue/A%2D1?fields=a&fields=b&x");
        assert_eq!(gateway.segments, ["rest", "api", "3", "issue", "A-1"]);
        assert_eq!(gateway.cloud_id.as_deref(), Some("1-2"));
        assert_eq!(gateway.version, Version::V2);
        let pairs = [("fields", "a"), ("fields", "b"), ("x", "")];
        assert_eq!(gateway.query, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(request("/rest/api/3/myself").version, Version::V3);
        assert_eq!(request("/rest/api/latest/myself").version, Version::V2);
    }
}
