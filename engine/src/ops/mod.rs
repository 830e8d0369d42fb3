//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;
pub mod diff;
pub mod forget;
pub mod ls;
pub mod stats;

pub use base::{SnapshotTrees, display_key};
