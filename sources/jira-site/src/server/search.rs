//! Handlers of searches by JQL.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::call::Call;
use super::fields::{self, Selection};
use super::paging::Window;
use super::token::Token;
use super::{Answer, Refusal};
use crate::site::{Jql, JqlError};

/// The most rows of a page where more is asked for than ids and keys.
const ROWS_WITH_FIELDS: u64 = 100;

pub(super) fn search(call: &Call<'_>) -> Result<Answer, Refusal> {
    let jql = call.text("jql").unwrap_or_default();
    let found = reconciled(call, jql)?;
    let selection = Selection::of(call, "id");
    let mut window = Window::of(call);
    if !selection.is_identity_only() {
        window.size = window.size.min(ROWS_WITH_FIELDS);
    }
    if let Some(text) = call.text("nextPageToken") {
        window.start = Token::read(text, &jql)?.start(found.iter().copied());
    }
    let is_last = window.is_last(found.len());
    let ids = window.cut(found);
    let issues: Vec<Value> = ids.iter().map(|id| row(call, *id, &selection)).collect();
    let mut page = json!({ "issues": issues, "isLast": is_last });
    if !is_last {
        page["nextPageToken"] = Value::from(Token::behind(window.start, &ids).write(&jql));
    }
    fields::describe(call, &selection, &mut page);
    Ok(Answer::json(page))
}

/// What a query finds; issues that the request wants reconciled are found as they are, not as the index has them.
fn reconciled(call: &Call<'_>, jql: &str) -> Result<Vec<u64>, Refusal> {
    let jql = Jql::parse(jql)?;
    let mut found = call.state.search(&jql, call.now)?;
    let named = call.integers("reconcileIssues").unwrap_or_default();
    let named: Vec<u64> = named.into_iter().filter_map(|id| u64::try_from(id).ok()).collect();
    let lag = SignedDuration::try_from(call.state.options().index_lag).unwrap_or_default();
    if !named.is_empty() && !lag.is_zero() {
        let fresh = call.state.search(&jql, call.now + lag)?;
        found.retain(|id| !named.contains(id) || fresh.contains(id));
        let missing = named.into_iter().filter(|id| fresh.contains(id));
        let missing: Vec<u64> = missing.filter(|id| !found.contains(id)).collect();
        found.extend(missing);
    }
    Ok(found)
}

fn row(call: &Call<'_>, id: u64, selection: &Selection) -> Value {
    if selection.is_id_only() && call.arguments.get("properties").is_none() {
        return json!({ "id": id.to_string() });
    }
    // The index may list an issue that is no more: then there is nothing but its name.
    fields::issue(call, id, selection).unwrap_or_else(|| {
        json!({
            "id": id.to_string(),
            "key": call.state.indexed_key(id),
            "self": format!("{}/rest/api/3/issue/{id}", call.base),
        })
    })
}

pub(super) fn approximate_count(call: &Call<'_>) -> Result<Answer, Refusal> {
    let jql = Jql::parse(call.text("jql").unwrap_or_default())?;
    Ok(Answer::json(json!({ "count": call.state.search(&jql, call.now)?.len() })))
}

/// Answers for the search that Atlassian removed.
pub(super) fn removed(_: &Call<'_>) -> Result<Answer, Refusal> {
    Err(Refusal::new(
        410,
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. \
         A full migration guideline is available at \
         https://developer.atlassian.com/changelog/#CHANGE-2046",
    ))
}

/// Tells of each query whether it can be read; the tree of a query is left out.
pub(super) fn parse(call: &Call<'_>) -> Result<Answer, Refusal> {
    let queries = call.texts("queries").unwrap_or_default();
    let parsed: Vec<Value> = queries
        .into_iter()
        .map(|query| match Jql::parse(query) {
            Ok(_) => json!({ "query": query }),
            Err(error) => json!({ "query": query, "errors": [error.message] }),
        })
        .collect();
    Ok(Answer::json(json!({ "queries": parsed })))
}

impl From<JqlError> for Refusal {
    fn from(error: JqlError) -> Refusal {
        Refusal::invalid(error.message)
    }
}
