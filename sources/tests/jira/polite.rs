//! Rate limits of the site: whatever their spelling, a backup stays below them or waits, and ends whole.

use std::time::Duration;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::testing::TempRepo;
use esker_jira_site::server::{Hourly, Limits, ServerOptions, Spelling};
use esker_jira_site::site::SiteOptions;

use crate::fixture::JiraSite;

fn site(limits: Limits) -> JiraSite {
    let options = SiteOptions { issues: 40, relations: false, ..SiteOptions::default() };
    let server = ServerOptions { limits: Some(limits), ..ServerOptions::default() };
    JiraSite::served(&options, server)
}

fn first_backup(site: &JiraSite) -> SnapshotStatus {
    let repo = TempRepo::memory();
    repo.create();
    let report = repo.backup(&site.open(site.options()));
    assert_eq!(report.problems, []);
    report.status
}

#[test]
fn a_burst_limit_is_kept_in_all_spellings() {
    for spelling in
        [Spelling::Classic, Spelling::ClassicMinutes, Spelling::Structured, Spelling::Beta]
    {
        let limits = Limits {
            get_per_second: 40,
            post_per_second: 40,
            spelling,
            retry_after: spelling != Spelling::Structured,
            ..Limits::default()
        };
        assert_eq!(first_backup(&site(limits)), SnapshotStatus::Complete, "{spelling:?}");
    }
}

#[test]
fn a_spent_hour_is_waited_for() {
    let hourly = Hourly { requests: 60, length: Duration::from_secs(2) };
    let limits = Limits { hourly: Some(hourly), ..Limits::default() };
    assert_eq!(first_backup(&site(limits)), SnapshotStatus::Complete);
}
