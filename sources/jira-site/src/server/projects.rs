//! Handlers of projects and of what belongs to one.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::call::Call;
use super::{Answer, Refusal, issues, paging};
use crate::site::Expand;

/// The project that the path names, where the account may browse it.
fn named(call: &Call<'_>) -> Result<u64, Refusal> {
    let project = call.state.find_project(call.path("projectIdOrKey"));
    project.filter(|id| call.state.may_browse(*id)).ok_or_else(|| missing(call))
}

fn missing(call: &Call<'_>) -> Refusal {
    let name = call.path("projectIdOrKey");
    let kind = if name.parse::<u64>().is_ok() { "id" } else { "key" };
    Refusal::not_found(format!("No project could be found with {kind} '{name}'."))
}

fn expand(call: &Call<'_>) -> Expand {
    Expand::parse(call.text("expand").unwrap_or_default())
}

/// Lists projects, for an administrator those too that the account may not browse.
pub(super) fn search(call: &Call<'_>) -> Result<Answer, Refusal> {
    let mut rows: Vec<Value> = call
        .state
        .project_ids()
        .into_iter()
        .filter(|id| {
            call.text("action").is_none_or(|it| it == "view") || call.state.may_browse(*id)
        })
        .filter_map(|id| call.state.project_row_json(id, call.base, expand(call)))
        .filter(|row| is_wanted(call, row))
        .collect();
    let order = call.text("orderBy").unwrap_or("key");
    rows.sort_by(|a, b| compare(a, b, order.trim_start_matches(['+', '-'])));
    if order.starts_with('-') {
        rows.reverse();
    }
    Ok(Answer::json(paging::page(call, rows)))
}

fn is_wanted(call: &Call<'_>, row: &Value) -> bool {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let ids = call.integers("id");
    let keys = call.texts("keys");
    let statuses = call.texts("status");
    let query = call.text("query").unwrap_or_default().to_lowercase();
    let kinds = call.text("typeKey");
    let category = call.integer("categoryId").map(|id| id.to_string());
    ids.is_none_or(|ids| ids.iter().any(|id| text("id") == id.to_string()))
        && keys.is_none_or(|keys| keys.iter().any(|key| key.eq_ignore_ascii_case(text("key"))))
        // Nothing on this site is archived or in the bin.
        && statuses.is_none_or(|statuses| statuses.contains(&"live"))
        && (text("key").to_lowercase().contains(&query)
            || text("name").to_lowercase().contains(&query))
        && kinds.is_none_or(|kinds| kinds.split(',').any(|kind| kind == text("projectTypeKey")))
        && category.is_none_or(|id| row["projectCategory"]["id"] == *id)
}

fn compare(a: &Value, b: &Value, order: &str) -> Ordering {
    let text = |row: &Value| match order {
        "name" => row["name"].as_str().unwrap_or_default().to_lowercase(),
        "category" => row["projectCategory"]["name"].as_str().unwrap_or_default().to_lowercase(),
        "owner" => row["lead"]["displayName"].as_str().unwrap_or_default().to_lowercase(),
        "lastIssueUpdatedDate" => {
            row["insight"]["lastIssueUpdateTime"].as_str().unwrap_or_default().to_owned()
        }
        "issueCount" => {
            format!("{:020}", row["insight"]["totalIssueCount"].as_u64().unwrap_or_default())
        }
        _ => row["key"].as_str().unwrap_or_default().to_owned(),
    };
    text(a).cmp(&text(b))
}

/// The old list: all that the account may browse.
pub(super) fn all(call: &Call<'_>) -> Result<Answer, Refusal> {
    let ids = call.state.project_ids().into_iter().filter(|id| call.state.may_browse(*id));
    let rows = ids.filter_map(|id| call.state.project_row_json(id, call.base, expand(call)));
    Ok(Answer::json(Value::Array(rows.collect())))
}

pub(super) fn project(call: &Call<'_>) -> Result<Answer, Refusal> {
    let project = call.state.project_json(named(call)?, call.base);
    project.map(Answer::json).ok_or_else(|| missing(call))
}

pub(super) fn components(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = call.state.components_json(named(call)?, call.base);
    rows.map(|rows| Answer::json(Value::Array(rows))).ok_or_else(|| missing(call))
}

pub(super) fn components_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = call.state.components_json(named(call)?, call.base);
    ordered_page(call, rows.ok_or_else(|| missing(call))?)
}

pub(super) fn versions(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = call.state.versions_json(named(call)?, call.base);
    rows.map(|rows| Answer::json(Value::Array(rows))).ok_or_else(|| missing(call))
}

