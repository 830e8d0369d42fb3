//! Several real processes back up, forget, bring back, collect, check and restore at the same time, and are killed or put to
//! sleep at any moment. Whatever was committed and is kept restores bit-exact.
//!
//! `ESKER_PROCESS_TEST_SECONDS` says for how long, `ESKER_PROCESS_TEST_SEED` repeats the choices; not the moments at which the
//! system runs each process. `ESKER_TEST_SEAWEEDFS` names an S3 server: see `tests/servers/run.sh`.

mod actors;
mod ending;
mod folder;
mod random;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use world::{Counts, Truth, World};

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: `{value}`")))
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was done")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn run(name: &str, place: Option<String>, variables: Vec<(&'static str, String)>) {
    let nanoseconds = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").subsec_nanos();
    let seed = variable("ESKER_PROCESS_TEST_SEED").unwrap_or(nanoseconds.into());
    let seconds = variable("ESKER_PROCESS_TEST_SECONDS").unwrap_or(12);
    let made = tempfile::Builder::new().prefix("esker-processes-").tempdir();
    let folder = made.expect("a temporary folder can be made").keep();
    tell(&format!("{name}: seed {seed}, {seconds} s, in {}", folder.display()));
    std::fs::create_dir_all(folder.join("logs")).expect("a folder can be made");
    // Building the program takes no time of the test.
    esker_tests::run_cli::esker();
    let begin = Instant::now();
    let world = World {
        place: place.unwrap_or_else(|| folder.join("repo").display().to_string()),
        folder,
        variables,
        seed,
        begin,
        end: begin + Duration::from_secs(seconds),
        patience: 4,
        truth: Mutex::new(Truth::default()),
        counts: Counts::default(),
        failure: Mutex::new(None),
        has_failed: AtomicBool::new(false),
        number: AtomicU64::new(0),
    };
    let made = world.run("first", &world.place, &["init"]);
    assert!(made.is_done(), "{made:?}");
    std::thread::scope(|scope| {
        let world = &world;
        (0..3).for_each(|number| drop(scope.spawn(move || actors::write(world, number))));
        (0..2).for_each(|number| drop(scope.spawn(move || actors::collect(world, number))));
        scope.spawn(|| actors::forget(world));
        scope.spawn(|| actors::read(world, 0));
    });
    if !world.has_failed.load(Ordering::Relaxed) {
        ending::verify(&world);
    }
    tell(&format!("{name}: seed {seed}, {} s: {}", begin.elapsed().as_secs(), world.counts.line()));
    let failure = world.failure.into_inner().expect("no actor panics here");
    let kept = world.folder.display();
    assert!(failure.is_none(), "{name}: {}\nall is kept in {kept}", failure.unwrap_or_default());
    std::fs::remove_dir_all(&world.folder).expect("the folder can be removed");
}

#[test]
fn processes_that_are_killed_lose_nothing_in_a_folder() {
    run("a folder", None, Vec::new());
}

#[test]
fn processes_that_are_killed_lose_nothing_in_an_object_store() {
    let Ok(place) = std::env::var("ESKER_TEST_SEAWEEDFS") else {
        let is_required = std::env::var_os("ESKER_REQUIRE_SERVERS").is_some();
        assert!(!is_required, "SeaweedFS does not run: see tests/servers/run.sh");
        return tell("left out, because ESKER_TEST_SEAWEEDFS is not set: see tests/servers/run.sh");
    };
    let nanoseconds = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_nanos();
    let endpoint = std::env::var("ESKER_TEST_SEAWEEDFS_ENDPOINT").unwrap_or_default();
    let variables = vec![
        ("AWS_ACCESS_KEY_ID", "backupkey".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "backupsecret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    run("SeaweedFS", Some(format!("{place}/processes-{nanoseconds}")), variables);
}
