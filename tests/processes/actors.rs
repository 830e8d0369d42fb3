//! Who works on the repository at the same time.

use std::fs;
use std::sync::Arc;

use crate::folder::{self, Content};
use crate::random::Random;
use crate::world::{Ended, State, World};

/// Changes a folder and backs it up, again and again.
pub(crate) fn write(world: &World, number: u64) {
    let actor = format!("writer-{number}");
    let mut random = Random::new(world.seed ^ (number << 32));
    let source = world.folder.join(&actor);
    fs::create_dir_all(&source).expect("a folder can be made");
    let path = source.display().to_string();
    // What backups that were killed may have committed.
    let mut pending: Vec<Arc<Content>> = Vec::new();
    while world.goes_on() {
        folder::change(&source, &mut random);
        let content = Arc::new(folder::read(&source));
        pending.push(Arc::clone(&content));
        let ended = world.risk(&actor, &["backup", &path, "--json"], &mut random);
        if ended.is_done() {
            let summary = ended.json();
            let Some(id) = summary["snapshot"].as_str() else { return world.fail_by(&ended) };
            world.truth().committed(id, vec![content]);
            world.counts.add("commits", 1);
        } else if ended.is_legal_failure(&["was fenced"]) {
            world.counts.add("fenced backups", u64::from(ended.code.is_some()));
        } else {
            return world.fail_by(&ended);
        }
        let Some(listed) = world.listed(&actor, Some(&path)) else { return };
        let mut truth = world.truth();
        for id in listed.keys().filter(|id| !truth.snapshots.contains_key(*id)).collect::<Vec<_>>()
        {
            truth.committed(id, pending.clone());
            world.counts.add("commits of killed backups", 1);
        }
        if ended.is_done() {
            pending.clear();
        }
    }
}

/// Forgets by a policy and by ids, and brings back.
pub(crate) fn forget(world: &World) {
    let mut random = Random::new(world.seed ^ 0xf0);
    while world.goes_on() {
        match random.below(3) {
            0 => by_policy(world, &mut random),
            1 => by_id(world, &mut random),
            _ => bring_back(world, &mut random),
        }
        resolve(world);
        pause(&mut random, 1500);
    }
}

const FORGETTER: &str = "forgetter";

fn by_policy(world: &World, random: &mut Random) {
    let mut truth = world.truth();
    truth.is_policy_at_work = true;
    for id in truth.all(State::Kept) {
        truth.set(&id, State::Doubtful);
    }
    drop(truth);
    let count = (2 + random.below(3)).to_string();
    let ended = world.risk(FORGETTER, &["forget", "--keep-last", &count], random);
    if !ended.is_done() && !ended.is_legal_failure(&[]) {
        world.fail_by(&ended);
    }
}

fn by_id(world: &World, random: &mut Random) {
    let Some(id) = random.one_of(&world.truth().all(State::Kept)) else { return };
    world.truth().set(&id, State::Doubtful);
    let ended = world.risk(FORGETTER, &["forget", &id], random);
    if !ended.is_done() && !ended.is_legal_failure(&[]) {
        world.fail_by(&ended);
    }
}

fn bring_back(world: &World, random: &mut Random) {
    let Some(id) = random.one_of(&world.truth().all(State::Forgotten)) else { return };
    world.truth().set(&id, State::Doubtful);
    let ended = world.risk(FORGETTER, &["undelete", &id], random);
    if ended.is_done() {
        world.truth().set(&id, State::Kept);
        world.counts.add("brought back", 1);
        return;
    }
    // It may be gone, or about to go.
    let legal = ["were swept", "just deciding", "no snapshot", "no forgotten snapshot"];
    if !ended.is_legal_failure(&legal) {
        world.fail_by(&ended);
    }
    // The mark may be there, and what it would bring back may still go: nothing is promised.
    world.truth().set(&id, State::Unpromised);
}

