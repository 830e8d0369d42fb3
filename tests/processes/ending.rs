//! When all actors have ended: what is kept is whole, and nothing else takes room.

use std::collections::HashSet;
use std::fs;

use esker_engine::store::{Store, StoreOptions};
use esker_tests::runtime;

use crate::actors;
use crate::world::{State, World};

const ACTOR: &str = "last";

/// Collects in quiet, checks, restores, and compares the size with that of a fresh repository.
pub(crate) fn verify(world: &World) {
    // Nobody is at work any more: no session is waited for.
    for _ in 0..2 {
        if !succeeds(world, &["prune", "--json", "--patience", "0"]) {
            return;
        }
    }
    if !succeeds(world, &["check", "--read-data"]) {
        return;
    }
    let fresh = world.folder.join("fresh").display().to_string();
    world.run(ACTOR, &fresh, &["init"]);
    let Some(listed) = world.listed(ACTOR, None) else { return };
    let kept = world.truth().all(State::Kept);
    if let Some(missing) = kept.iter().find(|id| listed.get(*id) != Some(&false)) {
        return world.fail(&format!("the kept snapshot {missing} is not listed at the end"));
    }
    for (id, _) in listed.iter().filter(|(_, forgotten)| !**forgotten) {
        let run = |args: &[&str]| world.run(ACTOR, &world.place, args);
        if !actors::restore(world, ACTOR, id, run) {
            return world.fail(&format!("snapshot {id} does not restore at the end"));
        }
        let folder = world.folder.join(format!("restored-{ACTOR}")).display().to_string();
        let ended = world.run(ACTOR, &fresh, &["backup", &folder, "--full"]);
        if !ended.is_done() {
            return world.fail_by(&ended);
        }
    }
    world
        .counts
        .add("kept at the end", listed.values().filter(|forgotten| !**forgotten).count() as u64);
    measure(world, &fresh);
}

fn succeeds(world: &World, args: &[&str]) -> bool {
    let ended = world.run(ACTOR, &world.place, args);
    if !ended.is_done() {
        world.fail_by(&ended);
    }
    ended.is_done()
}

fn measure(world: &World, fresh: &str) {
    let used = objects(world, &world.place);
    let needed: u64 = objects(world, fresh).iter().map(|(_, length)| length).sum();
    let slots: HashSet<_> =
        used.iter().filter_map(|(name, _)| name.strip_prefix("commits/")).collect();
    let markers = used.iter().filter_map(|(name, _)| name.strip_prefix("sessions/"));
    let open: Vec<_> = markers.filter(|session| !slots.contains(session)).collect();
    if !open.is_empty() {
        world.fail(&format!("sessions are left open: {open:?}"));
    }
    let used: u64 = used.iter().map(|(_, length)| length).sum();
    world.counts.add("bytes stored", used);
    world.counts.add("bytes of a fresh repository", needed);
    if used > needed + needed / 10 + 200_000 {
        world.fail(&format!("{used} bytes are stored where {needed} would do"));
    }
    let _ = fs::remove_dir_all(fresh);
}

fn objects(world: &World, place: &str) -> Vec<(String, u64)> {
    let variables = world.variables.iter();
    let options = variables.fold(StoreOptions::default(), |all, it| all.with(it.0, &it.1));
    let store = Store::open(place, &options, runtime()).expect("the store opens");
    let listed = store.list("").expect("the store can be listed");
    listed.into_iter().map(|object| (object.name, object.length)).collect()
}
