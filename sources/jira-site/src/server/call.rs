//! One request on its way through a handler.

use jiff::Timestamp;
use serde_json::Value;

use super::request::Request;
use super::table::{Endpoint, PathValues};
use super::validate::Arguments;
use crate::site::{Site, State};

/// A request that passed the checks, and what is needed to answer it.
pub(super) struct Call<'a> {
    pub(super) endpoint: &'static Endpoint,
    pub(super) request: &'a Request,
    /// The values of the path's parameters.
    pub(super) path: PathValues,
    /// The values of the query's parameters and the body's properties.
    pub(super) arguments: &'a Arguments,
    pub(super) site: &'a Site,
    pub(super) state: &'a State,
    pub(super) now: Timestamp,
    /// What URLs of the answer begin with, without a slash at the end.
    pub(super) base: &'a str,
    /// The address of the media store.
    pub(super) media_url: &'a str,
}

impl Call<'_> {
    /// A parameter of the path; empty where the table has none of that name.
    pub(super) fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.arguments.get(name)?.as_str()
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.arguments.get(name)?.as_i64()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.arguments.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The texts of a list; none where it is absent.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        let items = self.arguments.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).collect())
    }

    /// The numbers of a list; none where it is absent.
    pub(super) fn integers(&self, name: &str) -> Option<Vec<i64>> {
        let items = self.arguments.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_i64).collect())
    }

    /// Whether `expand` asks for that.
    pub(super) fn expands(&self, word: &str) -> bool {
        let asked: Vec<&str> = match self.arguments.get("expand") {
            Some(Value::String(words)) => vec![words],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => return false,
        };
        asked.iter().flat_map(|words| words.split(',')).any(|given| given.trim() == word)
    }
}
