//! Paths inside a snapshot, and where they are: in which collections, and below which keys.
//!
//! `/a/b` is the key `a␀b` of a files source; `/issues/ABC` is what begins with `ABC` in the collection `issues` of another; and
//! `/ABC-7` of a Jira source is short for `/issues/ABC/ABC-7`.

use bytes::Bytes;

use super::display_key;
use crate::error::Error;
use crate::tree::Keys;

/// The kind of source whose paths begin with no collection, since it has only one.
const FILES: &str = "files";
/// The kind of source whose issues are known by their keys.
const JIRA: &str = "jira";
/// The collection of a Jira source that issues are in.
const ISSUES: &str = "issues";
/// What describes an issue, in its folder.
const ISSUE_DOCUMENT: &[u8] = b"issue.json";

/// The components of a path joined as keys are; slashes at the ends and doubled ones count nothing. Of a source that is not
/// of the kind `files` the first component is the collection.
///
/// # Errors
/// `Invalid` for `..` and zero bytes.
pub fn key_of_path(kind: &str, path: &[u8]) -> Result<Vec<u8>, Error> {
    let wrong =
        |what: &str| Error::Invalid { what: format!("`{}` {what}", String::from_utf8_lossy(path)) };
    if path.contains(&0) {
        return Err(wrong("holds a zero byte, so it is no path"));
    }
    let parts: Vec<_> =
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(wrong("holds `..`: a path inside a snapshot begins at its top"));
    }
    if let ([key], JIRA) = (&parts[..], kind)
        && let Some(project) = project_of(key)
    {
        return Ok([ISSUES.as_bytes(), project, key].join(&0));
    }
    Ok(parts.join(&0))
}

/// The project of what looks like the key of an issue: `ABC` of `ABC-7`.
fn project_of(key: &[u8]) -> Option<&[u8]> {
    let dash = key.iter().position(|byte| *byte == b'-')?;
    let (project, number) = (&key[..dash], &key[dash + 1..]);
    let is_letter = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    let is_project = project.len() >= 2
        && project.first().is_some_and(u8::is_ascii_uppercase)
        && project.iter().all(is_letter);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    (is_project && is_number).then_some(project)
}

/// The document that describes what is at a key of [`key_of_path`], where that is the folder of an issue.
pub(super) fn document_of_issue(kind: &str, key: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<_> = key.split(|byte| *byte == 0).collect();
    match parts[..] {
        [collection, project, issue]
            if kind == JIRA
                && collection == ISSUES.as_bytes()
                && project_of(issue) == Some(project) =>
        {
            Some([key, ISSUE_DOCUMENT].join(&0))
        }
        _ => None,
    }
}

/// What keys of a collection begin with that are at or below a key of [`key_of_path`]; empty for all of them, `None` where the
/// path leads elsewhere.
pub(super) fn prefix_in<'a>(kind: &str, collection: &str, key: &'a [u8]) -> Option<&'a [u8]> {
    if kind == FILES || key.is_empty() {
        return Some(key);
    }
    match key.strip_prefix(collection.as_bytes())? {
        [] => Some(&[]),
        [0, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// A prefix and all that is below it.
pub(super) fn keys_below(prefix: &[u8]) -> Keys {
    if prefix.is_empty() {
        return Keys::default();
    }
    // Components are joined by zero bytes, so what is below goes on with one.
    let end = [prefix, &[1]].concat();
    Keys { from: Bytes::copy_from_slice(prefix), end: Some(end.into()) }
}

/// The path of a key, safe to print.
pub(super) fn path_of(kind: &str, collection: &str, key: &[u8]) -> String {
    match (kind == FILES, key.is_empty()) {
        (true, _) => display_key(key),
        (false, true) => format!("/{collection}"),
        (false, false) => format!("/{collection}{}", display_key(key)),
    }
}

/// True where the components of a path are its key, and no collection comes before them.
pub(super) fn is_plain(kind: &str) -> bool {
    kind == FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_issues_are_paths_of_a_jira_source() {
        for (kind, path, expected) in [
            ("jira", "/ABC-7", "/issues/ABC/ABC-7"),
            ("jira", "ABC-7/", "/issues/ABC/ABC-7"),
            ("jira", "/A1_B-70", "/issues/A1_B/A1_B-70"),
            ("jira", "/issues/ABC", "/issues/ABC"),
            ("jira", "/abc-7", "/abc-7"),
            ("jira", "/A-7", "/A-7"),
            ("jira", "/1A-7", "/1A-7"),
            ("jira", "/ABC-", "/ABC-"),
            ("jira", "/ABC-7x", "/ABC-7x"),
            ("jira", "/ABC-7/comments", "/ABC-7/comments"),
            ("files", "/ABC-7", "/ABC-7"),
            ("files", "//a/./b/", "/a/b"),
        ] {
            let key = key_of_path(kind, path.as_bytes()).unwrap();
            assert_eq!(display_key(&key), expected, "{kind} {path}");
        }
        assert!(key_of_path("jira", b"/a/../b").is_err() && key_of_path("jira", b"a\0").is_err());
    }

    #[test]
    fn the_first_component_is_a_collection_but_of_files() {
        let check = |kind: &str, path: &str, expected: Option<&str>| {
            let key = key_of_path(kind, path.as_bytes()).unwrap();
            let prefix = prefix_in(kind, "issues", &key);
            assert_eq!(prefix, expected.map(str::as_bytes), "{kind} {path}");
        };
        check("jira", "/", Some(""));
        check("jira", "/issues", Some(""));
        check("jira", "/ABC-7", Some("ABC\0ABC-7"));
        check("jira", "/users", None);
        check("jira", "/issues2/a", None);
        check("files", "/issues/a", Some("issues\0a"));
        let document = document_of_issue("jira", b"issues\0ABC\0ABC-7").unwrap();
        assert_eq!(document, b"issues\0ABC\0ABC-7\0issue.json");
        assert_eq!(document_of_issue("jira", b"issues\0XY\0ABC-7"), None);
        assert_eq!(document_of_issue("files", b"issues\0ABC\0ABC-7"), None);
    }

    #[test]
    fn below_a_prefix_are_the_keys_that_go_on_with_a_zero() {
        let keys = keys_below(b"a");
        let is_below =
            |key: &[u8]| keys.from <= key && keys.end.as_ref().is_some_and(|it| key < it);
        assert!(is_below(b"a") && is_below(b"a\0b") && is_below(b"a\0\xff"));
        assert!(!is_below(b"a.txt") && !is_below(b"a\x01") && !is_below(b"ab") && !is_below(b"A"));
    }
}
