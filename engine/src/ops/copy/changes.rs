//! Between repositories with other ids.

use super::chain::{Chain, Moved};
use crate::error::Error;
use crate::repo::Snapshot;

pub(super) fn transfer(_: &mut Chain<'_>, _: &Snapshot) -> Result<Moved, Error> {
    Err(Error::Invalid { what: "not yet".into() })
}
