use super::call::Call; use super::{Answer, Refusal};
pub(super) const MEDIA_PATH: &str = "/media/file/{fileId}/binary";
pub(super) fn content(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn media(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn metadata(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn settings(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
