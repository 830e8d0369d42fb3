//! Issues with all their fields.

use serde_json::{Map, Value, json};

use super::config::{issue_type_json, priority_json, resolution_json, status_json};
use super::parts::duration;
use super::project::{component_json, project_reference_json, version_json};
use crate::site::catalogue::{ISSUE_TYPES, PRIORITIES, STATUSES};
use crate::site::fields::{self, Custom, Kind};
use crate::site::model::{Id, Issue, Project};
use crate::site::random::mix;
use crate::site::state::State;

/// How many comments and worklogs an issue shows itself.
const EMBEDDED: usize = 20;

const EXPAND: &str = "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations,\
                      customfield_10010.requestTypePractice";

impl State {
    /// `GET /issue/{issueIdOrKey}`: in full, with at most 20 comments and 20 worklogs embedded.
    pub fn issue_json(&self, issue: u64, base: &str) -> Option<Value> {
        let issue = self.readable(issue)?;
        let mut fields = Map::new();
        self.put_system_fields(issue, base, &mut fields);
        self.put_times(issue, &mut fields);
        self.put_parts(issue, base, &mut fields);
        self.put_custom_fields(issue, base, &mut fields);
        for (field, value) in &issue.overwritten {
            fields.insert(field.clone(), value.clone());
        }
        let mut json = json!({
            "expand": EXPAND,
            "id": issue.id.to_string(),
            "self": format!("{base}/rest/api/3/issue/{}", issue.id),
            "key": self.key_of(issue),
        });
        // Not inside `json!`, which would copy them; the same below and next door.
        json["fields"] = fields.into();
        Some(json)
    }

    fn put_system_fields(&self, issue: &Issue, base: &str, fields: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let project = self.projects.get(&issue.project);
        put("summary", json!(issue.summary));
        put("issuetype", issue_type_json(&ISSUE_TYPES[issue.kind], base));
        if let Some(project) = project {
            put("project", project_reference_json(project, base));
        }
        put("status", status_json(&STATUSES[issue.status], base));
        put("statuscategorychangedate", json!(self.stamp(issue.status_since)));
        put("resolution", or_null(issue.resolution.map(|place| resolution_json(place, base))));
        put("resolutiondate", or_null(issue.resolved.map(|at| json!(self.stamp(at)))));
        let priority = issue.priority.map(|place| priority_json(&PRIORITIES[place], base));
        put("priority", or_null(priority));
        put("labels", json!(issue.labels));
        put("components", components(project, &issue.components, base));
        put("versions", versions(project, &issue.affected_versions, base));
        put("fixVersions", versions(project, &issue.fix_versions, base));
        put("assignee", self.person_json(issue.assignee, base));
        put("reporter", self.person_json(issue.reporter, base));
        put("creator", self.person_json(Some(issue.creator), base));
        put("created", json!(self.stamp(issue.created)));
        put("updated", json!(self.stamp(issue.updated)));
        put("duedate", or_null(issue.due.map(|date| json!(date.to_string()))));
        put("description", issue.description.render(&self.users));
        put("environment", issue.environment.render(&self.users));
        put("security", Value::Null);
        put("issuerestriction", json!({"issuerestrictions": {}, "shouldDisplay": true}));
        put("watches", self.watches_json(issue, base));
        put("votes", self.vote_count_json(issue, base));
        // Whenever the account looked at it last: it looks at everything now and then.
        let viewed = mix(issue.id ^ self.ticks).is_multiple_of(3);
        put("lastViewed", if viewed { json!(self.stamp(self.seen_at)) } else { Value::Null });
    }

    fn put_times(&self, issue: &Issue, fields: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let spent = issue.time_spent();
        let (original, left) = (issue.original_estimate, issue.remaining_estimate);
        let below = || issue.children.iter().filter_map(|child| self.issues.get(child));
        let sum = |own: Option<u64>, of: fn(&Issue) -> Option<u64>| {
            below().filter_map(of).chain(own).reduce(|sum, seconds| sum + seconds)
        };
        put("timespent", json!(spent));
        put("timeestimate", json!(left));
        put("timeoriginalestimate", json!(original));
        put("aggregatetimespent", json!(sum(spent, Issue::time_spent)));
        put("aggregatetimeestimate", json!(sum(left, |issue| issue.remaining_estimate)));
        put("aggregatetimeoriginalestimate", json!(sum(original, |issue| issue.original_estimate)));
        let ratio = original.map(|original| spent.unwrap_or(0) * 100 / original.max(1));
        put("workratio", ratio.map_or(json!(-1), |ratio| json!(ratio)));
        let (done, rest) = (spent.unwrap_or(0), left.unwrap_or(0));
        put("progress", progress(done, rest));
        let all_done = sum(spent, Issue::time_spent).unwrap_or(0);
        put(
            "aggregateprogress",
            progress(all_done, sum(left, |it| it.remaining_estimate).unwrap_or(0)),
        );
        let mut tracking = Map::new();
        let named =
            [("originalEstimate", original), ("remainingEstimate", left), ("timeSpent", spent)];
        for (name, seconds) in named {
            if let Some(seconds) = seconds {
                tracking.insert(name.to_owned(), json!(duration(seconds)));
                tracking.insert(format!("{name}Seconds"), json!(seconds));
            }
        }
        put("timetracking", tracking.into());
    }

