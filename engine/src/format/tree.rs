//! See `docs/FORMAT.md`.
