use bytes::Bytes;
use serde_json::json;

use super::super::table::{self, Found};
use super::super::violation::Violation;
use super::*;

/// Sends a request through the checks; returns the complaints, then the status of the refusal or the values.
fn check(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> (Vec<Wrong>, Value) {
    let mut builder = axum::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    let request = Request::new(table::Host::Site, &parts, Bytes::copy_from_slice(body.as_bytes()));
    let Found::Endpoint(endpoint, _) = table::find(table::Host::Site, method, &request.segments)
    else {
        panic!("{uri} is nowhere");
    };
    let mut found: Vec<Violation> = Vec::new();
    let mut complaints = Complaints::new(String::new(), &mut found);
    let outcome = match arguments(endpoint, &request, &mut complaints) {
        Ok(values) => Value::Object(values),
        Err(refusal) => json!(refusal.status),
    };
    (found.iter().map(|violation| violation.kind).collect(), outcome)
}

const JSON: (&str, &str) = ("accept", "application/json");
const SENDS: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[test]
fn queries_are_checked() {
    let table: &[(&str, &[Wrong], Value)] = &[
        ("issue/A-1?fields=a,b&fields=c", &[], json!({"fields": ["a", "b", "c"]})),
        ("issue/A-1?failFast=TRUE", &[], json!({"failFast": true})),
        ("issue/A-1?failFast=1", &[Wrong::WrongValue], json!(400)),
        ("issue/A-1?field=a", &[Wrong::UnknownParameter], json!({})),
        ("issue/A-1?expand=transitions", &[Wrong::Unserved], json!({"expand": "transitions"})),
        ("project/search?maxResults=101", &[Wrong::OverTheLimit], json!({"maxResults": 100})),
        ("project/search?startAt=-1", &[Wrong::OverTheLimit], json!({"startAt": 0})),
        ("project/search?startAt=one", &[Wrong::WrongValue], json!(400)),
        ("project/search?status=live&status=gone", &[Wrong::WrongValue], json!(400)),
        ("project/search?propertyQuery=a", &[Wrong::Unserved], json!({})),
        ("user/bulk", &[Wrong::Missing], json!(400)),
        ("search?jql=a", &[Wrong::Removed], json!({})),
    ];
    for (uri, complaints, outcome) in table {
        let found = check("GET", &format!("/rest/api/3/{uri}"), &[JSON], "");
        assert_eq!(found, (complaints.to_vec(), outcome.clone()), "{uri}");
    }
}

#[test]
fn bodies_are_checked() {
    let many = |count: usize| json!({"issueIdsOrKeys": vec!["A-1"; count]}).to_string();
    let table: &[(&str, String, &[Wrong], Value)] = &[
        ("issue/bulkfetch", many(1), &[], json!({"issueIdsOrKeys": ["A-1"]})),
        ("issue/bulkfetch", many(101), &[Wrong::OverTheLimit], json!(400)),
        ("issue/bulkfetch", many(0), &[Wrong::OverTheLimit], json!(400)),
        ("changelog/bulkfetch", many(1001), &[Wrong::OverTheLimit], json!(400)),
        ("issue/bulkfetch", "{}".to_owned(), &[Wrong::Missing], json!(400)),
        ("issue/bulkfetch", "[]".to_owned(), &[Wrong::WrongValue], json!(400)),
        ("issue/bulkfetch", "{".to_owned(), &[Wrong::WrongValue], json!(400)),
        ("comment/list", r#"{"ids":["1"]}"#.to_owned(), &[Wrong::WrongValue], json!(400)),
        ("search/jql", r#"{"startAt":0}"#.to_owned(), &[Wrong::UnknownParameter], json!(400)),
        ("search/jql", r#"{"jql":"a","nextPageToken":null}"#.to_owned(), &[], json!({"jql": "a"})),
    ];
    for (uri, body, complaints, outcome) in table {
        let found = check("POST", &format!("/rest/api/3/{uri}"), &[JSON, SENDS], body);
        assert_eq!(found, (complaints.to_vec(), outcome.clone()), "{uri} {body:.80}");
    }
}

#[test]
fn headers_are_checked() {
    let body = r#"{"ids":[1]}"#;
    let uri = "/rest/api/3/comment/list";
    assert_eq!(check("POST", uri, &[SENDS], body).0, [Wrong::WrongHeader]);
    assert_eq!(check("POST", uri, &[("accept", "text/html"), SENDS], body).0, [Wrong::WrongHeader]);
    assert_eq!(check("POST", uri, &[("accept", "text/html, */*;q=0.1"), SENDS], body).0, []);
    assert_eq!(check("POST", uri, &[JSON], body), (vec![Wrong::WrongHeader], json!(415)));
    let content = "/rest/api/3/attachment/content/1?redirect=false";
    assert_eq!(check("GET", content, &[], ""), (vec![], json!({"redirect": false})));
}