    fn put_parts(&self, issue: &Issue, base: &str, fields: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let comments = &issue.comments;
        // What is embedded of a long discussion is its newest part.
        let from = comments.len().saturating_sub(EMBEDDED);
        let newest = comments[from..].iter();
        let mut page = json!({
            "self": format!("{base}/rest/api/3/issue/{}/comment", issue.id),
            "maxResults": comments.len() - from,
            "total": comments.len(),
            "startAt": from,
        });
        page["comments"] = newest.map(|it| self.one_comment_json(issue.id, it, base)).collect();
        put("comment", page);
        let oldest = issue.worklogs.iter().take(EMBEDDED);
        let mut page = json!({"startAt": 0, "maxResults": EMBEDDED, "total": issue.worklogs.len()});
        page["worklogs"] = oldest.map(|it| self.one_worklog_json(issue.id, it, base)).collect();
        put("worklog", page);
        put("attachment", issue.attachments.iter().map(|it| self.file_json(it, base)).collect());
        put("issuelinks", self.issue_links_json(issue, base).into());
        let children = issue.children.iter().filter_map(|child| self.readable(*child));
        let subtasks = children.filter(|child| child.is_subtask());
        put("subtasks", subtasks.map(|child| self.issue_reference_json(child, base)).collect());
        if let Some(parent) = issue.parent.and_then(|parent| self.readable(parent)) {
            put("parent", self.issue_reference_json(parent, base));
        }
    }

    fn put_custom_fields(&self, issue: &Issue, base: &str, fields: &mut Map<String, Value>) {
        let classic = self.projects.get(&issue.project).is_some_and(|it| !it.team_managed);
        for field in fields::CUSTOM.iter().filter(|field| classic || !field.classic_only) {
            let value = match issue.custom.get(&field.number) {
                Some(value) => self.custom_json(field, value, base),
                None => self.default_json(issue, field),
            };
            fields.insert(format!("customfield_{}", field.number), value);
        }
    }

    /// What a field that nobody filled shows.
    fn default_json(&self, issue: &Issue, field: &Custom) -> Value {
        match field.kind {
            Kind::Development => json!("{}"),
            Kind::ParentLink => json!({
                "hasEpicLinkFieldDependency": false,
                "showField": false,
                "nonEditableReason": {
                    "reason": "PLUGIN_LICENSE_ERROR",
                    "message": "The Parent Link is only available to Jira Premium users.",
                },
            }),
            Kind::EpicLink => {
                let parent = issue.parent.and_then(|parent| self.readable(parent));
                let epic = parent.filter(|parent| ISSUE_TYPES[parent.kind].level == 1);
                json!(epic.map(|epic| self.key_of(epic)))
            }
            _ => Value::Null,
        }
    }

    /// An issue as links, parents and sub-tasks refer to it.
    pub(super) fn issue_reference_json(&self, issue: &Issue, base: &str) -> Value {
        let mut fields = json!({"summary": issue.summary});
        fields["status"] = status_json(&STATUSES[issue.status], base);
        fields["issuetype"] = issue_type_json(&ISSUE_TYPES[issue.kind], base);
        if let Some(place) = issue.priority {
            fields["priority"] = priority_json(&PRIORITIES[place], base);
        }
        let mut json = json!({
            "id": issue.id.to_string(),
            "key": self.key_of(issue),
            "self": format!("{base}/rest/api/3/issue/{}", issue.id),
        });
        json["fields"] = fields;
        json
    }
}

fn or_null(value: Option<Value>) -> Value {
    value.unwrap_or(Value::Null)
}

fn progress(done: u64, rest: u64) -> Value {
    let mut json = json!({"progress": done, "total": done + rest});
    if let Some(percent) = (done * 100).checked_div(done + rest) {
        json["percent"] = json!(percent);
    }
    json
}

fn components(project: Option<&Project>, ids: &[Id], base: &str) -> Value {
    let components = project.map_or(&[][..], |project| &project.components);
    let chosen = components.iter().filter(|component| ids.contains(&component.id));
    chosen.map(|component| component_json(component, base)).collect()
}

fn versions(project: Option<&Project>, ids: &[Id], base: &str) -> Value {
    let versions = project.map_or(&[][..], |project| &project.versions);
    let chosen = versions.iter().filter(|version| ids.contains(&version.id));
    chosen.map(|version| version_json(version, base)).collect()
}
