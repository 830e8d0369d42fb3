//! Jira Cloud sites: what their REST API shows.

pub mod client;
