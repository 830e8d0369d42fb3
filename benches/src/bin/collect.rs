//! What a collection costs: N small objects, days of changes, all but the last snapshot forgotten, then `prune`.
//!
//! `collect FOLDER [OBJECTS [CHANGES [DAYS]]]` makes a repository in FOLDER and prints one line a step.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use esker_benches::change_list::Documents;
use esker_benches::documents::Random;
use esker_benches::usage;
use esker_engine::context::RunContext;
use esker_engine::format::commit::MarkAction;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::ops::prune::{PruneOptions, prune};
use esker_engine::repo::{Client, CreateOptions, Repository, Unlock};
use esker_engine::store::{Store, StoreOptions};

/// Little, and nothing that any other object has.
fn small(number: u64, version: u64) -> Vec<u8> {
    let mut random = Random::new(number.wrapping_mul(1_000_003) ^ version);
    let words = (0..12).map(|_| random.below(u64::MAX));
    words.flat_map(u64::to_le_bytes).collect()
}

/// Measures what a step takes.
struct Step {
    start: Instant,
    cpu: f64,
    requests: u64,
    read: u64,
}

impl Step {
    fn begin(store: &Store) -> Self {
        usage::forget_peak();
        let figures = store.figures();
        let (requests, read) = (figures.requests, figures.read_bytes);
        Self { start: Instant::now(), cpu: usage::cpu_seconds(), requests, read }
    }

    #[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
    fn end(self, store: &Store, what: &str) {
        let figures = store.figures();
        println!(
            "{what} · {} requests · read {:.1} MB · wall {:.1} s · cpu {:.1} s · peak {} MiB",
            figures.requests - self.requests,
            (figures.read_bytes - self.read) as f64 / 1e6,
            self.start.elapsed().as_secs_f64(),
            usage::cpu_seconds() - self.cpu,
            usage::peak_mib(),
        );
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: collect FOLDER [OBJECTS [CHANGES [DAYS]]]";
    let folder = PathBuf::from(args.next().ok_or(usage)?);
    let mut number = |default: u64| args.next().map_or(Ok(default), |it| it.parse::<u64>());
    let (objects, changes, days) = (number(1_000_000)?, number(10_000)?, number(10)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ctx = RunContext::default();
    let url = folder.to_str().ok_or("not text")?;
    let store = Store::open_new(url, &StoreOptions::default(), runtime.handle().clone())?;
    let (_, key) = Unlock::new_key_file()?;
    let options = CreateOptions {
        unlocks: vec![key.clone()],
        store: Some(store.probe()?),
        ..CreateOptions::default()
    };
    Repository::create(store.clone(), &options, |_| Client::forgetful(), &ctx)?;
    let open = || Repository::open(store.clone(), &key, |_| Client::forgetful()).map(Arc::new);
    let mut random = Random::new(7);
    for day in 0..=days {
        let changed = (0..changes).map(|_| (random.below(objects), day)).collect();
        let source = Documents { objects, changes: changed, content: small };
        let step = Step::begin(&store);
        let report = backup(&open()?, &source, &BackupOptions::default(), &ctx)?;
        let added = report.statistics.bytes_added as f64 / 1e6;
        step.end(&store, &format!("day {day}: added {added:.1} MB"));
    }
    let repository = open()?;
    let forget = |count: usize| -> Result<(), Box<dyn std::error::Error>> {
        let history = repository.history()?;
        let slots: Vec<_> = history.visible().take(count).map(|it| it.slot).collect();
        Ok(repository.mark(MarkAction::Forget, &slots, None, &ctx)?)
    };
    for (what, count) in [("one day", 1), ("nothing", 0), ("all but one", days as usize - 1)] {
        forget(count)?;
        let step = Step::begin(&store);
        let report = prune(&open()?, &PruneOptions::default(), &ctx)?;
        let freed = report.deleted_bytes as f64 / 1e6;
        let moved = report.plan.moved_bytes as f64 / 1e6;
        step.end(
            &store,
            &format!("prune, {what} forgotten: freed {freed:.1} MB, stored again {moved:.1} MB"),
        );
    }
    Ok(())
}
