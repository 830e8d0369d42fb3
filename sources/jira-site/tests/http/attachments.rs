//! Downloads.

use esker_jira_site::server::{Fault, ServerOptions, ViolationKind, When};
use esker_jira_site::site::SiteOptions;
use serde_json::Value;

use crate::client::Client;

/// The metadata of every attachment that has bytes.
async fn attachments(client: &Client) -> Vec<Value> {
    let mut found = Vec::new();
    for id in client.issue_ids().await {
        let issue = client.ok(&format!("/rest/api/3/issue/{id}?fields=attachment")).await;
        found.extend(issue["fields"]["attachment"].as_array().cloned().unwrap_or_default());
    }
    found.retain(|attachment| attachment["size"].as_u64().is_some_and(|size| size > 10));
    assert!(!found.is_empty(), "the site has attachments");
    found
}

fn path(attachment: &Value) -> String {
    format!("/rest/api/3/attachment/content/{}", attachment["id"].as_str().unwrap())
}

#[tokio::test]
async fn bytes_come_directly_or_from_the_media_store() {
    let client = Client::new();
    for attachment in attachments(&client).await {
        let size = attachment["size"].as_u64().unwrap();
        let direct = format!("{}?redirect=false", path(&attachment));
        let direct = client.send(&direct, None).await;
        assert_eq!(direct.status(), 200);
        assert_eq!(direct.headers()["content-type"], attachment["mimeType"].as_str().unwrap());
        let direct = direct.bytes().await.unwrap();
        assert_eq!(direct.len() as u64, size);
        let redirect = client.send(&path(&attachment), None).await;
        assert_eq!(redirect.status(), 303);
        let address = redirect.headers()["location"].to_str().unwrap();
        assert!(address.contains("/file/"), "{address}");
        let response = client.anonymous("GET", address).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), direct);
    }
    client.assert_no_violations();
}

#[tokio::test]
async fn credentials_do_not_go_to_the_media_store() {
    let client = Client::new();
    let attachment = &attachments(&client).await[0];
    let redirect = client.send(&path(attachment), None).await;
    let address = redirect.headers()["location"].to_str().unwrap();
    assert_eq!(client.request("GET", address).send().await.unwrap().status(), 400);
    let kinds: Vec<_> = client.server.violations().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [ViolationKind::LeakedCredentials]);
    let forged = address.replacen("token=", "token=1", 1);
    assert_eq!(client.anonymous("GET", &forged).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_file_may_be_larger_than_the_memory() {
    let size = 1 << 40;
    let site = SiteOptions { huge_attachment_bytes: Some(size), ..SiteOptions::default() };
    let client = Client::of(&site, ServerOptions::default());
    let huge = attachments(&client).await.into_iter().find(|it| it["size"] == size);
    let direct = format!("{}?redirect=false", path(&huge.expect("there is a large file")));
    let mut whole = client.send(&direct, None).await;
    assert_eq!(whole.content_length(), Some(size));
    assert!(whole.chunk().await.unwrap().is_some());
    let end = client.request("GET", &direct).header("range", "bytes=-9").send().await.unwrap();
    assert_eq!(end.status(), 206);
    assert_eq!(end.bytes().await.unwrap().len(), 9);
}

#[tokio::test]
async fn parts_can_be_asked_for() {
    let client = Client::new();
    let attachment = &attachments(&client).await[0];
    let size = attachment["size"].as_u64().unwrap();
    let whole = format!("{}?redirect=false", path(attachment));
    let ask = async |range: &str| {
        client.request("GET", &whole).header("range", range).send().await.unwrap()
    };
    let bytes = client.send(&whole, None).await.bytes().await.unwrap();
    let part = ask("bytes=3-6").await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 3-6/{size}"));
    assert_eq!(part.bytes().await.unwrap(), bytes[3..7]);
    let beyond = ask(&format!("bytes={size}-")).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{size}"));
    assert_eq!(ask("bytes=x").await.status(), 400);
    let faults = client.server.faults();
    let id = faults.add("*", When::Nth(1), Fault::IgnoredRange).unwrap();
    assert_eq!(ask("bytes=3-6").await.status(), 200);
    assert_eq!(faults.fired(id), 1);
    faults.add("*", When::Nth(1), Fault::WrongContentRange).unwrap();
    let part = ask("bytes=3-6").await;
    assert_eq!(part.headers()["content-range"], format!("bytes 13-6/{size}"));
    for by in [-3, 3] {
        faults.clear();
        faults.add("*", When::Nth(1), Fault::WrongLength { by }).unwrap();
        let body = client.send(&whole, None).await.bytes().await.unwrap();
        assert_eq!(body.len() as u64, size.saturating_add_signed(by));
    }
}
