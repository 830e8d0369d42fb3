//! Faults that last. Where one part fails the rest is stored, the part is told, and what the last snapshot has of it stays; what
//! everything hangs on fails the backup. Nothing is taken for deleted, and the next backup without the fault is whole.

use std::time::Duration;

use esker_engine::context::Cancel;
use esker_engine::source::Source;
use esker_engine::testing::small_options;
use esker_jira_site::server::{Fault, Server, ServerOptions, When};
use esker_sources::jira::JiraSource;

use super::{Bench, MODES, Mode, Rule, Run, rules};
use crate::fixture::{JiraSite, runtime};

/// Parts of the site: where they are asked for, what names them, what is in their paths.
const PARTS: [(&str, &str, &str); 17] = [
    ("GET /rest/api/3/issue/{issueIdOrKey}/remotelink", "remote-links", "/remote-links.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/watchers", "watchers", "/watchers.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/votes", "votes", "/votes.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/properties", "properties", "/properties.json"),
    (
        "GET /rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey}",
        "properties",
        "/properties.json",
    ),
    ("GET /rest/api/3/issue/{issueIdOrKey}/comment", "/comments", "/comments/"),
    ("GET /rest/api/3/attachment/content/{id}", "/attachments/", "/attachments/"),
    ("GET /media/file/{fileId}/binary", "/attachments/", "/attachments/"),
    ("GET /rest/api/3/users/search", "users/search", "/users/"),
    ("GET /rest/api/3/user/bulk", "user/bulk", "/users/"),
    ("GET /rest/api/3/field", "/configuration/fields", "/configuration/fields"),
    ("GET /rest/api/3/issuetype", "/configuration/issue-types", "/configuration/issue-types"),
    ("GET /rest/api/3/status", "/configuration/statuses", "/configuration/statuses"),
    ("GET /rest/api/3/issueLinkType", "/configuration/link-types", "/configuration/link-types"),
    ("GET /rest/api/3/project/{projectIdOrKey}", "/projects/", "/project.json"),
    ("GET /rest/api/3/project/{projectIdOrKey}/component", "/components", "/components/"),
    ("GET /rest/api/3/project/{projectIdOrKey}/version", "/versions", "/versions/"),
];

const SEARCH: &str = "POST /rest/api/3/search/jql";
const PROJECTS: &str = "GET /rest/api/3/project/search";
const BULK: &str = "POST /rest/api/3/issue/bulkfetch";
const HISTORIES: &str = "POST /rest/api/3/changelog/bulkfetch";
const HISTORY: &str = "GET /rest/api/3/issue/{issueIdOrKey}/changelog";

fn check_part(bench: &Bench, mode: Mode, case: &str, rules: &[Rule], named: &str, paths: &[&str]) {
    let run = bench.run(mode, rules);
    if run.fired == 0 {
        // The backup has no use for it.
        return bench.assert_whole(&run, case);
    }
    bench.assert_partial(&run, case, named, |it| paths.iter().any(|path| it.contains(path)));
    // What the server itself has lost is not asked for again by each backup.
    if case.contains("404") && paths.contains(&"/attachments/") {
        bench.site.site.advance(Duration::from_secs(31 * 24 * 3600));
    }
    bench.assert_heals(run, case);
}

#[test]
fn a_part_that_fails_is_told_and_mended() {
    let bench = Bench::new();
    let statuses = [403, 404, 500];
    for (place, (endpoint, named, path)) in PARTS.into_iter().enumerate() {
        for (mode, next) in MODES.into_iter().zip(0..) {
            let status = statuses[(place + next) % 3];
            let failing = rules([endpoint], When::Always, &Fault::status(status));
            check_part(&bench, mode, &format!("{endpoint}: {status}"), &failing, named, &[path]);
        }
    }
    for status in statuses {
        let endpoints = PARTS.map(|(endpoint, ..)| endpoint);
        let failing = rules(endpoints, When::Always, &Fault::status(status));
        for mode in MODES {
            let paths = PARTS.map(|(_, _, path)| path);
            check_part(
                &bench,
                mode,
                &format!("all parts: {status}"),
                &failing,
                "users/search",
                &paths,
            );
        }
    }
}

#[test]
fn issues_that_cannot_be_read_are_told_and_mended() {
    let bench = Bench::new();
    let gone = |it: &str| it.starts_with("/issues/");
    for (name, fault) in [
        ("issue errors", Fault::IssueErrors(2)),
        ("rows without fields", Fault::RowsWithoutFields(2)),
        ("missing rows", Fault::MissingRows(1)),
    ] {
        for mode in MODES {
            let run = bench.run(mode, &rules([BULK], When::Always, &fault));
            bench.assert_partial(&run, name, "/issues/", gone);
            bench.assert_heals(run, name);
        }
    }
}

