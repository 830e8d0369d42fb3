//! Projects, components and versions.

use serde_json::Value;

use crate::site::state::State;

/// What `GET /project/search` adds to a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expand {
    /// `description`.
    pub description: bool,
    /// `lead`.
    pub lead: bool,
    /// `issueTypes`.
    pub issue_types: bool,
    /// `url`.
    pub url: bool,
    /// `projectKeys`.
    pub project_keys: bool,
    /// `insight`: the number of issues and the time of the last change, whether the account may browse them or not.
    pub insight: bool,
}

impl Expand {
    /// Reads the parameter `expand`; unknown names are ignored, as Jira does.
    pub fn parse(expand: &str) -> Self {
        let has = |name| expand.split(',').any(|part| part.trim() == name);
        Self {
            description: has("description"),
            lead: has("lead"),
            issue_types: has("issueTypes"),
            url: has("url"),
            project_keys: has("projectKeys"),
            insight: has("insight"),
        }
    }
}

impl State {
    /// One of the values of `GET /project/search`.
    pub fn project_row_json(&self, project: u64, base: &str, expand: Expand) -> Option<Value> {
        let _ = (project, base, expand);
        None
    }

    /// `GET /project/{projectIdOrKey}`: in full; `None` where the account may not browse it.
    pub fn project_json(&self, project: u64, base: &str) -> Option<Value> {
        let _ = (project, base);
        None
    }

    /// `GET /project/{projectIdOrKey}/components`, or the values of a page of `…/component`.
    pub fn components_json(&self, project: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (project, base);
        None
    }

    /// `GET /project/{projectIdOrKey}/versions`, or the values of a page of `…/version`.
    pub fn versions_json(&self, project: u64, base: &str) -> Option<Vec<Value>> {
        let _ = (project, base);
        None
    }
}
