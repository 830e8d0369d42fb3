//! Is what came back what the site had?

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use esker_jira_site::site::State;
use serde::Serialize;
use serde_json::Value;

/// Fields that no backup holds, since they change by themselves or are stored beside the issue (`docs/sources/jira.md`).
const LEFT_OUT: [&str; 9] = [
    "lastViewed",
    "workratio",
    "progress",
    "aggregateprogress",
    "aggregatetimespent",
    "aggregatetimeestimate",
    "aggregatetimeoriginalestimate",
    "comment",
    "worklog",
];

/// An issue as the site had it, with all that is compared.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) key: String,
    issue: Value,
    comments: Vec<Value>,
    worklogs: Vec<Value>,
    history: Vec<Value>,
    attachments: Vec<(u64, Bytes)>,
}

/// What was compared, and what differs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Comparison {
    pub(super) issues: u64,
    pub(super) comments: u64,
    pub(super) worklogs: u64,
    pub(super) history_entries: u64,
    pub(super) attachments: u64,
    pub(super) attachment_bytes: u64,
    /// Paths that are not what the site had.
    pub(super) differences: Vec<String>,
}

impl Original {
    /// Notes what the site has.
    pub(super) fn of(state: &State, id: u64, key: String, base: &str) -> Option<Self> {
        let issue = state.issue_json(id, base)?;
        let listed = issue["fields"]["attachment"].as_array().map_or(&[][..], Vec::as_slice);
        let ids = listed.iter().filter_map(|it| it["id"].as_str()?.parse().ok());
        let bytes = |id| Some((id, state.attachment_bytes(id, 0..u64::MAX)?));
        Some(Self {
            key,
            attachments: ids.filter_map(bytes).collect(),
            comments: state.comments_json(id, base)?,
            worklogs: state.worklogs_json(id, base)?,
            history: state.changelog_json(id, base)?,
            issue,
        })
    }

    /// Where it is among restored files.
    fn folder(&self) -> PathBuf {
        let project = self.key.rsplit_once('-').map_or("", |(project, _)| project);
        Path::new("issues").join(project).join(&self.key)
    }
}

impl Comparison {
    /// Compares a restored folder with what the site had: attachments byte by byte, documents value by value.
    pub(super) fn of(restored: &Path, originals: &[&Original]) -> io::Result<Self> {
        let mut comparison = Self::default();
        let mut folders = BTreeSet::new();
        for original in originals {
            folders.insert(original.folder());
            comparison.issue(&restored.join(original.folder()), original)?;
        }
        for found in issue_folders(restored)? {
            if !folders.contains(&found) {
                comparison.differences.push(format!("`{}` was not asked for", found.display()));
            }
        }
        Ok(comparison)
    }

    fn issue(&mut self, folder: &Path, original: &Original) -> io::Result<()> {
        let issue = document(&folder.join("issue.json"))?;
        let is_whole = issue.as_ref().is_some_and(|it| holds_all(it, &original.issue));
        self.note(is_whole, &original.key, "issue.json");
        self.issues += 1;
        let records = [("comments", &original.comments), ("worklogs", &original.worklogs)];
        for (name, expected) in records {
            for record in expected {
                let id = record["id"].as_str().unwrap_or_default();
                let found = document(&folder.join(name).join(format!("{id}.json")))?;
                let is_same = found.is_some_and(|found| agrees(&found, record));
                self.note(is_same, &original.key, &format!("{name}/{id}.json"));
            }
            let is_all = names(&folder.join(name))?.len() == expected.len();
            self.note(is_all, &original.key, name);
        }
        self.comments += original.comments.len() as u64;
        self.worklogs += original.worklogs.len() as u64;
        self.history(&folder.join("history"), original)?;
        self.attachments(&folder.join("attachments"), original)
    }

    /// The changelog is stored in blocks.
    fn history(&mut self, folder: &Path, original: &Original) -> io::Result<()> {
        let mut entries = Vec::new();
        for name in names(folder)? {
            if let Some(Value::Array(block)) = document(&folder.join(name))? {
                entries.extend(block);
            }
        }
        let is_same = agrees(&Value::Array(entries), &Value::Array(original.history.clone()));
        self.note(is_same, &original.key, "history");
        self.history_entries += original.history.len() as u64;
        Ok(())
    }

