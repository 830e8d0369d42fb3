//! Which issues there are: all ids, project by project. It finds deletions, moves, and what the account cannot see.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing;
use super::projects::{Project, ProjectState};
use crate::jira::client::pages::TokenPages;
use crate::jira::client::{Client, FailureKind, RequestError};
use crate::jira::document::{id_of, number};
use crate::jira::layout::IssueKey;
use crate::jira::time;

/// The search.
pub(in crate::jira) const SEARCH: &str = "/rest/api/3/search/jql";
/// Counts what a query finds.
const COUNT: &str = "/rest/api/3/search/approximate-count";
/// Bodies of issues by id or key.
pub(in crate::jira) const BULK_FETCH: &str = "/rest/api/3/issue/bulkfetch";

/// One issue.
const ISSUE: &str = "/rest/api/3/issue/{}";

/// Rows of a page where only ids and keys are asked for.
const PAGE: u32 = 5000;
/// Issues of one call of the bulk fetch.
pub(in crate::jira) const BULK: usize = 100;

/// What was seen of one project.
#[derive(Debug)]
pub(in crate::jira) enum Seen {
    /// So many issues.
    Issues(u64),
    /// The search does not list its issues.
    Unlisted,
    /// It could not be searched.
    Failed(RequestError),
}

/// What all projects together show.
#[derive(Debug, Default)]
pub(in crate::jira) struct Sweep {
    /// Issues by id.
    pub(in crate::jira) issues: HashMap<u64, IssueKey>,
    /// Projects by key.
    pub(in crate::jira) projects: BTreeMap<String, Seen>,
    /// Issues that the search does not list, and that are not as the last snapshot has them.
    pub(in crate::jira) changed: HashSet<u64>,
}

/// Sweeps the projects, several at a time.
///
/// # Errors
/// Where nothing more can be read at all; trouble with one project is in the result.
pub(in crate::jira) async fn sweep(
    client: &Client,
    projects: &BTreeMap<String, Project>,
    at_once: usize,
) -> Result<Sweep, RequestError> {
    let mut swept = Vec::with_capacity(projects.len());
    for project in projects.values() {
        swept.push(async move { (project, of_project(client, project).await) }.boxed());
    }
    let swept = futures::stream::iter(swept).buffer_unordered(at_once.max(1));
    futures::pin_mut!(swept);
    let mut sweep = Sweep::default();
    while let Some((project, found)) = swept.next().await {
        let seen = match found {
            Ok(Some(issues)) => {
                let count = issues.len() as u64;
                sweep.issues.extend(issues);
                Seen::Issues(count)
            }
            Ok(None) => Seen::Unlisted,
            Err(error) if matches!(error.kind(), FailureKind::Fatal | FailureKind::Cancelled) => {
                return Err(error);
            }
            Err(error) => Seen::Failed(error),
        };
        sweep.projects.insert(project.key.clone(), seen);
    }
    if sweep.projects.values().any(|it| matches!(it, Seen::Issues(_))) {
        return Ok(sweep);
    }
    // Where no project can be searched it is not about projects.
    let failed =
        |(key, seen): (&String, &Seen)| matches!(seen, Seen::Failed(_)).then(|| key.clone());
    match sweep.projects.iter().find_map(failed).and_then(|key| sweep.projects.remove(&key)) {
        Some(Seen::Failed(error)) => Err(error),
        _ => Ok(sweep),
    }
}

async fn of_project(
    client: &Client,
    project: &Project,
) -> Result<Option<HashMap<u64, IssueKey>>, RequestError> {
    if project.state != ProjectState::Live {
        return Ok(None);
    }
    let query = format!("project = {} ORDER BY key ASC", quoted(&project.key));
    let rows = ids(client, &query).await?;
    Ok(Some(rows.into_iter().filter_map(|(id, key)| Some((id, key?))).collect()))
}

/// All issues that a query finds. The index may list one that is no more: it has no key.
pub(in crate::jira) async fn ids(
    client: &Client,
    query: &str,
) -> Result<HashMap<u64, Option<IssueKey>>, RequestError> {
    // A page token may expire in a long sweep.
    listing::persist(|| ids_at_once(client, query)).await
}

async fn ids_at_once(
    client: &Client,
    query: &str,
) -> Result<HashMap<u64, Option<IssueKey>>, RequestError> {
    let body = json!({"jql": query, "fields": ["key"], "maxResults": PAGE});
    let (mut found, mut nameless) = (HashMap::new(), false);
    let pages = TokenPages::post(client, SEARCH, body, "issues");
    listing::each(pages, |issue| match issue.get("id").and_then(number) {
        Some(id) => _ = found.insert(id, row(&issue).map(|(_, key)| key)),
        None => nameless = true,
    })
    .await?;
    if nameless {
        let request = format!("POST {SEARCH}");
        return Err(RequestError::Listing { request, what: "a row has no id" });
    }
    Ok(found)
}

fn row(value: &Value) -> Option<(u64, IssueKey)> {
    let key = value.get("key").and_then(Value::as_str).and_then(IssueKey::parse)?;
    Some((value.get("id").and_then(number)?, key))
}

/// A text as the query language takes it.
pub(in crate::jira) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// How many issues of a project the search counts.
pub(in crate::jira) async fn count(
    client: &Client,
    project: &Project,
) -> Result<Option<u64>, RequestError> {
    let body = json!({"jql": format!("project = {}", quoted(&project.key))});
    let answer = client.post(COUNT, &[], &body).await?;
    Ok(answer.get("count").and_then(number))
}

/// An issue that the server has: id, key, and `updated` in milliseconds since 1970.
pub(in crate::jira) type Present = (u64, IssueKey, Option<i64>);

/// Asks for issues by id or key. Those that are not in the answer are gone, or not for this account: Jira answers alike.
pub(in crate::jira) async fn confirm(
    client: &Client,
    names: &[String],
    at_once: usize,
) -> Result<Vec<Present>, RequestError> {
    let mut asked = Vec::new();
    for batch in names.chunks(BULK) {
        asked.push(confirm_batch(client, batch).boxed());
    }
    let asked = futures::stream::iter(asked).buffer_unordered(at_once.max(1));
    let found: Vec<Vec<Present>> = asked.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn confirm_batch(client: &Client, names: &[String]) -> Result<Vec<Present>, RequestError> {
    let body = json!({"issueIdsOrKeys": names, "fields": ["updated"], "fieldsByKeys": false});
    let answer = client.post(BULK_FETCH, &[], &body).await?;
    if !answer.get("issues").is_some_and(Value::is_array) {
        return Err(listing::no_items(format!("POST {BULK_FETCH}")));
    }
    let list = |name: &str| answer.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut present: Vec<_> = list("issues").filter_map(present).collect();
    // What is listed as an error may be there all the same: it is asked for by itself.
    for error in list("issueErrors") {
        let Some(id) = id_of(error) else { continue };
        let query = [("fields", "updated".to_owned())];
        let issue = client.get_optional(ISSUE, &[&id], &query).await?;
        present.extend(issue.as_ref().and_then(self::present));
    }
    Ok(present)
}

fn present(issue: &Value) -> Option<Present> {
    let (id, key) = row(issue)?;
    let updated = issue.get("fields").and_then(|it| it.get("updated"));
    let updated = updated.and_then(Value::as_str).and_then(time::parse);
    Some((id, key, updated.map(Timestamp::as_millisecond)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_quotes() {
        assert_eq!(row(&json!({"id": "7", "key": "A-1"})).map(|it| it.0), Some(7));
        assert!(row(&json!({"id": "7"})).is_none());
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
