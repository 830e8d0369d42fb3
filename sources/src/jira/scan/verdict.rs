//! How much of the issues a scan has seen, by counts that do not come from the search.

use esker_engine::source::{Completeness, CompletenessState, PartCompleteness};

use super::listing::is_refused;
use super::missing::{Count, Counts};
use super::sweep::{Seen, Sweep};
use crate::jira::attachments::chain;

/// The verdict on all issues. Projects of which not all was seen are named.
pub(super) fn of_issues(sweep: &Sweep, counts: &Counts) -> Completeness {
    let of_project = |(key, seen): (&String, &Seen)| {
        let count = counts.0.get(key).copied().unwrap_or_default();
        of_part(key, seen, count)
    };
    let mut parts: Vec<_> = sweep.projects.iter().filter_map(of_project).collect();
    let lost = counts
        .0
        .iter()
        .filter(|(key, count)| count.vanished > 0 && !sweep.projects.contains_key(*key));
    parts.extend(lost.map(|(key, count)| PartCompleteness {
        name: key.clone(),
        state: CompletenessState::NotPermitted,
        expected: None,
        found: 0,
        detail: format!(
            "the project is not listed any more; {} issues are carried forward",
            count.vanished
        ),
    }));
    let sum = |of: fn(&Count) -> u64| counts.0.values().map(of).sum::<u64>();
    let state =
        if parts.is_empty() { CompletenessState::Complete } else { CompletenessState::Partial };
    let detail = match parts.len() {
        0 => String::new(),
        1 => "one project was not seen whole".into(),
        count => format!("{count} projects were not seen whole"),
    };
    Completeness {
        state,
        expected: Some(sum(|count| count.expected.unwrap_or(count.found).max(count.found))),
        found: sum(|count| count.found),
        detail,
        parts,
    }
}

fn of_part(key: &str, seen: &Seen, count: Count) -> Option<PartCompleteness> {
    let hidden = count.hidden();
    let carried = match count.vanished {
        0 => String::new(),
        vanished => format!("; {vanished} of the last snapshot are carried forward"),
    };
    let (state, detail) = match seen {
        Seen::Failed(error) if is_refused(error) => {
            (CompletenessState::NotPermitted, format!("{}{carried}", chain(error)))
        }
        Seen::Failed(error) => (CompletenessState::Failed, format!("{}{carried}", chain(error))),
        _ if hidden > 0 && count.found == 0 => (
            CompletenessState::NotPermitted,
            format!("the account is shown none of its issues{carried}"),
        ),
        _ if hidden > 0 || count.vanished > 0 => (
            CompletenessState::Partial,
            format!("the account is not shown {hidden} of its issues{carried}"),
        ),
        _ => return None,
    };
    Some(PartCompleteness {
        name: key.into(),
        state,
        expected: count.expected,
        found: count.found,
        detail,
    })
}
