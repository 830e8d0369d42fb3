//! Configuration, key slots, commits, marks and session markers.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckReport, Finding, chain};
use crate::error::Error;
use crate::format::commit::CommitRef;
use crate::format::name::{ObjectName, SessionName};
use crate::repo::{History, Repository};

struct Names(BTreeSet<String>);

impl Names {
    fn has(&self, name: ObjectName) -> bool {
        self.0.contains(&name.to_string())
    }
}

pub(super) fn check(repository: &Repository, report: &mut CheckReport) -> Result<History, Error> {
    let history = repository.history_itself()?;
    let mut listed = BTreeSet::new();
    for room in ["config", "keys", "sessions", "commits", "marks"] {
        listed.extend(repository.store().list(room)?.into_iter().map(|object| object.name));
    }
    let listed = Names(listed);
    copies(repository, &listed, report);
    for damaged in &history.damaged {
        let effect = match damaged.name.split('/').next() {
            Some("commits") => "a snapshot, or the end of a session, cannot be read",
            Some("gc") => "what a collector decided cannot be read: no backup and no `prune` works",
            _ => "a mark on a snapshot cannot be read and does not count",
        };
        report.findings.push(Finding {
            object: damaged.name.clone(),
            kind: "damaged".into(),
            effect: format!("{effect}: {}", chain(&damaged.error)),
            hint: if damaged.name.starts_with("gc") {
                "remove it if it is a stranger's, else bring it back from a copy".into()
            } else {
                "other snapshots are not affected; see `esker snapshots`".into()
            },
        });
    }
    chains(&history, &listed, report);
    memory(repository, &history, &listed, report);
    sessions(repository, &history, &listed, report);
    Ok(history)
}

fn missing(name: impl ToString, effect: &str, hint: &str) -> Finding {
    Finding {
        object: name.to_string(),
        kind: "missing".into(),
        effect: effect.into(),
        hint: hint.into(),
    }
}

/// Configuration and key slots exist twice; either is enough, and both should be right.
fn copies(repository: &Repository, listed: &Names, report: &mut CheckReport) {
    let generation = repository.config().generation;
    for copy in [false, true] {
        let name = ObjectName::Config { generation, copy };
        let hint = "the other copy is still good: copy it over this one";
        if listed.has(name) {
            if let Err(error) = repository.check_config(name) {
                report.findings.push(Finding {
                    object: name.to_string(),
                    kind: "damaged".into(),
                    effect: format!("the configuration is read from its copy: {}", chain(&error)),
                    hint: hint.into(),
                });
            }
        } else {
            let effect = "the configuration is read from its copy";
            report.findings.push(missing(name, effect, hint));
        }
    }
    for &slot in &repository.config().slots {
        for copy in [false, true] {
            let name = ObjectName::Key { slot, copy };
            let hint = "the other copy, or another slot, still opens the repository";
            if listed.has(name) {
                if let Err(error) = repository.check_slot(name) {
                    report.findings.push(Finding {
                        object: name.to_string(),
                        kind: "damaged".into(),
                        effect: format!("a key slot cannot be used: {}", chain(&error)),
                        hint: hint.into(),
                    });
                }
            } else {
                report.findings.push(missing(name, "a key slot is gone", hint));
            }
        }
    }
}

/// Each commit names the one before it and the heads of the other writers; each mark the one before.
fn chains(history: &History, listed: &Names, report: &mut CheckReport) {
    let known: BTreeMap<SessionName, _> =
        history.snapshots.iter().map(|snapshot| (snapshot.slot, snapshot.id)).collect();
    let mut look = |reference: &CommitRef, by: SessionName| {
        let name = ObjectName::Slot(reference.slot);
        match known.get(&reference.slot) {
            Some(hash) if *hash == reference.hash => {}
            Some(_) => report.findings.push(rolled_back(name)),
            // One that is there and damaged was told already; one that was swept is gone for good.
            None if listed.has(name) || !history.decisions.counts(&reference.slot) => {}
            None => report.findings.push(missing(
                name,
                &format!("a snapshot that commit `{by}` names is gone"),
                "other snapshots are not affected; ask who may delete in this store",
            )),
        }
    };
    for snapshot in &history.snapshots {
        let commit = &snapshot.commit;
        for reference in commit.previous.iter().chain(&commit.heads) {
            look(reference, snapshot.slot);
        }
    }
    for (_, previous) in &history.marks {
        if let Some(name) = previous.as_ref().filter(|name| !listed.0.contains(*name)) {
            report.findings.push(missing_mark(name));
        }
    }
}

fn rolled_back(name: ObjectName) -> Finding {
    Finding {
        object: name.to_string(),
        kind: "rolled-back".into(),
        effect: "it is not the commit that was written under this name".into(),
        hint: "somebody with a key replaced it; do not trust this snapshot".into(),
    }
}

fn missing_mark(name: &str) -> Finding {
    missing(
        name,
        "what was said about a snapshot (forget, hold, tag) does not count any more",
        "look at `esker snapshots`, and say it again",
    )
}

/// What this client remembers must still be there.
fn memory(repository: &Repository, history: &History, listed: &Names, report: &mut CheckReport) {
    let remembered = repository.client().remembered();
    if let Some(head) = remembered.head {
        let name = ObjectName::Slot(head.slot);
        match history.snapshots.iter().find(|snapshot| snapshot.slot == head.slot) {
            Some(snapshot) if snapshot.id == head.hash => {}
            Some(_) => report.findings.push(rolled_back(name)),
            None if listed.has(name) || !history.decisions.counts(&head.slot) => {}
            None => report.findings.push(missing(
                name,
                "the newest snapshot of this client is gone",
                "ask who may delete in this store, then take a new snapshot",
            )),
        }
    }
    if let Some(name) = remembered.mark.filter(|name| !listed.0.contains(name)) {
        report.findings.push(missing_mark(&name));
    }
}

/// A slot without a marker is strange; a marker without a slot is a session that is open or was broken off.
fn sessions(repository: &Repository, history: &History, listed: &Names, report: &mut CheckReport) {
    for text in &listed.0 {
        match text.parse() {
            // Who died before the marker was written is fenced all the same.
            Ok(ObjectName::Slot(name)) if history.fences.contains(&name) => {}
            // The collector takes markers away when it needs them no more.
            Ok(ObjectName::Slot(name)) if name.epoch < history.decisions.floor() => {}
            Ok(ObjectName::Slot(name)) if !listed.has(ObjectName::Session(name)) => {
                report.findings.push(missing(
                    ObjectName::Session(name),
                    "the marker of a session is gone; its snapshot is not affected",
                    "nothing needs to be done",
                ));
            }
            Ok(ObjectName::Session(name)) => {
                if !listed.has(ObjectName::Slot(name)) {
                    report.open_sessions += 1;
                }
                if let Err(error) = repository.check_marker(name) {
                    report.findings.push(Finding {
                        object: text.clone(),
                        kind: "damaged".into(),
                        effect: format!("the marker of a session is no use: {}", chain(&error)),
                        hint: "nothing needs to be done; its snapshot is not affected".into(),
                    });
                }
            }
            _ => {}
        }
    }
}
