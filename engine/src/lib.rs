//! The engine of Esker: deduplicating, encrypted, incremental by change lists.
//!
//! A [`source`] pushes changes; [`ops::backup`] reads, cuts, hashes, compresses, seals and stores what is new, edits the
//! trees of the last snapshot, and commits. [`ops::restore`] brings a snapshot back, [`ops::check`] proves that it can.
//! What is stored is specified in `docs/FORMAT.md`; `docs/ARCHITECTURE.md` shows the rooms.
//!
//! ```
//! use std::sync::Arc;
//! use esker_engine::context::RunContext;
//! use esker_engine::entry::{Entry, EntryKind};
//! use esker_engine::ops::backup::{BackupOptions, backup};
//! use esker_engine::ops::check::{CheckOptions, check};
//! use esker_engine::repo::{Client, CreateOptions, Repository, Unlock};
//! use esker_engine::source::{
//!     Base, ChangeSink, Payload, ScanEnd, ScanMode, Source, SourceError, SourceInfo,
//! };
//! use esker_engine::store::{Store, StoreOptions};
//!
//! struct Greeting;
//!
//! #[async_trait::async_trait]
//! impl Source for Greeting {
//!     fn describe(&self) -> SourceInfo {
//!         SourceInfo {
//!             kind: "greeting".into(),
//!             identity: "hello".into(),
//!             name: "hello".into(),
//!             collections: vec!["words".into()],
//!         }
//!     }
//!
//!     async fn scan(
//!         &self,
//!         base: Option<&Base>,
//!         _: ScanMode,
//!         changes: &ChangeSink,
//!         _: &RunContext,
//!     ) -> Result<ScanEnd, SourceError> {
//!         if base.is_none() {
//!             let entry = Entry::new(EntryKind::Document);
//!             let payload = Payload::Bytes("hello, world".into());
//!             changes.put(changes.collection("words"), "greeting".into(), entry, payload).await?;
//!         }
//!         Ok(ScanEnd::default())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Runtime::new()?;
//! let ctx = RunContext::default();
//! let (_, key) = Unlock::new_key_file()?;
//! let options = CreateOptions { unlocks: vec![key], ..CreateOptions::default() };
//! let store = Store::open_new("memory://", &StoreOptions::default(), runtime.handle().clone())?;
//! let repository =
//!     Arc::new(Repository::create(store, &options, |_| Client::forgetful(), &ctx)?);
//!
//! let first = backup(&repository, &Greeting, &BackupOptions::default(), &ctx)?;
//! assert_eq!(first.statistics.new, 1);
//! let second = backup(&repository, &Greeting, &BackupOptions::default(), &ctx)?;
//! assert_eq!((second.statistics.new, second.statistics.unchanged), (0, 1));
//! assert!(check(&repository, &CheckOptions::default(), &ctx)?.findings.is_empty());
//! # Ok(())
//! # }
//! ```

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
mod parallel;
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
