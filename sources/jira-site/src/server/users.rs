use super::call::Call; use super::{Answer, Refusal};
pub(super) fn all(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn bulk(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn find(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn groups(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn myself(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn user(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
