//! What faults make of an answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::answer::{Answer, Content, File, Refusal};
use super::super::validate::Arguments;
use super::{Fault, RetryAfter};

/// The answer that comes instead of the right one.
pub(in super::super) fn instead(
    fault: &Fault,
    arguments: &Arguments,
    now: Timestamp,
) -> Option<Answer> {
    match fault {
        Fault::Status { status, retry_after, html } => {
            let answer = if *html { page(*status) } else { error(*status) };
            Some(match retry_after {
                Some(wait) => answer.header("Retry-After", wait_text(*wait, now)),
                None => answer,
            })
        }
        Fault::LoginPage => Some(Answer::text(200, HTML, LOGIN_PAGE)),
        Fault::ExpiredPageToken if arguments.contains_key("nextPageToken") => {
            Some(Refusal::invalid("The provided next page token is invalid or expired.").into())
        }
        _ => None,
    }
}

/// Makes a request ask for pages of so many rows at most.
pub(in super::super) fn shorten(rows: u64, arguments: &mut Arguments) {
    let asked = arguments.get("maxResults").and_then(Value::as_u64);
    arguments.insert("maxResults".to_owned(), Value::from(asked.map_or(rows, |it| it.min(rows))));
}

/// Changes an answer; tells whether there was something to change.
pub(in super::super) fn alter(fault: &Fault, arguments: &Arguments, answer: &mut Answer) -> bool {
    if answer.status >= 300 {
        return false;
    }
    if fails_fast(fault, arguments) {
        *answer = Refusal::new(500, "Could not retrieve all field data.").into();
        return true;
    }
    match (&mut answer.content, fault) {
        (Content::Json(value), _) => alter_json(fault, arguments, value),
        (Content::File(file), Fault::WrongLength { by }) => lengthen(file, *by),
        (Content::File(_), Fault::WrongContentRange) => {
            let mut headers = answer.headers.iter_mut();
            let Some((_, range)) = headers.find(|(name, _)| *name == "Content-Range") else {
                return false;
            };
            *range = range.replacen("bytes ", "bytes 1", 1);
            true
        }
        _ => false,
    }
}

fn fails_fast(fault: &Fault, arguments: &Arguments) -> bool {
    let asked = arguments.get("failFast").and_then(Value::as_bool).unwrap_or_default();
    asked && matches!(fault, Fault::MissingRows(_) | Fault::RowsWithoutFields(_))
}

fn alter_json(fault: &Fault, arguments: &Arguments, value: &mut Value) -> bool {
    match fault {
        Fault::RepeatedPageToken => {
            let Some(token) = arguments.get("nextPageToken") else { return false };
            let Some(object) = value.as_object_mut() else { return false };
            object.insert("nextPageToken".to_owned(), token.clone());
            if let Some(last) = object.get_mut("isLast") {
                *last = Value::Bool(false);
            }
            true
        }
        Fault::RepeatedRow => change_rows(value, |rows| rows.extend(rows.first().cloned())),
        Fault::MissingRows(count) => change_rows(value, |rows| drop_first(rows, *count)),
        Fault::RowsWithoutFields(count) => change_rows(value, |rows| {
            for row in rows.iter_mut().take(*count).filter_map(Value::as_object_mut) {
                row.remove("fields");
            }
        }),
        Fault::IssueErrors(count) => issue_errors(value, *count),
        Fault::NumbersAsStrings => change_each(value, &|_, value| match value {
            Value::Number(number) => Change::Replace(Value::String(number.to_string())),
            _ => Change::Keep,
        }),
        Fault::NullProperties(names) => change_named(value, names, || Change::Replace(Value::Null)),
        Fault::MissingProperties(names) => change_named(value, names, || Change::Remove),
        Fault::NoInsight => change_named(value, &["insight".to_owned()], || Change::Remove),
        Fault::WrongCount { by } => {
            let Some(count) = value.get_mut("count") else { return false };
            *count = Value::from((count.as_i64().unwrap_or_default() + by).max(0));
            true
        }
        _ => false,
    }
}

fn drop_first(rows: &mut Vec<Value>, count: usize) {
    rows.drain(..count.min(rows.len()));
}

