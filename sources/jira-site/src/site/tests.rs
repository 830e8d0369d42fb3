use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::later;
use super::{Day, Jql, Mishap, Site, SiteOptions};

const BASE: &str = "http://127.0.0.1:8080";

/// Everything that the site shows, of every issue.
fn rendered(site: &Site) -> Vec<Value> {
    let state = site.state();
    let issue = |id: u64| {
        json!([
            state.issue_json(id, BASE),
            state.comments_json(id, BASE),
            state.changelog_json(id, BASE),
            state.worklogs_json(id, BASE),
            state.remote_links_json(id, BASE),
            state.watchers_json(id, BASE),
            state.votes_json(id, BASE),
            state.properties(id),
        ])
    };
    let projects = state.project_ids().into_iter().filter_map(|id| state.project_json(id, BASE));
    state.issue_ids().into_iter().map(issue).chain(projects).chain(state.users_json(BASE)).collect()
}

fn listed(site: &Site, jql: &str) -> Vec<String> {
    let state = site.state();
    let jql = Jql::parse(jql).expect("a query");
    let ids = state.search(&jql, state.now()).expect("a result");
    ids.into_iter().filter_map(|id| state.indexed_key(id)).collect()
}

const ALL: &str = "created > 2000-01-01 ORDER BY id ASC";

fn a_day(seed: u64) -> Day {
    Day { seed, changed_issues: 10, new_issues: 3, new_attachments: 2, deleted_issues: 1 }
}

#[test]
fn equal_options_give_an_equal_site_through_equal_days() {
    let live = |seed, pause| {
        let site = Site::generate(&SiteOptions { seed, ..SiteOptions::default() });
        site.day(&a_day(1));
        // How long somebody looks at it does not matter.
        site.advance(pause);
        site.mishap(&Mishap::MoveIssues { from: "PAY".into(), to: "WEB".into(), count: 2 });
        site.day(&a_day(2));
        rendered(&site)
    };
    let pause = Duration::from_secs(9);
    assert_eq!(live(7, pause), live(7, Duration::ZERO));
    assert_ne!(live(7, pause), live(8, pause));
}

#[test]
fn holds_as_much_as_was_asked_for() {
    let options =
        SiteOptions { issues: 200, archived: 3, unlisted: 2, hidden: 4, ..SiteOptions::default() };
    let counts = Site::generate(&options).counts();
    assert_eq!(counts.projects, 3);
    assert_eq!(counts.issues, 196);
    assert_eq!(counts.hidden_issues, 4);
    assert_eq!(counts.archived_issues, 3);
    assert_eq!(counts.unlisted_issues, 2);
    assert_eq!(Site::generate(&SiteOptions::default()).counts().attachments, 12);
    let nothing = SiteOptions { projects: 0, issues: 0, users: 0, ..SiteOptions::default() };
    assert_eq!(Site::generate(&nothing).counts().issues, 0);
}

