//! The verbs: what a person asks of a repository.

pub mod backup;
