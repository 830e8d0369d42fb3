//! What the account cannot see is told, and never taken for deleted.

use std::collections::BTreeSet;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::backup::BackupReport;
use esker_engine::source::{CompletenessState, PartCompleteness};
use esker_engine::testing::TempRepo;
use esker_jira_site::server::{Fault, When};
use esker_jira_site::site::{Mishap, SiteOptions};

use crate::fixture::{JiraSite, largest_project, records};

fn repo() -> TempRepo {
    let repo = TempRepo::memory();
    repo.create();
    repo
}

fn site(options: SiteOptions) -> JiraSite {
    JiraSite::with(&SiteOptions { relations: false, ..options })
}

fn backup(repo: &TempRepo, site: &JiraSite) -> BackupReport {
    repo.backup(&site.open(site.options()))
}

fn issues(repo: &TempRepo) -> BTreeSet<String> {
    let issue =
        |path: &String| Some(path.strip_suffix("/issue.json")?.rsplit('/').next()?.to_owned());
    records(repo).keys().filter_map(issue).collect()
}

fn parts(report: &BackupReport) -> Vec<PartCompleteness> {
    let issues = report.collections.iter().find(|it| it.name == "issues");
    issues.expect("the issues").completeness.parts.clone()
}

/// The project with the most issues.
fn project_of(repo: &TempRepo) -> String {
    largest_project(&issues(repo))
}

#[test]
fn a_project_that_is_hidden_is_carried_forward() {
    let (repo, site) = (repo(), site(SiteOptions::default()));
    assert_eq!(backup(&repo, &site).status, SnapshotStatus::Complete);
    let (before, project) = (issues(&repo), project_of(&repo));
    site.site.mishap(&Mishap::HideProject { project: project.clone() });
    for run in 0..2 {
        let report = backup(&repo, &site);
        assert_eq!(issues(&repo), before, "run {run}");
        assert_eq!(report.status, SnapshotStatus::Partial, "run {run}");
        assert_eq!(report.ledger.deleted_count, 0, "run {run}");
        let of_project = before.iter().filter(|key| key.starts_with(&format!("{project}-")));
        assert_eq!(report.ledger.vanished_count, of_project.count() as u64, "run {run}");
        let part = &parts(&report)[0];
        assert_eq!((part.name.as_str(), part.state), (&*project, CompletenessState::NotPermitted));
        assert!(report.problems.iter().any(|it| it.stale && it.path.contains(&project)));
    }
    site.site.mishap(&Mishap::ShowProject { project });
    let report = backup(&repo, &site);
    assert_eq!((report.status, report.ledger.vanished_count), (SnapshotStatus::Complete, 0));
    assert_eq!(issues(&repo), before);
}

#[test]
fn what_was_out_of_sight_before_does_not_explain_what_is_now() {
    let (repo, site) = (repo(), site(SiteOptions::default()));
    backup(&repo, &site);
    let (before, project) = (issues(&repo), project_of(&repo));
    site.site.mishap(&Mishap::HideProject { project: project.clone() });
    backup(&repo, &site);
    // It can be browsed again, and a security level hides issues of it.
    site.site.mishap(&Mishap::ShowProject { project: project.clone() });
    site.site.mishap(&Mishap::HideIssues { project: project.clone(), count: 4 });
    for run in 0..2 {
        let report = backup(&repo, &site);
        assert_eq!(issues(&repo), before, "run {run}");
        let ledger = (report.ledger.deleted_count, report.ledger.vanished_count);
        assert_eq!(ledger, (0, 4), "run {run}");
    }
    // What is then deleted for good is told from what is hidden.
    let deleted = site.site.mishap(&Mishap::DeleteIssues { project, count: 2 });
    let report = backup(&repo, &site);
    assert_eq!(report.ledger.deleted_count, 0, "nobody can tell which of them were deleted");
    assert!(issues(&repo).is_superset(&deleted.into_iter().collect()));
}

