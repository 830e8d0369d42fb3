//! See `docs/FORMAT.md`.

/// The kind of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackKind {
    /// Trees.
    Meta,
    /// Contents.
    Data,
    /// Both.
    Mixed,
}
