//! The engine of Esker: deduplicating, encrypted, incremental by change lists.

pub mod chunk;
pub mod clock;
pub mod compress;
pub mod context;
pub mod crypto;
pub mod entry;
mod error;
pub mod format;
pub mod id;
pub mod index;
pub mod monitor;
pub mod object;
pub mod ops;
pub mod pack;
pub mod problem;
pub mod repo;
pub mod secret;
pub mod sink;
pub mod source;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tree;

pub use error::Error;
pub use problem::ErrorKind;