pub(super) fn versions_page(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = call.state.versions_json(named(call)?, call.base);
    let mut rows = rows.ok_or_else(|| missing(call))?;
    if let Some(asked) = call.text("status") {
        rows.retain(|row| {
            let (released, archived) = (row["released"] == true, row["archived"] == true);
            asked.split(',').any(|status| match status {
                "released" => released && !archived,
                "unreleased" => !released && !archived,
                "archived" => archived,
                _ => false,
            })
        });
    }
    ordered_page(call, rows)
}

/// A page of components or versions: those that the query matches, in the order that is asked for.
fn ordered_page(call: &Call<'_>, mut rows: Vec<Value>) -> Result<Answer, Refusal> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_lowercase();
    let query = call.text("query").unwrap_or_default().to_lowercase();
    rows.retain(|row| ["name", "description"].iter().any(|name| text(row, name).contains(&query)));
    if let Some(order) = call.text("orderBy") {
        let name = order.trim_start_matches(['+', '-']);
        // The sequence is the order in which the state holds them.
        if name != "sequence" {
            rows.sort_by_key(|row| text(row, name));
        }
        if order.starts_with('-') {
            rows.reverse();
        }
    }
    Ok(Answer::json(paging::page(call, rows)))
}

pub(super) fn roles(call: &Call<'_>) -> Result<Answer, Refusal> {
    let project = named(call)?;
    let roles = call.state.roles_json(call.base).into_iter().filter_map(|role| {
        let url = role_url(call, project, &role["id"]);
        Some((role["name"].as_str()?.to_owned(), Value::from(url)))
    });
    Ok(Answer::json(Value::Object(roles.collect::<Map<_, _>>())))
}

pub(super) fn role(call: &Call<'_>) -> Result<Answer, Refusal> {
    let project = named(call)?;
    let wanted: Option<u64> = call.path("id").parse().ok();
    let roles = call.state.roles_json(call.base).into_iter();
    let mut role = roles
        .into_iter()
        .find(|role| wanted.is_some() && role["id"].as_u64() == wanted)
        .ok_or_else(|| {
            Refusal::not_found("Can not retrieve a role actors for a null project role.")
        })?;
    role["self"] = Value::from(role_url(call, project, &role["id"]));
    if role.get("actors").is_none() {
        role["actors"] = json!([]);
    }
    Ok(Answer::json(role))
}

fn role_url(call: &Call<'_>, project: u64, role: &Value) -> String {
    format!("{}/rest/api/3/project/{project}/role/{role}", call.base)
}

/// Answers that there are none.
pub(super) fn property_keys(call: &Call<'_>) -> Result<Answer, Refusal> {
    named(call)?;
    Ok(Answer::json(json!({ "keys": [] })))
}

pub(super) fn property(call: &Call<'_>) -> Result<Answer, Refusal> {
    named(call)?;
    Err(issues::no_property(call.path("propertyKey")))
}

/// Lists the statuses of each issue type: all of them, as there is one workflow.
pub(super) fn statuses(call: &Call<'_>) -> Result<Answer, Refusal> {
    let project = call.state.project_json(named(call)?, call.base);
    let project = project.ok_or_else(|| missing(call))?;
    let statuses = call.state.statuses_json(call.base);
    let types = project["issueTypes"].as_array().into_iter().flatten().map(|issue_type| {
        json!({
            "self": issue_type["self"],
            "id": issue_type["id"],
            "name": issue_type["name"],
            "subtask": issue_type["subtask"],
            "statuses": statuses,
        })
    });
    Ok(Answer::json(Value::Array(types.collect())))
}

pub(super) fn categories(call: &Call<'_>) -> Result<Answer, Refusal> {
    let rows = call.state.project_ids().into_iter();
    let rows = rows.filter_map(|id| call.state.project_row_json(id, call.base, Expand::default()));
    let mut categories: Vec<Value> = Vec::new();
    for category in rows.filter_map(|row| row.get("projectCategory").cloned()) {
        if category.is_object() && !categories.contains(&category) {
            categories.push(category);
        }
    }
    Ok(Answer::json(Value::Array(categories)))
}

pub(super) fn types(_: &Call<'_>) -> Result<Answer, Refusal> {
    let kinds = [
        ("software", "Software"),
        ("service_desk", "Service Management"),
        ("business", "Business"),
    ];
    let types = kinds.map(|(key, name)| {
        let description = format!("jira.project.type.{key}.description");
        json!({
            "key": key,
            "formattedKey": name,
            "descriptionI18nKey": description,
            "icon": "",
            "color": "#FFFFFF",
        })
    });
    Ok(Answer::json(json!(types)))
}
