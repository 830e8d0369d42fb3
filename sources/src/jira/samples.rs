//! The recorded answers of real sites, through the parsers. They lie beside the project and are not part of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::{canonical, id_of, people, strip};
use super::issue::IssueParts;
use super::time;

/// Where the recorded answers are, seen from the project.
const SAMPLES: &str = "../../shared/atlassian/samples";

/// The JSON files of some folders; nothing, said aloud, where there are none.
fn samples(folders: &[&str]) -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLES);
    if !root.is_dir() {
        let required = std::env::var_os("ESKER_REQUIRE_SHARED").is_some();
        assert!(!required, "there are no recorded answers at {SAMPLES}");
        left_out(&format!("the recorded answers of {folders:?}"));
        return Vec::new();
    }
    let files = folders.iter().flat_map(|folder| {
        let listed = fs::read_dir(root.join(folder)).expect("a folder of recorded answers");
        listed.map(|file| file.expect("a file").path())
    });
    let mut read: Vec<_> = files
        .map(|path| {
            let text = fs::read(&path).expect("a recorded answer");
            let value = serde_json::from_slice(&text).expect("recorded answers are JSON");
            (path, value)
        })
        .collect();
    read.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!read.is_empty(), "{folders:?} hold no recorded answers");
    read
}

#[expect(clippy::print_stderr, reason = "what a test leaves out is said")]
fn left_out(what: &str) {
    eprintln!("left out: {what}: they are not beside this clone");
}

/// The issues in an answer, however they are wrapped.
fn issues(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(members) if members.get("fields").is_some_and(Value::is_object) => {
            vec![value.clone()]
        }
        Value::Object(members) => {
            members.get("issues").and_then(Value::as_array).cloned().unwrap_or_default()
        }
        Value::Array(elements) => elements.iter().flat_map(issues).collect(),
        _ => Vec::new(),
    }
}

/// The paths of all leaves.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                leaves(member, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                leaves(element, &format!("{path}[]"), found);
            }
        }
        _ => _ = found.insert(path.to_owned()),
    }
}

/// What an issue's document may lack: the list of `docs/sources/jira.md`, written down a second time.
fn may_be_missing(path: &str) -> bool {
    let names: Vec<_> = path.split(['.', '[']).map(|it| it.trim_end_matches(']')).collect();
    let top = names.get(1).copied().unwrap_or("");
    let field = if top == "fields" { names.get(2).copied().unwrap_or("") } else { "" };
    let last = names.last().copied().unwrap_or("");
    ["renderedFields", "changelog", "operations", "editmeta", "transitions"].contains(&top)
        || ["comment", "worklog", "lastViewed", "workratio", "progress", "aggregateprogress"]
            .contains(&field)
        || field.starts_with("aggregatetime")
        || names.contains(&"avatarUrls")
        || ["self", "expand", "iconUrl", "avatarUrl", "isWatching", "hasVoted"].contains(&last)
        || (field == "attachment" && ["content", "thumbnail"].contains(&last))
        || names.contains(&"ongoingCycle")
}

#[test]
fn recorded_issues_lose_only_what_is_volatile() {
    let mut count = 0;
    for (path, answer) in samples(&["issue", "search"]) {
        for issue in issues(&answer) {
            let Value::Object(mut members) = issue.clone() else { continue };
            if !members.contains_key("id") {
                continue;
            }
            let parts = match IssueParts::new(&mut members) {
                Ok(parts) => parts,
                Err(error) => panic!("{}: {error}", path.display()),
            };
            let stored: Value = serde_json::from_slice(&parts.document).expect("JSON");
            let (mut sent, mut kept) = (BTreeSet::new(), BTreeSet::new());
            leaves(&issue, "", &mut sent);
            leaves(&stored, "", &mut kept);
            let lost: Vec<_> = sent.difference(&kept).filter(|it| !may_be_missing(it)).collect();
            assert!(lost.is_empty(), "{}: {lost:?} is lost", path.display());
            assert!(kept.is_subset(&sent), "{}: something was made up", path.display());
            let updated = issue["fields"]["updated"].as_str();
            assert_eq!(parts.updated, updated.and_then(time::parse), "{}", path.display());
            assert!(updated.is_none() || parts.updated.is_some(), "{updated:?} is not read");
            count += 1;
        }
    }
    assert!(count == 0 || count >= 20, "only {count} issues were found");
}

#[test]
fn recorded_records_have_ids_and_stay_as_they_are_when_stripped_again() {
    let folders = [
        "comment",
        "changelog",
        "worklog",
        "status",
        "issuetype",
        "priority",
        "resolution",
        "component",
        "version",
        "link",
        "remotelink",
        "project",
        "field",
    ];
    let mut ids = 0;
    for (_, mut answer) in samples(&folders) {
        strip(&mut answer);
        let once = canonical(&answer);
        strip(&mut answer);
        assert_eq!(canonical(&answer), once);
        let again: Value = serde_json::from_slice(&once).expect("canonical JSON is JSON");
        assert_eq!(again, answer);
        let elements = match &answer {
            Value::Array(elements) => elements.clone(),
            one => vec![one.clone()],
        };
        ids += elements.iter().filter(|it| id_of(it).is_some()).count();
    }
    assert!(ids == 0 || ids > 200, "{ids} ids");
}

#[test]
fn people_of_recorded_answers_are_found() {
    for (path, answer) in samples(&["user-group", "issue"]) {
        let mut found = BTreeSet::new();
        people(&answer, &mut |account, _| _ = found.insert(account.to_owned()));
        let has_people = canonical(&answer).windows(11).any(|it| it == b"\"accountId\"");
        let text = String::from_utf8_lossy(&canonical(&answer)).into_owned();
        let named = text.contains("\"displayName\"") || text.contains("\"accountType\"");
        assert_eq!(!found.is_empty(), has_people && named, "{}", path.display());
    }
}
