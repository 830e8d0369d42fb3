//! Bad input: each has a clear message, a hint that can be typed, an exit code, and leaves everything as it was.

use std::collections::BTreeSet;
use std::fs;

use esker_engine::context::RunContext;
use esker_engine::ops::backup::backup;
use esker_tests::run_cli::Sandbox;
use esker_tests::{MemorySource, small_options};
use insta::assert_snapshot;

use super::hostile::open;

#[test]
fn places_without_a_repository() {
    let sandbox = Sandbox::empty();
    sandbox.write("key", format!("esker-key-v1:{}\n", "0".repeat(64)));
    fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.write("file", "x");
    let open = |place: &str| sandbox.command(["snapshots", "--repo", place]).run().fails();
    assert_snapshot!(open("empty").screen(), @"
    --- stderr
    error: cannot open the repository at `empty`
    caused by: there is no repository at `empty`
    hint: make one with `esker init --repo empty`, or check the address
    --- exit 1
    ");
    assert_snapshot!(open("missing").screen(), @"
    --- stderr
    error: cannot open the repository at `missing`
    caused by: there is no repository at `missing`
    hint: make one with `esker init --repo missing`, or check the address
    --- exit 1
    ");
    assert_snapshot!(open("file").screen(), @"
    --- stderr
    error: cannot open the repository at `file`
    caused by: the folder `file` cannot be used
    caused by: Not a directory (os error 20)
    hint: a repository is a folder that you may write to; look: `ls -ld file`
    --- exit 1
    ");
    assert_snapshot!(open("ftp://host/x").screen(), @"
    --- stderr
    error: cannot open the repository at `ftp://host/x`
    caused by: `ftp://host/x` cannot be a repository: this version knows folders, `file://`, `memory://`, `s3://`, `gs://`, `az://`, `http://` and `https://`, and not `ftp://`
    hint: a repository is a folder, as in `--repo /backups/esker`, or an address such as `s3://bucket/esker`
    --- exit 1
    ");
    let backup = sandbox.command(["backup", "./empty", "--repo", "missing"]).run().fails();
    assert!(backup.err.contains("there is no repository"), "{}", backup.err);
    assert!(!sandbox.exists("missing"), "looking made it");
    assert!(sandbox.files("empty").is_empty(), "looking left something");
    let none = sandbox.command(["snapshots"]).without("ESKER_REPO");
    assert_snapshot!(none.run().fails().screen(), @"
    --- stderr
    error: no repository was named
    hint: name it with `--repo URL`, or set `ESKER_REPO`
    --- exit 1
    ");
}

#[test]
fn places_where_no_repository_can_be_made() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let before = sandbox.files("repo");
    assert_snapshot!(sandbox.esker(["init"]).fails().screen(), @"
    --- stderr
    error: cannot make a repository at `repo`
    caused by: there is a repository at `repo` already
    hint: it can be used as it is: `esker snapshots --repo repo`
    --- exit 1
    ");
    assert_eq!(sandbox.files("repo"), before);
    sandbox.write("occupied/mine", "x");
    sandbox.write("file", "x");
    let make = |place: &str| {
        let made = sandbox.command(["init", "--repo", place]).env("ESKER_KEY_FILE", "key2");
        made.run().fails()
    };
    assert_snapshot!(make("occupied").screen(), @"
    --- stderr
    error: cannot make a repository at `occupied`
    caused by: `occupied` is not empty: it holds `mine`
    hint: name an empty or new folder: `esker init --repo occupied/esker`
    --- exit 1
    ");
    assert_snapshot!(make("file").screen(), @"
    --- stderr
    error: cannot make a repository at `file`
    caused by: the folder `file` cannot be used
    caused by: Not a directory (os error 20)
    hint: a repository is a folder that you may write to; look: `ls -ld file`
    --- exit 1
    ");
    assert_eq!(sandbox.files("occupied"), ["mine"]);
    assert!(!sandbox.exists("key2"), "a key was made for nothing");
}

#[test]
fn wrong_keys() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    sandbox.command(["init", "--repo", "other"]).env("ESKER_KEY_FILE", "other-key").run().ok();
    sandbox.write("text", "no key");
    sandbox.write("wrong-bytes", [0xff, 0xfe, 0x00]);
    let with = |key: &str| sandbox.esker(["snapshots", "--key-file", key]).fails();
    assert_snapshot!(with("other-key").screen(), @"
    --- stderr
    error: cannot open the repository at `repo`
    caused by: no key slot opens with this key file: 1 of that kind tried
    hint: look at what `--key-file` says; if it opens with a passphrase, set `ESKER_PASSWORD` and give no key file
    --- exit 1
    ");
    assert_snapshot!(with("text").screen(), @"
    --- stderr
    error: `text` is no key file of Esker
    hint: --key-file must name a file that `esker init --key-file FILE` made
    --- exit 1
    ");
    assert_snapshot!(with("wrong-bytes").screen(), @"
    --- stderr
    error: cannot read `wrong-bytes`, which --key-file names
    hint: it is no text
    --- exit 1
    ");
    assert_snapshot!(with("missing").screen(), @"
    --- stderr
    error: cannot read `missing`, which --key-file names
    caused by: No such file or directory (os error 2)
    hint: check the path: `ls -l missing`
    --- exit 1
    ");
    let none = sandbox.command(["snapshots"]).without("ESKER_KEY_FILE");
    assert_snapshot!(none.run().fails().screen(), @"
    --- stderr
    error: no key was given, and nobody can be asked: there is no terminal
    hint: set `ESKER_PASSWORD`, `ESKER_PASSWORD_FILE`, `ESKER_PASSWORD_COMMAND` or `ESKER_KEY_FILE`, or give `--key-file FILE`
    --- exit 1
    ");
    let failing = sandbox.command(["snapshots"]).without("ESKER_KEY_FILE");
    let failing = failing.env("ESKER_PASSWORD_COMMAND", "exit 7").run().fails();
    assert_snapshot!(failing.screen(), @"
    --- stderr
    error: the command in `ESKER_PASSWORD_COMMAND` failed
    caused by: it ended with exit status: 7
    hint: try it: `exit 7`
    --- exit 1
    ");
    let kind = sandbox.command(["snapshots"]).without("ESKER_KEY_FILE");
    let kind = kind.env("ESKER_PASSWORD", "a passphrase").run().fails();
    assert_snapshot!(kind.screen(), @"
    --- stderr
    error: cannot open the repository at `repo`
    caused by: no key slot opens with this passphrase: 0 of that kind tried
    hint: if it opens with a key file, give `--key-file FILE`
    --- exit 1
    ");
}

#[test]
fn a_newer_format() {
    let sandbox = Sandbox::with_snapshot();
    for name in ["repo/config/0", "repo/config/0.copy"] {
        let config = sandbox.read(name);
        let newer = config.replace("\"version\":1", "\"version\":2");
        assert_ne!(config, newer);
        sandbox.write(name, newer);
    }
    for command in [&["snapshots"][..], &["backup", "./src"], &["check"]] {
        let ran = sandbox.esker(command).fails();
        assert!(ran.err.contains("format version 2"), "{}", ran.report());
        assert!(ran.err.contains("a newer Esker is needed"), "{}", ran.report());
    }
    assert_snapshot!(sandbox.esker(["snapshots"]).screen(), @"
    --- stderr
    error: cannot open the repository at `repo`
    caused by: `config/0` cannot be used
    caused by: it has format version 2; this program knows version 1
    hint: a newer Esker is needed; this one is 0.1.0: see `esker --version`
    --- exit 1
    ");
}

#[test]
fn sources_that_cannot_be_read() {
    let sandbox = Sandbox::new();
    let back_up = |source: &str| sandbox.esker(["backup", source]);
    assert_snapshot!(back_up("./missing").fails().screen(), @"
    --- stderr
    error: cannot back up what was named
    caused by: cannot read `./missing`
    caused by: No such file or directory (os error 2)
    hint: check that it exists and that you may read it: `ls -ld ./missing`
    --- exit 1
    ");
    assert_snapshot!(back_up("word").fails().screen(), @"
    --- stderr
    error: no source is called `word`
    hint: for the folder of that name: `esker backup ./word`
    --- exit 1
    ");
    assert_snapshot!(back_up("kind:x").fails().screen(), @"
    --- stderr
    error: sources of the kind `kind` are not known
    hint: this version knows `files:PATH`, `jira:URL`; a path with a colon is written `./kind:x`
    --- exit 1
    ");
    assert_snapshot!(back_up("").misused().screen(), @"
    --- stderr
    error: a source has no name
    hint: name a folder: `esker backup /srv/share`
    --- exit 2
    ");
    assert_snapshot!(sandbox.esker(["backup"]).misused().screen(), @"
    --- stderr
    error: nothing to back up was named
    hint: name a folder: `esker backup /srv/share`, or `--stdin`, or `--files-from FILE`
    --- exit 2
    ");
    assert_snapshot!(sandbox.esker(["backup", "--files-from", "missing"]).fails().screen(), @"
    --- stderr
    error: cannot back up what was named
    caused by: cannot read `missing`
    caused by: No such file or directory (os error 2)
    hint: check that it exists and that you may read it: `ls -ld missing`
    --- exit 1
    ");
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn snapshots_that_are_not_there() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.esker(["ls", "latest"]).fails().screen(), @"
    --- stderr
    error: there is no snapshot `latest`
    caused by: the repository has none yet
    hint: make the first one with `esker backup FOLDER`
    --- exit 1
    ");
    sandbox.esker(["backup", "./src"]).ok();
    for name in ["ffffffff", "src@2001-01-01", "other@latest"] {
        let ran = sandbox.esker(["ls", name]).fails();
        assert!(ran.err.contains(&format!("there is no snapshot `{name}`")), "{}", ran.err);
    }
    assert_snapshot!(sandbox.esker(["ls", "nonsense"]).fails().screen(), @"
    --- stderr
    error: `nonsense` is no snapshot
    hint: write `latest`, an id of at least 4 hex digits, `SOURCE@latest` or `SOURCE@DATE 03:00`; list them with `esker snapshots`
    --- exit 1
    ");
    for command in [
        &["cat", "ffffffff:/a"][..],
        &["diff", "latest", "ffffffff"],
        &["forget", "ffffffff"],
        &["tag", "ffffffff", "x"],
        &["hold", "ffffffff"],
        &["restore", "ffffffff", "--to", "out"],
    ] {
        sandbox.esker(command).fails();
    }
    assert!(!sandbox.exists("out"));
}

#[test]
fn a_prefix_of_several_snapshots() {
    let sandbox = Sandbox::empty();
    sandbox.esker(["init"]).ok();
    let (repository, source) = (open(&sandbox), MemorySource::new("x", &["files"]));
    // Ids are hashes: of a few hundred, two begin with the same four digits.
    let mut seen = BTreeSet::new();
    let doubled = (0..2000).find_map(|_| {
        let report = backup(&repository, &source, &small_options(), &RunContext::default());
        let prefix = report.unwrap().snapshot.unwrap().to_hex()[..4].to_owned();
        (!seen.insert(prefix.clone())).then_some(prefix)
    });
    let doubled = doubled.expect("two ids begin alike");
    let ran = sandbox.esker(["ls", &doubled]).fails();
    assert_snapshot!(ran.err.replace(&doubled, "PREFIX"), @"
    error: there is no snapshot `PREFIX`
    caused by: more than one snapshot has an id that begins with `PREFIX`
    hint: list the snapshots with `esker snapshots`
    ");
}

#[test]
fn paths_that_are_not_in_the_snapshot() {
    let sandbox = Sandbox::with_snapshot();
    assert_snapshot!(sandbox.esker(["ls", "latest:/missing"]).fails().screen(), @"
    --- stderr
    error: cannot list `latest:/missing`
    caused by: snapshot ID8 holds no `/missing`
    hint: list what is there with `esker ls ID8`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["cat", "latest:/missing"]).fails().screen(), @"
    --- stderr
    error: cannot read `latest:/missing`
    caused by: snapshot ID8 holds no `/missing`
    hint: list what is there with `esker ls ID8`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["cat", "latest:/folder"]).fails().screen(), @"
    --- stderr
    error: cannot read `latest:/folder`
    caused by: `/folder` is no file: it is a directory
    hint: list what is there with `esker ls latest:/folder`
    --- exit 1
    ");
    assert_snapshot!(sandbox.esker(["cat", "latest"]).misused().screen(), @"
    --- stderr
    error: `latest` names no file
    hint: add its path: `esker cat latest:/PATH`
    --- exit 2
    ");
    assert_snapshot!(sandbox.esker(["restore", "latest:/missing", "--to", "out"]).fails().screen(), @"
    --- stderr
    error: cannot restore snapshot ID8 to `out`
    caused by: snapshot ID8 holds no `/missing`
    hint: list what is there with `esker ls ID8`
    --- exit 1
    ");
    assert!(!sandbox.exists("out"), "a target was made for nothing");
}

#[test]
fn options_that_make_no_sense() {
    let sandbox = Sandbox::with_snapshot();
    for args in [
        &["frobnicate"][..],
        &[],
        &["ls"],
        &["ls", "latest", "--frobnicate"],
        &["restore", "latest"],
        &["restore", "latest", "--to", "out", "--overwrite", "sometimes"],
        &["backup", "./src", "--memory", "much"],
        &["backup", "./src", "--memory", "99999999999TiB"],
        &["backup", "./src", "--time", "yesterday"],
        &["backup", "./src", "--stdin"],
        &["backup", "--stdin", "--stdin-name", "../x"],
        &["forget", "--keep-last", "-1"],
        &["forget", "--keep-last", "many"],
        &["restore", "latest", "--to", "out", "--include", "a[z-a]"],
        &["snapshots", "--log-level", "a=b=c"],
        &["snapshots", "-q", "-v"],
        &["completions", "csh"],
    ] {
        let ran = sandbox.esker(args).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{}", ran.report());
    }
    assert_snapshot!(sandbox.esker(["backup", "./src", "--memory", "much"]).screen(), @"
    --- stderr
    error: invalid value 'much' for '--memory <SIZE>': `much` is no size: write it like `256MiB`

    For more information, try '--help'.
    --- exit 2
    ");
    assert!(!sandbox.exists("out"));
}

#[test]
fn odd_amounts_of_memory_are_made_do_with() {
    let sandbox = Sandbox::new();
    sandbox.esker(["backup", "./src", "--memory", "1"]).ok();
    sandbox.esker(["check", "--read-data", "--memory", "0"]).ok();
    sandbox.esker(["restore", "latest", "--to", "out", "--memory", "1"]).ok();
    sandbox.esker(["backup", "./src", "--full", "--memory", "8000000TiB"]).ok();
    sandbox.esker(["restore", "latest", "--to", "huge", "--memory", "8000000TiB"]).ok();
    assert_eq!(sandbox.files("huge"), sandbox.files("src"));
}

#[test]
fn stores_that_nobody_may_ask() {
    let sandbox = Sandbox::empty();
    let refused = |url: &str, variables: &[(&str, &str)]| {
        let command = sandbox.command(["snapshots", "--repo", url]);
        variables.iter().fold(command, |command, (name, value)| command.env(name, value)).run()
    };
    assert_snapshot!(refused("s3://bucket/esker", &[]).fails().screen(), @"
    --- stderr
    error: cannot open the repository at `s3://bucket/esker`
    caused by: there are no credentials for `s3://bucket/esker`: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN
    hint: on a machine of that cloud: `export ESKER_ASK_METADATA_SERVICE=1`
    --- exit 1
    ");
    assert_snapshot!(refused("http://backups.example/dav", &[]).fails().screen(), @"
    --- stderr
    error: cannot open the repository at `http://backups.example/dav`
    caused by: `http://backups.example` would be asked over plain HTTP, which shows credentials to everybody on the way
    hint: write `https://`, or `export ESKER_INSECURE_HTTP=1` where nobody listens
    --- exit 1
    ");
    let key = ("AZURE_STORAGE_ACCOUNT_KEY", "hidden-from-all!");
    let azure = refused("az://box", &[("AZURE_STORAGE_ACCOUNT_NAME", "acme"), key]).fails();
    assert!(!azure.err.contains(key.1), "{}", azure.report());
    let address = refused("https://me:hidden-from-all@backups.example/dav", &[]).misused();
    assert!(!address.err.contains("hidden") && address.err.contains("WEBDAV_PASSWORD"));
}

#[test]
fn locks_where_there_are_none() {
    let sandbox = Sandbox::empty();
    sandbox.write("key", format!("esker-key-v1:{}\n", "0".repeat(64)));
    fs::create_dir(sandbox.path("empty")).unwrap();
    let init = |place: &str, period: &str| {
        sandbox.command(["init", "--repo", place, "--object-lock", period]).run()
    };
    for place in ["empty", "missing"] {
        let refused = init(place, "30d").fails();
        assert!(refused.err.contains(&format!("`{place}` cannot lock objects")), "{}", refused.err);
        assert!(refused.err.contains("hint: make a bucket with Object Lock"), "{}", refused.err);
    }
    assert!(!sandbox.path("missing").exists() && sandbox.files("empty").is_empty());
    let misused = init("missing", "30").exits(2);
    assert!(misused.err.contains("is no period: write it like `30d`"), "{}", misused.err);
}
