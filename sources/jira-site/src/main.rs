//! Serves a simulated Jira site.

mod control;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use esker_jira_site::server::{Credentials, Server, ServerOptions};
use esker_jira_site::site::{Site, SiteOptions};
use serde_json::json;

/// Serve a simulated Jira Cloud site on 127.0.0.1 until Ctrl-C
#[derive(Debug, Parser)]
#[command(name = "jira-site")]
struct Options {
    /// Port of the site; 0 takes any free one
    #[arg(long, default_value_t = 8070)]
    port: u16,
    /// Number that decides what the site holds
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of projects
    #[arg(long, default_value_t = 3)]
    projects: usize,
    /// Number of issues
    #[arg(long, default_value_t = 60)]
    issues: usize,
    /// Number of attachments
    #[arg(long, default_value_t = 12)]
    attachments: usize,
    /// Time that every answer takes at least, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// How late search sees a change, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    index_lag: u64,
    /// Port where the site can be looked into and changed; 0 takes any free one
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stderr, reason = "a program says why it stops")]
fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let site = Site::generate(&SiteOptions {
        seed: options.seed,
        projects: options.projects,
        issues: options.issues,
        attachments: options.attachments,
        index_lag: Duration::from_secs(options.index_lag),
        ..SiteOptions::default()
    });
    let server = Arc::new(Server::spawn(
        site,
        ServerOptions {
            port: options.port,
            latency: Duration::from_millis(options.latency_ms),
            ..ServerOptions::default()
        },
    )?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let control = match options.control_port {
            Some(port) => Some(control::bind(port).await?),
            None => None,
        };
        let control_url = control.as_ref().map(control::url).transpose()?;
        announce(options, &server, control_url.as_deref());
        let serving = async {
            match control {
                Some(listener) => control::serve(listener, &server).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            end = serving => end,
            signal = tokio::signal::ctrl_c() => signal,
        }
    })
}

#[expect(clippy::print_stdout, reason = "whoever starts the site reads where it is")]
fn announce(options: &Options, server: &Server, control: Option<&str>) {
    let Credentials { email, token, .. } = Credentials::default();
    let url = server.url();
    if options.json {
        let counts = control::counts(&server.site().counts());
        let facts = json!({
            "url": url, "email": email, "token": token, "control": control, "counts": counts,
        });
        println!("{facts}");
        return;
    }
    println!("site       {url}");
    println!("e-mail     {email}");
    println!("API token  {token}");
    if let Some(control) = control {
        println!("control    {control}");
    }
    println!("Ctrl-C stops it.");
}
