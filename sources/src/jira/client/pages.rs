//! Listings in pages.
//!
//! Each hands out its pages one after the other and ends for sure, whatever a site answers. What is absent from a listing is
//! only known to be absent when [`is_complete`](OffsetPages::is_complete) says so.

use std::collections::HashSet;

use serde_json::Value;

use super::{Client, RequestError};

/// More pages than any listing has.
const MAX_PAGES: u32 = 100_000;
/// How many pages may follow where the site's own count says that none do.
const MAX_PAGES_BEYOND_TOTAL: u32 = 10;

/// How far a listing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More pages follow.
    Open,
    /// The site has said that nothing follows, and nothing speaks against it.
    Complete,
    /// It was given up, or the site contradicts itself.
    Doubtful,
}

impl State {
    fn ended(nothing_speaks_against_it: bool) -> Self {
        if nothing_speaks_against_it { Self::Complete } else { Self::Doubtful }
    }
}

fn senseless(request: String, what: &'static str) -> RequestError {
    RequestError::Listing { request, what }
}

/// Takes the array of this name out of a page.
fn take(page: &mut Value, items: &str) -> Option<Vec<Value>> {
    match page.get_mut(items)?.take() {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// The items of a page without those that come twice: the next page begins behind what there is.
fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| seen.insert(item.to_string())).collect()
}

fn own(query: &[(&str, String)]) -> Vec<(String, String)> {
    query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Adds where we are to a query.
fn with<'a>(
    query: &'a [(String, String)],
    place: impl IntoIterator<Item = (&'a str, String)>,
) -> Vec<(&'a str, String)> {
    let query = query.iter().map(|(name, value)| (name.as_str(), value.clone()));
    query.chain(place).collect()
}

/// Pages that are counted: `startAt`, `maxResults`, and `total` or `isLast`, or plain arrays.
///
/// The page size is a wish: the next page starts after what came. An object without any of these names is the whole listing.
#[derive(Debug, Clone)]
pub struct OffsetPages {
    client: Client,
    template: &'static str,
    args: Vec<String>,
    query: Vec<(String, String)>,
    items: &'static str,
    size: u32,
    state: State,
    start: u64,
    total: Option<u64>,
    pages: u32,
    pages_beyond_total: u32,
    /// The first item of the page before, by which a site betrays that it does not count.
    first: Option<Value>,
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
        Self {
            client: client.clone(),
            template,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            query: own(query),
            items,
            size,
            state: State::Open,
            start: 0,
            total: None,
            pages: 0,
            pages_beyond_total: 0,
            first: None,
        }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        if self.state != State::Open {
            return Ok(None);
        }
        let page = self.ask().await?;
        let page = self.take(page)?;
        Ok((!page.is_empty()).then_some(page))
    }

    async fn ask(&self) -> Result<Value, RequestError> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let place = [("startAt", self.start.to_string()), ("maxResults", self.size.to_string())];
        let query = with(&self.query, place);
        self.client.get(self.template, &args, &query).await
    }

    /// Takes the items of a page and decides whether another one follows.
    fn take(&mut self, mut page: Value) -> Result<Vec<Value>, RequestError> {
        let (items, is_plain) = match &mut page {
            Value::Array(items) => (std::mem::take(items), true),
            page => {
                let items = take(page, self.items);
                (items.ok_or_else(|| self.senseless("it has no items"))?, false)
            }
        };
        let items = distinct(items);
        if page["startAt"].as_u64().is_some_and(|start| start != self.start) {
            return Err(self.senseless("another page came than the one asked for"));
        }
        if !items.is_empty() && items.first() == self.first.as_ref() {
            // A plain array that does not care where we are is the whole.
            self.state = State::Complete;
            return if is_plain {
                Ok(Vec::new())
            } else {
                Err(self.senseless("a page came twice"))
            };
        }
        self.first = items.first().cloned();
        self.start += items.len() as u64;
        self.total = page["total"].as_u64();
        self.pages += 1;
        let is_beyond_total = self.total.is_some_and(|total| self.start > total);
        self.pages_beyond_total += u32::from(is_beyond_total);
        if self.pages > MAX_PAGES || self.pages_beyond_total > MAX_PAGES_BEYOND_TOTAL {
            return Err(self.senseless("it does not end"));
        }
        self.state = self.state_after(&page, items.is_empty(), is_plain);
        Ok(items)
    }

    fn state_after(&self, page: &Value, is_empty: bool, is_plain: bool) -> State {
        let is_all = self.total.is_none_or(|total| self.start >= total);
        match page["isLast"].as_bool() {
            Some(true) => State::ended(is_all),
            Some(false) if is_empty => State::Doubtful,
            Some(false) => State::Open,
            None if is_empty => State::ended(is_all),
            None if self.total == Some(self.start) => State::Complete,
            None => {
                let is_counted = ["total", "startAt", "maxResults"]
                    .iter()
                    .any(|&name| page.get(name).is_some_and(|value| !value.is_null()));
                if is_counted || is_plain { State::Open } else { State::Complete }
            }
        }
    }

    /// Says that the listing makes no sense.
    pub fn senseless(&self, what: &'static str) -> RequestError {
        senseless(format!("GET {}", self.template), what)
    }

    /// True once the site has said that nothing follows, and nothing speaks against it.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// How many items there are by the site's own count in the newest page.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

/// What is sent for each page of a listing with tokens.
#[derive(Debug)]
enum Ask {
    Get(Vec<(String, String)>),
    Post(Value),
}

