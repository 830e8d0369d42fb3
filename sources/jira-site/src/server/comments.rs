//! Handlers of comments.

use serde_json::Value;

use super::call::Call;
use super::{Answer, Refusal, issues, paging};

pub(super) fn comments(call: &Call<'_>) -> Result<Answer, Refusal> {
    let comments = call.state.comments_json(issues::named(call)?, call.base);
    let mut comments = comments.ok_or_else(Refusal::no_issue)?;
    if call.text("orderBy") == Some("-created") {
        comments.reverse();
    }
    Ok(Answer::json(paging::named_page(call, "comments", comments)))
}

pub(super) fn comment_list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let ids = call.integers("ids").unwrap_or_default();
    let ids = ids.into_iter().filter_map(|id| u64::try_from(id).ok());
    let comments: Vec<Value> =
        ids.filter_map(|id| call.state.comment_json(id, call.base)).collect();
    Ok(Answer::json(paging::page(call, comments)))
}
