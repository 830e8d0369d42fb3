//! Everything as the JSON that Jira Cloud's REST API version 3 sends.
//!
//! `base` is the URL that the site is read at, without a slash at its end; `self` links and icons begin with it.

mod change;
mod config;
mod issue;
mod parts;
mod project;
mod user;
mod value;

pub use project::Expand;
