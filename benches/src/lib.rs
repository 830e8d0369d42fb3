//! Esker.
