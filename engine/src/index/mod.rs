//! The index: which pack has an object.
