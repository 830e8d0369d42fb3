//! The contract out: where a restore writes.
