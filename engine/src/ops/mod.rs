//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;

pub use base::{SnapshotTrees, display_key};
