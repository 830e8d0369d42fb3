//! Attachments: whole, or told and fetched by the next backup; never wrong bytes, never a loop.

use std::time::Duration;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::testing::TempRepo;
use esker_jira_site::server::{Fault, When};
use esker_jira_site::site::{Mishap, SiteOptions};

use super::{Bench, MODES, Mode, Rule, Run, rules, told};
use crate::fixture::{JiraSite, records};

const CONTENT: &str = "GET /rest/api/3/attachment/content/{id}";
const MEDIA: &str = "GET /media/file/{fileId}/binary";

const SMALL: u64 = 300_000;
const LARGE: u64 = 5_000_000;

/// A site without attachments.
fn bench() -> Bench {
    Bench::with(&SiteOptions {
        issues: 9,
        attachments: 0,
        users: 3,
        relations: false,
        ..SiteOptions::default()
    })
}

impl Bench {
    /// Attaches files to an issue after the last snapshot.
    fn attach(&mut self, sizes: &[u64]) {
        let key = self.site.site.state().key(10_001).expect("an issue");
        for size in sizes.iter().copied() {
            let (key, name) = (key.clone(), format!("{size}.bin"));
            self.site.site.mishap(&Mishap::AttachFile { key, name, size });
        }
        self.site.site.advance(Duration::from_secs(3600));
        self.look();
    }
}

fn check_whole(bench: &Bench, case: &str, rules: &[Rule]) -> Vec<Run> {
    let check = |mode| {
        let run = bench.run(mode, rules);
        assert!(run.fired > 0, "{case}, {mode:?}: nothing went wrong");
        bench.assert_whole(&run, case);
        run
    };
    MODES.map(check).into()
}

#[test]
fn downloads_that_break_go_on() {
    let mut bench = bench();
    bench.attach(&[SMALL, LARGE, 0]);
    let cut = |when| (MEDIA.to_owned(), when, Fault::Cut);
    let other = |fault: &Fault| (MEDIA.to_owned(), When::Always, fault.clone());
    for times in [1, 3] {
        check_whole(&bench, "cut", &[cut(When::Next(times))]);
        check_whole(
            &bench,
            "a login page",
            &rules([MEDIA, CONTENT], When::Next(times), &Fault::LoginPage),
        );
        check_whole(&bench, "hang up", &rules([MEDIA, CONTENT], When::Next(times), &Fault::HangUp));
    }
    check_whole(&bench, "every other one is cut", &[cut(When::Every(2))]);
    check_whole(
        &bench,
        "cut, ranges are ignored",
        &[cut(When::Next(2)), other(&Fault::IgnoredRange)],
    );
    check_whole(
        &bench,
        "slow",
        &[other(&Fault::Slow { piece: 20_000, pause: Duration::from_millis(1) })],
    );
}

#[test]
fn wrong_bytes_are_not_stored() {
    let mut bench = bench();
    // Of an empty one nobody can say that its bytes are too many.
    bench.attach(&[SMALL, LARGE]);
    for (name, faults) in [
        ("too long", vec![Fault::WrongLength { by: 10 }]),
        ("too short", vec![Fault::WrongLength { by: -10 }]),
        ("another range", vec![Fault::Cut, Fault::WrongContentRange]),
        ("always cut", vec![Fault::Cut]),
        ("always a login page", vec![Fault::LoginPage]),
        ("always a page", vec![Fault::page(200)]),
        ("endless", vec![Fault::Endless]),
    ] {
        for mode in MODES {
            let rules: Vec<_> =
                faults.iter().map(|it| (MEDIA.to_owned(), When::Always, it.clone())).collect();
            let run = bench.run(mode, &rules);
            bench.assert_partial(&run, name, "/attachments/", |it| it.contains("/attachments/"));
            let stored = run.repo.snapshots();
            assert_eq!(stored.len(), 1 + usize::from(mode == Mode::Incremental), "{name}");
            // Two files, none of which is asked for without end.
            let asked = run.requests.get(MEDIA).copied().unwrap_or(0);
            assert!(asked <= 200, "{name}, {mode:?}: {asked} requests");
            bench.assert_heals(run, name);
        }
    }
}

