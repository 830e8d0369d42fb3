//! What issues refer to: projects with components and versions, fields, types, statuses and the like. It has no sign of
//! change, so it is read as a whole, and what is as the last snapshot has it costs nothing but the requests.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::problem::{Problem, ProblemKind};
use esker_engine::source::{
    CollectionEnd, Completeness, CompletenessState, PartCompleteness, Payload, SourceError,
};
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use super::Scan;
use super::known::{self, BaseRecord};
use super::listing;
use super::projects::{Project, ProjectState};
use crate::jira::attachments::chain;
use crate::jira::client::pages::OffsetPages;
use crate::jira::client::{FailureKind, RequestError};
use crate::jira::document::{canonical, id_of, strip};
use crate::jira::layout::{CONFIGURATION, PROJECTS, document_key, path};

/// A way to a list: its path, the array in its answer, its page size; 0 where it comes whole.
struct Route {
    template: &'static str,
    array: Option<&'static str>,
    page: u32,
}

const fn whole(template: &'static str) -> Route {
    Route { template, array: None, page: 0 }
}

const fn paged(template: &'static str) -> Route {
    Route { template, array: Some("values"), page: 50 }
}

/// The lists of a site: the folder that each is stored in, and the ways to it. A later way is tried where an earlier one is
/// refused: Atlassian has deprecated several of them, and rights differ.
const LISTS: [(&str, &[Route]); 6] = [
    ("fields", &[whole("/rest/api/3/field")]),
    ("issue-types", &[whole("/rest/api/3/issuetype")]),
    ("statuses", &[whole("/rest/api/3/status")]),
    ("priorities", &[whole("/rest/api/3/priority"), paged("/rest/api/3/priority/search")]),
    ("resolutions", &[paged("/rest/api/3/resolution/search"), whole("/rest/api/3/resolution")]),
    (
        "link-types",
        &[Route { template: "/rest/api/3/issueLinkType", array: Some("issueLinkTypes"), page: 0 }],
    ),
];

const PROJECT: &str = "/rest/api/3/project/{}";
const COMPONENTS: &str = "/rest/api/3/project/{}/component";
const VERSIONS: &str = "/rest/api/3/project/{}/version";
/// Components and versions of a page.
const PAGE: u32 = 50;
/// Members of a project's document that are records of their own, or are counted by work on issues.
const PROJECT_EXTRAS: [&str; 3] = ["components", "versions", "insight"];

/// A document on its way: its key and text.
type Document = (Bytes, Bytes);

/// What is read at once, and fails at once.
struct Folder {
    collection: &'static str,
    /// The beginning of its keys.
    path: String,
    /// What follows it in all of them.
    end: &'static str,
}

/// How reading a collection went.
#[derive(Default)]
struct Progress {
    found: u64,
    parts: Vec<PartCompleteness>,
}

impl Progress {
    fn end(self, name: &str) -> CollectionEnd {
        let state = if self.parts.is_empty() {
            CompletenessState::Complete
        } else {
            CompletenessState::Partial
        };
        CollectionEnd {
            name: name.into(),
            cursor: None,
            completeness: Completeness {
                state,
                expected: None,
                found: self.found,
                detail: String::new(),
                parts: self.parts,
            },
        }
    }
}

