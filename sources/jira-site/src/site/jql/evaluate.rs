//! Decides which issues a query finds: what it names is looked up once, then every issue is tried.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::{Clause, Field, Jql, JqlError, Operand, Operator, Sort, Test, date};
use crate::site::catalogue::{
    ISSUE_TYPES, PRIORITIES, RESOLUTIONS, STATUS_CATEGORIES, STATUSES, place,
};
use crate::site::fields;
use crate::site::model::{FieldValue, Issue};
use crate::site::state::State;

/// A minute in milliseconds: as fine as dates in queries are.
const MINUTE: i64 = 60_000;

/// An issue as the index has it.
pub(in crate::site) struct Seen<'a> {
    pub(in crate::site) issue: &'a Issue,
    pub(in crate::site) updated: Timestamp,
}

type Predicate<'a> = Box<dyn Fn(&Seen<'_>) -> bool + 'a>;

impl Jql {
    /// Makes the test that an issue has to pass.
    pub(in crate::site) fn predicate<'a>(
        &self,
        state: &'a State,
        now: Timestamp,
    ) -> Result<Predicate<'a>, JqlError> {
        let filter = self.filter.as_ref().ok_or_else(JqlError::unbounded)?;
        Compiler { state, now }.clause(filter)
    }

    /// Compares two issues by the query's order; newest first if it has none.
    pub(in crate::site) fn compare(
        &self,
        state: &State,
        one: &Seen<'_>,
        other: &Seen<'_>,
    ) -> Ordering {
        let mut by_order = self.order.iter().map(|sort| compare(state, *sort, one, other));
        by_order.find(|ordering| ordering.is_ne()).unwrap_or_else(|| {
            let ids = one.issue.id.cmp(&other.issue.id);
            if self.order.is_empty() { ids.reverse() } else { ids }
        })
    }
}

struct Compiler<'a> {
    state: &'a State,
    now: Timestamp,
}

