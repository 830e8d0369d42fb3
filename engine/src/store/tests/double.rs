//! A server that speaks as much S3 as the store needs, and misbehaves when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use futures::stream;

use super::*;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Nothing.
    None,
    /// It is done, and nobody says so.
    AnswerLost,
    /// Nothing is done, and this is answered.
    Refused(u16),
    /// Half of the body comes, and then nothing.
    Stalled,
    /// Half of the body comes, and then the connection ends.
    Cut,
    /// More comes than the head of the answer says.
    TooLong,
}

#[derive(Default)]
struct Double {
    objects: Mutex<BTreeMap<String, Bytes>>,
    troubles: Mutex<VecDeque<Trouble>>,
    requests: Mutex<Vec<String>>,
}

type Answer = Response<Body>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn answer(status: u16) -> axum::http::response::Builder {
    let builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
    builder.header(header::ETAG, "\"e\"")
}

impl Double {
    /// Plans what happens to the next requests.
    fn plan(&self, troubles: &[Trouble]) {
        *locked(&self.troubles) = troubles.iter().copied().collect();
        locked(&self.requests).clear();
    }

    fn requests(&self) -> Vec<String> {
        locked(&self.requests).clone()
    }

    async fn handle(&self, request: Request) -> Answer {
        let trouble = locked(&self.troubles).pop_front().unwrap_or(Trouble::None);
        let (parts, body) = request.into_parts();
        locked(&self.requests).push(parts.method.to_string());
        if let Trouble::Refused(status) = trouble {
            return answer(status).body(Body::from("<Error/>")).unwrap();
        }
        let name = parts.uri.path().to_owned();
        let answer = match parts.method {
            Method::PUT => {
                let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                self.put(name, &parts.headers, bytes)
            }
            Method::GET => self.get(&name, &parts.headers, trouble),
            method => panic!("the double knows no {method}"),
        };
        if trouble == Trouble::AnswerLost {
            std::future::pending::<()>().await;
        }
        answer
    }

    fn put(&self, name: String, headers: &HeaderMap, bytes: Bytes) -> Answer {
        assert_eq!(headers["if-none-match"], "*", "nothing is ever overwritten");
        assert!(headers.contains_key("x-amz-checksum-sha256"), "uploads have a checksum");
        let mut objects = locked(&self.objects);
        if objects.contains_key(&name) {
            return answer(412).body(Body::empty()).unwrap();
        }
        objects.insert(name, bytes);
        answer(200).body(Body::empty()).unwrap()
    }

    fn get(&self, name: &str, headers: &HeaderMap, trouble: Trouble) -> Answer {
        let Some(bytes) = locked(&self.objects).get(name).cloned() else {
            return answer(404).body(Body::empty()).unwrap();
        };
        let half = bytes.slice(..bytes.len() / 2);
        let whole = answer(200).header(header::CONTENT_LENGTH, bytes.len());
        let body = match trouble {
            Trouble::Stalled => {
                let rest = stream::pending::<Result<Bytes, std::io::Error>>();
                Body::from_stream(stream::iter([Ok(half)]).chain(rest))
            }
            Trouble::Cut => {
                Body::from_stream(stream::iter([Ok(half), Err(std::io::Error::other("cut"))]))
            }
            _ => match headers.get(header::RANGE).and_then(|it| it.to_str().ok()) {
                Some(range) => return ranged(&bytes, range, trouble),
                None => Body::from(bytes),
            },
        };
        whole.body(body).unwrap()
    }
}

/// Answers `bytes=first-last`.
fn ranged(bytes: &Bytes, range: &str, trouble: Trouble) -> Answer {
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let range = format!("bytes {first}-{last}/{}", bytes.len());
    let body = if trouble == Trouble::TooLong { bytes.clone() } else { bytes.slice(first..=last) };
    answer(206).header(header::CONTENT_RANGE, range).body(Body::from(body)).unwrap()
}

/// A store over a double, with little patience.
fn doubled(runtime: &tokio::runtime::Runtime) -> (Arc<Double>, Store) {
    let double = Arc::new(Double::default());
    let state = Arc::clone(&double);
    let handle = async |State(double): State<Arc<Double>>, request| double.handle(request).await;
    let router = Router::new().fallback(handle).with_state(state);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async { axum::serve(listener, router).await });
    let options = StoreOptions::default()
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("AWS_ENDPOINT_URL", &endpoint);
    let store = Store::open("s3://bucket/a/prefix", &options, runtime.handle().clone()).unwrap();
    let mut store = store.with_retry(RetryPolicy { attempts: 4, first_delay: Duration::ZERO });
    store.patience = Some(Patience { answer: Duration::from_secs(1), bytes_per_second: 1 << 20 });
    (double, store)
}

