//! Rate limits.

use std::collections::BTreeMap;
use std::time::Duration;

use esker_jira_site::server::{Hourly, Limits, ServerOptions, Spelling};

use crate::client::Client;

#[tokio::test]
async fn too_many_requests_are_refused() {
    let limits = Limits {
        per_second: BTreeMap::from([("GET /rest/api/3/myself".to_owned(), 0)]),
        hourly: Some(Hourly { requests: 3, length: Duration::from_secs(3600) }),
        spelling: Spelling::Structured,
        ..Limits::default()
    };
    let client = Client::with(ServerOptions { limits: Some(limits), ..ServerOptions::default() });
    let response = client.send("/rest/api/3/field", None).await;
    assert_eq!(response.status(), 200);
    let state = response.headers()["ratelimit"].to_str().unwrap();
    assert!(state.starts_with("\"jira-cost-based\";r=2;t=3600,\"jira-burst-based\";r="), "{state}");
    let response = client.send("/rest/api/3/myself", None).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["ratelimit-reason"], "jira-burst-based");
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(client.get("/rest/api/3/status").await.0, 200);
    let response = client.send("/rest/api/3/role", None).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["ratelimit-reason"], "jira-cost-based");
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
    client.assert_no_violations();
}
