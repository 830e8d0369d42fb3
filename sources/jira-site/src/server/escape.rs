//! The escapes of URLs.

use std::fmt::Write as _;

/// Decodes a part of a path.
pub(super) fn decode_path(text: &str) -> String {
    decode(text, false)
}

/// Decodes a name or a value of a query, where `+` is a space.
pub(super) fn decode_form(text: &str) -> String {
    decode(text, true)
}

/// Decodes `%41` and, in forms, `+`; what is not an escape stays as it is.
fn decode(text: &str, plus_is_space: bool) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let escaped = match (byte, behind) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match escaped {
            Some(value) => {
                decoded.push(value);
                rest = &behind[2..];
            }
            None if byte == b'+' && plus_is_space => decoded.push(b' '),
            None => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Escapes what may not stand in a URL.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (text, expected) in [
            ("a%20b", "a b"),
            ("a+b", "a b"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%E2%82%AC", "€"),
            ("%ff", "\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(decode_form(text), expected, "{text}");
        }
        assert_eq!(decode_path("a+b"), "a+b");
    }

    #[test]
    fn what_may_not_stand_in_a_url_is_escaped() {
        assert_eq!(encode("a b/ü\".png"), "a%20b%2F%C3%BC%22.png");
        assert_eq!(decode_path(&encode("a+b/%")), "a+b/%");
    }
}
