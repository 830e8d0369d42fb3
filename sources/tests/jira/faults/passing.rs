//! Faults that pass: the backup is as good as one without them.

use std::time::Duration;

use esker_jira_site::server::{Fault, RetryAfter, When};

use super::{Bench, MODES, Rule, rules};

/// Answers that are no pages: nothing in them tells how many rows there should be.
const UNCOUNTED: [&str; 6] = [
    "GET /rest/api/3/field",
    "GET /rest/api/3/issuetype",
    "GET /rest/api/3/status",
    "GET /rest/api/3/priority",
    "GET /rest/api/3/users/search",
    "GET /rest/api/3/issue/{issueIdOrKey}/remotelink",
];

const SEARCH: &str = "POST /rest/api/3/search/jql";
const HISTORIES: &str = "POST /rest/api/3/changelog/bulkfetch";

fn check(bench: &Bench, case: &str, rules: &[Rule]) {
    let mut fired = 0;
    for mode in MODES {
        let run = bench.run(mode, rules);
        fired += run.fired;
        bench.assert_whole(&run, case);
    }
    assert!(fired > 0, "{case}: nothing went wrong");
}

#[test]
fn what_passes_leaves_no_trace() {
    let bench = Bench::new();
    for (name, fault) in [
        ("500", Fault::status(500)),
        ("503 with a page", Fault::page(503)),
        ("a login page", Fault::LoginPage),
        ("hang up", Fault::HangUp),
        ("cut", Fault::Cut),
    ] {
        for times in [1, 3] {
            let rules = rules(bench.used(), When::Next(times), &fault);
            check(&bench, &format!("{name}, {times} times"), &rules);
        }
    }
    let slow = Fault::Slow { piece: 16 * 1024, pause: Duration::from_millis(1) };
    check(&bench, "slow bodies", &rules(["*"], When::Always, &slow));
    let often = When::Chance { probability: 0.05, seed: 3 };
    check(&bench, "a request in twenty", &rules(["*"], often, &Fault::status(502)));
}

#[test]
fn sites_that_say_when_to_come_back_are_obeyed() {
    let bench = Bench::new();
    for (status, wait) in
        [(429, RetryAfter::Seconds(1)), (429, RetryAfter::Date(1)), (503, RetryAfter::Date(1))]
    {
        let fault = Fault::Status { status, retry_after: Some(wait), html: false };
        let case = format!("{status} and {wait:?}");
        check(&bench, &case, &rules(["*"], When::Nth(20), &fault));
    }
}

#[test]
fn answers_that_lack_rows_are_asked_for_again() {
    let bench = Bench::new();
    for (name, fault) in [
        ("a row that comes twice", Fault::RepeatedRow),
        ("a row that is missing", Fault::MissingRows(1)),
        ("rows without fields", Fault::RowsWithoutFields(2)),
        ("issues that come as errors", Fault::IssueErrors(2)),
    ] {
        // What the search leaves out is asked for by id: not both at once.
        let counted = bench.used().filter(|it| !UNCOUNTED.contains(it) && *it != SEARCH);
        check(&bench, name, &rules(counted, When::Nth(1), &fault));
    }
    check(&bench, "a search", &rules([SEARCH], When::Nth(1), &Fault::MissingRows(2)));
    let again = rules(["*"], When::Always, &Fault::RepeatedRow);
    check(&bench, "rows that always come twice", &again);
}

#[test]
fn lists_in_pages_are_begun_again() {
    let bench = Bench::new();
    let short = rules(["*"], When::Always, &Fault::ShortPages(7));
    check(&bench, "pages of seven rows", &short);
    for (name, nth, fault) in [
        ("an expired page token", 2, Fault::ExpiredPageToken),
        ("a page token that comes again", 2, Fault::RepeatedPageToken),
        ("a row that comes twice", 1, Fault::RepeatedRow),
        ("a row that comes twice, second page", 2, Fault::RepeatedRow),
        ("rows that are missing", 1, Fault::MissingRows(2)),
        ("rows that are missing, second page", 2, Fault::MissingRows(2)),
    ] {
        let counted = bench.used().filter(|it| !UNCOUNTED.contains(it));
        // Histories come in pages without counts: half a history cannot be told from a whole one.
        let counted =
            counted.filter(|it| !name.contains("missing") || ![HISTORIES, SEARCH].contains(it));
        let rules = [rules(counted, When::Nth(nth), &fault), short.clone()].concat();
        check(&bench, name, &rules);
    }
}
