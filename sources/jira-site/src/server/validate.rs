//! Checks a request against its endpoint's row in the table.

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::request::Request;
use super::table::{Endpoint, Field, Kind, Shape};
use super::violation::{Complaints, ViolationKind as Wrong};

/// The values of a request's parameters and body properties, by name, of the types that the table names.
pub(super) type Arguments = Map<String, Value>;

const PAYLOAD: &str = "Invalid request payload. Refer to the REST API documentation and try again.";

/// Checks headers, query and body, and returns the values.
///
/// # Errors
/// The refusal of the real site. What it would only ignore is a complaint and no error.
pub(super) fn arguments(
    endpoint: &Endpoint,
    request: &Request,
    complaints: &mut Complaints<'_>,
) -> Result<Arguments, Refusal> {
    if endpoint.shape == Shape::Gone {
        complaints.add(Wrong::Removed, "this endpoint was removed");
        return Ok(Map::new());
    }
    if endpoint.shape != Shape::Bytes {
        check_accept(request, complaints);
    }
    let mut values = query(endpoint, request, complaints)?;
    match endpoint.body {
        Some(fields) => {
            check_content_type(request, complaints)?;
            values.append(&mut body(fields, request, complaints)?);
        }
        None if !request.body.is_empty() => {
            complaints.add(Wrong::UnknownParameter, "a body where none is read");
        }
        None => {}
    }
    Ok(values)
}

fn check_accept(request: &Request, complaints: &mut Complaints<'_>) {
    let accept = request.header("accept").unwrap_or_default();
    let wanted = ["application/json", "application/*", "*/*"];
    if !accept.split([',', ';']).any(|part| wanted.contains(&part.trim())) {
        complaints.add(Wrong::WrongHeader, format!("Accept is `{accept}` and leaves out JSON"));
    }
}

fn check_content_type(request: &Request, complaints: &mut Complaints<'_>) -> Result<(), Refusal> {
    let given = request.header("content-type").unwrap_or_default();
    if given.split(';').next().unwrap_or_default().trim() == "application/json" {
        return Ok(());
    }
    complaints.add(Wrong::WrongHeader, format!("Content-Type is `{given}` and not JSON"));
    Err(Refusal::new(415, "Unsupported Media Type"))
}

fn query(
    endpoint: &Endpoint,
    request: &Request,
    complaints: &mut Complaints<'_>,
) -> Result<Arguments, Refusal> {
    for (name, _) in &request.query {
        if endpoint.unserved.contains(&&**name) {
            complaints.add(Wrong::Unserved, format!("parameter `{name}` is not served here"));
        } else if !endpoint.query.iter().any(|field| field.name == name) {
            complaints.add(Wrong::UnknownParameter, format!("no parameter has the name `{name}`"));
        }
    }
    let mut values = Map::new();
    for field in endpoint.query {
        let given: Vec<&str> = request
            .query
            .iter()
            .filter(|(name, _)| name == field.name)
            .map(|(_, value)| &**value)
            .collect();
        let Some(last) = given.last() else {
            missing(field, complaints)?;
            continue;
        };
        let value = match field.kind {
            Kind::List(item) => {
                let items = given.iter().flat_map(|value| value.split(',')).map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                items.map(|text| from_text(item, text)).collect::<Option<_>>().map(Value::Array)
            }
            ref kind => from_text(kind, last),
        };
        let Some(value) = value else {
            let message = format!("`{}` of parameter `{}` is not one", given.join(","), field.name);
            complaints.add(Wrong::WrongValue, message);
            return Err(Refusal::invalid(format!("The value of '{}' is invalid.", field.name)));
        };
        served(field, &value, complaints);
        let value = match within(field, &value) {
            Ok(()) => value,
            Err(Excess { message, nearest }) => {
                complaints.add(Wrong::OverTheLimit, message.clone());
                Value::from(nearest.ok_or_else(|| Refusal::invalid(message))?)
            }
        };
        values.insert(field.name.to_owned(), value);
    }
    Ok(values)
}