#[test]
fn a_creation_survives_what_servers_do() {
    let runtime = runtime();
    let (double, store) = doubled(&runtime);
    for (number, (troubles, requests)) in [
        (&[][..], &["PUT"][..]),
        (&[Trouble::Refused(503), Trouble::Refused(429)], &["PUT", "PUT", "PUT"]),
        // "Exists with my bytes" is success.
        (&[Trouble::AnswerLost], &["PUT", "PUT", "GET"]),
        // S3 says so of two writers at a time although nothing exists.
        (&[Trouble::Refused(409)], &["PUT", "GET", "PUT"]),
        (
            &[Trouble::Refused(409), Trouble::None, Trouble::Refused(409)],
            &["PUT", "GET", "PUT", "GET", "PUT"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("packs/{number}");
        double.plan(troubles);
        let created = store.create(&name, "mine".into(), Durability::Durable).unwrap();
        assert_eq!(created, Created::New, "{troubles:?}");
        assert_eq!(double.requests(), requests, "{troubles:?}");
        assert_eq!(locked(&double.objects)[&format!("/bucket/a/prefix/{name}")], "mine");
        let again = store.create(&name, "another's".into(), Durability::Durable).unwrap();
        assert_eq!(again, Created::Exists, "{troubles:?}");
    }
}

#[test]
fn a_creation_that_nobody_can_judge_is_an_error() {
    let runtime = runtime();
    let (double, store) = doubled(&runtime);
    store.create("a", "mine".into(), Durability::Durable).unwrap();
    // It exists, and whose bytes these are cannot be read.
    double.plan(&[Trouble::None, Trouble::Refused(403)]);
    let error = store.create("a", "mine".into(), Durability::Durable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    // Taken, says the server, time after time, and there is nothing.
    double.plan(&[Trouble::Refused(409), Trouble::None].repeat(9));
    let error = store.create("b", "mine".into(), Durability::Durable).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_read_survives_what_servers_do() {
    let runtime = runtime();
    let (double, store) = doubled(&runtime);
    let bytes = Bytes::from(vec![7; 100_000]);
    store.create("a", bytes.clone(), Durability::Durable).unwrap();
    for trouble in [Trouble::Refused(500), Trouble::Stalled, Trouble::Cut, Trouble::AnswerLost] {
        double.plan(&[trouble]);
        assert_eq!(store.read("a", 100_000).unwrap(), bytes, "{trouble:?}");
        assert_eq!(double.requests().len(), 2, "{trouble:?}");
    }
    double.plan(&[Trouble::Cut; 9]);
    assert_eq!(store.read("a", 100_000).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(double.requests().len(), 4, "attempts have an end");
}

#[test]
fn an_answer_is_never_longer_than_allowed() {
    let runtime = runtime();
    let (double, store) = doubled(&runtime);
    store.create("a", Bytes::from(vec![7; 100_000]), Durability::Durable).unwrap();
    // The body would never come: the length in the head is enough to refuse it.
    double.plan(&[Trouble::Stalled]);
    let error = store.read("a", 99_999).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { length: 100_000, .. }), "{error:?}");
    assert_eq!(double.requests().len(), 1);
    double.plan(&[Trouble::TooLong; 4]);
    assert_eq!(store.read_range("a", 0..10).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.read_range("a", 0..10).unwrap().len(), 10);
}

#[test]
fn what_is_refused_for_good_is_not_asked_again() {
    let runtime = runtime();
    let (double, store) = doubled(&runtime);
    for (status, kind) in [
        (400, ErrorKind::Unavailable),
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Credentials),
        (501, ErrorKind::Unavailable),
        (507, ErrorKind::Full),
    ] {
        double.plan(&[Trouble::Refused(status); 9]);
        let error = store.create("a", "mine".into(), Durability::Durable).unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(double.requests().len(), 1, "{status}");
    }
    for (status, kind) in [(403, ErrorKind::Credentials), (404, ErrorKind::NotFound)] {
        double.plan(&[Trouble::Refused(status)]);
        assert_eq!(store.list("packs").unwrap_err().kind(), kind, "{status}");
        assert_eq!(double.requests().len(), 1, "{status}");
    }
}
