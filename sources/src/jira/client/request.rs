//! One request: what is asked.

use reqwest::Method;
use serde_json::Value;

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