fn body(
    fields: &[Field],
    request: &Request,
    complaints: &mut Complaints<'_>,
) -> Result<Arguments, Refusal> {
    let Ok(Value::Object(mut given)) = serde_json::from_slice(&request.body) else {
        complaints.add(Wrong::WrongValue, "the body is not a JSON object");
        return Err(Refusal::invalid(PAYLOAD));
    };
    let mut values = Map::new();
    for field in fields {
        let Some(value) = given.remove(field.name).filter(|value| !value.is_null()) else {
            missing(field, complaints)?;
            continue;
        };
        if !is(&field.kind, &value) {
            let message = format!("property `{}` is of the wrong type", field.name);
            complaints.add(Wrong::WrongValue, message);
            return Err(Refusal::invalid(PAYLOAD));
        }
        served(field, &value, complaints);
        if let Err(Excess { message, .. }) = within(field, &value) {
            complaints.add(Wrong::OverTheLimit, message.clone());
            return Err(Refusal::invalid(message));
        }
        values.insert(field.name.to_owned(), value);
    }
    if let Some(name) = given.keys().next() {
        complaints.add(Wrong::UnknownParameter, format!("no property has the name `{name}`"));
        return Err(Refusal::invalid(PAYLOAD));
    }
    Ok(values)
}

fn missing(field: &Field, complaints: &mut Complaints<'_>) -> Result<(), Refusal> {
    if !field.required {
        return Ok(());
    }
    complaints.add(Wrong::Missing, format!("`{}` must be given", field.name));
    Err(Refusal::invalid(format!("'{}' must be provided.", field.name)))
}

fn from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Integer | Kind::Digits => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean => match &*text.to_ascii_lowercase() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Choice(words) if !words.contains(&text) => None,
        Kind::Text | Kind::Choice(_) | Kind::Words(_) | Kind::List(_) => Some(Value::from(text)),
    }
}

fn is(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Integer | Kind::Digits => value.is_i64(),
        Kind::Boolean => value.is_boolean(),
        Kind::Text | Kind::Words(_) => value.is_string(),
        Kind::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::List(item) => {
            value.as_array().is_some_and(|items| items.iter().all(|value| is(item, value)))
        }
    }
}

/// Complains of expansions that nothing here answers.
fn served(field: &Field, value: &Value, complaints: &mut Complaints<'_>) {
    let (Kind::Words(words) | Kind::List(&Kind::Words(words))) = field.kind else { return };
    let given = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => vec![value.as_str().unwrap_or_default()],
    };
    for word in given.into_iter().flat_map(|given| given.split(',')).map(str::trim) {
        if !word.is_empty() && !words.contains(&word) {
            let message = format!("`{word}` of parameter `{}` is not served here", field.name);
            complaints.add(Wrong::Unserved, message);
        }
    }
}

/// A number or a count of items outside its limits.
struct Excess {
    message: String,
    /// What a number becomes instead.
    nearest: Option<i64>,
}

fn within(field: &Field, value: &Value) -> Result<(), Excess> {
    let (number, is_count) = match value {
        Value::Array(items) => (items.len() as i64, true),
        Value::Number(_) => (value.as_i64().unwrap_or_default(), false),
        _ => return Ok(()),
    };
    let least = field.least.unwrap_or(i64::MIN);
    let most = field.most.unwrap_or(i64::MAX);
    let limit = number.clamp(least, most);
    if number == limit {
        return Ok(());
    }
    let order = if number < limit { "at least" } else { "at most" };
    let noun = if is_count { " items" } else { "" };
    let message = format!("'{}' must be {order} {limit}{noun}, not {number}.", field.name);
    Err(Excess { message, nearest: (!is_count).then_some(limit) })
}

#[cfg(test)]
mod tests;
