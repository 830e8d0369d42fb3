//! A large attachment flows through: the resident set of a process that reads a site, and serves it too, stays far below the file.

use std::process::Command;

use esker_engine::ops::backup::BackupOptions;
use esker_engine::testing::{TempRepo, small_options};
use esker_jira_site::site::SiteOptions;

use crate::fixture::JiraSite;

const MIB: u64 = 1024 * 1024;
const BUDGET: u64 = 48 * MIB;
/// What a process takes beside: code, runtimes, the site and its answers, the test harness.
const SLACK: u64 = 48 * MIB;
/// Tells the child how large the attachment is, in MiB.
const CHILD: &str = "ESKER_TEST_ATTACHMENT_MIB";

/// A figure of this process in bytes.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the figure");
    let kib = line.split_whitespace().nth(1).and_then(|figure| figure.parse::<u64>().ok());
    kib.expect("a number") * 1024
}

/// Runs in a process of its own.
#[test]
fn memory_child() {
    let Some(size) = std::env::var(CHILD).ok().and_then(|size| size.parse::<u64>().ok()) else {
        return;
    };
    let site = JiraSite::with(&SiteOptions {
        issues: 3,
        attachments: 0,
        huge_attachment_bytes: Some(size * MIB),
        ..SiteOptions::default()
    });
    let repo = TempRepo::folder();
    repo.create();
    let options = BackupOptions { memory: BUDGET, ..small_options() };
    let report = repo.backup_with(&site.open(site.options()), &options).expect("it works");
    assert_eq!(report.problems, []);
    assert!(report.statistics.bytes_read >= size * MIB, "{:?}", report.statistics);
    let peak = status("VmHWM:");
    assert!(peak < BUDGET + SLACK, "{} MiB were taken for {size} MiB", peak / MIB);
}

fn stays_small(size: u64) {
    let this = std::env::current_exe().expect("this program");
    let child = Command::new(this)
        .args(["--exact", "memory::memory_child", "--nocapture"])
        .env(CHILD, size.to_string())
        .output()
        .expect("a child runs");
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn an_attachment_is_not_held_in_memory() {
    stays_small(200);
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "writes a gibibyte to the folder of temporary files"]
fn a_gibibyte_is_not_held_in_memory() {
    stays_small(1024);
}
