//! Switches that make the site fail: what goes wrong, for which endpoint, and when.

mod alter;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::table;

pub(super) use alter::{UNAUTHORIZED, alter, http_date, instead, shorten};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// An error instead of the answer.
    Status {
        /// The status code.
        status: u16,
        /// What `Retry-After` says.
        retry_after: Option<RetryAfter>,
        /// Whether the body is a page for people instead of JSON.
        html: bool,
    },
    /// A login page with status 200 instead of JSON.
    LoginPage,
    /// A 400 to every request that carries a page token.
    ExpiredPageToken,
    /// The connection ends without an answer.
    HangUp,
    /// The connection ends in the middle of the body.
    Cut,
    /// The body comes in small pieces.
    Slow {
        /// The bytes of a piece.
        piece: usize,
        /// The time between two pieces.
        pause: Duration,
    },
    /// The body never ends.
    Endless,
    /// The headers come, the body never does.
    Stall,
    /// Pages have at most so many rows, whatever is asked for.
    ShortPages(u64),
    /// An answer to a page token names the same token again.
    RepeatedPageToken,
    /// The first row comes twice.
    RepeatedRow,
    /// The first rows are missing; where the request says `failFast`, all of it fails.
    MissingRows(usize),
    /// The first rows have no `fields`; where the request says `failFast`, all of it fails.
    RowsWithoutFields(usize),
    /// The first issues of a bulk request come as `issueErrors`.
    IssueErrors(usize),
    /// All numbers are strings.
    NumbersAsStrings,
    /// The properties of these names are null, wherever they are.
    NullProperties(Vec<String>),
    /// The properties of these names are absent, wherever they are.
    MissingProperties(Vec<String>),
    /// A file is longer or shorter than its metadata say.
    WrongLength {
        /// By how many bytes.
        by: i64,
    },
    /// A request for a part of a file is answered with all of it.
    IgnoredRange,
    /// `Content-Range` names another part than the one that is sent.
    WrongContentRange,
    /// `project/search` leaves out `insight`.
    NoInsight,
    /// `search/approximate-count` is wrong.
    WrongCount {
        /// By how many issues.
        by: i64,
    },
}

impl Fault {
    /// An error with this status and a JSON body.
    pub fn status(status: u16) -> Fault {
        Fault::Status { status, retry_after: None, html: false }
    }

    /// An error with this status that says how long to wait.
    pub fn retry_after(status: u16, seconds: u64) -> Fault {
        let retry_after = Some(RetryAfter::Seconds(seconds));
        Fault::Status { status, retry_after, html: false }
    }

    /// An error with this status and a page for people.
    pub fn page(status: u16) -> Fault {
        Fault::Status { status, retry_after: None, html: true }
    }
}

/// How `Retry-After` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// As seconds.
    Seconds(u64),
    /// As the date that lies so many seconds ahead.
    Date(u64),
}

/// Which of the requests that a rule is about are hit; they are counted from one, from when the rule is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// All.
    Always,
    /// The n-th.
    Nth(u64),
    /// Every n-th.
    Every(u64),
    /// The first n.
    Next(u64),
    /// The n-th and all behind it.
    From(u64),
    /// Each with this probability, the same ones for the same seed.
    Chance {
        /// From 0 to 1.
        probability: f64,
        /// Chooses the requests.
        seed: u64,
    },
}

impl When {
    /// Whether the call of this number is hit.
    fn hits(self, call: u64) -> bool {
        match self {
            When::Always => true,
            When::Nth(n) => call == n,
            When::Every(n) => n > 0 && call.is_multiple_of(n),
            When::Next(n) => call <= n,
            When::From(n) => call >= n,
            When::Chance { probability, seed } => {
                (scramble(seed ^ scramble(call)) as f64) < probability * u64::MAX as f64
            }
        }
    }
}

/// The finaliser of `SplitMix64`.
fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

/// A rule names an endpoint that the site does not have.
#[derive(Clone, Debug, Error)]
#[error("no endpoint is named `{name}`")]
pub struct UnknownEndpoint {
    /// The name that was given.
    pub name: String,
}

/// The rules of what goes wrong; clones are the same rules.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Rules>>,
}

#[derive(Debug, Default)]
struct Rules {
    next: u64,
    active: BTreeMap<FaultId, Rule>,
    /// How often rules fired that are no more.
    fired: BTreeMap<FaultId, u64>,
}

