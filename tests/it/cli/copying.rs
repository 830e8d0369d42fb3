//! `copy` and `init --like` with the real program.

use esker_tests::run_cli::{CliCommand, Ran, Sandbox};

/// A repository with two snapshots, and room for a second one, `other`, whose key file is `other-key`.
fn with_two_snapshots() -> Sandbox {
    let sandbox = Sandbox::new();
    let big: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    sandbox.write("src/big", big);
    sandbox.esker(["backup", "./src", "--time", "2026-03-01T00:00:00Z", "--tag", "first"]).ok();
    sandbox.write("src/a.txt", "changed");
    sandbox.esker(["backup", "./src", "--time", "2026-03-02T00:00:00Z"]).ok();
    sandbox
}

/// A command for the second repository; the first one is where it copies from.
fn other<'a>(sandbox: &'a Sandbox, args: &[&str]) -> CliCommand<'a> {
    sandbox
        .bare(args)
        .env("ESKER_REPO", "other")
        .env("ESKER_KEY_FILE", "other-key")
        .env("ESKER_FROM_KEY_FILE", "key")
}

fn run(sandbox: &Sandbox, args: &[&str]) -> Ran {
    other(sandbox, args).run()
}

fn assert_restores(sandbox: &Sandbox) {
    run(sandbox, &["restore", "latest", "--to", "back"]).ok();
    assert_eq!(sandbox.files("back"), sandbox.files("src"));
    for file in sandbox.files("src") {
        let read = |folder| std::fs::read(sandbox.path(folder).join(&file)).unwrap();
        assert_eq!(read("back"), read("src"), "{file}");
    }
    run(sandbox, &["check", "--read-data"]).ok();
}

#[test]
fn snapshots_are_copied_once() {
    for init in [&["init"][..], &["init", "--like", "repo"]] {
        let sandbox = with_two_snapshots();
        run(&sandbox, init).ok();
        let foretold = run(&sandbox, &["copy", "--from", "repo", "--dry-run"]).ok().text();
        assert!(foretold.contains("dry run: 2 snapshots would be copied"), "{foretold}");
        assert!(run(&sandbox, &["snapshots", "--json"]).json().as_array().unwrap().is_empty());
        let copied = run(&sandbox, &["copy", "--from", "repo"]).ok().text();
        assert!(copied.contains("2 snapshots copied; "), "{copied}");
        assert_restores(&sandbox);
        let again = run(&sandbox, &["copy", "--from", "repo"]).ok().text();
        assert!(again.contains("0 snapshots copied, 2 here already; "), "{again}");
        let listed = run(&sandbox, &["snapshots", "--json"]).json();
        let originals = sandbox.esker(["snapshots", "--json"]).json();
        for (copied, original) in
            listed.as_array().unwrap().iter().zip(originals.as_array().unwrap())
        {
            for field in ["source", "identity", "time", "status", "tags", "entries", "host"] {
                assert_eq!(copied[field], original[field], "{field}");
            }
        }
        // The way back: all of it comes from there.
        let back = sandbox
            .command(["copy", "--from", "other", "--from-key-file", "other-key", "--json"])
            .run();
        assert_eq!(back.ok().summary()["present"], 2);
    }
}

#[test]
fn a_copy_tells_what_it_did_as_json() {
    let sandbox = with_two_snapshots();
    run(&sandbox, &["init", "--like", "repo"]).ok();
    let text = run(&sandbox, &["copy", "--from", "repo", "--tag", "first", "--json"]).ok().text();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let first = sandbox.esker(["snapshots", "--json"]).json()[0]["id"].clone();
    assert_eq!((&lines[0]["type"], &lines[0]["original"]), (&"copied".into(), &first));
    assert!(lines[0]["bytes_added"].as_u64().unwrap() > 0);
    assert_eq!((&lines[1]["copied"], &lines[1]["present"]), (&1.into(), &0.into()));
    let late = ["copy", "--from", "repo", "--since", "2026-03-02", "--json"];
    assert_eq!(run(&sandbox, &late).ok().summary()["copied"], 1);
}

#[test]
fn what_was_forgotten_here_comes_back_by_name_only() {
    let sandbox = with_two_snapshots();
    run(&sandbox, &["init"]).ok();
    run(&sandbox, &["copy", "--from", "repo"]).ok();
    let id = run(&sandbox, &["snapshots", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    run(&sandbox, &["forget", &id]).ok();
    let again = run(&sandbox, &["copy", "--from", "repo"]).ok().text();
    assert!(again.contains("1 left out, since it was forgotten here: name it"), "{again}");
    let original =
        sandbox.esker(["snapshots", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    let named = run(&sandbox, &["copy", "--from", "repo", &original]).ok().text();
    assert!(named.contains("1 snapshot copied; "), "{named}");
}

#[test]
fn the_wrong_key_says_whose_it_is() {
    let sandbox = with_two_snapshots();
    run(&sandbox, &["init"]).ok();
    let copy = ["copy", "--from", "repo"];
    let wrong = other(&sandbox, &copy).env("ESKER_FROM_KEY_FILE", "other-key").run().fails();
    assert!(wrong.err.contains("cannot open the repository at `repo`"), "{}", wrong.err);
    assert!(wrong.err.contains("`ESKER_FROM_KEY_FILE`"), "{}", wrong.err);
    let own = other(&sandbox, &copy).env("ESKER_KEY_FILE", "key").run().fails();
    assert!(own.err.contains("cannot open the repository at `other`"), "{}", own.err);
    let none = other(&sandbox, &copy).without("ESKER_FROM_KEY_FILE").run().fails();
    assert!(none.err.contains("for the repository to copy from"), "{}", none.err);
    assert!(none.err.contains("`ESKER_FROM_PASSWORD`"), "{}", none.err);
    let unnamed = run(&sandbox, &["copy"]).fails();
    assert!(unnamed.err.contains("`--from URL`"), "{}", unnamed.err);
    let itself =
        sandbox.command(["copy", "--from", "repo", "--from-key-file", "key"]).run().fails();
    assert!(itself.err.contains("is the repository itself"), "{}", itself.err);
    let nowhere = other(&sandbox, &["copy", "--from", "nowhere"]).run().fails();
    assert!(nowhere.err.contains("there is no repository at `nowhere`"), "{}", nowhere.err);
    let like = other(&sandbox, &["init", "--repo", "third", "--like", "repo"])
        .env("ESKER_FROM_KEY_FILE", "other-key");
    assert!(like.run().fails().err.contains("at `repo`"));
    assert!(!sandbox.exists("third"));
}

#[test]
fn what_is_lost_is_told_and_ends_with_three() {
    let sandbox = with_two_snapshots();
    run(&sandbox, &["init"]).ok();
    let longest = |path: &std::path::PathBuf| std::fs::metadata(path).unwrap().len();
    let pack = sandbox.packs().into_iter().max_by_key(longest).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    // The content of `big` is by far the largest part of it.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, bytes).unwrap();
    let copied = run(&sandbox, &["copy", "--from", "repo"]).exits(3);
    assert!(copied.err.contains("/big"), "{}", copied.report());
    assert!(copied.text().contains("lost"), "{}", copied.report());
    let listed = run(&sandbox, &["snapshots", "--json"]).json();
    assert!(listed.as_array().unwrap().iter().all(|it| it["status"] == "partial"), "{listed}");
    run(&sandbox, &["check", "--read-data"]).ok();
}
