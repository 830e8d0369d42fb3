//! What an answer means that brings no data.

use reqwest::StatusCode;

use super::body;
use super::error::{Outage, RequestError};
use super::headers::Hints;
use super::retry::{Failure, Limited, Verdict};

/// Tells why a request was refused, and whether another attempt makes sense.
///
/// `body` is what the site said, and nothing where its words are not fit to be shown.
pub(super) fn refused(status: StatusCode, hints: &Hints, body: &[u8], request: &str) -> Failure {
    let (request, messages) = (request.to_owned(), body::messages(body));
    let status = status.as_u16();
    if status == 429 {
        return limited(hints, request);
    }
    if status >= 500 {
        let outage = Outage::Status(status);
        let error = RequestError::Unavailable { request, outage, source: None };
        return Failure { error, verdict: Verdict::Again(hints.retry_after) };
    }
    // A page says nothing about the object, whatever its status: a 404 with a page is a site that is away.
    if body::is_page(body) || (300..400).contains(&status) {
        return Failure::again(RequestError::NotJson { request, status });
    }
    match status {
        401 if lacks_scope(messages.texts()) => {
            Failure::last(RequestError::Forbidden { request, messages })
        }
        401 => unauthorized(&request),
        403 => {
            Failure { error: RequestError::Forbidden { request, messages }, verdict: Verdict::Once }
        }
        404 => Failure::last(RequestError::NotFound { request, messages }),
        408 => Failure::again(RequestError::Unavailable {
            request,
            outage: Outage::Timeout,
            source: None,
        }),
        410 => Failure::last(RequestError::Gone { request }),
        _ => Failure::last(RequestError::Rejected { request, status, messages }),
    }
}

/// Credentials that are not accepted; sites err at times, so they are shown twice.
pub(super) fn unauthorized(request: &str) -> Failure {
    let error = RequestError::Unauthorized { request: request.to_owned() };
    Failure { error, verdict: Verdict::Once }
}

/// The gateway answers 401 when a scoped token is good, but not for this call. It has no other mark than the text.
fn lacks_scope(messages: &[String]) -> bool {
    messages.iter().any(|text| text.contains("scope does not match"))
}

fn limited(hints: &Hints, request: String) -> Failure {
    let reason = hints.reason.clone().unwrap_or_else(|| "unknown".to_owned());
    let wait = hints.wait();
    let error = RequestError::RateLimited {
        request,
        reason: reason.clone(),
        wait: wait.unwrap_or_default(),
    };
    let limited =
        Limited { reason, wait, of_account: hints.is_of_account(), is_hourly: hints.is_hourly() };
    Failure { error, verdict: Verdict::Limited(limited) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jira::client::FailureKind;

    #[test]
    fn a_status_decides_what_it_means_and_whether_to_ask_again() {
        use FailureKind::{Fatal, Later, Object};
        const PAGE: &str = "<html>Log in</html>";
        const SCOPE: &str = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
        for (status, body, kind, verdict) in [
            (400, "{}", Object, "Final"),
            (400, PAGE, Later, "Again"),
            (401, "{}", Fatal, "Once"),
            (401, "Client must be authenticated", Fatal, "Once"),
            (401, SCOPE, Object, "Final"),
            (401, PAGE, Later, "Again"),
            (403, "{}", Object, "Once"),
            (403, PAGE, Later, "Again"),
            (404, "{}", Object, "Final"),
            (404, "", Object, "Final"),
            (404, PAGE, Later, "Again"),
            (408, "", Later, "Again"),
            (410, "{}", Object, "Final"),
            (413, "{}", Object, "Final"),
            (429, "{}", Later, "Limited"),
            (429, PAGE, Later, "Limited"),
            (301, "", Later, "Again"),
            (302, "", Later, "Again"),
            (500, "{}", Later, "Again"),
            (502, PAGE, Later, "Again"),
            (503, PAGE, Later, "Again"),
            (504, "", Later, "Again"),
        ] {
            let code = StatusCode::from_u16(status).unwrap();
            let failure = refused(code, &Hints::default(), body.as_bytes(), "GET /x");
            assert_eq!(failure.error.kind(), kind, "{status} {body}");
            let shown = format!("{:?}", failure.verdict);
            assert!(shown.starts_with(verdict), "{status} {body}: {shown}");
            assert!(failure.error.to_string().starts_with("GET /x: "), "{}", failure.error);
        }
    }

    #[test]
    fn an_outage_may_say_how_long_it_lasts() {
        let retry_after = Some(Duration::from_secs(9));
        let hints = Hints { retry_after, ..Hints::default() };
        let failure = refused(StatusCode::SERVICE_UNAVAILABLE, &hints, b"", "GET /x");
        assert!(matches!(failure.verdict, Verdict::Again(wait) if wait == retry_after));
    }
}
