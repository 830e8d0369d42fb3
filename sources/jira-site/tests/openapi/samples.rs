//! The site invents no properties: each name stands in a recorded answer or in the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::Client;
use crate::document::{self, Document};
use crate::visits;

/// Objects whose property names are data.
const MAPS: [&str; 5] = ["names", "schema", "properties", "permissions", "roles"];

/// Names that neither the document nor a recorded answer holds, and where they are from.
const FROM_ELSEWHERE: [(&str, &str); 6] = [
    ("cloudId", "the endpoint is not part of the product, and in no document"),
    ("projectKeys", "the document names the expansion in words"),
    ("isShared", "the field for teams, which no recorded issue has"),
    ("isVerified", "the field for teams"),
    ("localId", "an attribute of rich text, which has a document of its own"),
    ("order", "an attribute of rich text"),
];

#[tokio::test]
async fn no_property_is_invented() {
    let Some(shared) = document::shared("answers against recorded ones") else { return };
    let mut known = Document::open(&shared, "jira-platform-v3.json").property_names();
    // Service levels are fields of issues too.
    known.extend(Document::open(&shared, "jira-service-management.json").property_names());
    known.extend(FROM_ELSEWHERE.map(|(name, _)| name.to_owned()));
    let mut files = 0;
    for folder in fs::read_dir(shared.join("samples")).expect("the folder of samples") {
        let folder = folder.expect("an entry").path();
        if folder.is_dir() {
            files += collect_folder(&folder, &mut known);
        }
    }
    assert!(files > 100, "there are {files} samples");
    let client = Client::new();
    let mut invented = BTreeMap::new();
    for visit in visits::all(&client).await {
        // The answer is a map of roles.
        if visit.endpoint.ends_with("/role") && visit.answer.is_object() {
            continue;
        }
        find_invented(&visit.answer, &known, &visit.request, &mut invented);
    }
    assert!(invented.is_empty(), "{invented:#?}");
}

/// Adds the property names of a folder's files; returns how many files there are.
fn collect_folder(folder: &Path, known: &mut BTreeSet<String>) -> usize {
    let mut files = 0;
    for file in fs::read_dir(folder).expect("a folder of samples") {
        let text = fs::read(file.expect("an entry").path()).expect("a sample");
        if let Ok(sample) = serde_json::from_slice(&text) {
            collect(&sample, known);
            files += 1;
        }
    }
    files
}

fn collect(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                known.insert(name.clone());
                collect(value, known);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        _ => {}
    }
}

/// Notes each unknown name with a request that shows it.
fn find_invented(
    value: &Value,
    known: &BTreeSet<String>,
    request: &str,
    invented: &mut BTreeMap<String, String>,
) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if !known.contains(name) && !name.starts_with("customfield_") {
                    invented.entry(name.clone()).or_insert_with(|| request.to_owned());
                }
                let is_map = MAPS.contains(&&**name) || (name == "value" && object.len() == 2);
                if !is_map {
                    find_invented(value, known, request, invented);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                find_invented(item, known, request, invented);
            }
        }
        _ => {}
    }
}
