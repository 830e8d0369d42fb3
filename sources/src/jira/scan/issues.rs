//! Reading issues: bodies by hundreds, histories by thousands, and what has no bulk call one by one.

use std::collections::{BTreeMap, HashMap, HashSet};

use esker_engine::problem::ProblemKind;
use esker_engine::source::SourceError;
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use super::Scan;
use super::known::{self, BaseRecord, Known};
use super::listing;
use super::sweep::{BULK, BULK_FETCH};
use crate::jira::attachments::chain;
use crate::jira::client::RequestError;
use crate::jira::client::pages::{OffsetPages, TokenPages};
use crate::jira::document::{canonical, id_of, number, strip};
use crate::jira::issue::IssueParts;
use crate::jira::layout::{HISTORY_BLOCK, IssueKey, is_history};

/// Histories by issue.
const HISTORIES: &str = "/rest/api/3/changelog/bulkfetch";
/// The history of one issue.
const HISTORY: &str = "/rest/api/3/issue/{}/changelog";
/// Issues of one call for histories.
const HISTORY_BATCH: usize = 1000;
/// Entries of a page of histories.
const HISTORY_PAGE: u32 = 10_000;
/// Hundreds of issues in work at a time: each is some megabytes.
const BATCHES_AT_ONCE: usize = 3;
/// Issues of one hundred in work at a time; the client bounds the requests.
const ISSUES_AT_ONCE: usize = 16;

/// Why an issue is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// What has no bulk call and no sign of change is read too.
    pub(super) extras: bool,
}

/// The body of an issue, or why there is none.
type Body = Result<IssueParts, Unusable>;

/// Why there is no body of an issue.
pub(super) struct Unusable {
    pub(super) kind: ProblemKind,
    pub(super) message: String,
}

/// The entries of a history, canonical, oldest first; `None` where it could not be read.
pub(super) type History = Option<Vec<Value>>;

/// An issue with all that is needed to store it.
pub(super) struct Fetched {
    pub(super) parts: IssueParts,
    pub(super) history: History,
    pub(super) due: Due,
    /// The key that the last snapshot has it under.
    pub(super) known: Option<IssueKey>,
    /// What the last snapshot holds of it.
    pub(super) base: Vec<BaseRecord>,
}

impl Fetched {
    /// True where the last snapshot has it under another key.
    pub(super) fn has_moved(&self) -> bool {
        self.known.as_ref().is_some_and(|known| *known != self.parts.key)
    }
}

