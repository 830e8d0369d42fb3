//! Listings: what is asked, what comes, and that they end.

use serde_json::Value;

use super::super::pages::{FeedPages, OffsetPages, TokenPages};
use super::site::Seen;
use super::*;

const SEARCH: &str = "/rest/api/3/search/jql";
const FEED: &str = "/rest/api/3/worklog/updated";

/// A site that shows these pages one after the other, then refuses.
async fn showing(pages: Vec<Value>) -> Site {
    Site::serve(move |_, before| pages.get(before).map_or_else(|| answer(400, &[JSON], "{}"), json))
        .await
}

/// A listing that was read to its end: its items, and whether they are all, or why it ended.
type Read = Result<(Vec<Value>, bool), String>;

macro_rules! read {
    ($pages:expr) => {{
        let pages = &mut $pages;
        let mut items: Vec<Value> = Vec::new();
        let ended = loop {
            match pages.next().await {
                Ok(Some(page)) => {
                    assert!(!page.is_empty());
                    items.extend(page);
                }
                Ok(None) => break None,
                Err(error) => break Some(name(&error)),
            }
        };
        let read: Read = ended.map_or_else(|| Ok((items, pages.is_complete())), Err);
        if read.is_ok() {
            assert_eq!(pages.next().await.unwrap(), None);
        }
        read
    }};
}

/// The value of a name in a request's query.
fn asked(seen: &Seen, name: &str) -> Option<String> {
    let url: Url = format!("http://x{}", seen.path).parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn items(count: u64) -> Vec<Value> {
    (0..count).map(Value::from).collect()
}

#[tokio::test]
async fn counted_pages_end_where_they_should() {
    for (name, pages, expected, requests) in [
        (
            "one page by its total",
            vec![json!({"startAt": 0, "maxResults": 9, "total": 2, "values": [0, 1]})],
            Ok((2, true)),
            1,
        ),
        ("one page by `isLast`", vec![json!({"isLast": true, "values": [0]})], Ok((1, true)), 1),
        ("none at all", vec![json!({"startAt": 0, "total": 0, "values": []})], Ok((0, true)), 1),
        (
            "smaller pages than asked for",
            vec![
                json!({"startAt": 0, "total": 5, "values": [0, 1]}),
                json!({"startAt": 2, "total": 5, "values": [2]}),
                json!({"startAt": 3, "total": 5, "values": [3, 4]}),
            ],
            Ok((5, true)),
            3,
        ),
        (
            "`isLast` goes before the total",
            vec![
                json!({"isLast": false, "total": 1, "values": [0]}),
                json!({"isLast": true, "total": 2, "values": [1]}),
            ],
            Ok((2, true)),
            2,
        ),
        (
            "fewer than the total",
            vec![
                json!({"startAt": 0, "total": 5, "values": [0, 1]}),
                json!({"startAt": 2, "total": 5, "values": []}),
            ],
            Ok((2, false)),
            2,
        ),
        (
            "the last, though more are counted",
            vec![json!({"isLast": true, "total": 5, "values": [0, 1]})],
            Ok((2, false)),
            1,
        ),
        (
            "an empty page that is not the last",
            vec![json!({"isLast": false, "values": []})],
            Ok((0, false)),
            1,
        ),
        (
            "more than the total",
            vec![
                json!({"startAt": 0, "total": 1, "values": [0, 1]}),
                json!({"startAt": 2, "total": 1, "values": [2]}),
                json!({"startAt": 3, "total": 1, "values": []}),
            ],
            Ok((3, true)),
            3,
        ),
        (
            "places without a total",
            vec![json!({"startAt": 0, "values": [0, 1]}), json!({"startAt": 2, "values": []})],
            Ok((2, true)),
            2,
        ),
        ("no places at all", vec![json!({"values": [0, 1]})], Ok((2, true)), 1),
        ("plain arrays", vec![json!([0, 1]), json!([2]), json!([])], Ok((3, true)), 3),
        ("the same plain array", vec![json!([0, 1]), json!([0, 1])], Ok((2, true)), 2),
        (
            "the same page",
            vec![json!({"total": 9, "values": [0, 1]}), json!({"total": 9, "values": [0, 1]})],
            Err("Listing"),
            2,
        ),
        (
            "another page than asked for",
            vec![
                json!({"startAt": 0, "total": 9, "values": [0, 1]}),
                json!({"startAt": 0, "total": 9, "values": [2, 3]}),
            ],
            Err("Listing"),
            2,
        ),
        ("no items", vec![json!({"total": 9})], Err("Listing"), 1),
        ("odd items", vec![json!({"values": {"a": 1}})], Err("Listing"), 1),
        ("a refusal", vec![json!({"total": 9, "values": [0]})], Err("Rejected"), 2),
    ] {
        let site = showing(pages).await;
        let mut listing =
            OffsetPages::new(&site.client(), "/rest/api/3/x/{}", &["1"], &[], "values", 50);
        let expected =
            expected.map(|(count, is_all)| (items(count), is_all)).map_err(str::to_owned);
        assert_eq!(read!(listing), expected, "{name}");
        assert_eq!(site.count(), requests, "{name}");
    }
}

#[tokio::test]
async fn counted_pages_are_asked_for_by_what_came() {
    let site = showing(vec![
        json!({"startAt": 0, "total": 3, "comments": [{"id": "1"}, {"id": "2"}]}),
        json!({"startAt": 2, "total": 3, "comments": [{"id": "3"}]}),
    ])
    .await;
    let query = [("orderBy", "created".to_owned())];
    let mut listing = OffsetPages::new(
        &site.client(),
        "/rest/api/3/issue/{}/comment",
        &["ABC-1"],
        &query,
        "comments",
        5000,
    );
    assert_eq!(listing.next().await.unwrap().unwrap().len(), 2);
    assert_eq!((listing.total(), listing.is_complete()), (Some(3), false));
    assert_eq!(listing.next().await.unwrap().unwrap(), [json!({"id": "3"})]);
    assert!(listing.is_complete());
    let paths: Vec<String> = site.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "/rest/api/3/issue/ABC-1/comment?orderBy=created&startAt=0&maxResults=5000",
            "/rest/api/3/issue/ABC-1/comment?orderBy=created&startAt=2&maxResults=5000",
        ]
    );
}

