//! Rich text of Atlassian (ADF: a tree of nodes below one of the type `doc`) as plain text.

use serde_json::Value;

/// Nodes that end a line.
const BLOCKS: [&str; 7] =
    ["paragraph", "heading", "codeBlock", "rule", "hardBreak", "mediaSingle", "tableRow"];

/// True for a document of rich text.
pub(super) fn is_rich(value: &Value) -> bool {
    value.get("type").is_some_and(|it| it == "doc")
        && value.get("content").is_some_and(Value::is_array)
}

/// The words of rich text, a line for each block; what is no rich text stays as it is.
pub(super) fn flattened(value: &Value) -> Value {
    if !is_rich(value) {
        return value.clone();
    }
    let mut text = String::new();
    flatten(value, &mut text);
    Value::String(text.trim_end().to_owned())
}

fn flatten(node: &Value, text: &mut String) {
    // What is no text by itself is known by what it shows: a mention by its name, an emoji, a link.
    let attribute = |name: &str| node.get("attrs")?.get(name)?.as_str();
    let shown = node.get("text").and_then(Value::as_str);
    let shown = shown.or_else(|| attribute("text"));
    let shown = shown.or_else(|| attribute("shortName")).or_else(|| attribute("url"));
    text.push_str(shown.unwrap_or_default());
    for child in node.get("content").and_then(Value::as_array).into_iter().flatten() {
        flatten(child, text);
    }
    let kind = node.get("type").and_then(Value::as_str).unwrap_or_default();
    if BLOCKS.contains(&kind) && !text.ends_with('\n') {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_kept_and_blocks_end_lines() {
        let paragraph = |content: Value| json!({"type": "paragraph", "content": content});
        let text = |text: &str| json!({"type": "text", "text": text});
        let doc = json!({"type": "doc", "version": 1, "content": [
            {"type": "heading", "attrs": {"level": 1}, "content": [text("Title")]},
            paragraph(json!([
                text("ask "),
                {"type": "mention", "attrs": {"id": "5b10", "text": "@Mia"}},
                {"type": "hardBreak"},
                {"type": "inlineCard", "attrs": {"url": "https://example.com"}},
            ])),
            {"type": "bulletList", "content": [
                {"type": "listItem", "content": [paragraph(json!([text("one")]))]},
                {"type": "listItem", "content": [paragraph(json!([text("two")]))]},
            ]},
        ]});
        assert!(is_rich(&doc));
        assert_eq!(flattened(&doc), json!("Title\nask @Mia\nhttps://example.com\none\ntwo"));
        for plain in [json!("x"), json!({"type": "doc"}), json!({"content": []}), Value::Null] {
            assert!(!is_rich(&plain));
            assert_eq!(flattened(&plain), plain);
        }
    }
}
