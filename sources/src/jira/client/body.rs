//! Bodies of a bounded size.

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::error::{Messages, Outage, RequestError};
use super::retry::Failure;

/// How much of a refusal is read.
const MAX_REFUSAL: u64 = /* 64 KiB */ 64 * 1024;
/// How many messages of a refusal are kept, and how many characters of each.
const MAX_MESSAGES: usize = 5;
const MAX_MESSAGE_CHARS: usize = 200;
/// What is reserved for a body before its bytes are there, whatever length it claims.
const MAX_RESERVED: u64 = /* 1 MiB */ 1024 * 1024;

/// Reads the JSON of a successful answer.
pub(super) async fn json(
    mut response: Response,
    request: &str,
    max_bytes: u64,
) -> Result<Value, Failure> {
    let status = response.status().as_u16();
    let not_json = || Failure::again(RequestError::NotJson { request: request.to_owned(), status });
    if !is_json(&response) {
        return Err(not_json());
    }
    let body = read(&mut response, request, max_bytes).await?;
    // Everything we ask for is an object or an array.
    if !matches!(first_byte(&body), Some(b'{' | b'[')) {
        return Err(not_json());
    }
    serde_json::from_slice(&body).map_err(|error| match error {
        error if error.is_eof() => {
            Failure::again(RequestError::Cut { request: request.to_owned(), source: None })
        }
        // The parser's own limit; it has no other mark than its text.
        error if error.to_string().starts_with("recursion limit exceeded") => {
            let what = "nested too deep".to_owned();
            Failure::last(RequestError::TooLarge { request: request.to_owned(), what })
        }
        _ => not_json(),
    })
}

/// Reads what a refusal says; one that cannot be read says nothing.
pub(super) async fn refusal(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if (body.len() + chunk.len()) as u64 > MAX_REFUSAL {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

async fn read(response: &mut Response, request: &str, max_bytes: u64) -> Result<Vec<u8>, Failure> {
    let announced = response.content_length().unwrap_or(0);
    let mut body = Vec::with_capacity(announced.min(MAX_RESERVED) as usize);
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(error, request))? {
        // Counted after unpacking: a small answer may be a large body.
        if (body.len() + chunk.len()) as u64 > max_bytes {
            let what = format!("larger than {max_bytes} bytes");
            return Err(Failure::last(RequestError::TooLarge {
                request: request.to_owned(),
                what,
            }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failure of the connection means. The error names no address: it may be a signed one.
pub(super) fn broken(error: reqwest::Error, request: &str) -> Failure {
    let source = Some(error.without_url());
    let request = request.to_owned();
    let error = match &source {
        Some(error) if error.is_timeout() => {
            RequestError::Unavailable { request, outage: Outage::Timeout, source }
        }
        Some(error) if error.is_body() || error.is_decode() => {
            RequestError::Cut { request, source }
        }
        _ => RequestError::Unavailable { request, outage: Outage::Network, source },
    };
    Failure::again(error)
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_none_or(|kind| {
        let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind == "application/json" || kind.ends_with("+json")
    })
}

fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// True for a page that is made for people: a login, a maintenance notice, a proxy's complaint.
pub(super) fn is_page(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    first_byte(body) == Some(b'<')
}

/// Gathers the texts of a refusal, in whatever form they come.
pub(super) fn messages(body: &[u8]) -> Messages {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let listed = value["errorMessages"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let single = ["errorMessage", "message"].into_iter().filter_map(|key| value[key].as_str());
    let fields = value["errors"].as_object().into_iter().flatten();
    let fields = fields.filter_map(|(name, text)| Some(format!("{name}: {}", text.as_str()?)));
    let texts = listed.chain(single).map(str::to_owned).chain(fields);
    Messages(texts.take(MAX_MESSAGES).map(|text| shorten(&text)).collect())
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_all_their_forms() {
        for (body, expected) in [
            (r#"{"errorMessages":["No such role"],"errors":{}}"#, &["No such role"][..]),
            (r#"{"errorMessages":[],"errors":{"jql":"wrong"}}"#, &["jql: wrong"]),
            (r#"{"errorMessages":["a"],"errors":{"b":"c"}}"#, &["a", "b: c"]),
            (r#"{"errorMessage":"a"}"#, &["a"]),
            (r#"{"code":401,"message":"Unauthorized"}"#, &["Unauthorized"]),
            (r#"{"errorMessages":["1","2","3","4","5","6"]}"#, &["1", "2", "3", "4", "5"]),
            (r#"{"errorMessages":["two\nlines \u001b[2J"]}"#, &["two lines  [2J"]),
            (r#"{"errorMessages":"odd","errors":[1],"message":{}}"#, &[]),
            (r#"{"errors":{"a":{"b":"c"}}}"#, &[]),
            ("[]", &[]),
            ("no JSON", &[]),
            ("", &[]),
        ] {
            assert_eq!(messages(body.as_bytes()).texts(), expected, "{body}");
        }
        let long = format!(r#"{{"message":"{}"}}"#, "\u{e4}".repeat(5000));
        assert_eq!(messages(long.as_bytes()).texts()[0].chars().count(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn pages_are_told_from_data() {
        for (body, expected) in [
            ("<!DOCTYPE html>", true),
            (" \r\n\t<html>", true),
            ("\u{feff}<html>", true),
            ("{\"a\":\"<html>\"}", false),
            ("Client must be authenticated to access this resource.", false),
            ("", false),
        ] {
            assert_eq!(is_page(body.as_bytes()), expected, "{body}");
        }
    }
}
