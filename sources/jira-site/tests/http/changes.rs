//! What clients see of a site that changes.

use std::time::Duration;

use esker_jira_site::server::ServerOptions;
use esker_jira_site::site::{Mishap, SiteOptions};
use serde_json::{Value, json};

use crate::client::Client;

const SEARCH: &str = "/rest/api/3/search/jql";

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The key of the project with the most issues.
async fn largest_project(client: &Client) -> (String, u64) {
    let page = client.ok("/rest/api/3/project/search?expand=insight&orderBy=-issueCount").await;
    let project = &page["values"][0];
    let count = project["insight"]["totalIssueCount"].as_u64().expect("a count");
    (project["key"].as_str().expect("a key").to_owned(), count)
}

async fn count(client: &Client, jql: &str) -> (u16, Value) {
    let path = "/rest/api/3/search/approximate-count";
    client.post(path, json!({ "jql": jql })).await
}

#[tokio::test]
async fn a_project_without_browse_is_counted_and_not_seen() {
    let client = Client::new();
    let (project, issues) = largest_project(&client).await;
    let path = format!("/rest/api/3/project/{project}");
    let permission =
        format!("/rest/api/3/mypermissions?permissions=BROWSE_PROJECTS&projectKey={project}");
    let may_browse = async || {
        client.ok(&permission).await["permissions"]["BROWSE_PROJECTS"]["havePermission"].clone()
    };
    let jql = format!("project = {project}");
    assert_eq!(count(&client, &jql).await, (200, json!({ "count": issues })));
    assert_eq!(may_browse().await, true);
    let mishap = Mishap::HideProject { project: project.clone() };
    client.server.site().mishap(&mishap);
    assert_eq!(largest_project(&client).await, (project.clone(), issues));
    assert_ne!(count(&client, &jql).await.1["count"], issues);
    assert_eq!(client.get(&path).await.0, 404);
    assert_eq!(may_browse().await, false);
    let listed = client.ok("/rest/api/3/project").await;
    assert!(rows(&listed).iter().all(|row| row["key"] != *project), "{listed}");
    client.assert_no_violations();
}

#[tokio::test]
async fn issues_that_moved_are_found_by_their_old_keys() {
    let client = Client::new();
    let (from, _) = largest_project(&client).await;
    let page = client.ok("/rest/api/3/project/search").await;
    let to = rows(&page["values"]).iter().find(|row| row["key"] != *from);
    let to = to.and_then(|row| row["key"].as_str()).expect("another project").to_owned();
    let mishap = Mishap::MoveIssues { from: from.clone(), to: to.clone(), count: 2 };
    let moved = client.server.site().mishap(&mishap);
    assert!(!moved.is_empty());
    let page = client.ok(&format!("{SEARCH}?jql=project={to}&fields=key&maxResults=5000")).await;
    let numbers = 1..=1000;
    let old_keys: Vec<String> = numbers.map(|number| format!("{from}-{number}")).collect();
    let mut found = 0;
    for keys in old_keys.chunks(100) {
        let body = json!({ "issueIdsOrKeys": keys, "fields": ["summary"] });
        let (_, answer) = client.post("/rest/api/3/issue/bulkfetch", body).await;
        let prefix = format!("{to}-");
        let entered = rows(&answer["issues"])
            .iter()
            .filter(|issue| issue["key"].as_str().is_some_and(|key| key.starts_with(&prefix)));
        for issue in entered {
            assert!(rows(&page["issues"]).iter().any(|row| row["id"] == issue["id"]), "{issue}");
            found += 1;
        }
    }
    assert_eq!(found, moved.len());
    client.assert_no_violations();
}

#[tokio::test]
async fn a_slow_index_lists_what_is_deleted_until_it_is_asked_to_reconcile() {
    let site = SiteOptions { index_lag: Duration::from_secs(3600), ..SiteOptions::default() };
    let client = Client::of(&site, ServerOptions::default());
    let (project, _) = largest_project(&client).await;
    let before = client.issue_ids().await;
    let mishap = Mishap::DeleteIssues { project: project.clone(), count: 1 };
    let keys = client.server.site().mishap(&mishap);
    assert_eq!(client.issue_ids().await, before, "the index does not know yet");
    let ask = async |fields: Value, reconciled: &[i64]| {
        let body = json!({
            "jql": format!("project = {project}"),
            "fields": fields,
            "maxResults": 5000,
            "reconcileIssues": reconciled,
        });
        let (status, page) = client.post(SEARCH, body).await;
        assert_eq!(status, 200, "{page}");
        rows(&page["issues"]).to_vec()
    };
    let row = ask(json!(["key", "summary"]), &[]).await.into_iter();
    let row = row.into_iter().find(|row| row["key"] == *keys[0]).expect("the deleted issue");
    assert!(row.get("fields").is_none(), "{row}");
    let id: i64 = row["id"].as_str().unwrap().parse().unwrap();
    let reconciled = ask(json!(["key"]), &[id]).await;
    assert!(reconciled.iter().all(|row| row["key"] != *keys[0]));
    assert_eq!(client.get(&format!("/rest/api/3/issue/{id}")).await.0, 404);
    client.server.site().advance(Duration::from_secs(7200));
    assert!(client.issue_ids().await.len() < before.len());
    client.assert_no_violations();
}

#[tokio::test]
async fn deleted_worklogs_come_in_their_feed() {
    let client = Client::new();
    let (project, _) = largest_project(&client).await;
    let mishap = Mishap::DeleteWorklogs { project, count: 2 };
    let hit = client.server.site().mishap(&mishap).len();
    assert!(hit > 0);
    let path = "/rest/api/3/worklog/deleted?since=0";
    assert_eq!(client.ok(path).await["values"], json!([]), "the last minute is left out");
    client.server.site().advance(Duration::from_secs(120));
    let page = client.ok(path).await;
    assert_eq!(rows(&page["values"]).len(), hit);
    client.assert_no_violations();
}
