//! HTTP: endpoints, checks of every request, limits and faults.
//!
//! A request is looked up in the [table](endpoints) of endpoints and checked against its row. What the real API would refuse is
//! refused in its words; that, and what the real API would ignore, is a [`Violation`], so a client's mistakes fail tests.

#![expect(clippy::unnecessary_wraps, reason = "all handlers have one signature")]

mod answer;
mod attachments;
mod call;
mod comments;
mod configuration;
mod escape;
mod faults;
mod fields;
mod issues;
mod limits;
mod paging;
mod projects;
mod request;
mod search;
mod service;
mod table;
mod token;
mod users;
mod v2;
mod validate;
mod violation;
mod wire;
mod worklogs;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::runtime::{self, Runtime};

pub use self::answer::{Answer, Content, File, ReadPart, Refusal};
pub use self::faults::{Fault, FaultId, Faults, RetryAfter, UnknownEndpoint, When};
pub use self::limits::{Hourly, Limits, Spelling};
use self::service::Service;
pub use self::table::{Endpoint, Field, Host, Kind, Paging, Shape, Verb, by_name, endpoints};
pub use self::violation::{Violation, ViolationKind};
use crate::site::Site;

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The e-mail address of the account.
    pub email: String,
    /// Its API token, sent with the e-mail address.
    pub token: String,
    /// Another token, sent alone.
    pub bearer: String,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials {
            email: "backup@example.com".to_owned(),
            token: "token-of-the-demo".to_owned(),
            bearer: "bearer-of-the-demo".to_owned(),
        }
    }
}

/// How a site is served.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How long every answer takes at least.
    pub latency: Duration,
    /// Rate limits; none where absent.
    pub limits: Option<Limits>,
    /// Who may ask.
    pub credentials: Credentials,
    /// The port; 0 is any free one.
    pub port: u16,
    /// Whether the site also stands below `/ex/jira/{cloudId}`, as behind Atlassian's gateway.
    pub gateway: bool,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            latency: Duration::ZERO,
            limits: None,
            credentials: Credentials::default(),
            port: 0,
            gateway: true,
        }
    }
}

/// A site that is served on loopback until this is dropped.
pub struct Server {
    service: Arc<Service>,
    /// Of its own, so that a caller's paused clock or busy threads do not stop the site.
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves `site` on 127.0.0.1, and its media store on another port there.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn spawn(site: Site, options: ServerOptions) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let media = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let service = Arc::new(Service {
            site,
            url: format!("http://{}", listener.local_addr()?),
            media_url: format!("http://{}", media.local_addr()?),
            latency: options.latency,
            credentials: options.credentials,
            gateway: options.gateway,
            meter: options.limits.map(limits::Meter::new),
            faults: Faults::default(),
            log: Mutex::default(),
        });
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("jira-site")
            .enable_all()
            .build()?;
        let routes = [
            (listener, Router::new().fallback(service::serve_site)),
            (media, Router::new().fallback(service::serve_media)),
        ];
        for (listener, routes) in routes {
            let routes = routes.with_state(Arc::clone(&service));
            let _entered = runtime.enter();
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
                // Answers are small: waiting for more of them to fill a packet costs 40 ms each.
                let _ = stream.set_nodelay(true);
            });
            runtime.spawn(async move { axum::serve(listener, routes).await });
        }
        Ok(Server { service, runtime: Some(runtime) })
    }

    /// Serves `site` on 127.0.0.1; the same as [`spawn`](Self::spawn).
    ///
    /// # Errors
    /// Where the port is taken.
    #[expect(clippy::unused_async, reason = "callers await it beside the start of other servers")]
    pub async fn start(site: Site, options: ServerOptions) -> io::Result<Server> {
        Server::spawn(site, options)
    }

    /// The address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.service.url.clone()
    }

    /// The site that is served.
    pub fn site(&self) -> &Site {
        &self.service.site
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// What clients did wrong, in the order of their requests.
    pub fn violations(&self) -> Vec<Violation> {
        self.service.log().violations.clone()
    }

    /// How many requests each endpoint has had, by [`Endpoint::name`]; those to version 2 under a name of their own.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.service.log().requests.clone()
    }

    /// Counts from zero again.
    pub fn reset_requests(&self) {
        self.service.log().requests.clear();
    }

    /// Stops the site at once; open connections are closed.
    #[expect(clippy::unused_async, reason = "the counterpart of `start`")]
    pub async fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
