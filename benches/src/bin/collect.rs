//! What a collection costs: N small objects, days of changes, snapshots forgotten, then `prune`. Each step is a process of its own,
//! so that its memory is its own, by the same client.
//!
//! `collect FOLDER [OBJECTS [CHANGES [DAYS]]]` makes a repository in FOLDER and prints one line a step;
//! `collect FOLDER --prune COUNT` forgets COUNT snapshots of it and collects.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
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

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Little, and nothing that any other object has.
fn small(number: u64, version: u64) -> Vec<u8> {
    let mut random = Random::new(number.wrapping_mul(1_000_003) ^ version);
    let words = (0..12).map(|_| random.below(u64::MAX));
    words.flat_map(u64::to_le_bytes).collect()
}

/// Prints what a step took, the whole process so far.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn tell(store: &Store, start: Instant, what: &str) {
    let figures = store.figures();
    println!(
        "{what} · {} requests · read {:.1} MB · wall {:.1} s · cpu {:.1} s · peak {} MiB",
        figures.requests,
        figures.read_bytes as f64 / 1e6,
        start.elapsed().as_secs_f64(),
        usage::cpu_seconds(),
        usage::peak_mib(),
    );
}

/// A folder with a repository, its key and its client.
struct Place {
    folder: PathBuf,
    store: Store,
    ctx: RunContext,
}

impl Place {
    fn create(&self) -> Done {
        let (text, key) = Unlock::new_key_file()?;
        fs::write(self.folder.join("key"), text.expose())?;
        let options = CreateOptions {
            unlocks: vec![key],
            store: Some(self.store.probe()?),
            ..CreateOptions::default()
        };
        Repository::create(self.store.clone(), &options, |_| Client::forgetful(), &self.ctx)?;
        Ok(())
    }

    fn open(&self) -> Done<Arc<Repository>> {
        let text = fs::read_to_string(self.folder.join("key"))?;
        let key = Unlock::from_key_file(&text).ok_or("no key file")?;
        let client = |_| Client::open(self.folder.join("client"));
        Ok(Arc::new(Repository::open(self.store.clone(), &key, client)?))
    }

    fn backup(&self, objects: u64, changes: u64, day: u64) -> Done {
        let start = Instant::now();
        let mut random = Random::new(7 + day);
        let changes = (0..changes).map(|_| (random.below(objects), day)).collect();
        let source = Documents { objects, changes, content: small };
        let report = backup(&self.open()?, &source, &BackupOptions::default(), &self.ctx)?;
        let added = report.statistics.bytes_added as f64 / 1e6;
        tell(&self.store, start, &format!("day {day}: added {added:.1} MB"));
        Ok(())
    }

    fn prune(&self, count: usize) -> Done {
        let repository = self.open()?;
        let history = repository.history()?;
        let slots: Vec<_> = history.visible().take(count).map(|it| it.slot).collect();
        repository.mark(MarkAction::Forget, &slots, None, &self.ctx)?;
        drop((repository, history));
        let (start, repository) = (Instant::now(), self.open()?);
        let report = prune(&repository, &PruneOptions::default(), &self.ctx)?;
        let freed = report.deleted_bytes as f64 / 1e6;
        let moved = report.plan.moved_bytes as f64 / 1e6;
        let what =
            format!("prune, {count} forgotten: freed {freed:.1} MB, stored again {moved:.1} MB");
        tell(&self.store, start, &what);
        Ok(())
    }
}

fn in_another_process(folder: &Path, args: &[String]) -> Done {
    let ended = Command::new(std::env::current_exe()?).arg(folder).args(args).status()?;
    if ended.success() { Ok(()) } else { Err(format!("{args:?} failed").into()) }
}

fn main() -> Done {
    let mut args = std::env::args().skip(1);
    let usage = "usage: collect FOLDER [OBJECTS [CHANGES [DAYS]]]";
    let folder = PathBuf::from(args.next().ok_or(usage)?);
    let args: Vec<String> = args.collect();
    let number = |place: usize, default: u64| args.get(place).map_or(Ok(default), |it| it.parse());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    fs::create_dir_all(&folder)?;
    let url = folder.join("repository").to_str().ok_or("not text")?.to_owned();
    let store = Store::open_new(&url, &StoreOptions::default(), runtime.handle().clone())?;
    let place = Place { folder: folder.clone(), store, ctx: RunContext::default() };
    match args.first().map(String::as_str) {
        Some("--prune") => place.prune(number(1, 0)? as usize),
        Some("--day") => place.backup(number(1, 0)?, number(2, 0)?, number(3, 0)?),
        _ => {
            let (objects, changes) = (number(0, 1_000_000)?, number(1, 10_000)?);
            let days = number(2, 10)?;
            place.create()?;
            let step = |name: &str, numbers: &[u64]| {
                let numbers = numbers.iter().map(u64::to_string);
                let args: Vec<_> = std::iter::once(name.to_owned()).chain(numbers).collect();
                in_another_process(&folder, &args)
            };
            (0..=days).try_for_each(|day| step("--day", &[objects, changes, day]))?;
            [1, 0, 1, days - 2].iter().try_for_each(|count| step("--prune", &[*count]))
        }
    }
}