#[tokio::test]
async fn counted_pages_without_end_end() {
    let site = Site::serve(|seen, _| {
        let start: u64 = asked(seen, "startAt").unwrap().parse().unwrap();
        json(&json!({"startAt": start, "total": 3, "values": [start, start + 1]}))
    });
    let site = site.await;
    let mut listing = OffsetPages::new(&site.client(), "/rest/api/3/x", &[], &[], "values", 2);
    assert_eq!(read!(listing), Err("Listing".to_owned()));
    assert!(site.count() < 20);
}

#[tokio::test]
async fn chained_pages_end_where_they_should() {
    for (name, pages, expected, requests) in [
        ("one page", vec![json!({"issues": [0, 1], "isLast": true})], Ok((2, true)), 1),
        ("one page, unsaid", vec![json!({"issues": [0]})], Ok((1, true)), 1),
        ("none at all", vec![json!({"issues": []})], Ok((0, true)), 1),
        (
            "three",
            vec![
                json!({"issues": [0], "nextPageToken": "a"}),
                json!({"issues": [1], "nextPageToken": "b", "isLast": false}),
                json!({"issues": [2], "isLast": true}),
            ],
            Ok((3, true)),
            3,
        ),
        (
            "the last, with a token",
            vec![json!({"issues": [0], "nextPageToken": "a", "isLast": true})],
            Ok((1, true)),
            1,
        ),
        ("an empty token", vec![json!({"issues": [0], "nextPageToken": ""})], Ok((1, true)), 1),
        (
            "not the last, without a token",
            vec![json!({"issues": [0], "isLast": false})],
            Ok((1, false)),
            1,
        ),
        (
            "the same token again",
            vec![
                json!({"issues": [0], "nextPageToken": "a"}),
                json!({"issues": [1], "nextPageToken": "b"}),
                json!({"issues": [2], "nextPageToken": "a"}),
            ],
            Ok((3, false)),
            3,
        ),
        (
            "an empty page with a token",
            vec![
                json!({"issues": [0], "nextPageToken": "a"}),
                json!({"issues": [], "nextPageToken": "b"}),
            ],
            Ok((1, false)),
            2,
        ),
        ("no items", vec![json!({"isLast": true})], Err("Listing"), 1),
        ("an array", vec![json!([0])], Err("Listing"), 1),
        ("a refusal", vec![], Err("Rejected"), 1),
        (
            "a token that is no longer known",
            vec![json!({"issues": [0], "nextPageToken": "a"})],
            Err("ExpiredToken"),
            2,
        ),
    ] {
        let expected: Read =
            expected.map(|(count, is_all)| (items(count), is_all)).map_err(str::to_owned);
        let site = showing(pages.clone()).await;
        let body = json!({"jql": "project = X"});
        let mut listing = TokenPages::post(&site.client(), SEARCH, body, "issues");
        assert_eq!(read!(listing), expected, "{name} by POST");
        assert_eq!(site.count(), requests, "{name} by POST");

        let site = showing(pages).await;
        let query = [("jql", "project = X".to_owned())];
        let mut listing = TokenPages::get(&site.client(), SEARCH, &query, "issues");
        assert_eq!(read!(listing), expected, "{name} by GET");
        assert_eq!(site.count(), requests, "{name} by GET");
    }
}

