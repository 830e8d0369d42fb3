//! The week: people work, every evening there is a backup, and something goes wrong before the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use esker_engine::format::commit::SnapshotStatus;
use esker_engine::ops::diff::ChangeKind;
use esker_engine::repo::Snapshot;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::backups::Backups;
use super::damage::{Damage, headline};
use super::proof::{Comparison, Original};
use super::site::{Happened, Hit, Issues, SimulatedSite};
use super::stage::Stage;
use super::story::{
    Checked, Day, IssueCounts, IssueHistory, Restored, SiteFigures, Story, ToldVersion,
};
use crate::commands::Surroundings;
use crate::error::CommandError;

/// Days on which nothing goes wrong.
const GOOD_DAYS: u64 = 3;
/// Of so many issues that were overwritten the history is looked at, to find one that tells something.
const HISTORIES: usize = 20;
/// So many versions tell enough: the first one, a usual change, and the mishap.
const VERSIONS: usize = 3;

/// The demonstration as it goes on.
pub(super) struct Week<'a> {
    around: &'a Surroundings<'a>,
    stage: &'a Stage,
    site: &'a SimulatedSite,
    backups: Backups<'a>,
    days: Vec<Day>,
    /// Issues that changed on good days.
    worked_on: BTreeSet<String>,
    faults: Vec<String>,
}

impl<'a> Week<'a> {
    /// Makes the repository.
    pub(super) fn begin(
        stage: &'a Stage,
        site: &'a SimulatedSite,
        around: &'a Surroundings<'a>,
    ) -> Result<Self, CommandError> {
        let backups = Backups::begin(stage, around)?;
        let (days, worked_on, faults) = Default::default();
        Ok(Self { around, stage, site, backups, days, worked_on, faults })
    }

    /// Lives through the week.
    pub(super) fn live(mut self, started: Instant) -> Result<Story, CommandError> {
        let figures = self.site.figures();
        self.evening(self.site.everything())?;
        for day in 1..=GOOD_DAYS {
            let happened = self.site.live(day, 1);
            self.worked_on.extend(happened.issues.changed.iter().cloned());
            self.evening(happened)?;
        }
        let originals = self.site.originals();
        let hit = self.site.suffer();
        let mut happened = self.site.live(GOOD_DAYS + 1, 0);
        happened.issues.changed.extend(hit.overwritten.iter().cloned());
        happened.issues.gone.extend(hit.deleted.iter().cloned());
        self.evening(happened)?;
        self.tell(figures, &originals, &hit, started)
    }

    fn stop_if_cancelled(&self) -> Result<(), CommandError> {
        match self.around.engine.quiet_context().cancel.is_cancelled() {
            true => Err(CommandError::interrupted()),
            false => Ok(()),
        }
    }

    /// Backs up, and looks whether all that happened is in the snapshot.
    fn evening(&mut self, happened: Happened) -> Result<(), CommandError> {
        self.stop_if_cancelled()?;
        let time = self.site.now();
        let evening = evening(time);
        let source = self.site.source(self.around.engine)?;
        let (report, elapsed) = self.backups.back_up(&source, time, &evening)?;
        let found = self.found()?;
        for (what, happened, found) in [
            ("changed", &happened.issues.changed, &found.changed),
            ("new", &happened.issues.new, &found.new),
            ("deleted", &happened.issues.gone, &found.gone),
        ] {
            let missed = happened.difference(found);
            self.faults.extend(missed.map(|issue| {
                format!("the backup of {evening} has not noticed that `{issue}` is {what}")
            }));
        }
        self.faults.extend(report.problems.iter().map(|it| format!("{evening}: {it}")));
        if report.status != SnapshotStatus::Complete {
            self.faults.push(format!("the backup of {evening} is not complete"));
        }
        let statistics = report.statistics;
        self.days.push(Day {
            time,
            evening,
            happened: happened.issues.counts(),
            new_attachments: happened.attachments as u64,
            found: found.counts(),
            snapshot: report.snapshot.map(|id| id.to_hex()).unwrap_or_default(),
            requests: statistics.requests,
            bytes_read: statistics.bytes_read,
            bytes_added: statistics.bytes_added,
            objects_written: statistics.objects_written,
            seconds: elapsed.as_secs_f64(),
        });
        Ok(())
    }

    /// What the newest snapshot differs in from the one before it.
    fn found(&self) -> Result<Issues, CommandError> {
        match self.backups.snapshots()?.as_slice() {
            [.., older, newer] => Ok(Issues::of(&self.backups.changes(older, newer)?)),
            [first] => Ok(Issues { new: self.backups.issues(first)?, ..Issues::default() }),
            [] => Ok(Issues::default()),
        }
    }