/// Changes the rows of a page or of a list; tells whether there are any.
fn change_rows(value: &mut Value, change: impl FnOnce(&mut Vec<Value>)) -> bool {
    const NAMES: [&str; 6] =
        ["issues", "values", "comments", "worklogs", "issueChangeLogs", "histories"];
    let rows = match value {
        Value::Array(rows) => Some(rows),
        Value::Object(object) => NAMES
            .into_iter()
            .find(|name| object.contains_key(*name))
            .and_then(|name| object.get_mut(name)?.as_array_mut()),
        _ => None,
    };
    match rows {
        Some(rows) if !rows.is_empty() => {
            change(rows);
            true
        }
        _ => false,
    }
}

fn issue_errors(value: &mut Value, count: usize) -> bool {
    let Some(object) = value.as_object_mut() else { return false };
    if !object.contains_key("issueErrors") {
        return false;
    }
    let Some(issues) = object.get_mut("issues").and_then(Value::as_array_mut) else { return false };
    let lost: Vec<Value> = issues.drain(..count.min(issues.len())).collect();
    let errors: Vec<Value> = lost
        .iter()
        .map(|issue| json!({ "id": issue["id"], "errorMessage": "The issue could not be retrieved." }))
        .collect();
    object.insert("issueErrors".to_owned(), Value::Array(errors));
    !lost.is_empty()
}

/// What becomes of one value.
enum Change {
    Keep,
    Replace(Value),
    Remove,
}

/// Replaces or removes values at any depth; `change` sees a property's name, which is empty for items of arrays.
fn change_each(value: &mut Value, change: &dyn Fn(&str, &Value) -> Change) -> bool {
    let mut changed = false;
    let mut keeps = |name: &str, value: &mut Value| {
        match change(name, value) {
            Change::Keep => {
                changed |= change_each(value, change);
                return true;
            }
            Change::Replace(new) => *value = new,
            Change::Remove => {
                changed = true;
                return false;
            }
        }
        changed = true;
        true
    };
    match value {
        Value::Array(items) => items.retain_mut(|item| keeps("", item)),
        Value::Object(object) => object.retain(|name, value| keeps(name, value)),
        _ => {}
    }
    changed
}

/// Replaces or removes the properties of these names at any depth.
fn change_named(value: &mut Value, names: &[String], change: fn() -> Change) -> bool {
    change_each(value, &|name, _| {
        if names.iter().any(|known| known == name) { change() } else { Change::Keep }
    })
}

/// Makes a file longer, by zeros, or shorter.
fn lengthen(file: &mut File, by: i64) -> bool {
    let real = file.length;
    file.length = real.saturating_add_signed(by);
    if file.range.end == real || file.range.end > file.length {
        file.range.end = file.length;
    }
    file.range.start = file.range.start.min(file.range.end);
    let read = Arc::clone(&file.read);
    file.read = Arc::new(move |range| {
        if range.end <= real {
            return read(range);
        }
        let mut bytes = BytesMut::from(&*read(range.start.min(real)..real));
        bytes.resize((range.end - range.start) as usize, 0);
        Bytes::from(bytes)
    });
    true
}

const HTML: &str = "text/html;charset=UTF-8";

const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Log in to continue</title></head>\
     <body><form action=\"/login\" method=\"post\"><input name=\"username\"></form></body></html>";

fn page(status: u16) -> Answer {
    let text = format!(
        "<!DOCTYPE html><html><head><title>{status}</title></head>\
         <body><h1>We will be back soon</h1></body></html>"
    );
    Answer::text(status, HTML, text)
}

fn error(status: u16) -> Answer {
    match status {
        401 => Answer::text(401, "text/plain;charset=UTF-8", UNAUTHORIZED),
        404 => Refusal::no_issue().into(),
        429 => super::super::limits::too_many(),
        403 => Refusal::new(403, "You do not have permission to do this.").into(),
        410 => Refusal::new(410, "The requested API has been removed.").into(),
        _ => Refusal::new(status, "Internal server error").into(),
    }
}

/// What Jira says to a caller it does not know.
pub(in super::super) const UNAUTHORIZED: &str =
    "Client must be authenticated to access this resource.";

/// A time as HTTP headers write it (RFC 9110, 5.6.7).
pub(in super::super) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn wait_text(wait: RetryAfter, now: Timestamp) -> String {
    match wait {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => http_date(now + Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests;
