//! What hangs on an issue: comments, worklogs, links, attachments, watchers, votes, properties.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::link_type_json;
use super::user::{CALLER, percent_encode};
use crate::site::catalogue::{GROUPS, LINK_TYPES, ROLES};
use crate::site::model::{Attachment, Comment, Id, Issue, Link, RemoteLink, Visibility, Worklog};
use crate::site::state::State;

impl State {
    /// The comments of `GET /issue/{issueIdOrKey}/comment`, oldest first.
    pub fn comments_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let issue = self.readable(issue)?;
        Some(issue.comments.iter().map(|it| self.one_comment_json(issue.id, it, base)).collect())
    }

    /// One comment, as `POST /comment/list` gives it.
    pub fn comment_json(&self, comment: u64, base: &str) -> Option<Value> {
        let issue = self.readable(*self.comment_places.get(&comment)?)?;
        let comment = issue.comments.iter().find(|it| it.id == comment)?;
        Some(self.one_comment_json(issue.id, comment, base))
    }

    /// The worklogs of `GET /issue/{issueIdOrKey}/worklog`, oldest first.
    pub fn worklogs_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let issue = self.readable(issue)?;
        Some(issue.worklogs.iter().map(|it| self.one_worklog_json(issue.id, it, base)).collect())
    }

    /// One worklog, as `POST /worklog/list` gives it.
    pub fn worklog_json(&self, worklog: u64, base: &str) -> Option<Value> {
        let issue = self.readable(*self.worklog_places.get(&worklog)?)?;
        let worklog = issue.worklogs.iter().find(|it| it.id == worklog)?;
        Some(self.one_worklog_json(issue.id, worklog, base))
    }

    /// `GET /issue/{issueIdOrKey}/remotelink`.
    pub fn remote_links_json(&self, issue: u64, base: &str) -> Option<Vec<Value>> {
        let issue = self.readable(issue)?;
        let key = self.key_of(issue);
        Some(issue.remote_links.iter().map(|link| remote_link_json(&key, link, base)).collect())
    }

    /// `GET /issue/{issueIdOrKey}/watchers`.
    pub fn watchers_json(&self, issue: u64, base: &str) -> Option<Value> {
        let issue = self.readable(issue)?;
        let mut json = self.watches_json(issue, base);
        json["watchers"] =
            issue.watchers.iter().map(|user| self.person_json(Some(*user), base)).collect();
        Some(json)
    }

    /// `GET /issue/{issueIdOrKey}/votes`.
    pub fn votes_json(&self, issue: u64, base: &str) -> Option<Value> {
        let issue = self.readable(issue)?;
        let mut json = self.vote_count_json(issue, base);
        json["voters"] =
            issue.voters.iter().map(|user| self.person_json(Some(*user), base)).collect();
        Some(json)
    }

    /// The entity properties of an issue, for `GET /issue/{issueIdOrKey}/properties[/{key}]`.
    pub fn properties(&self, issue: u64) -> Option<&BTreeMap<String, Value>> {
        self.readable(issue).map(|issue| &issue.properties)
    }

    /// `GET /issueLink/{linkId}`: with both ends.
    pub fn link_json(&self, link: u64, base: &str) -> Option<Value> {
        let link = self.links.get(&link)?;
        let (from, to) = (self.readable(link.from)?, self.readable(link.to)?);
        let mut json = link_head_json(link, base);
        json["inwardIssue"] = self.issue_reference_json(from, base);
        json["outwardIssue"] = self.issue_reference_json(to, base);
        Some(json)
    }

    /// `GET /attachment/{id}`: what is known of a file.
    pub fn attachment_json(&self, attachment: u64, base: &str) -> Option<Value> {
        let mut json = self.file_json(self.attachment(attachment)?, base);
        // The only place where Jira writes this id as a number.
        json["id"] = json!(attachment);
        Some(json)
    }

    /// The links of an issue as the issue shows them; an end that the account may not see is missing.
    pub(super) fn issue_links_json(&self, issue: &Issue, base: &str) -> Vec<Value> {
        let one = |id: &Id| {
            let link = self.links.get(id)?;
            let (end, other) = if link.from == issue.id {
                ("outwardIssue", link.to)
            } else {
                ("inwardIssue", link.from)
            };
            let mut json = link_head_json(link, base);
            json[end] = self.issue_reference_json(self.readable(other)?, base);
            Some(json)
        };
        issue.links.iter().filter_map(one).collect()
    }

    pub(super) fn watches_json(&self, issue: &Issue, base: &str) -> Value {
        json!({
            "self": format!("{base}/rest/api/3/issue/{}/watchers", self.key_of(issue)),
            "watchCount": issue.watchers.len(),
            // Differs by who asks; here also by when, so that nobody takes it for a part of the issue.
            "isWatching": issue.watchers.contains(&CALLER) ^ (self.ticks % 2 == 1),
        })
    }

    pub(super) fn vote_count_json(&self, issue: &Issue, base: &str) -> Value {
        json!({
            "self": format!("{base}/rest/api/3/issue/{}/votes", self.key_of(issue)),
            "votes": issue.voters.len(),
            "hasVoted": issue.voters.contains(&CALLER) ^ (self.ticks % 2 == 1),
        })
    }

    pub(super) fn file_json(&self, file: &Attachment, base: &str) -> Value {
        let mut json = json!({
            "self": format!("{base}/rest/api/3/attachment/{}", file.id),
            "id": file.id.to_string(),
            "filename": file.name,
            "created": self.stamp(file.created),
            "size": file.size,
            "mimeType": file.mime,
            "content": format!("{base}/rest/api/3/attachment/content/{}", file.id),
        });
        if file.author.is_some() {
            json["author"] = self.person_json(file.author, base);
        }
        if file.mime.starts_with("image/") {
            json["thumbnail"] =
                json!(format!("{base}/rest/api/3/attachment/thumbnail/{}", file.id));
        }
        json
    }

    pub(super) fn one_comment_json(&self, issue: Id, comment: &Comment, base: &str) -> Value {
        let mut json = json!({
            "self": format!("{base}/rest/api/3/issue/{issue}/comment/{}", comment.id),
            "id": comment.id.to_string(),
            "created": self.stamp(comment.created),
            "updated": self.stamp(comment.updated),
            "jsdPublic": comment.public,
        });
        json["author"] = self.person_json(comment.author, base);
        json["body"] = comment.body.render(&self.users);
        json["updateAuthor"] = self.person_json(comment.update_author, base);
        if let Some(visibility) = comment.visibility {
            json["visibility"] = visibility_json(visibility);
        }
        json
    }

    pub(super) fn one_worklog_json(&self, issue: Id, worklog: &Worklog, base: &str) -> Value {
        let mut json = json!({
            "self": format!("{base}/rest/api/3/issue/{issue}/worklog/{}", worklog.id),
            "created": self.stamp(worklog.created),
            "updated": self.stamp(worklog.updated),
            "started": self.stamp(worklog.started),
            "timeSpent": duration(worklog.seconds),
            "timeSpentSeconds": worklog.seconds,
            "id": worklog.id.to_string(),
            "issueId": issue.to_string(),
        });
        json["author"] = self.person_json(worklog.author, base);
        json["updateAuthor"] = self.person_json(worklog.author, base);
        if !worklog.comment.is_none() {
            json["comment"] = worklog.comment.render(&self.users);
        }
        if let Some(visibility) = worklog.visibility {
            json["visibility"] = visibility_json(visibility);
        }
        json
    }
}

