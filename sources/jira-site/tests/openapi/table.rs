//! The table of endpoints holds what the document says.

use std::collections::BTreeSet;

use esker_jira_site::server::{Endpoint, Field, Kind, Paging, Shape, endpoints};
use serde_json::Value;

use crate::document::{self, Document};

/// Endpoints that the document does not have, and why they are here.
const NOT_IN_THE_DOCUMENT: [(&str, &str); 2] = [
    ("/_edge/tenant_info", "names the cloud id; part of the gateway, not of the product"),
    ("/media/file/{fileId}/binary", "stands for the media store, which is another host"),
];

#[test]
fn the_table_agrees_with_the_document() {
    let Some(shared) = document::shared("the table against the OpenAPI document") else { return };
    let document = Document::open(&shared, "jira-platform-v3.json");
    let mut differences = Vec::new();
    for endpoint in endpoints() {
        if endpoint.operation.is_empty() {
            let explained = NOT_IN_THE_DOCUMENT.iter().any(|(path, _)| *path == endpoint.path);
            assert!(explained, "{} is in no document", endpoint.path);
            continue;
        }
        let found = differences_of(&document, endpoint);
        differences.extend(found.into_iter().map(|what| format!("{}: {what}", endpoint.name())));
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

fn differences_of(document: &Document, endpoint: &Endpoint) -> Vec<String> {
    let Some(operation) = document.operation(endpoint.path, endpoint.verb.name()) else {
        return vec!["is not in the document".to_owned()];
    };
    let mut differences = Vec::new();
    if operation["operationId"] != endpoint.operation {
        differences.push(format!("is called {}", operation["operationId"]));
    }
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |place: &str| -> BTreeSet<&str> {
        let there = parameters.iter().filter(|parameter| parameter["in"] == place);
        there.filter_map(|parameter| parameter["name"].as_str()).collect()
    };
    let braces = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
    let in_path: BTreeSet<&str> = endpoint.path.split('/').filter_map(braces).collect();
    if in_path != of("path") {
        differences.push(format!("has the path parameters {:?}", of("path")));
    }
    let served = endpoint.query.iter().map(|field| field.name);
    let known: BTreeSet<&str> = served.chain(endpoint.unserved.iter().copied()).collect();
    if known != of("query") {
        differences.push(format!("has the query parameters {:?}, not {known:?}", of("query")));
    }
    for field in endpoint.query {
        let Some(parameter) = parameters.iter().find(|found| found["name"] == field.name) else {
            continue;
        };
        compare(document, field, &parameter["schema"], &mut differences);
        if field.required != (parameter["required"] == true) {
            differences.push(format!("`{}` is required or not", field.name));
        }
    }
    compare_body(document, endpoint, operation, &mut differences);
    compare_answer(document, endpoint, operation, &mut differences);
    differences
}

fn compare_body(
    document: &Document,
    endpoint: &Endpoint,
    operation: &Value,
    differences: &mut Vec<String>,
) {
    let schema = document.body(operation);
    let Some(fields) = endpoint.body else {
        if schema.is_some() && endpoint.shape != Shape::Gone {
            differences.push("has a request body".to_owned());
        }
        return;
    };
    let Some(schema) = schema else {
        return differences.push("has no request body".to_owned());
    };
    let properties = schema["properties"].as_object().expect("a body is an object");
    let names: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
    if names != known {
        differences.push(format!("has the body properties {names:?}, not {known:?}"));
    }
    let required = schema["required"].as_array();
    for field in fields {
        if let Some(property) = properties.get(field.name) {
            compare(document, field, property, differences);
        }
        let is_required = required.is_some_and(|names| names.iter().any(|name| name == field.name));
        if field.required != is_required {
            differences.push(format!("body property `{}` is required or not", field.name));
        }
    }
}

/// Compares type, default and limits of a parameter; limits that stand only in the prose are ours alone.
fn compare(document: &Document, field: &Field, schema: &Value, differences: &mut Vec<String>) {
    let schema = document.resolve(schema);
    let mut differ = |what: &str| differences.push(format!("`{}`: {what}", field.name));
    if !same_type(document, &field.kind, schema) {
        differ(&format!("has the type {}, not {:?}", schema["type"], field.kind));
    }
    let is_list = matches!(field.kind, Kind::List(_));
    let holder = if is_list { document.resolve(&schema["items"]) } else { schema };
    let default = holder.get("default").or_else(|| schema.get("default")).map(as_text);
    // An empty default of a list says nothing; the boolean parameters of ours all say what holds without them.
    let says_nothing = default.as_deref().is_none_or(str::is_empty) || field.kind == Kind::Boolean;
    if !(says_nothing && field.default.is_none_or(|value| value.is_empty() || value == "false"))
        && default.as_deref() != field.default
    {
        differ(&format!("is {default:?} by default, not {:?}", field.default));
    }
    let (least, most) = if is_list { ("minItems", "maxItems") } else { ("minimum", "maximum") };
    for (name, ours) in [(least, field.least), (most, field.most)] {
        if let Some(limit) = schema.get(name)
            && limit.as_i64() != ours
        {
            differ(&format!("has the {name} {limit}, not {ours:?}"));
        }
    }
}

fn same_type(document: &Document, kind: &Kind, schema: &Value) -> bool {
    let expected = match kind {
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
        Kind::Text | Kind::Words(_) | Kind::Digits | Kind::Choice(_) => "string",
        Kind::List(_) => "array",
    };
    let same_values = match kind {
        Kind::Choice(ours) => {
            let theirs: BTreeSet<&str> =
                schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            theirs == ours.iter().copied().collect()
        }
        Kind::List(item) => same_type(document, item, document.resolve(&schema["items"])),
        _ => schema.get("enum").is_none(),
    };
    schema["type"] == expected && same_values
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn compare_answer(
    document: &Document,
    endpoint: &Endpoint,
    operation: &Value,
    differences: &mut Vec<String>,
) {
    let schema = document::answer(operation).map(|schema| document.resolve(schema));
    let kind = schema.map_or("", |schema| schema["type"].as_str().unwrap_or_default());
    let paged = |names: &[&str]| {
        schema
            .is_some_and(|schema| names.iter().all(|name| schema["properties"].get(name).is_some()))
    };
    let agrees = match endpoint.shape {
        Shape::Object(names) => kind == "object" && paged(names),
        Shape::Map => kind == "object",
        // The document leaves open what remote links come in: one, or a list of them.
        Shape::List => kind == "array" || endpoint.path.ends_with("/remotelink"),
        Shape::Bytes => schema.is_none(),
        Shape::Gone => operation["deprecated"] == true,
    };
    if !agrees {
        differences.push(format!("does not answer with {:?}", endpoint.shape));
    }
    let paging_agrees = match endpoint.paging {
        Paging::Token { .. } => paged(&["nextPageToken"]),
        Paging::Feed { .. } => paged(&["since", "until", "lastPage", "nextPage"]),
        Paging::Offset { .. } => kind == "array" || paged(&["startAt", "maxResults", "total"]),
        Paging::Whole => true,
    };
    if !paging_agrees {
        differences.push(format!("is not paged by {:?}", endpoint.paging));
    }
}
