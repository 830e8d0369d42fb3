//! Object Lock, with a server that has it: locks are set, the server keeps to them, `prune` extends them and respects them.

use std::sync::Arc;
use std::time::Duration;

use esker_engine::clock::{Clock, SystemClock};
use esker_engine::context::RunContext;
use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::backup;
use esker_engine::ops::prune::{PruneOptions, PruneReport, prune};
use esker_engine::repo::{Client, CreateOptions, Repository, Unlock};
use esker_engine::store::{Durability, LockMode, ObjectLock, Probe};
use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, MemorySource, issues_and_files, noise, runtime, small_options};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ClientOptions, ObjectStoreExt};

use super::Server;

const BUCKET: &str = "esker-locked";
const HOUR: ObjectLock = ObjectLock { mode: LockMode::Governance, seconds: 3600 };

fn server() -> Option<Server> {
    let server = Server::s3("SEAWEEDFS", "backupkey", "backupsecret")?;
    Some(Server { url: format!("s3://{BUCKET}"), ..server })
}

impl Server {
    fn raw(&self) -> AmazonS3 {
        let set = |builder: AmazonS3Builder, (name, value): &(&str, String)| {
            let key = name.to_lowercase().parse().expect("a setting");
            builder.with_config(key, value)
        };
        let builder = self.variables.iter().fold(AmazonS3Builder::new(), set);
        builder.with_bucket_name(BUCKET).with_allow_http(true).build().expect("a client")
    }

    /// Deletes one version of an object, as whoever stole the credentials would. Returns the server's status.
    fn delete_version(&self, name: &str) -> u16 {
        let raw = self.raw();
        let path = Path::from(name);
        runtime().block_on(async {
            let version = raw.head(&path).await.expect("it is there").version.expect("a version");
            let options = SignedUrlOptions::new().with_query([("versionId", version)]);
            let verb = || "DELETE".parse().expect("a method");
            let minute = Duration::from_secs(60);
            let url = raw.signed_url_opts(verb(), &path, minute, &options).await.expect("a URL");
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.method_mut() = verb();
            *request.uri_mut() = url.as_str().parse().expect("an address");
            let options = ClientOptions::new().with_allow_http(true);
            let client = ReqwestConnector::default().connect(&options).expect("a client");
            client.execute(request).await.expect("an answer").status().as_u16()
        })
    }
}

/// A repository whose locks last for so many seconds.
struct Locked<'a> {
    server: &'a Server,
    place: String,
    unlock: Unlock,
    source: MemorySource,
}

impl<'a> Locked<'a> {
    fn new(server: &'a Server, test: &str, seconds: u64) -> Self {
        let place = server.place(test);
        let (_, unlock) = Unlock::new_key_file().expect("randomness");
        let proven = Probe {
            creates_once: true,
            reads_own_writes: true,
            lists_own_writes: true,
            network_file_system: None,
        };
        let options = CreateOptions {
            unlocks: vec![unlock.clone()],
            store: Some(proven),
            object_lock: Some(ObjectLock { seconds, ..HOUR }),
            ..CreateOptions::default()
        };
        let client = |_| Client::forgetful();
        Repository::create(server.store(&place), &options, client, &RunContext::default())
            .expect("the repository is made");
        Self { server, place, unlock, source: issues_and_files("locked", 50) }
    }

    fn open(&self) -> Arc<Repository> {
        let store = self.server.store(&self.place);
        let opened = Repository::open(store, &self.unlock, |_| Client::forgetful());
        Arc::new(opened.expect("the repository opens"))
    }

    fn backup(&self, day: u64) {
        self.source.put("files", "changes", Item::file(noise(day, 200_000)));
        backup(&self.open(), &self.source, &small_options(), &RunContext::default())
            .expect("a backup");
    }

    fn forget_all_but_newest(&self) {
        let repository = self.open();
        let history = repository.history().expect("a history");
        let slots: Vec<_> = history.visible().map(|it| it.slot).collect();
        let (_, old) = slots.split_last().expect("there are snapshots");
        let ctx = RunContext::default();
        repository.mark(MarkAction::Forget, old, None, &ctx).expect("they are forgotten");
    }

