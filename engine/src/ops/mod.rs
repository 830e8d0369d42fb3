//! The verbs: what a person asks of a repository.

pub mod backup;
mod base;
pub mod check;
mod content;
pub mod copy;
pub mod diff;
mod document;
pub mod forget;
mod lineage;
pub mod log;
pub mod ls;
mod place;
pub mod prune;
pub mod repair;
pub mod restore;
pub mod stats;
mod threads;

pub use base::{SnapshotTrees, display_key};
pub use content::ContentStream;
pub use place::key_of_path;
