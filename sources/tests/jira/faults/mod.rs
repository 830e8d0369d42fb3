//! A site that fails: a backup ends whole or says what it lacks, nothing is lost, and nothing is taken for deleted.

mod broken_off;
mod files;
mod lasting;
mod missing;
mod passing;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use esker_engine::Error;
use esker_engine::entry::Content;
use esker_engine::format::commit::{SnapshotStatus, StoredRoot};
use esker_engine::object::ReadObject;
use esker_engine::ops::backup::{BackupOptions, BackupReport};
use esker_engine::ops::ls::{Contents, Depth};
use esker_engine::repo::{CacheSizes, Objects};
use esker_engine::source::{PartCompleteness, ScanMode};
use esker_engine::testing::{TempRepo, small_options};
use esker_jira_site::server::{Fault, When};
use esker_jira_site::site::{Day, Mishap, SiteOptions};
use esker_sources::jira::JiraOptions;

use crate::fixture::JiraSite;

/// The roots of a snapshot by collection.
type Roots = BTreeMap<String, Option<StoredRoot>>;

/// What a snapshot holds, by path.
type Holdings = BTreeMap<String, Content>;

/// The issue that has hundreds of comments and changes.
const LONG_ISSUE: u64 = 10_007;

/// What goes wrong: where, when, and how.
type Rule = (String, When, Fault);

/// The same on several endpoints, or on all of them: `*`.
fn rules<'a>(on: impl IntoIterator<Item = &'a str>, when: When, fault: &Fault) -> Vec<Rule> {
    on.into_iter().map(|endpoint| (endpoint.to_owned(), when, fault.clone())).collect()
}

/// Whether there is a last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    First,
    Incremental,
}

const MODES: [Mode; 2] = [Mode::First, Mode::Incremental];

/// A site, a snapshot of an earlier state of it, and what snapshots of its present state hold.
struct Bench {
    site: JiraSite,
    empty: TempRepo,
    before: TempRepo,
    roots: Roots,
    present: Holdings,
    /// What is in the earlier snapshot and on the site still.
    lasting: BTreeSet<String>,
    /// The endpoints that backups of it use.
    used: BTreeSet<String>,
}

impl Bench {
    fn new() -> Self {
        Self::with(&SiteOptions {
            issues: 24,
            attachments: 8,
            users: 6,
            relations: false,
            ..SiteOptions::default()
        })
    }

    fn with(options: &SiteOptions) -> Self {
        let site = JiraSite::with(options);
        let empty = TempRepo::memory();
        empty.create();
        let before = empty.fork();
        whole(&before.backup(&site.open(site.options())), "the first backup");
        let day =
            Day { seed: 7, changed_issues: 6, new_issues: 2, new_attachments: 3, ..Day::default() };
        site.site.day(&day);
        // The long one, whose comments come in pages.
        let key = site.site.state().key(LONG_ISSUE).expect("an issue");
        let mishaps = [
            Mishap::EditIssue { key: key.clone(), field: "summary".into(), value: "new".into() },
            Mishap::AttachFile { key, name: "large.bin".into(), size: 2_500_000 },
        ];
        for mishap in &mishaps {
            assert!(!site.site.mishap(mishap).is_empty(), "{mishap:?}");
        }
        // Later than the window of changes that the next backup begins with.
        site.site.advance(Duration::from_secs(3600));
        let mut bench = Self {
            site,
            empty,
            before,
            roots: Roots::new(),
            present: Holdings::new(),
            lasting: BTreeSet::new(),
            used: BTreeSet::new(),
        };
        bench.look();
        bench
    }

    /// Finds out what snapshots of the present state hold, and that both ways lead there.
    fn look(&mut self) {
        let fresh = self.run(Mode::First, &[]);
        let report = fresh.report("a fresh backup");
        whole(report, "a fresh backup");
        (self.roots, self.present) = (roots(report), holdings(&fresh.repo));
        let earlier = holdings(&self.before).into_keys();
        self.lasting = earlier.filter(|path| self.present.contains_key(path)).collect();
        let run = self.run(Mode::Incremental, &[]);
        self.assert_whole(&run, "an incremental backup");
        self.used = fresh.requests.into_keys().chain(run.requests.into_keys()).collect();
    }

    /// The endpoints that backups of it use.
    fn used(&self) -> impl Iterator<Item = &str> {
        self.used.iter().map(String::as_str)
    }

    fn run(&self, mode: Mode, rules: &[Rule]) -> Run {
        let repo = match mode {
            Mode::First => self.empty.fork(),
            Mode::Incremental => self.before.fork(),
        };
        self.run_in(repo, mode, self.site.options(), rules)
    }

    /// Backs up while these things go wrong. They begin when the site has been opened: a site that does not answer at all is
    /// told to somebody who waits.
    fn run_in(&self, repo: TempRepo, mode: Mode, options: JiraOptions, rules: &[Rule]) -> Run {
        let faults = self.site.server.faults();
        faults.clear();
        let source = self.site.open(options);
        let add = |(on, when, fault): &Rule| faults.add(on, *when, fault.clone());
        let added: Vec<_> = rules.iter().map(|rule| add(rule).expect("an endpoint")).collect();
        self.site.server.reset_requests();
        let result = repo.backup_with(&source, &small_options());
        let fired = added.into_iter().map(|id| faults.fired(id)).sum();
        faults.clear();
        Run { mode, repo, result, fired, requests: self.site.server.requests() }
    }

