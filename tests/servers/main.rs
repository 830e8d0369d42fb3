//! Backups to servers that others wrote. `tests/servers/run.sh` installs and starts them.
//!
//! Each test finds its server by a variable, `ESKER_TEST_<SERVER>=URL`, and what it is asked with in the usual ones. A server
//! that is not there is left out, unless `ESKER_REQUIRE_SERVERS` is set.

mod locked;

use std::sync::Arc;

use esker_engine::context::RunContext;
use esker_engine::ops::backup::backup;
use esker_engine::ops::check::{CheckOptions, Share, check};
use esker_engine::repo::{CacheSizes, Client, CreateOptions, Objects, Repository, Unlock};
use esker_engine::store::{Created, Durability, Probe, Store, StoreOptions};
use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, issues_and_files, read_snapshot, runtime, small_options};

/// A server, and what it is asked with.
struct Server {
    name: &'static str,
    url: String,
    variables: Vec<(&'static str, String)>,
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what they do not show")]
fn left_out(name: &str) {
    eprintln!("left out, because ESKER_TEST_{name} is not set: see tests/servers/run.sh");
}

impl Server {
    /// The server of this name, if it runs.
    fn find(name: &'static str, asked_with: &[(&'static str, &str)]) -> Option<Self> {
        let read = |what: &str| std::env::var(format!("ESKER_TEST_{name}{what}")).ok();
        let Some(url) = read("") else {
            let is_required = std::env::var_os("ESKER_REQUIRE_SERVERS").is_some();
            assert!(!is_required, "{name} does not run: see tests/servers/run.sh");
            left_out(name);
            return None;
        };
        let endpoint = read("_ENDPOINT").unwrap_or_default();
        let values = asked_with.iter().map(|(name, value)| match *value {
            "ENDPOINT" => (*name, endpoint.clone()),
            value => (*name, value.to_owned()),
        });
        Some(Self { name, url, variables: values.collect() })
    }

    fn s3(name: &'static str, key: &str, secret: &str) -> Option<Self> {
        let asked_with = [
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "ENDPOINT"),
        ];
        Self::find(name, &asked_with)
    }

    /// An address of its own for each test.
    fn place(&self, test: &str) -> String {
        let nanoseconds = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_nanos();
        format!("{}/{test}-{nanoseconds}", self.url)
    }

    fn store(&self, place: &str) -> Store {
        let options = self
            .variables
            .iter()
            .fold(StoreOptions::default(), |options, it| options.with(it.0, &it.1));
        Store::open_new(place, &options, runtime()).expect("the store opens")
    }

    /// What the store itself promises: exclusive creation, listings, ranges, deletion.
    fn keeps_objects(&self) {
        let store = self.store(&self.place("objects"));
        assert!(store.list("").expect("an empty place can be listed").is_empty(), "{}", self.name);
        let names: Vec<_> =
            (0..30).map(|number| format!("packs/{:02}/{number}", number % 7)).collect();
        let create = |name: &str, bytes: &str| {
            let bytes = bytes.to_owned().into();
            store.create(name, bytes, Durability::Durable).expect("it can be created")
        };
        for name in &names {
            assert_eq!(create(name, "0123456789"), Created::New, "{name}");
        }
        assert_eq!(create(&names[0], "another"), Created::Exists);
        assert_eq!(create(&names[0], "0123456789"), Created::New, "our own bytes are success");
        let listed = store.list("packs").expect("it can be listed");
        assert_eq!(listed.len(), names.len());
        assert!(listed.is_sorted_by(|a, b| a.name < b.name));
        assert!(listed.iter().all(|object| object.length == 10 && names.contains(&object.name)));
        assert_eq!(store.list("packs/03").expect("it can be listed").len(), 4);
        assert_eq!(store.read(&names[1], 10).expect("it can be read"), "0123456789");
        assert!(store.read(&names[1], 9).is_err(), "longer than allowed");
        assert_eq!(store.read_range(&names[1], 2..5).expect("a range"), "234");
        let tail = store.read_tail(&names[1], 4).expect("a tail");
        assert_eq!(tail, ("6789".into(), 10));
        assert_eq!(store.read_tail(&names[1], 40).expect("all of it").1, 10);
        store.delete_many(&names).expect("they can be deleted");
        store.delete_many(&names).expect("what is gone is no error");
        assert!(store.list("").expect("it can be listed").is_empty());
    }

    /// Two snapshots by the engine, which must read back as they are.
    fn keeps_backups(&self) -> Option<Probe> {
        let place = self.place("engine");
        let (_, unlock) = Unlock::new_key_file().expect("randomness");
        let store = self.store(&place);
        let options = CreateOptions {
            unlocks: vec![unlock.clone()],
            store: Some(store.probe().expect("the store can be tried")),
            ..CreateOptions::default()
        };
        let ctx = RunContext::default();
        let create = Repository::create(store, &options, |_| Client::forgetful(), &ctx);
        create.expect("the repository is made");
        let open = || {
            let opened = Repository::open(self.store(&place), &unlock, |_| Client::forgetful());
            Arc::new(opened.expect("the repository opens"))
        };
        let source = issues_and_files("everything", 300);
        backup(&open(), &source, &small_options(), &ctx).expect("the first backup");
        source.put("issues", "issue/00007", Item::document("another text"));
        source.remove("issues", "issue/00008");
        let second = backup(&open(), &source, &small_options(), &ctx).expect("the second backup");
        assert_eq!((second.statistics.changed, second.statistics.deleted), (1, 1), "{second:?}");
        let repository = open();
        let history = repository.history().expect("the history can be read");
        let snapshot = history.visible().last().expect("there are snapshots");
        let objects = Objects::load(&repository, CacheSizes::default()).expect("the index");
        let found = read_snapshot(Arc::new(objects), &snapshot.commit).expect("it can be read");
        assert_eq!(found, source.model());
        let report = check(
            &repository,
            &CheckOptions { read_data: Some(Share::All), ..CheckOptions::default() },
            &ctx,
        );
        let report = report.expect("the check ends");
        assert!(report.findings.is_empty() && report.notes.is_empty(), "{report:?}");
        repository.config().store.clone()
    }

    /// The same by hand, with the program.
    fn keeps_what_the_program_stores(&self, is_proven: bool) {
        let sandbox = Sandbox::empty();
        let place = self.place("program");
        let run = |args: &[&str]| {
            let command = sandbox.command(args).env("ESKER_REPO", &place);
            let variables = self.variables.iter();
            variables.fold(command, |command, (name, value)| command.env(name, value)).run()
        };
        let made = run(&["init"]).ok();
        assert_eq!(made.err.contains("not proven"), !is_proven, "{}", made.report());
        run(&["init"]).fails();
        sandbox.write("src/a.txt", "one");
        sandbox.write("src/large", vec![7; 3_000_000]);
        run(&["backup", "./src"]).ok();
        sandbox.write("src/folder/b.txt", "two");
        let second = run(&["backup", "./src", "--json"]).ok().summary();
        assert_eq!(second["new"], 2, "{second}");
        run(&["restore", "latest", "--to", "back"]).ok();
        assert_eq!(sandbox.read("back/folder/b.txt"), "two");
        assert_eq!(sandbox.files("back"), sandbox.files("src"));
        assert_eq!(
            std::fs::read(sandbox.path("back/large")).expect("it is there"),
            vec![7; 3_000_000]
        );
        let checked = run(&["check", "--read-data", "--json"]).ok().json();
        assert_eq!(checked["status"], "ok", "{checked}");
    }

    fn keeps_everything(&self, is_proven: bool) {
        self.keeps_objects();
        let probe = self.keeps_backups().expect("it was tried");
        assert_eq!(probe.is_proven(), is_proven, "{}: {probe:?}", self.name);
        assert!(probe.reads_own_writes && probe.lists_own_writes, "{}: {probe:?}", self.name);
        self.keeps_what_the_program_stores(is_proven);
    }
}

