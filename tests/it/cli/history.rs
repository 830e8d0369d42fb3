//! What became of objects: `diff` with values, `log`, issues by their keys, documents that people can read.

use esker_tests::run_cli::Sandbox;
use esker_tests::{Item, MemorySource, noise};
use insta::assert_snapshot;
use serde_json::{Value, json};

fn issue(source: &MemorySource, key: &str, fields: &Value) {
    let (project, _) = key.split_once('-').expect("a key has a dash");
    let document = json!({"key": key, "fields": fields});
    let place = format!("{project}\0{key}\0issue.json");
    source.put("issues", place, Item::document(document.to_string()));
}

fn comment(source: &MemorySource, key: &str, id: u32, words: &str) {
    let (project, _) = key.split_once('-').expect("a key has a dash");
    let paragraph = json!({"type": "paragraph", "content": [{"type": "text", "text": words}]});
    let body = json!({"type": "doc", "version": 1, "content": [paragraph]});
    let document = json!({"id": id.to_string(), "body": body});
    let place = format!("{project}\0{key}\0comments\0{id}.json");
    source.put("issues", place, Item::document(document.to_string()));
}

/// Three days of a site: an issue is edited and commented, another one deleted.
fn site() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::of_kind("jira", "acme", &["issues", "users"]);
    issue(&source, "ABC-7", &json!({"duedate": "2026-12-01", "labels": ["y", "z"]}));
    issue(&source, "ABC-8", &json!({"summary": "other"}));
    source.put("users", "5b10.json", Item::document("{}"));
    sandbox.back_up(&source, 1);
    issue(&source, "ABC-7", &json!({"duedate": null, "labels": ["x", "z"], "votes": 1.10}));
    comment(&source, "ABC-7", 10_031, "first words");
    sandbox.back_up(&source, 2);
    comment(&source, "ABC-7", 10_031, "second words");
    source.remove("issues", "ABC\0ABC-8\0issue.json");
    sandbox.back_up(&source, 3);
    sandbox
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.esker(["snapshots", "--json"]).ok().json();
    let ids = listed.as_array().expect("an array").iter();
    ids.map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn differences_have_values() {
    let sandbox = site();
    let ids = ids(&sandbox);
    assert_snapshot!(sandbox.esker(["diff", &ids[0], &ids[1]]).screen(), @r#"
    added     /issues/ABC/ABC-7/comments/10031.json
    modified  /issues/ABC/ABC-7/issue.json
      fields.duedate: "DATE" → null
      fields.labels: +"x" −"y"
      fields.votes: none → 1.1
    --- stderr
    1 added, 0 removed, 1 modified from ID8 to ID8
    --- exit 0
    "#);
    assert_snapshot!(sandbox.esker(["diff", &ids[1], &ids[2]]).screen(), @r#"
    modified  /issues/ABC/ABC-7/comments/10031.json
      body: "first words" → "second words"
    removed   /issues/ABC/ABC-8/issue.json
    --- stderr
    0 added, 1 removed, 1 modified from ID8 to ID8
    --- exit 0
    "#);
    let changes = sandbox.esker(["diff", &ids[0], &ids[1], "--json"]).ok().json();
    let fields = json!(["fields.duedate", "fields.labels", "fields.votes"]);
    assert_eq!((&changes[0]["change"], &changes[0]["values"]), (&json!("added"), &json!([])));
    assert_eq!(changes[1]["fields"], fields);
    assert_eq!(
        changes[1]["values"],
        json!([
            {"field": "fields.duedate", "old": "2026-12-01", "new": null},
            {"field": "fields.labels", "old": ["y", "z"], "new": ["x", "z"], "added": ["x"], "removed": ["y"]},
            {"field": "fields.votes", "old": null, "new": 1.1},
        ])
    );
}

#[test]
fn many_differences_are_counted() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::of_kind("jira", "acme", &["issues"]);
    let put = |due: Option<&str>| {
        for number in 0..30 {
            let key = format!("{}-{number}", if number < 20 { "ABC" } else { "XY" });
            issue(&source, &key, &json!({"duedate": due, "points": number == 3 && due.is_none()}));
        }
    };
    put(Some("2026-12-01"));
    sandbox.back_up(&source, 1);
    put(None);
    source.remove("issues", "ABC\0ABC-0\0issue.json");
    sandbox.back_up(&source, 2);
    let ids = ids(&sandbox);
    let told = sandbox.esker(["diff", &ids[0], &ids[1]]).ok();
    let text = told.text();
    assert!(text.ends_with("\n\nfields.duedate: 29 objects\n"), "{text}");
    assert_snapshot!(sandbox.esker(["diff", &ids[0], &ids[1], "--stat"]).screen(), @"
    folder  added  removed  modified
    /issues/ABC  0  1  19
    /issues/XY  0  0  10

    fields.duedate: 29 objects
    fields.points: 1 object
    --- exit 0
    ");
    let counted = sandbox.esker(["diff", &ids[0], &ids[1], "--stat", "--json"]).ok().json();
    assert_eq!(
        counted,
        json!({
            "folders": [
                {"folder": "/issues/ABC", "added": 0, "removed": 1, "modified": 19},
                {"folder": "/issues/XY", "added": 0, "removed": 0, "modified": 10},
            ],
            "fields": [
                {"field": "fields.duedate", "objects": 29},
                {"field": "fields.points", "objects": 1},
            ],
        })
    );
}

#[test]
fn a_log_tells_every_version() {
    let sandbox = site();
    assert_snapshot!(sandbox.esker(["log", "/ABC-7"]).screen(), @r#"
    snapshot ID8  DATE TIME  acme
      modified  /issues/ABC/ABC-7/comments/10031.json, N SIZE
        body: "first words" → "second words"

    snapshot ID8  DATE TIME  acme
      added     /issues/ABC/ABC-7/comments/10031.json, N SIZE
      modified  /issues/ABC/ABC-7/issue.json, 72 B
        fields.duedate: "DATE" → null
        fields.labels: +"x" −"y"
        fields.votes: none → 1.1

    snapshot ID8  DATE TIME  acme
      added     /issues/ABC/ABC-7/issue.json, 68 B
    --- exit 0
    "#);
    assert_snapshot!(sandbox.esker(["log", "/issues/ABC/ABC-8/issue.json", "--reverse"]).screen(), @"
    snapshot ID8  DATE TIME  acme
      added     /issues/ABC/ABC-8/issue.json, 44 B

    snapshot ID8  DATE TIME  acme
      removed   /issues/ABC/ABC-8/issue.json
    --- exit 0
    ");
    let versions = sandbox.esker(["log", "/ABC-7", "--json"]).ok().json();
    let told: Vec<_> = versions
        .as_array()
        .expect("an array")
        .iter()
        .map(|it| {
            let text = |key: &str| it[key].as_str().expect("text").to_owned();
            (text("snapshot"), text("change"), text("path"))
        })
        .collect();
    let (document, comment) =
        ("/issues/ABC/ABC-7/issue.json", "/issues/ABC/ABC-7/comments/10031.json");
    let ids = ids(&sandbox);
    let version = |place: usize, change: &str, path: &str| {
        (ids[place].clone(), change.to_owned(), path.to_owned())
    };
    assert_eq!(
        told,
        [
            version(2, "modified", comment),
            version(1, "added", comment),
            version(1, "modified", document),
            version(0, "added", document),
        ]
    );
    assert_eq!(versions[0]["values"][0]["old"], "first words");
    assert_eq!(versions[2]["fields"], json!(["fields.duedate", "fields.labels", "fields.votes"]));
    assert!(versions[0]["size"].is_number() && versions[0]["time"].is_string());

    // What was forgotten is not shown: the oldest version is then that of the oldest snapshot.
    sandbox.esker(["forget", &ids[0]]).ok();
    let versions = sandbox.esker(["log", "/ABC-7", "--reverse", "--json"]).ok().json();
    assert_eq!(
        (&versions[0]["snapshot"], &versions[0]["change"]),
        (&json!(ids[1]), &json!("added"))
    );
}

#[test]
fn a_log_is_of_one_source_and_of_any_kind() {
    let sandbox = site();
    sandbox.write("src/a.txt", "one");
    sandbox.esker(["backup", "./src"]).ok();
    sandbox.write("src/a.txt", "second");
    sandbox.esker(["backup", "./src"]).ok();
    assert_snapshot!(sandbox.esker(["log", "/a.txt"]).misused().screen(), @"
    --- stderr
    error: the repository has snapshots of several sources
    hint: say which one: `--source acme` or `--source DIR/src`
    --- exit 2
    ");
    assert_snapshot!(sandbox.esker(["log", "/a.txt", "--source", "./src"]).screen(), @"
    snapshot ID8  DATE TIME  DIR/src
      modified  /a.txt (content, modified), 6 B

    snapshot ID8  DATE TIME  DIR/src
      added     /a.txt, 3 B
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["log", "/none", "--source", "acme"]).fails().screen(), @"
    --- stderr
    error: no snapshot has `/none`
    hint: list what is there with `esker ls ID8`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["log", "/x", "--source", "other"]).fails().screen(), @"
    --- stderr
    error: no snapshot is of a source `other`
    hint: list the snapshots with `esker snapshots`
    --- exit 1
    ");
    assert!(sandbox.esker(["log", "/a/../b", "--source", "acme"]).fails().err.contains("`..`"));
    assert_eq!(
        sandbox.esker(["log", "/ABC-7", "--source", "acme"]).ok().text().lines().count(),
        13
    );
}

#[test]
fn an_issue_is_named_by_its_key() {
    let sandbox = site();
    let shown = sandbox.esker(["cat", "latest:/ABC-7"]).ok();
    assert_eq!(shown.json()["key"], "ABC-7");
    assert_snapshot!(sandbox.esker(["ls", "acme@latest:/ABC-7"]).screen(), @"
    /issues/ABC/ABC-7/comments/10031.json
    /issues/ABC/ABC-7/issue.json
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["cat", "latest:/ABC-8"]).fails().screen(), @"
    --- stderr
    error: cannot read `latest:/ABC-8`
    caused by: snapshot ID8 holds no `/issues/ABC/ABC-8`
    hint: list what is there with `esker ls ID8`
    --- exit 1
    ");
    let ids = ids(&sandbox);
    let changes =
        sandbox.esker(["diff", &ids[0], &format!("{}:/ABC-8", ids[2]), "--json"]).ok().json();
    assert_eq!(changes.as_array().expect("an array").len(), 1);
    sandbox.esker(["restore", &format!("{}:/ABC-8", ids[0]), "--to", "out"]).ok();
    assert_eq!(sandbox.files("out"), ["issues/ABC/ABC-8/issue.json"]);
    sandbox.esker(["restore", "latest:/users", "latest:/issues/ABC/ABC-7", "--to", "two"]).ok();
    assert_eq!(sandbox.files("two").len(), 3);
    let missing = sandbox.esker(["restore", "latest:/ABC-8", "--to", "three"]).fails();
    assert!(
        missing.err.contains("/issues/ABC/ABC-8") && !sandbox.exists("three"),
        "{}",
        missing.err
    );
}

#[test]
fn documents_are_restored_for_people() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let source = MemorySource::of_kind("jira", "acme", &["issues"]);
    let small = r#"{"fields":{"labels":[],"size":1.10,"summary":"a \"b\""},"key":"A-1"}"#;
    source.put("issues", "small.json", Item::document(small));
    // Of several pieces, and one of a few bytes that lie in the entry.
    let words: Vec<_> =
        (0..20_000).map(|it| noise(it, 8).iter().map(|it| u32::from(*it)).sum::<u32>()).collect();
    let large = json!({"words": words}).to_string();
    source.put("issues", "large.json", Item::document(large.clone()));
    source.put("issues", "inline.json", Item::document("{}"));
    source.put("issues", "words.txt", Item::document("hello, world"));
    source.put("issues", "image.json", Item::file("{\"a\":1}"));
    sandbox.back_up(&source, 1);

    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "out", "--verify"]).screen(), @"
    snapshot ID8 restored to `out`: 5 entries, 5 files of them; N SIZE written, 5 read back and equal, N s — complete
    --- exit 0
    ");
    assert_snapshot!(sandbox.read("out/issues/small.json"), @r#"
    {
      "fields": {
        "labels": [],
        "size": 1.10,
        "summary": "a \"b\""
      },
      "key": "A-1"
    }
    "#);
    assert_eq!(sandbox.read("out/issues/inline.json"), "{}\n");
    assert_eq!(sandbox.read("out/issues/words.txt"), "hello, world");
    assert_eq!(sandbox.read("out/issues/image.json"), "{\"a\":1}", "files are as they were");
    let read = sandbox.read("out/issues/large.json");
    assert_eq!(read.lines().count(), 20_004);
    let packed: String = read.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(packed, large);

    let stored = ["restore", "latest", "--to", "stored", "--documents", "stored", "--verify"];
    sandbox.esker(stored).ok();
    assert_eq!(sandbox.read("stored/issues/small.json"), small);
    assert_eq!(sandbox.read("stored/issues/large.json"), large);
    // What is there as it is stored is made readable when that is asked for.
    sandbox.esker(["restore", "latest", "--to", "stored"]).ok();
    assert_eq!(sandbox.read("stored/issues/small.json"), sandbox.read("out/issues/small.json"));

    sandbox.esker(["restore", "latest", "--to", "out.tar.zst"]).ok();
    std::fs::create_dir(sandbox.path("archive")).expect("a folder");
    let mut tar = std::process::Command::new("tar");
    tar.args(["--zstd", "-xf", "../out.tar.zst"]).current_dir(sandbox.path("archive"));
    if tar.output().is_ok_and(|output| output.status.success()) {
        for name in sandbox.files("out") {
            let path = |folder: &str| sandbox.read(&format!("{folder}/{name}"));
            assert_eq!(path("archive"), path("out"), "{name}");
        }
    }
}
