//! Issues that the last snapshot has and the search does not show: there all the same, deleted, or only out of sight.
//!
//! Jira answers alike for what was deleted and for what the account may not see. So the number of issues that a project
//! has by an independent route decides: where it still counts the missing ones, they are *vanished* and carried forward.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::SourceError;

use super::known::{self, Known};
use super::projects::{self, Project, ProjectState};
use super::sweep::{self, Present, Seen, Sweep};
use super::{Scan, people};
use crate::jira::client::RequestError;
use crate::jira::layout::{ISSUES, IssueKey};

/// A project may lose so many issues, or a share of 1 in 20, at a time; more that the count does not confirm is not looked for
/// by id.
const PLAUSIBLE_LOSS: u64 = 50;
/// Numbers beyond the last known one that are tried where a project has more issues than it shows.
const BEYOND: u64 = 50;
/// Numbers of a project that are tried at most.
const MOST_TRIED: usize = 20_000;

/// How many issues a project has, and how many were seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    /// By an independent route.
    pub(super) expected: Option<u64>,
    /// In this scan.
    pub(super) found: u64,
    /// Carried forward, unseen.
    pub(super) vanished: u64,
}

impl Count {
    /// Issues that are there and not seen.
    pub(super) fn hidden(&self) -> u64 {
        self.expected.map_or(0, |expected| expected.saturating_sub(self.found))
    }
}

/// The counts of all projects, by key.
#[derive(Debug, Default)]
pub(super) struct Counts(pub(super) BTreeMap<String, Count>);

impl Counts {
    /// By project: how many issues are there that neither this scan nor any snapshot has seen. Vanished ones are none of
    /// them: they must stand out in the next scan as they do in this one.
    pub(super) fn hidden(&self) -> BTreeMap<String, u64> {
        let of = |count: &Count| count.hidden().saturating_sub(count.vanished);
        let hidden = self.0.iter().map(|(key, count)| (key.clone(), of(count)));
        hidden.filter(|(_, hidden)| *hidden > 0).collect()
    }
}

/// What becomes of the issues that the search does not show.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) counts: Counts,
    /// Confirmed: gone.
    pub(super) deleted: BTreeSet<u64>,
}

