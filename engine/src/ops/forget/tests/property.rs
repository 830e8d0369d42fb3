//! The planner against the reference, on random histories around the days on which calendars are odd.

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::reference::{Fact, Question, Rule, Zone, days_since_1970};
use super::*;

const CASES: u32 = 3_000;

/// Days on which calendars are odd: changes of the clock in Europe and America, leap days, the ends of years with 52 and 53 weeks.
const ODD_DAYS: [(i64, i64, i64); 12] = [
    (2026, 3, 29),
    (2026, 10, 25),
    (2026, 3, 8),
    (2026, 11, 1),
    (2024, 2, 29),
    (2023, 2, 28),
    (2020, 12, 31),
    (2021, 1, 3),
    (2024, 12, 30),
    (2026, 12, 31),
    (2027, 1, 3),
    (2026, 6, 30),
];

const HALF_HOUR: i64 = 1_800;

fn odd_day() -> impl Strategy<Value = i64> {
    select(&ODD_DAYS[..]).prop_map(|(year, month, day)| days_since_1970(year, month, day) * 86_400)
}

/// Near an odd day in most cases, and a multiple of half an hour, so that times coincide.
fn time() -> impl Strategy<Value = i64> {
    let near = prop_oneof![4 => -100i64..100, 1 => -4_000i64..4_000];
    (odd_day(), near).prop_map(|(day, half_hours)| day + half_hours * HALF_HOUR)
}

