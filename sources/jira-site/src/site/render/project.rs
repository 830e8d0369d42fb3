//! Projects, components and versions.

use serde_json::{Map, Value, json};

use crate::site::catalogue::{PROJECT_CATEGORIES, ROLES};
use crate::site::model::{Component, Project, Version};
use crate::site::random::mix;
use crate::site::state::{State, uuid};

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
        let project = self.projects.get(&project)?;
        let mut json = project_reference_json(project, base);
        json["expand"] = json!("description,lead,issueTypes,url,projectKeys,permissions,insight");
        json["isPrivate"] = json!(false);
        json["style"] = json!(if project.team_managed { "next-gen" } else { "classic" });
        json["properties"] = json!({});
        json["entityId"] = json!(uuid(mix(project.id)));
        json["uuid"] = json!(uuid(mix(project.id)));
        if expand.description {
            json["description"] = json!(project.description);
        }
        if expand.lead {
            json["lead"] = self.person_json(Some(project.lead), base);
        }
        if expand.issue_types {
            json["issueTypes"] = self.issue_types_json(base).into();
        }
        if expand.url {
            json["url"] = json!(format!("https://www.example.com/{}", project.key));
        }
        if expand.project_keys {
            json["projectKeys"] = json!([project.key]);
        }
        if expand.insight {
            json["insight"] = self.insight_json(project);
        }
        Some(json)
    }

    /// `GET /project/{projectIdOrKey}`: in full; `None` where the account may not browse it.
    pub fn project_json(&self, project: u64, base: &str) -> Option<Value> {
        let found = self.projects.get(&project).filter(|project| !project.hidden)?;
        let all = Expand {
            description: true,
            lead: true,
            issue_types: true,
            url: true,
            project_keys: true,
            insight: false,
        };
        let mut json = self.project_row_json(project, base, all)?;
        json["components"] = self.components_json(project, base)?.into();
        json["versions"] = self.versions_json(project, base)?.into();
        json["assigneeType"] = json!("UNASSIGNED");
        json["email"] = json!("jira@demo.atlassian.net");
        json["roles"] = ROLES
            .iter()
            .map(|(id, name, _)| {
                let url = format!("{base}/rest/api/3/project/{}/role/{id}", found.id);
                ((*name).to_owned(), json!(url))
            })
            .collect::<Map<_, _>>()
            .into();
        Some(json)
    }

    /// `GET /project/{projectIdOrKey}/components`, or the values of a page of `…/component`.
    pub fn components_json(&self, project: u64, base: &str) -> Option<Vec<Value>> {
        let project = self.projects.get(&project).filter(|project| !project.hidden)?;
        let full = |component: &Component| {
            let mut json = component_json(component, base);
            if let Some(lead) = component.lead {
                json["lead"] = self.person_json(Some(lead), base);
            }
            json["assigneeType"] = json!("PROJECT_DEFAULT");
            json["realAssigneeType"] = json!("PROJECT_DEFAULT");
            json["isAssigneeTypeValid"] = json!(false);
            json["project"] = json!(project.key);
            json["projectId"] = json!(project.id);
            json
        };
        Some(project.components.iter().map(full).collect())
    }

    /// `GET /project/{projectIdOrKey}/versions`, or the values of a page of `…/version`.
    pub fn versions_json(&self, project: u64, base: &str) -> Option<Vec<Value>> {
        let project = self.projects.get(&project).filter(|project| !project.hidden)?;
        let today = self.date(self.seen_at);
        let full = |version: &Version| {
            let mut json = version_json(version, base);
            if let Some(start) = version.start {
                json["startDate"] = json!(start.to_string());
            }
            if let Some(release) = version.release {
                json["userReleaseDate"] = json!(release.strftime("%d/%b/%y").to_string());
                if !version.released {
                    json["overdue"] = json!(release < today);
                }
            }
            json["projectId"] = json!(project.id);
            json
        };
        Some(project.versions.iter().map(full).collect())
    }

    /// What an administrator learns of a project without being allowed to browse it.
    fn insight_json(&self, project: &Project) -> Value {
        let issues = || {
            self.issues
                .values()
                .filter(|issue| issue.project == project.id && issue.archived.is_none())
        };
        let mut json = json!({"totalIssueCount": issues().count()});
        if let Some(last) = issues().map(|issue| issue.updated).max() {
            json["lastIssueUpdateTime"] = json!(self.stamp(last));
        }
        json
    }
}

/// A project as issues refer to it.
pub(super) fn project_reference_json(project: &Project, base: &str) -> Value {
    let avatar = 10_400 + project.id % 30;
    let url = |size: &str| {
        format!("{base}/rest/api/3/universal_avatar/view/type/project/avatar/{avatar}{size}")
    };
    let mut json = json!({
        "self": format!("{base}/rest/api/3/project/{}", project.id),
        "id": project.id.to_string(),
        "key": project.key,
        "name": project.name,
        "projectTypeKey": "software",
        "simplified": project.team_managed,
        "avatarUrls": {
            "48x48": url(""), "24x24": url("?size=small"), "16x16": url("?size=xsmall"), "32x32": url("?size=medium"),
        },
    });
    if let Some((id, name, description)) = project.category.map(|place| PROJECT_CATEGORIES[place]) {
        json["projectCategory"] = json!({
            "self": format!("{base}/rest/api/3/projectCategory/{id}"),
            "id": id, "name": name, "description": description,
        });
    }
    json
}

pub(super) fn component_json(component: &Component, base: &str) -> Value {
    let mut json = json!({
        "self": format!("{base}/rest/api/3/component/{}", component.id),
        "id": component.id.to_string(),
        "name": component.name,
    });
    if let Some(description) = &component.description {
        json["description"] = json!(description);
    }
    json
}

pub(super) fn version_json(version: &Version, base: &str) -> Value {
    let mut json = json!({
        "self": format!("{base}/rest/api/3/version/{}", version.id),
        "id": version.id.to_string(),
        "name": version.name,
        "archived": version.archived,
        "released": version.released,
    });
    if let Some(description) = &version.description {
        json["description"] = json!(description);
    }
    if let Some(release) = version.release {
        json["releaseDate"] = json!(release.to_string());
    }
    json
}
