//! A store that is far away: how often somebody waits for it, and for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::oneshot;

use super::hooked::{Hook, Hooked};

/// So many requests are under way at a time.
const CONNECTIONS: usize = 8;
/// After so long without another request those that wait are answered.
const QUIET: Duration = Duration::from_millis(10);

/// What was asked of a distant store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trips {
    /// Requests by kind and room: `GET packs`, `PUT commits`, `LIST index`.
    pub requests: BTreeMap<String, u64>,
    /// How often somebody had to wait: requests that were made together, up to eight, are one round trip.
    pub rounds: u64,
}

impl Trips {
    /// The number of requests whose kind begins so.
    pub fn of(&self, kind: &str) -> u64 {
        self.requests
            .iter()
            .filter(|(name, _)| name.starts_with(kind))
            .map(|(_, count)| count)
            .sum()
    }
}

#[derive(Default)]
struct State {
    trips: Trips,
    waiting: Vec<oneshot::Sender<()>>,
    arrivals: u64,
}

impl State {
    fn answer(&mut self) {
        self.trips.rounds += 1;
        for one in self.waiting.drain(..) {
            let _ = one.send(());
        }
    }
}

/// Holds requests back until eight are there, or nobody asks for more: so round trips are counted without a clock's help.
pub type DistantStore = Hooked<Distance>;

/// What is between a store and whoever asks it.
#[derive(Default)]
pub struct Distance(Mutex<State>);

impl DistantStore {
    /// Wraps a store.
    pub fn new(inner: &Arc<dyn ObjectStore>) -> Self {
        Self::around(inner, Distance::default())
    }

    /// What was asked of it since the last call.
    pub fn take(&self) -> Trips {
        std::mem::take(&mut self.hook.state().trips)
    }
}

impl Distance {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Hook for Distance {
    async fn before(&self, request: &'static str, path: &str) {
        let (answer, mut answered) = oneshot::channel();
        let arrival = {
            let mut state = self.state();
            let room = path.split('/').next().unwrap_or_default();
            *state.trips.requests.entry(format!("{request} {room}")).or_default() += 1;
            state.arrivals += 1;
            state.waiting.push(answer);
            if state.waiting.len() >= CONNECTIONS {
                state.answer();
            }
            state.arrivals
        };
        tokio::select! {
            _ = &mut answered => return,
            () = tokio::time::sleep(QUIET) => {}
        }
        {
            let mut state = self.state();
            if state.arrivals == arrival && !state.waiting.is_empty() {
                state.answer();
            }
        }
        let _ = answered.await;
    }
}
