//! From one issue to its records: what is new is pushed, what is gone is deleted, what could not be read is kept.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind, Metadata};
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{Payload, SourceError};
use serde_json::Value;

use super::Scan;
use super::issues::{Due, Fetched};
use super::known::{BaseRecord, make_token};
use super::listing;
use crate::jira::attachments::{self, AttachmentError};
use crate::jira::client::RequestError;
use crate::jira::client::pages::OffsetPages;
use crate::jira::document::{canonical, id_of, strip};
use crate::jira::issue::{Attachment, Embedded};
use crate::jira::layout::{self, HISTORY_BLOCK, ISSUES, IssueKey, Record};
use crate::jira::time;

/// Comments of an issue, 100 a page whatever is asked for.
const COMMENTS: &str = "/rest/api/3/issue/{}/comment";
/// Worklogs of an issue, up to 5,000 a page.
const WORKLOGS: &str = "/rest/api/3/issue/{}/worklog";

/// The folder of attachments.
const ATTACHMENTS: &str = "attachments\0";

/// One record on its way into the tree.
struct Pushed {
    key: Bytes,
    entry: Entry,
    payload: Payload,
}

/// The records of one issue as they are gathered.
pub(super) struct Records<'a> {
    issue: &'a IssueKey,
    /// What the last snapshot holds, by the part of the key after the issue's prefix.
    base: HashMap<String, &'a Entry>,
    pushed: Vec<Pushed>,
    /// Keys of attachments, which are not held until all is gathered: they would wait for each other.
    sent: Vec<Bytes>,
    /// Beginnings of names of records that stay as they are.
    kept: Vec<String>,
    problems: Vec<Problem>,
}

