//! The demonstration: it tells its story on one screen, verifies it, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use esker_tests::run_cli::{CliCommand, Sandbox};
use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A folder where temporary files are made.
fn with_tmp() -> Sandbox {
    let sandbox = Sandbox::empty();
    fs::create_dir(sandbox.path("tmp")).unwrap();
    sandbox
}

fn is_empty(sandbox: &Sandbox, folder: &str) -> bool {
    fs::read_dir(sandbox.path(folder)).unwrap().next().is_none()
}

/// Numbers as `N`, durations as `TIME`, columns and lines of a paragraph one space apart.
fn without_figures(text: &str) -> String {
    let mut told = String::new();
    for line in text.lines() {
        match line.strip_prefix("         ") {
            Some(goes_on) => told += &format!(" {goes_on}"),
            None => told += &format!("\n{line}"),
        }
    }
    let mut lines = Vec::new();
    for line in told.lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let is_figure = |c: char| c.is_ascii_digit() || ".,-".contains(c);
            let digits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
            let (before, rest) = word.split_at(word.len() - digits.len());
            let after = rest.trim_start_matches(is_figure);
            let unit = after.trim_end_matches([',', ';', ':']);
            if digits.is_empty() {
                let is_unit = matches!(word.trim_end_matches(';'), "s" | "ms");
                match words.last_mut().filter(|last| is_unit && *last == "N") {
                    Some(last) => *last = word.replace("ms", "TIME").replace("s", "TIME"),
                    None => words.push(word.to_owned()),
                }
            } else {
                words.push(format!("{before}N{unit}"));
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

#[test]
fn the_demonstration_tells_a_story_and_leaves_nothing() {
    let sandbox = with_tmp();
    let told = sandbox.bare(["demo"]).env("TMPDIR", sandbox.path("tmp")).run().ok();
    let text = told.text();
    assert!(text.lines().count() <= 24, "it fits a screen:\n{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "it fits a screen:\n{text}");
    assert!(is_empty(&sandbox, "tmp") && !sandbox.exists("home"), "it leaves nothing");
    assert_eq!(told.err, "");
    assert_snapshot!(without_figures(&text), @"");
}

#[test]
fn the_story_is_one_document_and_can_be_kept() {
    let sandbox = with_tmp();
    let command = sandbox.bare(["demo", "--json", "--keep", "kept"]);
    let story = command.env("TMPDIR", sandbox.path("tmp")).run().ok().json();
    assert_eq!(story["faults"], Value::Array(Vec::new()));
    let number = |pointer: &str| {
        let found = story.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("`{pointer}` is no number in {story}"))
    };
    for pointer in [
        "/site/projects",
        "/site/issues",
        "/site/comments",
        "/site/history_entries",
        "/site/worklogs",
        "/site/attachments",
        "/site/attachment_bytes",
        "/days/0/happened/new",
        "/days/1/happened/changed",
        "/days/1/new_attachments",
        "/days/1/found/changed",
        "/days/1/found/new",
        "/days/4/found/gone",
        "/days/1/requests",
        "/days/1/bytes_read",
        "/days/1/bytes_added",
        "/days/1/objects_written",
        "/days/1/seconds",
        "/damage/gone_attachments",
        "/damage/otherwise_changed",
        "/restore/files",
        "/restore/bytes",
        "/restore/seconds",
        "/restore/compared/issues",
        "/restore/compared/comments",
        "/restore/compared/worklogs",
        "/restore/compared/history_entries",
        "/restore/compared/attachments",
        "/restore/compared/attachment_bytes",
        "/check/bytes_read",
        "/repository_bytes",
        "/seconds",
    ] {
        assert!(number(pointer) > 0.0, "`{pointer}` is 0");
    }
    assert_eq!(number("/check/findings"), 0.0);
    let list = |pointer: &str| story.pointer(pointer).and_then(Value::as_array).unwrap();
    assert_eq!(list("/days").len(), 5);
    assert_eq!(list("/damage/overwritten/issues").len(), 200);
    assert_eq!(list("/damage/overwritten/examples").len(), 3);
    assert!(list("/damage/gone").len() >= 40 && list("/history/versions").len() >= 2);
    assert_eq!(story["damage"]["overwritten"]["field"], "fields.duedate");
    assert_eq!(story["damage"]["overwritten"]["examples"][0]["new"], "2036-03-06");
    assert!(story["days"][0]["time"].as_str().unwrap().starts_with("2026-03-02T"));

    // What was kept is a repository like any other.
    let mode = fs::metadata(sandbox.path("kept/key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(is_empty(&sandbox, "tmp"));
    let kept = |args: &[&str]| {
        let command = sandbox.bare(args).env("ESKER_REPO", "kept/repository");
        command.env("ESKER_KEY_FILE", "kept/key").run().ok()
    };
    assert_eq!(kept(&["check", "--json"]).json()["status"], "ok");
    let snapshots = kept(&["snapshots", "--json"]).json();
    let ids = |list: &Value, name: &str| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|it| it[name].clone()).collect()
    };
    assert_eq!(ids(&snapshots, "id"), ids(&story["days"], "snapshot"));
    let lost = story["damage"]["gone"][0].as_str().unwrap();
    let issue = format!("kept/restored/issues/WEB/{lost}/issue.json");
    assert!(sandbox.read(&issue).contains("\n    \"summary\": "), "people can read it");
    let missing = sandbox.bare(["cat", &format!("latest:/{lost}"), "-r", "kept/repository"]);
    missing.env("ESKER_KEY_FILE", "kept/key").run().fails();
}

#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    let sandbox = with_tmp();
    let child = sandbox.bare(["demo"]).env("TMPDIR", sandbox.path("tmp")).spawn();
    let has_begun = || sandbox.files("tmp").iter().any(|file| file.contains("/sessions/"));
    while !has_begun() {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = CliCommand::ended(&sandbox, child).exits(130);
    assert!(ran.err.contains("error: interrupted"), "{}", ran.report());
    assert!(is_empty(&sandbox, "tmp"));
}

#[test]
fn a_folder_with_something_in_it_is_not_used() {
    let sandbox = with_tmp();
    sandbox.write("mine/notes.txt", "mine");
    let refused = sandbox.bare(["demo", "--keep", "mine"]).run().fails();
    assert!(refused.err.contains("it is not empty"), "{}", refused.report());
    assert_eq!(sandbox.files("mine"), ["notes.txt"]);
}
