//! Holds the site against Atlassian's own documents: the OpenAPI document and recorded answers.

mod answers;
#[path = "../client/mod.rs"]
mod client;
mod document;
mod samples;
mod schema;
mod table;
mod visits;