#[test]
fn seaweedfs_keeps_backups_and_is_proven() {
    if let Some(server) = Server::s3("SEAWEEDFS", "backupkey", "backupsecret") {
        server.keeps_everything(true);
        let stranger = Server::s3("SEAWEEDFS", "backupkey", "wrong").expect("it runs");
        let refused = stranger.store(&stranger.place("denied")).list("").unwrap_err();
        assert_eq!(refused.kind(), esker_engine::ErrorKind::Credentials, "{refused}");
    }
}

#[test]
fn ministack_keeps_backups_and_is_proven() {
    if let Some(server) = Server::s3("MINISTACK", "any", "any") {
        server.keeps_everything(true);
        let nowhere = server.store("s3://no-such-bucket/x").list("").unwrap_err();
        assert_eq!(nowhere.kind(), esker_engine::ErrorKind::NotFound, "{nowhere}");
    }
}

/// The published key of the emulator.
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[test]
fn azurite_keeps_backups_and_is_proven() {
    let asked_with = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
        ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY),
        ("AZURE_STORAGE_ENDPOINT", "ENDPOINT"),
    ];
    if let Some(server) = Server::find("AZURITE", &asked_with) {
        server.keeps_everything(true);
    }
}

#[test]
fn webdav_keeps_backups_and_is_not_proven() {
    let asked_with = [("WEBDAV_USERNAME", "backup"), ("WEBDAV_PASSWORD", "backupsecret")];
    if let Some(server) = Server::find("WEBDAV", &asked_with) {
        server.keeps_everything(false);
        let stranger = Server::find("WEBDAV", &[]).expect("it runs");
        let refused = stranger.store(&stranger.place("denied")).list("").unwrap_err();
        assert_eq!(refused.kind(), esker_engine::ErrorKind::Credentials, "{refused}");
    }
}

/// The negative control: it takes conditions and does not heed them.
#[test]
fn s3rver_overwrites_and_is_found_out() {
    if let Some(server) = Server::s3("S3RVER", "S3RVER", "S3RVER") {
        let probe = server.store(&server.place("probe")).probe().expect("it can be tried");
        assert!(!probe.creates_once && !probe.is_proven(), "{probe:?}");
    }
}