/// Pages that are chained by `nextPageToken`.
#[derive(Debug)]
pub struct TokenPages {
    client: Client,
    template: &'static str,
    ask: Ask,
    items: &'static str,
    state: State,
    token: Option<String>,
    tokens: HashSet<String>,
}

impl TokenPages {
    /// Prepares a listing that is asked for by POST.
    ///
    /// `items` names the array in each page (`issues`, `issueChangeLogs`); `body` is an object without a token.
    pub fn post(client: &Client, template: &'static str, body: Value, items: &'static str) -> Self {
        Self::new(client, template, Ask::Post(body), items)
    }

    /// Prepares a listing that is asked for by GET.
    pub fn get(
        client: &Client,
        template: &'static str,
        query: &[(&str, String)],
        items: &'static str,
    ) -> Self {
        Self::new(client, template, Ask::Get(own(query)), items)
    }

    fn new(client: &Client, template: &'static str, ask: Ask, items: &'static str) -> Self {
        Self {
            client: client.clone(),
            template,
            ask,
            items,
            state: State::Open,
            token: None,
            tokens: HashSet::new(),
        }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    ///
    /// # Errors
    /// `ExpiredToken` when the site no longer knows the place: start again with a new listing.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        if self.state != State::Open {
            return Ok(None);
        }
        let page = match self.ask().await {
            // The same words were good enough for the first page, so it is the token that is not.
            Err(RequestError::Rejected { request, status: 400, .. }) if self.token.is_some() => {
                return Err(RequestError::ExpiredToken { request });
            }
            page => page?,
        };
        let page = self.take(page)?;
        Ok((!page.is_empty()).then_some(page))
    }

    async fn ask(&mut self) -> Result<Value, RequestError> {
        match &mut self.ask {
            Ask::Get(query) => {
                let token = self.token.iter().map(|token| ("nextPageToken", token.clone()));
                let query = with(query, token);
                self.client.get(self.template, &[], &query).await
            }
            Ask::Post(body) => {
                if let (Some(body), Some(token)) = (body.as_object_mut(), &self.token) {
                    body.insert("nextPageToken".to_owned(), token.as_str().into());
                }
                self.client.post(self.template, &[], body).await
            }
        }
    }

    /// Takes the items of a page and decides whether another one follows.
    fn take(&mut self, mut page: Value) -> Result<Vec<Value>, RequestError> {
        let Some(items) = take(&mut page, self.items) else {
            return Err(self.senseless("it has no items"));
        };
        let is_last = page["isLast"].as_bool();
        let token = page["nextPageToken"].as_str().filter(|token| !token.is_empty());
        self.state = match token {
            _ if is_last == Some(true) => State::Complete,
            None => State::ended(is_last.is_none()),
            Some(_) if items.is_empty() => State::Doubtful,
            Some(token) if !self.tokens.insert(token.to_owned()) => State::Doubtful,
            Some(_) if self.tokens.len() > MAX_PAGES as usize => {
                return Err(self.senseless("it does not end"));
            }
            Some(_) => State::Open,
        };
        self.token = token.map(str::to_owned);
        Ok(items)
    }

    /// Says that the listing makes no sense.
    pub fn senseless(&self, what: &'static str) -> RequestError {
        let method = if matches!(self.ask, Ask::Get(_)) { "GET" } else { "POST" };
        senseless(format!("{method} {}", self.template), what)
    }

    /// True once the site has said that nothing follows, and nothing speaks against it.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }
}

/// The feed of changed or deleted worklogs: `/rest/api/3/worklog/updated` or `deleted`.
///
/// It leaves out the last minute, so the next run goes on from [`until`](Self::until), not from now.
#[derive(Debug)]
pub struct FeedPages {
    client: Client,
    template: &'static str,
    query: Vec<(String, String)>,
    state: State,
    until: i64,
    pages: u32,
}

impl FeedPages {
    /// Prepares a feed from this time on, in milliseconds since 1970.
    pub fn new(
        client: &Client,
        template: &'static str,
        query: &[(&str, String)],
        since: i64,
    ) -> Self {
        Self {
            client: client.clone(),
            template,
            query: own(query),
            state: State::Open,
            until: since,
            pages: 0,
        }
    }

    /// Reads the next page, which is never empty; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, RequestError> {
        if self.state != State::Open {
            return Ok(None);
        }
        // Not `nextPage`: an address from outside is not where our credentials go.
        let query = with(&self.query, [("since", self.until.to_string())]);
        let mut page = self.client.get(self.template, &[], &query).await?;
        let Some(items) = take(&mut page, "values") else {
            return Err(self.senseless("it has no items"));
        };
        let until = page["until"].as_i64().filter(|&until| until > self.until);
        self.state = match page["lastPage"].as_bool() {
            Some(true) => State::Complete,
            _ if until.is_some() && !items.is_empty() => State::Open,
            _ => State::Doubtful,
        };
        self.until = until.unwrap_or(self.until);
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(self.senseless("it does not end"));
        }
        Ok((!items.is_empty()).then_some(items))
    }

    /// Says that the feed makes no sense.
    pub fn senseless(&self, what: &'static str) -> RequestError {
        senseless(format!("GET {}", self.template), what)
    }

    /// Where the next run goes on: everything up to here has been handed out.
    pub fn until(&self) -> i64 {
        self.until
    }

    /// True once the site has said that nothing follows, and nothing speaks against it.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }
}
