//! Handlers of issues and of what belongs to one.

use serde_json::{Value, json};

use super::call::Call;
use super::escape::encode;
use super::fields::{self, Selection};
use super::paging::{self, Window};
use super::token::Token;
use super::{Answer, Refusal};

/// The issue that the path names.
pub(super) fn named(call: &Call<'_>) -> Result<u64, Refusal> {
    call.state.find(call.path("issueIdOrKey")).ok_or_else(Refusal::no_issue)
}

/// The issues that a body names, each once, by id; those that are not there are left out.
fn named_in_body(call: &Call<'_>) -> Vec<u64> {
    let names = call.texts("issueIdsOrKeys").unwrap_or_default();
    let mut ids: Vec<u64> = names.into_iter().filter_map(|name| call.state.find(name)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) fn issue(call: &Call<'_>) -> Result<Answer, Refusal> {
    let selection = Selection::of(call, "*all");
    let issue = fields::issue(call, named(call)?, &selection);
    let mut issue = issue.ok_or_else(Refusal::no_issue)?;
    fields::describe(call, &selection, &mut issue);
    Ok(Answer::json(issue))
}

pub(super) fn bulk_fetch(call: &Call<'_>) -> Result<Answer, Refusal> {
    let selection = Selection::of(call, "*navigable");
    let issues = named_in_body(call).into_iter().filter_map(|id| {
        let mut issue = fields::issue(call, id, &selection)?;
        fields::describe(call, &selection, &mut issue);
        Some(issue)
    });
    // An issue that does not exist is no error: it is absent.
    let issues: Vec<Value> = issues.collect();
    Ok(Answer::json(json!({ "issues": issues, "issueErrors": [] })))
}

pub(super) fn bulk_changelogs(call: &Call<'_>) -> Result<Answer, Refusal> {
    let issues = named_in_body(call);
    let fields = call.texts("fieldIds").unwrap_or_default();
    let changes = call.state.changelog_of(&issues, &fields, call.base);
    let change_id = |change: &Value| change["id"].as_str().and_then(|id| id.parse::<u64>().ok());
    let ids: Vec<u64> =
        changes.iter().map(|(_, change)| change_id(change).unwrap_or_default()).collect();
    let mut window = Window::of(call);
    let question = (&issues, &fields);
    if let Some(text) = call.text("nextPageToken") {
        window.start = Token::read(text, &question)?.start(ids.iter().copied());
    }
    let is_last = window.is_last(changes.len());
    let mut logs: Vec<(u64, Vec<Value>)> = Vec::new();
    for (issue, change) in window.cut(changes) {
        match logs.iter_mut().find(|(id, _)| *id == issue) {
            Some((_, changes)) => changes.push(change),
            None => logs.push((issue, vec![change])),
        }
    }
    let logs: Vec<Value> = logs
        .into_iter()
        .map(|(issue, changes)| json!({ "issueId": issue.to_string(), "changeHistories": changes }))
        .collect();
    let mut page = json!({ "issueChangeLogs": logs });
    if !is_last {
        let token = Token::behind(window.start, &window.cut(ids));
        page["nextPageToken"] = Value::from(token.write(&question));
    }
    Ok(Answer::json(page))
}

pub(super) fn changelog(call: &Call<'_>) -> Result<Answer, Refusal> {
    let changes = call.state.changelog_json(named(call)?, call.base);
    Ok(Answer::json(paging::page(call, changes.ok_or_else(Refusal::no_issue)?)))
}

pub(super) fn changelog_list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let changes = call.state.changelog_json(named(call)?, call.base);
    let wanted = call.integers("changelogIds").unwrap_or_default();
    let wanted: Vec<String> = wanted.iter().map(i64::to_string).collect();
    let mut histories = changes.ok_or_else(Refusal::no_issue)?;
    histories.retain(|change| wanted.iter().any(|id| change["id"] == **id));
    Ok(Answer::json(paging::named_page(call, "histories", histories)))
}

pub(super) fn remote_links(call: &Call<'_>) -> Result<Answer, Refusal> {
    let links = call.state.remote_links_json(named(call)?, call.base);
    let links = links.ok_or_else(Refusal::no_issue)?;
    let Some(wanted) = call.text("globalId") else {
        return Ok(Answer::json(Value::Array(links)));
    };
    let link = links.into_iter().find(|link| link["globalId"] == wanted);
    let message = format!("No remote link found with global id {wanted}.");
    link.map(Answer::json).ok_or_else(|| Refusal::not_found(message))
}

pub(super) fn watchers(call: &Call<'_>) -> Result<Answer, Refusal> {
    let watchers = call.state.watchers_json(named(call)?, call.base);
    watchers.map(Answer::json).ok_or_else(Refusal::no_issue)
}

pub(super) fn votes(call: &Call<'_>) -> Result<Answer, Refusal> {
    let votes = call.state.votes_json(named(call)?, call.base);
    votes.map(Answer::json).ok_or_else(Refusal::no_issue)
}

pub(super) fn property_keys(call: &Call<'_>) -> Result<Answer, Refusal> {
    let id = named(call)?;
    let properties = call.state.properties(id).ok_or_else(Refusal::no_issue)?;
    let url = |key: &str| format!("{}/rest/api/3/issue/{id}/properties/{}", call.base, encode(key));
    let keys: Vec<Value> =
        properties.keys().map(|key| json!({ "self": url(key), "key": key })).collect();
    Ok(Answer::json(json!({ "keys": keys })))
}

pub(super) fn property(call: &Call<'_>) -> Result<Answer, Refusal> {
    let properties = call.state.properties(named(call)?).ok_or_else(Refusal::no_issue)?;
    let key = call.path("propertyKey");
    match properties.get(key) {
        Some(value) => Ok(Answer::json(json!({ "key": key, "value": value }))),
        None => Err(no_property(key)),
    }
}

/// Refuses a property that is not there.
pub(super) fn no_property(key: &str) -> Refusal {
    Refusal::not_found(format!("The property with key '{key}' does not exist."))
}

pub(super) fn link(call: &Call<'_>) -> Result<Answer, Refusal> {
    let id = call.path("linkId");
    let link = id.parse().ok().and_then(|id| call.state.link_json(id, call.base));
    let message = format!("No issue link with id '{id}' exists.");
    link.map(Answer::json).ok_or_else(|| Refusal::not_found(message))
}