impl<'a> Compiler<'a> {
    fn clause(&self, clause: &Clause) -> Result<Predicate<'a>, JqlError> {
        Ok(match clause {
            Clause::And(clauses) => {
                let parts = self.clauses(clauses)?;
                Box::new(move |seen| parts.iter().all(|part| part(seen)))
            }
            Clause::Or(clauses) => {
                let parts = self.clauses(clauses)?;
                Box::new(move |seen| parts.iter().any(|part| part(seen)))
            }
            Clause::Not(clause) => {
                let part = self.clause(clause)?;
                Box::new(move |seen| !part(seen))
            }
            Clause::Test(test) => self.test(test)?,
        })
    }

    fn clauses(&self, clauses: &[Clause]) -> Result<Vec<Predicate<'a>>, JqlError> {
        clauses.iter().map(|clause| self.clause(clause)).collect()
    }

    fn test(&self, test: &Test) -> Result<Predicate<'a>, JqlError> {
        match test.field {
            Field::Created | Field::Updated | Field::Resolved => self.date_test(test),
            Field::Key => self.key_test(test),
            Field::Summary | Field::Text => Ok(self.text_test(test)),
            Field::Labels => Ok(label_test(test)),
            _ => self.value_test(test),
        }
    }

    fn date_test(&self, test: &Test) -> Result<Predicate<'a>, JqlError> {
        let read = |operand: &Operand| match operand {
            Operand::Now => Ok(Some(self.now)),
            Operand::Empty => Ok(None),
            Operand::CurrentUser => Err(bad_date("currentUser()", &test.name)),
            Operand::Text(text) => date::parse(text, &self.state.zone, self.now)
                .map(Some)
                .ok_or_else(|| bad_date(text, &test.name)),
        };
        let wanted = test.operands.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (field, operator) = (test.field, test.operator);
        let same_minute = |at: Timestamp, wanted: Timestamp| {
            at.as_millisecond().div_euclid(MINUTE) == wanted.as_millisecond().div_euclid(MINUTE)
        };
        let matches = move |at: Option<Timestamp>, wanted: Option<Timestamp>| match (at, wanted) {
            (Some(at), Some(wanted)) => match operator {
                Operator::Less => at < wanted,
                Operator::AtMost => at <= wanted,
                Operator::Greater => at > wanted,
                Operator::AtLeast => at >= wanted,
                _ => same_minute(at, wanted),
            },
            (None, None) => true,
            _ => false,
        };
        Ok(Box::new(move |seen| {
            let at = match field {
                Field::Created => Some(seen.issue.created),
                Field::Updated => Some(seen.updated),
                _ => seen.issue.resolved,
            };
            let found = wanted.iter().any(|wanted| matches(at, *wanted));
            if is_negative(operator) {
                !found && (at.is_some() || wanted.contains(&None))
            } else {
                found
            }
        }))
    }

    /// Keys and ids; one that the account may not see is refused, as if it did not exist.
    fn key_test(&self, test: &Test) -> Result<Predicate<'a>, JqlError> {
        let find = |operand: &Operand| {
            let Operand::Text(text) = operand else {
                return Err(JqlError::new(format!("The field '{}' cannot be empty.", test.name)));
            };
            let found = self.state.find(text).and_then(|id| self.state.issues.get(&id));
            found.map(|issue| (issue.id, issue.project, issue.number)).ok_or_else(|| {
                JqlError::new(if text.parse::<u64>().is_ok() {
                    format!(
                        "A value with ID '{text}' does not exist for the field '{}'.",
                        test.name
                    )
                } else {
                    format!("An issue with key '{text}' does not exist for field '{}'.", test.name)
                })
            })
        };
        let issues = test.operands.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let operator = test.operator;
        Ok(Box::new(move |seen| {
            let compares = |wanted: fn(Ordering) -> bool| {
                let issue = seen.issue;
                // Numbers compare within a project only.
                issues.iter().any(|(_, project, number)| {
                    issue.project == *project && wanted(issue.number.cmp(number))
                })
            };
            match operator {
                Operator::Less => compares(Ordering::is_lt),
                Operator::AtMost => compares(Ordering::is_le),
                Operator::Greater => compares(Ordering::is_gt),
                Operator::AtLeast => compares(Ordering::is_ge),
                _ => issues.iter().any(|(id, ..)| *id == seen.issue.id) != is_negative(operator),
            }
        }))
    }

    fn text_test(&self, test: &Test) -> Predicate<'a> {
        let (state, field, operator) = (self.state, test.field, test.operator);
        if matches!(operator, Operator::Is | Operator::IsNot) {
            // Every issue has a summary.
            return Box::new(move |_| operator == Operator::IsNot);
        }
        let words: Vec<String> = test
            .operands
            .iter()
            .filter_map(|operand| match operand {
                Operand::Text(text) => Some(text.to_lowercase()),
                _ => None,
            })
            .flat_map(|text| {
                text.split_whitespace()
                    .map(|word| word.trim_matches(['*', '"']).to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        Box::new(move |seen| {
            let issue = seen.issue;
            let mut text = issue.summary.to_lowercase();
            let mut found = words.iter().all(|word| text.contains(word));
            if !found && field == Field::Text {
                let documents = issue.comments.iter().map(|comment| &comment.body);
                for document in documents.chain([&issue.description, &issue.environment]) {
                    text.push(' ');
                    text.push_str(&document.words(&state.users).to_lowercase());
                }
                found = words.iter().all(|word| text.contains(word));
            }
            found != (operator == Operator::ContainsNot)
        })
    }

    /// Fields that hold one value out of a list, or none.
    fn value_test(&self, test: &Test) -> Result<Predicate<'a>, JqlError> {
        let look_up = |operand: &Operand| match operand {
            Operand::Empty => Ok(None),
            Operand::CurrentUser => Ok(Some(0)),
            Operand::Now => Err(unknown_value("now()", &test.name)),
            Operand::Text(text) => self
                .look_up(test.field, text)
                .map(Some)
                .ok_or_else(|| unknown_value(text, &test.name)),
        };
        let wanted = test.operands.iter().map(look_up).collect::<Result<Vec<_>, _>>()?;
        let (field, operator) = (test.field, test.operator);
        Ok(Box::new(move |seen| {
            let value = value(seen.issue, field);
            let found = wanted.contains(&value);
            if is_negative(operator) {
                // Neither `!= x` nor `not in (x)` finds what is empty.
                !found && (value.is_some() || wanted.contains(&None))
            } else {
                found
            }
        }))
    }

    /// The number that stands for a value in [`value`].
    fn look_up(&self, field: Field, text: &str) -> Option<u64> {
        let found = match field {
            Field::Project => return self.project(text),
            Field::Parent => return self.state.find(text),
            Field::Assignee | Field::Reporter | Field::Creator => {
                let matches = |name: &str| name.eq_ignore_ascii_case(text);
                self.state.users.iter().position(|user| {
                    user.account_id == text || (!user.deleted && matches(&user.name))
                })
            }
            Field::Status => place(STATUSES.iter().map(|it| (it.id, it.name)), text),
            Field::StatusCategory => {
                place(STATUS_CATEGORIES.iter().map(|it| (it.key, it.name)), text)
            }
            Field::IssueType => place(ISSUE_TYPES.iter().map(|it| (it.id, it.name)), text),
            Field::Priority => place(PRIORITIES.iter().map(|it| (it.id, it.name)), text),
            Field::Resolution => place(RESOLUTIONS.iter().map(|it| (it.0, it.1)), text),
            _ => None,
        };
        found.map(|place| place as u64)
    }

    /// A project by key, id or name, if the account may browse it.
    fn project(&self, text: &str) -> Option<u64> {
        let named = || {
            let mut projects = self.state.projects.values();
            projects.find(|it| it.name.eq_ignore_ascii_case(text)).map(|it| it.id)
        };
        let found = self.state.find_project(text).or_else(named);
        found.filter(|project| self.state.may_browse(*project))
    }
}

