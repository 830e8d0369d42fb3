//! What issues have that no bulk call gives: remote links, watchers, votes, properties. Each is read when something in the
//! issue says that it changed, and by the rotation.

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::problem::ProblemKind;
use esker_engine::source::SourceError;
use serde_json::{Map, Value};

use super::Scan;
use super::issues::Fetched;
use super::listing;
use super::store::Records;
use crate::jira::client::RequestError;
use crate::jira::document::{canonical, number, strip};
use crate::jira::layout::Record;

const REMOTE_LINKS: &str = "/rest/api/3/issue/{}/remotelink";
const WATCHERS: &str = "/rest/api/3/issue/{}/watchers";
const VOTES: &str = "/rest/api/3/issue/{}/votes";
const PROPERTIES: &str = "/rest/api/3/issue/{}/properties";
const PROPERTY: &str = "/rest/api/3/issue/{}/properties/{}";

/// Fields under which histories tell of remote links.
const LINK_FIELDS: [&str; 2] = ["RemoteIssueLink", "RemoteWorkItemLink"];

impl Scan<'_> {
    pub(super) async fn extras(
        &self,
        records: &mut Records<'_>,
        fetched: &Fetched,
    ) -> Result<(), SourceError> {
        let parts = &fetched.parts;
        let links = fetched.history.as_ref().map(|history| link_changes(history));
        let signs = [
            (Record::RemoteLinks, links, false),
            (Record::Watchers, parts.watchers, parts.watchers == Some(0)),
            (Record::Votes, parts.votes, parts.votes == Some(0)),
            (Record::Properties, None, false),
        ];
        for (record, sign, is_none) in signs {
            if is_none {
                continue;
            }
            if !(fetched.due.extras || differs(records, &record, sign)) {
                records.keep(name(&record));
                continue;
            }
            let name = name(&record);
            if self.outages.is_out(name) {
                records.trouble(name, ProblemKind::Unreadable, listing::OUT.into());
                continue;
            }
            let read = self.extra(&record, &parts.id.to_string()).await;
            self.outages.note(name, read.as_ref().err());
            match read {
                // Where they are counted and not told, the account may not see them: what it saw once stays.
                Ok(None) if matches!(record, Record::Watchers | Record::Votes) => {
                    records.keep(name);
                }
                Ok(None) => {}
                Ok(Some(document)) => {
                    let mut entry = Entry::new(EntryKind::Document);
                    entry.version = sign.map_or_else(Bytes::new, |it| it.to_string().into());
                    records.document(&record, entry, canonical(&document));
                }
                // A site may do without watching or voting: then its issues do not count them.
                Err(error) if is_uncounted(&record, sign) && listing::is_refused(&error) => {
                    records.keep(name);
                }
                Err(error) => records.request_trouble(self, name, error)?,
            }
        }
        Ok(())
    }

    /// Reads one of them; `None` where the issue has none.
    async fn extra(&self, record: &Record<'_>, id: &str) -> Result<Option<Value>, RequestError> {
        match record {
            Record::RemoteLinks => self.remote_links(id).await,
            Record::Watchers => self.people_of(WATCHERS, id, "watchers").await,
            Record::Votes => self.people_of(VOTES, id, "voters").await,
            _ => self.properties(id).await,
        }
    }

    async fn remote_links(&self, id: &str) -> Result<Option<Value>, RequestError> {
        let mut links = self.client.get(REMOTE_LINKS, &[id], &[]).await?;
        strip(&mut links);
        let Value::Array(mut links) = links else {
            return Err(listing::no_items(format!("GET {REMOTE_LINKS}")));
        };
        links.sort_by_key(|it| it.get("id").and_then(number));
        links.dedup();
        Ok(Some(Value::Array(links)).filter(|it| it.as_array().is_some_and(|it| !it.is_empty())))
    }

    /// Watchers or voters, by account: the order of the answer means nothing.
    async fn people_of(
        &self,
        template: &'static str,
        id: &str,
        list: &str,
    ) -> Result<Option<Value>, RequestError> {
        let mut answer = self.client.get(template, &[id], &[]).await?;
        self.see_people(&answer);
        strip(&mut answer);
        let account = |it: &Value| it.get("accountId").and_then(Value::as_str).map(String::from);
        match answer.get_mut(list).map(Value::take) {
            Some(Value::Array(mut people)) if !people.is_empty() => {
                people.sort_by_key(account);
                Ok(Some(Value::Array(people)))
            }
            _ => Ok(None),
        }
    }

    /// All entity properties by key. They belong to apps and are stored as they are.
    async fn properties(&self, id: &str) -> Result<Option<Value>, RequestError> {
        let answer = self.client.get(PROPERTIES, &[id], &[]).await?;
        let keys = answer.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| listing::no_items(format!("GET {PROPERTIES}")))?;
        let mut properties = Map::new();
        for key in keys.iter().filter_map(|it| it.get("key")?.as_str()) {
            let mut property = self.client.get(PROPERTY, &[id, key], &[]).await?;
            let value = property.get_mut("value").map(Value::take);
            let value = value.ok_or_else(|| listing::no_items(format!("GET {PROPERTY}")))?;
            properties.insert(key.to_owned(), value);
        }
        Ok(Some(Value::Object(properties))
            .filter(|it| it.as_object().is_some_and(|it| !it.is_empty())))
    }
}

fn name(record: &Record<'_>) -> &'static str {
    match record {
        Record::RemoteLinks => "remote-links.json",
        Record::Watchers => "watchers.json",
        Record::Votes => "votes.json",
        _ => "properties.json",
    }
}

fn is_uncounted(record: &Record<'_>, sign: Option<u64>) -> bool {
    matches!(record, Record::Watchers | Record::Votes) && sign.is_none()
}

/// True where the sign of a change is not the one that the last snapshot was read at.
fn differs(records: &Records<'_>, record: &Record<'_>, sign: Option<u64>) -> bool {
    let Some(sign) = sign else {
        return false;
    };
    match records.base(record) {
        Some(entry) => entry.version != sign.to_string(),
        None => sign > 0,
    }
}

/// How often the history tells of remote links.
fn link_changes(history: &[Value]) -> u64 {
    let items = history.iter().filter_map(|it| it.get("items")?.as_array()).flatten();
    let fields = items.filter_map(|it| it.get("field")?.as_str());
    fields.filter(|field| LINK_FIELDS.contains(field)).count() as u64
}
