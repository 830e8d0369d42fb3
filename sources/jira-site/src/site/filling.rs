//! What custom fields hold after somebody filled in a form.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::catalogue::{BUG, TEAMS};
use super::clock::later;
use super::fields;
use super::model::{Document, FieldValue, Id, Size, Sprint};
use super::random::Random;
use super::state::State;
use super::text;

const HOUR_SECONDS: u64 = 60 * 60;

struct Form<'a> {
    state: &'a State,
    /// Team-managed projects have fewer fields.
    classic: bool,
    bug: bool,
    at: Timestamp,
    random: &'a mut Random,
    values: BTreeMap<u32, FieldValue>,
}

impl State {
    /// The custom fields that somebody fills who creates an issue of a type in a project.
    pub(crate) fn custom_values(
        &self,
        project: Id,
        kind: usize,
        random: &mut Random,
        at: Timestamp,
    ) -> BTreeMap<u32, FieldValue> {
        let project = self.projects.get(&project);
        let mut form = Form {
            state: self,
            classic: project.is_some_and(|project| !project.team_managed),
            bug: kind == BUG,
            at,
            random,
            values: BTreeMap::new(),
        };
        form.plan(project.map_or(&[], |project| &project.sprints));
        form.classify();
        form.name_people();
        form.describe();
        form.start_clocks();
        form.values
    }
}

impl Form<'_> {
    /// Fills a field with a chance in a hundred, if the project has it.
    fn maybe(&mut self, chance: usize, number: u32, value: impl FnOnce(&mut Random) -> FieldValue) {
        let exists = self.classic || fields::by_number(number).is_some_and(|it| !it.classic_only);
        if self.random.percent(chance) && exists {
            self.values.insert(number, value(self.random));
        }
    }

    fn plan(&mut self, sprints: &[Sprint]) {
        let (state, at) = (self.state, self.at);
        let soon = |random: &mut Random, days| {
            later(at, Duration::from_secs(24 * HOUR_SECONDS) * random.below(days) as u32)
        };
        self.values.insert(fields::RANK, FieldValue::Text(rank(state.next.issue)));
        self.maybe(50, fields::STORY_POINTS, |random| {
            FieldValue::Number([0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0][random.below(7)])
        });
        self.maybe(if sprints.is_empty() { 0 } else { 55 }, fields::SPRINT, |random| {
            let chosen = sprints.iter().skip(random.below(sprints.len()));
            FieldValue::Sprints(chosen.take(random.between(1, 2)).map(|it| it.id).collect())
        });
        self.maybe(15, fields::START_DATE, |random| FieldValue::Date(state.date(soon(random, 30))));
        self.maybe(8, fields::PROMISED, |random| FieldValue::Time(soon(random, 60)));
    }

    fn classify(&mut self) {
        self.maybe(4, fields::FLAGGED, |_| FieldValue::Choices(vec![0]));
        self.maybe(if self.bug { 80 } else { 5 }, fields::SEVERITY, |random| {
            FieldValue::Choice(random.below(4))
        });
        self.maybe(20, fields::PLATFORMS, |random| {
            FieldValue::Choices((0..6).filter(|_| random.percent(35)).collect())
        });
        self.maybe(15, fields::REGION, |random| {
            FieldValue::Cascade(random.below(3), random.percent(70).then(|| random.below(4)))
        });
        self.maybe(10, fields::RISK, |random| FieldValue::Choice(random.below(3)));
        self.maybe(10, fields::KEYWORDS, |random| FieldValue::Labels(vec![text::label(random)]));
        self.maybe(12, fields::VALUE, |random| {
            FieldValue::Number(random.below(100_000) as f64 / 4.0)
        });
    }

    fn name_people(&mut self) {
        let state = self.state;
        self.maybe(25, fields::TEAM, |random| FieldValue::Team(random.below(TEAMS.len())));
        self.maybe(20, fields::REVIEWER, |random| FieldValue::User(state.somebody(random)));
        self.maybe(10, fields::APPROVERS, |random| FieldValue::Users(state.some_people(random, 4)));
    }

    fn describe(&mut self) {
        self.maybe(if self.bug { 25 } else { 0 }, fields::ROOT_CAUSE, |random| {
            FieldValue::Document(Document::new(random, Size::Short))
        });
        self.maybe(10, fields::REFERENCE, |random| {
            FieldValue::Text(format!("https://tracker.example.com/t/{}", random.below(100_000)))
        });
        self.maybe(15, fields::CUSTOMER, |random| {
            FieldValue::Text(format!("Kunde № {} – Łódź", random.below(400)))
        });
    }

    fn start_clocks(&mut self) {
        let start = self.at;
        self.maybe(if self.bug { 60 } else { 0 }, fields::TIME_TO_RESOLUTION, |_| {
            FieldValue::ServiceLevel { goal: 96 * HOUR_SECONDS, start, stop: None }
        });
        self.maybe(if self.bug { 50 } else { 0 }, fields::TIME_TO_RESPONSE, |random| {
            let stop = later(start, Duration::from_secs(random.below(20_000) as u64));
            FieldValue::ServiceLevel { goal: 4 * HOUR_SECONDS, start, stop: Some(stop) }
        });
    }
}

/// The rank of the n-th issue, in the form that Jira gives ranks.
fn rank(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; 5];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    format!("0|i{}:", String::from_utf8_lossy(&digits))
}
