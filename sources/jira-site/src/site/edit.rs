//! What people do to issues, with what Jira does along: the changelog grows and `updated` moves.

use jiff::Timestamp;

use super::catalogue::{DONE_CATEGORY, ISSUE_TYPES, LINK_TYPES, STATUSES};
use super::clock::earlier;
use super::model::{
    Attachment, Change, ChangeItem, Comment, Document, FieldValue, Id, Issue, Link, RemoteLink,
    UserIndex, Worklog,
};
use super::state::State;
use super::{catalogue, fields};

/// Who does something, and when.
#[derive(Clone, Copy)]
pub(crate) struct By {
    pub(crate) author: Option<UserIndex>,
    pub(crate) at: Timestamp,
}

impl ChangeItem {
    /// A change of a system field.
    pub(crate) fn system(field: &'static str, field_id: Option<&str>) -> Self {
        Self {
            field,
            custom: false,
            field_id: field_id.map(str::to_owned),
            from: None,
            from_text: None,
            to: None,
            to_text: None,
        }
    }

    /// A change of a custom field.
    pub(crate) fn custom(number: u32) -> Self {
        let field = fields::by_number(number).map_or("Custom field", |field| field.name);
        let mut item = Self::system(field, Some(&format!("customfield_{number}")));
        item.custom = true;
        item
    }

    pub(crate) fn from(mut self, value: Option<String>, text: Option<String>) -> Self {
        (self.from, self.from_text) = (value, text);
        self
    }

    pub(crate) fn to(mut self, value: Option<String>, text: Option<String>) -> Self {
        (self.to, self.to_text) = (value, text);
        self
    }

    /// The texts alone, for fields whose values have no ids.
    pub(crate) fn texts(self, from: Option<String>, to: Option<String>) -> Self {
        self.from(None, from).to(None, to)
    }
}

impl State {
    /// Changes an issue and notes it in its changelog; does nothing if the account's world does not hold the issue.
    pub(crate) fn change(
        &mut self,
        issue: Id,
        by: By,
        items: Vec<ChangeItem>,
        apply: impl FnOnce(&mut Issue),
    ) {
        let keep = self.touches_kept(by.at);
        let id = self.next.change;
        let Some(issue) = self.issues.get_mut(&issue) else { return };
        self.next.change += 1;
        apply(issue);
        issue.history.push(Change { id, author: by.author, created: by.at, items });
        issue.touch(by.at, keep);
    }

    /// Moves `updated` alone.
    pub(crate) fn touch(&mut self, issue: Id, at: Timestamp) {
        let keep = self.touches_kept(at);
        if let Some(issue) = self.issues.get_mut(&issue) {
            issue.touch(at, keep);
        }
    }

    /// How far back a slow index may ask for earlier values of `updated`; `None` if it is not slow.
    fn touches_kept(&self, now: Timestamp) -> Option<Timestamp> {
        let lag = self.options.index_lag;
        (!lag.is_zero()).then(|| earlier(now, lag + lag))
    }

    pub(crate) fn transition(
        &mut self,
        issue: Id,
        by: By,
        status: usize,
        resolution: Option<usize>,
    ) {
        let Some(before) = self.issues.get(&issue) else { return };
        let mut items = Vec::new();
        if before.resolution != resolution {
            let (from, from_text) = named(before.resolution);
            let (to, to_text) = named(resolution);
            items.push(
                ChangeItem::system("resolution", Some("resolution"))
                    .from(from, from_text)
                    .to(to, to_text),
            );
        }
        let (from, to) = (&STATUSES[before.status], &STATUSES[status]);
        items.push(
            ChangeItem::system("status", Some("status"))
                .from(Some(from.id.to_owned()), Some(from.name.to_owned()))
                .to(Some(to.id.to_owned()), Some(to.name.to_owned())),
        );
        self.change(issue, by, items, |issue| {
            if STATUSES[issue.status].category != STATUSES[status].category {
                issue.status_since = by.at;
            }
            issue.status = status;
            issue.resolved = resolution.map(|_| issue.resolved.unwrap_or(by.at));
            issue.resolution = resolution;
            let done = STATUSES[status].category == DONE_CATEGORY;
            if let Some(FieldValue::ServiceLevel { stop, .. }) =
                issue.custom.get_mut(&fields::TIME_TO_RESOLUTION)
            {
                *stop = done.then_some(by.at);
            }
        });
    }

