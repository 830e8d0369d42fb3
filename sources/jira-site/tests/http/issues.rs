//! Issues, one by one and many at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn bulk_fetch_orders_by_id_and_leaves_out_what_is_not_there() {
    let client = Client::new();
    let ids = client.issue_ids().await;
    let issue = client.ok(&format!("/rest/api/3/issue/{}", ids[0])).await;
    let key = issue["key"].as_str().unwrap().to_lowercase();
    let asked = json!({ "issueIdsOrKeys": [ids[5], ids[2], key, ids[0], "NOPE-1", "9"] });
    let (status, answer) = client.post("/rest/api/3/issue/bulkfetch", asked).await;
    assert_eq!(status, 200, "{answer}");
    let mut expected: Vec<u64> = [0, 2, 5].map(|n| ids[n].parse().unwrap()).to_vec();
    expected.sort_unstable();
    let found: Vec<u64> = rows(&answer["issues"]).iter().map(|row| number(&row["id"])).collect();
    assert_eq!(found, expected);
    assert_eq!(answer["issueErrors"], json!([]));
    assert!(answer["issues"][0]["fields"].get("comment").is_none(), "navigable fields only");
    client.assert_no_violations();
}

#[tokio::test]
async fn changelogs_are_the_same_by_issue_and_in_bulk() {
    let client = Client::new();
    let ids = client.issue_ids().await;
    let mut expected = Vec::new();
    for id in &ids {
        let mut start = 0;
        loop {
            let path = format!("/rest/api/3/issue/{id}/changelog?startAt={start}&maxResults=4");
            let page = client.ok(&path).await;
            start += rows(&page["values"]).len();
            expected.extend(rows(&page["values"]).iter().map(|change| number(&change["id"])));
            if page["isLast"] == true {
                assert_eq!(page["total"], start);
                break;
            }
        }
    }
    let mut found = Vec::new();
    let mut body = json!({ "issueIdsOrKeys": ids, "maxResults": 7 });
    loop {
        let (_, page) = client.post("/rest/api/3/changelog/bulkfetch", body.clone()).await;
        let logs = rows(&page["issueChangeLogs"]).iter();
        let changes: Vec<u64> = logs
            .flat_map(|log| rows(&log["changeHistories"]))
            .map(|change| number(&change["id"]))
            .collect();
        assert!(changes.len() <= 7);
        found.extend(changes);
        match page.get("nextPageToken") {
            Some(token) => body["nextPageToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(found.len(), client.server.site().counts().history_entries);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    client.assert_no_violations();
}

/// Pages to the end of an issue's comments: no page has more than a hundred.
async fn all_comments(client: &Client, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let page = client.ok(&format!("{path}&maxResults=500&startAt={}", found.len())).await;
        assert_eq!(page["maxResults"], 100);
        let rows = rows(&page["comments"]);
        assert!(rows.len() <= 100);
        found.extend(rows.iter().cloned());
        if rows.is_empty() || page["total"] == found.len() {
            assert_eq!(page["total"], found.len());
            return found;
        }
    }
}

#[tokio::test]
async fn comments_and_worklogs_are_all_there() {
    let client = Client::new();
    let counts = client.server.site().counts();
    let (mut comments, mut worklogs) = (0, 0);
    for id in client.issue_ids().await {
        let path = format!("/rest/api/3/issue/{id}/comment");
        let forwards = all_comments(&client, &format!("{path}?orderBy=created")).await;
        let mut backwards = all_comments(&client, &format!("{path}?orderBy=-created")).await;
        backwards.reverse();
        assert_eq!(backwards, forwards);
        comments += forwards.len();
        let page = client.ok(&format!("/rest/api/3/issue/{id}/worklog")).await;
        worklogs += rows(&page["worklogs"]).len();
    }
    assert_eq!((comments, worklogs), (counts.comments, counts.worklogs));
}

#[tokio::test]
async fn the_feed_of_worklogs_leads_to_all_of_them() {
    let client = Client::new();
    client.server.site().advance(Duration::from_secs(120));
    let counts = client.server.site().counts();
    let page = client.ok("/rest/api/3/worklog/updated?since=0").await;
    assert_eq!(page["lastPage"], true);
    assert_eq!(rows(&page["values"]).len(), counts.worklogs);
    let ids: Vec<&Value> = rows(&page["values"]).iter().map(|row| &row["worklogId"]).collect();
    let (_, worklogs) = client.post("/rest/api/3/worklog/list", json!({ "ids": ids })).await;
    assert_eq!(rows(&worklogs).len(), counts.worklogs);
    let until = page["until"].as_i64().unwrap();
    assert!(until <= client.server.site().now().as_millisecond() - 60_000);
    let later = client.ok(&format!("/rest/api/3/worklog/updated?since={}", until + 1)).await;
    assert_eq!(later["values"], json!([]));
    let id = worklogs[0]["issueId"].as_str().unwrap();
    let path = format!("/rest/api/3/issue/{id}/worklog");
    let all = client.ok(&path).await;
    let none = client.ok(&format!("{path}?startedAfter={until}")).await;
    assert!(rows(&all["worklogs"]).len() > rows(&none["worklogs"]).len(), "{none}");
    client.assert_no_violations();
}
