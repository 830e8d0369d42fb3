//! The first hour with Esker: every command on a healthy repository.

use std::os::unix::fs::PermissionsExt;

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

#[test]
fn init_prints_a_recovery_sheet() {
    let sandbox = Sandbox::empty();
    assert_snapshot!(sandbox.esker(["init"]).screen(), @"
    ESKER RECOVERY SHEET
      repository  DIR/repo
      repository id  ID32
      made  TIME
      key  ID16 (key file `DIR/key`)
    To restore without this machine you need
      1. the program `esker`, version 0.1 or later
      2. the repository, or a copy of its folder
      3. a copy of `DIR/key`, kept elsewhere: without it nothing can be read
      4. `esker restore latest --repo DIR/repo --to FOLDER`
    --- stderr

    Print this sheet, or keep it where this machine's loss does not take it along.
    Now: `esker backup --repo repo FOLDER`
    --- exit 0
    ");
    let key = std::fs::metadata(sandbox.path("key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_passphrase_opens_what_it_made() {
    let sandbox = Sandbox::empty();
    let passphrase = |args: &[&str], passphrase: &str| {
        let command = sandbox.command(args).without("ESKER_KEY_FILE");
        command.env("ESKER_PASSWORD", passphrase).run()
    };
    assert_snapshot!(passphrase(&["init"], "correct horse").ok().screen(), @"
    ESKER RECOVERY SHEET
      repository  DIR/repo
      repository id  ID32
      made  TIME
      key  ID16 (passphrase)
    To restore without this machine you need
      1. the program `esker`, version 0.1 or later
      2. the repository, or a copy of its folder
      3. the passphrase: without it nothing can be read, and nobody can find it out
      4. `esker restore latest --repo DIR/repo --to FOLDER`
    --- stderr

    Print this sheet, or keep it where this machine's loss does not take it along.
    Now: `esker backup --repo repo FOLDER`
    --- exit 0
    ");
    sandbox.write("password", "correct horse\n");
    let from_file = sandbox.command(["snapshots"]).without("ESKER_KEY_FILE");
    from_file.env("ESKER_PASSWORD_FILE", "password").run().ok();
    assert_snapshot!(passphrase(&["snapshots"], "wrong").fails().screen(), @"
    --- stderr
    error: cannot open the repository at `repo`
    caused by: no key slot opens with this passphrase: 1 of that kind tried
    hint: look at what `ESKER_PASSWORD` says; if it opens with a key file, give `--key-file FILE`
    --- exit 1
    ");
    assert_snapshot!(passphrase(&["snapshots"], "").fails().screen(), @"
    --- stderr
    error: the passphrase in `ESKER_PASSWORD` is empty
    hint: an empty passphrase protects nothing: choose one
    --- exit 1
    ");
    assert_snapshot!(sandbox.command(["snapshots"]).env("ESKER_KEY_FILE", "none").run().fails().screen(), @"
    --- stderr
    error: cannot read `none`, which ESKER_KEY_FILE names
    caused by: No such file or directory (os error 2)
    hint: check the path: `ls -l none`
    --- exit 1
    ");
}

#[test]
fn a_backup_ends_with_a_sentence() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.esker(["backup", "./src"]).screen(), @"
    snapshot ID8 of DIR/src: 5 new, 0 changed, 0 deleted of 5 entries; 11 B read, N SIZE added in 3 objects, N s — complete
    --- exit 0
    ");
    sandbox.write("src/a.txt", "changed");
    std::fs::remove_file(sandbox.path("src/folder/b.txt")).unwrap();
    sandbox.write("src/new", "new");
    assert_snapshot!(sandbox.esker(["backup", "./src"]).screen(), @"
    snapshot ID8 of DIR/src: 1 new, 3 changed, 1 deleted of 5 entries; 10 B read, N SIZE added in 3 objects, N s — complete
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["backup", "./src", "-v"]).screen(), @"
    snapshot ID8 of DIR/src: 0 new, 0 changed, 0 deleted of 5 entries; 0 B read, N SIZE added in 2 objects, N s — complete
    --- stderr
    compared with snapshot ID8
    --- exit 0
    ");
    assert_eq!(sandbox.esker(["backup", "./src", "--quiet"]).ok().screen(), "--- exit 0");
    assert_snapshot!(sandbox.esker(["backup", "./src", "--full"]).screen(), @"
    snapshot ID8 of DIR/src: 0 new, 0 changed, 0 deleted of 5 entries; 15 B read, N SIZE added in 2 objects, N s — complete
    --- exit 0
    ");
}

#[test]
fn snapshots_are_listed() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"
    --- stderr
    no snapshots yet: make one with `esker backup FOLDER`
    --- exit 0
    ");
    sandbox.esker(["backup", "./src", "--tag", "one", "--time", "2026-01-02T03:04:05Z"]).ok();
    sandbox.esker(["backup", "./src", "--time", "2026-01-03 03:04"]).ok();
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"
    id  time  source  entries  added  status  tags
    ID8  DATE TIME  DIR/src  5  N SIZE  complete  one
    ID8  DATE TIME  DIR/src  5  N SIZE  complete
    --- exit 0
    ");
    let tagged = sandbox.esker(["snapshots", "--tag", "one", "--json"]).ok().json();
    assert_eq!(tagged.as_array().unwrap().len(), 1);
    assert_snapshot!(sandbox.esker(["snapshots", "--source", "./other"]).screen(), @"
    --- stderr
    no snapshot is of that source and has those tags
    --- exit 0
    ");
}

#[test]
fn a_snapshot_is_looked_into() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["ls", "latest"]).screen(), @"
    /a.txt
    /folder
    /folder/b.txt
    /folder/c.log
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["ls", "latest", "-1"]).screen(), @"
    /a.txt
    /folder
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["ls", "latest:/folder"]).screen(), @"
    /folder/b.txt
    /folder/c.log
    --- exit 0
    ");
    let long = sandbox.esker(["ls", "--long", "latest:/a.txt"]).ok().text();
    assert!(long.starts_with("-rw") && long.ends_with(" /a.txt\n"), "{long}");
    assert_snapshot!(sandbox.esker(["cat", "latest:/folder/b.txt"]).screen(), @"
    two
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["dump", "src@latest:/a.txt"]).screen(), @"
    one
    --- exit 0
    ");
}

#[test]
fn two_snapshots_are_compared() {
    let sandbox = Sandbox::with_snapshot();
    let first = sandbox.esker(["snapshots", "--json"]).json()[0]["id"].clone();
    let first = first.as_str().unwrap();
    assert_snapshot!(sandbox.esker(["diff", first, "latest"]).screen(), @"
    --- stderr
    0 added, 0 removed, 0 modified from ID8 to ID8
    --- exit 0
    ");
    sandbox.write("src/a.txt", "changed");
    std::fs::remove_file(sandbox.path("src/folder/b.txt")).unwrap();
    sandbox.write("src/new", "new");
    sandbox.esker(["backup", "./src"]).ok();
    assert_snapshot!(sandbox.esker(["diff", first, "latest"]).screen(), @"
    modified  /a.txt (content, modified)
    removed   /folder/b.txt
    added     /new
    --- stderr
    1 added, 1 removed, 1 modified from ID8 to ID8
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["diff", first, "latest:/folder"]).screen(), @"
    removed   /folder/b.txt
    --- stderr
    0 added, 1 removed, 0 modified from ID8 to ID8
    --- exit 0
    ");
}

#[test]
fn a_restore_brings_everything_back() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "out"]).screen(), @"
    snapshot ID8 restored to `out`: 5 entries, 3 files of them; 11 B written, N s — complete
    --- exit 0
    ");
    assert_eq!(sandbox.files("out"), sandbox.files("src"));
    assert_eq!(sandbox.read("out/folder/c.log"), "three");
    assert_snapshot!(sandbox.esker(["restore", "latest", "--target", "out", "--verify"]).screen(), @"
    snapshot ID8 restored to `out`: 5 entries, 3 files of them; 0 B written, 3 there already, 3 read back and equal, N s — complete
    --- exit 0
    ");
}

#[test]
fn a_healthy_repository_passes_its_check() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["check"]).screen(), @"
    checked 1 snapshot, 1 pack, 1 object; data not read (`--read-data` reads them) — no damage
    --- exit 0
    ");
    assert_snapshot!(sandbox.esker(["check", "--read-data"]).screen(), @"
    checked 1 snapshot, 1 pack, 1 object; N SIZE read and verified — no damage
    --- exit 0
    ");
}

#[test]
fn stats_tell_what_is_stored() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["stats"]).screen(), @"
    stored  N SIZE
    raw  N SIZE in 1 different object, before compression (N : 1)
    packs  1
    pending  0 B of 0 backups that have not ended
    snapshots  1, and 0 forgotten whose space `esker prune` frees

    source  snapshots  entries  added  newest
    DIR/src  1  5  N SIZE  DATE TIME

    kind  objects  bytes
    commits  1  N SIZE
    config  2  N SIZE
    keys  2  N SIZE
    mixed-packs  1  N SIZE
    sessions  1  N SIZE
    --- exit 0
    ");
}

#[test]
fn help_version_completions_and_unlock_need_no_repository() {
    let sandbox = Sandbox::empty();
    let version = sandbox.bare(["--version"]).run().ok().text();
    assert_eq!(version, format!("esker {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let text = sandbox.bare(["completions", shell]).run().ok().text();
        assert!(text.contains("snapshots"), "{shell}");
    }
    let help = sandbox.bare(["help"]).run().ok().text();
    for command in [
        "init",
        "backup",
        "snapshots",
        "ls",
        "cat",
        "diff",
        "log",
        "restore",
        "check",
        "stats",
        "forget",
        "tag",
        "hold",
        "release",
        "demo",
        "completions",
        "unlock",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        let text = sandbox.bare([command, "--help"]).run().ok().text();
        assert!(text.contains("Usage: esker "), "{command}");
    }
    assert_snapshot!(sandbox.bare(["unlock"]).run().screen(), @"
    Nothing to unlock: repositories have no locks. Several machines may back up, check and forget at once,
    and what a broken run left behind is garbage, never in the way.
    --- exit 0
    ");
}
