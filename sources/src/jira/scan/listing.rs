//! Listings read to their ends, and what their errors mean for a scan.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::jira::client::pages::{FeedPages, OffsetPages, TokenPages};
use crate::jira::client::{FailureKind, Outage, RequestError};
use crate::jira::document::canonical;

/// So many requests in a row that the site does not answer are an outage, not trouble with single objects.
const OUTAGE: u32 = 12;
/// How often a listing is begun that goes wrong.
const ATTEMPTS: u32 = 3;
/// What is wrong with a listing that is given up.
const CUT: &str = "it ended before everything was listed";
/// What is said of a part that is not asked for any more.
pub(super) const OUT: &str =
    "it was not asked for: the site failed at others like it, one after the other";

/// Reads a listing, once more from its first page where it went wrong: the site forgot the place, or contradicts itself.
pub(super) async fn persist<T, F>(mut read: impl FnMut() -> F) -> Result<T, RequestError>
where
    F: Future<Output = Result<T, RequestError>>,
{
    let mut attempt = 1;
    loop {
        match read().await {
            Err(error) if is_of_listing(&error) && attempt < ATTEMPTS => attempt += 1,
            read => return read,
        }
    }
}

fn is_of_listing(error: &RequestError) -> bool {
    matches!(error, RequestError::ExpiredToken { .. } | RequestError::Listing { .. })
}

/// All elements of a listing.
///
/// # Errors
/// Where it ends before everything was listed, too: what is absent from half a list proves nothing.
pub(super) async fn all(pages: OffsetPages) -> Result<Vec<Value>, RequestError> {
    persist(|| at_once(pages.clone())).await
}

/// Reads a listing that must stay as it is meanwhile: where one row goes or comes, others move over the edges of pages.
async fn at_once(mut pages: OffsetPages) -> Result<Vec<Value>, RequestError> {
    let (mut values, mut total) = (Vec::new(), None);
    while let Some(mut page) = pages.next().await? {
        if total.is_some() && total != pages.total() {
            return Err(pages.senseless("it changed while it was read"));
        }
        total = pages.total();
        values.append(&mut page);
    }
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(canonical(value)));
    let is_whole = total.is_none_or(|total| values.len() as u64 >= total);
    if pages.is_complete() && is_whole { Ok(values) } else { Err(pages.senseless(CUT)) }
}

/// Calls `each` for every element of a listing by token.
pub(super) async fn each(
    mut pages: TokenPages,
    mut each: impl FnMut(Value),
) -> Result<(), RequestError> {
    while let Some(page) = pages.next().await? {
        page.into_iter().for_each(&mut each);
    }
    if pages.is_complete() { Ok(()) } else { Err(pages.senseless(CUT)) }
}

/// All elements of a feed, and where it goes on.
pub(super) async fn feed(mut pages: FeedPages) -> Result<(Vec<Value>, i64), RequestError> {
    let mut values = Vec::new();
    while let Some(mut page) = pages.next().await? {
        values.append(&mut page);
    }
    if pages.is_complete() { Ok((values, pages.until())) } else { Err(pages.senseless(CUT)) }
}

/// Counts requests in a row that were not answered.
#[derive(Debug, Default)]
pub(super) struct Outages {
    in_a_row: AtomicU32,
    /// By what was asked for.
    of_parts: Mutex<HashMap<&'static str, u32>>,
}

impl Outages {
    /// True where no further request will do better. Where the server fails at single objects others may do.
    pub(super) fn end_scan(&self, error: &RequestError) -> bool {
        match error.kind() {
            FailureKind::Fatal | FailureKind::Cancelled => true,
            FailureKind::Later if !may_be_one_object(error) => self.count(),
            _ => false,
        }
    }

    /// The same for what nothing can be stored without: there so many single failures in a row are an outage, too.
    pub(super) fn end_scan_for_want_of(&self, error: &RequestError) -> bool {
        match error.kind() {
            FailureKind::Later => self.count(),
            _ => self.end_scan(error),
        }
    }

    fn count(&self) -> bool {
        self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= OUTAGE
    }

    /// Something was answered.
    pub(super) fn are_over(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// True where the site has failed at this part of so many issues in a row that it is not asked any more.
    pub(super) fn is_out(&self, part: &'static str) -> bool {
        self.of_parts().get(part).is_some_and(|failures| *failures >= OUTAGE)
    }

    /// Takes note of how it went with a part of an issue.
    pub(super) fn note(&self, part: &'static str, error: Option<&RequestError>) {
        let fails = error.is_some_and(|it| it.kind() == FailureKind::Later);
        let mut parts = self.of_parts();
        let failures = parts.entry(part).or_default();
        *failures = if fails { *failures + 1 } else { 0 };
    }

    fn of_parts(&self) -> MutexGuard<'_, HashMap<&'static str, u32>> {
        self.of_parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of an answer that lacks what was asked for.
pub(super) fn no_items(request: String) -> RequestError {
    RequestError::Listing { request, what: "it lacks what was asked for" }
}

/// True where other requests may be answered although this one is not: the server fails at one object.
pub(super) fn may_be_one_object(error: &RequestError) -> bool {
    match error {
        RequestError::Unavailable { outage, .. } => matches!(outage, Outage::Status(500)),
        error => error.kind() == FailureKind::Object || matches!(error, RequestError::Cut { .. }),
    }
}

/// True where another call may tell the same, although this one does not.
pub(super) fn has_other_ways(error: &RequestError) -> bool {
    may_be_one_object(error) || is_of_listing(error)
}

/// True where the account may not see what was asked for, or it is not there: Jira answers alike.
pub(super) fn is_refused(error: &RequestError) -> bool {
    is_forbidden(error) || is_missing(error) || matches!(error, RequestError::Rejected { .. })
}

/// True for a lack of permission.
pub(in crate::jira) fn is_forbidden(error: &RequestError) -> bool {
    matches!(error, RequestError::Forbidden { .. })
}

/// True where there is nothing of that name.
pub(in crate::jira) fn is_missing(error: &RequestError) -> bool {
    matches!(error, RequestError::NotFound { .. } | RequestError::Gone { .. })
}
