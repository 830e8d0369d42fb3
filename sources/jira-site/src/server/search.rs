use super::call::Call; use super::{Answer, Refusal};
pub(super) fn approximate_count(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn parse(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn removed(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn search(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
