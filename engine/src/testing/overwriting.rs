//! A store that overwrites, as some servers do that say they speak S3.

use std::sync::Arc;

use object_store::{ObjectStore, PutMode, PutOptions};

use super::hooked::{Hook, Hooked};

/// Takes conditions of a creation and does not heed them.
pub type OverwritingStore = Hooked<Overwriting>;

/// Forgets conditions.
pub struct Overwriting;

impl OverwritingStore {
    /// Wraps a store.
    pub fn new(inner: &Arc<dyn ObjectStore>) -> Self {
        Self::around(inner, Overwriting)
    }
}

impl Hook for Overwriting {
    fn put_options(&self, options: PutOptions) -> PutOptions {
        PutOptions { mode: PutMode::Overwrite, ..options }
    }
}
