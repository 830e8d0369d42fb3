//! The first hour with Esker: every command on a healthy repository.

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

#[test]
fn init_prints_a_recovery_sheet() {
    let sandbox = Sandbox::empty();
    assert_snapshot!(sandbox.esker(["init"]).screen(), @"");
    use std::os::unix::fs::PermissionsExt;
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
    assert_snapshot!(passphrase(&["init"], "correct horse").ok().screen(), @"");
    sandbox.write("password", "correct horse\n");
    let from_file = sandbox.command(["snapshots"]).without("ESKER_KEY_FILE");
    from_file.env("ESKER_PASSWORD_FILE", "password").run().ok();
    assert_snapshot!(passphrase(&["snapshots"], "wrong").fails().screen(), @"");
    assert_snapshot!(passphrase(&["snapshots"], "").fails().screen(), @"");
    assert_snapshot!(sandbox.command(["snapshots"]).env("ESKER_KEY_FILE", "none").run().fails().screen(), @"");
}

#[test]
fn a_backup_ends_with_a_sentence() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.esker(["backup", "./src"]).screen(), @"");
    sandbox.write("src/a.txt", "changed");
    std::fs::remove_file(sandbox.path("src/folder/b.txt")).unwrap();
    sandbox.write("src/new", "new");
    assert_snapshot!(sandbox.esker(["backup", "./src"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["backup", "./src", "-v"]).screen(), @"");
    assert_eq!(sandbox.esker(["backup", "./src", "--quiet"]).ok().screen(), "--- exit 0");
    assert_snapshot!(sandbox.esker(["backup", "./src", "--full"]).screen(), @"");
}

#[test]
fn snapshots_are_listed() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"");
    sandbox.esker(["backup", "./src", "--tag", "one", "--time", "2026-01-02T03:04:05Z"]).ok();
    sandbox.esker(["backup", "./src", "--time", "2026-01-03 03:04"]).ok();
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"");
    let tagged = sandbox.esker(["snapshots", "--tag", "one", "--json"]).ok().json();
    assert_eq!(tagged.as_array().unwrap().len(), 1);
    assert_snapshot!(sandbox.esker(["snapshots", "--source", "./other"]).screen(), @"");
}

#[test]
fn a_snapshot_is_looked_into() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["ls", "latest"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["ls", "latest", "-1"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["ls", "latest:/folder"]).screen(), @"");
    let long = sandbox.esker(["ls", "--long", "latest:/a.txt"]).ok().text();
    assert!(long.starts_with("-rw") && long.ends_with(" /a.txt\n"), "{long}");
    assert_snapshot!(sandbox.esker(["cat", "latest:/folder/b.txt"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["dump", "src@latest:/a.txt"]).screen(), @"");
}

#[test]
fn two_snapshots_are_compared() {
    let sandbox = Sandbox::with_snapshot();
    let first = sandbox.esker(["snapshots", "--json"]).json()[0]["id"].clone();
    let first = first.as_str().unwrap();
    assert_snapshot!(sandbox.esker(["diff", first, "latest"]).screen(), @"");
    sandbox.write("src/a.txt", "changed");
    std::fs::remove_file(sandbox.path("src/folder/b.txt")).unwrap();
    sandbox.write("src/new", "new");
    sandbox.esker(["backup", "./src"]).ok();
    assert_snapshot!(sandbox.esker(["diff", first, "latest"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["diff", first, "latest:/folder"]).screen(), @"");
}

#[test]
fn a_restore_brings_everything_back() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "out"]).screen(), @"");
    assert_eq!(sandbox.files("out"), sandbox.files("src"));
    assert_eq!(sandbox.read("out/folder/c.log"), "three");
    assert_snapshot!(sandbox.esker(["restore", "latest", "--target", "out", "--verify"]).screen(), @"");
}

#[test]
fn a_healthy_repository_passes_its_check() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["check"]).screen(), @"");
    assert_snapshot!(sandbox.esker(["check", "--read-data"]).screen(), @"");
}

#[test]
fn stats_tell_what_is_stored() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["stats"]).screen(), @"");
}

#[test]
fn the_demonstration_tells_a_story_and_leaves_nothing() {
    let sandbox = Sandbox::empty();
    std::fs::create_dir(sandbox.path("tmp")).unwrap();
    let told = sandbox.bare(["demo"]).env("TMPDIR", sandbox.path("tmp")).run().ok();
    let text = told.text();
    assert!(text.lines().count() < 40, "it fits a screen:\n{text}");
    assert!(std::fs::read_dir(sandbox.path("tmp")).unwrap().next().is_none());
    assert!(!sandbox.exists("home"), "it remembers nothing");
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
        "init", "backup", "snapshots", "ls", "cat", "diff", "restore", "check", "stats", "forget", "tag", "hold",
        "release", "demo", "completions", "unlock",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        let text = sandbox.bare([command, "--help"]).run().ok().text();
        assert!(text.contains("Usage: esker "), "{command}");
    }
    assert_snapshot!(sandbox.bare(["unlock"]).run().screen(), @"");
}
