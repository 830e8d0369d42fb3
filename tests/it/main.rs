//! Tests that cross rooms, in one binary.

mod cancel;
mod checking;
mod cli;
mod collect;
mod copying;
mod crash;
mod damage;
mod distant;
mod fenced;
mod format_compat;
mod hostile;
mod memory;
mod probe;
mod protocol;
mod repairing;
mod roundtrip;
mod sequences;
mod tidy;
