//! Everything that can be made to go wrong.

use std::time::Duration;

use esker_jira_site::server::{Fault, RetryAfter, When};
use serde_json::{Value, json};

use crate::client::Client;

const FIELDS: &str = "GET /rest/api/3/field";
const SEARCH: &str = "POST /rest/api/3/search/jql";

#[tokio::test]
async fn errors_come_instead_of_answers() {
    let client = Client::new();
    let date = Fault::Status { status: 503, retry_after: Some(RetryAfter::Date(9)), html: false };
    for (fault, status, media_type, wait) in [
        (Fault::status(401), 401, "text/plain", None),
        (Fault::status(403), 403, "application/json", None),
        (Fault::status(404), 404, "application/json", None),
        (Fault::retry_after(429, 7), 429, "application/json", Some("7")),
        (Fault::page(502), 502, "text/html", None),
        (date, 503, "application/json", Some("GMT")),
        (Fault::LoginPage, 200, "text/html", None),
    ] {
        let id = client.server.faults().add(FIELDS, When::Nth(2), fault).unwrap();
        let ask = || client.send("/rest/api/3/field", None);
        assert_eq!(ask().await.status(), 200);
        let response = ask().await;
        assert_eq!(response.status(), status);
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert!(header("content-type").unwrap().starts_with(media_type), "{status}");
        let given = header("retry-after");
        assert_eq!(given.is_some(), wait.is_some(), "{given:?}");
        assert!(wait.is_none_or(|wait| given.unwrap().ends_with(wait)));
        assert_eq!(ask().await.status(), 200);
        assert_eq!(client.server.faults().fired(id), 1);
        client.server.faults().clear();
    }
    client.assert_no_violations();
}

