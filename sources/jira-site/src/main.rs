//! Serves a simulated Jira site.

fn main() {}
