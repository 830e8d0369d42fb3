//! The runtime of the store's requests, and the signals that stop a command.

use std::sync::Arc;

use esker_engine::clock::SystemClock;
use esker_engine::context::{Cancel, RunContext};
use esker_engine::monitor::{Monitor, NullMonitor};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::error::CommandError;

/// Threads for the store's requests; they mostly wait.
const THREADS: usize = 2;

/// The surroundings of every call of the engine.
pub(crate) struct Engine {
    runtime: Runtime,
    cancel: Cancel,
}

impl Engine {
    /// Starts the runtime and listens for signals: the first asks the command to stop, the second ends it at once.
    pub(crate) fn start() -> Result<Self, CommandError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().map_err(
                |error| {
                    CommandError::failed("cannot start the threads of the command")
                        .caused_by(&error)
                        .hint("see `ulimit -u` for how many threads you may have")
                },
            )?;
        let cancel = Cancel::default();
        runtime.spawn(listen(cancel.clone()));
        Ok(Self { runtime, cancel })
    }

    /// The runtime.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// What calls of the engine are given, with this monitor.
    pub(crate) fn context(&self, monitor: Arc<dyn Monitor>) -> RunContext {
        RunContext { monitor, cancel: self.cancel.clone(), clock: Arc::new(SystemClock) }
    }

    /// What short calls are given.
    pub(crate) fn quiet_context(&self) -> RunContext {
        self.context(Arc::new(NullMonitor))
    }

    /// Ends without waiting for what still blocks, such as a pipe that nobody writes to.
    pub(crate) fn stop(self) {
        self.runtime.shutdown_background();
    }
}

async fn listen(cancel: Cancel) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be listened for: they end the command at once");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if cancel.is_cancelled() {
            end_at_once();
        }
        cancel.cancel();
    }
}

#[expect(clippy::exit, reason = "somebody asked for the second time")]
fn end_at_once() -> ! {
    std::process::exit(130)
}
