//! What the site answers has the form that the document gives.

use std::collections::BTreeMap;

use esker_jira_site::server::{Shape, by_name};

use crate::client::Client;
use crate::document::{self, Document};
use crate::schema::{self, Fault};
use crate::visits;

/// Where the recorded answers differ from the document, the site follows the recorded ones: part of an endpoint's name, the end
/// of a place, and why.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("", ".items[].from", "null where there was nothing before"),
    ("", ".items[].fromString", "null where there was nothing before"),
    ("", ".items[].to", "null where there is nothing after"),
    ("", ".items[].toString", "null where there is nothing after"),
    ("", ".items[].tmpFromAccountId", "recorded, in no document"),
    ("", ".items[].tmpToAccountId", "recorded, in no document"),
    ("/field", ".untranslatedName", "recorded, in no document"),
    ("/project", ".entityId", "recorded; the schema says `uuid` only"),
    ("/project", ".projectKeys", "an expansion of the document that its schema leaves out"),
    ("/serverInfo", ".defaultLocale", "recorded, in no document"),
];

#[tokio::test]
async fn answers_agree_with_the_document() {
    let Some(shared) = document::shared("answers against the OpenAPI document") else { return };
    let document = Document::open(&shared, "jira-platform-v3.json");
    let client = Client::new();
    let mut unused: Vec<_> = DEVIATIONS.iter().collect();
    let mut faults: BTreeMap<(String, Fault), String> = BTreeMap::new();
    for visit in visits::all(&client).await {
        let endpoint = by_name(&visit.endpoint).expect("an endpoint of the table");
        assert_shape(endpoint.shape, &visit);
        if endpoint.operation.is_empty() {
            continue;
        }
        let operation = document.operation(endpoint.path, endpoint.verb.name());
        let operation = operation.expect("the document has the operation");
        let schema = document::answer(operation).expect("the operation has an answer");
        for fault in schema::check(&document, schema, &visit.answer) {
            let explains = |deviation: &(&str, &str, &str)| {
                visit.endpoint.contains(deviation.0) && fault.place.ends_with(deviation.1)
            };
            if DEVIATIONS.iter().any(explains) {
                unused.retain(|deviation| !explains(deviation));
            } else {
                faults.entry((visit.endpoint.clone(), fault)).or_insert(visit.request.clone());
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(unused.is_empty(), "nothing deviates like this any more: {unused:#?}");
    client.assert_no_violations();
}

fn assert_shape(shape: Shape, visit: &visits::Visit) {
    let fits = match shape {
        Shape::Object(names) => names.iter().all(|name| visit.answer.get(name).is_some()),
        Shape::Map => visit.answer.is_object(),
        Shape::List => visit.answer.is_array(),
        Shape::Bytes | Shape::Gone => false,
    };
    assert!(fits, "{} is not {shape:?}: {}", visit.request, visit.answer);
}
