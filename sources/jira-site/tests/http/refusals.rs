//! What the site refuses, and what it notes as a client's mistake.

use esker_jira_site::server::{Fault, ViolationKind as Wrong, When};
use serde_json::json;

use crate::client::Client;

fn wrongs(client: &Client) -> Vec<Wrong> {
    client.server.violations().iter().map(|violation| violation.kind).collect()
}

#[tokio::test]
async fn only_known_callers_are_answered() {
    let client = Client::new();
    let myself = "/rest/api/3/myself";
    let response = client.anonymous("GET", myself).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "text/plain;charset=UTF-8");
    assert!(response.headers().contains_key("www-authenticate"));
    let wrong = client.anonymous("GET", myself).basic_auth("backup@example.com", Some("x"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    assert_eq!(wrongs(&client), [Wrong::Unauthorized, Wrong::Unauthorized]);
    let bearer = client.anonymous("GET", myself).bearer_auth("bearer-of-the-demo");
    assert_eq!(bearer.send().await.unwrap().status(), 200);
    assert_eq!(client.get(myself).await.0, 200);
    let open = client.anonymous("GET", "/_edge/tenant_info").send().await.unwrap();
    assert_eq!(open.status(), 200);
    assert_eq!(wrongs(&client).len(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_noted() {
    let client = Client::new();
    for (method, path, status, wrong) in [
        ("GET", "/rest/api/3/issue", 404, Some(Wrong::UnknownEndpoint)),
        ("GET", "/rest/api/4/myself", 404, Some(Wrong::UnknownEndpoint)),
        ("DELETE", "/rest/api/3/issue/A-1", 405, Some(Wrong::WrongMethod)),
        ("GET", "/rest/api/3/search?jql=a", 410, Some(Wrong::Removed)),
        ("GET", "/rest/api/3/issue/NOPE-1", 404, None),
        ("GET", "/rest/api/3/project/NOPE", 404, None),
        ("GET", "/rest/api/3/myself?nothing=1", 200, Some(Wrong::UnknownParameter)),
        ("GET", "/rest/api/3/users/search?maxResults=x", 400, Some(Wrong::WrongValue)),
        ("GET", "/ex/jira/no-such-site/rest/api/3/myself", 404, Some(Wrong::UnknownEndpoint)),
    ] {
        let before = client.server.violations().len();
        let response = client.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(wrongs(&client)[before..], wrong.into_iter().collect::<Vec<_>>(), "{path}");
    }
    let (_, issue) = client.get("/rest/api/3/issue/NOPE-1").await;
    let message = "Issue does not exist or you do not have permission to see it.";
    assert_eq!(issue, json!({ "errorMessages": [message], "errors": {} }));
}

#[tokio::test]
async fn a_site_that_was_stopped_answers_no_more() {
    let client = Client::new();
    let waiting = client.server.faults();
    waiting.add("*", When::Always, Fault::Stall).unwrap();
    let url = format!("{}/rest/api/3/myself", client.server.url());
    let mut stalled = client.send("/rest/api/3/myself", None).await;
    client.server.stop().await;
    assert!(!matches!(stalled.chunk().await, Ok(Some(_))), "open connections are closed");
    assert!(reqwest::get(url).await.is_err());
}

#[tokio::test]
async fn queries_that_cannot_be_answered_are_refused() {
    let client = Client::new();
    for jql in ["", "ORDER BY key", "project = ", "project = NOPE", "nothing ~ here"] {
        let (status, body) = client.post("/rest/api/3/search/jql", json!({ "jql": jql })).await;
        assert_eq!(status, 400, "{jql}: {body}");
        assert!(body["errorMessages"][0].is_string(), "{jql}: {body}");
        let (status, _) =
            client.post("/rest/api/3/search/approximate-count", json!({ "jql": jql })).await;
        assert_eq!(status, 400, "{jql}");
    }
    client.assert_no_violations();
}

#[tokio::test]
async fn the_gateway_and_old_versions_lead_to_the_same_site() {
    let client = Client::new();
    let tenant = client.ok("/_edge/tenant_info").await;
    let cloud_id = tenant["cloudId"].as_str().unwrap();
    let myself = client.ok(&format!("/ex/jira/{cloud_id}/rest/api/3/myself")).await;
    let place = format!("{}/ex/jira/{cloud_id}/rest/api/3/user", client.server.url());
    assert!(myself["self"].as_str().unwrap().starts_with(&place), "{myself}");
    let id = &client.issue_ids().await[0];
    let newest = client.ok(&format!("/rest/api/3/issue/{id}")).await;
    assert!(newest["fields"]["description"].is_object(), "{newest}");
    for version in ["2", "latest"] {
        let old = client.ok(&format!("/rest/api/{version}/issue/{id}")).await;
        assert!(old["fields"]["description"].is_string(), "{old}");
        assert!(old["self"].as_str().unwrap().contains("/rest/api/2/"), "{old}");
    }
    let requests = client.server.requests();
    assert_eq!(requests["GET /rest/api/2/issue/{issueIdOrKey}"], 2);
    assert_eq!(requests["GET /rest/api/3/issue/{issueIdOrKey}"], 1);
    client.server.reset_requests();
    assert!(client.server.requests().is_empty());
    client.assert_no_violations();
}
