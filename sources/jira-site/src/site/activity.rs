//! What people do in a moment: create an issue, work on one, attach a file.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::catalogue::{self, BUG, DONE_CATEGORY, EPIC, STATUSES, STORY, SUBTASK, TASK};
use super::clock::{earlier, later};
use super::edit::By;
use super::fields;
use super::model::{
    Attachment, Comment, Document, FieldValue, Id, Issue, RemoteLink, Size, UserIndex, Visibility,
    Worklog,
};
use super::random::Random;
use super::state::State;
use super::text;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl State {
    /// Creates an issue in a project, perhaps below another one.
    pub(crate) fn create(&mut self, project: Id, random: &mut Random, at: Timestamp) -> Id {
        let creator = self.somebody(random);
        let mut kind = [EPIC, STORY, STORY, TASK, TASK, TASK, BUG, BUG, SUBTASK][random.below(9)];
        let parent = self.possible_parent(project, kind, random);
        if kind == SUBTASK && parent.is_none() {
            kind = TASK;
        }
        let mut labels: Vec<String> = (0..random.skewed(4)).map(|_| text::label(random)).collect();
        labels.sort_unstable();
        labels.dedup();
        let (components, versions) = self.places(project, random);
        let estimate = random.percent(40).then(|| random.between(1, 40) as u64 * 1800);
        let issue = Issue {
            id: 0,
            project,
            number: 0,
            old_keys: Vec::new(),
            kind,
            parent,
            children: Vec::new(),
            summary: text::summary(random, kind == BUG),
            description: if self.next.issue % 200 == 20 {
                Document::new(random, Size::Full)
            } else {
                description(random)
            },
            environment: if random.percent(12) {
                Document::new(random, Size::Line)
            } else {
                Document::None
            },
            status: 0,
            status_since: at,
            resolution: None,
            resolved: None,
            priority: random.percent(97).then(|| usize::midpoint(random.below(5), random.below(5))),
            labels,
            components,
            affected_versions: versions.iter().copied().filter(|_| kind == BUG).collect(),
            fix_versions: if random.percent(30) { versions } else { Vec::new() },
            assignee: random.percent(60).then(|| self.somebody(random)),
            reporter: random.percent(98).then_some(creator),
            creator,
            due: random
                .percent(20)
                .then(|| self.date(later(at, DAY * random.between(1, 90) as u32))),
            original_estimate: estimate,
            remaining_estimate: estimate,
            created: at,
            updated: at,
            custom: self.custom_values(project, kind, random, at),
            links: Vec::new(),
            attachments: Vec::new(),
            comments: Vec::new(),
            worklogs: Vec::new(),
            remote_links: Vec::new(),
            watchers: self.some_people(random, 3),
            voters: if random.percent(15) { self.some_people(random, 5) } else { Vec::new() },
            properties: properties(random),
            history: Vec::new(),
            overwritten: BTreeMap::new(),
            archived: None,
            hidden: false,
            unlisted: false,
            touched: Vec::new(),
        };
        let id = self.add_issue(issue);
        self.touch(id, at);
        id
    }

    /// Lets somebody do one thing to an issue; everything that it can do moves `updated`.
    pub(crate) fn work_on(&mut self, issue: Id, random: &mut Random, at: Timestamp) {
        let by = By { author: random.percent(99).then(|| self.somebody(random)), at };
        match random.below(100) {
            0..36 => self.comment(issue, random, by),
            36..42 => self.revise_comment(issue, random, by),
            42..58 => self.progress(issue, random, by),
            58..66 => self.log_work(issue, random, by),
            66..72 => {
                let to = random.percent(90).then(|| self.somebody(random));
                self.assign(issue, by, to);
            }
            72..78 => self.relabel(issue, random, by),
            78..82 => self.link_somewhere(issue, random, by),
            82..85 => self.add_remote_link(issue, by, remote_link(random)),
            85..88 => {
                let bug = random.percent(50);
                self.set_summary(issue, by, text::summary(random, bug));
            }
            88..92 => self.set_description(issue, by, description(random)),
            92..95 => self.set_priority(issue, by, Some(random.below(5))),
            _ => self.fill_field(issue, random, by),
        }
    }

    /// Attaches a file.
    pub(crate) fn attach_something(&mut self, issue: Id, random: &mut Random, at: Timestamp) {
        let by = By { author: random.percent(98).then(|| self.somebody(random)), at };
        // Names repeat within an issue now and then; every third file of a site has a hostile name.
        let twin = self.issues.get(&issue).and_then(|issue| issue.attachments.last());
        let twin = twin.filter(|_| random.percent(15)).map(|twin| (twin.name.clone(), twin.mime));
        let place = self.next.attachment as usize;
        let hostile =
            place.is_multiple_of(3).then(|| (text::hostile_file(place / 3), "text/plain"));
        let (name, mime) = twin.or(hostile).unwrap_or_else(|| text::file(random));
        let size = match random.below(100) {
            0..3 => 0,
            3..5 => random.between(1_000_000, 3_000_000),
            _ => 200 + random.skewed(400_000),
        };
        // Some files are attached again and again.
        let (seed, size) = match random.below(100) {
            0..10 => {
                let copy = random.below(4);
                (copy as u64, 20_000 * (copy + 1))
            }
            _ => (random.next(), size),
        };
        let attachment = Attachment {
            id: 0,
            name,
            author: by.author,
            created: at,
            size: size as u64,
            mime,
            seed,
        };
        let id = self.attach(issue, by, attachment);
        if mime.starts_with("image/") && random.percent(50) {
            let body = Document::Written { seed: random.next(), size: Size::Line, media: Some(id) };
            self.add_comment(issue, by, plain_comment(by, body));
        }
    }

    /// Attaches a file of a name and a size that somebody wants.
    pub(crate) fn attach_file(&mut self, issue: Id, name: &str, size: u64, at: Timestamp) {
        let by = By { author: Some(0), at };
        let attachment = Attachment {
            id: 0,
            name: name.to_owned(),
            author: by.author,
            created: at,
            size,
            mime: "application/octet-stream",
            seed: size,
        };
        self.attach(issue, by, attachment);
    }

    /// Lets somebody comment, now and then for a few eyes only.
    pub(crate) fn comment(&mut self, issue: Id, random: &mut Random, by: By) {
        let size = if random.percent(12) { Size::Long } else { Size::Short };
        let mut comment = plain_comment(by, Document::new(random, size));
        comment.public = random.percent(90);
        comment.visibility = match random.below(20) {
            0 => Some(Visibility::Role(random.below(catalogue::ROLES.len()))),
            1 => Some(Visibility::Group(random.below(catalogue::GROUPS.len()))),
            _ => None,
        };
        self.add_comment(issue, by, comment);
    }

    fn revise_comment(&mut self, issue: Id, random: &mut Random, by: By) {
        let count = self.issues.get(&issue).map_or(0, |issue| issue.comments.len());
        if count == 0 {
            return self.comment(issue, random, by);
        }
        let body = Document::new(random, Size::Short);
        self.edit_comment(issue, by, random.below(count), body);
    }

    fn progress(&mut self, issue: Id, random: &mut Random, by: By) {
        let Some(before) = self.issues.get(&issue).map(|issue| issue.status) else { return };
        let status = (before + random.between(1, STATUSES.len() - 1)) % STATUSES.len();
        let done = STATUSES[status].category == DONE_CATEGORY;
        let resolution = done.then(|| random.skewed(catalogue::RESOLUTIONS.len()));
        self.transition(issue, by, status, resolution);
    }

    fn log_work(&mut self, issue: Id, random: &mut Random, by: By) {
        let worklog = Worklog {
            id: 0,
            author: by.author,
            comment: if random.percent(70) {
                Document::new(random, Size::Line)
            } else {
                Document::None
            },
            created: by.at,
            updated: by.at,
            started: earlier(by.at, Duration::from_secs(random.below(200_000) as u64)),
            seconds: random.between(1, 32) as u64 * 900,
            visibility: random.percent(5).then_some(Visibility::Group(0)),
        };
        self.add_worklog(issue, by, worklog);
    }

    fn relabel(&mut self, issue: Id, random: &mut Random, by: By) {
        let Some(mut labels) = self.issues.get(&issue).map(|issue| issue.labels.clone()) else {
            return;
        };
        let label = text::label(random);
        match labels.iter().position(|it| *it == label) {
            Some(place) => drop(labels.remove(place)),
            None => labels.push(label),
        }
        labels.sort_unstable();
        self.set_labels(issue, by, labels);
    }

    fn link_somewhere(&mut self, issue: Id, random: &mut Random, by: By) {
        let other = self.recent_issue(random);
        match other.filter(|&other| other != issue) {
            Some(other) => self.link(issue, other, random.below(catalogue::LINK_TYPES.len()), by),
            None => self.comment(issue, random, by),
        }
    }

    fn fill_field(&mut self, issue: Id, random: &mut Random, by: By) {
        let Some((project, kind)) =
            self.issues.get(&issue).map(|issue| (issue.project, issue.kind))
        else {
            return;
        };
        let values = self.custom_values(project, kind, random, by.at);
        let editable = |number: u32| number != fields::RANK && number != fields::TIME_TO_RESOLUTION;
        let values: Vec<_> = values.into_iter().filter(|&(number, _)| editable(number)).collect();
        let place = random.below(values.len());
        match values.into_iter().nth(place) {
            Some((number, value)) => self.set_custom(issue, by, number, Some(value)),
            None => self.set_custom(issue, by, fields::STORY_POINTS, Some(FieldValue::Number(3.0))),
        }
    }

    /// An issue near the newest ones.
    pub(crate) fn recent_issue(&self, random: &mut Random) -> Option<Id> {
        let newest = self.next.issue.checked_sub(1)?;
        let oldest = *self.issues.keys().next()?;
        let id = newest - random.skewed((newest - oldest + 1) as usize) as u64;
        // Deleted ids leave gaps: the next older issue takes their place.
        self.issues.range(..=id).next_back().map(|(id, _)| *id)
    }

    pub(crate) fn somebody(&self, random: &mut Random) -> UserIndex {
        let user = random.skewed(self.users.len());
        // Nobody does anything with a deleted account, unless there is no other.
        let alive = |user: &UserIndex| self.users.get(*user).is_some_and(|user| !user.deleted);
        (user..self.users.len()).chain(0..user).find(alive).unwrap_or(0)
    }

    pub(crate) fn some_people(&self, random: &mut Random, most: usize) -> Vec<UserIndex> {
        let mut people: Vec<_> =
            (0..random.below(most + 1)).map(|_| self.somebody(random)).collect();
        people.sort_unstable();
        people.dedup();
        people
    }

    pub(crate) fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// A recent issue of the project that one of this type may be put below.
    fn possible_parent(&self, project: Id, kind: usize, random: &mut Random) -> Option<Id> {
        let wanted = match kind {
            SUBTASK => 0,
            EPIC => return None,
            _ if random.percent(60) => return None,
            _ => 1,
        };
        let fits = |issue: &&Issue| {
            issue.project == project && catalogue::ISSUE_TYPES[issue.kind].level == wanted
        };
        self.issues.values().rev().take(400).filter(fits).nth(random.skewed(12)).map(|it| it.id)
    }

    /// Some components and versions of a project.
    fn places(&self, project: Id, random: &mut Random) -> (Vec<Id>, Vec<Id>) {
        let Some(project) = self.projects.get(&project) else { return Default::default() };
        let components = project.components.iter().map(|component| component.id);
        let versions = project.versions.iter().map(|version| version.id);
        (
            components.filter(|_| random.percent(25)).collect(),
            versions.filter(|_| random.percent(15)).collect(),
        )
    }
}

