//! What can be backed up: folders, lists, the standard input; and what is left out.

use std::os::unix::fs::PermissionsExt;

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

fn paths(sandbox: &Sandbox, snapshot: &str) -> Vec<String> {
    let root = sandbox.path("").display().to_string();
    let listed = sandbox.esker(["ls", snapshot, "--json"]).ok().json();
    let files = listed.as_array().unwrap().iter().filter(|it| it["kind"] == "file");
    let path = |it: &serde_json::Value| {
        it["path"].as_str().unwrap().replace(root.trim_end_matches('/'), "DIR")
    };
    files.map(path).collect()
}

#[test]
fn the_standard_input_is_one_file() {
    let sandbox = Sandbox::new();
    let backup = |args: &[&str], input: &[u8]| sandbox.command(args).input(input).run();
    assert_snapshot!(backup(&["backup", "--stdin"], b"a dump").screen(), @"
    snapshot ID8 of stdin: 1 new, 0 changed, 0 deleted of 1 entry; 6 B read, N SIZE added in 3 objects, N s — complete
    --- exit 0
    ");
    backup(&["backup", "--stdin", "--stdin-name", "db/dump.sql"], &vec![7; 3_000_000]).ok();
    assert_eq!(paths(&sandbox, "latest"), ["/db/dump.sql"]);
    let read = sandbox.esker(["cat", "latest:/db/dump.sql"]).ok();
    assert!(read.out == vec![7; 3_000_000]);
}

#[test]
fn lists_of_paths() {
    let sandbox = Sandbox::new();
    sandbox.write("list", "src/a.txt\nsrc/vanished\n");
    assert_snapshot!(sandbox.esker(["backup", "--files-from", "list"]).exits(3).screen(), @"
    snapshot ID8 of files-from:DIR/list: 4 new, 0 changed, 0 deleted of 4 entries; 3 B read, N SIZE added in 3 objects, N s — partial, 1 problem
    --- stderr
    warning: `DIR/src/vanished`: has vanished: No such file or directory (os error 2)
    --- exit 3
    ");
    assert_eq!(paths(&sandbox, "latest"), ["DIR/src/a.txt"]);
    let partial = sandbox.esker(["backup", "--files-from", "list", "--json"]).exits(3).summary();
    assert_eq!(partial["status"], "partial");
    let problem = &partial["problems"][0];
    assert!(problem["path"].as_str().unwrap().ends_with("/src/vanished"), "{problem}");
    let zeros =
        sandbox.command(["backup", "--files-from0", "-"]).input("src/folder/b.txt\0src/a.txt\0");
    zeros.run().ok();
    assert_eq!(paths(&sandbox, "latest"), ["DIR/src/a.txt", "DIR/src/folder/b.txt"]);
}

#[test]
fn several_paths_are_one_source() {
    let sandbox = Sandbox::new();
    sandbox.write("more/d", "four");
    sandbox.esker(["backup", "./src/folder", "./more"]).ok();
    let expected = ["DIR/more/d", "DIR/src/folder/b.txt", "DIR/src/folder/c.log"];
    assert_eq!(paths(&sandbox, "latest"), expected);
    let again = sandbox.esker(["backup", "./more", "./src/folder", "--json"]).ok().summary();
    assert_eq!(again["new"], 0, "the order of paths does not matter: {again}");
    sandbox.esker(["restore", "latest", "--to", "out"]).ok();
    let below =
        sandbox.path("out").display().to_string() + sandbox.path("more/d").to_str().unwrap();
    assert_eq!(std::fs::read_to_string(below).unwrap(), "four");
}

#[test]
fn excluded_files_are_left_out() {
    let sandbox = Sandbox::new();
    sandbox.write("patterns", "# comment\nb.txt\n");
    sandbox.esker(["backup", "./src", "--exclude", "*.log", "--exclude-file", "patterns"]).ok();
    assert_eq!(paths(&sandbox, "latest"), ["/a.txt"]);
}

#[test]
fn a_dry_run_stores_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.files("repo");
    assert_snapshot!(sandbox.esker(["backup", "./src", "--dry-run"]).screen(), @"
    dry run of DIR/src: 5 new, 0 changed, 0 deleted of 5 entries; 11 B read, 0 B would be new before compression, N s — nothing was stored
    --- exit 0
    ");
    let summary = sandbox.esker(["backup", "./src", "--dry-run", "--json"]).ok().summary();
    assert_eq!((&summary["snapshot"], &summary["new"]), (&serde_json::Value::Null, &5.into()));
    assert_eq!(sandbox.files("repo"), before);
    sandbox.esker(["backup", "./src"]).ok();
    sandbox.write("src/a.txt", "changed");
    assert_snapshot!(sandbox.esker(["backup", "./src", "-n"]).screen(), @"
    dry run of DIR/src: 0 new, 1 changed, 0 deleted of 5 entries; 7 B read, 0 B would be new before compression, N s — nothing was stored
    --- exit 0
    ");
}

#[test]
fn a_file_that_may_not_be_read_is_a_problem() {
    let sandbox = Sandbox::new();
    let closed = sandbox.path("src/a.txt");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&closed).is_ok() {
        return; // root may read everything
    }
    let partial = sandbox.esker(["backup", "./src", "--json"]).exits(3).summary();
    assert_eq!(partial["problems"][0]["path"], "/a.txt");
}
