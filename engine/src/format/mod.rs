//! Every byte that Esker stores: encoding and decoding, no input or output. The specification is `docs/FORMAT.md`.
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::host_endian_bytes)]

pub mod bundle;
pub mod commit;
pub mod config;
pub mod entry;
pub mod gc;
pub mod index;
pub mod name;
pub mod pack;
pub mod sealed;
pub mod tree;
pub mod wire;

pub use wire::{Corrupt, Reader, Writer};
