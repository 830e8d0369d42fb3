//! Are the packs locked, where the repository locks what it stores?

use super::{CheckReport, chain};
use crate::clock::{Clock, SystemClock};
use crate::parallel::{CONNECTIONS, map};
use crate::repo::Repository;
use crate::store::StoreError;

/// So many packs are asked for, spread over all of them.
const ASKED: usize = 256;

/// Asks for the locks of some packs. One that is not locked is no damage: `prune` locks it again, or it is garbage.
pub(super) fn check(repository: &Repository, report: &mut CheckReport) {
    if repository.config().object_lock.is_none() {
        return;
    }
    match count(repository) {
        Ok((_, _, 0)) => {}
        Ok((packs, asked, open)) => report.notes.push(format!(
            "{open} of {asked} packs that were asked for, of {packs} in all, are not locked; `esker prune` locks those that are needed"
        )),
        Err(error) => report
            .notes
            .push(format!("whether packs are locked could not be found out: {}", chain(&error))),
    }
}

/// How many packs there are, how many were asked for, and how many of these are not locked.
fn count(repository: &Repository) -> Result<(usize, usize, usize), StoreError> {
    let store = repository.store();
    let packs = store.list("packs")?;
    let names: Vec<_> = packs.iter().step_by(packs.len().div_ceil(ASKED).max(1)).collect();
    let now = SystemClock.now();
    let ends = map(CONNECTIONS, &names, |pack| store.locked_until(&pack.name));
    let mut open = 0;
    for end in ends {
        match end {
            Ok(end) => open += usize::from(end.is_none_or(|end| end <= now)),
            // It went meanwhile.
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((packs.len(), names.len(), open))
}