#[test]
fn a_project_that_was_never_shown_is_told() {
    let (repo, site) = (repo(), site(SiteOptions::default()));
    let state = site.site.state();
    let key = state.issue_ids().first().and_then(|id| state.key(*id)).expect("an issue");
    drop(state);
    let project = key.split('-').next().expect("a project").to_owned();
    site.site.mishap(&Mishap::HideProject { project: project.clone() });
    let report = backup(&repo, &site);
    assert_eq!(report.status, SnapshotStatus::Partial);
    let part = &parts(&report)[0];
    assert_eq!(
        (part.name.as_str(), part.state, part.found),
        (&*project, CompletenessState::NotPermitted, 0)
    );
    assert!(part.expected.is_some_and(|expected| expected > 0), "{part:?}");
}

#[test]
fn issues_that_are_hidden_are_carried_forward() {
    let (repo, site) = (repo(), site(SiteOptions::default()));
    backup(&repo, &site);
    let (before, project) = (issues(&repo), project_of(&repo));
    let hidden = site.site.mishap(&Mishap::HideIssues { project, count: 3 });
    let report = backup(&repo, &site);
    assert_eq!(issues(&repo), before);
    assert_eq!(
        (report.ledger.deleted_count, report.ledger.vanished_count),
        (0, hidden.len() as u64)
    );
    assert_eq!(
        (report.status, parts(&report)[0].state),
        (SnapshotStatus::Partial, CompletenessState::Partial)
    );
}

#[test]
fn a_bulk_deletion_that_the_count_confirms_is_a_deletion() {
    let options = SiteOptions { issues: 400, attachments: 5, ..SiteOptions::default() };
    for insight in [true, false] {
        let (repo, site) = (repo(), site(options.clone()));
        if !insight {
            let faults = site.server.faults();
            let added =
                faults.add("GET /rest/api/3/project/search", When::Always, Fault::NoInsight);
            added.expect("an endpoint");
        }
        backup(&repo, &site);
        let (before, project) = (issues(&repo), project_of(&repo));
        let count = 70;
        let deleted = site.site.mishap(&Mishap::DeleteIssues { project, count });
        assert_eq!(deleted.len(), count);
        let report = backup(&repo, &site);
        assert_eq!(
            report.ledger.deleted_count, count as u64,
            "insight {insight}: {:?}",
            report.problems
        );
        let left: BTreeSet<_> =
            before.difference(&deleted.into_iter().collect()).cloned().collect();
        assert_eq!(issues(&repo), left, "insight {insight}");
        assert_eq!(report.status, SnapshotStatus::Complete, "insight {insight}");
    }
}

#[test]
fn a_loss_that_no_count_confirms_is_none() {
    let options = SiteOptions { issues: 400, attachments: 5, ..SiteOptions::default() };
    let (repo, site) = (repo(), site(options));
    backup(&repo, &site);
    let (before, project) = (issues(&repo), project_of(&repo));
    let faults = site.server.faults();
    for (endpoint, fault) in [
        ("GET /rest/api/3/project/search", Fault::NoInsight),
        ("POST /rest/api/3/search/approximate-count", Fault::WrongCount { by: 70 }),
    ] {
        faults.add(endpoint, When::Always, fault).expect("an endpoint");
    }
    site.site.mishap(&Mishap::HideIssues { project, count: 70 });
    let report = backup(&repo, &site);
    assert_eq!((report.ledger.deleted_count, report.ledger.vanished_count), (0, 70));
    assert_eq!((issues(&repo), report.status), (before, SnapshotStatus::Partial));
}

#[test]
fn issues_that_no_search_lists_are_found_by_their_numbers() {
    let (repo, site) = (repo(), site(SiteOptions { unlisted: 4, ..SiteOptions::default() }));
    for run in 0..2 {
        let report = backup(&repo, &site);
        let counts = site.site.counts();
        assert_eq!(issues(&repo).len(), counts.issues, "run {run}: {counts:?}");
        assert_eq!(report.status, SnapshotStatus::Complete, "run {run}: {:?}", parts(&report));
    }
}

#[test]
fn archived_issues_stay() {
    let (repo, site) = (repo(), site(SiteOptions::default()));
    backup(&repo, &site);
    let (before, project) = (issues(&repo), project_of(&repo));
    let archived = site.site.mishap(&Mishap::ArchiveIssues { project, count: 5 });
    assert_eq!(archived.len(), 5);
    let report = backup(&repo, &site);
    assert_eq!((issues(&repo), report.ledger.deleted_count), (before, 0));
    assert_eq!(report.status, SnapshotStatus::Complete, "{:?}", parts(&report));
}
