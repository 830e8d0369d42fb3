//! Days of ordinary work.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::later;
use super::edit::By;
use super::model::{Id, Issue};
use super::random::Random;
use super::state::State;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How much happens in a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Day {
    /// Decides what happens to which issue.
    pub seed: u64,
    /// How many issues somebody works on.
    pub changed_issues: usize,
    /// How many issues are created.
    pub new_issues: usize,
    /// How many files are attached.
    pub new_attachments: usize,
    /// How many issues are deleted.
    pub deleted_issues: usize,
}

/// What a day did.
#[derive(Clone, Debug, Default)]
pub struct DayReport {
    /// The keys of issues whose `updated` moved, new ones not among them, by id.
    pub changed: Vec<String>,
    /// The keys of new issues, by id.
    pub created: Vec<String>,
    /// The keys of deleted issues, by id.
    pub deleted: Vec<String>,
    /// The number of new comments.
    pub comments: usize,
    /// The number of new worklogs.
    pub worklogs: usize,
    /// The number of new attachments.
    pub attachments: usize,
    /// The number of new issue links.
    pub links: usize,
    /// The number of new changelog entries, those of new issues too.
    pub history_entries: usize,
}

/// Something of a day.
enum Event {
    Create(Id),
    Work(Id),
    Attach(Id),
    Delete(Id),
}

impl State {
    pub(crate) fn live_through(&mut self, day: &Day) -> DayReport {
        let begin = self.clock.next(HOUR / 6);
        let mut random = Random::of(self.options.seed ^ day.seed, 5);
        let events = self.plan(day, begin, &mut random);
        let before = (
            self.next.comment,
            self.next.worklog,
            self.next.attachment,
            self.next.link,
            self.next.change,
        );
        let mut deleted = Vec::new();
        for (at, event) in events {
            match event {
                Event::Create(project) => drop(self.create(project, &mut random, at)),
                Event::Work(issue) => self.work_on(issue, &mut random, at),
                Event::Attach(issue) => self.attach_something(issue, &mut random, at),
                Event::Delete(issue) => {
                    let author = Some(self.somebody(&mut random));
                    deleted.extend(self.delete_issue(issue, By { author, at }));
                }
            }
        }
        self.clock.set(later(begin, HOUR * 24));
        self.seen_at = self.now();
        let after = self.issues.values().filter(|issue| issue.updated > begin);
        let (old, new): (Vec<_>, Vec<_>) = after.partition(|issue| issue.created <= begin);
        DayReport {
            changed: old.into_iter().map(|issue| self.key_of(issue)).collect(),
            created: new.into_iter().map(|issue| self.key_of(issue)).collect(),
            deleted,
            comments: (self.next.comment - before.0) as usize,
            worklogs: (self.next.worklog - before.1) as usize,
            attachments: (self.next.attachment - before.2) as usize,
            links: (self.next.link - before.3) as usize,
            history_entries: (self.next.change - before.4) as usize,
        }
    }

    /// What will happen, in order of time: mostly to issues that are new already.
    fn plan(&self, day: &Day, begin: Timestamp, random: &mut Random) -> Vec<(Timestamp, Event)> {
        let mut issues: Vec<Id> =
            self.issues.values().filter(|issue| open(issue)).map(|issue| issue.id).collect();
        let mut take = |random: &mut Random| {
            let place = issues.len().checked_sub(1 + random.skewed(issues.len()))?;
            Some(issues.remove(place))
        };
        let mut events = Vec::new();
        let mut at = |random: &mut Random, event| {
            let after = 1 + random.below(HOUR.as_millis() as usize * 24 - 2);
            events.push((later(begin, Duration::from_millis(after as u64)), event));
        };
        for _ in 0..day.deleted_issues {
            let Some(issue) = take(random) else { break };
            at(random, Event::Delete(issue));
        }
        let mut changed = Vec::new();
        for _ in 0..day.changed_issues {
            let Some(issue) = take(random) else { break };
            changed.push(issue);
            for _ in 0..random.between(1, 3) {
                at(random, Event::Work(issue));
            }
        }
        for _ in 0..day.new_attachments {
            let Some(issue) = random.pick(&changed).or_else(|| take(random)) else { break };
            at(random, Event::Attach(issue));
        }
        let projects: Vec<Id> =
            self.projects.values().filter(|it| !it.hidden).map(|it| it.id).collect();
        for _ in 0..day.new_issues {
            let Some(project) = projects.get(random.skewed(projects.len())) else { break };
            at(random, Event::Create(*project));
        }
        events.sort_by_key(|(at, _)| *at);
        events
    }
}

/// Nobody works on what is archived or withheld.
fn open(issue: &Issue) -> bool {
    issue.archived.is_none() && !issue.hidden
}