    /// Their names begin with their ids.
    fn attachments(&mut self, folder: &Path, original: &Original) -> io::Result<()> {
        let names = names(folder)?;
        self.note(names.len() == original.attachments.len(), &original.key, "attachments");
        for (id, bytes) in &original.attachments {
            let name = names.iter().find(|name| name.starts_with(&format!("{id}-")));
            let found = name.map(|name| fs::read(folder.join(name))).transpose()?;
            let is_same = found.is_some_and(|found| found == *bytes);
            self.note(is_same, &original.key, &format!("attachments/{id}"));
            self.attachments += 1;
            self.attachment_bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn note(&mut self, is_same: bool, issue: &str, what: &str) {
        if !is_same {
            self.differences.push(format!("`{issue}/{what}` is not what the site had"));
        }
    }
}

/// True where a stored issue has every field of the site's and no other value anywhere.
fn holds_all(stored: &Value, site: &Value) -> bool {
    let is_there = |field: &String| {
        LEFT_OUT.contains(&field.as_str()) || stored["fields"].get(field).is_some()
    };
    let fields = site["fields"].as_object();
    fields.is_some_and(|fields| fields.keys().all(is_there)) && agrees(stored, site)
}

/// True where every value of a stored document is the site's; what the site writes besides is addresses and what is volatile.
fn agrees(stored: &Value, site: &Value) -> bool {
    match (stored, site) {
        (Value::Object(stored), Value::Object(site)) => {
            stored.iter().all(|(name, value)| site.get(name).is_some_and(|it| agrees(value, it)))
        }
        (Value::Array(stored), Value::Array(site)) => {
            stored.len() == site.len()
                && stored.iter().zip(site).all(|(one, other)| agrees(one, other))
        }
        (stored, site) => stored == site,
    }
}

/// The document in a file; `None` where there is none.
fn document(path: &Path) -> io::Result<Option<Value>> {
    match fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder, sorted; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    names.sort();
    Ok(names)
}

/// The folders of issues among restored files.
fn issue_folders(restored: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for project in names(&restored.join("issues"))? {
        let project = Path::new("issues").join(project);
        let issues = names(&restored.join(&project))?;
        folders.extend(issues.into_iter().map(|issue| project.join(issue)));
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn original() -> Original {
        Original {
            key: "ABC-7".into(),
            issue: json!({"id": "1", "self": "x", "fields": {"summary": "s", "lastViewed": "y"}}),
            comments: vec![json!({"id": "10", "body": "b"})],
            worklogs: Vec::new(),
            history: vec![json!({"id": "1"}), json!({"id": "2"})],
            attachments: vec![(5, Bytes::from_static(b"bytes"))],
        }
    }

    fn restored(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join("issues/ABC").join(name);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    const WHOLE: [(&str, &str); 5] = [
        ("ABC-7/issue.json", r#"{"fields": {"summary": "s"}, "id": "1"}"#),
        ("ABC-7/comments/10.json", r#"{"id": "10", "body": "b"}"#),
        ("ABC-7/history/0000.json", r#"[{"id": "1"}]"#),
        ("ABC-7/history/0001.json", r#"[{"id": "2"}]"#),
        ("ABC-7/attachments/5-a.txt", "bytes"),
    ];

    #[test]
    fn what_came_back_whole_has_no_differences() {
        let folder = restored(&WHOLE);
        let comparison = Comparison::of(folder.path(), &[&original()]).expect("it is read");
        assert_eq!(comparison.differences, [""; 0]);
        assert_eq!((comparison.comments, comparison.history_entries), (1, 2));
        assert_eq!((comparison.attachments, comparison.attachment_bytes), (1, 5));
    }

    #[test]
    fn every_difference_is_found() {
        for (place, text) in [
            (0, r#"{"fields": {"summary": "other"}, "id": "1"}"#),
            (0, r#"{"fields": {}, "id": "1"}"#),
            (1, r#"{"id": "10", "body": "c"}"#),
            (2, "[]"),
            (4, "Bytes"),
        ] {
            let mut files = WHOLE;
            files[place].1 = text;
            let folder = restored(&files);
            let comparison = Comparison::of(folder.path(), &[&original()]).expect("it is read");
            assert_eq!(comparison.differences.len(), 1, "{text}: {comparison:?}");
        }
        for place in 0..WHOLE.len() {
            let mut files = WHOLE.to_vec();
            files.remove(place);
            let folder = restored(&files);
            let comparison = Comparison::of(folder.path(), &[&original()]).expect("it is read");
            assert!(!comparison.differences.is_empty(), "{:?}", WHOLE[place]);
        }
        let mut files = WHOLE.to_vec();
        files.push(("ABC-8/issue.json", "{}"));
        let comparison = Comparison::of(restored(&files).path(), &[&original()]);
        assert_eq!(comparison.expect("it is read").differences.len(), 1);
    }
}
