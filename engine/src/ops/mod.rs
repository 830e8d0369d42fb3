//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;
pub mod check;
mod content;
pub mod restore;
mod threads;

pub use base::{SnapshotTrees, display_key};
pub use content::ContentStream;
