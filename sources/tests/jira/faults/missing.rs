//! Faults in what tells which issues there are: nothing is taken for deleted that may be there.

use std::time::Duration;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::testing::TempRepo;
use esker_jira_site::server::{Fault, When};
use esker_jira_site::site::{Day, Mishap, SiteOptions};

use super::{Bench, MODES, Mode, Rule, holdings, roots, rules, told};
use crate::fixture::JiraSite;

const SEARCH: &str = "POST /rest/api/3/search/jql";
const PROJECTS: &str = "GET /rest/api/3/project/search";
const COUNT: &str = "POST /rest/api/3/search/approximate-count";
const BULK: &str = "POST /rest/api/3/issue/bulkfetch";
const UPDATED: &str = "GET /rest/api/3/worklog/updated";
const DELETED: &str = "GET /rest/api/3/worklog/deleted";

#[test]
fn a_project_that_cannot_be_searched_is_told_and_mended() {
    let bench = Bench::new();
    for nth in 1..=3 {
        for mode in MODES {
            let case = format!("search {nth}");
            let run = bench.run(mode, &rules([SEARCH], When::Nth(nth), &Fault::status(400)));
            bench.assert_partial(&run, &case, "search/jql", |it| it.starts_with("/issues/"));
            bench.assert_heals(run, &case);
        }
    }
}

#[test]
fn feeds_of_worklogs_may_fail() {
    let bench = Bench::new();
    for (feed, fault) in [
        (UPDATED, Fault::status(500)),
        (UPDATED, Fault::status(403)),
        (DELETED, Fault::status(404)),
        (DELETED, Fault::NullProperties(vec!["worklogId".into(), "values".into()])),
    ] {
        let run = bench.run(Mode::Incremental, &rules([feed], When::Always, &fault));
        let case = format!("{feed}, {fault:?}");
        bench.assert_partial(&run, &case, "changes of worklogs", |it| it.contains("/worklogs/"));
        bench.assert_heals(run, &case);
    }
}

#[test]
fn whatever_the_search_leaves_out_is_not_deleted() {
    let bench = Bench::new();
    for rows in [1, 5, 100] {
        let run =
            bench.run(Mode::Incremental, &rules([SEARCH], When::Always, &Fault::MissingRows(rows)));
        bench.assert_nothing_lost(&run, &format!("{rows} rows missing"));
        assert!(run.result.is_ok());
    }
    for (name, faults) in [
        (
            "search and bulk fetch",
            vec![(SEARCH, Fault::MissingRows(4)), (BULK, Fault::MissingRows(4))],
        ),
        ("no insight", vec![(PROJECTS, Fault::NoInsight), (SEARCH, Fault::MissingRows(4))]),
        (
            "no insight, no count",
            vec![
                (PROJECTS, Fault::NoInsight),
                (COUNT, Fault::status(500)),
                (SEARCH, Fault::MissingRows(2)),
                (BULK, Fault::MissingRows(4)),
            ],
        ),
        (
            "no insight, a count that is too high",
            vec![
                (PROJECTS, Fault::NoInsight),
                (COUNT, Fault::WrongCount { by: 7 }),
                (SEARCH, Fault::MissingRows(2)),
            ],
        ),
        (
            "no insight, a count that is too low",
            vec![
                (PROJECTS, Fault::NoInsight),
                (COUNT, Fault::WrongCount { by: -7 }),
                (SEARCH, Fault::MissingRows(2)),
            ],
        ),
        (
            "no insight, a count without a number",
            vec![
                (PROJECTS, Fault::NoInsight),
                (COUNT, Fault::MissingProperties(vec!["count".into()])),
                (SEARCH, Fault::MissingRows(2)),
                (BULK, Fault::MissingRows(3)),
            ],
        ),
        (
            "the bulk fetch has no list",
            vec![
                (SEARCH, Fault::MissingRows(2)),
                (BULK, Fault::NullProperties(vec!["issues".into()])),
            ],
        ),
        (
            "issues without keys",
            vec![
                (SEARCH, Fault::NullProperties(vec!["key".into()])),
                (BULK, Fault::NullProperties(vec!["key".into()])),
            ],
        ),
    ] {
        let always = |(on, fault): &(&str, Fault)| ((*on).to_owned(), When::Always, fault.clone());
        let rules: Vec<Rule> = faults.iter().map(always).collect();
        let run = bench.run(Mode::Incremental, &rules);
        run.report(name);
        bench.assert_nothing_lost(&run, name);
        // A change that the search does not tell is found by the rotation, or so.
        bench.assert_heals_in_full(run, name);
    }
}

