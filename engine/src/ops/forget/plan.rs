//! What is kept and why: pure, from what snapshots say of themselves and the time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned};

use super::policy::{KeepPolicy, KeepRule};
use crate::format::commit::SnapshotStatus;
use crate::format::name::SessionName;
use crate::id::SnapshotId;
use crate::repo::Snapshot;

/// One snapshot in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its id.
    pub id: SnapshotId,
    /// Its slot.
    pub slot: SessionName,
    /// Its source's name.
    pub source: String,
    /// When it was taken.
    pub time: String,
    /// Why it is kept; empty where it is not.
    pub reasons: Vec<String>,
}

/// What would be forgotten, and what is kept and why. Both oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgetPlan {
    /// Kept, with reasons.
    pub keep: Vec<Planned>,
    /// To be forgotten.
    pub remove: Vec<Planned>,
}

impl ForgetPlan {
    fn new(planned: impl Iterator<Item = Planned>) -> Self {
        let (mut keep, mut remove): (Vec<_>, Vec<_>) =
            planned.partition(|it| !it.reasons.is_empty());
        for planned in [&mut keep, &mut remove] {
            planned.sort_by(|a, b| {
                (&a.time, a.slot.ulid, a.slot).cmp(&(&b.time, b.slot.ulid, b.slot))
            });
        }
        Self { keep, remove }
    }
}

/// Until when nothing may forget a snapshot, where that is to come.
pub fn immutable_until(snapshot: &Snapshot, now: Timestamp) -> Option<&str> {
    let until = snapshot.commit.immutable_until.as_deref()?;
    // A time that cannot be read never comes.
    until.parse().map_or(true, |until: Timestamp| now < until).then_some(until)
}

/// Adds to the reasons of rules what no rule and nobody overrides.
fn planned(snapshot: &Snapshot, mut reasons: Vec<String>, now: Timestamp) -> Planned {
    let held = |reason: &String| match reason.as_str() {
        "" => "held".into(),
        reason => format!("held: {reason}"),
    };
    reasons.extend(snapshot.holds.iter().map(held));
    reasons.extend(immutable_until(snapshot, now).map(|until| format!("immutable until {until}")));
    Planned {
        id: snapshot.id,
        slot: snapshot.slot,
        source: snapshot.commit.source.name.clone(),
        time: snapshot.commit.time.clone(),
        reasons,
    }
}

/// Plans to forget just these snapshots; those that are held or still immutable are kept.
pub fn plan_snapshots(snapshots: &[&Snapshot], now: Timestamp) -> ForgetPlan {
    ForgetPlan::new(snapshots.iter().map(|snapshot| planned(snapshot, Vec::new(), now)))
}

/// Plans by a policy. The newest complete snapshot of a source is always kept, and so is what is dated later than `now`.
pub fn plan_policy(snapshots: &[&Snapshot], policy: &KeepPolicy, now: Timestamp) -> ForgetPlan {
    let mut reasons = Reasons::default();
    let mut groups: BTreeMap<_, Vec<Dated<'_>>> = BTreeMap::new();
    for &snapshot in snapshots {
        match Dated::new(snapshot, policy, now) {
            Ok(dated) => groups.entry(group_of(snapshot, policy)).or_default().push(dated),
            Err(undated) => reasons.add(snapshot, undated.into()),
        }
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| b.age_order().cmp(&a.age_order()));
        for rule in &policy.rules {
            reasons.add_rule(rule, group);
        }
    }
    for snapshot in last_complete(groups.values().flatten()) {
        reasons.add_where_none(snapshot, "the last complete snapshot of its source");
    }
    if policy.rules.is_empty() {
        for snapshot in snapshots {
            reasons.add_where_none(snapshot, "the policy has no rules");
        }
    }
    ForgetPlan::new(snapshots.iter().map(|it| planned(it, reasons.take(it), now)))
}

/// What is looked at on its own.
fn group_of<'a>(snapshot: &'a Snapshot, policy: &KeepPolicy) -> impl Ord + use<'a> {
    let commit = &snapshot.commit;
    let host = policy.grouping.host.then_some(&commit.host);
    let tags = policy.grouping.tags.then_some(&snapshot.tags);
    (&commit.source.kind, &commit.source.identity, host, tags)
}