    /// A backup that is as good as one without faults.
    fn assert_whole(&self, run: &Run, case: &str) {
        let report = run.report(case);
        if roots(report) != self.roots {
            let held = holdings(&run.repo);
            let missing: Vec<_> =
                self.present.keys().filter(|it| !held.contains_key(*it)).collect();
            let surplus: Vec<_> =
                held.keys().filter(|it| !self.present.contains_key(*it)).collect();
            let differs =
                |it: &&String| held.get(*it).is_some_and(|held| *held != self.present[*it]);
            let differing: Vec<_> = self.present.keys().filter(differs).collect();
            panic!(
                "{case}, {:?}: other roots: missing {missing:#?}, surplus {surplus:#?}, differing {differing:#?}, {:#?}",
                run.mode, report.problems
            );
        }
        whole(report, &format!("{case}, {:?}", run.mode));
        assert_eq!(report.ledger.deleted_count, 0, "{case}, {:?}: {:?}", run.mode, report.ledger);
    }

    /// A backup that says what it lacks: a problem or part that holds `named`. What the last snapshot had is there still, and
    /// all that is not of the failing `part`.
    fn assert_partial(&self, run: &Run, case: &str, named: &str, part: impl Fn(&str) -> bool) {
        let (report, mode) = (run.report(case), run.mode);
        let told = told(report);
        assert_eq!(report.status, SnapshotStatus::Partial, "{case}, {mode:?}: {told:#?}");
        assert!(told.iter().any(|it| it.contains(named)), "{case}, {mode:?}: {named}? {told:#?}");
        self.assert_nothing_lost(run, case);
        let held = holdings(&run.repo);
        let others = self.present.iter().filter(|(path, _)| !part(path));
        let unlike: Vec<_> =
            others.filter(|(path, content)| held.get(*path) != Some(content)).collect();
        assert!(
            unlike.is_empty(),
            "{case}, {mode:?}: not as the site has it: {unlike:#?}, {told:#?}"
        );
    }

    fn assert_nothing_lost(&self, run: &Run, case: &str) {
        let mode = run.mode;
        if let Ok(report) = &run.result {
            assert_eq!(report.ledger.deleted_count, 0, "{case}, {mode:?}: {:?}", report.ledger);
        }
        if mode == Mode::Incremental {
            let held = holdings(&run.repo);
            let lost: Vec<_> = self.lasting.iter().filter(|it| !held.contains_key(*it)).collect();
            assert!(lost.is_empty(), "{case}: lost {lost:#?}");
        }
    }

    /// A backup that failed with an error that names the request; the last snapshot is as it was.
    fn assert_failed(&self, run: &Run, case: &str, named: &str) {
        let mode = run.mode;
        let Err(error) = &run.result else {
            panic!("{case}, {mode:?}: it does not fail: {:#?}", run.result);
        };
        let text = chain(error);
        assert!(text.contains(named), "{case}, {mode:?}: {text}");
        match mode {
            Mode::First => assert!(run.repo.snapshots().is_empty(), "{case}: a snapshot"),
            Mode::Incremental => {
                let ids =
                    |repo: &TempRepo| repo.snapshots().iter().map(|it| it.id).collect::<Vec<_>>();
                assert_eq!(ids(&run.repo), ids(&self.before), "{case}: another snapshot");
            }
        }
    }

    /// The next full backup without faults is whole.
    fn assert_heals_in_full(&self, run: Run, case: &str) {
        let options = BackupOptions { mode: ScanMode::Full, ..small_options() };
        let source = self.site.open(self.site.options());
        let report = run.repo.backup_with(&source, &options).expect("the full backup works");
        assert_eq!(roots(&report), self.roots, "{case}, {:?}, then a full backup", run.mode);
    }

    /// The next backup without faults is whole.
    fn assert_heals(&self, run: Run, case: &str) {
        let next = self.run_in(run.repo, Mode::Incremental, self.site.options(), &[]);
        self.assert_whole(&next, &format!("{case}, {:?}, then mended", run.mode));
    }
}

/// A backup that was made while the site failed.
struct Run {
    mode: Mode,
    repo: TempRepo,
    result: Result<BackupReport, Error>,
    /// How often something went wrong.
    fired: u64,
    requests: BTreeMap<String, u64>,
}

impl Run {
    fn report(&self, case: &str) -> &BackupReport {
        match &self.result {
            Ok(report) => report,
            Err(error) => panic!("{case}, {:?}: the backup fails: {}", self.mode, chain(error)),
        }
    }
}

fn whole(report: &BackupReport, case: &str) {
    let told = told(report);
    assert_eq!((report.status, &told[..]), (SnapshotStatus::Complete, &[][..]), "{case}");
}

/// What a backup says of what it lacks.
fn told(report: &BackupReport) -> Vec<String> {
    let problems = report.problems.iter().map(|it| format!("problem: {it}"));
    let verdicts = report.collections.iter().flat_map(|it| {
        let whole = (!it.completeness.detail.is_empty())
            .then(|| format!("{}: {}", it.name, it.completeness.detail));
        let part = |part: &PartCompleteness| {
            format!("{}/{}: {:?}, {}", it.name, part.name, part.state, part.detail)
        };
        whole.into_iter().chain(it.completeness.parts.iter().map(part)).collect::<Vec<_>>()
    });
    problems.chain(verdicts).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn roots(report: &BackupReport) -> Roots {
    report.collections.iter().map(|it| (it.name.clone(), it.root)).collect()
}

/// What the newest snapshot holds; nothing where there is none.
fn holdings(repo: &TempRepo) -> Holdings {
    let Some(snapshot) = repo.snapshots().pop() else {
        return Holdings::new();
    };
    let objects = Objects::load(&repo.open(), CacheSizes::default()).expect("an index");
    let objects: Arc<dyn ReadObject> = Arc::new(objects);
    let listed = Contents::new(objects, &snapshot).list(b"/", Depth::All);
    let listed = listed.expect("the snapshot is listed").map(|it| it.expect("an entry is read"));
    listed.map(|it| (it.path, it.entry.content)).collect()
}
