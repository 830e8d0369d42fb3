//! Makes a site from a seed: its past is lived through event by event, so that every changelog agrees with its issue.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::{earlier, later};
use super::edit::By;
use super::model::{Component, Id, NextIds, Project, Sprint, User, Version};
use super::options::SiteOptions;
use super::random::{Random, mix};
use super::state::State;
use super::text;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the site's past goes back.
const PAST: Duration = Duration::from_secs(900 * 24 * 60 * 60);

/// One issue in so many is long: hundreds of comments, thousands of changes in a large site.
const ISSUES_PER_LONG_ONE: usize = 4000;

/// From this many issues on, long ones are as long as they get.
const LARGE_SITE_ISSUES: usize = 5000;

/// Something of the past.
enum Event {
    Create { project: Id },
    Work,
    Comment,
    Attach,
}

pub(crate) fn generate(options: &SiteOptions) -> State {
    let mut state = State::empty(options);
    state.next = NextIds {
        issue: 10_000,
        comment: 10_000,
        worklog: 10_000,
        attachment: 10_000,
        link: 10_000,
        remote_link: 10_000,
        change: 10_000,
    };
    state.users = users(options);
    state.projects = projects(options).into_iter().map(|project| (project.id, project)).collect();
    live_the_past(&mut state);
    delete_users(&mut state);
    hide_some(&mut state);
    state
}

