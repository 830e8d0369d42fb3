//! Search and its pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Client;

const PATH: &str = "/rest/api/3/search/jql";

/// Pages to the end; returns the pages.
async fn pages(client: &Client, mut body: Value) -> Vec<Value> {
    let mut pages = Vec::new();
    loop {
        let (status, page) = client.post(PATH, body.clone()).await;
        assert_eq!(status, 200, "{page}");
        let next = page.get("nextPageToken").cloned();
        assert_eq!(next.is_none(), page["isLast"] == true, "{page}");
        pages.push(page);
        match next {
            Some(token) => body["nextPageToken"] = token,
            None => return pages,
        }
        assert!(pages.len() < 1000, "there is no end");
    }
}

fn ids(pages: &[Value]) -> Vec<String> {
    let rows = pages.iter().flat_map(|page| page["issues"].as_array().unwrap());
    rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_every_issue_once() {
    let client = Client::new();
    let expected = client.server.site().counts().issues;
    let jql = "project is not EMPTY ORDER BY key ASC";
    for (fields, size) in [(json!(["id"]), 7), (json!(["key"]), 1), (json!(["*all"]), 13)] {
        let body = json!({ "jql": jql, "fields": fields, "maxResults": size });
        let found = pages(&client, body).await;
        assert_eq!(found.len(), expected.div_ceil(size));
        let ids = ids(&found);
        assert_eq!(ids.len(), expected);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), expected);
    }
    let page = client.ok(&format!("{PATH}?jql=project+is+not+EMPTY")).await;
    assert_eq!(page["issues"].as_array().unwrap().len(), expected.min(50));
    assert!(page.get("total").is_none(), "{page}");
    client.assert_no_violations();
}

#[tokio::test]
async fn rows_hold_what_is_asked_for() {
    let client = Client::new();
    let first = async |fields: Value| {
        let body = json!({ "jql": "project is not EMPTY", "maxResults": 1, "fields": fields });
        client.post(PATH, body).await.1["issues"][0].clone()
    };
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first(json!(["id"])).await), ["id"]);
    let by_key = first(json!(["key"])).await;
    assert!(by_key["key"].is_string() && by_key.get("fields").is_none(), "{by_key}");
    let summary = first(json!(["summary"])).await;
    assert_eq!(names(&summary["fields"]), ["summary"]);
    let all = names(&first(json!(["*all"])).await["fields"]);
    assert!(all.iter().any(|name| name == "comment"), "{all:?}");
    let navigable = names(&first(json!(["*navigable"])).await["fields"]);
    assert!(navigable.len() < all.len(), "{navigable:?}");
    assert!(!navigable.iter().any(|name| name == "comment"), "{navigable:?}");
    let without = names(&first(json!(["*all", "-comment"])).await["fields"]);
    assert_eq!(without.len(), all.len() - 1);
}

#[tokio::test]
async fn a_token_belongs_to_its_query() {
    let client = Client::new();
    let (_, page) =
        client.post(PATH, json!({ "jql": "project is not EMPTY", "maxResults": 1 })).await;
    for (jql, token, status) in [
        ("project is not EMPTY", page["nextPageToken"].clone(), 200),
        ("issuetype is not EMPTY", page["nextPageToken"].clone(), 400),
        ("project is not EMPTY", json!("made up"), 400),
    ] {
        let body = json!({ "jql": jql, "nextPageToken": token, "maxResults": 1 });
        assert_eq!(client.post(PATH, body).await.0, status, "{jql}");
    }
}