/// Finds out what came of the last command; the forgetter alone changes what is visible.
fn resolve(world: &World) {
    let before = world.truth().snapshots.clone();
    let Some(listed) = world.listed(FORGETTER, None) else { return };
    let mut truth = world.truth();
    for (id, known) in before {
        match (known.state, listed.get(&id)) {
            (State::Kept, Some(false)) | (State::Forgotten | State::Unpromised, _) => {}
            (State::Kept, found) => {
                world.fail(&format!("the kept snapshot {id} is listed as {found:?}"));
            }
            (State::Doubtful, Some(false)) => truth.set(&id, State::Kept),
            (State::Doubtful, _) => truth.set(&id, State::Forgotten),
        }
    }
    truth.is_policy_at_work = false;
}

/// Collects garbage.
pub(crate) fn collect(world: &World, number: u64) {
    let actor = format!("collector-{number}");
    let mut random = Random::new(world.seed ^ (0xc0 + number));
    let patience = world.patience.to_string();
    while world.goes_on() {
        let mut args = vec!["prune", "--json", "--patience", &patience];
        match random.below(4) {
            0 => args.extend(["--max-waste", "0%"]),
            1 => args.extend(["--max-repack", "2MiB"]),
            2 => args.extend(["--max-waste", "30%"]),
            _ => {}
        }
        let ended = world.risk(&actor, &args, &mut random);
        if ended.is_done() {
            let summary = ended.json();
            let deleted = summary["deleted_packs"].as_u64().unwrap_or_default();
            world.counts.add("packs swept", deleted);
            world
                .counts
                .add("packs rescued", summary["rescued_packs"].as_u64().unwrap_or_default());
            world.counts.add("prunes that swept", u64::from(deleted > 0));
        } else if !ended.is_legal_failure(&["another `prune` is at work", "was fenced"]) {
            return world.fail_by(&ended);
        } else {
            world.counts.add("prunes that gave up", u64::from(ended.code.is_some()));
        }
        pause(&mut random, 1000);
    }
}

/// Restores what is kept, now and then checks everything.
pub(crate) fn read(world: &World, number: u64) {
    let actor = format!("reader-{number}");
    let mut random = Random::new(world.seed ^ (0xd0 + number));
    while world.goes_on() {
        // A statement of its own: the truth must not stay locked while the command runs.
        let chosen = random.one_of(&world.truth().all(State::Kept));
        if random.percent(8) {
            check(world, &actor, &mut random);
        } else if let Some(id) = chosen {
            restore(world, &actor, &id, |args| world.risk(&actor, args, &mut random));
        }
        pause(&mut random, 500);
    }
}

fn check(world: &World, actor: &str, random: &mut Random) {
    let ended = world.risk(actor, &["check", "--read-data"], random);
    if !ended.is_done() && !ended.is_legal_failure(&[]) {
        world.fail_by(&ended);
    }
}

/// Restores a snapshot and compares; false where it was not compared.
pub(crate) fn restore(
    world: &World,
    actor: &str,
    id: &str,
    run: impl FnOnce(&[&str]) -> Ended,
) -> bool {
    let Some(before) = world.truth().snapshots.get(id).cloned() else { return false };
    let folder = world.folder.join(format!("restored-{actor}"));
    let _ = fs::remove_dir_all(&folder);
    let ended = run(&["restore", id, "--to", &folder.display().to_string()]);
    if ended.code.is_none() {
        return false;
    }
    let after = world.truth().snapshots.get(id).cloned();
    let is_promised = after.is_some_and(|after| after.changes == before.changes);
    if ended.is_done() {
        let found = folder::read(&folder);
        if !before.contents.iter().any(|content| **content == found) {
            world.fail_by(&ended);
            world.fail("the restored snapshot differs from what was backed up");
        }
        world.counts.add("verified", 1);
        world.counts.add("bytes verified", found.values().map(|(_, length, _)| length).sum());
        return true;
    }
    if is_promised {
        world.fail_by(&ended);
    }
    false
}

fn pause(random: &mut Random, longest: u64) {
    std::thread::sleep(std::time::Duration::from_millis(random.below(longest)));
}
