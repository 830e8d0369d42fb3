//! Handlers of attachments: what is known of them, and their bytes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Refusal;
use super::answer::{Answer, Content, File};
use super::call::Call;
use super::escape::encode;
use crate::site::AttachmentFile;

/// Where the bytes of attachments are in the media store.
pub(super) const MEDIA_PATH: &str = "/media/file/{fileId}/binary";

/// How long an address in the media store can be used.
const ADDRESS_LIFE: Duration = Duration::from_secs(/* 10 minutes */ 600);

pub(super) fn settings(_: &Call<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(json!({ "enabled": true, "uploadLimit": 1_000_000_000 })))
}

pub(super) fn metadata(call: &Call<'_>) -> Result<Answer, Refusal> {
    let id = named(call)?.0;
    call.state.attachment_json(id, call.base).map(Answer::json).ok_or_else(|| missing(call))
}

/// Answers with the bytes, or with the address in the media store.
pub(super) fn content(call: &Call<'_>) -> Result<Answer, Refusal> {
    let (id, file) = named(call)?;
    if call.arguments.get("redirect").is_some_and(|redirect| redirect == false) {
        return bytes(call, id, &file);
    }
    let expires = (call.now + ADDRESS_LIFE).as_millisecond();
    let token = format!("{id}.{expires}.{:x}", signature(call, id, expires));
    let host = call.media_url;
    let path = MEDIA_PATH.replace("{fileId}", &file.media_id);
    let name = encode(&file.name);
    let client = call.state.cloud_id();
    let location = format!("{host}{path}?token={token}&client={client}&dl=true&name={name}");
    let answer = Answer { status: 303, headers: Vec::new(), content: Content::Empty };
    Ok(answer.header("Location", location))
}

/// Answers for the media store: whoever has the address may read.
pub(super) fn media(call: &Call<'_>) -> Result<Answer, Refusal> {
    let token = call.text("token").unwrap_or_default();
    let id = admitted(call, token).ok_or_else(|| Refusal::new(403, "The token is not valid."))?;
    let file = call.state.attachment_file(id).filter(|file| file.media_id == call.path("fileId"));
    bytes(call, id, &file.ok_or_else(|| Refusal::not_found("There is no such file."))?)
}

/// The attachment that a token opens.
fn admitted(call: &Call<'_>, token: &str) -> Option<u64> {
    let mut parts = token.split('.');
    let (id, expires) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let signed = u64::from_str_radix(parts.next()?, 16).ok()?;
    let valid = signed == signature(call, id, expires) && call.now.as_millisecond() <= expires;
    valid.then_some(id)
}

fn signature(call: &Call<'_>, id: u64, expires: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (call.state.cloud_id(), id, expires).hash(&mut hasher);
    hasher.finish()
}

fn named(call: &Call<'_>) -> Result<(u64, AttachmentFile), Refusal> {
    let id: Option<u64> = call.path("id").parse().ok();
    let found = id.and_then(|id| Some((id, call.state.attachment_file(id)?)));
    found.ok_or_else(|| missing(call))
}

fn missing(call: &Call<'_>) -> Refusal {
    let id = call.path("id");
    Refusal::not_found(format!("The attachment with id '{id}' does not exist"))
}

fn bytes(call: &Call<'_>, id: u64, file: &AttachmentFile) -> Result<Answer, Refusal> {
    let length = file.size;
    let (status, range) = match call.request.header("range") {
        None => (200, 0..length),
        Some(header) => match parse_range(header, length) {
            Asked::Part(range) => (206, range),
            Asked::Malformed => return Err(Refusal::invalid("The Range header is malformed.")),
            Asked::Beyond => {
                let answer = Answer { status: 416, headers: Vec::new(), content: Content::Empty };
                return Ok(answer.header("Content-Range", format!("bytes */{length}")));
            }
        },
    };
    let site = call.site.clone();
    let read = Arc::new(move |part: Range<u64>| {
        // A file that is deleted while it is sent ends there.
        site.state().attachment_bytes(id, part).unwrap_or_default()
    });
    let disposition = format!("attachment; filename*=UTF-8''{}", encode(&file.name));
    let content_range = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
    let media_type = file.mime.to_owned();
    let content = Content::File(File { media_type, range, length, read });
    let answer = Answer { status, headers: Vec::new(), content };
    let answer = answer.header("Accept-Ranges", "bytes").header("Content-Disposition", disposition);
    Ok(if status == 206 { answer.header("Content-Range", content_range) } else { answer })
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Part(Range<u64>),
    Malformed,
    Beyond,
}

fn parse_range(header: &str, length: u64) -> Asked {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|part| part.split_once('-'))
    else {
        return Asked::Malformed;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", last) => number(last).map(|count| length.saturating_sub(count)..length),
        (first, "") => number(first).map(|first| first..length),
        (first, last) => number(first).zip(number(last)).and_then(|(first, last)| {
            (first <= last).then(|| first..last.saturating_add(1).min(length))
        }),
    };
    match range {
        None => Asked::Malformed,
        Some(range) if range.start >= range.end => Asked::Beyond,
        Some(range) => Asked::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (header, expected) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("bytes=4-", Asked::Part(4..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=8-99", Asked::Part(8..10)),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
            ("bytes=10-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=3-2", Asked::Malformed),
            ("bytes=", Asked::Malformed),
            ("bytes=-", Asked::Malformed),
            ("bytes=a-b", Asked::Malformed),
            ("bytes=0-1,3-4", Asked::Malformed),
            ("rows=0-1", Asked::Malformed),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Asked::Beyond);
    }
}
