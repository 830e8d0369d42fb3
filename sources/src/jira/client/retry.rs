//! When to ask again.

use std::time::Duration;

/// How often and after what time a failed request is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent in all when the site fails; rate limits do not count.
    pub attempts: u32,
    /// The waits between them, each times 0.7 to 1.3; the last one repeats.
    pub delays: Vec<Duration>,
    /// How long one request waits in all for limits that pass soon.
    pub max_wait: Duration,
    /// How long one request waits for an hourly quota.
    pub max_quota_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            delays: [2, 4, 8, 16, 30].map(Duration::from_secs).to_vec(),
            max_wait: Duration::from_secs(15 * 60),
            // A quota starts anew at the top of the hour.
            max_quota_wait: Duration::from_secs(65 * 60),
        }
    }
}