fn users(options: &SiteOptions) -> Vec<User> {
    let mut random = Random::of(options.seed, 1);
    let zones = ["Australia/Sydney", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Etc/GMT"];
    let caller = User {
        account_id: format!("5b10a28{:017x}", mix(options.seed) >> 4),
        name: "Backup Account".to_owned(),
        email: Some(options.account_email.clone()),
        time_zone: "",
        account_type: "atlassian",
        active: true,
        deleted: false,
    };
    let others = (0..options.users).map(|index| {
        // Old accounts have 24 hexadecimal digits, new ones a number and a UUID.
        let account_id = if random.percent(60) {
            format!("{:024x}", u128::from(random.next()) << 32 | u128::from(index as u32))
        } else {
            format!("712020:{}", super::state::uuid(random.next()))
        };
        let name = text::person(index, &mut random);
        let app = index % 13 == 12;
        User {
            account_id,
            email: (!app && random.percent(60)).then(|| format!("user{index}@example.com")),
            name: if app { format!("Automation {index}") } else { name },
            time_zone: zones[random.below(zones.len())],
            account_type: if app { "app" } else { "atlassian" },
            active: random.percent(92),
            deleted: false,
        }
    });
    std::iter::once(caller).chain(others).collect()
}

/// The last users are those that have gone.
fn delete_users(state: &mut State) {
    let gone = state.options.deleted_users.min(state.users.len().saturating_sub(1));
    for user in state.users.iter_mut().rev().take(gone) {
        user.deleted = true;
        user.active = false;
    }
}

fn projects(options: &SiteOptions) -> Vec<Project> {
    let mut random = Random::of(options.seed, 2);
    let mut next_id = 10_000;
    let mut id = || {
        next_id += 1;
        next_id
    };
    let begin = earlier(options.start, PAST);
    (0..options.projects)
        .map(|index| {
            let (key, name) = text::project(index);
            let lead = random.below(options.users + 1);
            let components = (0..random.between(0, 6)).map(|index| Component {
                id: id(),
                name: text::component(index),
                description: random.percent(40).then(|| text::sentence(&mut random)),
                lead: random.percent(30).then(|| random.below(options.users + 1)),
            });
            let components = components.collect();
            let count = random.between(0, 8);
            let versions = (0..count).map(|index| {
                let released = index * 3 < count * 2;
                let release = later(begin, PAST / (count as u32 + 1) * (index as u32 + 1));
                let release = release.to_zoned(jiff::tz::TimeZone::UTC).date();
                Version {
                    id: id(),
                    name: format!("{}.{}", 1 + index / 4, index % 4),
                    description: random.percent(30).then(|| text::sentence(&mut random)),
                    released,
                    archived: released && index == 0,
                    start: None,
                    release: random.percent(80).then_some(release),
                }
            });
            let versions = versions.collect();
            Project {
                id: 10_000 + index as u64,
                name,
                description: if random.percent(70) {
                    text::sentence(&mut random)
                } else {
                    String::new()
                },
                lead,
                team_managed: index % 4 == 2,
                category: random.percent(60).then(|| random.below(2)),
                components,
                versions,
                sprints: sprints(&key, index as u64, options.start),
                last_number: 0,
                hidden: false,
                key,
            }
        })
        .collect()
}

/// Two weeks each, the last but one is running.
fn sprints(project: &str, board: u64, now: Timestamp) -> Vec<Sprint> {
    (0..12_u32)
        .map(|index| {
            let start = earlier(later(now, DAY * 7), DAY * 14 * (11 - index));
            Sprint {
                id: board * 12 + u64::from(index) + 1,
                board: board + 1,
                name: format!("{project} Sprint {}", index + 1),
                state: ["closed", "active", "future"][(index.max(9) - 9) as usize],
                goal: if index % 3 == 0 { "Fewer surprises".to_owned() } else { String::new() },
                start,
                end: later(start, DAY * 14),
            }
        })
        .collect()
}

fn live_the_past(state: &mut State) {
    let events = past(state);
    let seed = state.options.seed;
    let mut ids = vec![0; state.options.issues];
    for (number, (at, place, event)) in events.into_iter().enumerate() {
        let mut random = Random::of(seed, 1 << 32 | number as u64);
        let issue = ids[place];
        match event {
            Event::Create { project } => ids[place] = state.create(project, &mut random, at),
            Event::Work => state.work_on(issue, &mut random, at),
            Event::Comment => {
                let by = By { author: Some(state.somebody(&mut random)), at };
                state.comment(issue, &mut random, by);
            }
            Event::Attach => state.attach_something(issue, &mut random, at),
        }
    }
    if let (Some(size), Some(&issue)) = (state.options.huge_attachment_bytes, ids.first()) {
        state.attach_file(issue, "huge.bin", size, state.options.start);
    }
}

/// Everything that happens, in order of time.
fn past(state: &State) -> Vec<(Timestamp, usize, Event)> {
    let options = &state.options;
    let mut random = Random::of(options.seed, 3);
    let project_ids: Vec<Id> = state.projects.keys().copied().collect();
    let mut events = Vec::with_capacity(options.issues * 8);
    let mut created = Vec::with_capacity(options.issues);
    if project_ids.is_empty() {
        return events;
    }
    let span = PAST.as_millis() as usize;
    let scale = options.issues.min(LARGE_SITE_ISSUES) * 100 / LARGE_SITE_ISSUES;
    for place in 0..options.issues {
        let age = 60_000 + (place + 1) * (span / (options.issues + 1)) - random.below(1000);
        let born = earlier(options.start, Duration::from_millis(age as u64));
        // Every project has an issue; the first ones have most.
        let project = match project_ids.get(place) {
            Some(id) => *id,
            None => project_ids[random.skewed(project_ids.len())],
        };
        created.push(born);
        events.push((born, place, Event::Create { project }));
        let long = place % ISSUES_PER_LONG_ONE == 7;
        let (changes, comments) = if long {
            (random.between(150, 160 + 30 * scale), random.between(120, 130 + 4 * scale))
        } else {
            (random.skewed(24), 0)
        };
        for number in 0..changes + comments {
            let at = between(born, options.start, &mut random);
            let event = if number < changes { Event::Work } else { Event::Comment };
            events.push((at, place, event));
        }
    }
    for _ in 0..if options.issues == 0 { 0 } else { options.attachments } {
        let place = random.skewed(options.issues);
        let at = between(created[place], options.start, &mut random);
        events.push((at, place, Event::Attach));
    }
    // An issue's creation comes first: everything else is later than it.
    events.sort_by_key(|&(at, place, _)| (at, place));
    events
}

/// A time after one and before another, more often soon after the first.
fn between(from: Timestamp, until: Timestamp, random: &mut Random) -> Timestamp {
    let span = until.as_millisecond() - from.as_millisecond();
    let after = 1 + random.skewed(span.max(2) as usize - 1);
    later(from, Duration::from_millis(after as u64))
}

fn hide_some(state: &mut State) {
    let mut random = Random::of(state.options.seed, 4);
    let ids: Vec<Id> = state.issues.keys().copied().collect();
    let counts = [state.options.archived, state.options.unlisted, state.options.hidden];
    let mut taken = std::collections::BTreeSet::new();
    for (kind, count) in counts.into_iter().enumerate() {
        for _ in 0..count.min(ids.len() - taken.len()) {
            let start = random.below(ids.len());
            let free = ids[start..].iter().chain(&ids[..start]).find(|id| !taken.contains(*id));
            let Some(issue) = free.and_then(|id| state.issues.get_mut(id)) else { break };
            taken.insert(issue.id);
            match kind {
                0 => issue.archived = Some(state.options.start),
                1 => issue.unlisted = true,
                _ => issue.hidden = true,
            }
        }
    }
}
