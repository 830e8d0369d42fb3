//! Days of a Jira site: what each backup asks, stores and takes, and whether everything is there.
//!
//! `jira_days FOLDER` serves a simulated site on loopback and backs it up into a repository in FOLDER: a first run, a quiet
//! one, and one at the end of each day. Times and memory are those of the site too, which runs in the same process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use esker_benches::jira::census::Census;
use esker_benches::jira::mirror::Mirror;
use esker_benches::jira::requests::{Work, purposes};
use esker_benches::jira::{ServedSite, SiteArgs, median};
use esker_benches::restic::Restic;
use esker_benches::target::Target;
use esker_benches::{Failure, usage};
use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::SnapshotTrees;
use esker_engine::source::Source;
use esker_sources::jira::JiraSource;

/// Back up a simulated Jira site for some days
#[derive(Parser)]
struct Args {
    /// A folder for repositories, new or empty
    folder: PathBuf,
    #[command(flatten)]
    site: SiteArgs,
    /// How long each answer of the site takes at least
    #[arg(long, default_value_t = 50)]
    latency_ms: u64,
    /// A restic program, to back up the same content as files
    #[arg(long)]
    restic: Option<PathBuf>,
}

/// The other tool, and the files that it backs up.
struct Peer {
    restic: Restic,
    mirror: Mirror,
    last: Option<SnapshotTrees>,
}

/// By how much the repositories grew in one run.
#[derive(Default)]
struct Growth {
    ours: u64,
    restic: u64,
}

struct Days {
    site: ServedSite,
    target: Target,
    peer: Option<Peer>,
    is_partial: bool,
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
impl Days {
    fn begin(args: &Args, runtime: &tokio::runtime::Runtime) -> Result<Self, Failure> {
        std::fs::create_dir_all(&args.folder)?;
        let latency = Duration::from_millis(args.latency_ms);
        let peer = match &args.restic {
            None => None,
            Some(program) => Some(Peer {
                restic: Restic::create(program.clone(), &args.folder)?,
                mirror: Mirror::new(args.folder.join("files")),
                last: None,
            }),
        };
        Ok(Self {
            target: Target::create(&args.folder.join("repository"), runtime.handle())?,
            site: ServedSite::serve(&args.site, latency, runtime.handle())?,
            peer,
            is_partial: false,
        })
    }

    /// One backup, and all that there is to say of it.
    fn run(&mut self, name: &str, work: &Work, source: &JiraSource) -> Result<Growth, Failure> {
        let memory = usage::memory_mib();
        usage::forget_peak();
        let done = self.target.backup(source)?;
        let (report, figures) = (&done.report, done.report.statistics);
        println!(
            "\n{name}: N {} · C {} · W {} · A {} · P {}",
            work.issues, work.changed, work.worklogs, work.attachments, work.projects
        );
        println!(
            "  {:?} · wall {:.2} s · {} requests · read {:.3} MB · added {:.3} MB in {} objects · repository grew \
             {:.3} MB · entries new {} changed {} deleted {} · memory {memory} MiB before, peak {} MiB",
            report.status,
            done.wall.as_secs_f64(),
            figures.requests,
            megabytes(figures.bytes_read),
            megabytes(figures.bytes_added),
            figures.objects_written,
            megabytes(done.grown_bytes),
            figures.new,
            figures.changed,
            figures.deleted,
            usage::peak_mib(),
        );
        self.is_partial |= report.status != SnapshotStatus::Complete;
        for problem in report.problems.iter().take(5) {
            println!("  problem: {problem}");
        }
        self.tell_requests(work);
        let restic = self.back_up_files()?;
        Ok(Growth { ours: done.grown_bytes, restic })
    }

