//! Attachments: redirects, ranges, and what may go wrong with them.

use axum::response::Response;

use super::super::download::follow;
use super::site::{Seen, hanging};
use super::*;

const CONTENT: &str = "0123456789";

async fn all(download: &mut Download) -> Result<String, RequestError> {
    let mut text = String::new();
    while let Some(chunk) = download.chunk().await? {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    Ok(text)
}

/// A site that sends on to another one that holds the bytes.
async fn pair(media: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> (Site, Site) {
    let media = Site::serve(media).await;
    let to = media.url.join("/file/1?token=signed").unwrap().to_string();
    let site = Site::serve(move |_, _| answer(303, &[("Location", &to)], "")).await;
    (site, media)
}

#[tokio::test]
async fn bytes_come_from_elsewhere_without_our_credentials() {
    let (site, media) = pair(|_, _| answer(200, &[], CONTENT)).await;
    let client = site.client();
    let mut download = client.download("10500", 0).await.unwrap();
    assert_eq!((download.starts_at(), download.total()), (0, Some(10)));
    assert_eq!(all(&mut download).await.unwrap(), CONTENT);
    assert_eq!(download.position(), 10);
    assert_eq!(download.chunk().await.unwrap(), None);

    let (asked, sent_on) = (&site.seen()[0], &media.seen()[0]);
    assert_eq!(asked.path, "/rest/api/3/attachment/content/10500");
    assert!(asked.header("authorization").is_some());
    assert_eq!(sent_on.path, "/file/1?token=signed");
    for name in ["authorization", "cookie", "referer", "range"] {
        assert_eq!(sent_on.header(name), None);
    }
    assert_eq!(sent_on.header("accept-encoding"), Some("identity"));
    let counts = [("GET (media)", 1), ("GET /rest/api/3/attachment/content/{}", 1)];
    assert_eq!(client.requests(), BTreeMap::from(counts.map(|(name, n)| (name.to_owned(), n))));
}

#[tokio::test]
async fn a_download_goes_on_where_it_was() {
    type Headers = &'static [(&'static str, &'static str)];
    const RIGHT: Headers = &[("Content-Range", "bytes 4-9/10")];
    for (status, headers, body, from, expected) in [
        (206, RIGHT, "456789", 4, Ok((Some(10), "456789"))),
        (206, &[("Content-Range", "bytes 4-9/*")], "456789", 4, Ok((None, "456789"))),
        (206, &[("Content-Range", "bytes 0-9/10")], CONTENT, 0, Ok((Some(10), CONTENT))),
        // The site does not know ranges: what we have is passed over.
        (200, &[], CONTENT, 4, Ok((Some(10), "456789"))),
        (200, &[], CONTENT, 10, Ok((Some(10), ""))),
        (200, &[], "", 0, Ok((Some(0), ""))),
        (200, &[], CONTENT, 11, Err("Range")),
        (206, &[("Content-Range", "bytes 0-9/10")], CONTENT, 4, Err("Content")),
        (206, &[("Content-Range", "bytes 5-9/10")], "56789", 4, Err("Content")),
        (206, &[("Content-Range", "bytes */10")], "", 4, Err("Content")),
        (206, &[], "456789", 4, Err("Content")),
        (206, &[("Content-Range", "bytes 4-6/10")], "456", 4, Err("Cut")),
        (206, &[("Content-Range", "bytes 4-9/7")], "456789", 4, Err("Content")),
        (416, &[("Content-Range", "bytes */10")], "", 12, Err("Range")),
        (416, &[], "", 12, Err("Range")),
        (204, &[], "", 0, Err("Content")),
        (200, &[("Content-Encoding", "gzip")], "x", 0, Err("Content")),
    ] {
        let (site, media) = pair(move |_, _| answer(status, headers, body)).await;
        let told = format!("{status} {headers:?} {body} from {from}");
        let got = async {
            let mut download = site.client().download("1", from).await?;
            assert_eq!(download.starts_at(), from, "{told}");
            Ok((download.total(), all(&mut download).await?))
        };
        let got: Result<_, RequestError> = got.await;
        let got = got.as_ref().map(|(total, text)| (*total, text.as_str())).map_err(name);
        assert_eq!(got, expected.map_err(str::to_owned), "{told}");
        let range = (from > 0).then(|| format!("bytes={from}-"));
        assert_eq!(media.seen()[0].header("range"), range.as_deref(), "{told}");
        assert_eq!(media.count(), 1, "{told}");
    }
}

#[tokio::test]
async fn the_end_may_be_right_there() {
    let (site, _media) = pair(|_, _| answer(416, &[("Content-Range", "bytes */10")], "")).await;
    match site.client().download("1", 10).await.unwrap_err() {
        RequestError::Range { from: 10, total: Some(10), .. } => {}
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_broken_download_is_resumed_by_asking_again() {
    let (site, _media) = pair(|seen, before| match before {
        0 => answer(200, &[], cut("0123")),
        _ if seen.header("range") == Some("bytes=4-") => {
            answer(206, &[("Content-Range", "bytes 4-9/10")], "456789")
        }
        _ => answer(400, &[], ""),
    })
    .await;
    let client = site.client();
    let mut download = client.download("1", 0).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "0123");
    assert_eq!(name(&download.chunk().await.unwrap_err()), "Cut");
    let mut rest = client.download("1", download.position()).await.unwrap();
    assert_eq!(all(&mut rest).await.unwrap(), "456789");
}

#[tokio::test]
async fn what_the_holder_of_the_bytes_refuses_is_not_about_us() {
    for (status, expected, requests) in [
        (401, "Forbidden", 2),
        (403, "Forbidden", 2),
        (404, "NotFound", 1),
        (410, "Gone", 1),
        (500, "Unavailable", 3),
        (503, "Unavailable", 3),
    ] {
        let (site, media) = pair(move |_, _| answer(status, &[], "<Error>signed</Error>")).await;
        let error = site.client().download("1", 0).await.unwrap_err();
        assert_eq!(name(&error), expected, "{status}");
        // Each attempt is given an address of its own.
        assert_eq!((site.count(), media.count()), (requests, requests), "{status}");
    }
    let site = Site::serve(|_, _| answer(404, &[JSON], "{}")).await;
    assert_eq!(name(&site.client().download("1", 0).await.unwrap_err()), "NotFound");
}

#[tokio::test]
async fn redirects_lead_only_where_we_go() {
    for (location, expected, requests) in [
        (Some("/again"), "Content", 6),
        (Some("ftp://127.0.0.1/x"), "Content", 1),
        (Some("file:///etc/passwd"), "Content", 1),
        (Some("http://10.1.2.3/x"), "Content", 1),
        (Some("http://["), "Content", 1),
        (Some("/login?os_destination=x"), "NotJson", 3),
        (None, "Content", 1),
    ] {
        let site = Site::serve(move |_, _| match location {
            Some(location) => answer(302, &[("Location", location)], ""),
            None => answer(302, &[], ""),
        });
        let site = site.await;
        let error = site.client().download("1", 0).await.unwrap_err();
        assert_eq!((name(&error).as_str(), site.count()), (expected, requests), "{location:?}");
    }
}

#[test]
fn a_site_elsewhere_does_not_lead_to_this_machine() {
    let api: Url = "https://acme.example".parse().unwrap();
    let client = Client::new(options(api.clone()), Cancel::default()).unwrap();
    for (location, is_allowed) in [
        ("https://media.example/x", true),
        ("https://127.0.0.1/x", false),
        ("http://127.0.0.1/x", false),
        ("https://localhost:8080/x", false),
        ("https://[::1]/x", false),
        ("http://media.example/x", false),
    ] {
        let headers = [(reqwest::header::LOCATION, location.parse().unwrap())];
        let headers = headers.into_iter().collect();
        let followed = follow(&client.shared, &api, &headers, "GET /x");
        assert_eq!(followed.is_ok(), is_allowed, "{location}");
    }
}

#[tokio::test]
async fn cancelling_ends_a_download_under_way() {
    let (site, _media) = pair(|_, _| answer(200, &[], hanging("0123"))).await;
    let cancel = Cancel::default();
    let client = Client::new(options(site.url.clone()), cancel.clone()).unwrap();
    let mut download = client.download("1", 0).await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "0123");
    cancel.cancel();
    assert_eq!(name(&download.chunk().await.unwrap_err()), "Cancelled");
}

#[tokio::test]
async fn downloads_leave_room_for_other_requests() {
    let media = Site::serve(|_, _| answer(200, &[], hanging("0"))).await;
    let to = media.url.to_string();
    let site = Site::serve(move |seen, _| {
        let is_download = seen.path.ends_with("content/1");
        if is_download { answer(303, &[("Location", &to)], "") } else { json(&json!({})) }
    });
    let site = site.await;
    let narrow = ClientOptions { connections: 1, ..options(site.url.clone()) };
    let client = Client::new(narrow, Cancel::default()).unwrap();
    let held = client.download("1", 0).await.unwrap();
    client.get(ISSUE, &["1"], &[]).await.unwrap();
    assert_eq!(client.shared.downloads.available_permits(), 0);
    drop(held);
    assert_eq!(client.shared.downloads.available_permits(), 1);
}