fn link_head_json(link: &Link, base: &str) -> Value {
    json!({
        "id": link.id.to_string(),
        "self": format!("{base}/rest/api/3/issueLink/{}", link.id),
        "type": link_type_json(&LINK_TYPES[link.kind], base),
    })
}

fn visibility_json(visibility: Visibility) -> Value {
    match visibility {
        Visibility::Role(place) => {
            let (_, name, _) = ROLES[place];
            json!({"type": "role", "value": name, "identifier": name})
        }
        Visibility::Group(place) => {
            let (name, id) = GROUPS[place];
            json!({"type": "group", "value": name, "identifier": id})
        }
    }
}

fn remote_link_json(key: &str, link: &RemoteLink, base: &str) -> Value {
    let mut json = json!({
        "id": link.id,
        "self": format!("{base}/rest/api/3/issue/{}/remotelink/{}", percent_encode(key), link.id),
        "application": {},
        "object": {
            "url": link.url,
            "title": link.title,
            "icon": {},
            "status": {"resolved": link.resolved, "icon": {}},
        },
    });
    if let Some((kind, name)) = link.application {
        json["application"] = json!({"type": kind, "name": name});
    }
    if let Some(id) = &link.global_id {
        json["globalId"] = json!(id);
    }
    if let Some(relationship) = link.relationship {
        json["relationship"] = json!(relationship);
    }
    json
}

/// A duration as Jira writes it: weeks of five days of eight hours.
pub(super) fn duration(seconds: u64) -> String {
    let minutes = seconds / 60;
    let units = [(5 * 8 * 60, 'w'), (8 * 60, 'd'), (60, 'h'), (1, 'm')];
    let mut rest = minutes;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0m".to_owned() } else { parts.join(" ") }
}
