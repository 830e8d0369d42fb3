//! Shares of the data, and what is done after damage.

use std::fs;

use esker_tests::noise;
use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

/// Data and meta in packs of their own: one of the big files' packs is returned.
fn with_big_files() -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    for number in 0..3 {
        sandbox.write(&format!("src/big{number}"), noise(number, 3_000_000));
    }
    sandbox.esker(["backup", "./src", "--memory", "1"]).ok();
    let mut packs = sandbox.packs();
    packs.retain(|pack| pack.to_str().unwrap().ends_with("-d"));
    (sandbox, packs.remove(0))
}

#[test]
fn a_share_of_the_data_is_read_and_remembered() {
    let (sandbox, _) = with_big_files();
    let first = sandbox.esker(["check", "--read-data=1", "--json"]).ok().json();
    let figure = |name: &str| first["proven"][name].as_u64().unwrap();
    assert_eq!((first["packs"].as_u64(), figure("unproven_packs")), (Some(4), 3));
    assert_eq!(first["bytes_read"], first["proven"]["proven_bytes"]);
    let text = sandbox.esker(["check", "--read-data=1"]).ok().text();
    assert!(text.contains("never proven: 2 packs, "), "{text}");
    assert!(text.contains("; all others since 20"), "{text}");
    sandbox.esker(["check", "--read-data"]).ok();
    let text = sandbox.esker(["check", "--read-data=1/3"]).ok().text();
    assert!(text.contains("all data were proven since 20") && text.contains(" of "), "{text}");
    let refused = sandbox.esker(["check", "--read-data=most"]).exits(2).report();
    assert!(refused.contains("`most` is no share of the data"), "{refused}");
}

#[test]
fn a_lost_index_is_rebuilt() {
    let (sandbox, _) = with_big_files();
    assert_snapshot!(sandbox.esker(["repair", "index"]).ok().screen(), @"
    the index is whole: 4 packs
    --- exit 0
    ");
    for name in sandbox.files("repo/index") {
        fs::remove_file(sandbox.path(&format!("repo/index/{name}"))).unwrap();
    }
    let found = sandbox.esker(["check"]).exits(3).text();
    assert!(found.contains("esker repair index"), "{found}");
    let dry = sandbox.esker(["repair", "index", "--dry-run", "--json"]).ok().json();
    assert_eq!((dry["dry_run"].as_bool(), dry["segments"].as_u64()), (Some(true), Some(1)));
    assert_eq!(sandbox.files("repo/index").len(), 0);
    let told = sandbox.esker(["repair", "index"]).ok().text();
    assert!(told.contains("1 damaged segment replaced by 1 new segment"), "{told}");
    sandbox.assert_sound();
}

#[test]
fn what_can_be_saved_is_saved_and_the_next_backup_heals() {
    let (sandbox, pack) = with_big_files();
    fs::remove_file(&pack).unwrap();
    let before = sandbox.files("repo");
    let dry = sandbox.esker(["repair", "snapshots", "--dry-run"]).exits(3).text();
    assert!(dry.contains("dry run: nothing was written"), "{dry}");
    assert_eq!(sandbox.files("repo"), before);
    let told = sandbox.esker(["repair", "snapshots"]).exits(3).text();
    assert!(told.contains("  /big") && told.contains("its content is lost"), "{told}");
    assert!(told.contains("`esker forget "), "{told}");
    let again = sandbox.esker(["repair", "snapshots", "--json"]).ok().json();
    assert_eq!(again["repairs"].as_array().unwrap().len(), 0);
    assert_eq!(again["skipped"].as_array().unwrap().len(), 1);
    let damaged = again["skipped"][0].as_str().unwrap().to_owned();

    let restored = sandbox.esker(["restore", "latest", "--to", "out"]).exits(3);
    assert!(restored.err.contains("its content is lost"), "{}", restored.report());
    assert_eq!(sandbox.read("out/folder/b.txt"), "two");
    assert!(sandbox.files("out").len() < sandbox.files("src").len());

    sandbox.esker(["backup", "./src"]).ok();
    sandbox.esker(["restore", "latest", "--to", "whole"]).ok();
    assert_eq!(sandbox.files("whole"), sandbox.files("src"));
    sandbox.esker(["forget", &damaged]).ok();
    sandbox.esker(["repair", "snapshots"]).ok();
}
