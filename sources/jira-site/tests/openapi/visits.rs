//! Asks every endpoint of the table, for everything that a small site holds.

use std::collections::BTreeSet;

use esker_jira_site::server::{Endpoint, Shape, endpoints};
use serde_json::{Value, json};

use crate::client::Client;

/// No project of the site has a property: there is none to ask for.
const NEVER_ANSWERS: &str = "getProjectProperty";

/// One answer of the site.
pub(crate) struct Visit {
    /// The endpoint's name.
    pub(crate) endpoint: String,
    /// The request, for people.
    pub(crate) request: String,
    /// What came back.
    pub(crate) answer: Value,
}

/// Asks and remembers the answers.
struct Tour<'a> {
    client: &'a Client,
    visits: Vec<Visit>,
}

impl Tour<'_> {
    /// Asks an endpoint; `values` take the places of the path's parameters.
    async fn ask(
        &mut self,
        path: &str,
        values: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> Value {
        let verb = if body.is_some() { "POST" } else { "GET" };
        let path = format!("/rest/api/3/{path}").replace("/rest/api/3/_edge", "/_edge");
        let mut values = values.iter();
        let parts = path.split('/').map(|part| match part.strip_prefix('{') {
            Some(_) => values.next().expect("a value for each parameter"),
            None => part,
        });
        let url = format!("{}{query}", parts.collect::<Vec<_>>().join("/"));
        let response = self.client.send(&url, body.as_ref()).await;
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{url}: {status} {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let endpoint = format!("{verb} {path}");
        let request = format!("{verb} {url} {}", body.unwrap_or_default());
        self.visits.push(Visit { endpoint, request, answer: answer.clone() });
        answer
    }

    async fn get(&mut self, path: &str, values: &[&str], query: &str) -> Value {
        self.ask(path, values, query, None).await
    }

    async fn post(&mut self, path: &str, values: &[&str], query: &str, body: Value) -> Value {
        self.ask(path, values, query, Some(body)).await
    }
}

/// Asks every endpoint, and checks that none is left out.
pub(crate) async fn all(client: &Client) -> Vec<Visit> {
    let mut tour = Tour { client, visits: Vec::new() };
    configuration(&mut tour).await;
    users(&mut tour).await;
    projects(&mut tour).await;
    searches(&mut tour).await;
    let ids = client.issue_ids().await;
    bulk(&mut tour, &ids).await;
    for id in &ids {
        issue(&mut tour, id).await;
    }
    let visited: BTreeSet<&str> = tour.visits.iter().map(|visit| &*visit.endpoint).collect();
    let expected: BTreeSet<String> = endpoints()
        .filter(|endpoint| !matches!(endpoint.shape, Shape::Bytes | Shape::Gone))
        .filter(|endpoint| endpoint.operation != NEVER_ANSWERS)
        .map(Endpoint::name)
        .collect();
    assert_eq!(visited, expected.iter().map(String::as_str).collect::<BTreeSet<_>>());
    tour.visits
}

async fn configuration(tour: &mut Tour<'_>) {
    tour.get("_edge/tenant_info", &[], "").await;
    for path in [
        "serverInfo",
        "configuration",
        "permissions",
        "field",
        "field/search",
        "status",
        "statuses/search",
        "priority",
        "priority/search",
        "resolution",
        "resolution/search",
        "issueLinkType",
        "role",
        "label",
        "events",
        "auditing/record",
        "attachment/meta",
        "projectCategory",
        "project/type",
    ] {
        tour.get(path, &[], "").await;
    }
    tour.get("mypermissions", &[], "?permissions=BROWSE_PROJECTS,ADMINISTER").await;
    let types = tour.get("issuetype", &[], "").await;
    for id in strings(&types, "id") {
        tour.get("issuetype/{id}", &[&id], "").await;
    }
}

async fn users(tour: &mut Tour<'_>) {
    tour.get("myself", &[], "?expand=groups,applicationRoles").await;
    tour.get("users", &[], "").await;
    tour.get("user/search", &[], "?query=a").await;
    tour.get("group/bulk", &[], "").await;
    let users = tour.get("users/search", &[], "?maxResults=1000").await;
    for id in strings(&users, "accountId") {
        tour.get("user", &[], &format!("?accountId={id}")).await;
        tour.get("user/bulk", &[], &format!("?accountId={id}")).await;
    }
}

async fn projects(tour: &mut Tour<'_>) {
    let expand = "?expand=description,lead,issueTypes,url,projectKeys,insight&status=live";
    let page = tour.get("project/search", &[], expand).await;
    tour.get("project/search", &[], "?maxResults=1").await;
    tour.get("project", &[], "?expand=lead").await;
    for key in strings(&page["values"], "key") {
        let project = "project/{projectIdOrKey}";
        tour.get(project, &[&key], "").await;
        for part in
            ["component", "components", "version", "versions", "role", "properties", "statuses"]
        {
            tour.get(&format!("{project}/{part}"), &[&key], "").await;
        }
        let role = tour.get("role", &[], "").await[0]["id"].to_string();
        tour.get(&format!("{project}/role/{{id}}"), &[&key, &role], "").await;
    }
}

async fn searches(tour: &mut Tour<'_>) {
    let jql = "project is not EMPTY ORDER BY key";
    tour.get("search/jql", &[], "?jql=project+is+not+EMPTY&maxResults=2").await;
    for fields in ["id", "key", "*navigable", "*all"] {
        let body = json!({ "jql": jql, "fields": [fields], "expand": "names,schema" });
        tour.post("search/jql", &[], "", body).await;
    }
    tour.post("search/approximate-count", &[], "", json!({ "jql": jql })).await;
    let queries = json!({ "queries": [jql, "not a query"] });
    tour.post("jql/parse", &[], "?validation=strict", queries).await;
}

async fn bulk(tour: &mut Tour<'_>, ids: &[String]) {
    let body =
        json!({ "issueIdsOrKeys": ids, "fields": ["*all"], "expand": ["names", "changelog"] });
    tour.post("issue/bulkfetch", &[], "", body).await;
    let body = json!({ "issueIdsOrKeys": ids, "maxResults": 10 });
    tour.post("changelog/bulkfetch", &[], "", body).await;
    let feed = tour.get("worklog/updated", &[], "?since=0").await;
    tour.get("worklog/deleted", &[], "?since=0").await;
    let worklogs: Vec<&Value> = rows(&feed["values"]).map(|row| &row["worklogId"]).collect();
    tour.post("worklog/list", &[], "", json!({ "ids": worklogs })).await;
}

async fn issue(tour: &mut Tour<'_>, id: &str) {
    let path = "issue/{issueIdOrKey}";
    let query = "?expand=names,schema,changelog&properties=*all";
    let issue = tour.get(path, &[id], query).await;
    for part in ["remotelink", "watchers", "votes"] {
        tour.get(&format!("{path}/{part}"), &[id], "").await;
    }
    let changes = tour.get(&format!("{path}/changelog"), &[id], "?maxResults=3").await;
    let change_ids: Vec<i64> =
        strings(&changes["values"], "id").iter().filter_map(|id| id.parse().ok()).collect();
    let body = json!({ "changelogIds": change_ids });
    tour.post(&format!("{path}/changelog/list"), &[id], "", body).await;
    let comments = tour.get(&format!("{path}/comment"), &[id], "?maxResults=2").await;
    let comment_ids: Vec<i64> =
        strings(&comments["comments"], "id").iter().filter_map(|id| id.parse().ok()).collect();
    if !comment_ids.is_empty() {
        tour.post("comment/list", &[], "", json!({ "ids": comment_ids })).await;
    }
    tour.get(&format!("{path}/worklog"), &[id], "").await;
    let keys = tour.get(&format!("{path}/properties"), &[id], "").await;
    for key in strings(&keys["keys"], "key") {
        let key = key.replace('/', "%2F");
        tour.get(&format!("{path}/properties/{{propertyKey}}"), &[id, &key], "").await;
    }
    for link in strings(&issue["fields"]["issuelinks"], "id") {
        tour.get("issueLink/{linkId}", &[&link], "").await;
    }
    for attachment in strings(&issue["fields"]["attachment"], "id") {
        tour.get("attachment/{id}", &[&attachment], "").await;
    }
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value, name: &str) -> Vec<String> {
    rows(value).filter_map(|row| row[name].as_str().map(str::to_owned)).collect()
}
