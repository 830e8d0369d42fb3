//! What happens to a request: it is recognised, checked, limited, answered, and the answer is spoilt where a fault says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{self, Body};
use axum::extract::State as Shared;
use axum::http::{self, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::answer::{Answer, Content, Refusal};
use super::call::Call;
use super::faults::{self, Fault, Faults};
use super::limits::Meter;
use super::request::{Request, Version};
use super::table::{self, Endpoint, Found, Host, PathValues};
use super::validate;
use super::violation::{Complaints, Violation, ViolationKind as Wrong};
use super::wire::{self, Delivery};
use super::{Credentials, v2};
use crate::site::Site;

/// The most bytes of a request body that are read.
const BODY_LIMIT: usize = /* 10 MiB */ 10 * 1024 * 1024;

/// The site behind its address, and what it keeps count of.
pub(super) struct Service {
    pub(super) site: Site,
    pub(super) url: String,
    /// The address of the media store.
    pub(super) media_url: String,
    pub(super) latency: Duration,
    pub(super) credentials: Credentials,
    pub(super) gateway: bool,
    pub(super) meter: Option<Meter>,
    pub(super) faults: Faults,
    pub(super) log: Mutex<Log>,
}

/// What was asked, and what was wrong with it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) violations: Vec<Violation>,
}

/// Answers a request to the site, of any method and path.
pub(super) async fn serve_site(
    Shared(service): Shared<Arc<Service>>,
    request: http::Request<Body>,
) -> Response<Body> {
    serve(&service, Host::Site, request).await
}

/// Answers a request to the media store.
pub(super) async fn serve_media(
    Shared(service): Shared<Arc<Service>>,
    request: http::Request<Body>,
) -> Response<Body> {
    serve(&service, Host::Media, request).await
}

async fn serve(service: &Service, host: Host, request: http::Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (mut answer, delivery) = match body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => service.answer(Request::new(host, &parts, body)),
        Err(_) => (Refusal::new(413, "Request Entity Too Large").into(), Delivery::Whole),
    };
    if !service.latency.is_zero() {
        tokio::time::sleep(service.latency).await;
    }
    // The site has a clock of its own, and clients go by it.
    answer.headers.push(("Date", faults::http_date(service.site.now())));
    wire::response(answer, &delivery)
}

