//! A Jira site by the real binary: backup, what changed, what came back, and what is refused.

use std::ffi::OsStr;
use std::time::Duration;

use esker_jira_site::server::{Server, ServerOptions, ViolationKind};
use esker_jira_site::site::{Mishap, Site, SiteOptions};
use esker_tests::run_cli::{CliCommand, Ran, Sandbox};
use serde_json::Value;

const MIB: u64 = 1024 * 1024;

/// A sandbox and a site that is served beside it.
struct Stage {
    sandbox: Sandbox,
    site: Site,
    server: Server,
}

impl Stage {
    fn new() -> Self {
        Self::with(&SiteOptions::default())
    }

    fn with(options: &SiteOptions) -> Self {
        let site = Site::generate(options);
        let server = Server::spawn(site.clone(), ServerOptions::default()).expect("it is served");
        Self { sandbox: Sandbox::new(), site, server }
    }

    fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Ran {
        let command = self.sandbox.command(args).env("JIRA_EMAIL", "backup@example.com");
        command.env("JIRA_API_TOKEN", "token-of-the-demo").run()
    }

    fn backup(&self) -> Ran {
        self.run(["backup", &format!("jira:{}", self.server.url()), "--json"])
    }

    /// The key of an issue of the largest project, and that project.
    fn issues(&self) -> Vec<String> {
        let state = self.site.state();
        let mut keys: Vec<_> =
            state.issue_ids().into_iter().filter_map(|id| state.key(id)).collect();
        keys.sort();
        keys
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let mut violations = self.server.violations();
            // One test gives a wrong token on purpose.
            violations.retain(|it| it.kind != ViolationKind::Unauthorized);
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

fn project(key: &str) -> &str {
    key.split('-').next().unwrap()
}

#[test]
fn a_field_that_was_overwritten_is_seen_and_the_lost_issues_come_back() {
    let stage = Stage::new();
    let first = stage.backup().ok().summary();
    assert_eq!((&first["status"], &first["deleted"]), (&"complete".into(), &0.into()));
    let good = first["snapshot"].as_str().unwrap();
    stage.site.advance(Duration::from_secs(3600));
    let keys = stage.issues();
    let edited = keys[0].clone();
    let value = "2031-01-01".into();
    stage.site.mishap(&Mishap::EditIssue { key: edited.clone(), field: "duedate".into(), value });
    let of = project(keys.last().unwrap()).to_owned();
    let deleted = stage.site.mishap(&Mishap::DeleteIssues { project: of, count: 4 });
    let second = stage.backup().ok().summary();
    assert_eq!(second["ledger"]["deleted_count"], 4, "{second}");

    let changes = stage.sandbox.esker(["diff", good, "latest", "--json"]).ok().json();
    let changes = changes.as_array().unwrap();
    let path = format!("/issues/{}/{edited}/issue.json", project(&edited));
    let change = changes.iter().find(|it| it["path"] == path.as_str()).expect("the edited issue");
    let values = change["values"].as_array().unwrap();
    let due = values.iter().find(|it| it["field"] == "fields.duedate").expect("the field");
    assert_eq!(due["new"], "2031-01-01");
    for key in &deleted {
        let path = format!("/issues/{}/{key}/issue.json", project(key));
        let removed = |it: &Value| it["path"] == path.as_str() && it["change"] == "removed";
        assert!(changes.iter().any(removed), "{path} is not told");
    }

    let history = stage.sandbox.esker(["log", &format!("/{edited}"), "--json"]).ok().json();
    assert!(history.as_array().unwrap().len() >= 2, "{history}");

    for key in &deleted {
        stage.sandbox.esker(["restore", &format!("{good}:/{key}"), "--to", "back"]).ok();
        let text = stage.sandbox.read(&format!("back/issues/{}/{key}/issue.json", project(key)));
        assert!(text.contains(&format!("\n  \"key\": \"{key}\"")), "not readable: {text}");
    }
    stage.sandbox.assert_sound();
}

#[test]
fn attachments_are_restored_under_safe_names_with_their_bytes() {
    let stage = Stage::new();
    stage.backup().ok();
    stage.sandbox.esker(["restore", "latest", "--to", "all"]).ok();
    let files = stage.sandbox.files("all");
    let attachments: Vec<_> = files.iter().filter(|it| it.contains("/attachments/")).collect();
    let state = stage.site.state();
    assert_eq!(attachments.len(), state.counts().attachments);
    for path in attachments {
        let name = path.rsplit('/').next().unwrap();
        let id = name.split('-').next().unwrap().parse().unwrap();
        let size = state.attachment_file(id).unwrap().size;
        let bytes = std::fs::read(stage.sandbox.path("all").join(path)).unwrap();
        assert!(bytes == state.attachment_bytes(id, 0..size).unwrap(), "{path} differs");
    }
}

#[test]
fn an_attachment_larger_than_the_memory_flows_through() {
    let huge = 400 * MIB;
    let stage = Stage::with(&SiteOptions {
        issues: 10,
        attachments: 2,
        huge_attachment_bytes: Some(huge),
        ..SiteOptions::default()
    });
    let site = format!("jira:{}", stage.server.url());
    let command = stage.sandbox.command(["backup", &site, "--memory", "64MiB", "--json"]);
    let command = command.env("JIRA_EMAIL", "backup@example.com");
    let mut child = command.env("JIRA_API_TOKEN", "token-of-the-demo").spawn();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(resident(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let summary = CliCommand::ended(&stage.sandbox, child).ok().summary();
    assert_eq!(summary["status"], "complete", "{summary}");
    assert!(summary["bytes_read"].as_u64().unwrap() >= huge, "{summary}");
    assert!(peak > 0 && peak < 160 * MIB, "{} MiB were taken", peak / MIB);
}

/// The most that a process had in memory so far, in bytes; 0 where it has ended.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[test]
fn only_the_projects_that_were_named_are_read() {
    let stage = Stage::new();
    let keys = stage.issues();
    let (wanted, site) = (project(&keys[0]), format!("jira:{}", stage.server.url()));
    stage.run(["backup", &site, "--project", wanted]).ok();
    let listed = stage.sandbox.esker(["ls", "latest:/issues", "--json"]).ok().json();
    let others = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| !it["path"].as_str().unwrap().starts_with(&format!("/issues/{wanted}")));
    assert_eq!(others.count(), 0, "{listed}");
}

#[test]
fn what_cannot_be_read_is_refused_with_a_hint() {
    let stage = Stage::new();
    let url = stage.server.url();
    let site = format!("jira:{url}");
    let plain = |args: &[&str], variables: &[(&str, &str)]| {
        let command = stage.sandbox.command(args);
        variables.iter().fold(command, |command, (name, value)| command.env(name, value)).run()
    };
    let nobody = plain(&["backup", &site], &[]).exits(1).report();
    assert!(nobody.contains("JIRA_API_TOKEN"), "{nobody}");
    let wrong = [("JIRA_EMAIL", "backup@example.com"), ("JIRA_API_TOKEN", "wrong-token")];
    let wrong = plain(&["backup", &site], &wrong).exits(1).report();
    assert!(wrong.contains("the token comes from JIRA_API_TOKEN"), "{wrong}");
    assert!(!wrong.contains("wrong-token"), "the token is shown: {wrong}");
    for (address, told) in [
        ("jira:acme", "names no site"),
        ("jira:https://", "address"),
        ("jira:http://example.invalid", "http"),
        ("jira:http://127.0.0.1:1", "127.0.0.1:1"),
    ] {
        let refused = stage.run(["backup", address]);
        let report = refused.report();
        assert!(report.contains(told) && report.contains("hint:"), "{address}: {report}");
        assert!(!report.contains("exit 0"), "{address}: {report}");
    }
    let mixed = stage.run(["backup", &site, "./src"]).misused().report();
    assert!(mixed.contains("a source of its own"), "{mixed}");
}
