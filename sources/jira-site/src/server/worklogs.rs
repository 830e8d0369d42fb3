use super::call::Call; use super::{Answer, Refusal};
pub(super) fn deleted(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn list(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn updated(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn worklogs(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
