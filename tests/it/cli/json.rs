//! What scripts rely on: keys and types of everything that `--json` prints.

use esker_tests::run_cli::Sandbox;
use serde_json::Value;

/// Asserts keys and types; a letter for each: `s`tring, `n`umber, `b`ool, `a`rray, `o`bject, `?` anything.
#[track_caller]
fn has(value: &Value, shape: &[(&str, char)]) {
    for (key, kind) in shape {
        let found = value.get(key).unwrap_or_else(|| panic!("`{key}` is missing in {value}"));
        let is_right = match kind {
            's' => found.is_string(),
            'n' => found.is_number(),
            'b' => found.is_boolean(),
            'a' => found.is_array(),
            'o' => found.is_object(),
            _ => true,
        };
        assert!(is_right, "`{key}` is {found}");
    }
}

#[track_caller]
fn is_id(value: &Value, length: usize) {
    let text = value.as_str().expect("an id is a string");
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hex && text.len() == length, "{text}");
}

#[test]
fn init_and_backup() {
    let sandbox = Sandbox::empty();
    let made = sandbox.esker(["init", "--json"]).ok().json();
    has(&made, &[("repository", 's'), ("created", 's'), ("kind", 's'), ("key_file", 's')]);
    is_id(&made["id"], 32);
    is_id(&made["key"], 16);
    sandbox.write("src/a", "text");
    let summary = sandbox.esker(["backup", "./src", "--json"]).ok().summary();
    has(
        &summary,
        &[
            ("type", 's'),
            ("source", 's'),
            ("status", 's'),
            ("new", 'n'),
            ("changed", 'n'),
            ("deleted", 'n'),
            ("unchanged", 'n'),
            ("bytes_read", 'n'),
            ("bytes_added", 'n'),
            ("objects_written", 'n'),
            ("requests", 'n'),
            ("seconds", 'n'),
            ("problems", 'a'),
            ("completeness", 'a'),
            ("ledger", 'o'),
        ],
    );
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["status"], "complete");
    assert_eq!(summary["bytes_read"], 4);
    assert_eq!(summary["problems"].as_array().unwrap().len(), 0);
    is_id(&summary["snapshot"], 64);
    let again = sandbox.esker(["backup", "./src", "--json"]).ok().summary();
    assert_eq!(again["parent"], summary["snapshot"]);
    assert_eq!((&again["new"], &again["bytes_read"]), (&0.into(), &0.into()));
}

#[test]
fn snapshots_and_listings() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.esker(["snapshots", "--json"]).ok().json(), serde_json::json!([]));
    for day in ["2026-03-02", "2026-03-01", "2026-03-03"] {
        let time = format!("{day}T00:00:00Z");
        sandbox.esker(["backup", "./src", "--tag", day, "--time", &time]).ok();
    }
    let listed = sandbox.esker(["snapshots", "--json"]).ok().json();
    let tags: Vec<_> =
        listed.as_array().unwrap().iter().map(|it| it["tags"][0].as_str().unwrap()).collect();
    assert_eq!(tags, ["2026-03-01", "2026-03-02", "2026-03-03"], "oldest first");
    has(
        &listed[0],
        &[
            ("source", 's'),
            ("time", 's'),
            ("status", 's'),
            ("tags", 'a'),
            ("holds", 'a'),
            ("stats", 'o'),
        ],
    );
    is_id(&listed[0]["id"], 64);
    let time = listed[0]["time"].as_str().unwrap();
    assert!(time.starts_with("2026-03-01T00:00:00") && time.ends_with('Z'), "{time}");

    let entries = sandbox.esker(["ls", "latest", "--json"]).ok().json();
    let entries = entries.as_array().unwrap();
    assert!(entries.iter().any(|it| it["path"] == "/folder/b.txt" && it["kind"] == "file"));
    has(&entries[0], &[("path", 's'), ("kind", 's'), ("size", 'n')]);
}

#[test]
fn differences() {
    let sandbox = Sandbox::with_snapshot();
    let first = sandbox.esker(["snapshots", "--json"]).json();
    let first = first[0]["id"].as_str().unwrap();
    assert_eq!(
        sandbox.esker(["diff", first, "latest", "--json"]).ok().json(),
        serde_json::json!([])
    );
    sandbox.write("src/a.txt", "changed");
    sandbox.write("src/new", "new");
    std::fs::remove_file(sandbox.path("src/folder/b.txt")).unwrap();
    sandbox.esker(["backup", "./src"]).ok();
    let changes = sandbox.esker(["diff", first, "latest", "--json"]).ok().json();
    let changes: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            has(it, &[("path", 's'), ("change", 's'), ("fields", 'a')]);
            format!("{} {}", it["change"].as_str().unwrap(), it["path"].as_str().unwrap())
        })
        .collect();
    assert_eq!(changes, ["modified /a.txt", "removed /folder/b.txt", "added /new"]);
}

#[test]
fn restores_checks_and_figures() {
    let sandbox = Sandbox::with_snapshot();
    let restored = sandbox.esker(["restore", "latest", "--to", "out", "--json"]).ok().summary();
    has(
        &restored,
        &[
            ("type", 's'),
            ("target", 's'),
            ("entries", 'n'),
            ("files", 'n'),
            ("bytes", 'n'),
            ("problems", 'a'),
        ],
    );
    assert_eq!(restored["files"], 3);
    let checked = sandbox.esker(["check", "--json"]).ok().json();
    has(&checked, &[("status", 's'), ("findings", 'a')]);
    assert_eq!(checked["status"], "ok");
    let stats = sandbox.esker(["stats", "--json"]).ok().json();
    has(
        &stats,
        &[
            ("stored_bytes", 'n'),
            ("raw_bytes", 'n'),
            ("objects", 'n'),
            ("packs", 'n'),
            ("pending_bytes", 'n'),
            ("condemned_bytes", 'n'),
            ("condemned_waits_for", 'n'),
        ],
    );
    assert_eq!((&stats["packs"], &stats["pending_bytes"]), (&1.into(), &0.into()));
}

#[test]
fn forgetting_and_marks() {
    let sandbox = Sandbox::with_snapshot();
    sandbox.esker(["backup", "./src"]).ok();
    let held = sandbox.esker(["hold", "latest", "--reason", "court", "--json"]).ok().json();
    has(&held[0], &[("id", 's'), ("tags", 'a'), ("holds", 'a')]);
    assert_eq!(held[0]["holds"], serde_json::json!(["court"]));
    let plan = sandbox.esker(["forget", "--keep-last", "1", "--dry-run", "--json"]).ok().json();
    has(&plan, &[("keep", 'a'), ("remove", 'a')]);
    has(&plan["keep"][0], &[("id", 's'), ("reasons", 'a')]);
    is_id(&plan["remove"][0]["id"], 64);
    let unlocked = sandbox.bare(["unlock", "--json"]).run().ok().json();
    assert_eq!(unlocked, serde_json::json!({ "locks": [] }));
    let tagged = sandbox.esker(["tag", "latest", "x", "--json"]).ok().json();
    assert_eq!(tagged[0]["tags"], serde_json::json!(["x"]));
}