#[test]
fn an_issue_that_only_its_number_shows_is_not_deleted() {
    let bench = Bench::new();
    let [search, bulk] = [(SEARCH, When::Nth(1)), (BULK, When::Next(2))]
        .map(|(on, when)| (on.to_owned(), when, Fault::MissingRows(1)));
    let run = bench.run(Mode::Incremental, &[search, bulk]);
    assert_eq!(run.fired, 3);
    bench.assert_whole(&run, "found by its number");
}

/// A site whose project loses issues for good while its counts are wrong.
#[test]
fn a_deletion_that_no_count_confirms_waits_for_one() {
    for (name, faults) in [
        ("no count", vec![(PROJECTS, Fault::NoInsight), (COUNT, Fault::status(500))]),
        (
            "no number",
            vec![
                (PROJECTS, Fault::NoInsight),
                (COUNT, Fault::NullProperties(vec!["count".into()])),
            ],
        ),
        ("too high", vec![(PROJECTS, Fault::NoInsight), (COUNT, Fault::WrongCount { by: 9 })]),
    ] {
        let bench = Bench::new();
        let mishap = Mishap::DeleteIssues { project: "PAY".into(), count: 5 };
        let deleted = bench.site.site.mishap(&mishap);
        // Not those that came after the last snapshot.
        let is_known =
            |key: &&String| bench.lasting.contains(&format!("/issues/PAY/{key}/issue.json"));
        let known = deleted.iter().filter(is_known).count() as u64;
        assert!(known > 0, "{name}");
        bench.site.site.advance(Duration::from_secs(3600));
        let always = |(on, fault): &(&str, Fault)| ((*on).to_owned(), When::Always, fault.clone());
        let rules: Vec<Rule> = faults.iter().map(always).collect();
        let run = bench.run(Mode::Incremental, &rules);
        let report = run.report(name);
        assert_eq!(
            (report.ledger.deleted_count, report.status),
            (0, SnapshotStatus::Partial),
            "{name}"
        );
        assert!(told(report).iter().any(|it| it.contains("PAY")), "{name}: {:?}", told(report));
        let next = bench.run_in(run.repo, Mode::Incremental, bench.site.options(), &[]);
        let report = next.report(name);
        assert_eq!(report.ledger.deleted_count, known, "{name}: {:?}", told(report));
        assert_eq!(report.status, SnapshotStatus::Complete, "{name}: {:?}", told(report));
    }
}

/// What happens to issues while they are out of sight is read when they are back.
#[test]
fn what_was_out_of_sight_is_read_again() {
    let site =
        JiraSite::with(&SiteOptions { issues: 24, relations: false, ..SiteOptions::default() });
    let repo = TempRepo::memory();
    repo.create();
    let empty = repo.fork();
    let backup = |repo: &TempRepo| repo.backup(&site.open(site.options()));
    backup(&repo);
    let project = "PAY".to_owned();
    site.site.mishap(&Mishap::HideProject { project: project.clone() });
    for seed in 0..2 {
        site.site.day(&Day { seed, changed_issues: 12, new_issues: 1, ..Day::default() });
        site.site.advance(Duration::from_secs(3600));
        assert_eq!(backup(&repo).status, SnapshotStatus::Partial);
    }
    site.site.mishap(&Mishap::ShowProject { project });
    site.site.advance(Duration::from_secs(3600));
    let report = backup(&repo);
    let fresh = backup(&empty);
    if roots(&report) != roots(&fresh) {
        assert_eq!(holdings(&repo), holdings(&empty));
    }
    assert_eq!(roots(&report), roots(&fresh));
}