#[tokio::test]
async fn bodies_are_sent_badly() {
    let client = Client::new();
    let faults = client.server.faults();
    let whole = client.send("/rest/api/3/field", None).await.bytes().await.unwrap();
    faults.add(FIELDS, When::Nth(1), Fault::Cut).unwrap();
    let slow = Fault::Slow { piece: whole.len() / 3, pause: Duration::from_millis(1) };
    faults.add(FIELDS, When::Nth(2), slow).unwrap();
    faults.add(FIELDS, When::Nth(3), Fault::Endless).unwrap();
    let cut = client.send("/rest/api/3/field", None).await;
    assert_eq!(cut.content_length(), Some(whole.len() as u64));
    assert!(cut.bytes().await.is_err());
    assert_eq!(client.send("/rest/api/3/field", None).await.bytes().await.unwrap(), whole);
    let mut endless = client.send("/rest/api/3/field", None).await;
    let mut read = 0;
    while read < 10 * whole.len() {
        read += endless.chunk().await.unwrap().expect("more of it").len();
    }
    drop(endless);
    faults.add(FIELDS, When::Nth(1), Fault::HangUp).unwrap();
    assert!(client.request("GET", "/rest/api/3/field").send().await.is_err());
    faults.add(FIELDS, When::Nth(1), Fault::Stall).unwrap();
    let mut stalled = client.send("/rest/api/3/field", None).await;
    assert_eq!(stalled.status(), 200);
    let nothing = tokio::time::timeout(Duration::from_millis(50), stalled.chunk()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn pages_are_spoilt() {
    let client = Client::new();
    let faults = client.server.faults();
    let ask = async |token: Option<&Value>| {
        let mut body = json!({ "jql": "project is not EMPTY", "maxResults": 5, "fields": ["key"] });
        if let Some(token) = token {
            body["nextPageToken"] = token.clone();
        }
        client.post("/rest/api/3/search/jql", body).await
    };
    let count = |page: &Value| page["issues"].as_array().map(Vec::len);
    let (_, first) = ask(None).await;
    let token = &first["nextPageToken"];
    faults.add(SEARCH, When::Always, Fault::RepeatedPageToken).unwrap();
    let (_, again) = ask(Some(token)).await;
    assert_eq!(again["nextPageToken"], *token);
    assert_eq!(ask(None).await.1["nextPageToken"], *token, "a first page has no token to repeat");
    faults.clear();
    faults.add(SEARCH, When::Always, Fault::ExpiredPageToken).unwrap();
    assert_eq!(ask(None).await.0, 200);
    assert_eq!(ask(Some(token)).await.0, 400);
    faults.clear();
    faults.add(SEARCH, When::Always, Fault::RepeatedRow).unwrap();
    assert_eq!(count(&ask(None).await.1), Some(6));
    faults.clear();
    faults.add(SEARCH, When::Always, Fault::MissingRows(2)).unwrap();
    assert_eq!(count(&ask(None).await.1), Some(3));
    faults.clear();
    let search = "GET /rest/api/3/search/jql";
    faults.add(search, When::Always, Fault::RowsWithoutFields(1)).unwrap();
    let path = "/rest/api/3/search/jql?jql=project+is+not+EMPTY&fields=summary";
    let (_, page) = client.get(path).await;
    assert!(page["issues"][0].get("fields").is_none(), "{page}");
    assert!(page["issues"][1].get("fields").is_some(), "{page}");
    assert_eq!(client.get(&format!("{path}&failFast=true")).await.0, 500);
    client.assert_no_violations();
}

#[tokio::test]
async fn answers_say_something_else() {
    let client = Client::new();
    let faults = client.server.faults();
    let projects = "/rest/api/3/project/search?expand=insight";
    let page = client.ok(projects).await;
    assert!(page["values"][0]["insight"]["totalIssueCount"].is_number(), "{page}");
    let id = faults.add("*", When::Always, Fault::NoInsight).unwrap();
    assert!(client.ok(projects).await["values"][0].get("insight").is_none());
    client.ok("/rest/api/3/field").await;
    assert_eq!(faults.fired(id), 1, "a rule counts where it changes something");
    faults.remove(id);
    let count = json!({ "jql": "project is not EMPTY" });
    let count = async || client.post("/rest/api/3/search/approximate-count", count.clone()).await.1;
    let right = count().await["count"].as_i64().unwrap();
    faults.add("*", When::Nth(1), Fault::WrongCount { by: 3 }).unwrap();
    assert_eq!(count().await, json!({ "count": right + 3 }));
    faults.clear();
    faults.add("*", When::Always, Fault::NumbersAsStrings).unwrap();
    assert_eq!(count().await, json!({ "count": right.to_string() }));
    faults.clear();
    let bulk = "POST /rest/api/3/issue/bulkfetch";
    faults.add(bulk, When::Always, Fault::IssueErrors(1)).unwrap();
    let ids = client.issue_ids().await;
    let body = json!({ "issueIdsOrKeys": ids[..2] });
    let (_, answer) = client.post("/rest/api/3/issue/bulkfetch", body).await;
    assert_eq!(answer["issues"].as_array().map(Vec::len), Some(1));
    assert!(answer["issueErrors"][0]["errorMessage"].is_string(), "{answer}");
}

#[tokio::test]
async fn pages_can_be_shorter_than_asked_for() {
    let client = Client::new();
    client.server.faults().add("*", When::Always, Fault::ShortPages(2)).unwrap();
    let page = client.ok("/rest/api/3/project/search?maxResults=50").await;
    assert_eq!((&page["total"], &page["isLast"]), (&json!(3), &json!(false)), "{page}");
    assert_eq!(page["values"].as_array().map(Vec::len), Some(2));
    let body = json!({ "jql": "project is not EMPTY", "maxResults": 1 });
    let (_, page) = client.post("/rest/api/3/search/jql", body).await;
    assert_eq!(page["issues"].as_array().map(Vec::len), Some(1), "less was asked for");
}

#[tokio::test]
async fn a_token_can_expire_on_the_way() {
    let client = Client::new();
    client.server.faults().add("*", When::From(3), Fault::status(401)).unwrap();
    let mut statuses = Vec::new();
    for path in ["myself", "field", "status", "role"] {
        statuses.push(client.get(&format!("/rest/api/3/{path}")).await.0);
    }
    assert_eq!(statuses, [200, 200, 401, 401]);
}
