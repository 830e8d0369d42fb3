//! `--include` and `--exclude` of a restore: patterns in gitignore syntax.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use esker_engine::ops::restore::Select;
use esker_engine::sink::EntryPath;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::CommandError;

fn matcher(patterns: &[String]) -> Result<Option<Gitignore>, CommandError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|error| {
            CommandError::usage(format!("`{pattern}` is no pattern"))
                .caused_by(&error)
                .hint("patterns are those of `.gitignore`: `*.txt`, `/top/folder`, `**/name`")
        })?;
    }
    let built = builder.build();
    built.map(Some).map_err(|error| {
        CommandError::usage("the patterns make no sense together").caused_by(&error)
    })
}

/// What is wanted of a snapshot: what an include pattern matches, with all below it, and no exclude pattern.
pub(crate) fn select(
    include: &[String],
    exclude: &[String],
) -> Result<Option<Select>, CommandError> {
    let (include, exclude) = (matcher(include)?, matcher(exclude)?);
    if include.is_none() && exclude.is_none() {
        return Ok(None);
    }
    Ok(Some(Arc::new(move |path: &EntryPath, is_directory| {
        let bytes = path.as_bytes();
        if bytes.is_empty() {
            return true;
        }
        let path = Path::new(OsStr::from_bytes(bytes));
        let matches = |patterns: &Gitignore| {
            let matched = patterns.matched_path_or_any_parents(path, is_directory);
            matched.is_ignore()
        };
        include.as_ref().is_none_or(matches) && !exclude.as_ref().is_some_and(matches)
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_choose_and_excludes_leave_out() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.into()).collect::<Vec<_>>();
        let wanted = select(&texts(&["/a", "*.txt"]), &texts(&["tmp/"])).unwrap().unwrap();
        for (path, is_directory, expected) in [
            ("a", true, true),
            ("a/b", false, true),
            ("a/tmp", true, false),
            ("a/tmp/x.txt", false, false),
            ("b", true, false),
            ("b/x.txt", false, true),
        ] {
            let key = path.replace('/', "\0");
            let entry = EntryPath::from_key(key.as_bytes()).unwrap();
            assert_eq!(wanted(&entry, is_directory), expected, "{path}");
        }
        assert!(select(&[], &[]).unwrap().is_none());
        assert!(select(&texts(&["a[z-a]"]), &[]).is_err());
    }
}
