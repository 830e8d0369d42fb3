//! Version 2 of the API: rich text is text, and addresses are those of version 2.

use serde_json::Value;

/// Makes version 2 of an answer, roughly: every document of rich text is its plain text.
pub(super) fn flatten(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("http") && text.contains("/rest/api/3/") => {
            *text = text.replacen("/rest/api/3/", "/rest/api/2/", 1);
        }
        Value::Array(items) => items.iter_mut().for_each(flatten),
        Value::Object(object) if is_document(object) => {
            let mut text = String::new();
            write_blocks(value, &mut text);
            *value = Value::String(text.trim_end().to_owned());
        }
        Value::Object(object) => object.values_mut().for_each(flatten),
        _ => {}
    }
}

fn is_document(object: &serde_json::Map<String, Value>) -> bool {
    object.get("type").is_some_and(|kind| kind == "doc")
        && object.contains_key("version")
        && object.get("content").is_some_and(Value::is_array)
}

fn write_blocks(node: &Value, text: &mut String) {
    match node["type"].as_str() {
        Some("text") => text.push_str(node["text"].as_str().unwrap_or_default()),
        Some("hardBreak") => text.push('\n'),
        Some("mention" | "emoji") => {
            text.push_str(node["attrs"]["text"].as_str().unwrap_or_default());
        }
        Some("inlineCard") => text.push_str(node["attrs"]["url"].as_str().unwrap_or_default()),
        kind => {
            for child in node["content"].as_array().into_iter().flatten() {
                write_blocks(child, text);
            }
            if matches!(kind, Some("paragraph" | "heading" | "codeBlock")) {
                text.push_str("\n\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_become_text_wherever_they_are() {
        let paragraph = |text: &str| {
            json!({"type": "paragraph", "content": [
            {"type": "text", "text": text}, {"type": "hardBreak"}, {"type": "text", "text": "b"}]})
        };
        let document =
            json!({"type": "doc", "version": 1, "content": [paragraph("a"), paragraph("c")]});
        let mut value = json!({"fields": {"description": document, "type": "doc"}, "list": [1], "self": "http://a/rest/api/3/b"});
        flatten(&mut value);
        let expected = json!({"fields": {"description": "a\nb\n\nc\nb", "type": "doc"}, "list": [1], "self": "http://a/rest/api/2/b"});
        assert_eq!(value, expected);
    }
}
