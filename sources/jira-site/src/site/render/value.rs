//! The values of custom fields.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::site::catalogue::TEAMS;
use crate::site::fields::{self, Custom, Kind};
use crate::site::model::{FieldValue, Id, Sprint};
use crate::site::state::State;

impl State {
    /// The value of a custom field as an issue shows it.
    pub(super) fn custom_json(&self, field: &Custom, value: &FieldValue, base: &str) -> Value {
        match value {
            FieldValue::Number(number) => json!(number),
            FieldValue::Choice(place) => option_json(field, *place, base),
            FieldValue::Choices(places) => {
                places.iter().map(|place| option_json(field, *place, base)).collect()
            }
            FieldValue::Cascade(parent, child) => cascade_json(field, *parent, *child, base),
            FieldValue::User(user) => self.person_json(Some(*user), base),
            FieldValue::Users(users) => {
                users.iter().map(|user| self.person_json(Some(*user), base)).collect()
            }
            FieldValue::Date(date) => json!(date.to_string()),
            FieldValue::Time(at) => json!(self.stamp(*at)),
            FieldValue::Text(text) => json!(text),
            FieldValue::Labels(labels) => json!(labels),
            FieldValue::Document(document) => document.render(&self.users),
            FieldValue::Team(place) => {
                let (id, name) = TEAMS[*place];
                json!({
                    "id": id, "name": name, "avatarUrl": "", "isVisible": true, "isVerified": false,
                    "title": name, "isShared": true,
                })
            }
            FieldValue::Sprints(ids) => {
                ids.iter().filter_map(|id| self.sprint(*id)).map(sprint_json).collect()
            }
            FieldValue::ServiceLevel { goal, start, stop } => {
                self.service_level_json(field, *goal, *start, *stop, base)
            }
            FieldValue::Given(value) => value.clone(),
        }
    }

    fn sprint(&self, id: Id) -> Option<&Sprint> {
        self.projects.values().flat_map(|project| &project.sprints).find(|sprint| sprint.id == id)
    }

    fn service_level_json(
        &self,
        field: &Custom,
        goal: u64,
        start: Timestamp,
        stop: Option<Timestamp>,
        base: &str,
    ) -> Value {
        let goal = goal as i64 * 1000;
        let elapsed =
            (stop.unwrap_or(self.seen_at).as_millisecond() - start.as_millisecond()).max(0);
        let breach = Timestamp::from_millisecond(start.as_millisecond() + goal).unwrap_or(start);
        let mut cycle = json!({"breached": elapsed > goal});
        cycle["startTime"] = self.moment_json(start);
        cycle["breachTime"] = self.moment_json(breach);
        cycle["goalDuration"] = duration_json(goal);
        cycle["elapsedTime"] = duration_json(elapsed);
        cycle["remainingTime"] = duration_json(goal - elapsed);
        let mut level = json!({
            "id": (field.number - 10_000).to_string(),
            "name": field.name,
            "_links": {"self": format!("{base}/rest/servicedeskapi/request/sla/{}", field.number - 10_000)},
            "completedCycles": [],
            "slaDisplayFormat": "NEW_SLA_FORMAT",
        });
        if let Some(stop) = stop {
            cycle["stopTime"] = self.moment_json(stop);
            level["completedCycles"] = json!([cycle]);
        } else {
            cycle["paused"] = json!(false);
            cycle["withinCalendarHours"] = json!(self.ticks.is_multiple_of(2));
            level["ongoingCycle"] = cycle;
        }
        level
    }

    fn moment_json(&self, at: Timestamp) -> Value {
        let zoned = at.to_zoned(self.zone.clone());
        json!({
            "iso8601": zoned.strftime("%Y-%m-%dT%H:%M:%S%z").to_string(),
            "jira": self.stamp(at),
            "friendly": zoned.strftime("%d/%b/%y %-I:%M %p").to_string(),
            "epochMillis": at.as_millisecond(),
        })
    }