fn description(random: &mut Random) -> Document {
    match random.below(100) {
        0..15 => Document::None,
        15..55 => Document::new(random, Size::Short),
        _ => Document::new(random, Size::Long),
    }
}

fn plain_comment(by: By, body: Document) -> Comment {
    Comment {
        id: 0,
        author: by.author,
        update_author: by.author,
        body,
        created: by.at,
        updated: by.at,
        visibility: None,
        public: true,
    }
}

fn remote_link(random: &mut Random) -> RemoteLink {
    let page = random.below(900_000);
    if random.percent(50) {
        return RemoteLink {
            id: 0,
            global_id: None,
            application: None,
            relationship: None,
            url: format!("https://wiki.example.com/runbooks/{page}"),
            title: text::sentence(random),
            resolved: false,
        };
    }
    RemoteLink {
        id: 0,
        global_id: Some(format!("appId=7a1c05ab-3f7e-3d51-8e2b-6f1b7c2a9d34&pageId={page}")),
        application: Some(("com.atlassian.confluence", "System Confluence")),
        relationship: Some("mentioned in"),
        url: format!("https://demo.atlassian.net/wiki/pages/viewpage.action?pageId={page}"),
        title: "Page".to_owned(),
        resolved: random.percent(20),
    }
}

fn properties(random: &mut Random) -> BTreeMap<String, Value> {
    let mut properties = BTreeMap::new();
    if random.percent(10) {
        let items: Vec<_> = (0..random.between(1, 5))
            .map(|place| json!({"id": place, "text": text::sentence(random), "done": random.percent(40)}))
            .collect();
        properties
            .insert("com.example.checklist".to_owned(), json!({"version": 2, "items": items}));
    }
    if random.percent(5) {
        properties
            .insert("source/system:id".to_owned(), json!(format!("old-{}", random.below(9000))));
    }
    properties
}
