use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Jql, date};
use crate::site::catalogue::BUG;
use crate::site::model::Issue;
use crate::site::{Site, SiteOptions, State};

fn site() -> Site {
    Site::generate(&SiteOptions::default())
}

fn search(state: &State, jql: &str) -> Result<Vec<u64>, String> {
    let jql = Jql::parse(jql).map_err(|error| error.message)?;
    state.search(&jql, state.options.start).map_err(|error| error.message)
}

type Wanted<'a> = Box<dyn Fn(&Issue) -> bool + 'a>;

#[test]
fn finds_what_the_comparison_names() {
    let site = site();
    let state = site.state();
    let all: Vec<_> = state.issues.values().collect();
    let one = all[20];
    let (key, id) = (state.key_of(one), one.id);
    let project = &state.projects[&one.project];
    let labelled = all.iter().find_map(|issue| issue.labels.first()).expect("a label").clone();
    let word = one.summary.split(' ').nth(1).expect("two words").to_owned();
    let expected: Vec<(String, Wanted)> = vec![
        (format!("project = {}", project.key), Box::new(|it| it.project == one.project)),
        (format!("project = \"{}\"", project.name), Box::new(|it| it.project == one.project)),
        (
            format!("project in ({}, {})", project.key, project.id),
            Box::new(|it| it.project == one.project),
        ),
        (format!("project != {}", project.key), Box::new(|it| it.project != one.project)),
        (format!("key = {key}"), Box::new(move |it| it.id == id)),
        (format!("issuekey in ('{}')", key.to_lowercase()), Box::new(move |it| it.id == id)),
        (format!("id = {id}"), Box::new(move |it| it.id == id)),
        (format!("id not in ({id})"), Box::new(move |it| it.id != id)),
        (
            format!("key >= {key}"),
            Box::new(|it| it.project == one.project && it.number >= one.number),
        ),
        ("status = \"In Progress\"".to_owned(), Box::new(|it| it.status == 1)),
        ("statusCategory = done".to_owned(), Box::new(|it| it.status >= 4)),
        ("issuetype = Bug".to_owned(), Box::new(|it| it.kind == BUG)),
        ("type not in (bug, \"Epic\")".to_owned(), Box::new(|it| ![0, BUG].contains(&it.kind))),
        ("assignee is EMPTY".to_owned(), Box::new(|it| it.assignee.is_none())),
        ("assignee IS NOT null".to_owned(), Box::new(|it| it.assignee.is_some())),
        ("assignee = currentUser()".to_owned(), Box::new(|it| it.assignee == Some(0))),
        (
            "assignee != currentUser()".to_owned(),
            Box::new(|it| it.assignee.is_some_and(|user| user != 0)),
        ),
        (
            "assignee in (EMPTY, currentUser())".to_owned(),
            Box::new(|it| it.assignee.is_none_or(|user| user == 0)),
        ),
        ("resolution = EMPTY".to_owned(), Box::new(|it| it.resolution.is_none())),
        (format!("labels = '{labelled}'"), Box::new(move |it| it.labels.contains(&labelled))),
        ("labels is empty".to_owned(), Box::new(|it| it.labels.is_empty())),
        (format!("summary ~ '{word}'"), Box::new(move |it| it.summary.contains(&word))),
        (
            format!("NOT (project = {} OR issuetype = Bug) and created > 2000-01-01", project.key),
            Box::new(|it| it.project != one.project && it.kind != BUG),
        ),
        // AND binds closer than OR.
        (
            format!("issuetype = Bug OR project = {} AND assignee is empty", project.key),
            Box::new(|it| it.kind == BUG || it.project == one.project && it.assignee.is_none()),
        ),
        ("updated <= now()".to_owned(), Box::new(|_| true)),
        ("updated > now()".to_owned(), Box::new(|_| false)),
    ];
    for (jql, wanted) in expected {
        let wanted: Vec<_> = all.iter().filter(|it| wanted(it)).map(|it| it.id).collect();
        let found = search(&state, &format!("{jql} ORDER BY id ASC"));
        let mut found = found.unwrap_or_else(|error| panic!("{jql}: {error}"));
        found.sort_unstable();
        assert_eq!(found, wanted, "{jql}");
    }
}

