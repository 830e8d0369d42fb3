//! Handlers of what issues refer to, and of the site itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::call::Call;
use super::{Answer, Refusal, paging};

pub(super) fn server_info(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(call.state.server_info_json(call.base)))
}

pub(super) fn tenant_info(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(call.state.tenant_info_json()))
}

pub(super) fn settings(_: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(json!({
        "votingEnabled": true,
        "watchingEnabled": true,
        "unassignedIssuesAllowed": true,
        "subTasksEnabled": true,
        "issueLinkingEnabled": true,
        "timeTrackingEnabled": true,
        "attachmentsEnabled": true,
        "timeTrackingConfiguration": {
            "workingHoursPerDay": 8.0,
            "workingDaysPerWeek": 5.0,
            "timeFormat": "pretty",
            "defaultUnit": "minute",
        },
    })))
}

/// A permission: its key, its name, and whether it is one of a project.
const PERMISSIONS: [(&str, &str, bool); 12] = [
    ("ADMINISTER", "Administer Jira", false),
    ("USER_PICKER", "Browse users and groups", false),
    ("BULK_CHANGE", "Make bulk changes", false),
    ("BROWSE_PROJECTS", "Browse Projects", true),
    ("ADMINISTER_PROJECTS", "Administer Projects", true),
    ("CREATE_ISSUES", "Create Issues", true),
    ("EDIT_ISSUES", "Edit Issues", true),
    ("DELETE_ISSUES", "Delete Issues", true),
    ("ADD_COMMENTS", "Add Comments", true),
    ("CREATE_ATTACHMENTS", "Create Attachments", true),
    ("WORK_ON_ISSUES", "Work On Issues", true),
    ("VIEW_VOTERS_AND_WATCHERS", "View Voters and Watchers", true),
];

pub(super) fn permissions(_: &Call<'_>) -> Result<Answer, Refusal> {
    let permissions = PERMISSIONS.map(|(key, name, of_project)| {
        let kind = if of_project { "PROJECT" } else { "GLOBAL" };
        (key.to_owned(), json!({ "key": key, "name": name, "type": kind, "description": "" }))
    });
    Ok(Answer::json(json!({ "permissions": Map::from_iter(permissions) })))
}

/// Tells what the account may do: all but in a project that it may not browse.
pub(super) fn my_permissions(call: &Call<'_>) -> Result<Answer, Refusal> {
    let asked = call.text("permissions").unwrap_or_default();
    if asked.is_empty() {
        return Err(Refusal::invalid("The 'permissions' query parameter is required."));
    }
    let project = call.text("projectId").or(call.text("projectKey"));
    let project = project.map(|name| {
        let message = "The project could not be found.";
        call.state.find_project(name).ok_or_else(|| Refusal::not_found(message))
    });
    let browses = project.transpose()?.is_none_or(|id| call.state.may_browse(id));
    let issue = call.text("issueId").or(call.text("issueKey"));
    if issue.is_some_and(|name| call.state.find(name).is_none()) {
        return Err(Refusal::no_issue());
    }
    let mut permissions = Map::new();
    for key in asked.split(',').map(str::trim) {
        let Some(at) = PERMISSIONS.iter().position(|(known, ..)| *known == key) else {
            return Err(Refusal::invalid(format!("Unrecognized permission: {key}")));
        };
        let (_, name, of_project) = PERMISSIONS[at];
        let permission = json!({
            "id": (at + 1).to_string(),
            "key": key,
            "name": name,
            "type": if of_project { "PROJECT" } else { "GLOBAL" },
            "description": "",
            "havePermission": !of_project || browses,
        });
        permissions.insert(key.to_owned(), permission);
    }
    Ok(Answer::json(json!({ "permissions": permissions })))
}

pub(super) fn fields(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.fields_json())))
}

pub(super) fn fields_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let kinds = call.texts("type");
    let ids = call.texts("id");
    let query = call.text("query").unwrap_or_default().to_lowercase();
    let text = |field: &Value, name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let mut fields = call.state.fields_json();
    fields.retain(|field| {
        let kind = if field["custom"] == true { "custom" } else { "system" };
        kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && ids.as_ref().is_none_or(|ids| ids.contains(&&*text(field, "id")))
            && text(field, "name").to_lowercase().contains(&query)
            // The field of the key, which is no field, is not among them.
            && field.get("schema").is_some()
    });
    if let Some(order) = call.text("orderBy") {
        fields.sort_by_key(|field| text(field, "name").to_lowercase());
        if order.starts_with('-') {
            fields.reverse();
        }
    }
    let rows = fields.into_iter().map(|field| {
        json!({ "id": field["id"], "name": field["name"], "schema": field["schema"], "description": "" })
    });
    Ok(Answer::json(paging::page(call, rows.collect())))
}