impl Scan<'_> {
    /// Reads the issues that are due, and stores them. Ids that the server does not know are left to the caller.
    pub(super) async fn read_issues(
        &self,
        due: &BTreeMap<u64, Due>,
        known: &Known,
    ) -> Result<(), SourceError> {
        let ids: Vec<u64> = due.keys().copied().collect();
        for thousand in ids.chunks(HISTORY_BATCH) {
            self.stop_if_cancelled()?;
            let mut histories = self.histories(thousand).await?;
            let mut hundreds = Vec::new();
            for ids in thousand.chunks(BULK) {
                let histories = histories_of(ids, &mut histories);
                hundreds.push(self.read_batch(ids, histories, due, known).boxed());
            }
            let hundreds = futures::stream::iter(hundreds).buffer_unordered(BATCHES_AT_ONCE);
            hundreds.try_collect::<()>().await?;
        }
        Ok(())
    }

    /// The histories of up to 1,000 issues. Where the bulk call fails each issue is asked for by itself.
    async fn histories(&self, ids: &[u64]) -> Result<HashMap<u64, History>, SourceError> {
        match self.bulk_histories(ids).await {
            Ok(histories) => Ok(histories),
            Err(error) if !listing::has_other_ways(&error) => Err(self.failed(error)),
            Err(error) => {
                tracing::warn!(%error, "histories are read one by one");
                let mut each = Vec::with_capacity(ids.len());
                for id in ids {
                    each.push(self.single_history(*id).boxed());
                }
                let each = futures::stream::iter(each).buffer_unordered(ISSUES_AT_ONCE);
                each.try_collect().await
            }
        }
    }

    async fn single_history(&self, id: u64) -> Result<(u64, History), SourceError> {
        match self.one_history(id).await {
            Ok(history) => {
                self.outages.are_over();
                Ok((id, Some(history)))
            }
            Err(error) if self.outages.end_scan_for_want_of(&error) => Err(self.failed(error)),
            Err(error) => {
                tracing::warn!(%error, id, "no history");
                Ok((id, None))
            }
        }
    }

    /// Those of issues that an answer leaves out are asked for once more: few issues have no history at all.
    async fn bulk_histories(&self, ids: &[u64]) -> Result<HashMap<u64, History>, RequestError> {
        let mut found = listing::persist(|| self.some_histories(ids)).await?;
        let absent: Vec<u64> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        if !absent.is_empty() {
            found.extend(listing::persist(|| self.some_histories(&absent)).await?);
        }
        let mut histories = HashMap::new();
        for id in ids {
            let history = found.remove(id).unwrap_or_default();
            histories.insert(*id, Some(self.tidy_history(history)));
        }
        Ok(histories)
    }

    async fn some_histories(&self, ids: &[u64]) -> Result<HashMap<u64, Vec<Value>>, RequestError> {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let body = json!({"issueIdsOrKeys": names, "maxResults": HISTORY_PAGE});
        let (mut found, mut nameless) = (HashMap::new(), false);
        let pages = TokenPages::post(&self.client, HISTORIES, body, "issueChangeLogs");
        listing::each(pages, |mut of_issue| {
            let id = of_issue.get("issueId").and_then(number);
            let entries = of_issue.get_mut("changeHistories").and_then(Value::as_array_mut);
            match (id, entries) {
                (Some(id), Some(entries)) => {
                    found.entry(id).or_insert_with(Vec::new).append(entries);
                }
                _ => nameless = true,
            }
        })
        .await?;
        if nameless { Err(listing::no_items(format!("POST {HISTORIES}"))) } else { Ok(found) }
    }

    async fn one_history(&self, id: u64) -> Result<Vec<Value>, RequestError> {
        let id = id.to_string();
        let pages = OffsetPages::new(&self.client, HISTORY, &[&id], &[], "values", 100);
        Ok(self.tidy_history(listing::all(pages).await?))
    }

    /// Oldest first, each once: ids of a history only grow.
    fn tidy_history(&self, mut history: Vec<Value>) -> Vec<Value> {
        for entry in &mut history {
            self.see_people(entry);
            strip(entry);
        }
        let id = |entry: &Value| entry.get("id").and_then(number).unwrap_or(u64::MAX);
        history.sort_by_key(id);
        history.dedup_by(|a, b| id(a) == id(b) && canonical(a) == canonical(b));
        history
    }

    async fn read_batch(
        &self,
        ids: &[u64],
        mut histories: HashMap<u64, History>,
        due: &BTreeMap<u64, Due>,
        known: &Known,
    ) -> Result<(), SourceError> {
        self.stop_if_cancelled()?;
        let bodies = self.bodies(ids).await?;
        let keys = ids.iter().filter_map(|id| Some(known.issues.get(id)?.key.clone())).collect();
        let mut base = known::records(self.base, keys).await?;
        let mut fetched = Vec::new();
        for (id, body) in bodies {
            let known = known.issues.get(&id).map(|it| it.key.clone());
            match body {
                Ok(parts) => {
                    let base = known.as_ref().and_then(|key| base.remove(key)).unwrap_or_default();
                    let history = histories.remove(&id).unwrap_or_default();
                    let history = self.not_shorter(id, history, &base).await?;
                    let due = due.get(&id).copied().unwrap_or(Due { extras: true });
                    fetched.push(Fetched { parts, history, due, known, base });
                }
                Err(unusable) => self.trouble_with_issue(id, known.as_ref(), unusable),
            }
        }
        let mut stored = Vec::with_capacity(fetched.len());
        for issue in fetched {
            stored.push(self.store_issue(issue).boxed());
        }
        futures::stream::iter(stored).buffer_unordered(ISSUES_AT_ONCE).try_collect().await
    }

    /// A history only grows. One that is shorter than the last snapshot's is read by itself, in pages that are counted.
    async fn not_shorter(
        &self,
        id: u64,
        history: History,
        base: &[BaseRecord],
    ) -> Result<History, SourceError> {
        let blocks = base.iter().filter(|(key, _)| is_history(key)).count();
        match history {
            Some(history) if history.len().div_ceil(HISTORY_BLOCK) < blocks => {
                Ok(self.single_history(id).await?.1)
            }
            history => Ok(history),
        }
    }

    /// The bodies of up to 100 issues; of each that cannot be used the reason. Where a call fails, halves are tried, so one
    /// issue that the server cannot render does not take the others with it.
    async fn bodies(&self, ids: &[u64]) -> Result<Vec<(u64, Body)>, SourceError> {
        let mut bodies = Vec::new();
        let mut open: Vec<&[u64]> = vec![ids];
        while let Some(ids) = open.pop() {
            match self.bulk_bodies(ids).await {
                Ok(found) => {
                    self.outages.are_over();
                    bodies.extend(found);
                }
                Err(error) if !listing::has_other_ways(&error) => return Err(self.failed(error)),
                Err(error) if ids.len() > 1 => {
                    tracing::warn!(%error, issues = ids.len(), "a call is halved");
                    let (left, right) = ids.split_at(ids.len() / 2);
                    open.extend([right, left]);
                }
                Err(error) if self.outages.end_scan_for_want_of(&error) => {
                    return Err(self.failed(error));
                }
                Err(error) => {
                    let unreadable = |id: &u64| {
                        (
                            *id,
                            Err(Unusable { kind: ProblemKind::Unreadable, message: chain(&error) }),
                        )
                    };
                    bodies.extend(ids.iter().map(unreadable));
                }
            }
        }
        Ok(bodies)
    }

    /// What an answer leaves out, or holds in a form that cannot be used, is asked for once more.
    async fn bulk_bodies(&self, ids: &[u64]) -> Result<Vec<(u64, Body)>, RequestError> {
        let (mut bodies, unusable): (Vec<_>, Vec<_>) =
            self.some_bodies(ids).await?.into_iter().partition(|(_, body)| body.is_ok());
        if !unusable.is_empty() {
            let again: Vec<u64> = unusable.iter().map(|(id, _)| *id).collect();
            bodies.extend(self.some_bodies(&again).await.unwrap_or(unusable));
        }
        Ok(bodies)
    }

    async fn some_bodies(&self, ids: &[u64]) -> Result<Vec<(u64, Body)>, RequestError> {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let body = json!({"issueIdsOrKeys": names, "fields": ["*all"], "fieldsByKeys": false});
        let mut answer = self.client.post(BULK_FETCH, &[], &body).await?;
        let issues = match answer.get_mut("issues").map(Value::take) {
            Some(Value::Array(issues)) => issues,
            _ => Vec::new(),
        };
        let mut bodies = Vec::with_capacity(issues.len());
        let mut came = HashSet::new();
        for issue in issues {
            let Value::Object(issue) = issue else { continue };
            let id = issue.get("id").and_then(number).filter(|id| ids.contains(id));
            if let Some(id) = id.filter(|id| came.insert(*id)) {
                bodies.push((id, self.parts(issue)));
            }
        }
        let absent = ids.iter().filter(|id| !came.contains(id));
        bodies.extend(absent.map(|id| (*id, Err(absence(&answer, *id)))));
        Ok(bodies)
    }

    fn parts(&self, mut issue: Map<String, Value>) -> Body {
        if let Some(fields) = issue.get("fields") {
            self.see_people(fields);
        }
        IssueParts::new(&mut issue)
            .map_err(|error| Unusable { kind: ProblemKind::Unreadable, message: error.to_string() })
    }
}

/// Why an issue that was asked for is not in an answer.
fn absence(answer: &Value, id: u64) -> Unusable {
    let errors = answer.get("issueErrors").and_then(Value::as_array).into_iter().flatten();
    let of_issue = |it: &&Value| id_of(it).is_some_and(|it| it == id.to_string());
    match errors.into_iter().find(of_issue) {
        Some(error) => Unusable {
            kind: ProblemKind::Unreadable,
            message: match error.get("errorMessage").and_then(Value::as_str) {
                Some(message) => format!("the site says: {message}"),
                None => "the site says that it cannot be read".into(),
            },
        },
        None => Unusable {
            kind: ProblemKind::Vanished,
            message: "it was listed, and was gone when it was to be read".into(),
        },
    }
}

/// Takes out the histories of some issues.
fn histories_of(ids: &[u64], histories: &mut HashMap<u64, History>) -> HashMap<u64, History> {
    ids.iter().filter_map(|id| Some((*id, histories.remove(id)?))).collect()
}
