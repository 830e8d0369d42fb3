mod property;
mod reference;
mod rules;

use jiff::Timestamp;

use super::*;
use crate::format::commit::{Commit, SnapshotStatus, SourceIdentity, Statistics, StoredLedger};
use crate::id::{SnapshotId, Ulid, WriterId};
use crate::repo::Snapshot;
use crate::testing::{MemorySource, TempRepo, small_options};

/// A complete snapshot of source `a`; later numbers were begun later.
fn snapshot(number: u8, time: &str) -> Snapshot {
    let writer = WriterId([7; 8]);
    let ulid = Ulid(u128::from(number));
    let commit = Commit {
        version: 1,
        checkpoint: false,
        source: SourceIdentity { kind: "memory".into(), identity: "a".into(), name: "a".into() },
        started: time.into(),
        time: time.into(),
        writer,
        sequence: u64::from(number),
        previous: None,
        heads: Vec::new(),
        parent: None,
        repairs: None,
        collections: Vec::new(),
        packs: Vec::new(),
        segments: Vec::new(),
        statistics: Statistics::default(),
        problems: Vec::new(),
        ledger: StoredLedger::default(),
        tags: Vec::new(),
        immutable_until: None,
        status: SnapshotStatus::Complete,
        program: "esker".into(),
        host: "here".into(),
        copied: None,
    };
    Snapshot {
        id: SnapshotId([number; 32]),
        slot: SessionName { epoch: 0, writer, ulid },
        commit,
        forgotten: false,
        holds: Vec::new(),
        tags: Vec::new(),
    }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn plan(snapshots: &[Snapshot], policy: &KeepPolicy, now: Timestamp) -> ForgetPlan {
    plan_policy(&snapshots.iter().collect::<Vec<_>>(), policy, now)
}

#[test]
fn what_is_forgotten_comes_back_and_what_is_held_or_immutable_stays() {
    let place = TempRepo::memory();
    let repository = place.create();
    let source = MemorySource::new("one", &["c"]);
    place.backup(&source);
    place.backup(&source);
    let now = now(&place.ctx());
    let until = place.ctx().clock.now() + std::time::Duration::from_secs(60);
    let options =
        crate::ops::backup::BackupOptions { immutable_until: Some(until), ..small_options() };
    place.backup_with(&source, &options).unwrap();
    let mut snapshots = place.snapshots();
    snapshots[0].holds.push(String::new());
    let plan = plan_snapshots(&snapshots.iter().collect::<Vec<_>>(), now);
    assert_eq!(plan.keep[0].reasons, ["held"]);
    let until = crate::clock::rfc3339(until);
    assert_eq!(plan.keep[1].reasons, [format!("immutable until {until}")]);
    assert_eq!(plan.remove.len(), 1);
    assert_eq!(plan.remove[0].id, snapshots[1].id);
    apply(&repository, &plan, &place.ctx()).unwrap();
    let ids = || place.snapshots().iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(ids(), [snapshots[0].id, snapshots[2].id]);
    undelete(&repository, &[plan.remove[0].slot], &place.ctx()).unwrap();
    assert_eq!(ids(), [snapshots[0].id, snapshots[1].id, snapshots[2].id]);
}
