//! What the last snapshot holds of the issues, read from its tree: there is no second truth.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::entry::Entry;
use esker_engine::source::{Base, BaseError, ReadBase};

use crate::jira::layout::{ISSUES, IssueKey, split_record};

/// An issue as the last snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::jira) struct KnownIssue {
    pub(in crate::jira) key: IssueKey,
    /// Its `updated`, in milliseconds since 1970.
    pub(in crate::jira) updated: Option<i64>,
}

/// All issues of the last snapshot.
#[derive(Debug, Default)]
pub(in crate::jira) struct Known {
    /// By id.
    pub(in crate::jira) issues: HashMap<u64, KnownIssue>,
    /// Number of issues by project.
    pub(in crate::jira) projects: HashMap<String, u64>,
    /// Issues that hold a worklog that was asked for.
    pub(in crate::jira) with_worklogs: HashSet<IssueKey>,
    /// Issues that were not read whole, or of which a broken-off scan stored a part.
    pub(in crate::jira) incomplete: HashSet<u64>,
    /// Folders without an issue, and second folders of one: leftovers of scans that were broken off.
    pub(in crate::jira) strays: Vec<IssueKey>,
}

/// A record of an issue in the last snapshot: tree key and entry.
pub(in crate::jira) type BaseRecord = (Bytes, Entry);

impl Known {
    /// Reads the tree from end to end; looks for the issues that hold these worklogs on the way.
    pub(in crate::jira) async fn read(
        base: Option<&Base>,
        worklogs: HashSet<u64>,
    ) -> Result<Self, BaseError> {
        let Some(base) = base else {
            return Ok(Self::default());
        };
        let reader = Arc::clone(base.reader());
        blocking(move || Self::walk(&*reader, &worklogs)).await
    }

    fn walk(reader: &dyn ReadBase, worklogs: &HashSet<u64>) -> Result<Self, BaseError> {
        let mut known = Self::default();
        let mut folder: Option<Folder> = None;
        for found in reader.entries(ISSUES, &[]) {
            let (key, entry) = found?;
            let Some((issue, record)) = split_record(&key) else { continue };
            if folder.as_ref().is_none_or(|folder| folder.issue != issue) {
                known.add(folder.replace(Folder::new(issue.clone())));
            }
            let Some(folder) = &mut folder else { continue };
            folder.records += 1;
            if record == "issue.json" {
                folder.entry = Some(entry);
            } else if worklog_of(record).is_some_and(|it| worklogs.contains(&it)) {
                known.with_worklogs.insert(issue);
            }
        }
        known.add(folder);
        Ok(known)
    }

    fn add(&mut self, folder: Option<Folder>) {
        let Some(folder) = folder else { return };
        let entry = folder.entry.as_ref();
        let Some((entry, (id, records))) = entry.and_then(|it| Some((it, token(&it.version)?)))
        else {
            self.strays.push(folder.issue);
            return;
        };
        let key = folder.issue;
        let updated = entry
            .metadata
            .modified
            .map(|it| it.seconds.saturating_mul(1000) + i64::from(it.nanoseconds / 1_000_000));
        match self.projects.get_mut(key.project()) {
            Some(count) => *count += 1,
            None => _ = self.projects.insert(key.project().to_owned(), 1),
        }
        if records != Some(folder.records) {
            self.incomplete.insert(id);
        }
        // A move that was broken off leaves an issue in both places; which one is right is seen when it is read.
        if let Some(other) = self.issues.insert(id, KnownIssue { key, updated }) {
            self.incomplete.insert(id);
            self.strays.push(other.key);
        }
    }
}

/// The records of one issue as they are met.
struct Folder {
    issue: IssueKey,
    records: u64,
    /// That of `issue.json`.
    entry: Option<Entry>,
}

impl Folder {
    fn new(issue: IssueKey) -> Self {
        Self { issue, records: 0, entry: None }
    }
}

/// The change token of `issue.json`: the issue's id and the number of its records, so that a folder of which only a part was
/// stored is noticed.
pub(in crate::jira) fn make_token(id: u64, records: Option<u64>) -> Bytes {
    match records {
        Some(records) => format!("{id}/{records}").into(),
        None => format!("{id}/?").into(),
    }
}

fn token(version: &[u8]) -> Option<(u64, Option<u64>)> {
    let (id, records) = std::str::from_utf8(version).ok()?.split_once('/')?;
    Some((id.parse().ok()?, records.parse().ok()))
}

fn worklog_of(record: &str) -> Option<u64> {
    record.strip_prefix("worklogs\0")?.strip_suffix(".json")?.parse().ok()
}

/// Reads all records of some issues.
pub(in crate::jira) async fn records(
    base: Option<&Base>,
    issues: Vec<IssueKey>,
) -> Result<HashMap<IssueKey, Vec<BaseRecord>>, BaseError> {
    let Some(base) = base.filter(|_| !issues.is_empty()) else {
        return Ok(HashMap::new());
    };
    let reader = Arc::clone(base.reader());
    blocking(move || {
        let of_issue =
            |issue: IssueKey| Ok((issue.clone(), below(&*reader, ISSUES, &issue.prefix())?));
        issues.into_iter().map(of_issue).collect()
    })
    .await
}

/// All entries of a collection whose keys begin with a prefix.
pub(in crate::jira) async fn entries(
    base: Option<&Base>,
    collection: &'static str,
    prefix: Vec<u8>,
) -> Result<Vec<BaseRecord>, BaseError> {
    let Some(base) = base else {
        return Ok(Vec::new());
    };
    let reader = Arc::clone(base.reader());
    blocking(move || below(&*reader, collection, &prefix)).await
}

fn below(
    reader: &dyn ReadBase,
    collection: &str,
    prefix: &[u8],
) -> Result<Vec<BaseRecord>, BaseError> {
    reader
        .entries(collection, prefix)
        .take_while(|it| it.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)))
        .collect()
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, BaseError> + Send + 'static,
) -> Result<T, BaseError> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(BaseError { collection: ISSUES.into(), source: error.into() }))
}