impl<'a> Records<'a> {
    fn new(issue: &'a IssueKey, base: &'a [BaseRecord]) -> Self {
        let of = |(key, entry): &'a BaseRecord| Some((record_name(key)?, entry));
        Self {
            issue,
            base: base.iter().filter_map(of).collect(),
            pushed: Vec::new(),
            sent: Vec::new(),
            kept: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The entry of the last snapshot for a record.
    pub(super) fn base(&self, record: &Record<'_>) -> Option<&'a Entry> {
        record_name(&self.issue.record(record)).and_then(|name| self.base.get(&name).copied())
    }

    /// True where the last snapshot has records whose names begin so.
    fn has(&self, name: &str) -> bool {
        self.base.keys().any(|known| known.starts_with(name))
    }

    /// Stores a document.
    pub(super) fn document(&mut self, record: &Record<'_>, mut entry: Entry, text: Bytes) {
        entry.kind = EntryKind::Document;
        self.pushed.push(Pushed {
            key: self.issue.record(record),
            entry,
            payload: Payload::Bytes(text),
        });
    }

    /// Leaves records whose names begin so as the last snapshot has them.
    pub(super) fn keep(&mut self, name: impl Into<String>) {
        self.kept.push(name.into());
    }

    /// What stays as the last snapshot has it, under the issue's present key.
    fn kept_entries(&self) -> Vec<(Bytes, Entry)> {
        let pushed: HashSet<&Bytes> = self.pushed.iter().map(|it| &it.key).collect();
        let kept = |name: &str| self.kept.iter().any(|prefix| name.starts_with(prefix.as_str()));
        let base = self.base.iter().filter(|(name, _)| kept(name));
        let entries = base.map(|(name, entry)| {
            (Bytes::from([&self.issue.prefix(), name.as_bytes()].concat()), (*entry).clone())
        });
        entries.filter(|(key, _)| !pushed.contains(key)).collect()
    }

    /// Says that a part could not be read, and keeps the last snapshot's state of it.
    pub(super) fn trouble(&mut self, name: &str, kind: ProblemKind, message: String) {
        let path = layout::path(ISSUES, &[&self.issue.prefix(), name.as_bytes()].concat());
        let stale = self.has(name);
        self.problems.push(Problem {
            path: path.trim_end_matches('/').into(),
            kind,
            message,
            stale,
        });
        self.keep(name);
    }

    /// As [`trouble`](Self::trouble), for a request that failed.
    ///
    /// # Errors
    /// Where the request failed in a way that ends everything.
    pub(super) fn request_trouble(
        &mut self,
        scan: &Scan<'_>,
        name: &str,
        error: RequestError,
    ) -> Result<(), SourceError> {
        if scan.outages.end_scan(&error) {
            return Err(scan.failed(error));
        }
        let kind = match &error {
            error if listing::is_forbidden(error) => ProblemKind::NotPermitted,
            error if listing::is_missing(error) => ProblemKind::Vanished,
            _ => ProblemKind::Unreadable,
        };
        self.trouble(name, kind, attachments::chain(&error));
        Ok(())
    }
}

/// The part of a tree key after the issue's prefix.
fn record_name(key: &[u8]) -> Option<String> {
    layout::split_record(key).map(|(_, name)| name.to_owned())
}

impl Scan<'_> {
    /// Pushes all records of an issue, and deletes those that it has no more. `issue.json` comes last, and says how many there
    /// are: what is stored of an issue when a scan is broken off is then seen not to be all.
    pub(super) async fn store_issue(&self, fetched: Fetched) -> Result<(), SourceError> {
        let key = fetched.parts.key.clone();
        let mut records = Records::new(&key, &fetched.base);
        self.comments(&mut records, &fetched).await?;
        self.worklogs(&mut records, &fetched).await?;
        history(&mut records, &fetched);
        self.extras(&mut records, &fetched).await?;
        for attachment in fetched.parts.attachments.iter().flatten() {
            self.attachment(&mut records, attachment, fetched.due).await?;
        }
        if fetched.parts.attachments.is_none() && records.has(ATTACHMENTS) {
            let message = "the issue does not say which it has".into();
            records.trouble(ATTACHMENTS, ProblemKind::Unreadable, message);
        }
        if fetched.parts.nameless > 0 {
            let message = "the issue does not name all of them".into();
            records.trouble(ATTACHMENTS, ProblemKind::Unreadable, message);
        }
        let kept = records.kept_entries();
        let count = (records.pushed.len() + records.sent.len() + kept.len() + 1) as u64;
        let mut entry = Entry::new(EntryKind::Document);
        entry.version =
            make_token(fetched.parts.id, Some(count).filter(|_| records.problems.is_empty()));
        entry.metadata.modified = fetched.parts.updated.map(time::stored);
        records.document(&Record::Issue, entry, fetched.parts.document.clone());
        self.push(records, kept, &fetched).await
    }

    async fn push(
        &self,
        records: Records<'_>,
        kept: Vec<(Bytes, Entry)>,
        fetched: &Fetched,
    ) -> Result<(), SourceError> {
        let mut present: HashSet<Bytes> = kept.iter().map(|(key, _)| key.clone()).collect();
        present.extend(records.pushed.iter().map(|it| it.key.clone()));
        present.extend(records.sent);
        for (key, _) in fetched.base.iter().filter(|(key, _)| !present.contains(key)) {
            self.changes.delete(self.issues, key.clone()).await?;
        }
        if fetched.has_moved() {
            // What is kept goes with the issue to its new key; the content is the repository's already.
            for (key, entry) in kept {
                self.changes.put(self.issues, key, entry, Payload::None).await?;
            }
        }
        for Pushed { key, entry, payload } in records.pushed {
            self.changes.put(self.issues, key, entry, payload).await?;
        }
        self.note_stored(fetched, records.issue);
        for problem in records.problems {
            self.changes.problem(problem);
        }
        Ok(())
    }

    async fn comments(
        &self,
        records: &mut Records<'_>,
        fetched: &Fetched,
    ) -> Result<(), SourceError> {
        let list = &fetched.parts.comments;
        match self.list(list, COMMENTS, 100, "comments", fetched).await {
            Ok(comments) => self.each(records, comments, "comments\0", |id| Record::Comment(id)),
            Err(error) if is_off(list, records, "comments\0", &error) => {}
            Err(error) => records.request_trouble(self, "comments\0", error)?,
        }
        Ok(())
    }

    async fn worklogs(
        &self,
        records: &mut Records<'_>,
        fetched: &Fetched,
    ) -> Result<(), SourceError> {
        let list = &fetched.parts.worklogs;
        match self.list(list, WORKLOGS, 5000, "worklogs", fetched).await {
            Ok(worklogs) => self.each(records, worklogs, "worklogs\0", |id| Record::Worklog(id)),
            Err(error) if is_off(list, records, "worklogs\0", &error) => {}
            Err(error) => records.request_trouble(self, "worklogs\0", error)?,
        }
        Ok(())
    }

    /// An embedded list, or the whole one where the embedded one is cut.
    async fn list(
        &self,
        embedded: &Embedded,
        template: &'static str,
        page: u32,
        name: &'static str,
        fetched: &Fetched,
    ) -> Result<Vec<Value>, RequestError> {
        if embedded.is_whole() {
            return Ok(embedded.values.clone());
        }
        let id = fetched.parts.id.to_string();
        listing::all(OffsetPages::new(&self.client, template, &[&id], &[], name, page)).await
    }

    /// Stores each element of a list by its id.
    fn each(
        &self,
        records: &mut Records<'_>,
        values: Vec<Value>,
        name: &str,
        record: impl Fn(&str) -> Record<'_>,
    ) {
        for mut value in values {
            self.see_people(&value);
            strip(&mut value);
            if let Some(id) = id_of(&value) {
                let entry = Entry::new(EntryKind::Document);
                records.document(&record(&id), entry, canonical(&value));
            } else {
                let message = "one of them has no id".into();
                records.trouble(name, ProblemKind::Unreadable, message);
            }
        }
    }

    /// Leaves the bytes of an attachment as the last snapshot has them.
    async fn keep_attachment(
        &self,
        records: &mut Records<'_>,
        key: Bytes,
        attachment: &Attachment,
        base: &Entry,
    ) -> Result<(), SourceError> {
        let mut entry = base.clone();
        describe(&mut entry.metadata, attachment);
        if entry == *base {
            records.keep(record_name(&key).unwrap_or_default());
        } else {
            self.changes.put(self.issues, key.clone(), entry, Payload::None).await?;
            records.sent.push(key);
        }
        Ok(())
    }

    /// An attachment is fetched once: its bytes never change.
    async fn attachment(
        &self,
        records: &mut Records<'_>,
        attachment: &Attachment,
        due: Due,
    ) -> Result<(), SourceError> {
        let record = Record::Attachment(&attachment.id, &attachment.name);
        let key = records.issue.record(&record);
        let name = record_name(&key).unwrap_or_default();
        if let Some(base) = records.base(&record) {
            return self.keep_attachment(records, key, attachment, base).await;
        }
        let of_id = format!("{ATTACHMENTS}{}-", layout::safe_name(&attachment.id));
        if attachment.name.is_empty() && records.has(&of_id) {
            records.keep(of_id);
            return Ok(());
        }
        let path = layout::path(ISSUES, &key);
        if self.is_lost(&path, due.extras) {
            return Ok(());
        }
        if self.outages.is_out(ATTACHMENTS) {
            records.trouble(&name, ProblemKind::Unreadable, listing::OUT.into());
            return Ok(());
        }
        let mut entry = Entry::new(EntryKind::File);
        describe(&mut entry.metadata, attachment);
        let permit = self.downloads.clone().acquire_owned().await;
        let permit = permit.map_err(|_| SourceError::Cancelled)?;
        let fetched = attachments::fetch(&self.client, attachment, &path, permit).await;
        self.outages.note(ATTACHMENTS, fetched.as_ref().err().and_then(AttachmentError::request));
        match fetched {
            Ok(payload) => {
                self.changes.put(self.issues, key.clone(), entry, payload).await?;
                records.sent.push(key);
            }
            Err(AttachmentError::Request(error)) if self.outages.end_scan(&error) => {
                return Err(self.failed(error));
            }
            Err(AttachmentError::Request(error)) if listing::is_missing(&error) => {
                self.note_lost(path, attachments::chain(&error));
            }
            Err(error) => records.problems.push(attachments::problem(&path, &error)),
        }
        Ok(())
    }
}

/// What an attachment is like, as far as the issue says it.
fn describe(metadata: &mut Metadata, attachment: &Attachment) {
    let created = attachment.created.map(time::stored);
    metadata.modified = created.or(metadata.modified);
    let media_type = attachment.media_type.clone().map(Bytes::from);
    metadata.media_type = media_type.or(metadata.media_type.take());
}

/// True where an issue has no such list, and never had: a site may do without comments or time tracking.
fn is_off(list: &Embedded, records: &Records<'_>, name: &str, error: &RequestError) -> bool {
    list.total.is_none() && listing::is_refused(error) && !records.has(name)
}

/// Histories are stored in blocks, since they only grow at their end.
fn history(records: &mut Records<'_>, fetched: &Fetched) {
    let Some(history) = &fetched.history else {
        let message = "its history could not be read".into();
        records.trouble("history\0", ProblemKind::Unreadable, message);
        return;
    };
    for (number, block) in history.chunks(HISTORY_BLOCK).enumerate() {
        let text = canonical(&Value::Array(block.to_vec()));
        records.document(&Record::History(number), Entry::new(EntryKind::Document), text);
    }
}
