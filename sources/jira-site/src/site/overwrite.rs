//! Edits that name a field and a value, as a script does that somebody ran on the wrong issues.

use serde_json::{Value, json};

use super::catalogue::{PRIORITIES, place};
use super::edit::By;
use super::fields;
use super::model::{ChangeItem, Document, FieldValue, Id};
use super::state::State;

impl State {
    /// Writes a value over a field of an issue; returns whether there is such an issue.
    ///
    /// Custom fields and system fields that the model does not know in such a form show the value as it is given.
    pub(crate) fn overwrite(&mut self, issue: Id, by: By, field: &str, value: &Value) -> bool {
        let Some(found) = self.issues.get(&issue) else { return false };
        // A value may be given as Jira takes it: itself, or an object with its name or id.
        let text =
            ["name", "id", "accountId", "value"].iter().find_map(|part| value[*part].as_str());
        let text = text.or(value.as_str());
        match (field, text) {
            ("summary", Some(text)) => self.set_summary(issue, by, text.to_owned()),
            ("description", _) => {
                self.set_description(issue, by, document(value));
            }
            ("priority", text) => {
                let named = |text| place(PRIORITIES.iter().map(|it| (it.id, it.name)), text);
                self.set_priority(issue, by, text.and_then(named));
            }
            ("assignee", text) => {
                let user = text.and_then(|id| self.users.iter().position(|it| it.account_id == id));
                self.assign(issue, by, user);
            }
            ("labels", _) => {
                let labels = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                let labels = labels.map(str::to_owned).collect();
                self.set_labels(issue, by, labels);
            }
            ("duedate", text) => {
                let due = text.and_then(|text| text.parse().ok());
                let show = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string());
                let (from, to) = (show(found.due), show(due));
                let item = ChangeItem::system("duedate", Some("duedate"))
                    .from(from.clone(), from)
                    .to(to.clone(), to);
                self.change(issue, by, vec![item], |issue| issue.due = due);
            }
            _ => match fields::number_of(field)
                .filter(|number| fields::by_number(*number).is_some())
            {
                Some(number) => {
                    let value = (!value.is_null()).then(|| FieldValue::Given(value.clone()));
                    self.set_custom(issue, by, number, value);
                }
                None => self.overwrite_blindly(issue, by, field, value),
            },
        }
        true
    }

    fn overwrite_blindly(&mut self, issue: Id, by: By, field: &str, value: &Value) {
        let name =
            fields::SYSTEM.iter().find(|known| known.id == field).map_or("field", |it| it.name);
        let text = (!value.is_null()).then(|| value.to_string());
        let item = ChangeItem::system(name, Some(field)).texts(None, text);
        self.change(issue, by, vec![item], |issue| {
            issue.overwritten.insert(field.to_owned(), value.clone());
        });
    }
}

/// Plain text becomes a paragraph.
fn document(value: &Value) -> Document {
    match value {
        Value::Null => Document::None,
        Value::String(text) => Document::Given(json!({
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
        })),
        other => Document::Given(other.clone()),
    }
}
