//! What disappears, moves or is put away.

use jiff::Timestamp;

use super::catalogue::LINK_TYPES;
use super::edit::By;
use super::feeds::DeletedWorklog;
use super::model::{ChangeItem, Id, Issue};
use super::state::State;

impl State {
    /// Deletes an issue with its sub-tasks; linked issues note that the link is gone. Returns the keys that are gone.
    pub(crate) fn delete_issue(&mut self, issue: Id, by: By) -> Vec<String> {
        let Some(found) = self.issues.get(&issue) else { return Vec::new() };
        let (children, links, parent) = (found.children.clone(), found.links.clone(), found.parent);
        let mut keys = vec![self.key_of(found)];
        for child in children {
            if self.issues.get(&child).is_some_and(Issue::is_subtask) {
                keys.extend(self.delete_issue(child, by));
            } else {
                self.leave_parent(child, by);
            }
        }
        for link in links {
            self.unlink(link, Some(issue), by);
        }
        if let Some(parent) = parent.and_then(|parent| self.issues.get_mut(&parent)) {
            parent.children.retain(|&child| child != issue);
        }
        self.bury(issue, by.at);
        keys
    }

    /// Takes the issue and the places of all its parts out of the state.
    fn bury(&mut self, issue: Id, at: Timestamp) {
        let Some(issue) = self.issues.remove(&issue) else { return };
        for worklog in &issue.worklogs {
            self.worklog_places.remove(&worklog.id);
            self.deleted_worklogs.push(DeletedWorklog {
                id: worklog.id,
                project: issue.project,
                at,
            });
        }
        for comment in &issue.comments {
            self.comment_places.remove(&comment.id);
        }
        for attachment in &issue.attachments {
            self.attachment_places.remove(&attachment.id);
        }
        self.keys.remove(&self.key_of(&issue));
        for key in &issue.old_keys {
            self.keys.remove(key);
        }
        if !self.options.index_lag.is_zero() {
            self.graves.push((at, issue));
        }
    }

    fn leave_parent(&mut self, child: Id, by: By) {
        let Some(parent) = self.issues.get(&child).and_then(|child| child.parent) else { return };
        let key = self.issues.get(&parent).map(|parent| self.key_of(parent));
        let item =
            ChangeItem::system("IssueParentAssociation", None).from(Some(parent.to_string()), key);
        self.change(child, by, vec![item], |child| child.parent = None);
    }

    /// Removes a link; both ends note it, except the one that is about to disappear.
    pub(crate) fn unlink(&mut self, link: Id, disappearing: Option<Id>, by: By) {
        let Some(link) = self.links.remove(&link) else { return };
        let key = |issue: Id| self.issues.get(&issue).map(|issue| self.key_of(issue));
        let words = &LINK_TYPES[link.kind];
        let ends =
            [(link.from, key(link.to), words.outward), (link.to, key(link.from), words.inward)];
        for (end, other, words) in ends {
            if disappearing == Some(end) {
                continue;
            }
            let note = other.as_ref().map(|other| format!("This issue {words} {other}"));
            let item = ChangeItem::system("Link", None).from(other, note);
            self.change(end, by, vec![item], |issue| issue.links.retain(|&id| id != link.id));
        }
    }

    /// Deletes the last comment of an issue; false if it has none.
    pub(crate) fn delete_comment(&mut self, issue: Id, by: By) -> bool {
        let found = self.issues.get_mut(&issue).and_then(|issue| issue.comments.pop());
        let Some(comment) = found else { return false };
        self.comment_places.remove(&comment.id);
        self.touch(issue, by.at);
        true
    }

    /// Deletes the last worklog of an issue; false if it has none.
    pub(crate) fn delete_worklog(&mut self, issue: Id, by: By) -> bool {
        let Some(found) = self.issues.get_mut(&issue) else { return false };
        let before = found.time_spent().map(|seconds| seconds.to_string());
        let project = found.project;
        let Some(worklog) = found.worklogs.pop() else { return false };
        let after = Some(found.time_spent().unwrap_or(0).to_string());
        self.worklog_places.remove(&worklog.id);
        self.deleted_worklogs.push(DeletedWorklog { id: worklog.id, project, at: by.at });
        let item = ChangeItem::system("timespent", Some("timespent"))
            .from(before.clone(), before)
            .to(after.clone(), after);
        self.change(issue, by, vec![item], |_| ());
        true
    }

    /// Deletes the last attachment of an issue; false if it has none.
    pub(crate) fn delete_attachment(&mut self, issue: Id, by: By) -> bool {
        let found = self.issues.get_mut(&issue).and_then(|issue| issue.attachments.pop());
        let Some(attachment) = found else { return false };
        self.attachment_places.remove(&attachment.id);
        let item = ChangeItem::system("Attachment", Some("attachment"))
            .from(Some(attachment.id.to_string()), Some(attachment.name));
        self.change(issue, by, vec![item], |_| ());
        true
    }

    /// Moves an issue and its sub-tasks to another project: new keys, the same ids. Returns the former keys.
    pub(crate) fn move_issue(&mut self, issue: Id, to: Id, by: By) -> Vec<String> {
        let Some(found) = self.issues.get(&issue) else { return Vec::new() };
        let old_key = self.key_of(found);
        let (old_project, children) = (found.project, found.children.clone());
        let Some(target) = self.projects.get(&to) else { return Vec::new() };
        let (to_key, to_name) = (target.key.clone(), target.name.clone());
        let from_name = self.projects.get(&old_project).map(|project| project.name.clone());
        let number = self.next_number(to);
        let new_key = format!("{to_key}-{number}");
        let items = vec![
            ChangeItem::system("Key", None).texts(Some(old_key.clone()), Some(new_key.clone())),
            ChangeItem::system("project", Some("project"))
                .from(Some(old_project.to_string()), from_name)
                .to(Some(to.to_string()), Some(to_name)),
        ];
        self.keys.insert(new_key, issue);
        self.change(issue, by, items, |issue| {
            issue.old_keys.push(old_key.clone());
            issue.project = to;
            issue.number = number;
            // They belong to the project that it left.
            issue.components.clear();
            issue.fix_versions.clear();
            issue.affected_versions.clear();
        });
        let mut keys = vec![old_key];
        for child in children {
            if self.issues.get(&child).is_some_and(Issue::is_subtask) {
                keys.extend(self.move_issue(child, to, by));
            }
        }
        keys
    }
}
