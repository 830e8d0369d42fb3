//! Rate limits: a bucket per endpoint and second, a budget per hour, and the headers that tell of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::answer::{Answer, Content};
use super::table::Verb;

/// How the headers are spelled; Atlassian's documents and answers hold all of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `X-RateLimit-…`, the reset as `2026-11-22T10:00:00Z`.
    #[default]
    Classic,
    /// `X-RateLimit-…`, the reset without seconds.
    ClassicMinutes,
    /// `RateLimit-Policy` and `RateLimit` as structured fields.
    Structured,
    /// Structured fields with the prefix `Beta-`: the limits are told and not enforced, and the reset times are nonsense.
    Beta,
}

/// Rate limits of the site.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests per second to one endpoint by GET.
    pub get_per_second: u32,
    /// Requests per second to one endpoint by POST.
    pub post_per_second: u32,
    /// Other figures for single endpoints, by [`name`](super::Endpoint::name).
    pub per_second: BTreeMap<String, u32>,
    /// Requests that the account may make until its hour ends.
    pub hourly: Option<Hourly>,
    /// How the headers are spelled.
    pub spelling: Spelling,
    /// Whether a refusal says in `Retry-After` how long to wait.
    pub retry_after: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            get_per_second: 100,
            post_per_second: 100,
            per_second: BTreeMap::new(),
            hourly: None,
            spelling: Spelling::default(),
            retry_after: true,
        }
    }
}

/// The budget of an account for an hour.
#[derive(Clone, Copy, Debug)]
pub struct Hourly {
    /// Requests of one hour.
    pub requests: u32,
    /// How long an hour lasts: 3,600 seconds, or less where a test does not want to wait.
    pub length: Duration,
}

const BURST: &str = "jira-burst-based";
const COST: &str = "jira-cost-based";

/// Counts requests against [`Limits`].
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    hour: Option<Bucket>,
}

/// What is left, and since when.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    since: Instant,
}

/// What the limits say of one request.
pub(super) struct Verdict {
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) refusal: Option<Answer>,
}

/// One limit as it stands after a request.
struct Standing {
    reason: &'static str,
    limit: u32,
    window: Duration,
    left: f64,
    wait: Duration,
}

impl Standing {
    fn is_over(&self) -> bool {
        self.left < 0.0
    }
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Meter {
        Meter { limits, state: Mutex::default() }
    }

    /// Counts a request to the endpoint of that name.
    /// `clock` is what the site's clock shows: resets are told by it.
    pub(super) fn count(&self, name: &str, verb: Verb, now: Instant, clock: Timestamp) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let usual = match verb {
            Verb::Get => self.limits.get_per_second,
            Verb::Post => self.limits.post_per_second,
        };
        let limit = self.limits.per_second.get(name).copied().unwrap_or(usual);
        let bucket = state
            .buckets
            .entry(name.to_owned())
            .or_insert(Bucket { left: f64::from(limit), since: now });
        let burst = bucket.take_from_flow(limit, now);
        let hour = self.limits.hourly.map(|hourly| {
            let full = Bucket { left: f64::from(hourly.requests), since: now };
            state.hour.get_or_insert(full).take_from_budget(hourly, now)
        });
        self.verdict(burst, hour, clock)
    }

    fn verdict(&self, burst: Standing, hour: Option<Standing>, clock: Timestamp) -> Verdict {
        let standings: Vec<Standing> = hour.into_iter().chain([burst]).collect();
        let mut headers = match self.limits.spelling {
            Spelling::Classic => classic(&standings, clock, "%Y-%m-%dT%H:%M:%SZ"),
            Spelling::ClassicMinutes => classic(&standings, clock, "%Y-%m-%dT%H:%MZ"),
            Spelling::Structured => structured(&standings, "RateLimit-Policy", "RateLimit", 1),
            Spelling::Beta => {
                structured(&standings, "Beta-RateLimit-Policy", "Beta-RateLimit", 86_400)
            }
        };
        let over = standings.iter().find(|standing| standing.is_over());
        let refusal = over.filter(|_| self.limits.spelling != Spelling::Beta).map(|standing| {
            headers.push(("RateLimit-Reason", standing.reason.to_owned()));
            if self.limits.retry_after {
                let seconds = standing.wait.as_secs_f64().ceil().max(1.0) as u64;
                headers.push(("Retry-After", seconds.to_string()));
            }
            too_many()
        });
        Verdict { headers, refusal }
    }
}

impl Bucket {
    /// Takes one request from a bucket that fills steadily.
    fn take_from_flow(&mut self, limit: u32, now: Instant) -> Standing {
        let rate = f64::from(limit);
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.left = (self.left + passed * rate).min(rate);
        self.since = now;
        let left = self.left - 1.0;
        if left >= 0.0 {
            self.left = left;
        }
        let wait = Duration::from_secs_f64((-left).max(0.0) / rate.max(1.0));
        Standing { reason: BURST, limit, window: Duration::from_secs(1), left, wait }
    }

