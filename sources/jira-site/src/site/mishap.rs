//! What goes wrong: the reasons to have a backup, and what confuses one.

use std::time::Duration;

use serde_json::Value;

use super::edit::By;
use super::model::{Id, Issue};
use super::random::Random;
use super::state::State;

const MINUTE: Duration = Duration::from_secs(60);

/// One thing that goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mishap {
    /// Issues of a project are deleted, the newest first.
    DeleteIssues {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// A bulk edit writes one value over a field, as a system field's id or `customfield_…`.
    OverwriteField {
        /// The project's key.
        project: String,
        /// The field's id.
        field: String,
        /// What issues show afterwards.
        value: Value,
        /// How many.
        count: usize,
    },
    /// One issue is edited.
    EditIssue {
        /// The issue's key.
        key: String,
        /// The field's id.
        field: String,
        /// What the issue shows afterwards.
        value: Value,
    },
    /// A file is attached to an issue.
    AttachFile {
        /// The issue's key.
        key: String,
        /// The file's name.
        name: String,
        /// Its size in bytes; they cost no memory.
        size: u64,
    },
    /// Issues move to another project: new keys, the same ids.
    MoveIssues {
        /// The key of the project they leave.
        from: String,
        /// The key of the project they enter.
        to: String,
        /// How many.
        count: usize,
    },
    /// Browse of a project is taken from the account; nothing else changes.
    HideProject {
        /// The project's key.
        project: String,
    },
    /// Browse of a project is given back.
    ShowProject {
        /// The project's key.
        project: String,
    },
    /// Issues get a security level that the account is not in; `updated` does not move.
    HideIssues {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// Issues are archived: readable by key, not found by search.
    ArchiveIssues {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// The last comment of issues is deleted.
    DeleteComments {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// The last worklog of issues is deleted.
    DeleteWorklogs {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// The last attachment of issues is deleted.
    DeleteAttachments {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// Somebody begins or ceases to watch issues, or to vote for them; `updated` does not move.
    WatchIssues {
        /// The project's key.
        project: String,
        /// How many.
        count: usize,
    },
    /// An app writes an entity property; `updated` does not move.
    SetProperty {
        /// The issue's key.
        key: String,
        /// The property's key.
        property: String,
        /// The property's value.
        value: Value,
    },
    /// A user account is deleted: the name is gone everywhere, `updated` does not move.
    DeleteUser {
        /// The user's account id.
        account_id: String,
    },
    /// The site gets another title; what it holds does not change.
    RenameSite {
        /// The new title.
        title: String,
    },
}

impl State {
    pub(crate) fn suffer(&mut self, mishap: &Mishap) -> Vec<String> {
        let at = self.clock.next(MINUTE);
        self.clock.set(at);
        self.seen_at = at;
        let mut random = Random::of(self.options.seed, at.as_second() as u64);
        let by = By { author: Some(self.somebody(&mut random)), at };
        match mishap {
            Mishap::DeleteIssues { project, count } => {
                let issues = self.newest(project, *count, |_| true);
                // A sub-task may have gone with its parent: it is then among the parent's keys.
                issues.into_iter().flat_map(|issue| self.delete_issue(issue, by)).collect()
            }
            Mishap::OverwriteField { project, field, value, count } => {
                let issues = self.newest(project, *count, |_| true);
                self.each(issues, |state, issue| state.overwrite(issue, by, field, value))
            }
            Mishap::EditIssue { key, field, value } => {
                let issues = self.keys.get(key).copied().into_iter().collect();
                self.each(issues, |state, issue| state.overwrite(issue, by, field, value))
            }
            Mishap::AttachFile { key, name, size } => {
                let issues = self.keys.get(key).copied().into_iter().collect();
                self.each(issues, |state, issue| {
                    state.attach_file(issue, name, *size, at);
                    true
                })
            }
            Mishap::MoveIssues { from, to, count } => {
                let Some(to) = self.find_project(to) else { return Vec::new() };
                let issues = self.newest(from, *count, |issue| !issue.is_subtask());
                issues.into_iter().flat_map(|issue| self.move_issue(issue, to, by)).collect()
            }
            Mishap::HideProject { project } => self.show(project, false),
            Mishap::ShowProject { project } => self.show(project, true),
            Mishap::HideIssues { project, count } => {
                let issues = self.newest(project, *count, |issue| !issue.hidden);
                self.each(issues, |state, issue| {
                    state.issues.get_mut(&issue).map(|issue| issue.hidden = true).is_some()
                })
            }
            Mishap::ArchiveIssues { project, count } => {
                let issues = self.newest(project, *count, |issue| issue.archived.is_none());
                self.each(issues, |state, issue| {
                    state.issues.get_mut(&issue).map(|issue| issue.archived = Some(at)).is_some()
                })
            }
            Mishap::DeleteComments { project, count } => {
                let issues = self.newest(project, *count, |issue| !issue.comments.is_empty());
                self.each(issues, |state, issue| state.delete_comment(issue, by))
            }
            Mishap::DeleteWorklogs { project, count } => {
                let issues = self.newest(project, *count, |issue| !issue.worklogs.is_empty());
                self.each(issues, |state, issue| state.delete_worklog(issue, by))
            }
            Mishap::DeleteAttachments { project, count } => {
                let issues = self.newest(project, *count, |issue| !issue.attachments.is_empty());
                self.each(issues, |state, issue| state.delete_attachment(issue, by))
            }
            Mishap::WatchIssues { project, count } => {
                let issues = self.newest(project, *count, |_| true);
                self.each(issues, |state, issue| state.gain_interest(issue, &mut random))
            }
            Mishap::SetProperty { key, property, value } => {
                let issues = self.keys.get(key).copied().into_iter().collect();
                self.each(issues, |state, issue| {
                    let Some(issue) = state.issues.get_mut(&issue) else { return false };
                    issue.properties.insert(property.clone(), value.clone());
                    true
                })
            }
            Mishap::DeleteUser { account_id } => {
                let mut users = self.users.iter_mut();
                if let Some(user) = users.find(|user| user.account_id == *account_id) {
                    user.deleted = true;
                    user.active = false;
                }
                Vec::new()
            }
            Mishap::RenameSite { title } => {
                self.title.clone_from(title);
                Vec::new()
            }
        }
    }

    /// The newest issues of a project that something can happen to.
    fn newest(&self, project: &str, count: usize, fits: impl Fn(&Issue) -> bool) -> Vec<Id> {
        let Some(project) = self.find_project(project) else { return Vec::new() };
        let issues = self.issues.values().rev();
        let issues = issues.filter(|issue| issue.project == project && fits(issue));
        issues.take(count).map(|issue| issue.id).collect()
    }

    /// Does something to issues and lists the keys of those that it happened to.
    fn each(
        &mut self,
        issues: Vec<Id>,
        mut happen: impl FnMut(&mut State, Id) -> bool,
    ) -> Vec<String> {
        let mut keys = Vec::new();
        for issue in issues {
            if happen(self, issue) {
                keys.extend(self.issues.get(&issue).map(|issue| self.key_of(issue)));
            }
        }
        keys
    }

    fn show(&mut self, project: &str, visible: bool) -> Vec<String> {
        let Some(id) = self.find_project(project) else { return Vec::new() };
        if let Some(project) = self.projects.get_mut(&id) {
            project.hidden = !visible;
        }
        self.newest(project, usize::MAX, |_| true)
            .into_iter()
            .filter_map(|issue| self.issues.get(&issue).map(|issue| self.key_of(issue)))
            .collect()
    }

    /// Somebody watches the issue or votes for it, or takes that back.
    fn gain_interest(&mut self, issue: Id, random: &mut Random) -> bool {
        let somebody = self.somebody(random);
        let Some(issue) = self.issues.get_mut(&issue) else { return false };
        let people = if random.percent(50) { &mut issue.watchers } else { &mut issue.voters };
        if people.contains(&somebody) {
            people.retain(|person| *person != somebody);
        } else {
            people.push(somebody);
        }
        true
    }
}
