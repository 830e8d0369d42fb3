//! A second address beside the site: what was asked, what was wrong with it, what there is, and another day.
//!
//! It is not part of the site, so no client of the site can come upon it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use esker_jira_site::server::Server;
use esker_jira_site::site::{Counts, Day};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Takes a port of 127.0.0.1.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The address of a listener.
pub(crate) fn url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Answers until the program ends.
pub(crate) async fn serve(listener: TcpListener, server: &Arc<Server>) -> io::Result<()> {
    let violations = Arc::clone(server);
    let requests = Arc::clone(server);
    let holds = Arc::clone(server);
    let lives = Arc::clone(server);
    let routes = Router::new()
        .route(
            "/violations",
            get(async move || {
                let violations = violations.violations();
                answer(violations.iter().map(ToString::to_string).collect::<Vec<_>>().into())
            }),
        )
        .route("/requests", get(async move || answer(json!(requests.requests()))))
        .route("/counts", get(async move || answer(counts(&holds.site().counts()))))
        .route("/day", post(async move || answer(day(&lives))));
    axum::serve(listener, routes).await
}

/// Lets a day go by: a tenth of the issues change, some come and some go.
fn day(server: &Server) -> Value {
    let site = server.site();
    let tenth = site.counts().issues / 10;
    let report = site.day(&Day {
        seed: site.now().as_second() as u64,
        changed_issues: tenth,
        new_issues: tenth / 2 + 1,
        new_attachments: tenth / 4 + 1,
        deleted_issues: tenth / 10,
    });
    json!({ "changed": report.changed, "created": report.created, "deleted": report.deleted })
}

fn answer(value: Value) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], value.to_string())
}

/// The true numbers of everything, by their names.
pub(crate) fn counts(counts: &Counts) -> Value {
    json!({
        "projects": counts.projects,
        "users": counts.users,
        "issues": counts.issues,
        "comments": counts.comments,
        "history_entries": counts.history_entries,
        "history_items": counts.history_items,
        "worklogs": counts.worklogs,
        "attachments": counts.attachments,
        "attachment_bytes": counts.attachment_bytes,
        "links": counts.links,
        "remote_links": counts.remote_links,
        "watchers": counts.watchers,
        "votes": counts.votes,
        "properties": counts.properties,
        "components": counts.components,
        "versions": counts.versions,
    })
}