#[test]
fn reads_dates_in_the_time_zone_of_the_account() {
    let sydney = TimeZone::get("Australia/Sydney").expect("a time zone");
    let now: Timestamp = "2026-03-01T21:20:00Z".parse().expect("a time");
    for (text, expected) in [
        // Summer in January: eleven hours ahead; winter in July: ten.
        ("2026-01-15 09:12", Some("2026-01-14T22:12:00Z")),
        ("2026/07/15 09:12", Some("2026-07-14T23:12:00Z")),
        ("2026-7-5", Some("2026-07-04T14:00:00Z")),
        ("2026/01/15", Some("2026-01-14T13:00:00Z")),
        // On 5 April 2026 it is half past two twice: the first one is meant.
        ("2026-04-05 02:30", Some("2026-04-04T15:30:00Z")),
        // On 4 October 2026 there is no half past two.
        ("2026-10-04 02:30", Some("2026-10-03T16:30:00Z")),
        ("-75m", Some("2026-03-01T20:05:00Z")),
        ("-2h", Some("2026-03-01T19:20:00Z")),
        ("-3d", Some("2026-02-26T21:20:00Z")),
        ("-1w", Some("2026-02-22T21:20:00Z")),
        ("-1w 2d", Some("2026-02-20T21:20:00Z")),
        ("5m", Some("2026-03-01T21:25:00Z")),
        ("2026-02-30", None),
        ("2026-01-15 9:12:30", None),
        ("2026-01-15T09:12", None),
        ("26-01-15", None),
        ("yesterday", None),
        ("-5x", None),
        ("--5d", None),
        ("-", None),
        ("", None),
        ("-99999999999999999999w", None),
    ] {
        let expected = expected.map(|at| at.parse::<Timestamp>().expect("a time"));
        assert_eq!(date::parse(text, &sydney, now), expected, "{text:?}");
    }
}

#[test]
fn compares_dates_by_the_minute_that_is_written() {
    let site = site();
    let mut state = site.state();
    let id = *state.issues.keys().next().expect("an issue");
    // 12:00:30 on 1 February in Sydney.
    let at = "2026-02-01T01:00:30Z".parse().expect("a time");
    state.issues.get_mut(&id).expect("the issue").updated = at;
    for (jql, expected) in [
        ("updated >= '2026-02-01 12:00'", true),
        ("updated > '2026-02-01 12:00'", true),
        ("updated = '2026-02-01 12:00'", true),
        ("updated != '2026-02-01 12:00'", false),
        ("updated <= '2026-02-01 12:00'", false),
        ("updated < '2026/02/01 12:01'", true),
        ("updated >= '2026-02-01 12:01'", false),
        ("updated >= 2026-02-01", true),
        ("updated < \"2026-02-01\"", false),
    ] {
        let found = search(&state, &format!("id = {id} AND {jql}")).expect("a query");
        assert_eq!(found, if expected { vec![id] } else { vec![] }, "{jql}");
    }
}

#[test]
fn refuses_in_the_words_of_jira() {
    let site = site();
    let state = site.state();
    for (jql, message) in [
        ("", "Unbounded JQL queries are not allowed here"),
        ("ORDER BY key", "Unbounded JQL queries are not allowed here"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Nope", "The value 'Nope' does not exist for the field 'status'."),
        ("key = PAY-99999", "An issue with key 'PAY-99999' does not exist for field 'key'."),
        ("id = 5", "A value with ID '5' does not exist for the field 'id'."),
        ("colour = red", "Field 'colour' does not exist or you do not have permission to view it."),
        ("project ~ PAY", "The operator '~' is not supported by the 'project' field."),
        ("updated >= soon", "Date value 'soon' for field 'updated' is invalid."),
        ("project", "Expecting operator"),
        ("project = ", "Expecting a value before the end of the query."),
        ("project = PAY AND", "Expecting a field name before the end of the query."),
        (
            "project = PAY status = Done",
            "Expecting either 'OR' or 'AND' but got 'status'. (line 1, character 15)",
        ),
        ("(project = PAY", "Expecting ')' before the end"),
        ("project in PAY", "Expecting '(' but got 'PAY'"),
        ("project = 'PAY", "The quoted string 'PAY' has not been completed"),
        ("project = PAY ORDER key", "Expecting 'by'"),
        ("assignee is Bob", "must be followed by 'EMPTY' or 'NULL'"),
        ("assignee = membersOf(x)", "Unable to find JQL function 'membersOf()'."),
        ("project = !", "reserved JQL character"),
        ("text ~ x ORDER BY text", "Not able to sort using field 'text'."),
    ] {
        let error = search(&state, jql).expect_err(jql);
        assert!(error.contains(message), "{jql}: {error}");
    }
    let deep = format!("{}project = PAY", "(".repeat(10_000));
    assert!(search(&state, &deep).expect_err("too deep").contains("nested too deeply"));
}

#[test]
fn orders_as_asked() {
    let site = site();
    let state = site.state();
    let keys = |jql: &str| -> Vec<(String, u32)> {
        let ids = search(&state, jql).expect("a query");
        let issue = |id: &u64| &state.issues[id];
        ids.iter()
            .map(|id| (state.projects[&issue(id).project].key.clone(), issue(id).number))
            .collect()
    };
    let ascending = keys("created > 2000-01-01 ORDER BY key");
    assert_eq!(ascending.len(), 60);
    assert!(ascending.is_sorted());
    let mut descending = keys("created > 2000-01-01 ORDER BY key DESC");
    descending.reverse();
    assert_eq!(ascending, descending);
    let ids = search(&state, "created > 2000-01-01 ORDER BY priority DESC, updated ASC")
        .expect("a query");
    let rank = |id: &u64| (std::cmp::Reverse(state.issues[id].priority), state.issues[id].updated);
    assert!(ids.iter().map(rank).is_sorted());
    let newest_first = search(&state, "created > 2000-01-01").expect("a query");
    assert!(newest_first.iter().rev().is_sorted());
}