    fn tell_requests(&self, work: &Work) {
        println!("  {:<26} {:>6} {:>6}  {:<42}endpoints", "requests", "made", "needed", "formula");
        for purpose in purposes(&self.site.server.requests(), work) {
            let needed = purpose.needed.map_or("-".into(), |it| it.to_string());
            let of_endpoint = |(name, count): &(String, u64)| {
                format!("{} {count}", name.replace("/rest/api/3/", ""))
            };
            let endpoints: Vec<_> = purpose.endpoints.iter().map(of_endpoint).collect();
            println!(
                "  {:<26} {:>6} {needed:>6}  {:<42}{}",
                purpose.name,
                purpose.made,
                purpose.formula,
                endpoints.join(" · ")
            );
        }
    }

    /// Lets the other tool back up the same content; returns by how much its repository grew.
    fn back_up_files(&mut self) -> Result<u64, Failure> {
        let Some(peer) = &mut self.peer else { return Ok(0) };
        let newest = self.target.newest()?;
        peer.mirror.update(peer.last.as_ref(), &newest)?;
        let (wall, grown) = peer.restic.backup(peer.mirror.folder())?;
        let (wall, grown_mb) = (wall.as_secs_f64(), megabytes(grown));
        println!(
            "  restic, one file an issue: wall {wall:.2} s · repository grew {grown_mb:.3} MB"
        );
        peer.last = Some(newest);
        Ok(grown)
    }

    /// Opens the source anew, as a command would, and counts its requests from the first one on.
    fn open(&self, with_rotation: bool) -> Result<JiraSource, Failure> {
        self.site.server.reset_requests();
        if with_rotation {
            self.site.open(self.site.options())
        } else {
            self.site.open_without_rotation()
        }
    }

    /// A day and the backup at its end.
    fn day(&mut self, number: u64, with_rotation: bool) -> Result<Growth, Failure> {
        let day = self.site.live_through(number);
        let work = Work::of_day(&self.site.site.counts(), &day);
        let name = if with_rotation { "day with the usual rotation" } else { "day" };
        let source = self.open(with_rotation)?;
        self.run(&format!("{name} {number}"), &work, &source)
    }

    /// True where the last snapshot holds all that the site has.
    fn compare(&self) -> Result<bool, Failure> {
        let stored = Census::of_snapshot(&self.target.newest()?, &self.site.site)?;
        let truth = Census::of_site(&self.site.site);
        println!("\n{:<17} {:>12} {:>12}", "", "stored", "true");
        let mut is_equal = true;
        for (kind, stored, truth) in stored.beside(&truth) {
            let mark = if stored == truth { "" } else { "  differs" };
            println!("{kind:<17} {stored:>12} {truth:>12}{mark}");
            is_equal &= stored == truth;
        }
        Ok(is_equal)
    }

    /// True where the site saw nothing that the real one would not take.
    fn is_without_violations(&self) -> bool {
        let violations = self.site.server.violations();
        println!("violations: {}", violations.len());
        for violation in violations.iter().take(10) {
            println!("  {violation:?}");
        }
        violations.is_empty()
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut days = Days::begin(&args, &runtime)?;
    let counts = days.site.site.counts();
    let source = days.open(false)?;
    println!("{} at {}", source.describe().identity, days.site.server.url());
    days.run("first run", &Work::first(&counts), &source)?;
    let source = days.open(false)?;
    days.run("quiet run", &Work::quiet(&counts), &source)?;
    let mut grown = Vec::new();
    for number in 1..=args.site.days {
        grown.push(days.day(number, false)?);
    }
    let of_day = |figure: fn(&Growth) -> u64| megabytes(median(grown.iter().map(figure).collect()));
    println!("\ngrowth of a day, median of {}: {:.3} MB", grown.len(), of_day(|it| it.ours));
    if args.restic.is_some() {
        println!("growth of restic's repository: {:.3} MB", of_day(|it| it.restic));
    }
    days.day(args.site.days + 1, true)?;
    let is_equal = days.compare()?;
    let is_right = days.is_without_violations() && is_equal && !days.is_partial;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
