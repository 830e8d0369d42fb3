//! Tests that cross rooms, in one binary.

mod format_compat;
mod cancel;
mod cli;
mod crash;
mod damage;
mod fenced;
mod hostile;
mod memory;
mod roundtrip;
mod sequences;
mod tidy;
