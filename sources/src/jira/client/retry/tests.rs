//! All with paused time: it jumps to the next wait's end as soon as nothing else is to be done.

use std::cell::{Cell, RefCell};
use std::future::pending;

use reqwest::Method;

use super::*;
use crate::jira::client::{FailureKind, Outage};

const ISSUE: Endpoint = Endpoint { method: Method::GET, template: "/issue/{}" };
const SEARCH: Endpoint = Endpoint { method: Method::POST, template: "/search" };

fn gate() -> Gate {
    let (policy, cancel) = (RetryPolicy::default(), Cancel::default());
    Gate { limits: Limits::default(), policy, cancel }
}

fn slots(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failure(verdict: Verdict) -> Failure {
    let request = "GET /issue/ABC-1".to_owned();
    let error = RequestError::Unavailable { request, outage: Outage::Timeout, source: None };
    Failure { error, verdict }
}

fn limited(reason: &str, wait: Option<Duration>) -> Verdict {
    Verdict::Limited(Limited {
        reason: reason.to_owned(),
        wait,
        of_account: !reason.contains("burst"),
        is_hourly: reason.contains("quota"),
    })
}

/// Lets attempts fail as long as there are verdicts; tells the result, and when each attempt began.
async fn run(
    gate: &Gate,
    mut verdict: impl FnMut(usize) -> Option<Verdict>,
) -> (Result<(), RequestError>, Vec<Duration>) {
    let (start, begun) = (Instant::now(), RefCell::new(Vec::new()));
    let attempt = |_slot| {
        let number = begun.borrow().len();
        begun.borrow_mut().push(start.elapsed());
        let result = verdict(number).map_or(Ok(()), |verdict| Err(failure(verdict)));
        async { result }
    };
    let result = gate.repeat(&ISSUE, "GET /issue/ABC-1", &slots(1), attempt).await;
    (result, begun.into_inner())
}

/// The first `count` attempts end so.
fn first(count: usize, verdict: impl Fn() -> Verdict) -> impl FnMut(usize) -> Option<Verdict> {
    move |number| (number < count).then(&verdict)
}

#[tokio::test(start_paused = true)]
async fn a_verdict_decides_how_often_a_request_is_sent() {
    for (verdict, name, attempts) in [
        (&(|| Verdict::Final) as &dyn Fn() -> Verdict, "final", 1),
        (&|| Verdict::Once, "once", 2),
        (&|| Verdict::Again(None), "again", 5),
        (&|| Verdict::Again(Some(secs(16 * 60))), "an outage of 16 minutes", 1),
    ] {
        let (result, begun) = run(&gate(), first(usize::MAX, verdict)).await;
        assert_eq!(result.unwrap_err().kind(), FailureKind::Later, "{name}");
        assert_eq!(begun.len(), attempts, "{name}");

        let (result, begun) = run(&gate(), first(attempts - 1, verdict)).await;
        assert!(result.is_ok(), "{name}");
        assert_eq!(begun.len(), attempts, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_double_and_vary() {
    let mut all = Vec::new();
    for _ in 0..20 {
        let (_, begun) = run(&gate(), first(usize::MAX, || Verdict::Again(None))).await;
        for (pair, expected) in begun.windows(2).zip([2, 4, 8, 16]) {
            let wait = pair[1].saturating_sub(pair[0]);
            // A timer rounds up to the millisecond.
            let bounds = secs(expected).mul_f64(0.7)..=secs(expected).mul_f64(1.301);
            assert!(bounds.contains(&wait), "{wait:?} for {expected} s");
            all.push(wait.as_secs_f64() / expected as f64);
        }
    }
    assert!(all.iter().any(|&factor| factor < 0.9) && all.iter().any(|&factor| factor > 1.1));
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_names_its_end_is_not_asked_before() {
    let (result, begun) = run(&gate(), first(1, || Verdict::Again(Some(secs(100))))).await;
    assert!(result.is_ok());
    assert!(begun[1] >= secs(100));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_names_its_end_is_not_asked_before() {
    for seconds in [1, 7, 600] {
        let wait = Some(secs(seconds));
        let (result, begun) = run(&gate(), first(1, || limited("jira-burst-based", wait))).await;
        assert!(result.is_ok());
        assert_eq!(begun.len(), 2);
        assert!(begun[1] >= secs(seconds) && begun[1] < secs(seconds + 1), "{begun:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_waited_for_again_and_again() {
    let wait = Some(secs(10));
    let (result, begun) = run(&gate(), first(60, || limited("jira-burst-based", wait))).await;
    assert!(result.is_ok());
    assert_eq!(begun.len(), 61);
}

#[tokio::test(start_paused = true)]
async fn a_limit_without_end_ends() {
    for (reason, wait, longest) in [
        ("jira-burst-based", Some(secs(7)), secs(15 * 60)),
        ("jira-burst-based", Some(Duration::ZERO), secs(15 * 60)),
        ("jira-burst-based", None, secs(15 * 60)),
        ("unknown", None, secs(15 * 60)),
        ("jira-quota-tenant-based", Some(secs(600)), secs(65 * 60)),
    ] {
        let (result, begun) = run(&gate(), first(usize::MAX, || limited(reason, wait))).await;
        match result.unwrap_err() {
            RequestError::RateLimited { reason: named, .. } => assert_eq!(named, reason),
            error => panic!("{error:?}"),
        }
        let last = *begun.last().unwrap();
        assert!(last <= longest + secs(1), "{reason}: {last:?}");
        assert!(last + secs(600) + secs(1) >= longest, "{reason}: gave up after {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_lasts_too_long_is_not_waited_for() {
    for (reason, seconds, is_worth_it) in [
        ("jira-burst-based", 16 * 60, false),
        ("something-new", 16 * 60, false),
        ("jira-quota-global-based", 59 * 60, true),
        ("jira-quota-global-based", 24 * 60 * 60, false),
        ("jira-quota-global-based", u64::from(u32::MAX), false),
    ] {
        let wait = Some(secs(seconds));
        let (result, begun) = run(&gate(), first(1, || limited(reason, wait))).await;
        assert_eq!(result.is_ok(), is_worth_it, "{reason} {seconds}");
        assert_eq!(begun.len(), if is_worth_it { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_stops_whom_it_concerns() {
    for (reason, stops_others) in
        [("jira-burst-based", false), ("jira-quota-tenant-based", true), ("jira-cost", true)]
    {
        let gate = gate();
        gate.block(&ISSUE, of(limited(reason, Some(secs(60)))), &mut Patience::default());
        let start = Instant::now();
        let attempt = |_slot| async { Ok(()) };
        gate.repeat(&SEARCH, "POST /search", &slots(1), attempt).await.unwrap();
        assert_eq!(start.elapsed() >= secs(60), stops_others, "{reason}");
    }
}

fn of(verdict: Verdict) -> Limited {
    match verdict {
        Verdict::Limited(limited) => limited,
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_limit_holds_no_slot() {
    let (gate, slots) = (gate(), slots(1));
    gate.block(&ISSUE, of(limited("jira-burst-based", Some(secs(60)))), &mut Patience::default());
    let start = Instant::now();
    let done = RefCell::new(Vec::new());
    let attempt = |_slot| async { Ok(()) };
    tokio::join!(
        async {
            gate.repeat(&ISSUE, "GET /issue/ABC-1", &slots, attempt).await.unwrap();
            done.borrow_mut().push(("issue", start.elapsed().as_secs()));
        },
        async {
            gate.repeat(&SEARCH, "POST /search", &slots, attempt).await.unwrap();
            done.borrow_mut().push(("search", start.elapsed().as_secs()));
        },
    );
    assert_eq!(done.into_inner(), [("search", 0), ("issue", 60)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_run_than_there_are_slots() {
    let (gate, slots) = (gate(), slots(3));
    let (running, most) = (Cell::new(0), Cell::new(0));
    let attempt = |slot| {
        let (running, most) = (&running, &most);
        async move {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            sleep(secs(1)).await;
            running.set(running.get() - 1);
            drop(slot);
            Ok(())
        }
    };
    let all = (0..10).map(|_| gate.repeat(&ISSUE, "GET /issue/ABC-1", &slots, attempt));
    let all = futures::future::join_all(all).await;
    assert!(all.into_iter().all(|result| result.is_ok()));
    assert_eq!(most.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_every_wait() {
    let hour = || limited("jira-quota-tenant-based", Some(secs(3600)));
    let (free, taken) = (slots(1), slots(1));
    let _held = Arc::clone(&taken).acquire_owned().await.unwrap();
    for (name, verdict, slots) in [
        ("a pause", Some(&(|| Verdict::Again(Some(secs(600)))) as &dyn Fn() -> Verdict), &free),
        ("a limit", Some(&hour), &free),
        ("an answer", None, &free),
        ("a slot", None, &taken),
    ] {
        let gate = gate();
        let start = Instant::now();
        let attempt = |_slot| async {
            match verdict {
                Some(verdict) => Err::<(), _>(failure(verdict())),
                None => pending().await,
            }
        };
        let cancel = async {
            sleep(secs(5)).await;
            gate.cancel.cancel();
        };
        let (result, ()) =
            tokio::join!(gate.repeat(&ISSUE, "GET /issue/ABC-1", slots, attempt), cancel);
        assert!(matches!(result, Err(RequestError::Cancelled)), "{name}: {result:?}");
        assert!(start.elapsed() <= secs(5) + Duration::from_millis(100), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_cancelling() {
    let gate = gate();
    gate.cancel.cancel();
    let (result, begun) = run(&gate, |_| None).await;
    assert!(matches!(result, Err(RequestError::Cancelled)));
    assert!(begun.is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_keep_the_pace_together() {
    let gate = gate();
    let rate = super::super::headers::Rate { requests: 10, window: secs(1) };
    let hints = super::super::headers::Hints { burst: Some(rate), ..Default::default() };
    gate.limits.observe(&ISSUE, &hints, Instant::now());
    let (start, slots) = (Instant::now(), slots(8));
    let attempt = |_slot| async { Ok(()) };
    let all = (0..31).map(|_| gate.repeat(&ISSUE, "GET /issue/ABC-1", &slots, attempt));
    futures::future::join_all(all).await;
    // Six a second: the first at once, the last after five seconds.
    assert!(start.elapsed() >= secs(5), "{:?}", start.elapsed());
    assert!(start.elapsed() < secs(6), "{:?}", start.elapsed());
}