#[test]
fn counts_agree_with_what_is_shown() {
    let site = Site::generate(&SiteOptions { issues: 150, ..SiteOptions::default() });
    site.day(&a_day(1));
    let counts = site.counts();
    let state = site.state();
    let (mut comments, mut worklogs, mut attachments, mut history, mut bytes) = (0, 0, 0, 0, 0);
    let (mut watchers, mut votes) = (0, 0);
    let mut links = BTreeSet::new();
    for id in state.issue_ids() {
        let issue = state.issue_json(id, BASE).expect("an issue");
        let fields = &issue["fields"];
        comments += fields["comment"]["total"].as_u64().expect("a total") as usize;
        assert!(fields["comment"]["comments"].as_array().expect("comments").len() <= 20);
        worklogs += state.worklogs_json(id, BASE).expect("worklogs").len();
        history += state.changelog_json(id, BASE).expect("a changelog").len();
        for file in fields["attachment"].as_array().expect("attachments") {
            attachments += 1;
            let size = file["size"].as_u64().expect("a size");
            bytes += size;
            let id = file["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            let content = state.attachment_bytes(id, 0..u64::MAX).expect("bytes");
            assert_eq!(content.len() as u64, size);
        }
        for link in fields["issuelinks"].as_array().expect("links") {
            links.insert(link["id"].as_str().expect("an id").to_owned());
        }
        watchers += fields["watches"]["watchCount"].as_u64().expect("a count") as usize;
        votes += fields["votes"]["votes"].as_u64().expect("a count") as usize;
    }
    assert_eq!(comments, counts.comments);
    assert_eq!(worklogs, counts.worklogs);
    assert_eq!(attachments, counts.attachments);
    assert_eq!(bytes, counts.attachment_bytes);
    assert_eq!(history, counts.history_entries);
    assert_eq!(links.len(), counts.links);
    assert_eq!((watchers, votes), (counts.watchers, counts.votes));
    drop(state);
    assert_eq!(listed(&site, ALL).len(), counts.issues);
}

#[test]
fn some_issues_are_longer_than_a_page() {
    let site = Site::generate(&SiteOptions::default());
    let state = site.state();
    let longest = |of: &dyn Fn(u64) -> usize| state.issue_ids().into_iter().map(of).max();
    let description =
        |issue: &super::model::Issue| issue.description.words(&state.users).chars().count();
    let fullest = state.issues.values().map(description).max().expect("an issue");
    assert!((31_000..32_767).contains(&fullest), "{fullest}");
    assert!(longest(&|id| state.comments_json(id, BASE).map_or(0, |it| it.len())) > Some(100));
    assert!(longest(&|id| state.changelog_json(id, BASE).map_or(0, |it| it.len())) > Some(100));
}

#[test]
fn ids_and_histories_are_in_order_of_time() {
    let site = Site::generate(&SiteOptions::default());
    site.day(&a_day(1));
    let state = site.state();
    let mut last = 0;
    for issue in state.issues.values() {
        assert!(issue.created.as_millisecond() >= last);
        last = issue.created.as_millisecond();
        assert!(issue.updated >= issue.created);
        let times = issue.history.iter().map(|change| (change.created, change.id));
        assert!(times.clone().is_sorted());
        let mut newest = times.rev();
        assert!(newest.next().is_none_or(|(at, _)| at <= issue.updated));
    }
}

#[test]
fn a_day_changes_what_it_reports_and_nothing_else() {
    let site = Site::generate(&SiteOptions { issues: 200, ..SiteOptions::default() });
    let before = site.counts();
    let texts = |site: &Site| -> BTreeSet<(String, String)> {
        let state = site.state();
        let issues = state.issues.values();
        issues.map(|issue| (state.key_of(issue), issue.updated.to_string())).collect()
    };
    let old = texts(&site);
    let began = site.now();
    let report =
        site.day(&Day { changed_issues: 40, new_issues: 7, new_attachments: 9, ..Day::default() });
    assert!(site.now() >= later(began, Duration::from_secs(24 * 60 * 60)));
    let after = site.counts();
    assert_eq!(report.created.len(), 7);
    assert!(report.changed.len() >= 40, "{}", report.changed.len());
    assert_eq!(after.issues - before.issues, 7);
    assert_eq!(after.comments - before.comments, report.comments);
    assert_eq!(after.worklogs - before.worklogs, report.worklogs);
    assert_eq!(after.attachments - before.attachments, 9);
    assert_eq!(after.links - before.links, report.links);
    assert_eq!(after.history_entries - before.history_entries, report.history_entries);
    let new = texts(&site);
    let moved: BTreeSet<_> = new.difference(&old).map(|(key, _)| key.clone()).collect();
    let reported: BTreeSet<_> = report.changed.into_iter().chain(report.created).collect();
    assert_eq!(moved, reported);
    let found: BTreeSet<_> = listed(&site, "updated >= -26h").into_iter().collect();
    assert!(found.is_superset(&reported));
}

#[test]
fn deleted_issues_are_gone_from_everything() {
    let site = Site::generate(&SiteOptions { issues: 200, ..SiteOptions::default() });
    let before = site.counts();
    let began = site.now();
    let lost_worklogs = |site: &Site| site.state().worklogs_deleted(began).len();
    let gone = site.mishap(&Mishap::DeleteIssues { project: "PAY".into(), count: 30 });
    assert!(gone.len() >= 30);
    let after = site.counts();
    assert_eq!(before.issues - after.issues, gone.len());
    for key in &gone {
        assert_eq!(site.state().find(key), None);
        assert!(Jql::parse(&format!("key = {key}")).is_ok_and(|jql| {
            let state = site.state();
            state.search(&jql, state.now()).is_err()
        }));
    }
    // The feed is silent about the last minute.
    assert_eq!(lost_worklogs(&site), 0);
    site.advance(Duration::from_secs(61));
    assert!(lost_worklogs(&site) > 0);
    assert_eq!(lost_worklogs(&site), before.worklogs - after.worklogs);
    // Nothing refers to what is gone.
    let shown = Value::from(rendered(&site)).to_string();
    for key in gone {
        assert!(!shown.contains(&format!("\"key\":\"{key}\"")), "{key}");
    }
}

#[test]
fn worklogs_feed_the_site_wide_lists() {
    let site = Site::generate(&SiteOptions::default());
    let count = site.counts().worklogs;
    let all = site.state().worklogs_updated(Timestamp::UNIX_EPOCH);
    assert_eq!(all.len(), count);
    assert!(all.is_sorted_by_key(|(_, at)| *at));
    let gone = site.mishap(&Mishap::DeleteWorklogs { project: "PAY".into(), count: 2 });
    assert_eq!(gone.len(), 2);
    site.advance(Duration::from_secs(120));
    let state = site.state();
    assert_eq!(state.worklogs_updated(Timestamp::UNIX_EPOCH).len(), count - 2);
    let deleted = state.worklogs_deleted(Timestamp::UNIX_EPOCH);
    assert_eq!(deleted.len(), 2);
    for (worklog, _) in deleted {
        assert!(all.iter().any(|(id, _)| *id == worklog));
        assert_eq!(state.worklog_json(worklog, BASE), None);
    }
}

#[test]
fn a_moved_issue_is_found_by_both_keys() {
    let site = Site::generate(&SiteOptions::default());
    let moved = site.mishap(&Mishap::MoveIssues { from: "PAY".into(), to: "WEB".into(), count: 3 });
    assert!(moved.len() >= 3);
    for old_key in moved {
        let state = site.state();
        let id = state.find(&old_key.to_lowercase()).expect("the issue");
        let key = state.key(id).expect("a key");
        assert!(key.starts_with("WEB-"), "{key}");
        assert_eq!(state.find(&key), Some(id));
        let changelog = state.changelog_json(id, BASE).expect("a changelog");
        let items = &changelog.last().expect("an entry")["items"];
        assert_eq!(items[0]["fromString"], json!(old_key));
        assert_eq!(items[0]["toString"], json!(key));
    }
}

#[test]
fn what_is_archived_or_unlisted_is_read_by_key_only() {
    let site = Site::generate(&SiteOptions { unlisted: 2, ..SiteOptions::default() });
    assert_eq!(listed(&site, ALL).len(), 58);
    let put_away = site.mishap(&Mishap::ArchiveIssues { project: "PAY".into(), count: 4 });
    let now_listed = listed(&site, ALL);
    let state = site.state();
    for key in &put_away {
        assert!(!now_listed.contains(key));
        let id = state.find(key).expect("an issue");
        assert!(state.issue_json(id, BASE).is_some());
    }
    assert_eq!(state.counts().issues, 60);
    assert_eq!(state.counts().archived_issues, 4);
}

#[test]
fn a_hidden_project_still_counts_its_issues_for_an_administrator() {
    let site = Site::generate(&SiteOptions::default());
    let before = site.counts();
    let hidden = site.mishap(&Mishap::HideProject { project: "PAY".into() });
    assert!(!hidden.is_empty());
    {
        let state = site.state();
        let project = state.find_project("PAY").expect("the project");
        let insight = super::Expand::parse("insight,lead");
        let row = state.project_row_json(project, BASE, insight).expect("a row");
        assert_eq!(row["insight"]["totalIssueCount"], json!(hidden.len()));
        assert_eq!(state.project_json(project, BASE), None);
        assert_eq!(state.find(&hidden[0]), None);
        let jql = Jql::parse("project = PAY").expect("a query");
        assert!(state.search(&jql, state.now()).is_err());
    }
    assert_eq!(listed(&site, ALL).len(), before.issues - hidden.len());
    assert_eq!(site.counts().hidden_issues, hidden.len());
    site.mishap(&Mishap::ShowProject { project: "PAY".into() });
    assert_eq!(site.counts(), before);
    let hidden = site.mishap(&Mishap::HideIssues { project: "WEB".into(), count: 2 });
    assert_eq!(site.counts().hidden_issues, 2);
    assert!(hidden.iter().all(|key| site.state().find(key).is_none()));
}

#[test]
fn a_slow_index_shows_the_past() {
    let lag = Duration::from_secs(600);
    let site = Site::generate(&SiteOptions { index_lag: lag, ..SiteOptions::default() });
    site.advance(Duration::from_secs(3600));
    let changed = listed(&site, ALL)[10].clone();
    let quarter = "updated >= -14m";
    let edit =
        Mishap::EditIssue { key: changed.clone(), field: "summary".into(), value: json!("new") };
    site.mishap(&edit);
    assert_eq!(listed(&site, quarter), Vec::<String>::new());
    let gone = site.mishap(&Mishap::DeleteIssues { project: "WEB".into(), count: 1 });
    assert!(listed(&site, ALL).contains(&gone[0]));
    assert_eq!(site.state().find(&gone[0]), None);
    site.advance(lag);
    assert!(listed(&site, quarter).contains(&changed));
    assert!(!listed(&site, ALL).contains(&gone[0]));
    // A new issue, too, is listed only later.
    let now = site.now();
    let project = site.state().project_ids()[0];
    let mut random = super::random::Random::new(1);
    site.state().create(project, &mut random, now);
    assert_eq!(listed(&site, ALL).len(), 60 - gone.len());
    site.advance(lag);
    assert_eq!(listed(&site, ALL).len(), 61 - gone.len());
}

#[test]
fn an_overwritten_field_shows_the_value_and_its_change() {
    let site = Site::generate(&SiteOptions::default());
    for (field, value, shown) in [
        ("duedate", json!("2030-01-31"), json!("2030-01-31")),
        ("summary", json!("Oops"), json!("Oops")),
        ("customfield_10016", json!(99.5), json!(99.5)),
        ("labels", json!(["oops"]), json!(["oops"])),
        ("security", json!({"id": "10010"}), json!({"id": "10010"})),
        ("assignee", Value::Null, Value::Null),
    ] {
        let overwrite =
            Mishap::OverwriteField { project: "PAY".into(), field: field.into(), value, count: 5 };
        let hit = site.mishap(&overwrite);
        assert_eq!(hit.len(), 5, "{field}");
        for key in hit {
            let state = site.state();
            let id = state.find(&key).expect("an issue");
            let issue = state.issue_json(id, BASE).expect("an issue");
            assert_eq!(issue["fields"][field], shown, "{field}");
            let changelog = state.changelog_json(id, BASE).expect("a changelog");
            assert_eq!(changelog.last().expect("an entry")["items"][0]["fieldId"], json!(field));
            assert_eq!(issue["fields"]["updated"], changelog.last().expect("an entry")["created"]);
        }
    }
    let priority = json!({"name": "Lowest"});
    let overwrite = Mishap::OverwriteField {
        project: "PAY".into(),
        field: "priority".into(),
        value: priority,
        count: 1,
    };
    let key = site.mishap(&overwrite).remove(0);
    assert!(listed(&site, "priority = Lowest").contains(&key));
}

#[test]
fn silent_changes_do_not_move_updated() {
    let site = Site::generate(&SiteOptions::default());
    let updated = |site: &Site| -> Vec<Timestamp> {
        site.state().issues.values().map(|issue| issue.updated).collect()
    };
    let (before, shown) = (updated(&site), rendered(&site));
    site.mishap(&Mishap::WatchIssues { project: "PAY".into(), count: 5 });
    let key = listed(&site, ALL).remove(0);
    let set = Mishap::SetProperty { key, property: "app".into(), value: json!({"a": 1}) };
    assert_eq!(site.mishap(&set).len(), 1);
    let somebody = site.state().users[1].account_id.clone();
    site.mishap(&Mishap::DeleteUser { account_id: somebody.clone() });
    site.tick();
    assert_eq!(updated(&site), before);
    assert_ne!(rendered(&site), shown);
    let state = site.state();
    let user = state.user_json(&somebody, BASE).expect("the user");
    assert_eq!(user.get("displayName"), None);
    assert_eq!(user["active"], json!(false));
}

#[test]
fn any_range_of_an_attachment_is_a_part_of_the_whole() {
    let huge = 3 << 30;
    let options = SiteOptions {
        attachments: 40,
        huge_attachment_bytes: Some(huge),
        ..SiteOptions::default()
    };
    let site = Site::generate(&options);
    let state = site.state();
    let files: Vec<_> = state.issues.values().flat_map(|issue| &issue.attachments).collect();
    for file in files.iter().filter(|file| file.size < 1 << 20) {
        let whole = state.attachment_bytes(file.id, 0..file.size).expect("bytes");
        for (from, until) in [(0, 1), (4095, 4097), (5, 9000), (file.size / 2, file.size), (9, 9)] {
            let part = state.attachment_bytes(file.id, from..until).expect("bytes");
            let (from, until) = (from.min(file.size) as usize, until.min(file.size) as usize);
            assert_eq!(part, whole[from.min(until)..until], "{}: {from}..{until}", file.name);
        }
    }
    let names: BTreeSet<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert!(names.contains("../../etc/passwd") && names.contains("two\nlines.txt"));
    let large = files.iter().find(|file| file.size == huge).expect("the huge one");
    let end = state.attachment_bytes(large.id, huge - 10..huge + 10).expect("bytes");
    assert_eq!(end.len(), 10);
}
