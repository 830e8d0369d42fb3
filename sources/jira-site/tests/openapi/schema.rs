//! Checks JSON against a schema of an OpenAPI 3.0 document.

use serde_json::Value;

use crate::document::Document;

/// Where in a value something is wrong, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Property names from the top; items of arrays are `[]`.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) what: String,
}

/// Checks a value against a schema of the document; returns all that is wrong.
pub(crate) fn check(document: &Document, schema: &Value, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    Checker { document, faults: &mut faults }.value(schema, value, "$");
    faults.sort();
    faults.dedup();
    faults
}

struct Checker<'a> {
    document: &'a Document,
    faults: &'a mut Vec<Fault>,
}

impl Checker<'_> {
    fn fault(&mut self, place: &str, what: impl Into<String>) {
        self.faults.push(Fault { place: place.to_owned(), what: what.into() });
    }

    fn value(&mut self, schema: &Value, value: &Value, place: &str) {
        let schema = self.document.resolve(schema);
        if value.is_null() {
            let anything = schema.as_object().is_some_and(|schema| {
                !["type", "allOf", "oneOf", "anyOf"].iter().any(|key| schema.contains_key(*key))
            });
            if schema["nullable"] != true && !anything {
                self.fault(place, "is null");
            }
            return;
        }
        for part in list(schema, "allOf") {
            self.value(part, value, place);
        }
        for key in ["oneOf", "anyOf"] {
            self.alternatives(list(schema, key), value, place);
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            self.fault(place, format!("is {value}, which is not one of those allowed"));
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema, value, place),
            None if schema.get("properties").is_some() => self.object(schema, value, place),
            Some("array") => self.array(schema, value, place),
            Some(kind) => self.scalar(kind, schema, value, place),
            None => {}
        }
    }

    fn alternatives(&mut self, alternatives: &[Value], value: &Value, place: &str) {
        let fewest = alternatives
            .iter()
            .map(|schema| {
                let mut faults = Vec::new();
                Checker { document: self.document, faults: &mut faults }
                    .value(schema, value, place);
                faults
            })
            .min_by_key(Vec::len);
        self.faults.extend(fewest.into_iter().flatten());
    }

    fn object(&mut self, schema: &Value, value: &Value, place: &str) {
        let Some(object) = value.as_object() else {
            return self.fault(place, "is not an object");
        };
        for name in list(schema, "required").iter().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                self.fault(&format!("{place}.{name}"), "is missing");
            }
        }
        for (name, value) in object {
            let place = format!("{place}.{name}");
            if let Some(property) = schema["properties"].get(name) {
                self.value(property, value, &place);
            } else if schema["additionalProperties"].is_object() {
                self.value(&schema["additionalProperties"], value, &place);
            } else if schema["additionalProperties"] == false {
                self.fault(&place, "is not in the schema");
            }
        }
    }

    fn array(&mut self, schema: &Value, value: &Value, place: &str) {
        let Some(items) = value.as_array() else {
            return self.fault(place, "is not an array");
        };
        for item in items {
            self.value(&schema["items"], item, &format!("{place}[]"));
        }
        if schema["uniqueItems"] == true && (1..items.len()).any(|n| items[..n].contains(&items[n]))
        {
            self.fault(place, "holds an item twice");
        }
    }

    fn scalar(&mut self, kind: &str, schema: &Value, value: &Value, place: &str) {
        let fits = match kind {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => panic!("the schema of {place} has the type {kind}"),
        };
        if !fits {
            return self.fault(place, format!("is {value}, not {kind}"));
        }
        let format = schema["format"].as_str().unwrap_or_default();
        if let Some(text) = value.as_str()
            && !has_format(text, format)
        {
            self.fault(place, format!("is `{text}`, not a {format}"));
        }
    }
}

/// Whether a text is a date, a moment or an address as Jira writes them; other formats are not looked at.
fn has_format(text: &str, format: &str) -> bool {
    let digits = |pattern: &str| {
        text.len() == pattern.len()
            && text.chars().zip(pattern.chars()).all(|(found, expected)| match expected {
                '0' => found.is_ascii_digit(),
                '±' => found == '+' || found == '-',
                _ => found == expected,
            })
    };
    match format {
        "date" => digits("0000-00-00"),
        // Jira leaves the colon of the offset out.
        "date-time" => {
            text.len() == 28
                && digits(&"0000-00-00T00:00:00.000±0000".replace('±', &text[23..24]))
                && matches!(&text[23..24], "+" | "-")
        }
        "uri" => text.contains("://"),
        _ => true,
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema[key].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn the_checker_finds_what_is_wrong() {
    use serde_json::json;

    let document = Document::of(json!({ "components": { "schemas": {
        "Name": { "type": "string" },
        "Row": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": { "type": "integer" },
                "name": { "allOf": [{ "$ref": "#/components/schemas/Name" }] },
                "at": { "type": "string", "format": "date-time" },
                "kind": { "type": "string", "enum": ["a", "b"] },
                "more": { "type": "object", "additionalProperties": { "type": "boolean" } },
                "none": { "type": "string", "nullable": true },
                "any": {},
                "tags": { "type": "array", "uniqueItems": true, "items": { "type": "string" } },
                "either": { "oneOf": [{ "type": "string" }, { "type": "integer" }] },
            },
        },
    } } }));
    let rows = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Row" } });
    for (row, place) in [
        (json!({ "id": 1, "name": "n", "kind": "b", "any": null, "none": null }), ""),
        (json!({ "id": 1, "at": "2026-03-01T21:20:00.000+1100", "either": 1 }), ""),
        (json!({ "id": 1, "more": { "x": true }, "tags": ["a", "b"], "either": "a" }), ""),
        (json!({}), "$[].id"),
        (json!({ "id": "1" }), "$[].id"),
        (json!({ "id": 1.5 }), "$[].id"),
        (json!({ "id": null }), "$[].id"),
        (json!({ "id": 1, "name": 1 }), "$[].name"),
        (json!({ "id": 1, "name": null }), "$[].name"),
        (json!({ "id": 1, "at": "2026-03-01T21:20:00Z" }), "$[].at"),
        (json!({ "id": 1, "kind": "c" }), "$[].kind"),
        (json!({ "id": 1, "more": { "x": 1 } }), "$[].more.x"),
        (json!({ "id": 1, "tags": ["a", "a"] }), "$[].tags"),
        (json!({ "id": 1, "tags": [1] }), "$[].tags[]"),
        (json!({ "id": 1, "either": true }), "$[].either"),
        (json!({ "id": 1, "other": 1 }), "$[].other"),
        (json!([]), "$[]"),
    ] {
        let found = check(&document, &rows, &json!([row]));
        let places: Vec<&str> = found.iter().map(|fault| &*fault.place).collect();
        let expected: Vec<&str> = [place].into_iter().filter(|place| !place.is_empty()).collect();
        assert_eq!(places, expected, "{row}");
    }
}
