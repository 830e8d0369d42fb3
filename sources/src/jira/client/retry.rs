//! When to ask again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use esker_engine::context::Cancel;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until};

use super::error::RequestError;
use super::limits::{Block, Endpoint, Limits, Turn};

/// How often a wait looks whether it was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often and after what time a failed request is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent in all when the site fails; rate limits do not count.
    pub attempts: u32,
    /// The waits between them, each times 0.7 to 1.3; the last one repeats.
    pub delays: Vec<Duration>,
    /// How long one request waits in all for limits that pass soon.
    pub max_wait: Duration,
    /// How long one request waits in all for an hourly limit.
    pub max_quota_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            delays: [2, 4, 8, 16, 30].map(Duration::from_secs).to_vec(),
            max_wait: Duration::from_secs(15 * 60),
            // An hourly limit starts anew at the top of the hour.
            max_quota_wait: Duration::from_secs(65 * 60),
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try after so many failures.
    fn delay(&self, failures: u32) -> Duration {
        let place = (failures as usize).min(self.delays.len().saturating_sub(1));
        self.delays.get(place).map_or(Duration::ZERO, |delay| delay.mul_f64(jitter()))
    }
}

/// From 0.7 to 1.3, so that those who failed together do not come back together.
fn jitter() -> f64 {
    // The keys of a hash map are the randomness that the standard library offers.
    let random = RandomState::new().hash_one(()) >> 32;
    0.7 + 0.6 * (random as f64 / f64::from(u32::MAX))
}

/// Whether a failed request is worth repeating.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is not.
    Final,
    /// Once: the site may have erred.
    Once,
    /// A few times, after this time at least.
    Again(Option<Duration>),
    /// Always, until it takes too long.
    Limited(Limited),
}

/// A rate limit that refused a request.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) reason: String,
    /// What the site asks for.
    pub(super) wait: Option<Duration>,
    pub(super) of_account: bool,
    pub(super) is_hourly: bool,
}

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: RequestError,
    pub(super) verdict: Verdict,
}

impl Failure {
    pub(super) fn last(error: RequestError) -> Self {
        Self { error, verdict: Verdict::Final }
    }

    pub(super) fn again(error: RequestError) -> Self {
        Self { error, verdict: Verdict::Again(None) }
    }
}

/// What all requests pass: limits, slots, repetition.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) limits: Limits,
    pub(super) policy: RetryPolicy,
    pub(super) cancel: Cancel,
}

/// What one request has been through.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
    doubts: u32,
    limits: u32,
    waited: Duration,
}

impl Gate {
    /// Attempts until it succeeds, is not worth another attempt, or is cancelled.
    ///
    /// An attempt is given its slot, and may keep it longer than itself.
    pub(super) async fn repeat<T, F>(
        &self,
        endpoint: &Endpoint,
        request: &str,
        slots: &Arc<Semaphore>,
        mut attempt: impl FnMut(OwnedSemaphorePermit) -> F,
    ) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut patience = Patience::default();
        let attempts = async {
            loop {
                let slot = self.enter(endpoint, request, slots, &mut patience).await?;
                let failure = match attempt(slot).await {
                    Ok(value) => return Ok(value),
                    Err(failure) => failure,
                };
                tracing::debug!(%endpoint, kind = ?failure.error.kind(), "a request failed");
                match failure.verdict {
                    Verdict::Limited(limited) => self.block(endpoint, limited, &mut patience),
                    verdict => match self.pause(&verdict, &mut patience) {
                        Some(pause) => sleep(pause).await,
                        None => return Err(failure.error),
                    },
                }
            }
        };
        unless_cancelled(&self.cancel, attempts).await?
    }

    /// Waits for a slot and for all limits to allow the request.
    async fn enter(
        &self,
        endpoint: &Endpoint,
        request: &str,
        slots: &Arc<Semaphore>,
        patience: &mut Patience,
    ) -> Result<OwnedSemaphorePermit, RequestError> {
        loop {
            // The slot comes first: a limit may be met while others hold the slots. Who has to wait gives it back.
            let slot = Arc::clone(slots).acquire_owned().await;
            let Ok(slot) = slot else { return Err(RequestError::Cancelled) };
            let now = Instant::now();
            match self.limits.turn(endpoint, now) {
                Turn::Go => return Ok(slot),
                Turn::Later(next) => {
                    drop(slot);
                    sleep_until(next).await;
                }
                Turn::Blocked(block) => {
                    drop(slot);
                    let wait = block.until.duration_since(now);
                    if patience.waited + wait > self.longest_wait(block.is_hourly) {
                        let (request, reason) = (request.to_owned(), block.reason);
                        return Err(RequestError::RateLimited { request, reason, wait });
                    }
                    patience.waited += wait;
                    sleep_until(block.until).await;
                }
            }
        }
    }

    fn longest_wait(&self, is_hourly: bool) -> Duration {
        if is_hourly { self.policy.max_quota_wait } else { self.policy.max_wait }
    }

    /// Keeps this request and all that share its limit from being sent for a while.
    fn block(&self, endpoint: &Endpoint, limited: Limited, patience: &mut Patience) {
        let own = self.policy.delay(patience.limits);
        patience.limits = patience.limits.saturating_add(1);
        // A site that names no time, or names none at all, must not be asked without end.
        let wait = limited.wait.filter(|wait| !wait.is_zero()).unwrap_or(own);
        let until = Instant::now() + wait.max(Duration::from_millis(1));
        let Limited { reason, is_hourly, of_account, .. } = limited;
        tracing::info!(%endpoint, reason, seconds = wait.as_secs(), of_account, "rate limit");
        let endpoint = (!of_account).then_some(endpoint);
        self.limits.block(endpoint, Block { until, reason, is_hourly });
    }

    /// How long to wait before the next attempt; `None` where there is to be none.
    fn pause(&self, verdict: &Verdict, patience: &mut Patience) -> Option<Duration> {
        match verdict {
            Verdict::Final | Verdict::Limited(_) => None,
            Verdict::Once => {
                patience.doubts += 1;
                (patience.doubts == 1).then(|| self.policy.delay(0))
            }
            Verdict::Again(at_least) => {
                let own = self.policy.delay(patience.failures);
                patience.failures += 1;
                let pause = at_least.map_or(own, |at_least| at_least.max(own));
                let is_worth_it = patience.failures < self.policy.attempts;
                (is_worth_it && pause <= self.policy.max_wait).then_some(pause)
            }
        }
    }
}

/// Waits for a future, but no longer than until somebody cancels.
pub(super) async fn unless_cancelled<T>(
    cancel: &Cancel,
    future: impl Future<Output = T>,
) -> Result<T, RequestError> {
    let cancelled = async {
        while !cancel.is_cancelled() {
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        () = cancelled => Err(RequestError::Cancelled),
        value = future => Ok(value),
    }
}

#[cfg(test)]
mod tests;