    pub(crate) fn assign(&mut self, issue: Id, by: By, to: Option<UserIndex>) {
        let Some(before) = self.issues.get(&issue) else { return };
        let (from, from_text) = self.person(before.assignee);
        let (into, into_text) = self.person(to);
        let item = ChangeItem::system("assignee", Some("assignee"))
            .from(from, from_text)
            .to(into, into_text);
        self.change(issue, by, vec![item], |issue| issue.assignee = to);
    }

    pub(crate) fn set_labels(&mut self, issue: Id, by: By, labels: Vec<String>) {
        let Some(before) = self.issues.get(&issue) else { return };
        let item = ChangeItem::system("labels", Some("labels"))
            .texts(Some(before.labels.join(" ")), Some(labels.join(" ")));
        self.change(issue, by, vec![item], |issue| issue.labels = labels);
    }

    pub(crate) fn set_priority(&mut self, issue: Id, by: By, priority: Option<usize>) {
        let Some(before) = self.issues.get(&issue) else { return };
        let text = |place: Option<usize>| {
            let priority = place.map(|place| &catalogue::PRIORITIES[place]);
            (priority.map(|it| it.id.to_owned()), priority.map(|it| it.name.to_owned()))
        };
        let ((from, from_text), (to, to_text)) = (text(before.priority), text(priority));
        let item =
            ChangeItem::system("priority", Some("priority")).from(from, from_text).to(to, to_text);
        self.change(issue, by, vec![item], |issue| issue.priority = priority);
    }

    pub(crate) fn set_summary(&mut self, issue: Id, by: By, summary: String) {
        let Some(before) = self.issues.get(&issue) else { return };
        let item = ChangeItem::system("summary", Some("summary"))
            .texts(Some(before.summary.clone()), Some(summary.clone()));
        self.change(issue, by, vec![item], |issue| issue.summary = summary);
    }

    pub(crate) fn set_description(&mut self, issue: Id, by: By, description: Document) {
        let Some(before) = self.issues.get(&issue) else { return };
        let words = |document: &Document| {
            let words = document.words(&self.users);
            (!words.is_empty()).then(|| words.chars().take(2000).collect::<String>())
        };
        let item = ChangeItem::system("description", Some("description"))
            .texts(words(&before.description), words(&description));
        self.change(issue, by, vec![item], |issue| issue.description = description);
    }

    /// Sets a custom field or empties it.
    pub(crate) fn set_custom(&mut self, issue: Id, by: By, number: u32, value: Option<FieldValue>) {
        let Some(before) = self.issues.get(&issue) else { return };
        let (from, from_text) = self.history_text(number, before.custom.get(&number));
        let (to, to_text) = self.history_text(number, value.as_ref());
        let item = ChangeItem::custom(number).from(from, from_text).to(to, to_text);
        self.change(issue, by, vec![item], |issue| {
            match value {
                Some(value) => issue.custom.insert(number, value),
                None => issue.custom.remove(&number),
            };
        });
    }

    pub(crate) fn add_comment(&mut self, issue: Id, by: By, comment: Comment) {
        let id = self.next.comment;
        let Some(found) = self.issues.get_mut(&issue) else { return };
        self.next.comment += 1;
        found.comments.push(Comment { id, ..comment });
        self.comment_places.insert(id, issue);
        self.touch(issue, by.at);
    }

    pub(crate) fn edit_comment(&mut self, issue: Id, by: By, place: usize, body: Document) {
        let Some(found) = self.issues.get_mut(&issue) else { return };
        let Some(comment) = found.comments.get_mut(place) else { return };
        comment.body = body;
        comment.update_author = by.author;
        comment.updated = by.at;
        self.touch(issue, by.at);
    }

    pub(crate) fn add_worklog(&mut self, issue: Id, by: By, worklog: Worklog) {
        let id = self.next.worklog;
        let Some(found) = self.issues.get(&issue) else { return };
        self.next.worklog += 1;
        let (spent, left) = (found.time_spent(), found.remaining_estimate);
        let number = |seconds: u64| Some(seconds.to_string());
        let now_spent = number(spent.unwrap_or(0) + worklog.seconds);
        let now_left = left.map(|left| left.saturating_sub(worklog.seconds));
        let items = vec![
            ChangeItem::system("timeestimate", Some("timeestimate"))
                .from(left.and_then(number), left.and_then(number))
                .to(number(now_left.unwrap_or(0)), number(now_left.unwrap_or(0))),
            ChangeItem::system("timespent", Some("timespent"))
                .from(spent.and_then(number), spent.and_then(number))
                .to(now_spent.clone(), now_spent),
            ChangeItem::system("WorklogId", None).to(number(id), number(id)),
        ];
        self.worklog_places.insert(id, issue);
        self.change(issue, by, items, |issue| {
            issue.remaining_estimate = Some(now_left.unwrap_or(0));
            issue.worklogs.push(Worklog { id, ..worklog });
        });
    }

