//! One scan of a site: what there is, what changed, what is gone, and how much of it was seen.

mod changed;
mod configuration;
mod extras;
mod issues;
mod known;
pub(super) mod listing;
mod missing;
mod people;
mod projects;
mod store;
mod sweep;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use esker_engine::context::RunContext;
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{
    Base, ChangeSink, CollectionEnd, Ledger, ScanEnd, ScanMode, SourceError,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use self::changed::{Rotation, WorklogFeeds};
use self::issues::{Due, Fetched, Unusable};
use self::known::Known;
use self::listing::Outages;
use self::sweep::Sweep;
use super::attachments::chain;
use super::client::{Client, RequestError};
use super::config::JiraOptions;
use super::cursor::Cursor;
use super::document::people;
use super::layout::{ISSUES, IssueKey, path};

/// Large attachments that are open at a time. No more than there are connections: one that breaks needs one to go on.
const OPEN_DOWNLOADS: usize = 6;
/// More issues than this are not remembered for another try: then the whole window is read again.
const RETRIES: usize = 10_000;

/// What a scan works with.
pub(super) struct Scan<'a> {
    client: Client,
    options: &'a JiraOptions,
    base: Option<&'a Base>,
    mode: ScanMode,
    changes: &'a ChangeSink,
    ctx: &'a RunContext,
    /// Where the last scan ended, if what it says can be used.
    cursor: Option<Cursor>,
    /// When this scan began, by the server's clock.
    started: Timestamp,
    time_zone: String,
    /// The place of the collection among those of the source.
    issues: usize,
    downloads: Arc<Semaphore>,
    outages: Outages,
    found: Mutex<Found>,
}

/// What is gathered on the way.
#[derive(Default)]
struct Found {
    retry: BTreeSet<u64>,
    lost: BTreeMap<String, String>,
    /// People whom documents mention, by account.
    people: HashMap<String, Value>,
    ledger: Ledger,
}

