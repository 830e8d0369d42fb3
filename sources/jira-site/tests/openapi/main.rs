//! Holds the site against Atlassian's own documents: the OpenAPI document and recorded answers.

mod document;
mod schema;
mod table;
