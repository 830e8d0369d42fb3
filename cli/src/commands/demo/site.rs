//! The simulated Jira site, and what happens to it.

use std::collections::BTreeSet;
use std::ffi::OsString;

use esker_jira_site::server::{Credentials, Server, ServerOptions};
use esker_jira_site::site::{Day, Mishap, Site, SiteOptions};
use esker_sources::jira::JiraSource;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::proof::Original;
use super::story::SiteFigures;
use crate::app::jira::{self, JiraCredentials, JiraRequest};
use crate::app::runtime::Engine;
use crate::error::CommandError;

/// The project that loses issues.
const DELETED_FROM: &str = "WEB";
/// How many are deleted; sub-tasks go with their parents.
const DELETED: usize = 40;
/// The project whose issues are edited in bulk.
const OVERWRITTEN_IN: &str = "PAY";
/// How many.
const OVERWRITTEN: usize = 200;
/// The field that is overwritten.
const OVERWRITTEN_FIELD: &str = "duedate";
/// What somebody wrote over all due dates, ten years too late.
const WRONG_DATE: &str = "2036-03-06";

/// The site and the server that shows it; gone when this is dropped.
pub(super) struct SimulatedSite {
    site: Site,
    server: Server,
}

/// Issues by what became of them, by key.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) changed: BTreeSet<String>,
    pub(super) new: BTreeSet<String>,
    pub(super) gone: BTreeSet<String>,
}

/// What happened on the site between two backups.
#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) issues: Issues,
    pub(super) attachments: usize,
}

/// What went wrong: the keys of the issues that were hit.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) deleted: BTreeSet<String>,
    pub(super) overwritten: BTreeSet<String>,
}

impl SimulatedSite {
    /// Makes the site, and serves it on this machine.
    pub(super) fn open() -> Result<Self, CommandError> {
        let site = Site::generate(&SiteOptions {
            seed: 7,
            projects: 8,
            issues: 3_000,
            attachments: 150,
            users: 40,
            start: first_evening(),
            title: "Simulated Jira".to_owned(),
            ..SiteOptions::default()
        });
        let server = Server::spawn(site.clone(), ServerOptions::default()).map_err(|error| {
            CommandError::failed("cannot serve the simulated Jira site on 127.0.0.1")
                .caused_by(&error)
                .hint("a free port is needed there: see `ss -ltn`")
        })?;
        Ok(Self { site, server })
    }

    /// Opens it as any site is opened: by its address, an e-mail address and a token.
    pub(super) fn source(&self, engine: &Engine) -> Result<JiraSource, CommandError> {
        let Credentials { email, token, .. } = Credentials::default();
        let environment = move |name: &str| match name {
            "JIRA_EMAIL" => Some(OsString::from(&email)),
            "JIRA_API_TOKEN" => Some(OsString::from(&token)),
            _ => None,
        };
        let credentials = JiraCredentials::resolve(&environment)?;
        let request = JiraRequest { site: self.server.url(), ..JiraRequest::default() };
        jira::open(&request, &credentials, engine)
    }

    /// What the site's clock shows.
    pub(super) fn now(&self) -> Timestamp {
        self.site.now()
    }

    /// How much the site holds.
    pub(super) fn figures(&self) -> SiteFigures {
        let counts = self.site.counts();
        SiteFigures {
            projects: counts.projects as u64,
            issues: counts.issues as u64,
            comments: counts.comments as u64,
            history_entries: counts.history_entries as u64,
            worklogs: counts.worklogs as u64,
            attachments: counts.attachments as u64,
            attachment_bytes: counts.attachment_bytes,
        }
    }

    /// All that there is, as what happened before the first backup.
    pub(super) fn everything(&self) -> Happened {
        let counts = self.site.counts();
        let state = self.site.state();
        let new = state.issue_ids().into_iter().filter_map(|id| state.key(id)).collect();
        let issues = Issues { new, ..Issues::default() };
        Happened { issues, attachments: counts.attachments }
    }

    /// Lets people work for a day, and delete some issues on purpose.
    pub(super) fn live(&self, day: u64, deleted: usize) -> Happened {
        let report = self.site.day(&Day {
            seed: day,
            changed_issues: 45,
            new_issues: 12,
            new_attachments: 6,
            deleted_issues: deleted,
        });
        let issues = Issues {
            changed: report.changed.into_iter().collect(),
            new: report.created.into_iter().collect(),
            gone: report.deleted.into_iter().collect(),
        };
        Happened { issues, attachments: report.attachments }
    }

    /// Deletes issues of one project, and overwrites a field in another.
    pub(super) fn suffer(&self) -> Hit {
        let deleted = self
            .site
            .mishap(&Mishap::DeleteIssues { project: DELETED_FROM.to_owned(), count: DELETED });
        let overwritten = self.site.mishap(&Mishap::OverwriteField {
            project: OVERWRITTEN_IN.to_owned(),
            field: OVERWRITTEN_FIELD.to_owned(),
            value: json!(WRONG_DATE),
            count: OVERWRITTEN,
        });
        Hit {
            deleted: deleted.into_iter().collect(),
            overwritten: overwritten.into_iter().collect(),
        }
    }

    /// The issues of the project that will lose some, as the site has them now.
    pub(super) fn originals(&self) -> Vec<Original> {
        let (state, base) = (self.site.state(), self.server.url());
        let is_in_danger =
            |key: &String| key.rsplit_once('-').is_some_and(|it| it.0 == DELETED_FROM);
        let issues = state.issue_ids().into_iter();
        let issues =
            issues.filter_map(|id| state.key(id).filter(is_in_danger).map(|key| (id, key)));
        issues.filter_map(|(id, key)| Original::of(&state, id, key, &base)).collect()
    }

    /// Requests that a real site would have refused or ignored.
    pub(super) fn violations(&self) -> Vec<String> {
        self.server.violations().iter().map(ToString::to_string).collect()
    }
}

/// The Monday evening on which the first backup is made, by the clock on the wall: a week in which most clocks are not changed.
fn first_evening() -> Timestamp {
    let evening = date(2026, 3, 2).at(18, 0, 0, 0);
    let zoned = evening.to_zoned(TimeZone::system());
    zoned.map_or(Timestamp::UNIX_EPOCH, |evening| evening.timestamp())
}
