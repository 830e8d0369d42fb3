//! What is left out, in gitignore syntax.

use std::path::{Path, PathBuf};

use esker_engine::source::SourceError;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns; of those that match a path the last decides.
#[derive(Debug)]
pub(super) struct Excludes(Gitignore);

impl Excludes {
    /// Takes the patterns of the files, then the others.
    pub(super) fn read(files: &[PathBuf], patterns: &[String]) -> Result<Self, SourceError> {
        let mut builder = GitignoreBuilder::new("");
        for file in files {
            let what = file.display().to_string();
            let bytes = std::fs::read(file).map_err(|error| SourceError::Unreadable {
                what: what.clone(),
                source: error.into(),
            })?;
            let text = String::from_utf8(bytes).map_err(|_| SourceError::Invalid {
                what: format!("the exclude file `{what}` is not UTF-8"),
            })?;
            for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
                add(&mut builder, line, || format!("line {} of `{what}`", number + 1))?;
            }
        }
        for pattern in patterns {
            add(&mut builder, pattern, || "the exclude patterns".into())?;
        }
        let built = builder.build().map_err(|error| SourceError::Invalid {
            what: format!("the exclude patterns make no sense: {error}"),
        })?;
        Ok(Self(built))
    }

    /// Tells whether a path, relative to the source, is left out by itself.
    pub(super) fn exclude(&self, path: &Path, is_directory: bool) -> bool {
        self.0.matched(path, is_directory).is_ignore()
    }

    /// Tells whether a path or one of the directories above it is left out.
    pub(super) fn exclude_below(&self, path: &Path, is_directory: bool) -> bool {
        self.0.matched_path_or_any_parents(path, is_directory).is_ignore()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn add(
    builder: &mut GitignoreBuilder,
    line: &str,
    place: impl Fn() -> String,
) -> Result<(), SourceError> {
    match builder.add_line(None, line) {
        Ok(_) => Ok(()),
        Err(error) => Err(SourceError::Invalid {
            what: format!("`{line}` in {} is not a pattern: {error}", place()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let patterns =
            ["*.tmp", "!keep.tmp", "/top", "build/", "a/b", "**/deep/x", "# note", "", r"\#odd"];
        let excludes = Excludes::read(&[], &patterns.map(String::from)).unwrap();
        for (path, is_directory, expected) in [
            ("x.tmp", false, true),
            ("d/x.tmp", false, true),
            ("d/keep.tmp", false, false),
            ("top", false, true),
            ("d/top", false, false),
            ("build", true, true),
            ("d/build", true, true),
            ("build", false, false),
            ("a/b", false, true),
            ("d/a/b", false, false),
            ("d/e/deep/x", false, true),
            ("#odd", false, true),
            ("note", false, false),
        ] {
            assert_eq!(excludes.exclude(Path::new(path), is_directory), expected, "{path}");
        }
        assert!(excludes.exclude_below(Path::new("build/x/y"), false));
        assert!(!excludes.exclude_below(Path::new("d/keep.tmp"), false));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Excludes::read(&[], &["a[z-a]".into()]).unwrap_err();
        assert!(error.to_string().contains("a[z-a]"), "{error}");
    }

    #[test]
    fn later_patterns_and_those_given_singly_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("excludes");
        std::fs::write(&file, "\u{feff}*.log\r\n*.bak\n").unwrap();
        let excludes = Excludes::read(&[file], &["!a.log".into()]).unwrap();
        assert!(!excludes.exclude(Path::new("a.log"), false));
        assert!(excludes.exclude(Path::new("b.log"), false));
        assert!(excludes.exclude(Path::new("b.bak"), false));
        assert!(Excludes::read(&[folder.path().join("none")], &[]).is_err());
    }
}