#[tokio::test]
async fn chained_pages_send_the_token_along() {
    let pages = || {
        showing(vec![
            json!({"issues": [0], "nextPageToken": "a b"}),
            json!({"issues": [1], "nextPageToken": "c"}),
            json!({"issues": [2]}),
        ])
    };
    let site = pages().await;
    let mut listing = TokenPages::post(&site.client(), SEARCH, json!({"jql": "x"}), "issues");
    read!(listing).unwrap();
    let bodies: Vec<String> = site.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        bodies,
        [
            r#"{"jql":"x"}"#,
            r#"{"jql":"x","nextPageToken":"a b"}"#,
            r#"{"jql":"x","nextPageToken":"c"}"#
        ]
    );

    let site = pages().await;
    let mut listing = TokenPages::get(&site.client(), SEARCH, &[("jql", "x".to_owned())], "issues");
    read!(listing).unwrap();
    let tokens: Vec<_> = site.seen().iter().map(|seen| asked(seen, "nextPageToken")).collect();
    assert_eq!(tokens, [None, Some("a b".to_owned()), Some("c".to_owned())]);
}

#[tokio::test]
async fn a_feed_ends_where_it_should() {
    for (name, pages, expected, since, until) in [
        (
            "one page",
            vec![json!({"values": [0, 1], "since": 100, "until": 200, "lastPage": true})],
            Ok((2, true)),
            &["100"][..],
            200,
        ),
        (
            "nothing new",
            vec![json!({"values": [], "since": 100, "until": 100, "lastPage": true})],
            Ok((0, true)),
            &["100"],
            100,
        ),
        (
            "nothing new, with a later end",
            vec![json!({"values": [], "until": 300, "lastPage": true})],
            Ok((0, true)),
            &["100"],
            300,
        ),
        (
            "two pages",
            vec![
                json!({"values": [0], "until": 200, "lastPage": false,
                       "nextPage": "http://127.0.0.1:1/elsewhere?since=777"}),
                json!({"values": [1], "until": 300, "lastPage": true}),
            ],
            Ok((2, true)),
            &["100", "200"],
            300,
        ),
        (
            "a page that does not move on",
            vec![
                json!({"values": [0], "until": 200, "lastPage": false}),
                json!({"values": [1], "until": 200, "lastPage": false}),
            ],
            Ok((2, false)),
            &["100", "200"],
            200,
        ),
        (
            "a page that goes back",
            vec![json!({"values": [0], "until": 50, "lastPage": false})],
            Ok((1, false)),
            &["100"],
            100,
        ),
        (
            "an empty page that is not the last",
            vec![json!({"values": [], "until": 200, "lastPage": false})],
            Ok((0, false)),
            &["100"],
            200,
        ),
        ("no end", vec![json!({"values": [0]})], Ok((1, false)), &["100"], 100),
        ("no items", vec![json!({"lastPage": true})], Err("Listing"), &["100"], 100),
    ] {
        let site = showing(pages).await;
        let mut feed =
            FeedPages::new(&site.client(), FEED, &[("expand", "properties".to_owned())], 100);
        let expected: Read =
            expected.map(|(count, is_all)| (items(count), is_all)).map_err(str::to_owned);
        assert_eq!(read!(feed), expected, "{name}");
        assert_eq!(feed.until(), until, "{name}");
        let asked: Vec<_> = site.seen().iter().map(|seen| asked(seen, "since").unwrap()).collect();
        assert_eq!(asked, since, "{name}");
    }
}
