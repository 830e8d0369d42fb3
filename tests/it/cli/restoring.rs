//! Restores: what is chosen, what is overwritten, what the result looks like.

use std::fs;
use std::process::Command;

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

#[test]
fn parts_of_a_snapshot() {
    let sandbox = Sandbox::with_snapshot();
    let restore = |args: &[&str], to: &str| {
        let args = [&["restore"], args, &["--to", to]].concat();
        sandbox.esker(args).ok();
        sandbox.files(to)
    };
    assert_eq!(restore(&["latest:/folder"], "one"), ["folder/b.txt", "folder/c.log"]);
    assert_eq!(
        restore(&["latest:/a.txt", "latest:/folder/c.log"], "two"),
        ["a.txt", "folder/c.log"]
    );
    assert_eq!(restore(&["latest", "--include", "*.txt"], "three"), ["a.txt", "folder/b.txt"]);
    assert_eq!(restore(&["latest", "--exclude", "*.txt"], "four"), ["folder/c.log"]);
    assert_eq!(
        restore(&["latest", "--include", "folder/", "--exclude", "*.log"], "five"),
        ["folder/b.txt"]
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "out", "--dry-run"]).screen(), @"
    restore  /
    restore  /a.txt
    restore  /folder
    restore  /folder/b.txt
    restore  /folder/c.log
    dry run: 5 entries, 3 files of them, 11 B of snapshot ID8 would go to `out` — nothing was written
    --- exit 0
    ");
    assert!(!sandbox.exists("out"));
    let planned =
        sandbox.esker(["restore", "latest", "--to", "out", "-n", "--json"]).ok().summary();
    assert_eq!(planned["dry_run"], true);
    assert!(!sandbox.exists("out"));
}

#[test]
fn what_is_there_is_kept_or_replaced_as_asked() {
    let sandbox = Sandbox::with_snapshot();
    let restore = |mode: &str| {
        sandbox
            .esker(["restore", "latest", "--to", "out", "--overwrite", mode, "--json"])
            .ok()
            .summary()
    };
    sandbox.write("out/a.txt", "mine");
    sandbox.write("out/extra", "mine too");
    let never = restore("never");
    assert_eq!(
        (sandbox.read("out/a.txt").as_str(), &never["kept"]),
        ("mine", &1.into()),
        "{never}"
    );
    assert_eq!(sandbox.read("out/folder/b.txt"), "two");
    restore("if-changed");
    assert_eq!(sandbox.read("out/a.txt"), "one");
    // Same size and time: only `always` looks further.
    let modified = fs::metadata(sandbox.path("out/a.txt")).unwrap().modified().unwrap();
    sandbox.write("out/a.txt", "owt");
    let file = fs::File::options().write(true).open(sandbox.path("out/a.txt")).unwrap();
    file.set_modified(modified).unwrap();
    restore("if-changed");
    assert_eq!(sandbox.read("out/a.txt"), "owt");
    restore("always");
    assert_eq!(sandbox.read("out/a.txt"), "one");
    assert_eq!(sandbox.read("out/extra"), "mine too", "what is not in the snapshot stays");
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
fn an_archive_is_read_by_tar() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "out.tar.zst"]).screen(), @"
    snapshot ID8 restored to `out.tar.zst`: 5 entries, 3 files of them; 11 B written, N s — complete
    --- exit 0
    ");
    fs::create_dir(sandbox.path("out")).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--zstd", "-xf", "../out.tar.zst"]).current_dir(sandbox.path("out"));
    if !tar.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no tar that knows zstd");
        return;
    }
    assert_eq!(sandbox.files("out"), sandbox.files("src"));
    assert_eq!(sandbox.read("out/folder/b.txt"), "two");
    sandbox.write("out.tar.zst", "mine");
    let kept = sandbox
        .esker(["restore", "latest", "--to", "out.tar.zst", "--overwrite", "never"])
        .exits(1);
    assert!(kept.err.contains("exists already"), "{}", kept.err);
    assert_eq!(sandbox.read("out.tar.zst"), "mine");
}

#[test]
fn targets_that_cannot_be() {
    let sandbox = Sandbox::with_snapshot();
    sandbox.write("file", "mine");
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "file"]).fails().screen(), @"
    --- stderr
    error: cannot restore snapshot ID8 to `file`
    caused by: cannot open the target folder `file`
    caused by: File exists (os error 17)
    hint: name a new folder, or one that you may write to: `--to DIR`
    --- exit 1
    ");
    assert_eq!(sandbox.read("file"), "mine");
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", "missing/out.tar.zst"]).fails().screen(), @r#"
    --- stderr
    error: cannot restore snapshot ID8 to `missing/out.tar.zst`
    caused by: cannot open the target folder `missing/out.tar.zst`
    caused by: No such file or directory (os error 2) at path "DIR/missing/.tmpNAME"
    hint: name a new folder, or one that you may write to: `--to DIR`
    --- exit 1
    "#);
    assert_snapshot!(sandbox.esker(["restore", "latest", "--to", ""]).exits(2).screen(), @"
    --- stderr
    error: a value is required for '--to <DIR>' but none was supplied

    For more information, try '--help'.
    --- exit 2
    ");
}
