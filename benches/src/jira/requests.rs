//! The requests of a run, by what they are for, beside what a careful client needs.

use std::collections::BTreeMap;

use esker_jira_site::site::{Counts, DayReport};

/// What decides how many requests a run needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Issues of the site.
    pub issues: u64,
    /// Changed and new issues.
    pub changed: u64,
    /// Entries of their histories, about.
    pub entries: u64,
    /// New and changed worklogs.
    pub worklogs: u64,
    /// New attachments.
    pub attachments: u64,
    /// Projects.
    pub projects: u64,
    /// Users.
    pub users: u64,
}

impl Work {
    /// What a first run has to do.
    pub fn first(counts: &Counts) -> Self {
        Self {
            changed: counts.issues as u64,
            entries: counts.history_entries as u64,
            attachments: counts.attachments as u64,
            ..Self::quiet(counts)
        }
    }

    /// What a run has to do where nothing changed.
    pub fn quiet(counts: &Counts) -> Self {
        Self {
            issues: counts.issues as u64,
            projects: counts.projects as u64,
            users: counts.users as u64,
            ..Self::default()
        }
    }

    /// What the run after a day has to do.
    pub fn of_day(counts: &Counts, day: &DayReport) -> Self {
        let changed = (day.changed.len() + day.created.len()) as u64;
        let issues = counts.issues.max(1) as u64;
        Self {
            changed,
            entries: changed * counts.history_entries as u64 / issues,
            worklogs: day.worklogs as u64,
            attachments: day.attachments as u64,
            ..Self::quiet(counts)
        }
    }
}

/// Requests for one purpose.
#[derive(Debug)]
pub struct Purpose {
    /// What they are for.
    pub name: &'static str,
    /// How many were made.
    pub made: u64,
    /// How many a careful client needs; `None` where that depends on the issues.
    pub needed: Option<u64>,
    /// Where `needed` comes from.
    pub formula: &'static str,
    /// How many of each endpoint.
    pub endpoints: Vec<(String, u64)>,
}

/// What an endpoint is asked for.
fn purpose(endpoint: &str) -> &'static str {
    let path = endpoint.split_once(' ').map_or(endpoint, |(_, path)| path);
    let rest = path.strip_prefix("/rest/api/3/").unwrap_or(path);
    match rest.strip_prefix("issue/{issueIdOrKey}/") {
        Some("comment") => return "comments",
        Some("worklog") => return "worklogs of issues",
        Some(_) => return "extras of issues",
        None => {}
    }
    match rest {
        "search/jql" => "searches",
        "issue/bulkfetch" => "bodies",
        "changelog/bulkfetch" => "histories",
        "worklog/updated" | "worklog/deleted" | "worklog/list" => "worklogs",
        "attachment/content/{id}" => "attachments",
        media if media.starts_with("/media/") => "attachments",
        _ => "configuration and the rest",
    }
}

/// Sorts requests by their purpose.
pub fn purposes(requests: &BTreeMap<String, u64>, work: &Work) -> Vec<Purpose> {
    let Work { issues, changed, entries, worklogs, attachments, projects, users } = *work;
    let searches = issues.div_ceil(5000) + projects + changed.div_ceil(5000) + 1;
    let histories = changed.div_ceil(1000) + entries.div_ceil(10_000);
    let configuration = 40 + 8 * projects + users.div_ceil(1000);
    let rows = [
        ("searches", Some(searches), "⌈N/5000⌉ + P + ⌈C/5000⌉ + 1"),
        ("bodies", Some(changed.div_ceil(100)), "⌈C/100⌉"),
        ("histories", Some(histories), "⌈C/1000⌉ + ⌈entries/10000⌉"),
        ("comments", Some(changed.div_ceil(10)), "0.1 C"),
        ("worklogs", Some(2 * worklogs.div_ceil(1000) + 1), "2 ⌈W/1000⌉ + 1"),
        ("worklogs of issues", None, "where an issue has more than come with it"),
        ("attachments", Some(2 * attachments), "2 A"),
        ("extras of issues", None, "where a count or the history says so"),
        ("configuration and the rest", Some(configuration), "40 + 8 P + ⌈U/1000⌉"),
    ];
    let row = |(name, needed, formula)| {
        let of_purpose = requests.iter().filter(|(endpoint, _)| purpose(endpoint) == name);
        let endpoints: Vec<_> = of_purpose.map(|(name, count)| (name.clone(), *count)).collect();
        let made = endpoints.iter().map(|(_, count)| count).sum();
        Purpose { name, made, needed, formula, endpoints }
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_one_purpose() {
        let names = [
            "POST /rest/api/3/search/jql",
            "GET /rest/api/3/issue/{issueIdOrKey}/comment",
            "GET /rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey}",
            "GET /media/file/{fileId}/binary",
            "GET /rest/api/3/field",
            "GET /_edge/tenant_info",
        ];
        let requests = names.map(|name| (name.to_owned(), 2)).into();
        let work = Work { issues: 5001, changed: 101, projects: 3, ..Work::default() };
        let rows = purposes(&requests, &work);
        let made: Vec<_> = rows.iter().map(|row| row.made).collect();
        assert_eq!(made, [2, 0, 0, 2, 0, 0, 2, 2, 4]);
        assert_eq!(rows[0].needed, Some(2 + 3 + 1 + 1));
        assert_eq!(rows[1].needed, Some(2));
    }
}
