//! The client against a site on this machine.

mod downloads;
mod listings;
mod site;

use std::time::Duration;

use axum::body::Body;
use esker_engine::context::Cancel;
use esker_engine::secret::Secret;
use serde_json::json;

use super::*;
use site::{Site, TOKEN, answer, cut, hanging, json, options, shown};

const ISSUE: &str = "/rest/api/3/issue/{}";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const HTML: (&str, &str) = ("Content-Type", "text/html");
const PAGE: &str = "<!DOCTYPE html><title>Log in</title>";

/// The name of an error's variant.
fn name(error: &RequestError) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_says_what_it_should() {
    let site = Site::serve(|_, _| json(&json!({"id": 1}))).await;
    let client =
        Client::new(options(site.url.join("/ex/jira/cloud-1").unwrap()), Cancel::default())
            .unwrap();
    let query = [("fields", "*all,-comment".to_owned())];
    let got = client.get("/rest/api/3/issue/{}/votes", &["A/B 1"], &query).await.unwrap();
    assert_eq!(got, json!({"id": 1}));
    client.post("/rest/api/3/search/jql", &[], &json!({"jql": "x"})).await.unwrap();

    let seen = site.seen();
    assert_eq!(seen[0].method, "GET");
    assert_eq!(
        seen[0].path,
        "/ex/jira/cloud-1/rest/api/3/issue/A%2FB%201/votes?fields=*all%2C-comment"
    );
    assert_eq!(seen[0].header("authorization"), Some("Basic YW5uQGFjbWUuZXhhbXBsZTpzZXNhbWU="));
    assert_eq!(seen[0].header("accept"), Some("application/json"));
    assert!(seen[0].header("user-agent").unwrap().starts_with("esker/"));
    assert_eq!((seen[1].method.as_str(), seen[1].body.as_str()), ("POST", r#"{"jql":"x"}"#));
    assert_eq!(seen[1].header("content-type"), Some("application/json"));

    let auth = Auth::Bearer(Secret::new("abc".into()));
    let bearer = ClientOptions { auth, ..options(site.url.clone()) };
    let bearer = Client::new(bearer, Cancel::default()).unwrap();
    bearer.get(ISSUE, &["1"], &[]).await.unwrap();
    assert_eq!(site.seen()[2].header("authorization"), Some("Bearer abc"));
}

#[tokio::test]
async fn an_answer_is_data_a_refusal_or_an_outage() {
    const NO: &str = r#"{"errorMessages":["No."]}"#;
    const DENIED: (&str, &str) = ("X-Seraph-LoginReason", "AUTHENTICATED_FAILED");
    let deep = "[".repeat(500) + &"]".repeat(500);
    for (status, headers, body, expected, requests) in [
        (200, &[JSON][..], "{}", "data", 1),
        (200, &[JSON], " \n[1]", "data", 1),
        (200, &[], "{}", "data", 1),
        (200, &[("Content-Type", "application/problem+json")], "{}", "data", 1),
        (200, &[HTML], PAGE, "NotJson", 3),
        (200, &[HTML], "{}", "NotJson", 3),
        (200, &[JSON], PAGE, "NotJson", 3),
        (200, &[JSON], "", "NotJson", 3),
        (200, &[JSON], "{\"a\": nonsense}", "NotJson", 3),
        (200, &[JSON], "{\"a\": [1, 2", "Cut", 3),
        (200, &[JSON], &deep, "TooLarge", 1),
        (200, &[JSON, DENIED], "[]", "Unauthorized", 2),
        (204, &[], "", "NotJson", 3),
        (302, &[("Location", "/elsewhere")], "", "NotJson", 3),
        (400, &[JSON], NO, "Rejected", 1),
        (401, &[JSON], NO, "Unauthorized", 2),
        (401, &[HTML], PAGE, "NotJson", 3),
        (403, &[JSON], NO, "Forbidden", 2),
        (404, &[JSON], NO, "NotFound", 1),
        (404, &[HTML], PAGE, "NotJson", 3),
        (404, &[JSON, DENIED], NO, "Unauthorized", 2),
        (410, &[JSON], NO, "Gone", 1),
        (429, &[JSON, ("Retry-After", "3600")], NO, "RateLimited", 1),
        (429, &[("RateLimit", "\"jira-burst-based\";t=3600;r=0")], NO, "RateLimited", 1),
        (500, &[JSON], NO, "Unavailable", 3),
        (503, &[HTML], PAGE, "Unavailable", 3),
        (503, &[("Retry-After", "3600")], "", "Unavailable", 1),
    ] {
        let (headers, body) = (headers.to_vec(), body.to_owned());
        let told = format!("{status} {headers:?} {}", &body[..body.len().min(40)]);
        let site = Site::serve(move |_, _| answer(status, &headers, body.clone())).await;
        let got = site.client().get(ISSUE, &["ABC-1"], &[]).await;
        let outcome = got.as_ref().map_or_else(name, |_| "data".to_owned());
        assert_eq!((outcome.as_str(), site.count()), (expected, requests), "{told}");
        if let Err(error) = got {
            let text = error.to_string();
            assert!(text.starts_with("GET /rest/api/3/issue/ABC-1: "), "{text}");
        }
    }
}

#[tokio::test]
async fn trouble_that_passes_is_not_noticed() {
    for (status, headers, body) in [
        (200, &[HTML][..], PAGE),
        (401, &[JSON], "{}"),
        (403, &[JSON], "{}"),
        (429, &[], ""),
        (429, &[("RateLimit-Reason", "jira-burst-based"), ("Retry-After", "0")], ""),
        (502, &[HTML], PAGE),
    ] {
        let site = Site::serve(move |_, before| match before {
            0 => answer(status, headers, body),
            _ => json(&json!({"id": 1})),
        });
        let site = site.await;
        let got = site.client().post("/rest/api/3/search/jql", &[], &json!({})).await;
        assert_eq!(got.unwrap(), json!({"id": 1}), "{status}");
        assert_eq!(site.count(), 2, "{status}");
    }
}

#[tokio::test]
async fn nothing_is_only_nothing_when_the_site_says_so() {
    let site = Site::serve(|seen, _| match seen.path.as_str() {
        "/rest/api/3/issue/1" => json(&json!({})),
        "/rest/api/3/issue/2" => answer(404, &[JSON], "{}"),
        "/rest/api/3/issue/3" => answer(404, &[HTML], PAGE),
        _ => answer(403, &[JSON], "{}"),
    });
    let client = site.await.client();
    assert_eq!(client.get_optional(ISSUE, &["1"], &[]).await.unwrap(), Some(json!({})));
    assert_eq!(client.get_optional(ISSUE, &["2"], &[]).await.unwrap(), None);
    assert_eq!(name(&client.get_optional(ISSUE, &["3"], &[]).await.unwrap_err()), "NotJson");
    assert_eq!(name(&client.get_optional(ISSUE, &["4"], &[]).await.unwrap_err()), "Forbidden");
}

#[tokio::test]
async fn bodies_are_bounded_after_unpacking() {
    // Four kilobytes of four mebibytes of white space.
    const SPACES: &[u8] = include_bytes!("spaces.json.gz");
    let site = Site::serve(|_, _| answer(200, &[JSON, ("Content-Encoding", "gzip")], SPACES)).await;
    assert!(SPACES.len() < 5000);
    let error = site.client().get(ISSUE, &["1"], &[]).await.unwrap_err();
    assert_eq!((name(&error).as_str(), site.count()), ("TooLarge", 1));

    let roomy = ClientOptions { max_body: 5 << 20, ..options(site.url.clone()) };
    let roomy = Client::new(roomy, Cancel::default()).unwrap();
    assert_eq!(roomy.get(ISSUE, &["1"], &[]).await.unwrap(), json!({"a": 1}));
    assert_eq!(site.seen()[1].header("accept-encoding"), Some("gzip"));

    let endless = Site::serve(|_, _| {
        let spaces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(" ".repeat(4096)));
        answer(200, &[JSON], Body::from_stream(spaces))
    });
    let error = endless.await.client().get(ISSUE, &["1"], &[]).await.unwrap_err();
    assert_eq!(name(&error), "TooLarge");
}

#[tokio::test]
async fn a_refusal_without_end_is_a_refusal() {
    let site = Site::serve(|_, _| {
        let words = futures::stream::repeat_with(|| Ok::<_, std::io::Error>("no ".repeat(4096)));
        answer(400, &[JSON], Body::from_stream(words))
    });
    let error = site.await.client().get(ISSUE, &["1"], &[]).await.unwrap_err();
    assert_eq!(name(&error), "Rejected");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again() {
    let site = Site::serve(|_, before| match before {
        0 | 1 => answer(200, &[JSON], cut("{\"id\":")),
        _ => json(&json!({"id": 1})),
    });
    let site = site.await;
    assert_eq!(site.client().get(ISSUE, &["1"], &[]).await.unwrap(), json!({"id": 1}));
    assert_eq!(site.count(), 3);

    let site = Site::serve(|_, _| answer(200, &[JSON], cut("{\"id\":"))).await;
    let error = site.client().get(ISSUE, &["1"], &[]).await.unwrap_err();
    assert_eq!((name(&error).as_str(), error.kind()), ("Cut", FailureKind::Later));
}

#[tokio::test]
async fn a_site_that_is_away_or_asleep_is_not_available() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let client = Client::new(options(address.parse().unwrap()), Cancel::default()).unwrap();
    let error = client.get(ISSUE, &["1"], &[]).await.unwrap_err();
    let outage = match error {
        RequestError::Unavailable { outage, .. } => outage,
        error => panic!("{error:?}"),
    };
    assert_eq!((outage, client.request_count()), (Outage::Network, 3));

    let site = Site::serve(|_, _| answer(200, &[JSON], hanging("{"))).await;
    let second = Duration::from_secs(5);
    let moment = Duration::from_millis(50);
    for (read, total) in [(moment, second), (second, moment)] {
        let timeouts = Timeouts { connect: second, read, total };
        let hasty = ClientOptions { timeouts, ..options(site.url.clone()) };
        let hasty = Client::new(hasty, Cancel::default()).unwrap();
        match hasty.get(ISSUE, &["1"], &[]).await.unwrap_err() {
            RequestError::Unavailable { outage, .. } => assert_eq!(outage, Outage::Timeout),
            error => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn cancelling_ends_a_request_under_way() {
    let site = Site::serve(|_, _| answer(200, &[JSON], hanging("{"))).await;
    let cancel = Cancel::default();
    let client = Client::new(options(site.url.clone()), cancel.clone()).unwrap();
    let cancelling = async {
        while site.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(client.get(ISSUE, &["1"], &[]), cancelling);
    assert_eq!(name(&result.unwrap_err()), "Cancelled");
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let other = Site::serve(|_, _| json(&json!({}))).await;
    let to = other.url.to_string();
    let site = Site::serve(move |_, _| answer(302, &[("Location", &to)], "")).await;
    let error = site.client().get(ISSUE, &["1"], &[]).await.unwrap_err();
    assert_eq!(name(&error), "NotJson");
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn requests_are_counted_by_template() {
    let site = Site::serve(|seen, before| match (seen.method.as_str(), before) {
        (_, 0) => answer(503, &[], ""),
        _ => json(&json!({})),
    });
    let client = site.await.client();
    for id in ["1", "2", "3"] {
        client.get(ISSUE, &[id], &[]).await.unwrap();
    }
    client.clone().post("/rest/api/3/search/jql", &[], &json!({})).await.unwrap();
    let expected = [("GET /rest/api/3/issue/{}", 4), ("POST /rest/api/3/search/jql", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(client.requests(), BTreeMap::from(expected));
    assert_eq!(client.request_count(), 5);
}

#[tokio::test]
async fn the_site_tells_its_time_and_its_limit() {
    let site = Site::serve(|_, before| {
        let date = ["Sun, 22 Nov 2026 12:00:09 GMT", "Sun, 22 Nov 2026 12:00:00 GMT"][before];
        answer(200, &[JSON, ("Date", date), ("X-RateLimit-Limit", "5")], "{}")
    });
    let client = site.await.client();
    assert_eq!(client.server_time(), None);
    client.get(ISSUE, &["1"], &[]).await.unwrap();
    client.get("/rest/api/3/myself", &[], &[]).await.unwrap();
    assert_eq!(client.server_time().unwrap().to_string(), "2026-11-22T12:00:09Z");

    let endpoint = Endpoint { method: Method::GET, template: ISSUE };
    let (limits, now) = (&client.shared.gate.limits, Instant::now());
    assert_eq!(limits.turn(&endpoint, now), limits::Turn::Go);
    let interval = Duration::from_secs(1).div_f64(3.0);
    assert_eq!(limits.turn(&endpoint, now), limits::Turn::Later(now + interval));
}

#[tokio::test]
async fn secrets_are_not_shown() {
    const SIGNED: &str = "signature-of-the-site";
    let site = Site::serve(move |seen, _| match seen.path.as_str() {
        "/rest/api/3/attachment/content/1" => {
            answer(303, &[("Location", "ftp://x/?signature-of-the-site")], "")
        }
        "/rest/api/3/attachment/content/2" => {
            answer(303, &[("Location", "/file?signature-of-the-site")], "")
        }
        "/rest/api/3/attachment/content/3" => {
            answer(303, &[("Location", "http://127.0.0.1:1/?signature-of-the-site")], "")
        }
        path if path.starts_with("/file") => {
            answer(403, &[JSON], r#"{"message":"signature-of-the-site"}"#)
        }
        _ => answer(400, &[JSON], r#"{"errorMessages":["No."]}"#),
    });
    let site = site.await;
    let client = site.client();
    let query = [("jql", "signature-of-the-site".to_owned())];
    let mut errors = vec![client.get(ISSUE, &["1"], &query).await.unwrap_err()];
    for id in ["1", "2", "3"] {
        errors.push(client.download(id, 0).await.unwrap_err());
    }
    let gone = Client::new(options("http://127.0.0.1:1".parse().unwrap()), Cancel::default());
    errors.push(gone.unwrap().get(ISSUE, &["1"], &query).await.unwrap_err());
    let mut texts: Vec<String> = errors.iter().map(|error| shown(error)).collect();
    assert!(texts[0].contains("refused with status 400: No."), "{}", texts[0]);
    texts.push(format!("{client:?} {:?}", options(site.url.clone())));
    texts.push(format!("{:?}", Auth::Bearer(Secret::new(TOKEN.into()))));
    for text in texts {
        for secret in [TOKEN, "YW5uQGFjbWUuZXhhbXBsZTpzZXNhbWU", SIGNED] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_client_wants_sound_options() {
    let basic = |email: &str, token: &str| Auth::Basic {
        email: email.into(),
        token: Secret::new(token.into()),
    };
    for (api, auth, is_sound) in [
        ("https://acme.example", basic("ann@acme.example", "t"), true),
        ("https://acme.example", Auth::Bearer(Secret::new("t".into())), true),
        ("http://acme.example", basic("ann@acme.example", "t"), false),
        ("https://acme.example", basic("ann@acme.example", ""), false),
        ("https://acme.example", basic("ann@acme.example", "t\n"), false),
        ("https://acme.example", basic("", "t"), false),
        ("https://acme.example", basic("ann:x", "t"), false),
        ("https://acme.example", Auth::Bearer(Secret::new("t t".into())), false),
    ] {
        let options = ClientOptions::new(api.parse().unwrap(), auth);
        let told = format!("{api} {:?}", options.auth);
        assert_eq!(Client::new(options, Cancel::default()).is_ok(), is_sound, "{told}");
    }
}

/// Compiles only while everything may run on any thread.
#[tokio::test]
async fn tasks_may_share_a_client() {
    let site = Site::serve(|_, _| json(&json!({"values": [1], "isLast": true}))).await;
    let client = site.client();
    let task = tokio::spawn(async move {
        let mut listing = pages::OffsetPages::new(&client, "/x", &[], &[], "values", 9);
        let page = listing.next().await?;
        let mut download = client.download("1", 0).await?;
        while download.chunk().await?.is_some() {}
        let body = json!({});
        client.post("/y", &[], &body).await?;
        Ok::<_, RequestError>(page)
    });
    assert_eq!(task.await.unwrap().unwrap().unwrap(), [json!(1)]);
}
