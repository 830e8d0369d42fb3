//! Forgetting, bringing back, and freeing space.

use esker_tests::run_cli::Sandbox;
use insta::assert_snapshot;

fn with_days(days: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    for day in 1..=days {
        let content: Vec<u8> =
            (0..200_000u32).map(|i| (i.wrapping_mul(day * 7 + 1) >> 7) as u8).collect();
        std::fs::write(sandbox.path("src/daily"), content).unwrap();
        let time = format!("2026-03-{day:02}T00:00:00Z");
        sandbox.esker(["backup", "./src", "--time", &time]).ok();
    }
    sandbox
}

fn packs(sandbox: &Sandbox) -> u64 {
    sandbox.esker(["stats", "--json"]).json()["packs"].as_u64().unwrap()
}

#[test]
fn what_is_forgotten_is_freed() {
    let sandbox = with_days(4);
    sandbox.esker(["forget", "--keep-last", "1"]).ok();
    let before = packs(&sandbox);
    assert_snapshot!(sandbox.esker(["prune", "--dry-run"]).screen(), @"
    N SIZE in 4 packs; 1 snapshot kept, 3 given up
    dry run: 3 packs with N SIZE would go, N SIZE freed, 0 B of garbage left — nothing was deleted
    --- exit 0
    ");
    assert_eq!(packs(&sandbox), before);
    let report = sandbox.esker(["prune", "--json"]).json();
    assert!(report["deleted_packs"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["dropped_commits"], 3);
    assert!(packs(&sandbox) < before);
    sandbox.assert_sound();
    sandbox.esker(["restore", "latest", "--to", "back"]).ok();
    let read = |path: &str| std::fs::read(sandbox.path(path)).unwrap();
    assert_eq!(read("back/daily"), read("src/daily"));
    assert_snapshot!(sandbox.esker(["prune"]).screen(), @"
    N SIZE in 1 pack; 1 snapshot kept, 0 given up
    0 packs deleted, 0 B; 0 B of garbage left beside what is needed
    --- exit 0
    ");
    let refused = sandbox.esker(["prune", "--max-waste", "much"]).exits(2).screen();
    assert!(refused.contains("`much` is no share: write it like `5%`"), "{refused}");
}

#[test]
fn forget_frees_space_at_once_where_asked() {
    let sandbox = with_days(4);
    let before = packs(&sandbox);
    let forgotten = sandbox.esker(["snapshots", "--json"]).json()[0]["id"].clone();
    let report = sandbox.esker(["forget", "--keep-last", "1", "--prune", "--json"]).json();
    assert_eq!(report["remove"].as_array().unwrap().len(), 3);
    assert!(report["prune"]["deleted_packs"].as_u64().unwrap() > 0, "{report}");
    assert!(packs(&sandbox) < before);
    sandbox.assert_sound();
    let refused = sandbox.esker(["undelete", forgotten.as_str().unwrap()]).fails().report();
    assert!(refused.contains("no"), "{refused}");
}
