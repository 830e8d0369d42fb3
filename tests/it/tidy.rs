//! Are the drawings true? Reads the sources as text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use esker_tests::workspace;

/// The rooms of the engine: each uses only rooms that come before it.
const ROOMS: [&str; 22] = [
    "id", "entry", "problem", "clock", "secret", "parallel", "monitor", "context", "object",
    "source", "sink", "store", "chunk", "compress", "crypto", "format", "pack", "tree", "index",
    "repo", "error", "ops",
];

/// A file longer than this, its tests not counted, hides a noun or a stage.
const MOST_LINES: usize = 600;

/// Tracked files, and those that are about to be.
fn files() -> Vec<PathBuf> {
    let root = workspace();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let names = String::from_utf8(output.stdout).unwrap();
            let names = names.split('\0').filter(|name| !name.is_empty());
            let files = names.map(PathBuf::from);
            files.filter(|file| root.join(file).is_file()).collect()
        }
        // A source archive without its history.
        _ => {
            let mut files = Vec::new();
            walk(&root, &root, &mut files);
            files
        }
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_owned());
        }
    }
}

/// Text files by their path; others are left out.
fn texts(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    let root = workspace();
    let named = files().into_iter().map(|file| {
        let name = file.to_str().expect("names are text").to_owned();
        (name, file)
    });
    named
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, file)| Some((name, std::fs::read_to_string(root.join(file)).ok()?)))
        .collect()
}

fn is_rust(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == "rs")
}

/// What is no test: a file of tests has none of it, another one ends where its tests begin.
fn without_tests<'a>(name: &str, text: &'a str) -> &'a str {
    if name.ends_with("tests.rs") || name.contains("/tests/") || name.starts_with("tests/") {
        return "";
    }
    let tests = text.find("#[cfg(test)]\nmod tests {");
    // A feature only for tests may be gated too, and is followed by code.
    let other = text.find("#[cfg(test)]\n#[allow").filter(|place| {
        let rest = &text[*place..];
        rest.contains("mod tests {")
    });
    &text[..tests.or(other).unwrap_or(text.len())]
}

/// Source files of a crate without their tests and comments.
fn code(prefix: &str) -> BTreeMap<String, String> {
    let files = texts(|name| name.starts_with(prefix) && is_rust(name));
    let strip = |(name, text): (String, String)| {
        let lines = without_tests(&name, &text).lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        (name, text)
    };
    files.into_iter().map(strip).collect()
}

/// The words that follow `before` in a text.
fn words_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn rooms_of_the_engine_use_only_rooms_before_them() {
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, text) in code("engine/src/") {
        let room = name.strip_prefix("engine/src/").unwrap();
        let room = room.split(['/', '.']).next().unwrap();
        if room == "lib" || room == "testing" {
            continue;
        }
        let Some(own) = rank(room) else {
            wrong.push(format!("`{name}` is in a room that the table does not have"));
            continue;
        };
        seen.insert(own);
        for used in words_after(&text, "crate::") {
            // Two names are at the top of the crate too.
            let used = match used {
                "Error" => "error",
                "ErrorKind" => "problem",
                used => used,
            };
            match rank(used) {
                Some(place) if place <= own => {}
                Some(_) => {
                    wrong.push(format!("`{name}` uses `{used}`, which comes after `{room}`"));
                }
                None => wrong.push(format!("`{name}` uses `crate::{used}`, which is no room")),
            }
        }
        if text.contains("use crate::{") {
            wrong.push(format!("`{name}`: one line for each room, please"));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), ROOMS.len(), "the table has rooms that are gone");
}

#[test]
fn crates_point_one_way() {
    for (prefix, forbidden) in [
        ("engine/src/", &["esker_sources", "esker_cli", "clap"][..]),
        ("sources/src/", &["esker_cli", "clap"][..]),
    ] {
        for (name, text) in code(prefix) {
            for word in forbidden {
                assert!(!text.contains(&format!("{word}::")), "`{name}` uses {word}");
            }
        }
    }
}

#[test]
fn only_the_ui_prints() {
    for prefix in ["engine/src/", "sources/src/", "cli/src/"] {
        for (name, text) in code(prefix) {
            if name.starts_with("cli/src/ui/") {
                continue;
            }
            for print in ["print!", "println!", "eprint!", "eprintln!", "dbg!"] {
                let found = text.match_indices(print).any(|(place, _)| {
                    let before = text[..place].chars().next_back();
                    !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
                });
                assert!(!found, "`{name}` prints with {print}");
            }
            for stream in ["io::stdout", "io::stderr"] {
                // The streams are handed to the ui at the top; the log has the error stream to itself.
                let owner = ["cli/src/lib.rs", "cli/src/logging.rs"].contains(&name.as_str());
                assert!(owner || !text.contains(stream), "`{name}` uses {stream}");
            }
        }
    }
}

#[test]
fn engine_and_sources_do_not_read_the_environment() {
    for prefix in ["engine/src/", "sources/src/"] {
        for (name, text) in code(prefix) {
            assert!(!text.contains("std::env") && !text.contains("env::var"), "`{name}`");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = texts(|name| is_rust(name) && !name.starts_with("tests/"))
        .into_iter()
        .map(|(name, text)| (without_tests(&name, &text).lines().count(), name))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_command_is_in_the_pages() {
    let pages = texts(|name| name == "README.md" || name.starts_with("docs/"));
    let pages: String = pages.into_values().collect();
    let mut missing = Vec::new();
    for (_, text) in code("cli/src/commands/") {
        for line in text.lines().filter(|line| line.contains("struct ")) {
            let name = words_after(line, "struct ").next().unwrap();
            let Some(name) = name.strip_suffix("Args") else {
                continue;
            };
            let command = format!("esker {}", kebab(name));
            if !pages.contains(&command) {
                missing.push(command);
            }
        }
    }
    assert!(missing.is_empty(), "no page mentions {missing:?}");
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The quoted strings of a text that separate uses of keys.
fn contexts(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for quoted in text.split('"').filter(|quoted| quoted.starts_with("esker v1 ")) {
        found.insert(quoted.to_owned());
    }
    found
}

#[test]
fn the_format_page_and_the_code_know_the_same_contexts() {
    let page = std::fs::read_to_string(workspace().join("docs/FORMAT.md")).unwrap();
    let code: String = code("engine/src/").into_values().collect();
    let (page, code) = (contexts(&page), contexts(&code));
    assert!(page.len() > 10, "{page:?}");
    assert_eq!(page, code);
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    let own = "tests/it/tidy.rs";
    let hosts = [
        concat!("crates", ".io"),
        concat!("npm", "js"),
        concat!("py", "pi.org"),
        concat!("proxy", ".golang"),
    ];
    let folders = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
    ];
    let mut found = Vec::new();
    for (name, text) in texts(|name| name != own && name != "Cargo.lock") {
        for word in hosts.iter().chain(&folders) {
            if let Some(line) = text.lines().find(|line| names(line, word)) {
                found.push(format!("`{name}`: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// True where a line names a host, or an absolute path that begins with a folder.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        !word.starts_with('/')
            || !before.is_some_and(|c| c.is_alphanumeric() || "./_-}".contains(c))
    })
}