fn label_test<'a>(test: &Test) -> Predicate<'a> {
    let (operator, operands) = (test.operator, test.operands.clone());
    Box::new(move |seen| {
        let labels = &seen.issue.labels;
        let found = operands.iter().any(|operand| match operand {
            Operand::Text(text) => labels.contains(text),
            _ => labels.is_empty(),
        });
        if is_negative(operator) {
            !found && (!labels.is_empty() || operands.contains(&Operand::Empty))
        } else {
            found
        }
    })
}

fn value(issue: &Issue, field: Field) -> Option<u64> {
    let place = match field {
        Field::Project => return Some(issue.project),
        Field::Parent => return issue.parent,
        Field::Assignee => issue.assignee,
        Field::Reporter => issue.reporter,
        Field::Creator => Some(issue.creator),
        Field::Status => Some(issue.status),
        Field::StatusCategory => Some(STATUSES[issue.status].category),
        Field::IssueType => Some(issue.kind),
        Field::Priority => issue.priority,
        Field::Resolution => issue.resolution,
        _ => None,
    };
    place.map(|place| place as u64)
}

fn compare(state: &State, sort: Sort, one: &Seen<'_>, other: &Seen<'_>) -> Ordering {
    let ordering = match sort.field {
        Field::Created => one.issue.created.cmp(&other.issue.created),
        Field::Updated => one.updated.cmp(&other.updated),
        Field::Resolved => one.issue.resolved.cmp(&other.issue.resolved),
        Field::Key => {
            let key = |issue: &Issue| {
                (
                    state.projects.get(&issue.project).map(|project| project.key.as_str()),
                    issue.number,
                )
            };
            key(one.issue).cmp(&key(other.issue))
        }
        Field::Summary | Field::Text => one.issue.summary.cmp(&other.issue.summary),
        Field::Labels => one.issue.labels.cmp(&other.issue.labels),
        Field::Rank => rank(one.issue).cmp(rank(other.issue)),
        field => value(one.issue, field).cmp(&value(other.issue, field)),
    };
    if sort.descending { ordering.reverse() } else { ordering }
}

fn rank(issue: &Issue) -> &str {
    match issue.custom.get(&fields::RANK) {
        Some(FieldValue::Text(rank)) => rank,
        _ => "",
    }
}

fn is_negative(operator: Operator) -> bool {
    matches!(operator, Operator::NotEqual | Operator::NotIn | Operator::IsNot)
}

fn unknown_value(value: &str, field: &str) -> JqlError {
    JqlError::new(format!("The value '{value}' does not exist for the field '{field}'."))
}

fn bad_date(value: &str, field: &str) -> JqlError {
    JqlError::new(format!(
        "Date value '{value}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', \
         'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    ))
}
