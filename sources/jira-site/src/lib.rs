//! A simulated Jira Cloud site, served on loopback only: what the demonstration and the tests back up.
//!
//! [`site`] is the state: seeded projects and issues, days of changes, mishaps. [`server`] speaks HTTP: a table of endpoints
//! checks every request, and what the table does not know is a violation that fails tests.

pub mod server;
pub mod site;
