//! Backups that are broken off: by the user, by credentials that expire, by the death of the process. The next one goes on, and comes
//! to the same end.

use std::sync::Arc;

use esker_engine::Error;
use esker_engine::monitor::Counter;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::testing::{CancelAfter, Fault as StoreFault, TempRepo, small_options};
use esker_jira_site::server::{Fault, When};
use esker_jira_site::site::SiteOptions;
use esker_sources::jira::JiraSource;

use super::{Bench, MODES, Mode, Run, chain};
use crate::fixture::runtime;

fn bench() -> Bench {
    Bench::with(&SiteOptions { issues: 40, users: 6, relations: false, ..SiteOptions::default() })
}

fn repo(bench: &Bench, mode: Mode) -> TempRepo {
    match mode {
        Mode::First => bench.empty.fork(),
        Mode::Incremental => bench.before.fork(),
    }
}

fn asked(run: &Run) -> u64 {
    run.requests.values().sum()
}

/// Checkpoints whenever there is something new.
fn eager() -> BackupOptions {
    BackupOptions { checkpoint_bytes: 1, ..small_options() }
}

/// Goes on with a backup that was broken off.
fn go_on(bench: &Bench, repo: TempRepo, case: &str) -> Run {
    let run = bench.run_in(repo, Mode::Incremental, bench.site.options(), &[]);
    bench.assert_whole(&run, case);
    run
}

#[test]
fn a_cancelled_backup_is_continued() {
    let bench = bench();
    let first = asked(&bench.run(Mode::First, &[]));
    for mode in MODES {
        let entries = [1, 30, 100, 250, 400, 600];
        let mut least = u64::MAX;
        for after in entries {
            let case = format!("cancelled after {after} entries, {mode:?}");
            let repo = repo(&bench, mode);
            let mut ctx = repo.ctx();
            let cancel = CancelAfter::new(ctx.cancel.clone(), Counter::EntriesSeen, after);
            ctx.monitor = Arc::new(cancel);
            let source = JiraSource::open(bench.site.options(), ctx.cancel.clone());
            let source = runtime().block_on(source).expect("the site opens");
            match backup(&repo.open(), &source, &small_options(), &ctx) {
                Err(Error::Cancelled) => {}
                Ok(_) if !ctx.cancel.is_cancelled() => continue,
                other => panic!("{case}: {other:?}"),
            }
            let requests = asked(&go_on(&bench, repo, &case));
            if mode == Mode::First {
                assert!(requests <= first + 4, "{case}: {requests} of {first}");
                least = least.min(requests);
            }
        }
        assert!(mode == Mode::Incremental || least < first, "{least} of {first}");
    }
}

#[test]
fn credentials_that_expire_cost_what_follows_the_last_checkpoint() {
    let bench = bench();
    let mut saved = 0;
    for mode in MODES {
        let whole = asked(&bench.run(mode, &[]));
        for share in [2, 4, 6, 8, 9] {
            let case = format!("credentials expire at {share} tenths, {mode:?}");
            let repo = repo(&bench, mode);
            let source = bench.site.open(bench.site.options());
            let faults = bench.site.server.faults();
            faults.add("*", When::From(whole * share / 10), Fault::status(401)).expect("all");
            let result = repo.backup_with(&source, &eager());
            faults.clear();
            let Err(error) = result else { panic!("{case}: it does not fail") };
            let text = chain(&error);
            assert!(text.contains("credentials"), "{case}: {text}");
            let requests = asked(&go_on(&bench, repo, &case));
            assert!(requests <= whole + 4, "{case}: {requests} of {whole}");
            saved += whole.saturating_sub(requests);
        }
    }
    assert!(saved > 0, "no checkpoint was of use");
}

#[test]
fn a_backup_that_died_is_taken_up() {
    let bench = bench();
    for mode in MODES {
        let repo = repo(&bench, mode);
        let mut place = 0;
        loop {
            let copy = repo.fork();
            let (faulty, store) = copy.faulty_store();
            let repository = copy.try_open(store).expect("the repository opens");
            faulty.arm(place, StoreFault::Dead);
            let source = bench.site.open(bench.site.options());
            let result = backup(&repository, &source, &eager(), &copy.ctx());
            if faulty.fired().is_none() {
                result.expect("nothing failed");
                break;
            }
            assert!(result.is_err(), "died at {place}, {mode:?}: {result:?}");
            drop(repository);
            let run = go_on(&bench, copy, &format!("died at {place}, {mode:?}"));
            run.repo.assert_sound();
            place += 4;
        }
        assert!(place > 8, "{mode:?}: the store is hardly used");
    }
}
