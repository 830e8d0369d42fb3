//! Does the store still do what it was seen to do when the repository was made?

use super::{CheckReport, Finding, chain};
use crate::repo::Repository;

/// Tries a store again that was proven. One that was not, or was never tried, has nothing to lose.
pub(super) fn check(repository: &Repository, report: &mut CheckReport) {
    let known = &repository.config().store;
    if !known.as_ref().is_some_and(crate::store::Probe::is_proven) {
        return;
    }
    match repository.store().probe() {
        Ok(probe) if probe.is_proven() => {}
        Ok(probe) => report.findings.push(Finding {
            object: repository.store().label().into(),
            kind: "unproven".into(),
            effect: format!(
                "the store does not do any more what it did when the repository was made: {}",
                probe.shortcomings().join("; ")
            ),
            hint: "run one command at a time on this repository until the store is what it was"
                .into(),
        }),
        // Whoever may only read may still check.
        Err(error) => report
            .notes
            .push(format!("what the store promises could not be tried: {}", chain(&error))),
    }
}
