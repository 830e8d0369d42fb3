//! Faults that pass: the backup is as good as one without them.

use std::time::Duration;

use esker_jira_site::server::{Fault, RetryAfter, When};

use super::{Bench, MODES, rules};

#[test]
fn what_passes_leaves_no_trace() {
    let bench = Bench::new();
    eprintln!("{:#?}", bench.used);
    let all: Vec<&str> = bench.used.iter().map(String::as_str).collect();
    for (name, fault) in [
        ("500", Fault::status(500)),
        ("503 with a page", Fault::page(503)),
        ("a login page", Fault::LoginPage),
        ("hang up", Fault::HangUp),
        ("cut", Fault::Cut),
        ("slow", Fault::Slow { piece: 300, pause: Duration::from_millis(1) }),
    ] {
        for when in [When::Next(1), When::Next(3)] {
            for mode in MODES {
                let start = std::time::Instant::now();
                let run = bench.run(mode, &rules(all.iter().copied(), when, &fault));
                eprintln!(
                    "{name} {when:?} {mode:?} {:?} {}",
                    start.elapsed(),
                    run.requests.values().sum::<u64>()
                );
                bench.assert_whole(&run, &format!("{name}, {when:?}"));
            }
        }
    }
}
