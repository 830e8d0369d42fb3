//! What goes wrong: the reasons to have a backup, and what confuses one.

use serde_json::Value;

use super::state::State;

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
    /// Somebody starts watching issues or votes for them; `updated` does not move.
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
    pub(crate) fn suffer(&mut self, _mishap: &Mishap) -> Vec<String> {
        Vec::new()
    }
}