    /// The value and the text of a custom field, as the changelog gives them.
    pub(in crate::site) fn history_text(
        &self,
        number: u32,
        value: Option<&FieldValue>,
    ) -> (Option<String>, Option<String>) {
        let (Some(value), Some(field)) = (value, fields::by_number(number)) else {
            return (None, None);
        };
        let option = |place: usize| (option_id(field, place), option_name(field, place));
        let (id, text) = match value {
            FieldValue::Number(number) => (None, number.to_string()),
            FieldValue::Choice(place) => {
                let (id, name) = option(*place);
                (Some(id), name.to_owned())
            }
            FieldValue::Choices(places) => {
                let ids: Vec<_> = places.iter().map(|place| option(*place).0).collect();
                let names: Vec<_> = places.iter().map(|place| option(*place).1).collect();
                (Some(format!("[{}]", ids.join(", "))), names.join(", "))
            }
            FieldValue::Cascade(parent, _) => {
                let (id, name) = option(*parent);
                (None, format!("Parent values: {name}({id})"))
            }
            FieldValue::User(user) => return self.person(Some(*user)),
            FieldValue::Users(users) => {
                let people: Vec<_> = users.iter().map(|user| self.person(Some(*user))).collect();
                let join = |parts: Vec<String>| parts.join(", ");
                (
                    Some(join(people.iter().filter_map(|person| person.0.clone()).collect())),
                    join(people.into_iter().filter_map(|person| person.1).collect()),
                )
            }
            FieldValue::Date(date) => {
                (Some(date.to_string()), date.strftime("%d/%b/%y").to_string())
            }
            FieldValue::Time(at) => (Some(self.stamp(*at)), self.stamp(*at)),
            FieldValue::Text(text) => (None, text.clone()),
            FieldValue::Labels(labels) => (None, labels.join(" ")),
            FieldValue::Document(document) => (None, document.words(&self.users)),
            FieldValue::Team(place) => {
                (Some(TEAMS[*place].0.to_owned()), TEAMS[*place].1.to_owned())
            }
            FieldValue::Sprints(ids) => {
                let sprints: Vec<_> = ids.iter().filter_map(|id| self.sprint(*id)).collect();
                let ids: Vec<_> = sprints.iter().map(|sprint| sprint.id.to_string()).collect();
                let names: Vec<_> = sprints.iter().map(|sprint| sprint.name.as_str()).collect();
                (Some(ids.join(", ")), names.join(", "))
            }
            FieldValue::ServiceLevel { .. } => return (None, None),
            FieldValue::Given(value) => (None, value.to_string()),
        };
        (id, Some(text))
    }
}

/// The ids of options count over all fields.
fn option_id(field: &Custom, place: usize) -> String {
    let first: usize = fields::CUSTOM
        .iter()
        .take_while(|other| other.number != field.number)
        .map(|other| other.kind.option_count() * 8)
        .sum();
    (10_100 + first + place * 8).to_string()
}

fn option_name(field: &Custom, place: usize) -> &'static str {
    field.kind.option(place).unwrap_or("")
}

fn option_json(field: &Custom, place: usize, base: &str) -> Value {
    let id = option_id(field, place);
    json!({
        "self": format!("{base}/rest/api/3/customFieldOption/{id}"),
        "value": option_name(field, place),
        "id": id,
    })
}

fn cascade_json(field: &Custom, parent: usize, child: Option<usize>, base: &str) -> Value {
    let mut option = option_json(field, parent, base);
    let Kind::Cascade(options) = field.kind else { return option };
    let children = options.get(parent).map_or(&[][..], |(_, children)| children);
    if let Some((place, name)) = child.and_then(|place| Some((place, children.get(place)?))) {
        // Between the ids of two parents there is room for their children.
        let id = option_id(field, parent).parse::<usize>().unwrap_or(0) + 1 + place;
        option["child"] = json!({
            "self": format!("{base}/rest/api/3/customFieldOption/{id}"),
            "value": name,
            "id": id.to_string(),
        });
    }
    option
}

fn sprint_json(sprint: &Sprint) -> Value {
    let mut json = json!({
        "id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": sprint.board, "goal": sprint.goal,
        "startDate": format!("{:.3}", sprint.start), "endDate": format!("{:.3}", sprint.end),
    });
    if sprint.state == "closed" {
        json["completeDate"] = json!(format!("{:.3}", sprint.end));
    }
    json
}

fn duration_json(millis: i64) -> Value {
    let minutes = millis.abs() / 60_000;
    let sign = if millis < 0 { "-" } else { "" };
    json!({"millis": millis, "friendly": format!("{sign}{}h {}m", minutes / 60, minutes % 60)})
}