#[derive(Debug)]
struct Rule {
    /// The endpoint's name; none for all.
    endpoint: Option<String>,
    when: When,
    fault: Fault,
    calls: u64,
    fired: u64,
}

impl Faults {
    /// Adds a rule for the endpoint of that name, such as `GET /rest/api/3/search/jql`, or for all of them: `*`.
    ///
    /// # Errors
    /// Where there is no such endpoint.
    pub fn add(&self, on: &str, when: When, fault: Fault) -> Result<FaultId, UnknownEndpoint> {
        if on != "*" && table::by_name(on).is_none() {
            return Err(UnknownEndpoint { name: on.to_owned() });
        }
        let mut rules = self.rules();
        let id = FaultId(rules.next);
        rules.next += 1;
        let endpoint = (on != "*").then(|| on.to_owned());
        rules.active.insert(id, Rule { endpoint, when, fault, calls: 0, fired: 0 });
        Ok(id)
    }

    /// Takes a rule away; how often it fired is still known.
    pub fn remove(&self, id: FaultId) {
        let mut rules = self.rules();
        if let Some(rule) = rules.active.remove(&id) {
            rules.fired.insert(id, rule.fired);
        }
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        let mut rules = self.rules();
        while let Some((id, rule)) = rules.active.pop_first() {
            rules.fired.insert(id, rule.fired);
        }
    }

    /// How often a rule changed an answer.
    pub fn fired(&self, id: FaultId) -> u64 {
        let rules = self.rules();
        let active = rules.active.get(&id).map(|rule| rule.fired);
        active.or_else(|| rules.fired.get(&id).copied()).unwrap_or_default()
    }

    /// Counts a call to an endpoint and returns what goes wrong with it.
    pub(super) fn due(&self, endpoint: &str) -> Vec<(FaultId, Fault)> {
        let mut due = Vec::new();
        for (id, rule) in &mut self.rules().active {
            if rule.endpoint.as_deref().is_some_and(|name| name != endpoint) {
                continue;
            }
            rule.calls += 1;
            if rule.when.hits(rule.calls) {
                due.push((*id, rule.fault.clone()));
            }
        }
        due
    }

    /// Notes that a fault had its effect.
    pub(super) fn note(&self, id: FaultId) {
        if let Some(rule) = self.rules().active.get_mut(&id) {
            rule.fired += 1;
        }
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hit_the_calls_they_name() {
        let hits = |when: When| (1..=6).filter(|call| when.hits(*call)).collect::<Vec<u64>>();
        assert_eq!(hits(When::Always), [1, 2, 3, 4, 5, 6]);
        assert_eq!(hits(When::Nth(2)), [2]);
        assert_eq!(hits(When::Every(3)), [3, 6]);
        assert_eq!(hits(When::Every(0)), Vec::<u64>::new());
        assert_eq!(hits(When::Next(2)), [1, 2]);
        assert_eq!(hits(When::From(5)), [5, 6]);
        assert_eq!(hits(When::Chance { probability: 0.0, seed: 1 }), Vec::<u64>::new());
        assert_eq!(hits(When::Chance { probability: 1.0, seed: 1 }), [1, 2, 3, 4, 5, 6]);
        let half = When::Chance { probability: 0.5, seed: 7 };
        let count = (0..1000).filter(|call| half.hits(*call)).count();
        assert!((400..600).contains(&count), "{count}");
    }

    #[test]
    fn rules_are_for_their_endpoint() {
        let faults = Faults::default();
        assert!(faults.add("GET /rest/api/3/nothing", When::Always, Fault::Cut).is_err());
        let myself = "GET /rest/api/3/myself";
        let one = faults.add(myself, When::Nth(2), Fault::Cut).unwrap();
        let all = faults.add("*", When::Nth(2), Fault::Stall).unwrap();
        assert_eq!(faults.due(myself), []);
        assert_eq!(faults.due("GET /rest/api/3/field"), [(all, Fault::Stall)]);
        assert_eq!(faults.due(myself), [(one, Fault::Cut)]);
        faults.note(one);
        faults.clear();
        assert_eq!(faults.due(myself), []);
        assert_eq!((faults.fired(one), faults.fired(all)), (1, 0));
    }
}
