//! Listings in pages.
//!
//! Each hands out its pages one after the other and ends for sure, whatever a site answers. What is absent from a listing is
//! only known to be absent when [`is_complete`](OffsetPages::is_complete) says so.

use serde_json::Value;

use super::{Client, RequestError};

/// Pages that are counted: `startAt`, `maxResults`, and `total` or `isLast`, or plain arrays.
#[derive(Debug)]
pub struct OffsetPages {
    client: Client,
}

impl OffsetPages {
    /// Prepares a listing; `items` names the array in each page (`values`, `comments`), `size` is the page size to ask for.
    pub fn new(
        client: &Client,
        template: &'static str,
        args: &[&str],
        query: &[(&str, String)],
        items: &'static str,
        size: u32,
    ) -> Self {
        let _ = (template, args, query, items, size);
        Self { client: client.clone() }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        let _ = &self.client;
        todo!()
    }

    /// True once the site has said that nothing follows, and nothing spoke against it.
    pub fn is_complete(&self) -> bool {
        todo!()
    }

    /// How many items there are by the site's own count in the newest page.
    pub fn total(&self) -> Option<u64> {
        todo!()
    }
}

/// Pages that are chained by `nextPageToken`, asked for by POST.
#[derive(Debug)]
pub struct TokenPages {
    client: Client,
}

impl TokenPages {
    /// Prepares a listing; `items` names the array in each page (`issues`, `issueChangeLogs`), `body` is an object without a token.
    pub fn post(client: &Client, template: &'static str, body: Value, items: &'static str) -> Self {
        let _ = (template, body, items);
        Self { client: client.clone() }
    }

    /// Prepares a listing that is asked for by GET.
    pub fn get(
        client: &Client,
        template: &'static str,
        query: &[(&str, String)],
        items: &'static str,
    ) -> Self {
        let _ = (template, query, items);
        Self { client: client.clone() }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    ///
    /// # Errors
    /// `ExpiredToken` when the site no longer knows the place: start again with a new listing.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        let _ = &self.client;
        todo!()
    }

    /// True once the site has said that nothing follows, and nothing spoke against it.
    pub fn is_complete(&self) -> bool {
        todo!()
    }
}

/// The feed of changed or deleted worklogs: `/rest/api/3/worklog/updated` or `deleted`.
#[derive(Debug)]
pub struct FeedPages {
    client: Client,
}

impl FeedPages {
    /// Prepares a feed from this time on, in milliseconds since 1970.
    pub fn new(
        client: &Client,
        template: &'static str,
        query: &[(&str, String)],
        since: i64,
    ) -> Self {
        let _ = (template, query, since);
        Self { client: client.clone() }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        let _ = &self.client;
        todo!()
    }

    /// Where the next run goes on: everything up to here has been handed out.
    pub fn until(&self) -> i64 {
        todo!()
    }

    /// True once the site has said that nothing follows, and nothing spoke against it.
    pub fn is_complete(&self) -> bool {
        todo!()
    }
}
