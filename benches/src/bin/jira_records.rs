//! How an issue is split into records, decided by what a day costs.
//!
//! `jira_records FOLDER` backs a simulated site up as the source does, takes the documents out of each snapshot, and stores them
//! split in other ways, each in a repository of its own. Attachments are left out: they are the same in all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use esker_benches::jira::records::{Issues, Layout, Lists, Regrouped, Split, Touched};
use esker_benches::jira::{ServedSite, SiteArgs, median};
use esker_benches::target::Target;
use esker_benches::{Failure, usage};

/// Compare ways to split a Jira issue into records
#[derive(Parser)]
struct Args {
    /// A folder for repositories, new or empty
    folder: PathBuf,
    #[command(flatten)]
    site: SiteArgs,
}

const fn of(split: Split) -> Layout {
    Layout { split, is_padded: false }
}

/// What is compared.
const LAYOUTS: [(&str, Layout); 11] = [
    ("whole issue", of(Split::Whole)),
    ("whole but for blocks of 32", of(Split::Blocks(32))),
    ("whole but for blocks of 8", of(Split::Blocks(8))),
    ("lists together, history whole", of(Split::Parts(Lists::Together, None))),
    ("lists together, history by 32", of(Split::Parts(Lists::Together, Some(32)))),
    ("lists apart, history whole", of(Split::Parts(Lists::Apart, None))),
    ("lists apart, history by 64", of(Split::Parts(Lists::Apart, Some(64)))),
    ("lists apart, history by 32", of(Split::Parts(Lists::Apart, Some(32)))),
    ("lists apart, history by 8", of(Split::Parts(Lists::Apart, Some(8)))),
    ("lists apart, history by 1", of(Split::Parts(Lists::Apart, Some(1)))),
    (
        "lists apart, by 32, keys padded",
        Layout { split: Split::Parts(Lists::Apart, Some(32)), is_padded: true },
    ),
];

/// One way and what it cost so far.
struct Variant {
    name: &'static str,
    layout: Layout,
    target: Target,
    first_bytes: u64,
    entries: u64,
    /// Of each day.
    grown: Vec<u64>,
    /// Frames of trees and of contents after the last day.
    frames: (u64, u64),
    /// What each day added to them.
    trees: Vec<u64>,
    contents: Vec<u64>,
    /// Of each day, in microseconds.
    walls: Vec<u64>,
    cpu_seconds: f64,
}

impl Variant {
    fn back_up(&mut self, issues: Issues) -> Result<(), Failure> {
        let is_first = matches!(issues, Issues::All(_));
        let source = Regrouped { layout: self.layout, issues };
        let cpu = usage::cpu_seconds();
        let done = self.target.backup(&source)?;
        let cpu_seconds = usage::cpu_seconds() - cpu;
        let roots = done.report.collections.iter().filter_map(|collection| collection.root);
        self.entries = roots.map(|root| root.entries).sum();
        let before = self.frames;
        self.frames = self.target.frame_bytes()?;
        if is_first {
            self.first_bytes = self.target.stored_bytes()?;
            return Ok(());
        }
        self.cpu_seconds += cpu_seconds;
        self.grown.push(done.grown_bytes);
        self.trees.push(self.frames.0 - before.0);
        self.contents.push(self.frames.1 - before.1);
        self.walls.push(done.wall.as_micros() as u64);
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn print_table(variants: Vec<Variant>) {
    println!(
        "{:<33} {:>9} {:>8} {:>8} {:>11} {:>9} {:>8} {:>8}",
        "", "first MB", "day KB", "trees KB", "contents KB", "entries", "wall ms", "cpu ms"
    );
    for variant in variants {
        let days = variant.grown.len().max(1) as f64;
        println!(
            "{:<33} {:>9.2} {:>8.1} {:>8.1} {:>11.1} {:>9} {:>8.1} {:>8.1}",
            variant.name,
            variant.first_bytes as f64 / 1e6,
            median(variant.grown) as f64 / 1e3,
            median(variant.trees) as f64 / 1e3,
            median(variant.contents) as f64 / 1e3,
            variant.entries,
            median(variant.walls) as f64 / 1e3,
            variant.cpu_seconds * 1e3 / days,
        );
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    std::fs::create_dir_all(&args.folder)?;
    let site = ServedSite::serve(&args.site, Duration::ZERO, runtime.handle())?;
    let target = Target::create(&args.folder.join("source"), runtime.handle())?;
    let mut variants = Vec::new();
    for (place, (name, layout)) in LAYOUTS.into_iter().enumerate() {
        let folder = args.folder.join(format!("variant-{place}"));
        variants.push(Variant {
            name,
            layout,
            target: Target::create(&folder, runtime.handle())?,
            first_bytes: 0,
            entries: 0,
            grown: Vec::new(),
            frames: (0, 0),
            trees: Vec::new(),
            contents: Vec::new(),
            walls: Vec::new(),
            cpu_seconds: 0.0,
        });
    }
    target.backup(&site.open_without_rotation()?)?;
    let mut last = target.newest()?;
    for variant in &mut variants {
        variant.back_up(Issues::All(last.clone()))?;
    }
    let mut touched_issues = Vec::new();
    for number in 1..=args.site.days {
        site.live_through(number);
        target.backup(&site.open_without_rotation()?)?;
        let newest = target.newest()?;
        let touched = Arc::new(Touched::between(&last, &newest)?);
        touched_issues.push(touched.len() as u64);
        for variant in &mut variants {
            variant.back_up(Issues::Touched(Arc::clone(&touched)))?;
        }
        last = newest;
    }
    let counts = site.site.counts();
    println!(
        "{} issues · {} comments · {} history entries · {} worklogs · {} issues differ in a day, median of {}",
        counts.issues,
        counts.comments,
        counts.history_entries,
        counts.worklogs,
        median(touched_issues),
        args.site.days
    );
    print_table(variants);
    Ok(())
}