    fn prune(&self) -> PruneReport {
        let options = PruneOptions { max_waste: 1.0, ..PruneOptions::default() };
        prune(&self.open(), &options, &RunContext::default()).expect("garbage is collected")
    }

    fn packs(&self) -> Vec<String> {
        let listed = self.server.store(&self.place).list("packs").expect("a listing");
        listed.into_iter().map(|it| it.name).collect()
    }
}

#[test]
fn what_is_stored_is_locked_and_the_server_keeps_it() {
    let Some(server) = server() else { return };
    let locked = Locked::new(&server, "kept", HOUR.seconds);
    let begin = SystemClock.now();
    locked.backup(1);
    let store = server.store(&locked.place);
    let prefix = locked.place.strip_prefix(&format!("{}/", server.url)).expect("our bucket");
    for object in store.list("").expect("a listing") {
        let until = store.locked_until(&object.name).expect("it is told");
        let lasts = !object.name.starts_with("sessions/");
        assert_eq!(until.is_some(), lasts, "{}", object.name);
        if lasts {
            let left = until.expect("it is locked").saturating_sub(begin);
            assert!(left.as_secs() >= HOUR.seconds - 1, "{}: {left:?}", object.name);
            assert_eq!(server.delete_version(&format!("{prefix}/{}", object.name)), 403);
        }
    }

    // Two more: the data of the older ones are garbage, and stay.
    locked.backup(2);
    locked.backup(3);
    locked.forget_all_but_newest();
    let packs = locked.packs();
    let report = locked.prune();
    assert!(report.plan.locked_packs > 0, "{report:?}");
    assert_eq!((report.deleted_packs, report.extended_locks), (0, 0), "{report:?}");
    assert_eq!(locked.packs(), packs);
    assert_eq!(locked.open().history().expect("a history").visible().count(), 1);
}

#[test]
fn what_lives_is_locked_anew_and_what_is_not_locked_any_more_goes() {
    let Some(server) = server() else { return };
    let locked = Locked::new(&server, "extended", 2);
    for day in 0..3 {
        locked.backup(day);
    }
    locked.forget_all_but_newest();
    std::thread::sleep(Duration::from_secs(3));
    let before = SystemClock.now();
    let report = locked.prune();
    assert!(report.extended_locks > 0 && report.deleted_packs > 0, "{report:?}");
    let store = server.store(&locked.place);
    for name in locked.packs() {
        let until = store.locked_until(&name).expect("it is told").expect("it is locked");
        assert!(until + Duration::from_secs(1) > before + Duration::from_secs(2), "{name}");
    }
}

#[test]
fn a_lock_is_extended_and_never_shortened() {
    let Some(server) = server() else { return };
    let store = server.store(&server.place("once"));
    store.create("packs/one", "bytes".into(), Durability::Durable).expect("it is stored");
    assert_eq!(store.locked_until("packs/one").expect("it is told"), None);
    let first = store.lock("packs/one", HOUR).expect("it is locked");
    let longer = store.lock("packs/one", ObjectLock { seconds: 7200, ..HOUR }).expect("extended");
    assert!(longer > first);
    assert!(store.lock("packs/one", ObjectLock { seconds: 60, ..HOUR }).is_err(), "shortened");
    let end = store.locked_until("packs/one").expect("it is told").expect("it is locked");
    assert_eq!(end.as_secs(), longer.as_secs());
    assert!(store.locked_until("packs/none").is_err(), "there is no such object");
}

#[test]
fn a_bucket_without_locks_is_refused_before_anything_is_stored() {
    let Some(server) = server() else { return };
    server.store(&server.place("can")).refuse_unlockable().expect("this bucket can");
    let plain = Server::s3("SEAWEEDFS", "backupkey", "backupsecret").expect("it runs");
    let sandbox = Sandbox::empty();
    let place = plain.place("refused");
    let command = sandbox.command(["init", "--repo", &place, "--object-lock", "30d"]);
    let command = plain.variables.iter().fold(command, |it, (name, value)| it.env(name, value));
    let refused = command.run().fails();
    assert!(
        refused.err.contains("its bucket was made without Object Lock"),
        "{}",
        refused.report()
    );
    assert!(plain.store(&place).list("").expect("a listing").is_empty());
}
