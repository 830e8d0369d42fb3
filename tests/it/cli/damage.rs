//! Damaged and hostile bytes in the repository: messages, never a panic, and what is whole comes back.

use std::fs;
use std::path::{Path, PathBuf};

use esker_tests::noise;
use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

/// Two snapshots; the file `big` was added by the second, whose pack is returned.
fn two_snapshots() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::with_snapshot();
    let before = sandbox.packs();
    sandbox.write("src/big", noise(1, 200_000));
    sandbox.esker(["backup", "./src"]).ok();
    let mut packs = sandbox.packs();
    packs.retain(|pack| !before.contains(pack));
    let pack = packs.pop().unwrap();
    (sandbox, pack)
}

fn name_in_repository(sandbox: &Sandbox, path: &Path) -> String {
    path.strip_prefix(sandbox.path("repo")).unwrap().display().to_string()
}

#[test]
fn a_deleted_pack_is_named_with_what_it_hits() {
    let (sandbox, pack) = two_snapshots();
    let first = sandbox.esker(["snapshots", "--json"]).json()[0]["id"].clone();
    fs::remove_file(&pack).unwrap();
    let checked = sandbox.esker(["check"]).exits(3);
    assert_snapshot!(checked.screen(), @"
    packs/mixed/ID32: missing
      a pack that a commit names is gone; hits `collection files` in snapshot ID8
      hint: `esker backup --full SOURCE` stores anew what the source still has
    checked 2 snapshots, 1 pack, 2 objects; data not read (`--read-data` reads them) — DAMAGED, 1 finding
    --- stderr
    TIME  WARN esker_engine::repo::loading: an object is missing from the index; the footers of unlisted packs are read
    --- exit 3
    ");
    let found = sandbox.esker(["check", "--json"]).exits(3).json();
    assert_eq!(found["status"], "damaged");
    let finding = &found["findings"][0];
    assert_eq!(finding["object"], name_in_repository(&sandbox, &pack));
    assert_eq!(finding["kind"], "missing");
    assert!(!finding["hint"].as_str().unwrap().is_empty());
    // What the other snapshot holds is untouched.
    sandbox.esker(["restore", first.as_str().unwrap(), "--to", "first"]).ok();
    assert_eq!(sandbox.files("first"), ["a.txt", "folder/b.txt", "folder/c.log"]);
    let lost = sandbox.esker(["restore", "latest", "--to", "second"]);
    assert!(matches!(lost.code, Some(1 | 3)), "{}", lost.report());
    // The source still has everything: backing it up again heals what is new.
    let healing = sandbox.esker(["backup", "./src"]).exits(3);
    assert!(healing.err.contains("the last snapshot is damaged"), "{}", healing.err);
    sandbox.esker(["backup", "./src"]).ok();
    sandbox.esker(["restore", "latest", "--to", "third"]).ok();
    assert!(sandbox.files("third") == sandbox.files("src"));
}

#[test]
fn a_lost_content_costs_one_file_only() {
    let sandbox = Sandbox::new();
    for number in 0..3 {
        sandbox.write(&format!("src/big{number}"), noise(number, 3_000_000));
    }
    // With so little memory data and meta go to packs of their own.
    sandbox.esker(["backup", "./src", "--memory", "1"]).ok();
    let mut packs = sandbox.packs();
    packs.retain(|pack| pack.to_str().unwrap().ends_with("-d"));
    assert!(!packs.is_empty(), "{:?}", sandbox.packs());
    fs::remove_file(&packs[0]).unwrap();
    let found = sandbox.esker(["check", "--json"]).exits(3).json();
    let named = &found["findings"][0];
    assert_eq!(named["object"], name_in_repository(&sandbox, &packs[0]));
    assert!(named["effect"].as_str().unwrap().contains("/big"), "{named}");
    let restored = sandbox.esker(["restore", "latest", "--to", "out"]).exits(3);
    assert!(restored.err.contains("warning: `big"), "{}", restored.err);
    assert_eq!(sandbox.read("out/folder/b.txt"), "two");
}

#[test]
fn packs_of_a_stranger() {
    let (sandbox, pack) = two_snapshots();
    let honest = fs::read(&pack).unwrap();
    let trailer = honest.len() - 256;
    let mut huge = honest.clone();
    huge[trailer + 192..trailer + 200].fill(0xff);
    let mut no_footer = honest.clone();
    no_footer[trailer + 192..trailer + 196].fill(0);
    let mut turned = honest.clone();
    turned[1000] ^= 1;
    let variants = [
        ("random", noise(9, honest.len()).to_vec()),
        ("huge lengths", huge),
        ("no footer", no_footer),
        ("a bit turned", turned),
        ("half", honest[..honest.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("a trailer alone", honest[trailer..].to_vec()),
        ("longer", [&honest[..], &[0; 5000]].concat()),
    ];
    let name = name_in_repository(&sandbox, &pack);
    for (what, bytes) in variants {
        fs::write(&pack, bytes).unwrap();
        let found = sandbox.esker(["check", "--read-data", "--json"]).exits(3).json();
        let findings = found["findings"].as_array().unwrap();
        assert!(findings.iter().any(|it| it["object"] == *name), "{what}: {found}");
        let restored = sandbox.esker(["restore", "latest", "--to", what]);
        assert!(matches!(restored.code, Some(1 | 3)), "{what}: {}", restored.report());
        assert!(!restored.err.is_empty(), "{what}");
        for command in [&["ls", "latest"][..], &["stats"], &["snapshots"], &["cat", "latest:/big"]]
        {
            let ran = sandbox.esker(command);
            assert!(matches!(ran.code, Some(0 | 1)), "{what}: {}", ran.report());
        }
        fs::write(&pack, &honest).unwrap();
        sandbox.assert_sound();
    }
}

#[test]
fn every_object_replaced_by_noise() {
    let template = Sandbox::with_snapshot();
    for name in template.files("repo") {
        let path = format!("repo/{name}");
        let honest = fs::read(template.path(&path)).unwrap();
        template.write(&path, noise(3, 777));
        let checked = template.esker(["check"]);
        assert!(matches!(checked.code, Some(1 | 3)), "{name}: {}", checked.report());
        assert!(
            checked.text().contains(&name) || checked.err.contains(&name),
            "{name} is not named: {}",
            checked.report()
        );
        let restored = template.esker(["restore", "latest", "--to", &name.replace('/', "-")]);
        assert!(matches!(restored.code, Some(0 | 1 | 3)), "{name}: {}", restored.report());
        template.write(&path, honest);
    }
    template.assert_sound();
}

#[test]
fn warnings_carry_no_escape_codes() {
    let (sandbox, pack) = two_snapshots();
    fs::remove_file(&pack).unwrap();
    let ran = sandbox.esker(["restore", "latest", "--to", "out", "--log-level", "trace"]);
    assert!(!ran.err.contains('\x1b') && !ran.text().contains('\x1b'), "{}", ran.report());
}
