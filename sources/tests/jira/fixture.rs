//! A simulated site and the source that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use esker_engine::context::Cancel;
use esker_engine::object::ReadObject;
use esker_engine::ops::ContentStream;
use esker_engine::ops::ls::{Contents, Depth, Located};
use esker_engine::repo::{CacheSizes, Objects};
use esker_engine::secret::Secret;
use esker_engine::source::Source;
use esker_engine::testing::TempRepo;
use esker_engine::testing::source_suite::SourceFixture;
use esker_jira_site::server::{Credentials, Fault, FaultId, Server, ServerOptions, When};
use esker_jira_site::site::{Day, Site, SiteOptions};
use esker_sources::jira::client::Auth;
use esker_sources::jira::{JiraOptions, JiraSource};
use tokio::runtime::Runtime;

/// The runtime that sources are opened in. It outlives them, since connections are kept.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// Contents of a snapshot by path, without the leading slash.
pub(crate) type Records = BTreeMap<String, Vec<u8>>;

/// All records of the newest snapshot.
pub(crate) fn records(repo: &TempRepo) -> Records {
    let snapshot = repo.snapshots().pop().expect("there is a snapshot");
    let objects = Objects::load(&repo.open(), CacheSizes::default()).expect("an index");
    let objects: Arc<dyn ReadObject> = Arc::new(objects);
    let contents = Contents::new(Arc::clone(&objects), &snapshot);
    let listed = contents.list(b"/", Depth::All).expect("the snapshot is listed");
    let record = |located: Result<Located, _>| {
        let located = located.expect("an entry is read");
        let key = String::from_utf8_lossy(&located.key).replace('\0', "/");
        let mut content = Vec::new();
        let mut stream = ContentStream::new(Arc::clone(&objects), &located.entry);
        stream.read_to_end(&mut content).expect("a content is read");
        (format!("{}/{key}", located.collection), content)
    };
    listed.map(record).collect()
}

/// The project that most of these issues are in.
pub(crate) fn largest_project(issues: &BTreeSet<String>) -> String {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (project, _) in issues.iter().filter_map(|key| key.split_once('-')) {
        *sizes.entry(project).or_default() += 1;
    }
    let largest = sizes.into_iter().max_by_key(|(_, size)| *size).expect("an issue");
    largest.0.to_owned()
}

/// A site that is served.
pub(crate) struct JiraSite {
    pub(crate) site: Site,
    pub(crate) server: Server,
    broken: std::sync::Mutex<Option<FaultId>>,
}

impl JiraSite {
    /// A site whose issues show no copies of others: such copies may be stale, so full and incremental scans differ in them.
    pub(crate) fn new() -> Self {
        Self::with(&SiteOptions { relations: false, ..SiteOptions::default() })
    }

    pub(crate) fn with(options: &SiteOptions) -> Self {
        Self::served(options, ServerOptions::default())
    }

    pub(crate) fn served(options: &SiteOptions, server: ServerOptions) -> Self {
        let site = Site::generate(options);
        let server = Server::spawn(site.clone(), server);
        let server = server.expect("the site is served");
        Self { site, server, broken: std::sync::Mutex::default() }
    }

    /// How the source reads it, unless a test says otherwise.
    pub(crate) fn options(&self) -> JiraOptions {
        let Credentials { email, token, .. } = Credentials::default();
        let mut options =
            JiraOptions::new(self.server.url(), Auth::Basic { email, token: Secret::new(token) });
        options.retry.delays = vec![Duration::from_millis(1)];
        options
    }

    pub(crate) fn open(&self, options: JiraOptions) -> JiraSource {
        assert_eq!(options.site, self.server.url(), "the options are another site's");
        let opened = runtime().block_on(JiraSource::open(options, Cancel::default()));
        opened.expect("the site opens")
    }

    /// An ordinary day.
    pub(crate) fn day(&self, seed: u64) {
        self.site.day(&Day {
            seed,
            changed_issues: 6,
            new_issues: 2,
            new_attachments: 2,
            deleted_issues: 1,
        });
    }

    /// Fails where the site saw requests that the real one would not take.
    pub(crate) fn assert_no_violations(&self) {
        let violations = self.server.violations();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

impl Drop for JiraSite {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_no_violations();
        }
    }
}

impl SourceFixture for JiraSite {
    fn open(&self) -> Arc<dyn Source> {
        Arc::new(self.open(self.options()))
    }

    fn mutate(&self, step: u32) {
        if step > 0 {
            self.day(step.into());
        }
    }

    fn tick(&self) {
        self.site.tick();
    }

    /// The server cannot render the first issue that it is asked for.
    fn break_one(&self) -> bool {
        let faults = self.server.faults();
        let fault =
            faults.add("POST /rest/api/3/issue/bulkfetch", When::Always, Fault::IssueErrors(1));
        *self.broken.lock().expect("no panic") = Some(fault.expect("an endpoint"));
        true
    }

    fn mend(&self) {
        if let Some(fault) = self.broken.lock().expect("no panic").take() {
            self.server.faults().remove(fault);
        }
    }
}