/// Who asks, and when.
pub(super) struct Session {
    pub(super) started: Timestamp,
    pub(super) time_zone: String,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        client: Client,
        options: &'a JiraOptions,
        base: Option<&'a Base>,
        mode: ScanMode,
        session: Session,
        changes: &'a ChangeSink,
        ctx: &'a RunContext,
    ) -> Self {
        let cursor = base.and_then(|it| Cursor::decode(it.cursor(ISSUES)?));
        // Stored times are written in the time zone of the account: in another one, all documents are others.
        let cursor = cursor.filter(|it| it.time_zone == session.time_zone);
        let lost = cursor.as_ref().map(|it| it.lost.clone()).unwrap_or_default();
        Self {
            client,
            options,
            base,
            mode,
            changes,
            ctx,
            cursor,
            started: session.started,
            time_zone: session.time_zone,
            issues: changes.collection(ISSUES),
            downloads: Arc::new(Semaphore::new(OPEN_DOWNLOADS.min(options.connections).max(1))),
            outages: Outages::default(),
            found: Mutex::new(Found { lost, ..Found::default() }),
        }
    }

    /// Scans.
    pub(super) async fn run(self) -> Result<ScanEnd, SourceError> {
        let projects = projects::list(&self.client, |key| self.options.wants(key)).await;
        let projects = projects.map_err(|error| self.failed(error))?;
        let feeds = self.feeds().await?;
        let swept = sweep::sweep(&self.client, &projects, self.options.connections).await;
        let mut sweep = swept.map_err(|error| self.failed(error))?;
        let mut known = Known::read(self.base, feeds.deleted.clone()).await?;
        self.remove_strays(&mut known, &sweep).await?;
        self.allow_resuming();
        let missing = self.find_missing(&mut sweep, &known, &projects).await?;
        let due = self.due(&sweep, &known, &feeds).await?;
        self.changes.unchanged((sweep.issues.len() - due.len().min(sweep.issues.len())) as u64);
        self.read_issues(&due, &known).await?;
        self.remove(&missing.deleted, &known).await?;
        let issues = verdict::of_issues(&sweep, &missing.counts);
        let mut ends = self.settings(&projects).await?;
        let people = self.people(self.configuration_is_due()).await?;
        ends.extend(people);
        self.tell_lost();
        ends.push(CollectionEnd {
            name: ISSUES.into(),
            cursor: self.next_cursor(&feeds, &missing.counts).map(|it| it.encode()),
            completeness: issues,
        });
        let ledger = std::mem::take(&mut self.found().ledger);
        Ok(ScanEnd { collections: ends, requests: self.client.request_count(), ledger })
    }

    async fn feeds(&self) -> Result<WorklogFeeds, SourceError> {
        let Some(cursor) = self.cursor.as_ref().filter(|_| self.mode == ScanMode::Incremental)
        else {
            let until = self.started.as_millisecond();
            return Ok(WorklogFeeds { until, ..WorklogFeeds::default() });
        };
        match changed::worklogs(&self.client, cursor).await {
            Ok(feeds) => Ok(feeds),
            Err(error) if self.outages.end_scan(&error) => Err(self.failed(error)),
            Err(error) => {
                // Most changes of worklogs show in their issues, too; the next scan asks for the same time again.
                self.changes.problem(Problem {
                    path: format!("/{ISSUES}"),
                    kind: ProblemKind::Unreadable,
                    message: format!("changes of worklogs are not told: {}", chain(&error)),
                    stale: true,
                });
                Ok(WorklogFeeds { until: cursor.worklogs, ..WorklogFeeds::default() })
            }
        }
    }

    /// The issues to read: all, or those that are new, moved, changed, not read whole last time, or due by the rotation.
    async fn due(
        &self,
        sweep: &Sweep,
        known: &Known,
        feeds: &WorklogFeeds,
    ) -> Result<BTreeMap<u64, Due>, SourceError> {
        let cursor = self.cursor.as_ref().filter(|_| self.mode == ScanMode::Incremental);
        let Some(cursor) = cursor else {
            return Ok(sweep.issues.keys().map(|id| (*id, Due { extras: true })).collect());
        };
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        let overlap = self.options.overlap;
        let changed = changed::by_update(&self.client, cursor.started, overlap, &zone).await;
        let changed = changed.map_err(|error| self.failed(error))?;
        let rotation = Rotation::new(self.options.rotation, cursor.rotation, self.started);
        let mut due = BTreeMap::new();
        for (id, key) in &sweep.issues {
            let base = known.issues.get(id);
            let whole = base.is_none()
                || cursor.retry.contains(id)
                || known.incomplete.contains(id)
                || rotation.is_due(*id);
            let changed = changed.contains(id)
                || feeds.issues.contains(id)
                || base.is_some_and(|it| it.key != *key || known.with_worklogs.contains(&it.key))
                || sweep.changed.contains(id);
            if whole || changed {
                due.insert(*id, Due { extras: whole });
            }
        }
        Ok(due)
    }

    /// Takes out what scans that were broken off have left behind.
    async fn remove_strays(&self, known: &mut Known, sweep: &Sweep) -> Result<(), SourceError> {
        let mut strays = std::mem::take(&mut known.strays);
        for stray in &mut strays {
            // Of an issue in two places the one where the site has it stays.
            let twin = known
                .issues
                .iter_mut()
                .find(|(id, it)| sweep.issues.get(id) == Some(&*stray) && it.key != *stray);
            if let Some((_, issue)) = twin {
                std::mem::swap(&mut issue.key, stray);
            }
        }
        for (_, records) in known::records(self.base, strays).await? {
            for (key, _) in records {
                self.changes.delete(self.issues, key).await?;
            }
        }
        Ok(())
    }

    /// Lets a first scan that is broken off be continued: what it stored is not read again unless it changed.
    fn allow_resuming(&self) {
        if self.cursor.is_none() {
            let mut cursor = Cursor::new(self.started, &self.time_zone);
            cursor.unfinished = true;
            self.changes.resume_from(self.issues, cursor.encode());
        }
    }

    fn next_cursor(&self, feeds: &WorklogFeeds, counts: &missing::Counts) -> Option<Cursor> {
        let mut cursor = Cursor::new(self.started, &self.time_zone);
        cursor.worklogs = feeds.until;
        cursor.hidden = counts.hidden();
        cursor.configured = match &self.cursor {
            Some(last) if !self.configuration_is_due() => last.configured,
            _ => self.started,
        };
        let found = self.found();
        cursor.retry.clone_from(&found.retry);
        cursor.lost.clone_from(&found.lost);
        if cursor.retry.len() > RETRIES {
            return self.cursor.clone();
        }
        Some(cursor)
    }

    pub(super) fn configuration_is_due(&self) -> bool {
        let Some(cursor) = self.cursor.as_ref().filter(|_| self.mode == ScanMode::Incremental)
        else {
            return true;
        };
        let age = self.started.as_millisecond() - cursor.configured.as_millisecond();
        u128::try_from(age).is_ok_and(|age| age >= self.options.configuration.as_millis())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_if_cancelled(&self) -> Result<(), SourceError> {
        if self.ctx.cancel.is_cancelled() { Err(SourceError::Cancelled) } else { Ok(()) }
    }

    /// The end of the scan that a failed request means.
    fn failed(&self, error: RequestError) -> SourceError {
        if self.ctx.cancel.is_cancelled() {
            return SourceError::Cancelled;
        }
        SourceError::Unreadable { what: self.options.site.clone(), source: Box::new(error) }
    }

    /// Remembers whom a document mentions.
    fn see_people(&self, value: &Value) {
        let mut found = self.found();
        people(value, &mut |account, person: &Map<String, Value>| {
            if !found.people.contains_key(account) {
                found.people.insert(account.to_owned(), Value::Object(person.clone()));
            }
        });
    }

    fn note_stored(&self, fetched: &Fetched, key: &IssueKey) {
        self.outages.are_over();
        let mut found = self.found();
        if let Some(moved) = fetched.known.as_ref().filter(|known| *known != key) {
            found.forget_lost(moved);
        }
    }

    /// Says that an issue could not be read at all; the last snapshot's state of it stays.
    fn trouble_with_issue(&self, id: u64, known: Option<&IssueKey>, unusable: Unusable) {
        let path = match known {
            Some(key) => path(ISSUES, &key.prefix()).trim_end_matches('/').to_owned(),
            None => format!("/{ISSUES}/{id}"),
        };
        self.found().retry.insert(id);
        let stale = known.is_some();
        let Unusable { kind, message } = unusable;
        self.changes.problem(Problem { path, kind, message, stale });
    }

    /// True for an attachment that the server had lost when it was last asked for.
    fn is_lost(&self, path: &str, try_again: bool) -> bool {
        let mut found = self.found();
        if try_again {
            found.lost.remove(path);
        }
        found.lost.contains_key(path)
    }

    /// The projects of issues that are carried forward unseen.
    fn vanished_projects(&self) -> HashSet<String> {
        let found = self.found();
        let keys = found.ledger.vanished.iter().filter_map(|key| IssueKey::parse(key));
        keys.map(|key| key.project().to_owned()).collect()
    }

    fn note_lost(&self, path: String, message: String) {
        self.found().lost.insert(path, message);
    }

    /// Lists what the server has lost; by every scan, since no snapshot has it.
    fn tell_lost(&self) {
        let lost = self.found().lost.clone();
        for (path, message) in lost {
            let kind = ProblemKind::Vanished;
            self.changes.problem(Problem { path, kind, message, stale: false });
        }
    }
}

impl Found {
    /// Forgets the lost attachments of an issue that is gone from this key.
    fn forget_lost(&mut self, issue: &IssueKey) {
        let folder = path(ISSUES, &issue.prefix());
        self.lost.retain(|path, _| !path.starts_with(&folder));
    }
}
