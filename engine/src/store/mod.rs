//! The contract down: a thin wrapper of `object_store`.
