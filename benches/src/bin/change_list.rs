//! The engine through its change-list interface: N objects, then snapshots of a few changes.
//!
//! `change_list FOLDER [OBJECTS [CHANGES]]` makes a repository in FOLDER and prints one line a snapshot.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use esker_benches::change_list::Documents;
use esker_benches::documents::{Random, document};
use esker_benches::usage;
use esker_engine::context::RunContext;
use esker_engine::ops::backup::{BackupOptions, backup};
use esker_engine::repo::{Client, CreateOptions, Repository, Unlock};
use esker_engine::store::{Store, StoreOptions};

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: change_list FOLDER [OBJECTS [CHANGES]]")?);
    let objects: u64 = args.next().map_or(Ok(1_000_000), |it| it.parse())?;
    let changes: u64 = args.next().map_or(Ok(100), |it| it.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ctx = RunContext::default();
    let store = Store::open_new(
        folder.to_str().ok_or("not text")?,
        &StoreOptions::default(),
        runtime.handle().clone(),
    )?;
    let (_, key) = Unlock::new_key_file()?;
    let options = CreateOptions { unlocks: vec![key.clone()], ..CreateOptions::default() };
    Repository::create(store.clone(), &options, |_| Client::forgetful(), &ctx)?;
    let mut random = Random::new(7);
    for snapshot in 0..4u64 {
        let scattered = (0..changes).map(|_| (random.below(objects), snapshot)).collect();
        let source = Documents { objects, changes: scattered, content: document };
        let cpu_before = usage::cpu_seconds();
        let start = Instant::now();
        let repository = Arc::new(Repository::open(store.clone(), &key, |_| Client::forgetful())?);
        let report = backup(&repository, &source, &BackupOptions::default(), &ctx)?;
        let (cpu, peak) = (usage::cpu_seconds(), usage::peak_mib());
        let figures = report.statistics;
        println!(
            "snapshot {snapshot}: new {} changed {} · read {:.1} MB · added {:.3} MB in {} objects · \
             wall {:.2} s · cpu {:.2} s · peak {peak} MiB",
            figures.new,
            figures.changed,
            figures.bytes_read as f64 / 1e6,
            figures.bytes_added as f64 / 1e6,
            figures.objects_written,
            start.elapsed().as_secs_f64(),
            cpu - cpu_before,
        );
    }
    Ok(())
}
