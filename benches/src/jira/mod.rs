//! A simulated Jira site, the source that reads it, and what a snapshot of it holds.

pub mod census;
pub mod folder;
pub mod mirror;
pub mod records;
pub mod requests;

use std::time::Duration;

use esker_engine::context::Cancel;
use esker_engine::secret::Secret;
use esker_jira_site::server::{Credentials, Server, ServerOptions};
use esker_jira_site::site::{Day, DayReport, Site, SiteOptions};
use esker_sources::jira::client::Auth;
use esker_sources::jira::{JiraOptions, JiraSource};
use tokio::runtime::Handle;

use crate::Failure;

/// How large the site is, and how much happens in a day.
#[derive(clap::Args, Clone, Debug)]
pub struct SiteArgs {
    /// Issues at the beginning
    #[arg(long, default_value_t = 20_000)]
    pub issues: usize,
    /// Projects
    #[arg(long, default_value_t = 50)]
    pub projects: usize,
    /// Attachments at the beginning
    #[arg(long, default_value_t = 1_000)]
    pub attachments: usize,
    /// Users beside the account that asks
    #[arg(long, default_value_t = 200)]
    pub users: usize,
    /// Days before the first backup: issues have longer histories, those that are worked on above all
    #[arg(long, default_value_t = 0)]
    pub past_days: u64,
    /// Days, each with one backup at its end
    #[arg(long, default_value_t = 10)]
    pub days: u64,
    /// Issues that somebody works on in a day, in percent of those at the beginning
    #[arg(long, default_value_t = 1.0)]
    pub percent: f64,
    /// Decides what the site holds and what happens
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A site that is served on loopback.
pub struct ServedSite {
    /// The state of the site.
    pub site: Site,
    /// What serves it.
    pub server: Server,
    args: SiteArgs,
    runtime: Handle,
}

impl ServedSite {
    /// Makes the site and serves it; every answer takes at least `latency`.
    pub fn serve(args: &SiteArgs, latency: Duration, runtime: &Handle) -> Result<Self, Failure> {
        let site = Site::generate(&SiteOptions {
            seed: args.seed,
            projects: args.projects,
            issues: args.issues,
            attachments: args.attachments,
            users: args.users,
            ..SiteOptions::default()
        });
        let options = ServerOptions { latency, ..ServerOptions::default() };
        let server = Server::spawn(site.clone(), options)?;
        let served = Self { site, server, args: args.clone(), runtime: runtime.clone() };
        for number in 1..=args.past_days {
            served.live_through(u64::MAX - number);
        }
        Ok(served)
    }

    /// How the source reads it where nothing is set.
    pub fn options(&self) -> JiraOptions {
        let Credentials { email, token, .. } = Credentials::default();
        JiraOptions::new(self.server.url(), Auth::Basic { email, token: Secret::new(token) })
    }

    /// Opens the source without the rotation, which reads a thirtieth of all issues again every day.
    pub fn open_without_rotation(&self) -> Result<JiraSource, Failure> {
        self.open(JiraOptions { rotation: Duration::ZERO, ..self.options() })
    }

    /// Opens the source.
    pub fn open(&self, options: JiraOptions) -> Result<JiraSource, Failure> {
        Ok(self.runtime.block_on(JiraSource::open(options, Cancel::default()))?)
    }

    /// Lets a day happen: some work, one new issue and half an attachment for ten changed ones, one deletion for fifty.
    pub fn live_through(&self, number: u64) -> DayReport {
        let changed = (self.args.issues as f64 * self.args.percent / 100.0).ceil() as usize;
        self.site.day(&Day {
            seed: self.args.seed.wrapping_mul(1_000_003).wrapping_add(number),
            changed_issues: changed,
            new_issues: changed.div_ceil(10),
            new_attachments: changed.div_ceil(20),
            deleted_issues: changed.div_ceil(50),
        })
    }
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or(0)
}
