//! The projects of a site, and how many issues each should have.

use std::collections::BTreeMap;

use serde_json::Value;

use super::listing;
use crate::jira::client::pages::OffsetPages;
use crate::jira::client::{Client, RequestError};
use crate::jira::document::{id_of, number};

/// Projects are listed by this path.
const SEARCH: &str = "/rest/api/3/project/search";

/// Whether people can work in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::jira) enum ProjectState {
    /// Yes.
    Live,
    /// It is kept; the search does not list its issues.
    Archived,
    /// It is in the bin.
    Deleted,
}

/// One project.
#[derive(Debug, Clone)]
pub(in crate::jira) struct Project {
    pub(in crate::jira) id: String,
    pub(in crate::jira) key: String,
    pub(in crate::jira) state: ProjectState,
    /// How many issues it has, whatever the account may see; administrators are told.
    pub(in crate::jira) issues: Option<u64>,
}

impl Project {
    fn new(value: &Value) -> Option<Self> {
        let is = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        let key = value.get("key").and_then(Value::as_str).filter(|it| !it.is_empty())?;
        let insight = value.get("insight").and_then(|it| it.get("totalIssueCount"));
        let state = match (is("deleted"), is("archived")) {
            (true, _) => ProjectState::Deleted,
            (false, true) => ProjectState::Archived,
            _ => ProjectState::Live,
        };
        Some(Self { id: id_of(value)?, key: key.into(), state, issues: insight.and_then(number) })
    }
}

/// Lists the projects that `wanted` takes, by key: live ones, archived ones, those in the bin.
pub(in crate::jira) async fn list(
    client: &Client,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Project>, RequestError> {
    let status = ["live", "archived", "deleted"].map(|it| ("status", it.to_owned()));
    search(client, &status, wanted).await
}

/// Asks again how many issues one project has.
pub(in crate::jira) async fn recount(
    client: &Client,
    project: &Project,
) -> Result<Option<u64>, RequestError> {
    let one =
        [("id", project.id.clone()), ("status", "live".into()), ("status", "archived".into())];
    let found = search(client, &one, |key| key == project.key).await?;
    Ok(found.get(&project.key).and_then(|it| it.issues))
}

async fn search(
    client: &Client,
    which: &[(&str, String)],
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Project>, RequestError> {
    let mut query = vec![("expand", "insight".to_owned())];
    query.extend(which.iter().cloned());
    let pages = OffsetPages::new(client, SEARCH, &[], &query, "values", 100);
    let listed = listing::all(pages.clone()).await?;
    let projects: Option<Vec<_>> = listed.iter().map(Project::new).collect();
    // One that cannot be named would be missing, and taken for deleted.
    let projects = projects.ok_or_else(|| pages.senseless("a project has no id or key"))?;
    let projects = projects.into_iter().filter(|it| wanted(&it.key));
    Ok(projects.map(|it| (it.key.clone(), it)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_project_is_read_leniently() {
        let live =
            Project::new(&json!({"id": 10000, "key": "ABC", "insight": {"totalIssueCount": "12"}}));
        let live = live.expect("a project");
        assert_eq!(
            (live.id.as_str(), live.state, live.issues),
            ("10000", ProjectState::Live, Some(12))
        );
        let binned =
            Project::new(&json!({"id": "1", "key": "X", "archived": true, "deleted": true}));
        assert_eq!(binned.map(|it| (it.state, it.issues)), Some((ProjectState::Deleted, None)));
        assert!(Project::new(&json!({"id": "1"})).is_none());
    }
}