    /// Takes one request from a budget that is given anew when its hour ends.
    fn take_from_budget(&mut self, hourly: Hourly, now: Instant) -> Standing {
        let mut passed = now.saturating_duration_since(self.since);
        if passed >= hourly.length {
            *self = Bucket { left: f64::from(hourly.requests), since: now };
            passed = Duration::ZERO;
        }
        let left = self.left - 1.0;
        self.left = left.max(0.0);
        let wait = hourly.length.saturating_sub(passed);
        Standing { reason: COST, limit: hourly.requests, window: hourly.length, left, wait }
    }
}

/// Tells of the limit that is nearest to its end.
fn classic(standings: &[Standing], clock: Timestamp, format: &str) -> Vec<(&'static str, String)> {
    let share = |standing: &Standing| standing.left / f64::from(standing.limit.max(1));
    let Some(nearest) = standings.iter().min_by(|a, b| share(a).total_cmp(&share(b))) else {
        return Vec::new();
    };
    let reset = clock + nearest.wait.max(Duration::from_secs(1));
    let mut headers = vec![
        ("X-RateLimit-Limit", nearest.limit.to_string()),
        ("X-RateLimit-Remaining", (nearest.left.max(0.0) as u64).to_string()),
        ("X-RateLimit-Reset", reset.strftime(format).to_string()),
    ];
    if share(nearest) < 0.2 {
        headers.push(("X-RateLimit-NearLimit", "true".to_owned()));
    }
    headers
}

/// Tells of all limits in one field; `skew` multiplies the seconds until the reset.
fn structured(
    standings: &[Standing],
    policy: &'static str,
    state: &'static str,
    skew: u64,
) -> Vec<(&'static str, String)> {
    let policies = standings.iter().map(|standing| {
        let window = standing.window.as_secs().max(1);
        format!("\"{}\";q={};w={window}", standing.reason, standing.limit)
    });
    let states = standings.iter().map(|standing| {
        let left = standing.left.max(0.0) as u64;
        let reset = (standing.wait.as_secs_f64().ceil() as u64).max(1) * skew;
        format!("\"{}\";r={left};t={reset}", standing.reason)
    });
    let join = |entries: Vec<String>| entries.join(",");
    vec![(policy, join(policies.collect())), (state, join(states.collect()))]
}

/// The body of a refusal for too many requests.
pub(super) fn too_many() -> Answer {
    let body = json!({ "errorMessages": ["Rate limit exceeded."], "errors": {} });
    Answer { status: 429, headers: Vec::new(), content: Content::Json(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(hourly: Option<Hourly>, spelling: Spelling) -> Meter {
        Meter::new(Limits { get_per_second: 2, hourly, spelling, ..Limits::default() })
    }

    fn header<'a>(verdict: &'a Verdict, name: &str) -> Option<&'a str> {
        verdict.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| &**value)
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let meter = meter(None, Spelling::Classic);
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let refused = |name: &str, millis| {
            meter.count(name, Verb::Get, at(millis), Timestamp::now()).refusal.is_some()
        };
        assert!(!refused("a", 0));
        assert!(!refused("a", 0));
        assert!(refused("a", 0));
        assert!(!refused("b", 0), "another endpoint has a bucket of its own");
        assert!(refused("a", 100));
        assert!(!refused("a", 500));
    }

    #[test]
    fn an_hour_ends() {
        let hourly = Hourly { requests: 1, length: Duration::from_secs(30) };
        let meter = meter(Some(hourly), Spelling::Classic);
        let start = Instant::now();
        assert!(meter.count("a", Verb::Get, start, Timestamp::now()).refusal.is_none());
        let verdict =
            meter.count("b", Verb::Get, start + Duration::from_secs(10), Timestamp::now());
        assert!(verdict.refusal.is_some());
        assert_eq!(header(&verdict, "RateLimit-Reason"), Some(COST));
        assert_eq!(header(&verdict, "Retry-After"), Some("20"));
        let verdict =
            meter.count("b", Verb::Get, start + Duration::from_secs(30), Timestamp::now());
        assert!(verdict.refusal.is_none());
    }

    #[test]
    fn headers_are_spelled_as_asked() {
        let first = |spelling| {
            meter(None, spelling).count("a", Verb::Get, Instant::now(), Timestamp::now())
        };
        let classic = first(Spelling::Classic);
        assert_eq!(header(&classic, "X-RateLimit-Remaining"), Some("1"));
        assert_eq!(header(&classic, "X-RateLimit-Reset").map(str::len), Some(20));
        let minutes = first(Spelling::ClassicMinutes);
        assert_eq!(header(&minutes, "X-RateLimit-Reset").map(str::len), Some(17));
        let structured = first(Spelling::Structured);
        assert_eq!(header(&structured, "RateLimit-Policy"), Some("\"jira-burst-based\";q=2;w=1"));
        assert_eq!(header(&structured, "RateLimit"), Some("\"jira-burst-based\";r=1;t=1"));
        let beta = meter(None, Spelling::Beta);
        let verdicts: Vec<Verdict> =
            (0..9).map(|_| beta.count("a", Verb::Get, Instant::now(), Timestamp::now())).collect();
        assert!(verdicts.iter().all(|verdict| verdict.refusal.is_none()));
        assert_eq!(
            header(&verdicts[8], "Beta-RateLimit"),
            Some("\"jira-burst-based\";r=0;t=86400")
        );
    }
}
