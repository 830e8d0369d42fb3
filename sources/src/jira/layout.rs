//! Where an object of a site is in the trees: collections and keys (`docs/sources/jira.md`).

use std::fmt;

use bytes::Bytes;

/// Issues with all that belongs to them.
pub(super) const ISSUES: &str = "issues";
/// Projects, components, versions.
pub(super) const PROJECTS: &str = "projects";
/// What issues refer to: fields, types, statuses and the like.
pub(super) const CONFIGURATION: &str = "configuration";
/// People.
pub(super) const USERS: &str = "users";
/// All collections.
pub(super) const COLLECTIONS: [&str; 4] = [CONFIGURATION, ISSUES, PROJECTS, USERS];

/// Entries of a history are stored in blocks of this many: an append rewrites one block
/// (docs/decisions/0007-jira-records.md).
pub(super) const HISTORY_BLOCK: usize = 32;

/// The longest name of an attachment in a key, in bytes, beside its id.
const NAME_BYTES: usize = 150;

/// The key of an issue, such as `ABC-7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct IssueKey(Box<str>);

impl IssueKey {
    /// Takes a text for a key, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (project, number) = text.rsplit_once('-')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = !project.is_empty()
            && project.len() <= 255
            && project.bytes().all(is_name)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse::<u64>().is_ok();
        fits.then(|| Self(text.into()))
    }

    /// The key of the project: `ABC`.
    pub(super) fn project(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(project, _)| project)
    }

    /// The number in the project: 7.
    pub(super) fn number(&self) -> u64 {
        self.0.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
    }

    /// What the tree keys of all records of the issue begin with.
    pub(super) fn prefix(&self) -> Vec<u8> {
        [self.project().as_bytes(), b"\0", self.0.as_bytes(), b"\0"].concat()
    }

    /// The tree key of a record.
    pub(super) fn record(&self, record: &Record<'_>) -> Bytes {
        let mut key = self.prefix();
        key.extend_from_slice(record.name().as_bytes());
        key.into()
    }
}

impl fmt::Display for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the objects that an issue is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// Its fields.
    Issue,
    /// One comment, by id.
    Comment(&'a str),
    /// A block of the history, counted from 0.
    History(usize),
    /// One worklog, by id.
    Worklog(&'a str),
    /// Links to other systems.
    RemoteLinks,
    /// Who watches it.
    Watchers,
    /// Who voted for it.
    Votes,
    /// Entity properties.
    Properties,
    /// The bytes of an attachment, by id and file name.
    Attachment(&'a str, &'a str),
}

impl Record<'_> {
    /// The part of the tree key after the issue's prefix.
    fn name(&self) -> String {
        match self {
            Self::Issue => "issue.json".into(),
            Self::Comment(id) => format!("comments\0{}.json", safe_name(id)),
            Self::History(block) => format!("history\0{block:04}.json"),
            Self::Worklog(id) => format!("worklogs\0{}.json", safe_name(id)),
            Self::RemoteLinks => "remote-links.json".into(),
            Self::Watchers => "watchers.json".into(),
            Self::Votes => "votes.json".into(),
            Self::Properties => "properties.json".into(),
            Self::Attachment(id, name) => {
                format!("attachments\0{}-{}", safe_name(id), safe_name(name))
            }
        }
    }
}

/// What a tree key of the issues says: the issue, and the rest of the key.
pub(super) fn split_record(key: &[u8]) -> Option<(IssueKey, &str)> {
    let text = std::str::from_utf8(key).ok()?;
    let (project, rest) = text.split_once('\0')?;
    let (issue, record) = rest.split_once('\0')?;
    let issue = IssueKey::parse(issue)?;
    (issue.project() == project && !record.is_empty()).then_some((issue, record))
}

/// True for the tree key of a part of an issue's history.
pub(super) fn is_history(key: &[u8]) -> bool {
    split_record(key).is_some_and(|(_, record)| record.starts_with("history\0"))
}

/// The tree key of a document in a folder: `fields`, `customfield_10010`.
pub(super) fn document_key(folders: &[&str], id: &str) -> Bytes {
    let mut key = String::new();
    for folder in folders {
        key.push_str(&safe_name(folder));
        key.push('\0');
    }
    key.push_str(&safe_name(id));
    key.push_str(".json");
    Bytes::from(key.into_bytes())
}

/// The path that people see for a tree key.
pub(super) fn path(collection: &str, key: &[u8]) -> String {
    format!("/{collection}/{}", String::from_utf8_lossy(key).replace('\0', "/"))
}

/// A name that is one component of a path on any system: no separators, control or direction characters, no dots or
/// spaces at its ends, at most 150 bytes of which the ending stays.
pub(super) fn safe_name(name: &str) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let replaced: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    let trimmed = replaced.trim_matches([' ', '.']);
    if trimmed.is_empty() {
        return "_".into();
    }
    shortened(trimmed)
}

/// Cuts out of the middle, so that the ending (`.pdf`) stays.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.into();
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() <= 16 { ending } else { "" };
    let mut end = NAME_BYTES - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_issues() {
        for (text, expected) in [
            ("ABC-7", Some(("ABC", 7))),
            ("A_1-10", Some(("A_1", 10))),
            ("abc-007", Some(("abc", 7))),
            ("ABC", None),
            ("-7", None),
            ("ABC-", None),
            ("AB/C-7", None),
            ("ABC-7x", None),
            ("ABC-99999999999999999999", None),
        ] {
            let key = IssueKey::parse(text);
            assert_eq!(key.as_ref().map(|it| (it.project(), it.number())), expected, "{text}");
        }
    }

    #[test]
    fn records_have_paths_and_are_found_again() {
        let issue = IssueKey::parse("ABC-7").expect("a key");
        for (record, expected) in [
            (Record::Issue, "/issues/ABC/ABC-7/issue.json"),
            (Record::Comment("10"), "/issues/ABC/ABC-7/comments/10.json"),
            (Record::History(3), "/issues/ABC/ABC-7/history/0003.json"),
            (Record::Attachment("5", "a.txt"), "/issues/ABC/ABC-7/attachments/5-a.txt"),
            (Record::Attachment("5", "../../x"), "/issues/ABC/ABC-7/attachments/5-_.._x"),
        ] {
            let key = issue.record(&record);
            assert_eq!(path(ISSUES, &key), expected);
            let (found, rest) = split_record(&key).expect("a record's key");
            assert_eq!((&found, rest), (&issue, record.name().as_str()));
        }
        assert!(split_record(b"ABC\0XYZ-7\0issue.json").is_none(), "another project's issue");
        assert!(split_record(b"ABC\0ABC-7\0").is_none());
    }

    #[test]
    fn hostile_names_become_one_component() {
        let long = "ü".repeat(200) + ".pdf";
        for name in [
            "",
            ".",
            "..",
            "../..",
            "a/b",
            "a\0b",
            "a\nb",
            "\u{202e}fdp.exe",
            " x. ",
            "CON:",
            &long,
        ] {
            let safe = safe_name(name);
            assert!(!safe.is_empty() && safe.len() <= NAME_BYTES, "{name:?} gives {safe:?}");
            assert!(!safe.contains(['/', '\0', '\n', '\u{202e}', ':']), "{name:?} gives {safe:?}");
            assert!(safe != "." && safe != "..", "{name:?} gives {safe:?}");
        }
        assert!(safe_name(&long).ends_with("ü.pdf"));
        assert_eq!(safe_name("Bericht (2).pdf"), "Bericht (2).pdf");
    }
}
