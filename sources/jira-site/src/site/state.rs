//! The state and how things are found in it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::clock::Clock;
use super::feeds::DeletedWorklog;
use super::model::{Id, Issue, Link, NextIds, Project, User};
use super::options::SiteOptions;
use super::random::{Random, mix};

/// Everything that a simulated site holds.
///
/// What takes an issue's id answers `None` where the account may not see the issue, as Jira answers 404.
pub struct State {
    pub(crate) options: SiteOptions,
    pub(crate) zone: TimeZone,
    pub(crate) clock: Clock,
    /// The time that running service levels and last views show; moves when the clock is put forward and when it ticks.
    pub(crate) seen_at: Timestamp,
    pub(crate) ticks: u64,
    pub(crate) title: String,
    pub(crate) users: Vec<User>,
    pub(crate) projects: BTreeMap<Id, Project>,
    pub(crate) issues: BTreeMap<Id, Issue>,
    pub(crate) links: BTreeMap<Id, Link>,
    /// Current and former keys, in upper case.
    pub(crate) keys: HashMap<String, Id>,
    pub(crate) attachment_places: HashMap<Id, Id>,
    pub(crate) comment_places: HashMap<Id, Id>,
    pub(crate) worklog_places: HashMap<Id, Id>,
    pub(crate) deleted_worklogs: Vec<DeletedWorklog>,
    /// Deleted issues that a slow index may still list.
    pub(crate) graves: Vec<(Timestamp, Issue)>,
    pub(crate) next: NextIds,
}

impl State {
    pub(crate) fn empty(options: &SiteOptions) -> Self {
        let zone = TimeZone::get(&options.time_zone).ok();
        let mut options = options.clone();
        if zone.is_none() {
            "UTC".clone_into(&mut options.time_zone);
        }
        Self {
            zone: zone.unwrap_or(TimeZone::UTC),
            clock: Clock::start(options.start),
            seen_at: options.start,
            ticks: 0,
            title: options.title.clone(),
            users: Vec::new(),
            projects: BTreeMap::new(),
            issues: BTreeMap::new(),
            links: BTreeMap::new(),
            keys: HashMap::new(),
            attachment_places: HashMap::new(),
            comment_places: HashMap::new(),
            worklog_places: HashMap::new(),
            deleted_worklogs: Vec::new(),
            graves: Vec::new(),
            next: NextIds::default(),
            options,
        }
    }

    /// Reads the site's own clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time zone of the calling account.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The options that the site was made with.
    pub fn options(&self) -> &SiteOptions {
        &self.options
    }

    /// The site's identity, which outlives its name.
    pub fn cloud_id(&self) -> String {
        uuid(mix(self.options.seed ^ 0xc10d))
    }

    /// Writes a time as Jira does, in the time zone of the calling account.
    pub fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%z").to_string()
    }

    /// Finds an issue by id or by a current or former key, in any case of letters.
    pub fn find(&self, id_or_key: &str) -> Option<u64> {
        let id = match id_or_key.parse() {
            Ok(id) => id,
            Err(_) => *self.keys.get(&id_or_key.to_uppercase())?,
        };
        self.readable(id).map(|issue| issue.id)
    }

    /// The current key of an issue.
    pub fn key(&self, issue: u64) -> Option<String> {
        self.readable(issue).map(|issue| self.key_of(issue))
    }

    /// Lists the ids of all issues that the account may read, found by search or not.
    pub fn issue_ids(&self) -> Vec<u64> {
        self.issues.values().filter(|issue| self.may_read(issue)).map(|issue| issue.id).collect()
    }

    /// Lists the ids of all projects, those without Browse too.
    pub fn project_ids(&self) -> Vec<u64> {
        self.projects.keys().copied().collect()
    }

    /// Finds a project by id or by key, in any case of letters.
    pub fn find_project(&self, id_or_key: &str) -> Option<u64> {
        if let Ok(id) = id_or_key.parse() {
            return self.projects.contains_key(&id).then_some(id);
        }
        self.projects
            .values()
            .find(|project| project.key.eq_ignore_ascii_case(id_or_key))
            .map(|project| project.id)
    }

    /// Whether the account may browse a project.
    pub fn may_browse(&self, project: u64) -> bool {
        self.projects.get(&project).is_some_and(|project| !project.hidden)
    }

    pub(crate) fn key_of(&self, issue: &Issue) -> String {
        let project = self.projects.get(&issue.project).map_or("?", |project| &project.key);
        format!("{project}-{}", issue.number)
    }

    pub(crate) fn may_read(&self, issue: &Issue) -> bool {
        !issue.hidden && self.may_browse(issue.project)
    }

    pub(crate) fn readable(&self, issue: Id) -> Option<&Issue> {
        self.issues.get(&issue).filter(|issue| self.may_read(issue))
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let now = self.now();
        self.clock.set(super::clock::later(now, by));
        self.seen_at = self.now();
    }

    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        self.seen_at = self.now();
    }
}

/// A UUID that follows from a number.
pub(crate) fn uuid(seed: u64) -> String {
    let mut random = Random::new(seed);
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
