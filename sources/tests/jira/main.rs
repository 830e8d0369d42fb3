//! The Jira source against the simulated site.

mod changes;
mod completeness;
mod faults;
mod fixture;
mod memory;
mod polite;

use esker_engine::testing::source_suite::conformance;

use self::fixture::JiraSite;

#[test]
fn a_site_conforms() {
    conformance(JiraSite::new);
}
