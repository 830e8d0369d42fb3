//! What changes from one backup to the next, and what it costs to find out.

use std::collections::BTreeSet;
use std::time::Duration;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::backup::BackupReport;
use esker_engine::testing::TempRepo;
use esker_jira_site::site::{Mishap, SiteOptions};
use serde_json::Value;

use crate::fixture::{JiraSite, Records, largest_project, records};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn repo() -> TempRepo {
    let repo = TempRepo::memory();
    repo.create();
    repo
}

fn backup(repo: &TempRepo, site: &JiraSite) -> BackupReport {
    let report = repo.backup(&site.open(site.options()));
    assert_eq!((report.status, &report.problems[..]), (SnapshotStatus::Complete, &[][..]));
    report
}

/// The keys of the issues of the newest snapshot.
fn issues(repo: &TempRepo) -> BTreeSet<String> {
    let issue =
        |path: &String| Some(path.strip_suffix("/issue.json")?.rsplit('/').next()?.to_owned());
    records(repo).keys().filter_map(issue).collect()
}

fn issues_of(site: &JiraSite) -> BTreeSet<String> {
    let state = site.site.state();
    state.issue_ids().into_iter().filter_map(|id| state.key(id)).collect()
}

#[test]
fn a_day_costs_what_changed() {
    let (repo, site) = (repo(), JiraSite::new());
    let first = backup(&repo, &site);
    assert_eq!(issues(&repo), issues_of(&site));
    for day in 0..3 {
        site.day(day);
        let report = backup(&repo, &site);
        assert_eq!(issues(&repo), issues_of(&site), "day {day}");
        assert_eq!(report.ledger.deleted_count, 1, "day {day}: {:?}", report.ledger);
        assert!(report.statistics.requests < first.statistics.requests, "day {day}");
        assert!(report.statistics.bytes_added < first.statistics.bytes_added, "day {day}");
    }
}

#[test]
fn a_quiet_run_asks_for_ids_and_feeds_only() {
    let (repo, site) = (repo(), JiraSite::new());
    backup(&repo, &site);
    // What changed just before the last backup is read once more, since the search lags behind.
    site.site.advance(DAY);
    backup(&repo, &site);
    site.site.advance(Duration::from_secs(3600));
    site.server.reset_requests();
    let mut options = site.options();
    options.configuration = 2 * DAY;
    options.rotation = Duration::ZERO;
    let report = repo.backup(&site.open(options));
    let figures = report.statistics;
    assert_eq!((figures.new, figures.changed, figures.deleted), (0, 0, 0));
    let projects = site.site.counts().projects as u64;
    let asked = site.server.requests();
    assert!(asked.values().sum::<u64>() <= 1 + projects + 20, "{asked:#?}");
    for bulk in ["POST /rest/api/3/issue/bulkfetch", "POST /rest/api/3/changelog/bulkfetch"] {
        assert_eq!(asked.get(bulk), None, "{asked:#?}");
    }
}

#[test]
fn issues_that_moved_are_found_and_their_attachments_stay() {
    let (repo, site) = (repo(), JiraSite::new());
    backup(&repo, &site);
    let before = records(&repo);
    site.server.reset_requests();
    let keys = issues_of(&site);
    let from = largest_project(&keys);
    let others = keys.into_iter().filter(|key| !key.starts_with(&format!("{from}-"))).collect();
    let moved =
        site.site.mishap(&Mishap::MoveIssues { from, to: largest_project(&others), count: 15 });
    assert_eq!(moved.len(), 15);
    let report = backup(&repo, &site);
    let after = records(&repo);
    assert_eq!(issues(&repo), issues_of(&site));
    assert_eq!((report.ledger.deleted_count, report.ledger.vanished_count), (0, 0));
    let contents = |records: &Records| {
        let attachments = records.keys().filter(|path| path.contains("/attachments/"));
        attachments.filter_map(|path| path.rsplit('/').next().map(String::from)).collect::<Vec<_>>()
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(contents(&after)), sorted(contents(&before)));
    let asked = site.server.requests();
    let downloads = asked.keys().filter(|name| name.contains("attachment/content"));
    assert_eq!(downloads.count(), 0, "{asked:#?}");
    repo.assert_sound();
}

