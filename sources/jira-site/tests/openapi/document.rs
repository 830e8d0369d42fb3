//! Atlassian's own documents, where they are at hand: beside the project, in `../shared`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of Atlassian's documents; none where it is absent and nobody insists on it.
#[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
pub(crate) fn shared(left_out: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/atlassian");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var_os("ESKER_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "{} is not there", folder.display());
    eprintln!("left out, for want of {}: {left_out}", folder.display());
    None
}

/// An OpenAPI document.
pub(crate) struct Document {
    root: Value,
}

impl Document {
    /// Reads the document of that name.
    pub(crate) fn open(shared: &Path, name: &str) -> Document {
        let path = shared.join("openapi").join(name);
        let text = fs::read(&path).expect("the document is readable");
        Document { root: serde_json::from_slice(&text).expect("the document is JSON") }
    }

    /// A document that is at hand.
    pub(crate) fn of(root: Value) -> Document {
        Document { root }
    }

    /// The operation of a path and a method.
    pub(crate) fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        self.root["paths"].get(path)?.get(method.to_ascii_lowercase())
    }

    /// Follows references until there is a schema.
    pub(crate) fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = self.reference(reference);
        }
        schema
    }

    /// What a reference names.
    pub(crate) fn reference(&self, reference: &str) -> &Value {
        let pointer = reference.strip_prefix('#').expect("references stay in the document");
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} is nowhere"))
    }

    /// The schema of an operation's request body.
    pub(crate) fn body<'a>(&'a self, operation: &'a Value) -> Option<&'a Value> {
        let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
        Some(self.resolve(schema))
    }

    /// Every property name of every schema.
    pub(crate) fn property_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect_properties(&self.root["components"]["schemas"], &mut names);
        names
    }
}

/// The schema of an operation's answer, where it has one.
pub(crate) fn answer(operation: &Value) -> Option<&Value> {
    operation.pointer("/responses/200/content/application~1json/schema")
}

fn collect_properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "properties"
                    && let Value::Object(properties) = value
                {
                    names.extend(properties.keys().cloned());
                }
                collect_properties(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_properties(item, names)),
        _ => {}
    }
}
