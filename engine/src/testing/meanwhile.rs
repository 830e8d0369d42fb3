//! A store in which somebody else is at work between two requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStore;

use super::hooked::{Hook, Hooked};
use super::runtime;
use crate::store::Store;

/// Does some work before the first request of a kind is passed on, once it was armed.
pub type MeanwhileStore = Hooked<Meanwhile>;

/// Somebody else's work, and when it is done.
pub struct Meanwhile {
    before: String,
    work: Box<dyn Fn() + Send + Sync>,
    is_due: AtomicBool,
}

impl MeanwhileStore {
    /// `before` is how the request begins: `GET packs/`, `PUT sessions/`, `LIST gc`.
    pub fn new(
        inner: &Arc<dyn ObjectStore>,
        before: &str,
        work: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let is_due = AtomicBool::new(false);
        Self::around(inner, Meanwhile { before: before.into(), work: Box::new(work), is_due })
    }

    /// From now on the next such request comes upon the work.
    pub fn arm(&self) {
        self.hook.is_due.store(true, Ordering::Relaxed);
    }

    /// True once the work was done.
    pub fn is_done(&self) -> bool {
        !self.hook.is_due.load(Ordering::Relaxed)
    }

    /// It, as a process opens it.
    pub fn store(&self) -> Store {
        Store::new(Arc::new(self.clone()), "meanwhile", runtime())
    }
}

#[async_trait::async_trait]
impl Hook for Meanwhile {
    async fn before(&self, request: &'static str, path: &str) {
        let is_it = format!("{request} {path}").starts_with(&self.before);
        if is_it && self.is_due.swap(false, Ordering::Relaxed) {
            // The work blocks, as a process of its own may.
            std::thread::scope(|scope| scope.spawn(|| (self.work)()).join())
                .expect("others do their work");
        }
    }
}
