//! Users: all that the account may list, and all whom documents mention.

use std::collections::{BTreeSet, HashMap, HashSet};

use esker_engine::entry::{Entry, EntryKind};
use esker_engine::source::{CollectionEnd, Completeness, CompletenessState, Payload, SourceError};
use serde_json::Value;

use super::Scan;
use super::{known, listing};
use crate::jira::attachments::chain;
use crate::jira::client::pages::OffsetPages;
use crate::jira::client::{Client, RequestError};
use crate::jira::document::{canonical, strip};
use crate::jira::layout::{USERS, document_key};

const LIST: &str = "/rest/api/3/users/search";
const BY_ID: &str = "/rest/api/3/user/bulk";
const PERMISSIONS: &str = "/rest/api/3/mypermissions";
/// Users of a page of the list.
const PAGE: u32 = 1000;
/// Users that are asked for by account at a time: the address must not become too long.
const BY_ID_BATCH: usize = 50;

/// Whether the account administers Jira; no, where it is not told.
pub(super) async fn is_administrator(client: &Client) -> Result<bool, RequestError> {
    let query = [("permissions", "ADMINISTER".to_owned())];
    let answer = client.get_optional(PERMISSIONS, &[], &query).await?;
    let has =
        |it: Value| it.get("permissions")?.get("ADMINISTER")?.get("havePermission")?.as_bool();
    Ok(answer.and_then(has).unwrap_or(false))
}

impl Scan<'_> {
    /// Stores users: all of them where the list is due, else those whom this scan met for the first time.
    pub(super) async fn people(
        &self,
        list_is_due: bool,
    ) -> Result<Option<CollectionEnd>, SourceError> {
        let base = known::entries(self.base, USERS, Vec::new()).await?;
        let known: HashSet<_> = base.into_iter().map(|(key, _)| key).collect();
        let mut met = std::mem::take(&mut self.found().people);
        met.retain(|account, _| !account.is_empty());
        let mut listed = HashMap::new();
        let mut refused = None;
        if list_is_due {
            match self.listed().await {
                Ok(users) => listed = users,
                Err(error) if self.outages.end_scan(&error) => return Err(self.failed(error)),
                Err(error) => refused = Some(error),
            }
        }
        let of_base = known.iter().filter_map(|key| {
            let name = std::str::from_utf8(key).ok()?.strip_suffix(".json")?;
            (list_is_due && refused.is_none()).then(|| name.to_owned())
        });
        let unlisted: BTreeSet<String> = met
            .keys()
            .filter(|account| list_is_due || !known.contains(&document_key(&[], account)))
            .cloned()
            .chain(of_base)
            .filter(|account| !listed.contains_key(account))
            .collect();
        let asked = self.by_id(&unlisted, &mut refused).await?;
        let found = (known.len() + listed.len()) as u64;
        for account in unlisted {
            // One who was deleted is known only by what documents still say of him.
            let user = asked.get(&account).cloned();
            let is_known = known.contains(&document_key(&[], &account));
            let user = user.or_else(|| met.get(&account).filter(|_| !is_known).map(name_of));
            listed.extend(user.map(|user| (account, user)));
        }
        let index = self.changes.collection(USERS);
        for (account, mut user) in listed {
            strip(&mut user);
            let entry = Entry::new(EntryKind::Document);
            let text = Payload::Bytes(canonical(&user));
            self.changes.put(index, document_key(&[], &account), entry, text).await?;
        }
        Ok(list_is_due.then(|| end(found, refused)))
    }

    async fn listed(&self) -> Result<HashMap<String, Value>, RequestError> {
        let pages = OffsetPages::new(&self.client, LIST, &[], &[], "values", PAGE);
        let users: Option<_> = listing::all(pages).await?.into_iter().map(with_account).collect();
        users.ok_or_else(|| listing::no_items(format!("GET {LIST}")))
    }

    async fn by_id(
        &self,
        accounts: &BTreeSet<String>,
        refused: &mut Option<RequestError>,
    ) -> Result<HashMap<String, Value>, SourceError> {
        let accounts: Vec<_> = accounts.iter().collect();
        let mut users = HashMap::new();
        for batch in accounts.chunks(BY_ID_BATCH) {
            let query: Vec<_> = batch.iter().map(|it| ("accountId", (*it).clone())).collect();
            let page = BY_ID_BATCH as u32;
            let pages = OffsetPages::new(&self.client, BY_ID, &[], &query, "values", page);
            match listing::all(pages).await {
                Ok(found) => users.extend(found.into_iter().filter_map(with_account)),
                Err(error) if self.outages.end_scan(&error) => return Err(self.failed(error)),
                Err(error) => {
                    tracing::debug!(%error, "users are taken as documents mention them");
                    refused.get_or_insert(error);
                }
            }
        }
        Ok(users)
    }
}

fn with_account(user: Value) -> Option<(String, Value)> {
    Some((user.get("accountId")?.as_str()?.to_owned(), user))
}

/// What stays of one whom the site knows no more.
fn name_of(person: &Value) -> Value {
    let kept = ["accountId", "accountType", "displayName"];
    let members =
        kept.iter().filter_map(|name| Some(((*name).to_owned(), person.get(name)?.clone())));
    Value::Object(members.collect())
}

fn end(found: u64, refused: Option<RequestError>) -> CollectionEnd {
    let state = match &refused {
        None => CompletenessState::Complete,
        Some(error) if listing::is_refused(error) => CompletenessState::NotPermitted,
        Some(_) => CompletenessState::Failed,
    };
    let detail = refused.map(|error| chain(&error)).unwrap_or_default();
    let completeness = Completeness { state, expected: None, found, detail, parts: Vec::new() };
    CollectionEnd { name: USERS.into(), cursor: None, completeness }
}
