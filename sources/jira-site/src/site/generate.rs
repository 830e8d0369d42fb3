//! Makes a site from a seed.

use super::options::SiteOptions;
use super::state::State;

pub(crate) fn generate(options: &SiteOptions) -> State {
    State::empty(options)
}
