//! The site over HTTP, as a client meets it.

mod attachments;
mod changes;
#[path = "../client/mod.rs"]
mod client;
mod faults;
mod issues;
mod limits;
mod refusals;
mod searching;
