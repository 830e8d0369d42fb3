//! The sources of Esker: what it can back up.

pub mod filesystem;
pub mod jira;
