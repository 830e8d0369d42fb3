//! How much of everything a snapshot holds, counted from its documents, and how much the site truly has.

use std::collections::{BTreeMap, HashSet};

use esker_engine::entry::EntryKind;
use esker_engine::ops::SnapshotTrees;
use esker_jira_site::site::Site;
use serde_json::Value;

use super::folder::{ISSUES, prefix_of, read_content};
use crate::Failure;

/// What is counted, in the order of the table.
const KINDS: [&str; 23] = [
    "projects",
    "issues",
    "comments",
    "history entries",
    "history items",
    "worklogs",
    "attachments",
    "attachment bytes",
    "issue links",
    "remote links",
    "watchers",
    "votes",
    "properties",
    "components",
    "versions",
    "users",
    "fields",
    "issue types",
    "statuses",
    "priorities",
    "resolutions",
    "link types",
    "project roles",
];

/// Numbers by kind.
#[derive(Debug, Default)]
pub struct Census(BTreeMap<&'static str, u64>);

impl Census {
    /// The number of a kind.
    pub fn get(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or(0)
    }

    /// Both numbers of each kind.
    pub fn beside(&self, other: &Self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        KINDS.into_iter().map(|kind| (kind, self.get(kind), other.get(kind)))
    }

    /// What the site truly has.
    pub fn of_site(site: &Site) -> Self {
        let counts = site.counts();
        let state = site.state();
        let number = |count: usize| count as u64;
        Self(BTreeMap::from([
            ("projects", number(counts.projects)),
            ("issues", number(counts.issues)),
            ("comments", number(counts.comments)),
            ("history entries", number(counts.history_entries)),
            ("history items", number(counts.history_items)),
            ("worklogs", number(counts.worklogs)),
            ("attachments", number(counts.attachments)),
            ("attachment bytes", counts.attachment_bytes),
            ("issue links", number(counts.links)),
            ("remote links", number(counts.remote_links)),
            ("watchers", number(counts.watchers)),
            ("votes", number(counts.votes)),
            ("properties", number(counts.properties)),
            ("components", number(counts.components)),
            ("versions", number(counts.versions)),
            ("users", number(counts.users)),
            ("fields", number(state.fields_json().len())),
            ("issue types", number(state.issue_types_json("").len())),
            ("statuses", number(state.statuses_json("").len())),
            ("priorities", number(state.priorities_json("").len())),
            ("resolutions", number(state.resolutions_json("").len())),
            ("link types", number(state.link_types_json("").len())),
            ("project roles", number(state.roles_json("").len())),
        ]))
    }

    /// What a snapshot holds. Users whom the site lists no more, and only issues still mention, are not counted.
    pub fn of_snapshot(trees: &SnapshotTrees, site: &Site) -> Result<Self, Failure> {
        let mut census = Self::default();
        census.count_issues(trees)?;
        for item in trees.entries("projects", &[]) {
            let (key, _) = item?;
            let kind = match key.split(|byte| *byte == 0).nth(1) {
                Some(b"project.json") => "projects",
                Some(b"components") => "components",
                Some(b"versions") => "versions",
                _ => return Err(format!("an unknown key of a project: {key:?}").into()),
            };
            census.add(kind, 1);
        }
        for item in trees.entries("configuration", &[]) {
            let (key, _) = item?;
            let folder = key.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(folder).replace('-', " ");
            let kind = KINDS.into_iter().find(|kind| *kind == name);
            census.add(kind.ok_or(format!("an unknown folder: {name}"))?, 1);
        }
        let account = |user: &Value| user.get("accountId")?.as_str().map(String::from);
        let listed: HashSet<_> = site.state().users_json("").iter().filter_map(account).collect();
        for item in trees.entries("users", &[]) {
            let user: Value = serde_json::from_slice(&read_content(trees, &item?.1)?)?;
            let is_listed = account(&user).is_some_and(|it| listed.contains(&it));
            census.add("users", u64::from(is_listed));
        }
        Ok(census)
    }

    fn count_issues(&mut self, trees: &SnapshotTrees) -> Result<(), Failure> {
        let mut links = HashSet::new();
        for item in trees.entries(ISSUES, &[]) {
            let (key, entry) = item?;
            let prefix = prefix_of(&key).ok_or(format!("a key outside of an issue: {key:?}"))?;
            if entry.kind == EntryKind::File {
                self.add("attachments", 1);
                self.add("attachment bytes", entry.size);
                continue;
            }
            let document: Value = serde_json::from_slice(&read_content(trees, &entry)?)?;
            let name = std::str::from_utf8(&key[prefix.len()..])?;
            let members = document.as_array().map_or(0, |it| it.len() as u64);
            match name.split('\0').next().unwrap_or_default() {
                "issue.json" => {
                    self.add("issues", 1);
                    let linked = document["fields"]["issuelinks"].as_array().into_iter().flatten();
                    links.extend(linked.map(|link| link["id"].to_string()));
                }
                "comments" => self.add("comments", 1),
                "worklogs" => self.add("worklogs", 1),
                "history" => {
                    self.add("history entries", members);
                    let entries = document.as_array().into_iter().flatten();
                    let items = entries.filter_map(|it| it["items"].as_array());
                    self.add("history items", items.map(|it| it.len() as u64).sum());
                }
                "remote-links.json" => self.add("remote links", members),
                "watchers.json" => self.add("watchers", members),
                "votes.json" => self.add("votes", members),
                "properties.json" => {
                    self.add("properties", document.as_object().map_or(0, |it| it.len() as u64));
                }
                _ => return Err(format!("an unknown record of an issue: {name:?}").into()),
            }
        }
        self.add("issue links", links.len() as u64);
        Ok(())
    }

    fn add(&mut self, kind: &'static str, count: u64) {
        *self.0.entry(kind).or_default() += count;
    }
}
