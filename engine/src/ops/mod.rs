//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;
pub mod check;
mod content;
pub mod diff;
pub mod forget;
pub mod ls;
pub mod restore;
pub mod stats;
mod threads;

pub use base::{SnapshotTrees, display_key};
pub use content::ContentStream;