#[test]
fn what_the_server_has_lost_is_named_until_it_is_back() {
    let mut bench = bench();
    bench.attach(&[SMALL, LARGE, 0]);
    let lost = rules([CONTENT], When::Always, &Fault::status(404));
    let run = bench.run(Mode::Incremental, &lost);
    bench.assert_partial(&run, "lost", "/attachments/", |it| it.contains("/attachments/"));
    let (repo, named) = (run.repo, told(run.result.as_ref().expect("a report")));
    for round in 0..3 {
        bench.site.site.advance(Duration::from_secs(3600));
        let run = bench.run_in(repo.fork(), Mode::Incremental, bench.site.options(), &lost);
        let report = run.report("lost");
        assert_eq!(told(report), named, "round {round}");
        assert_eq!(run.requests.get(CONTENT), None, "round {round}: {:?}", run.requests);
    }
    bench.site.site.advance(Duration::from_secs(31 * 24 * 3600));
    let run = bench.run_in(repo, Mode::Incremental, bench.site.options(), &[]);
    bench.assert_whole(&run, "found again");
}

/// More large files than may be open at a time, in one issue.
#[test]
fn many_large_files_do_not_wait_for_each_other() {
    for connections in [1, 12] {
        let options =
            SiteOptions { issues: 3, attachments: 0, relations: false, ..SiteOptions::default() };
        let site = JiraSite::with(&options);
        let keys: Vec<_> = {
            let state = site.site.state();
            state.issue_ids().into_iter().filter_map(|id| state.key(id)).collect()
        };
        for (number, key) in (0..9).flat_map(|number| keys.iter().map(move |key| (number, key))) {
            let (key, name) = (key.clone(), format!("{number}.bin"));
            site.site.mishap(&Mishap::AttachFile { key, name, size: 1_100_000 + number });
        }
        let repo = TempRepo::memory();
        repo.create();
        let mut options = site.options();
        options.connections = connections;
        site.server.faults().add(MEDIA, When::Every(5), Fault::Cut).expect("an endpoint");
        let report = repo.backup(&site.open(options));
        assert_eq!(report.status, SnapshotStatus::Complete, "{:?}", told(&report));
        let files = records(&repo).into_iter().filter(|(path, _)| path.contains("/attachments/"));
        assert_eq!(files.count(), 27);
    }
}

#[test]
fn a_site_that_falls_silent_is_not_waited_for_without_end() {
    let mut bench = bench();
    bench.attach(&[SMALL, LARGE, 0]);
    let mut options = bench.site.options();
    options.timeouts.read = Duration::from_millis(100);
    options.timeouts.total = Duration::from_millis(500);
    options.retry.attempts = 2;
    for (endpoint, named, part) in [
        (MEDIA, "/attachments/", "/attachments/"),
        ("GET /rest/api/3/field", "/configuration/fields", "/configuration/fields"),
    ] {
        let stalled = rules([endpoint], When::Always, &Fault::Stall);
        let run = bench.run_in(bench.before.fork(), Mode::Incremental, options.clone(), &stalled);
        bench.assert_partial(&run, endpoint, named, |it| it.contains(part));
        bench.assert_heals(run, endpoint);
    }
    for (endpoint, named) in [
        ("GET /rest/api/3/project/search", "project/search"),
        ("POST /rest/api/3/search/jql", "search/jql"),
        ("POST /rest/api/3/issue/bulkfetch", "bulkfetch"),
    ] {
        let stalled = rules([endpoint], When::Always, &Fault::Stall);
        let run = bench.run_in(bench.before.fork(), Mode::Incremental, options.clone(), &stalled);
        bench.assert_failed(&run, endpoint, named);
    }
    let endless = rules(["GET /rest/api/3/status"], When::Always, &Fault::Endless);
    let run = bench.run_in(bench.before.fork(), Mode::Incremental, options, &endless);
    bench.assert_partial(&run, "endless", "/configuration/statuses", |it| it.contains("/statuses"));
}