#[test]
fn what_is_deleted_inside_of_issues_goes() {
    let (repo, site) = (repo(), JiraSite::new());
    backup(&repo, &site);
    let project = largest_project(&issues_of(&site));
    let count = |part: &str| {
        let of = |path: &&String| path.contains(&format!("/{project}/")) && path.contains(part);
        records(&repo).keys().filter(of).count()
    };
    for (part, mishap) in [
        ("/comments/", Mishap::DeleteComments { project: project.clone(), count: 3 }),
        ("/worklogs/", Mishap::DeleteWorklogs { project: project.clone(), count: 2 }),
        ("/attachments/", Mishap::DeleteAttachments { project: project.clone(), count: 1 }),
    ] {
        let before = count(part);
        let hit = site.site.mishap(&mishap).len();
        assert!(hit > 0, "{part}: nothing to delete");
        // The feeds leave out the last minute.
        site.site.advance(Duration::from_secs(120));
        backup(&repo, &site);
        assert_eq!(count(part), before - hit, "{part}");
    }
}

#[test]
fn what_leaves_no_trace_is_found_by_the_rotation() {
    let (repo, site) = (repo(), JiraSite::new());
    backup(&repo, &site);
    site.site.advance(DAY);
    let key = issues_of(&site).first().expect("an issue").clone();
    let value = serde_json::json!({"checked": [1, 2]});
    let property = Mishap::SetProperty { key: key.clone(), property: "checklist".into(), value };
    site.site.mishap(&property);
    let stored = |repo: &TempRepo| -> Option<Value> {
        let path = format!("issues/{}/{key}/properties.json", key.split('-').next()?);
        let text = records(repo).get(&path)?.clone();
        serde_json::from_slice::<Value>(&text).ok()?.get("checklist").cloned()
    };
    backup(&repo, &site);
    let early = stored(&repo);
    site.site.advance(31 * DAY);
    backup(&repo, &site);
    assert!(
        stored(&repo).is_some(),
        "a rotation passes and does not find the property (before: {early:?})"
    );
}

#[test]
fn a_search_that_lags_behind_hides_nothing_for_long() {
    let lag = Duration::from_secs(240);
    let options = SiteOptions { index_lag: lag, relations: false, ..SiteOptions::default() };
    let (repo, site) = (repo(), JiraSite::with(&options));
    site.site.advance(Duration::from_secs(3600));
    backup(&repo, &site);
    let key = issues_of(&site).first().expect("an issue").clone();
    let edit = |summary: &str| {
        let value = summary.into();
        site.site.mishap(&Mishap::EditIssue { key: key.clone(), field: "summary".into(), value });
    };
    let stored = || {
        let path = format!("issues/{}/{key}/issue.json", key.split('-').next().expect("a project"));
        String::from_utf8_lossy(&records(&repo)[&path]).contains("lags behind")
    };
    edit("the search lags behind");
    backup(&repo, &site);
    site.site.advance(lag + Duration::from_secs(60));
    backup(&repo, &site);
    assert!(stored(), "an edit in the lag of the search is lost");
}

#[test]
fn an_ordinary_site_is_stored_but_for_copies_of_other_objects() {
    let (repo, site) = (repo(), JiraSite::with(&SiteOptions::default()));
    backup(&repo, &site);
    for day in 0..3 {
        site.day(day);
        backup(&repo, &site);
    }
    let incremental = records(&repo);
    let fresh = repo_of(&site);
    assert_eq!(
        incremental.keys().collect::<Vec<_>>(),
        fresh.keys().collect::<Vec<_>>(),
        "an incremental backup has other records than a fresh one"
    );
    for (path, content) in &incremental {
        assert_eq!(without_copies(content), without_copies(&fresh[path]), "{path}");
    }
}

fn repo_of(site: &JiraSite) -> Records {
    let repo = repo();
    backup(&repo, site);
    records(&repo)
}

/// A document without what it repeats of other issues.
fn without_copies(content: &[u8]) -> Value {
    let Ok(mut document) = serde_json::from_slice::<Value>(content) else {
        return Value::String(String::from_utf8_lossy(content).into_owned());
    };
    if let Some(fields) = document.get_mut("fields").and_then(Value::as_object_mut) {
        for copied in ["subtasks", "parent", "issuelinks", "customfield_10014"] {
            fields.remove(copied);
        }
    }
    document
}