    pub(crate) fn attach(&mut self, issue: Id, by: By, attachment: Attachment) -> Id {
        let id = self.next.attachment;
        self.next.attachment += 1;
        let item = ChangeItem::system("Attachment", Some("attachment"))
            .to(Some(id.to_string()), Some(attachment.name.clone()));
        self.attachment_places.insert(id, issue);
        self.change(issue, by, vec![item], |issue| {
            issue.attachments.push(Attachment { id, ..attachment });
        });
        id
    }

    /// Links two issues; both note it.
    pub(crate) fn link(&mut self, from: Id, to: Id, kind: usize, by: By) {
        let (Some(source), Some(target)) = (self.issues.get(&from), self.issues.get(&to)) else {
            return;
        };
        if !self.options.relations {
            return;
        }
        let (source_key, target_key) = (self.key_of(source), self.key_of(target));
        let words = &LINK_TYPES[kind];
        let note = |key: String, words: &str| {
            ChangeItem::system("Link", None)
                .to(Some(key.clone()), Some(format!("This issue {words} {key}")))
        };
        let id = self.next.link;
        self.next.link += 1;
        self.links.insert(id, Link { id, kind, from, to });
        let outward = note(target_key, words.outward);
        let inward = note(source_key, words.inward);
        self.change(from, by, vec![outward], |issue| issue.links.push(id));
        self.change(to, by, vec![inward], |issue| issue.links.push(id));
    }

    pub(crate) fn add_remote_link(&mut self, issue: Id, by: By, link: RemoteLink) {
        let id = self.next.remote_link;
        self.next.remote_link += 1;
        let note = format!("This work item links to \"{} (Web Link)\"", link.title);
        let item =
            ChangeItem::system("RemoteWorkItemLink", None).to(Some(id.to_string()), Some(note));
        self.change(issue, by, vec![item], |issue| {
            issue.remote_links.push(RemoteLink { id, ..link });
        });
    }

    /// Adds an issue as it was created, with the next number of its project.
    pub(crate) fn add_issue(&mut self, mut issue: Issue) -> Id {
        let id = self.next.issue;
        self.next.issue += 1;
        issue.id = id;
        issue.number = self.next_number(issue.project);
        if !self.options.relations {
            issue.parent = None;
        }
        if let Some(parent) = issue.parent.and_then(|parent| self.issues.get_mut(&parent)) {
            parent.children.push(id);
        }
        self.keys.insert(self.key_of(&issue), id);
        self.issues.insert(id, issue);
        id
    }

    pub(crate) fn next_number(&mut self, project: Id) -> u32 {
        self.projects.get_mut(&project).map_or(1, |project| {
            project.last_number += 1;
            project.last_number
        })
    }

    /// The account id and the name of a user, as the changelog gives them.
    pub(crate) fn person(&self, user: Option<UserIndex>) -> (Option<String>, Option<String>) {
        let user = user.and_then(|user| self.users.get(user));
        (user.map(|user| user.account_id.clone()), user.map(|user| user.name.clone()))
    }
}

impl Issue {
    /// Moves `updated`, and keeps its former values from `keep` on, for a slow index.
    fn touch(&mut self, at: Timestamp, keep: Option<Timestamp>) {
        self.updated = self.updated.max(at);
        let Some(keep) = keep else { return };
        self.touched.push(self.updated);
        // The last one before the window stays: it is what the index showed at the window's beginning.
        let stale = self.touched.iter().filter(|&&touched| touched < keep).count();
        self.touched.drain(..stale.saturating_sub(1));
    }

    pub(crate) fn time_spent(&self) -> Option<u64> {
        (!self.worklogs.is_empty()).then(|| self.worklogs.iter().map(|log| log.seconds).sum())
    }

    pub(crate) fn is_subtask(&self) -> bool {
        ISSUE_TYPES[self.kind].level < 0
    }
}

fn named(resolution: Option<usize>) -> (Option<String>, Option<String>) {
    let resolution = resolution.map(|place| catalogue::RESOLUTIONS[place]);
    (resolution.map(|it| it.0.to_owned()), resolution.map(|it| it.1.to_owned()))
}