/// The newest complete snapshot of each source, whatever its group.
fn last_complete<'a: 'b, 'b>(
    snapshots: impl Iterator<Item = &'b Dated<'a>>,
) -> impl Iterator<Item = &'a Snapshot> {
    let mut newest: BTreeMap<_, &Dated<'_>> = BTreeMap::new();
    for dated in snapshots.filter(|it| it.is_complete()) {
        let source = &dated.snapshot.commit.source;
        let known = newest.entry((&source.kind, &source.identity)).or_insert(dated);
        if known.age_order() < dated.age_order() {
            *known = dated;
        }
    }
    newest.into_values().map(|dated| dated.snapshot)
}

/// A snapshot that rules may look at.
struct Dated<'a> {
    snapshot: &'a Snapshot,
    time: Zoned,
}

impl<'a> Dated<'a> {
    /// Tells why where rules must not look at it.
    fn new(
        snapshot: &'a Snapshot,
        policy: &KeepPolicy,
        now: Timestamp,
    ) -> Result<Self, &'static str> {
        match snapshot.commit.time.parse::<Timestamp>() {
            Ok(time) if time > now => Err("dated in the future"),
            Ok(time) => Ok(Self { snapshot, time: time.to_zoned(policy.zone.clone()) }),
            Err(_) => Err("its time cannot be read"),
        }
    }

    fn is_complete(&self) -> bool {
        self.snapshot.commit.status == SnapshotStatus::Complete
    }

    /// What is newer is greater. Of two at the same time the one that was begun later counts as newer.
    fn age_order(&self) -> impl Ord + use<> {
        let slot = self.snapshot.slot;
        (self.time.timestamp(), slot.ulid, slot)
    }
}

/// Why snapshots are kept.
#[derive(Default)]
struct Reasons(BTreeMap<SnapshotId, Vec<String>>);

impl Reasons {
    fn add(&mut self, snapshot: &Snapshot, reason: String) {
        let reasons = self.0.entry(snapshot.id).or_default();
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    fn add_where_none(&mut self, snapshot: &Snapshot, reason: &str) {
        if !self.0.contains_key(&snapshot.id) {
            self.add(snapshot, reason.into());
        }
    }

    /// Applies a rule to a group, newest first: to the complete snapshots, as if there were no others, so that partial ones
    /// push none of them out; then to all, for the partial ones that are newest in their places.
    fn add_rule(&mut self, rule: &KeepRule, group: &[Dated<'_>]) {
        let complete: Vec<_> = group.iter().filter(|it| it.is_complete()).collect();
        for (dated, reason) in kept(rule, &complete) {
            self.add(dated.snapshot, reason);
        }
        let all: Vec<_> = group.iter().collect();
        for (dated, reason) in kept(rule, &all).into_iter().filter(|(it, _)| !it.is_complete()) {
            self.add(dated.snapshot, format!("{reason} (partial)"));
        }
    }

    fn take(&mut self, snapshot: &Snapshot) -> Vec<String> {
        self.0.remove(&snapshot.id).unwrap_or_default()
    }
}

/// What a rule keeps of snapshots that are given newest first, and why.
fn kept<'a, 'b>(rule: &KeepRule, newest_first: &[&'b Dated<'a>]) -> Vec<(&'b Dated<'a>, String)> {
    let all = newest_first.iter().copied();
    match rule {
        KeepRule::Last(count) => {
            (1..=*count).zip(all).map(|(place, it)| (it, format!("last {place}"))).collect()
        }
        KeepRule::Every(period, count) => {
            let mut seen = BTreeSet::new();
            let named = all.map(|it| (it, period.name_at(&it.time)));
            let newest =
                named.filter(|(_, name)| (seen.len() as u64) < *count && seen.insert(name.clone()));
            newest.map(|(it, name)| (it, format!("{} {name}", period.word()))).collect()
        }
        KeepRule::Within(span) => {
            let begin = newest_first.first().and_then(|newest| span.before(&newest.time));
            let is_within = |it: &&Dated<'_>| begin.is_none_or(|begin| it.time.timestamp() > begin);
            all.filter(is_within).map(|it| (it, rule.to_string())).collect()
        }
        KeepRule::Tag(tag) => {
            let has_tag = |it: &&Dated<'_>| it.snapshot.tags.contains(tag);
            all.filter(has_tag).map(|it| (it, rule.to_string())).collect()
        }
    }
}
