use super::call::Call; use super::{Answer, Refusal};
pub(super) fn comment_list(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn comments(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
