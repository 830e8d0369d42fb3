//! What tests of this and of other crates need: repositories that are quickly made, sources that live in memory, stores
//! that fail when told to, and the conformance suite of sources. Everything here panics where a test should fail.

mod distant;
mod faulty;
mod hooked;
mod locks;
mod meanwhile;
mod memory_source;
mod model;
mod monitor;
mod overwriting;
mod repository;
pub mod source_suite;

pub use distant::{DistantStore, Trips};
pub use faulty::{Call, Fault, FaultyStore, Operation};
pub use locks::MemoryLocks;
pub use meanwhile::MeanwhileStore;
pub use memory_source::{MemorySource, Trouble, Volatile};
pub use model::{Item, Key, Model, noise, read_one, read_snapshot, words};
pub use monitor::{CancelAfter, TickingClock};
pub use overwriting::OverwritingStore;
pub use repository::{TempRepo, runtime, small_options};