impl Service {
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, mut request: Request) -> (Answer, Delivery) {
        let mut violations = Vec::new();
        let line = format!("{} {}", request.method, request.path);
        let mut complaints = Complaints::new(line, &mut violations);
        let answer = match self.recognise(&request, &mut complaints) {
            Ok((endpoint, path)) => self.called(endpoint, path, &mut request, &mut complaints),
            Err(answer) => (answer, Delivery::Whole),
        };
        self.log().violations.append(&mut violations);
        answer
    }

    fn recognise(
        &self,
        request: &Request,
        complaints: &mut Complaints<'_>,
    ) -> Result<(&'static Endpoint, PathValues), Answer> {
        if let Some(id) = &request.cloud_id
            && !(self.gateway && *id == self.site.state().cloud_id())
        {
            complaints.add(Wrong::UnknownEndpoint, "no site has this cloud id here");
            return Err(gateway_error(404, "Not Found"));
        }
        match table::find(request.host, &request.method, &request.segments) {
            Found::Endpoint(endpoint, path) => Ok((endpoint, path)),
            Found::OtherMethod => {
                complaints.add(Wrong::WrongMethod, "this endpoint has other methods");
                Err(Refusal::new(405, "Method Not Allowed").into())
            }
            Found::Nothing => {
                complaints.add(Wrong::UnknownEndpoint, "no endpoint has this path");
                let message = format!("null for uri: {}{}", self.url, request.path);
                let body = json!({ "message": message, "status-code": 404 });
                let content = Content::Json(body);
                Err(Answer { status: 404, headers: Vec::new(), content })
            }
        }
    }

    fn called(
        &self,
        endpoint: &'static Endpoint,
        path: PathValues,
        request: &mut Request,
        complaints: &mut Complaints<'_>,
    ) -> (Answer, Delivery) {
        let name = match request.version {
            Version::V3 => endpoint.name(),
            Version::V2 => endpoint.name().replacen("/rest/api/3/", "/rest/api/2/", 1),
        };
        *self.log().requests.entry(name).or_default() += 1;
        if let Err(answer) = self.admit(endpoint, request, complaints) {
            return (answer, Delivery::Whole);
        }
        let arguments = match validate::arguments(endpoint, request, complaints) {
            Ok(arguments) => arguments,
            Err(refusal) => return (refusal.into(), Delivery::Whole),
        };
        let name = endpoint.name();
        let count =
            |meter: &Meter| meter.count(&name, endpoint.verb, Instant::now(), self.site.now());
        let verdict = self.meter.as_ref().map(count);
        let (headers, refusal) =
            verdict.map_or((Vec::new(), None), |verdict| (verdict.headers, verdict.refusal));
        let (mut answer, delivery) = match refusal {
            Some(refusal) => (refusal, Delivery::Whole),
            None => self.spoilt(endpoint, path, request, &arguments),
        };
        answer.headers.extend(headers);
        (answer, delivery)
    }

    /// Checks who asks.
    fn admit(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        complaints: &mut Complaints<'_>,
    ) -> Result<(), Answer> {
        match request.header("authorization") {
            Some(_) if endpoint.host == Host::Media => {
                let message = "the credentials of the site were sent to the media store";
                complaints.add(Wrong::LeakedCredentials, message);
                Err(Answer::text(400, "text/plain", "Only one auth mechanism allowed"))
            }
            None if endpoint.open => Ok(()),
            Some(given) if self.credentials.allow(given) => Ok(()),
            given => {
                let known = if given.is_some() { "wrong credentials" } else { "no credentials" };
                complaints.add(Wrong::Unauthorized, known);
                if request.cloud_id.is_some() {
                    return Err(gateway_error(401, "Unauthorized"));
                }
                let realm = format!("OAuth realm=\"{}\"", self.url);
                let text = faults::UNAUTHORIZED;
                Err(Answer::text(401, "text/plain;charset=UTF-8", text)
                    .header("WWW-Authenticate", realm))
            }
        }
    }

    /// Answers, with whatever goes wrong by the rules of [`Faults`].
    fn spoilt(
        &self,
        endpoint: &'static Endpoint,
        path: PathValues,
        request: &mut Request,
        arguments: &validate::Arguments,
    ) -> (Answer, Delivery) {
        let due = self.faults.due(&endpoint.name());
        for (id, fault) in &due {
            if let Some(answer) = faults::instead(fault, arguments, self.site.now()) {
                self.faults.note(*id);
                return (answer, Delivery::Whole);
            }
            if *fault == Fault::IgnoredRange && request.headers.remove("range").is_some() {
                self.faults.note(*id);
            }
        }
        let mut arguments = Cow::Borrowed(arguments);
        for (id, fault) in &due {
            if let Fault::ShortPages(rows) = fault {
                faults::shorten(*rows, arguments.to_mut());
                self.faults.note(*id);
            }
        }
        let arguments = &*arguments;
        let mut answer = self.handle(endpoint, path, request, arguments);
        let mut delivery = Delivery::Whole;
        for (id, fault) in &due {
            if let Some(spoilt) = Delivery::of(fault) {
                delivery = spoilt;
                self.faults.note(*id);
            } else if faults::alter(fault, arguments, &mut answer) {
                self.faults.note(*id);
            }
        }
        (answer, delivery)
    }

    fn handle(
        &self,
        endpoint: &'static Endpoint,
        path: PathValues,
        request: &Request,
        arguments: &validate::Arguments,
    ) -> Answer {
        let base = match &request.cloud_id {
            Some(id) => format!("{}/ex/jira/{id}", self.url),
            None => self.url.clone(),
        };
        let now = self.site.now();
        let state = self.site.state();
        let call = Call {
            endpoint,
            request,
            path,
            arguments,
            site: &self.site,
            state: &state,
            now,
            base: &base,
            media_url: &self.media_url,
        };
        let mut answer = (endpoint.handler)(&call).unwrap_or_else(Answer::from);
        if let (Version::V2, Content::Json(value)) = (request.version, &mut answer.content) {
            v2::flatten(value);
        }
        answer
    }
}

impl Credentials {
    /// Whether an `Authorization` header is one that the site accepts.
    fn allow(&self, header: &str) -> bool {
        let Some((scheme, value)) = header.split_once(' ') else { return false };
        match &*scheme.to_ascii_lowercase() {
            "basic" => {
                let pair = format!("{}:{}", self.email, self.token);
                BASE64.decode(value.trim()).is_ok_and(|given| given == pair.as_bytes())
            }
            "bearer" => value.trim() == self.bearer,
            _ => false,
        }
    }
}

fn gateway_error(status: u16, message: &str) -> Answer {
    let body = json!({ "code": status, "message": message });
    Answer { status, headers: Vec::new(), content: Content::Json(body) }
}