    /// Finds out what happened, brings it back, and checks everything.
    fn tell(
        mut self,
        site: SiteFigures,
        originals: &[Original],
        hit: &Hit,
        started: Instant,
    ) -> Result<Story, CommandError> {
        self.stop_if_cancelled()?;
        let snapshots = self.backups.snapshots()?;
        let [.., before, after] = snapshots.as_slice() else {
            return Err(CommandError::failed("the demonstration has lost its snapshots")
                .hint("this is a mistake in Esker: `esker demo --log-level debug` shows more"));
        };
        let changes = self.backups.changes(before, after)?;
        let mut damage = Damage::of(&changes, [before.id.to_hex(), after.id.to_hex()]);
        let field = damage.overwritten.field.trim_start_matches("fields.");
        if let Some(name) = self.backups.name_of_field(after, field) {
            damage.overwritten.name = name;
        }
        self.compare_with_truth(&damage, hit);
        let history = self.history(&snapshots, &damage)?;
        self.stop_if_cancelled()?;
        let restore = self.restore(before, &damage, originals)?;
        let checked = self.backups.check()?;
        let check =
            Checked { bytes_read: checked.bytes_read, findings: checked.findings.len() as u64 };
        self.faults.extend(restore.compared.differences.iter().cloned());
        let findings = checked.findings.iter();
        self.faults.extend(findings.map(|it| format!("`{}` is {}", it.object, it.kind)));
        let violations = self.site.violations().into_iter();
        self.faults.extend(violations.map(|it| format!("Jira would refuse a request: {it}")));
        Ok(Story {
            site,
            days: self.days,
            damage,
            history,
            restore,
            check,
            repository_bytes: self.backups.stats()?.stored_bytes,
            seconds: started.elapsed().as_secs_f64(),
            faults: self.faults,
        })
    }

    /// The damage that the snapshots show must be the one that was done.
    fn compare_with_truth(&mut self, damage: &Damage, hit: &Hit) {
        if !damage.gone.iter().collect::<BTreeSet<_>>().into_iter().eq(&hit.deleted) {
            self.faults.push("the diff does not show the deleted issues".to_owned());
        }
        let overwritten = &damage.overwritten.issues;
        if !overwritten.iter().collect::<BTreeSet<_>>().into_iter().eq(&hit.overwritten) {
            self.faults.push("the diff does not show the overwritten issues".to_owned());
        }
    }

    /// The versions of an overwritten issue: of one on which somebody had worked before, so that there are several.
    fn history(
        &self,
        snapshots: &[Snapshot],
        damage: &Damage,
    ) -> Result<IssueHistory, CommandError> {
        let evenings: BTreeMap<_, _> =
            self.days.iter().map(|day| (day.snapshot.as_str(), day.evening.as_str())).collect();
        let snapshots: Vec<_> = snapshots.iter().collect();
        let overwritten = &damage.overwritten.issues;
        let known = overwritten.iter().filter(|issue| self.worked_on.contains(*issue));
        let mut best = (0, false);
        let mut told = IssueHistory::default();
        for issue in known.chain(overwritten.first()).take(HISTORIES) {
            let mut versions = Vec::new();
            let mut lost_value = false;
            for version in self.backups.versions(&snapshots, issue)? {
                let what = match version.change.change {
                    ChangeKind::Added => Some("stored".to_owned()),
                    _ => headline(&version.change, &damage.overwritten),
                };
                lost_value |= damage.overwritten.is_lost_in(&version.change);
                let evening = evenings.get(version.snapshot.id.to_hex().as_str());
                versions.extend(what.map(|what| ToldVersion {
                    evening: evening.copied().unwrap_or_default().to_owned(),
                    what,
                }));
            }
            let telling = (versions.len().min(VERSIONS), lost_value);
            if telling > best {
                best = telling;
                told = IssueHistory { issue: issue.clone(), versions };
            }
        }
        Ok(told)
    }

    fn restore(
        &self,
        before: &Snapshot,
        damage: &Damage,
        originals: &[Original],
    ) -> Result<Restored, CommandError> {
        let (report, elapsed) = self.backups.restore(before, &damage.gone)?;
        let is_lost = |it: &&Original| damage.gone.contains(&it.key);
        let lost: Vec<_> = originals.iter().filter(is_lost).collect();
        let compared = Comparison::of(&self.stage.restored(), &lost);
        let mut compared = compared.map_err(|error| {
            CommandError::failed("cannot read what was restored")
                .caused_by(&error)
                .hint("name another folder: `TMPDIR=DIR esker demo`")
        })?;
        compared.differences.extend(report.problems.iter().map(ToString::to_string));
        Ok(Restored {
            snapshot: before.id.to_hex(),
            files: report.files,
            bytes: report.bytes,
            seconds: elapsed.as_secs_f64(),
            compared,
        })
    }
}

impl Issues {
    fn counts(&self) -> IssueCounts {
        IssueCounts {
            changed: self.changed.len() as u64,
            new: self.new.len() as u64,
            gone: self.gone.len() as u64,
        }
    }
}

/// `Mon 2 Mar`
fn evening(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%a %-d %b").to_string()
}
