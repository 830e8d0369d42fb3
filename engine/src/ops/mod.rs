//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;
mod content;
pub mod restore;

pub use base::{SnapshotTrees, display_key};
pub use content::ContentStream;
