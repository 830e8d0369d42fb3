//! Data for benchmarks: seeded, streamed, never held; and what the programs have in common.

pub mod change_list;
pub mod documents;
pub mod jira;
pub mod restic;
pub mod target;
pub mod usage;

/// What a program stops at.
pub type Failure = Box<dyn std::error::Error>;
