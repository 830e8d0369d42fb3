//! Handlers of users and groups.

use serde_json::Value;

use super::call::Call;
use super::paging::{self, Window};
use super::{Answer, Refusal};

pub(super) fn myself(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(call.state.myself_json(call.base)))
}

pub(super) fn all(call: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(bare_page(call, call.state.users_json(call.base)))
}

/// A page that is nothing but its rows: the last one is the one that is empty.
fn bare_page(call: &Call<'_>, rows: Vec<Value>) -> Answer {
    Answer::json(Value::Array(Window::of(call).cut(rows)))
}

pub(super) fn user(call: &Call<'_>) -> Result<Answer, Refusal> {
    let Some(id) = call.text("accountId") else {
        return Err(Refusal::invalid("The 'accountId' query parameter needs to be provided."));
    };
    let message = "Specified user does not exist or you do not have required permissions";
    let user = call.state.user_json(id, call.base);
    user.map(Answer::json).ok_or_else(|| Refusal::not_found(message))
}

pub(super) fn bulk(call: &Call<'_>) -> Result<Answer, Refusal> {
    let ids = call.texts("accountId").unwrap_or_default();
    let users = ids.into_iter().filter_map(|id| call.state.user_json(id, call.base));
    Ok(Answer::json(paging::page(call, users.collect())))
}

pub(super) fn find(call: &Call<'_>) -> Result<Answer, Refusal> {
    let (query, id) = (call.text("query"), call.text("accountId"));
    if query.is_some() == id.is_some() {
        return Err(Refusal::invalid("Either 'query' or 'accountId' must be provided."));
    }
    let mut users = call.state.users_json(call.base);
    users.retain(|user| {
        let begins = |name: &str, start: &str| {
            let value = user[name].as_str().unwrap_or_default().to_lowercase();
            value.starts_with(start) || value.split(' ').any(|word| word.starts_with(start))
        };
        user["active"] == true
            && id.is_none_or(|id| user["accountId"] == id)
            && query.map(str::to_lowercase).is_none_or(|query| {
                ["displayName", "emailAddress"].iter().any(|name| begins(name, &query))
            })
    });
    Ok(bare_page(call, users))
}

pub(super) fn groups(call: &Call<'_>) -> Result<Answer, Refusal> {
    let mut groups = call.state.groups_json();
    for (parameter, property) in [("groupId", "groupId"), ("groupName", "name")] {
        if let Some(wanted) = call.texts(parameter) {
            groups.retain(|group| wanted.iter().any(|value| group[property] == *value));
        }
    }
    Ok(Answer::json(paging::page(call, groups)))
}
