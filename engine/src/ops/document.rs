//! Documents for people: JSON with line ends and indentation.

use serde::de::IgnoredAny;

/// A document above this size is compared as a whole, and restored as it is stored.
pub(super) const DOCUMENT_LIMIT: u64 = /* 16 MiB */ 16 * 1024 * 1024;
/// A document that would become longer than this stays as it is.
const PRETTY_LIMIT: usize = /* 64 MiB */ 64 * 1024 * 1024;
/// A document that is nested deeper than this stays as it is.
const DEPTH_LIMIT: usize = 128;
const INDENTATION: &[u8] = b"  ";

/// A JSON document with a line for each value; `None` for what is no JSON or would become too long. Nothing but white space
/// differs: numbers, texts and the order of fields stay as they are stored.
pub(super) fn pretty(document: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(document).ok()?;
    let mut text = Vec::with_capacity(document.len() * 3 / 2);
    let (mut depth, mut is_first) = (0, false);
    let (mut in_string, mut is_escaped) = (false, false);
    for &byte in document {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = byte == b'\\' && !is_escaped;
            text.push(byte);
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let ends = matches!(byte, b'}' | b']');
        if ends {
            depth -= 1;
        }
        // An empty list or object stays on its line.
        if is_first != ends {
            begin_line(&mut text, depth);
        }
        is_first = false;
        text.push(byte);
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => (depth, is_first) = (depth + 1, true),
            b',' => begin_line(&mut text, depth),
            b':' => text.push(b' '),
            _ => {}
        }
        if depth > DEPTH_LIMIT || text.len() > PRETTY_LIMIT {
            return None;
        }
    }
    text.push(b'\n');
    Some(text)
}

fn begin_line(text: &mut Vec<u8>, depth: usize) {
    text.push(b'\n');
    for _ in 0..depth {
        text.extend_from_slice(INDENTATION);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_is_added() {
        let check = |document: &str, expected: &str| {
            let text = pretty(document.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{document}");
        };
        check("1.10", "1.10\n");
        check("[]", "[]\n");
        check(r#"{"a":{}}"#, "{\n  \"a\": {}\n}\n");
        check(
            r#"{"b":[1e400,"x,\"{y\\"],"a":null,"b":"é"}"#,
            "{\n  \"b\": [\n    1e400,\n    \"x,\\\"{y\\\\\"\n  ],\n  \"a\": null,\n  \"b\": \"é\"\n}\n",
        );
        // What is pretty already stays so.
        check("{\n  \"a\": [\n    1\n  ]\n}\n", "{\n  \"a\": [\n    1\n  ]\n}\n");
        for no_json in ["", "hello, world", "{", "[1]]", "\"open"] {
            assert_eq!(pretty(no_json.as_bytes()), None, "{no_json}");
        }
    }

    #[test]
    fn what_serde_prints_is_what_we_print() {
        let value = serde_json::json!({"a": [1, [], {}, {"b": "c: d", "e": [true]}], "f": 1.5});
        let expected = serde_json::to_string_pretty(&value).unwrap() + "\n";
        assert_eq!(pretty(value.to_string().as_bytes()).unwrap(), expected.as_bytes());
    }

    #[test]
    fn hostile_documents_do_not_grow_without_bounds() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(pretty(nested(DEPTH_LIMIT).as_bytes()).is_some());
        assert_eq!(pretty(nested(DEPTH_LIMIT + 1).as_bytes()), None);
        let wide = "[".repeat(100) + &"1,".repeat(400_000) + "1" + &"]".repeat(100);
        assert_eq!(pretty(wide.as_bytes()), None);
    }
}
