//! Data for benchmarks: seeded, streamed, never held.

pub mod documents;
