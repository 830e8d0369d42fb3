use super::call::Call; use super::{Answer, Refusal};
pub(super) fn all(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn categories(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn components(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn components_page(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn project(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn property(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn property_keys(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn role(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn roles(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn search(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn statuses(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn types(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn versions(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
pub(super) fn versions_page(_: &Call<'_>) -> Result<Answer, Refusal> { Err(Refusal::no_issue()) }