/// Times of a history: in the hours of one odd day, in the days around it, or around all of them.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let near = |hours: i64| {
        let half_hours = vec(-hours..2 * hours, 0..40);
        (odd_day(), half_hours)
            .prop_map(|(day, times)| times.into_iter().map(|it| day + it * HALF_HOUR).collect())
    };
    prop_oneof![near(8), near(100), vec(time(), 0..40)]
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let rest = (
        prop::bool::weighted(0.3),
        0u8..2,
        0u8..2,
        prop::option::weighted(0.3, 0u8..2),
        prop::bool::weighted(0.05),
        prop::option::weighted(0.05, time()),
    );
    (times(), vec(rest, 40)).prop_map(|(times, rest)| {
        let facts = (0u8..).zip(times).zip(rest);
        let fact = |((number, time), rest): ((u8, i64), _)| {
            let (is_partial, source, host, tag, is_held, immutable_until) = rest;
            Fact { number, time, is_partial, source, host, tag, is_held, immutable_until }
        };
        facts.map(fact).collect()
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let count = || prop_oneof![8 => 0u64..8, 1 => Just(UNLIMITED)];
    let span = prop_oneof![
        (Just(0), Just(0), 1i64..12),
        (Just(0), 1i64..4, 0i64..3),
        (1i64..15, 0i64..40, 0i64..50),
    ];
    prop_oneof![
        2 => count().prop_map(Rule::Last),
        8 => (select(&Period::ALL[..]), count()).prop_map(|(it, count)| Rule::Every(it, count)),
        3 => span.prop_map(|(months, days, hours)| Rule::Within { months, days, hours }),
        1 => (0u8..3).prop_map(|tag| Rule::Tag(tag.to_string())),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let zone = select(&[Zone::Utc, Zone::Berlin, Zone::NewYork][..]);
    let grouping = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    // Now and then some of the history is in the future.
    let now = prop_oneof![2 => Just(4_000_000_000), 1 => time()];
    (facts(), vec(rule(), 0..4), zone, grouping, now).prop_map(
        |(facts, rules, zone, (host, tags), now)| Question {
            facts,
            rules,
            zone,
            grouping: Grouping { host, tags },
            now,
        },
    )
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn snapshot_of(fact: &Fact) -> Snapshot {
    let mut snapshot = snapshot(fact.number, &moment(fact.time).to_string());
    if fact.is_partial {
        snapshot.commit.status = SnapshotStatus::Partial;
    }
    snapshot.commit.source.identity = fact.source.to_string();
    snapshot.commit.host = fact.host.to_string();
    snapshot.commit.immutable_until = fact.immutable_until.map(|it| moment(it).to_string());
    snapshot.tags.extend(fact.tag.map(|tag| tag.to_string()));
    snapshot.holds.extend(fact.is_held.then(String::new));
    snapshot
}

fn policy_of(question: &Question) -> KeepPolicy {
    let rule = |rule: &Rule| match rule {
        Rule::Last(count) => KeepRule::Last(*count),
        Rule::Every(period, count) => KeepRule::Every(*period, *count),
        Rule::Within { months, days, hours } => {
            let (years, months) = (months / 12, months % 12);
            format!("within {years}y{months}m{days}d{hours}h").parse().unwrap()
        }
        Rule::Tag(tag) => KeepRule::Tag(tag.clone()),
    };
    KeepPolicy {
        rules: question.rules.iter().map(rule).collect(),
        zone: TimeZone::posix(question.zone.posix()).unwrap(),
        grouping: question.grouping,
    }
}

fn planned(question: &Question, facts: &[Fact]) -> ForgetPlan {
    let snapshots: Vec<_> = facts.iter().map(snapshot_of).collect();
    plan(&snapshots, &policy_of(question), moment(question.now))
}

fn numbers(planned: &[Planned]) -> Vec<u8> {
    let mut numbers: Vec<_> = planned.iter().map(|it| it.id.0[0]).collect();
    numbers.sort_unstable();
    numbers
}

fn numbers_where(question: &Question, wanted: impl Fn(&Fact) -> bool) -> Vec<u8> {
    question.facts.iter().filter(|it| wanted(it)).map(|it| it.number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_planner_and_the_reference_agree(question in question()) {
        let plan = planned(&question, &question.facts);
        // Together they are all of them, and none is in both.
        prop_assert_eq!(numbers(&plan.keep), numbers_where(&question, |it| question.is_kept(it)));
        prop_assert_eq!(numbers(&plan.remove), numbers_where(&question, |it| !question.is_kept(it)));
        prop_assert!(plan.keep.iter().all(|it| !it.reasons.is_empty()));
        prop_assert!(plan.remove.iter().all(|it| it.reasons.is_empty()));
    }

    #[test]
    fn what_is_protected_is_never_forgotten(question in question()) {
        let plan = planned(&question, &question.facts);
        let protected = numbers_where(&question, |it| question.is_protected(it));
        let removed = numbers(&plan.remove);
        prop_assert!(!protected.iter().any(|number| removed.contains(number)));
    }

    #[test]
    fn planning_again_forgets_nothing_more(question in question()) {
        let kept = numbers(&planned(&question, &question.facts).keep);
        let mut facts = question.facts.clone();
        facts.retain(|it| kept.contains(&it.number));
        let again = planned(&question, &facts);
        prop_assert_eq!(numbers(&again.keep), kept);
    }

    #[test]
    fn partial_snapshots_change_nothing_for_complete_ones(question in question()) {
        let is_complete = |number: &u8| {
            question.facts.iter().any(|it| it.number == *number && !it.is_partial)
        };
        let mut kept = numbers(&planned(&question, &question.facts).keep);
        kept.retain(is_complete);
        let mut facts = question.facts.clone();
        facts.retain(|it| !it.is_partial);
        prop_assert_eq!(numbers(&planned(&question, &facts).keep), kept);
    }

    #[test]
    fn more_rules_keep_more(question in question(), rule in rule()) {
        let kept = numbers(&planned(&question, &question.facts).keep);
        let mut more = question.clone();
        more.rules.push(rule);
        let more_kept = numbers(&planned(&more, &question.facts).keep);
        let is_more = kept.iter().all(|number| more_kept.contains(number));
        // A policy without rules keeps all.
        prop_assert!(is_more || question.rules.is_empty());
    }
}