impl Scan<'_> {
    /// Reads configuration and projects where they are due.
    pub(super) async fn settings(
        &self,
        projects: &BTreeMap<String, Project>,
    ) -> Result<Vec<CollectionEnd>, SourceError> {
        if !self.configuration_is_due() {
            return Ok(Vec::new());
        }
        let mut configuration = Progress::default();
        for (folder, ways) in LISTS {
            self.stop_if_cancelled()?;
            let documents = self.list_of(folder, ways).await;
            let folder = Folder { collection: CONFIGURATION, path: folder.into(), end: "\0" };
            self.store(&folder, documents, &mut configuration).await?;
        }
        let mut stored = Progress::default();
        let mut read = Vec::with_capacity(projects.len());
        // One in the bin cannot be read: what the last snapshot has of it stays until it is gone.
        for project in projects.values().filter(|it| it.state != ProjectState::Deleted) {
            read.push(self.project(project).boxed());
        }
        let read = futures::stream::iter(read).buffer_unordered(self.options.connections);
        futures::pin_mut!(read);
        while let Some(parts) = read.next().await {
            for (folder, documents) in parts {
                self.store(&folder, documents, &mut stored).await?;
            }
        }
        self.forget_projects(projects).await?;
        Ok(vec![configuration.end(CONFIGURATION), stored.end(PROJECTS)])
    }

    /// The documents of a list, by the first way that works.
    async fn list_of(&self, folder: &str, ways: &[Route]) -> Result<Vec<Document>, RequestError> {
        let mut refused = None;
        for route in ways {
            let listed = self.by_route(route).await;
            match listed.and_then(|values| documents(route.template, &[folder], values)) {
                Ok(documents) => return Ok(documents),
                Err(error) if error.kind() == FailureKind::Object => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        refused.map_or_else(|| Ok(Vec::new()), Err)
    }

    async fn by_route(&self, route: &Route) -> Result<Vec<Value>, RequestError> {
        match (route.page, route.array) {
            (0, array) => {
                let mut answer = self.client.get(route.template, &[], &[]).await?;
                let list = match array {
                    Some(array) => answer.get_mut(array).map(Value::take),
                    None => Some(answer),
                };
                match list {
                    Some(Value::Array(elements)) => Ok(elements),
                    _ => Err(listing::no_items(format!("GET {}", route.template))),
                }
            }
            (page, array) => self.pages(route.template, &[], array.unwrap_or("values"), page).await,
        }
    }

    async fn pages(
        &self,
        template: &'static str,
        args: &[&str],
        array: &'static str,
        page: u32,
    ) -> Result<Vec<Value>, RequestError> {
        listing::all(OffsetPages::new(&self.client, template, args, &[], array, page)).await
    }

    /// The documents of one project, in parts that fail for themselves.
    async fn project(
        &self,
        project: &Project,
    ) -> Vec<(Folder, Result<Vec<Document>, RequestError>)> {
        let (key, id) = (project.key.as_str(), project.id.as_str());
        let folder = |path: String, end| Folder { collection: PROJECTS, path, end };
        let mut parts =
            vec![(folder(key.into(), "\0project.json"), self.project_itself(project).await)];
        for (name, template) in [("components", COMPONENTS), ("versions", VERSIONS)] {
            let listed = self.pages(template, &[id], "values", PAGE).await;
            let listed = listed.and_then(|values| documents(template, &[key, name], values));
            parts.push((folder(format!("{key}\0{name}"), "\0"), listed));
        }
        parts
    }

    async fn project_itself(&self, project: &Project) -> Result<Vec<Document>, RequestError> {
        let mut whole = self.client.get(PROJECT, &[&project.id], &[]).await?;
        self.see_people(&whole);
        if let Some(members) = whole.as_object_mut() {
            members.retain(|name, _| !PROJECT_EXTRAS.contains(&name.as_str()));
        }
        strip(&mut whole);
        Ok(vec![(document_key(&[&project.key], "project"), canonical(&whole))])
    }

    /// Stores the documents of one folder, and deletes those that it has no more. What could not be read is kept.
    async fn store(
        &self,
        folder: &Folder,
        documents: Result<Vec<Document>, RequestError>,
        progress: &mut Progress,
    ) -> Result<(), SourceError> {
        let Folder { collection, path, end } = folder;
        let prefix = [path.as_bytes(), end.as_bytes()].concat();
        let base = known::entries(self.base, collection, prefix).await?;
        let documents = match documents {
            Ok(documents) => documents,
            Err(error) if self.outages.end_scan(&error) => return Err(self.failed(error)),
            Err(error) => {
                self.trouble_with_part(folder, &error, &base, progress);
                return Ok(());
            }
        };
        let index = self.changes.collection(collection);
        progress.found += documents.len() as u64;
        let present: HashSet<Bytes> = documents.iter().map(|(key, _)| key.clone()).collect();
        for (key, text) in documents {
            let entry = Entry::new(EntryKind::Document);
            self.changes.put(index, key, entry, Payload::Bytes(text)).await?;
        }
        for (key, _) in base.into_iter().filter(|(key, _)| !present.contains(key)) {
            self.changes.delete(index, key).await?;
        }
        Ok(())
    }

    fn trouble_with_part(
        &self,
        folder: &Folder,
        error: &RequestError,
        base: &[BaseRecord],
        progress: &mut Progress,
    ) {
        let (state, kind) = if listing::is_forbidden(error) {
            (CompletenessState::NotPermitted, ProblemKind::NotPermitted)
        } else {
            (CompletenessState::Failed, ProblemKind::Unreadable)
        };
        progress.found += base.len() as u64;
        progress.parts.push(PartCompleteness {
            name: folder.path.replace('\0', "/"),
            state,
            expected: None,
            found: base.len() as u64,
            detail: chain(error),
        });
        self.changes.problem(Problem {
            path: path(folder.collection, folder.path.as_bytes()),
            kind,
            message: chain(error),
            stale: !base.is_empty(),
        });
    }

    /// Deletes the documents of projects that are not listed any more and of which no issues are carried forward.
    async fn forget_projects(
        &self,
        projects: &BTreeMap<String, Project>,
    ) -> Result<(), SourceError> {
        let index = self.changes.collection(PROJECTS);
        let vanished = self.vanished_projects();
        for (key, _) in known::entries(self.base, PROJECTS, Vec::new()).await? {
            let project = key.split(|byte| *byte == 0).next().unwrap_or_default();
            let project = String::from_utf8_lossy(project);
            let stays = projects.contains_key(&*project) || vanished.contains(&*project);
            if !stays && self.options.wants(&project) {
                self.changes.delete(index, key).await?;
            }
        }
        Ok(())
    }
}

fn documents(
    template: &str,
    folders: &[&str],
    values: Vec<Value>,
) -> Result<Vec<Document>, RequestError> {
    let document = |mut value: Value| {
        strip(&mut value);
        Some((document_key(folders, &id_of(&value)?), canonical(&value)))
    };
    // One that cannot be named would be missing, and taken for deleted.
    let documents: Option<Vec<_>> = values.into_iter().map(document).collect();
    let what = "one of them has no id";
    documents.ok_or_else(|| RequestError::Listing { request: format!("GET {template}"), what })
}