pub(super) fn issue_types(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.issue_types_json(call.base))))
}

pub(super) fn issue_type(call: &Call<'_>) -> Result<Answer, Refusal> {
    let id = call.path("id");
    let found = call.state.issue_types_json(call.base).into_iter().find(|kind| kind["id"] == *id);
    let message = format!("The issue type with id '{id}' does not exist");
    found.map(Answer::json).ok_or_else(|| Refusal::not_found(message))
}

pub(super) fn statuses(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.statuses_json(call.base))))
}

pub(super) fn statuses_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let wanted = call.text("searchString").unwrap_or_default().to_lowercase();
    let rows = call.state.statuses_json(call.base).into_iter().map(|status| {
        let category = match status["statusCategory"]["key"].as_str() {
            Some("done") => "DONE",
            Some("indeterminate") => "IN_PROGRESS",
            _ => "TODO",
        };
        json!({
            "id": status["id"],
            "name": status["name"],
            "statusCategory": category,
            "scope": { "type": "GLOBAL" },
            "description": status["description"],
        })
    });
    let category = call.text("statusCategory");
    let rows = rows.filter(|row| {
        category.is_none_or(|category| row["statusCategory"] == category)
            && row["name"].as_str().is_some_and(|name| name.to_lowercase().contains(&wanted))
    });
    Ok(Answer::json(paging::page(call, rows.collect())))
}

pub(super) fn priorities(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.priorities_json(call.base))))
}

pub(super) fn priorities_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let mut rows = wanted(call, call.state.priorities_json(call.base), "isDefault");
    let name = call.text("priorityName").unwrap_or_default().to_lowercase();
    rows.retain(|row| row["name"].as_str().is_some_and(|it| it.to_lowercase().contains(&name)));
    Ok(Answer::json(paging::page(call, rows)))
}

pub(super) fn resolutions(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.resolutions_json(call.base))))
}

pub(super) fn resolutions_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = wanted(call, call.state.resolutions_json(call.base), "default");
    Ok(Answer::json(paging::page(call, rows)))
}

/// Those of the ids that are asked for, or only the default one.
fn wanted(call: &Call<'_>, mut rows: Vec<Value>, default: &str) -> Vec<Value> {
    if let Some(ids) = call.texts("id") {
        rows.retain(|row| ids.iter().any(|id| row["id"] == *id));
    }
    if call.flag("onlyDefault") {
        rows.retain(|row| row[default] == true);
    }
    rows
}

pub(super) fn link_types(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(json!({ "issueLinkTypes": call.state.link_types_json(call.base) })))
}

pub(super) fn roles(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(Value::Array(call.state.roles_json(call.base))))
}

pub(super) fn labels(call: &Call<'_>) -> Result<Answer, Refusal> {
    let issues = call.state.issues.values().filter(|issue| call.state.may_read(issue));
    let labels: BTreeSet<&String> = issues.flat_map(|issue| &issue.labels).collect();
    let labels = labels.into_iter().cloned().map(Value::String).collect();
    Ok(Answer::json(paging::page(call, labels)))
}

pub(super) fn events(_: &Call<'_>) -> Result<Answer, Refusal> {
    let names = ["Issue Created", "Issue Updated", "Issue Assigned", "Issue Resolved"];
    let events: Vec<Value> =
        names.iter().zip(1..).map(|(name, id)| json!({ "id": id, "name": name })).collect();
    Ok(Answer::json(Value::Array(events)))
}

/// Answers that nothing was recorded.
pub(super) fn audit_records(call: &Call<'_>) -> Result<Answer, Refusal> {
    let offset = call.integer("offset").unwrap_or_default();
    let limit = call.integer("limit").unwrap_or(1000).min(1000);
    Ok(Answer::json(json!({ "offset": offset, "limit": limit, "total": 0, "records": [] })))
}