impl Scan<'_> {
    /// Finds what is missing. Issues that are there although the search does not list them are added to the sweep.
    pub(super) async fn find_missing(
        &self,
        sweep: &mut Sweep,
        known: &Known,
        projects: &BTreeMap<String, Project>,
    ) -> Result<Missing, SourceError> {
        let mut by_project: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let absent = known.issues.iter().filter(|(id, _)| !sweep.issues.contains_key(id));
        for (id, issue) in absent.filter(|(_, it)| self.options.wants(it.key.project())) {
            by_project.entry(issue.key.project()).or_default().insert(*id);
        }
        let mut missing = Missing::default();
        for project in projects.values() {
            let absent = by_project.remove(project.key.as_str()).unwrap_or_default();
            self.of_project(project, absent, sweep, known, &mut missing).await?;
        }
        if !by_project.is_empty() {
            let all_are_listed = self.is_administrator().await?;
            for (key, absent) in by_project {
                self.of_lost_project(key, absent, all_are_listed, sweep, known, &mut missing)
                    .await?;
            }
        }
        Ok(missing)
    }

    async fn of_project(
        &self,
        project: &Project,
        mut absent: BTreeSet<u64>,
        sweep: &mut Sweep,
        known: &Known,
        missing: &mut Missing,
    ) -> Result<(), SourceError> {
        let hidden_before = self.hidden_before(project, &absent, sweep, known);
        let seen = match sweep.projects.get(&project.key) {
            Some(Seen::Issues(seen)) => *seen,
            // Nobody works in an archived project: what the last snapshot has of it stands.
            Some(Seen::Unlisted) if project.state == ProjectState::Archived => {
                let count = absent.len() as u64;
                absent.clear();
                count
            }
            Some(Seen::Unlisted) => 0,
            Some(Seen::Failed(_)) | None => {
                let count = Count { expected: project.issues, ..Count::default() };
                self.vanish(&project.key, &absent, count, known, missing);
                return Ok(());
            }
        };
        let expected = self.expected(project, seen, &absent, known).await?;
        let mut count = Count { expected, found: seen, vanished: 0 };
        let stands = count.hidden() >= hidden_before + absent.len() as u64;
        if stands && is_implausible(absent.len() as u64, seen) {
            self.vanish(&project.key, &absent, count, known, missing);
            return Ok(());
        }
        let Some(found) = self.still_there(&mut absent, sweep, known).await? else {
            self.vanish(&project.key, &absent, count, known, missing);
            return Ok(());
        };
        count.found += found;
        if count.hidden() > 0 && count.hidden() != hidden_before {
            let recounted = projects::recount(&self.client, project).await;
            count.expected = self.unless_fatal(recounted)?.flatten().or(count.expected);
        }
        let is_binned = project.state == ProjectState::Deleted;
        if count.hidden() > 0 && count.hidden() != hidden_before && !is_binned {
            count.found += self.unlisted(project, count.hidden(), sweep, known).await?;
            absent.retain(|id| !sweep.issues.contains_key(id));
        }
        let is_explained = match count.expected {
            _ if is_binned => true,
            Some(_) => count.hidden() <= hidden_before,
            None => false,
        };
        if absent.is_empty() || is_explained {
            missing.deleted.append(&mut absent);
            missing.counts.0.insert(project.key.clone(), count);
        } else {
            self.vanish(&project.key, &absent, count, known, missing);
        }
        Ok(())
    }

    /// A project that is not listed any more. An administrator is shown all projects: for him it is gone.
    async fn of_lost_project(
        &self,
        key: &str,
        mut absent: BTreeSet<u64>,
        all_are_listed: bool,
        sweep: &mut Sweep,
        known: &Known,
        missing: &mut Missing,
    ) -> Result<(), SourceError> {
        if all_are_listed && self.still_there(&mut absent, sweep, known).await?.is_some() {
            missing.deleted.append(&mut absent);
        } else {
            self.vanish(key, &absent, Count::default(), known, missing);
        }
        Ok(())
    }

    /// How many issues of the project were hidden when the last scan ended, less those that have come to light since: or else
    /// others could hide behind them.
    fn hidden_before(
        &self,
        project: &Project,
        absent: &BTreeSet<u64>,
        sweep: &Sweep,
        known: &Known,
    ) -> u64 {
        let hidden = self.noted_hidden(&project.key);
        if hidden == 0 || absent.is_empty() {
            return hidden;
        }
        let mine = |key: &IssueKey| key.project() == project.key;
        let last = known.issues.values().filter(|it| mine(&it.key)).map(|it| it.key.number()).max();
        let came_to_light = |(id, key): &(&u64, &IssueKey)| {
            mine(key) && Some(key.number()) < last && !known.issues.contains_key(id)
        };
        hidden.saturating_sub(sweep.issues.iter().filter(came_to_light).count() as u64)
    }

    fn noted_hidden(&self, project: &str) -> u64 {
        self.cursor.as_ref().and_then(|it| it.hidden.get(project)).copied().unwrap_or(0)
    }

    /// How many issues a project has by an independent route. Who is no administrator is not told by the list of projects;
    /// the search's own count is then asked for where the numbers moved.
    async fn expected(
        &self,
        project: &Project,
        seen: u64,
        absent: &BTreeSet<u64>,
        known: &Known,
    ) -> Result<Option<u64>, SourceError> {
        if project.issues.is_some() || project.state != ProjectState::Live {
            return Ok(project.issues);
        }
        let before = known.projects.get(&project.key).copied().unwrap_or(0);
        if self.cursor.is_some() && absent.is_empty() && before == seen {
            return Ok(Some(seen + self.noted_hidden(&project.key)));
        }
        let counted = sweep::count(&self.client, project).await;
        Ok(self.unless_fatal(counted)?.flatten())
    }

    /// An answer that may be done without; `None` where there was none.
    fn unless_fatal<T>(&self, answer: Result<T, RequestError>) -> Result<Option<T>, SourceError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if self.outages.end_scan(&error) => Err(self.failed(error)),
            Err(error) => {
                tracing::warn!(%error, "what is missing is not known for sure");
                Ok(None)
            }
        }
    }

    /// Asks by id for what the search does not show, and takes what is there out of `absent`. Returns its number; `None` where
    /// that could not be asked. What an answer leaves out may be deleted next: it is asked for twice.
    async fn still_there(
        &self,
        absent: &mut BTreeSet<u64>,
        sweep: &mut Sweep,
        known: &Known,
    ) -> Result<Option<u64>, SourceError> {
        let mut count = 0;
        for _ in 0..2 {
            let names: Vec<String> = absent.iter().map(ToString::to_string).collect();
            let present = sweep::confirm(&self.client, &names, self.options.connections).await;
            let Some(present) = self.unless_fatal(present)? else { return Ok(None) };
            for found in present {
                count += u64::from(absent.remove(&found.0));
                add(sweep, known, found);
            }
        }
        Ok(Some(count))
    }

    /// Tries the numbers of a project that nothing shows: some issues can be read by key and are in no search.
    async fn unlisted(
        &self,
        project: &Project,
        hidden: u64,
        sweep: &mut Sweep,
        known: &Known,
    ) -> Result<u64, SourceError> {
        let of_project = |key: &&IssueKey| key.project() == project.key;
        let numbers: HashSet<u64> =
            sweep.issues.values().filter(of_project).map(IssueKey::number).collect();
        let archived = known.issues.values().map(|it| &it.key).filter(of_project);
        let seen: HashSet<u64> = match project.state {
            ProjectState::Live => numbers,
            _ => archived.map(IssueKey::number).collect(),
        };
        let last = seen.iter().max().copied().unwrap_or(0) + hidden.max(BEYOND);
        let untried = (1..=last).filter(|number| !seen.contains(number)).take(MOST_TRIED);
        let names: Vec<String> =
            untried.map(|number| format!("{}-{number}", project.key)).collect();
        let present = sweep::confirm(&self.client, &names, self.options.connections).await;
        let present = self.unless_fatal(present)?.unwrap_or_default();
        // An answer under another key is an issue that moved; its project shows it.
        let mine = present.into_iter().filter(|it| it.1.project() == project.key);
        let mut count = 0;
        for found in mine.filter(|it| !sweep.issues.contains_key(&it.0)).collect::<Vec<_>>() {
            count += 1;
            add(sweep, known, found);
        }
        Ok(count)
    }

    /// Carries issues forward that are out of sight, and says so.
    fn vanish(
        &self,
        project: &str,
        absent: &BTreeSet<u64>,
        count: Count,
        known: &Known,
        missing: &mut Missing,
    ) {
        let vanished = absent.len() as u64;
        missing.counts.0.insert(project.to_owned(), Count { vanished, ..count });
        if absent.is_empty() {
            return;
        }
        let names = absent.iter().filter_map(|id| known.issues.get(id));
        // What happens to them meanwhile is in no window of changes once they are back.
        self.found().retry.extend(absent);
        self.found().ledger.vanished.extend(names.map(|it| it.key.to_string()));
        let counted = match count.expected {
            Some(expected) => format!("while the site counts {expected} in the project"),
            None => "and the account is not told why".into(),
        };
        self.changes.problem(Problem {
            path: format!("/{ISSUES}/{project}"),
            kind: ProblemKind::Vanished,
            message: format!("{vanished} issues of the last snapshot are out of sight {counted}"),
            stale: true,
        });
    }

    /// Takes deleted issues out of the trees.
    pub(super) async fn remove(
        &self,
        deleted: &BTreeSet<u64>,
        known: &Known,
    ) -> Result<(), SourceError> {
        let gone: Vec<_> = deleted.iter().filter_map(|id| known.issues.get(id)).collect();
        for batch in gone.chunks(sweep::BULK) {
            self.stop_if_cancelled()?;
            let keys = batch.iter().map(|it| it.key.clone()).collect();
            for (issue, records) in known::records(self.base, keys).await? {
                for (key, _) in records {
                    self.changes.delete(self.issues, key).await?;
                }
                let mut found = self.found();
                found.forget_lost(&issue);
                found.ledger.deleted.push(issue.to_string());
            }
        }
        self.found().ledger.deleted.sort();
        Ok(())
    }

    async fn is_administrator(&self) -> Result<bool, SourceError> {
        let answer = people::is_administrator(&self.client).await;
        Ok(self.unless_fatal(answer)?.unwrap_or(false))
    }
}

/// More than an ordinary day takes from a project.
fn is_implausible(lost: u64, left: u64) -> bool {
    lost > PLAUSIBLE_LOSS.max((lost + left) / 20) || (lost > 0 && left == 0)
}

/// Adds an issue that the search does not list; it is read where it is not as the last snapshot has it.
fn add(sweep: &mut Sweep, known: &Known, (id, key, updated): Present) {
    let base = known.issues.get(&id);
    if base.is_none_or(|base| base.key != key || base.updated != updated) {
        sweep.changed.insert(id);
    }
    sweep.issues.insert(id, key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_implausible_above_a_twentieth_and_fifty() {
        for (lost, left, expected) in [
            (0, 0, false),
            (1, 0, true),
            (50, 100, false),
            (51, 100, true),
            (60, 2000, false),
            (110, 1990, true),
        ] {
            assert_eq!(is_implausible(lost, left), expected, "{lost} lost, {left} left");
        }
    }
}