#[test]
fn histories_have_another_way() {
    let bench = Bench::new();
    for status in [403, 404, 410, 500] {
        for mode in MODES {
            let run = bench.run(mode, &rules([HISTORIES], When::Always, &Fault::status(status)));
            assert!(run.requests.contains_key(HISTORY), "{status}: {:?}", run.requests);
            bench.assert_whole(&run, &format!("bulk histories: {status}"));
        }
    }
    let case = "no histories";
    for mode in MODES {
        let run = bench.run(mode, &rules([HISTORIES, HISTORY], When::Always, &Fault::status(404)));
        bench.assert_partial(&run, case, "/history", |it| {
            it.contains("/history/") || it.contains("/remote-links.json")
        });
        bench.assert_heals(run, case);
    }
}

#[test]
fn what_everything_hangs_on_fails_the_backup() {
    let bench = Bench::new();
    for (name, endpoints, when, fault) in [
        ("project/search", &[PROJECTS][..], When::Always, Fault::status(500)),
        ("project/search", &[PROJECTS], When::Always, Fault::status(403)),
        ("project/search", &[PROJECTS], When::Always, Fault::LoginPage),
        ("project/search", &[PROJECTS], When::Always, Fault::MissingRows(1)),
        ("search/jql", &[SEARCH], When::Always, Fault::status(500)),
        ("search/jql", &[SEARCH], When::Always, Fault::status(400)),
        ("search/jql", &[SEARCH], When::Always, Fault::HangUp),
        ("bulkfetch", &[BULK], When::Always, Fault::status(503)),
        ("bulkfetch", &[BULK], When::Always, Fault::page(200)),
        ("myself", &["GET /rest/api/3/myself"], When::Always, Fault::status(503)),
        ("GET", &["*"], When::Always, Fault::HangUp),
        ("credentials", &["*"], When::From(1), Fault::status(401)),
        ("credentials", &["*"], When::From(12), Fault::status(401)),
        ("credentials", &["*"], When::From(30), Fault::status(401)),
    ] {
        for mode in MODES {
            let case = format!("{name}, {when:?}, {fault:?}");
            let run = bench.run(mode, &rules(endpoints.iter().copied(), when, &fault));
            bench.assert_failed(&run, &case, name);
            if mode == Mode::Incremental {
                bench.assert_heals(run, &case);
            }
        }
    }
}

#[test]
fn no_issue_that_can_be_read_is_an_outage() {
    let bench = Bench::new();
    let failing = rules([BULK], When::Always, &Fault::status(500));
    let run = bench.run(Mode::First, &failing);
    bench.assert_failed(&run, "no issue can be read", "bulkfetch");
    // A few may be at fault themselves.
    let run = bench.run(Mode::Incremental, &failing);
    bench
        .assert_partial(&run, "no issue can be read", "bulkfetch", |it| it.starts_with("/issues/"));
    bench.assert_heals(run, "no issue can be read");
}

#[test]
fn a_site_that_is_gone_fails_the_backup() {
    let bench = Bench::new();
    let site = &bench.site.site;
    for gone in ["before", "in between"] {
        let server = Server::spawn(site.clone(), ServerOptions::default()).expect("it is served");
        let mut options = bench.site.options();
        options.site = server.url();
        let source = runtime().block_on(JiraSource::open(options, Cancel::default()));
        let source = source.expect("the site opens");
        let repo = bench.before.fork();
        let result = if gone == "before" {
            drop(server);
            repo.backup_with(&source, &small_options())
        } else {
            server.faults().add("*", When::From(15), Fault::HangUp).expect("all endpoints");
            repo.backup_with(&source, &small_options())
        };
        let run =
            Run { mode: Mode::Incremental, repo, result, fired: 1, requests: source.requests() };
        bench.assert_failed(&run, gone, "the site is not available");
        bench.assert_heals(run, gone);
    }
}

#[test]
fn a_site_is_opened_in_spite_of_faults() {
    let site = JiraSite::new();
    let identity = site.open(site.options()).describe().identity;
    let faults = site.server.faults();
    for fault in [Fault::status(500), Fault::page(503), Fault::LoginPage, Fault::HangUp, Fault::Cut]
    {
        for endpoint in ["GET /_edge/tenant_info", "GET /rest/api/3/myself"] {
            faults.add(endpoint, When::Next(1), fault.clone()).expect("an endpoint");
            assert_eq!(site.open(site.options()).describe().identity, identity, "{fault:?}");
            faults.clear();
            faults.add(endpoint, When::Always, fault.clone()).expect("an endpoint");
            let open = JiraSource::open(site.options(), Cancel::default());
            let Err(error) = runtime().block_on(open) else {
                panic!("{endpoint}, {fault:?}: it opens");
            };
            let path = endpoint.trim_start_matches("GET ");
            assert!(error.to_string().contains(path), "{endpoint}, {fault:?}: {error}");
            faults.clear();
        }
    }
}
