//! Which paths are stored, and under which keys.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use esker_engine::source::SourceError;

use super::origin::display;

/// What ends a path in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Separator {
    /// The end of the line.
    #[default]
    Newline,
    /// A zero byte, as `find -print0` writes it.
    Nul,
}

/// A file that lists paths, absolute or relative to the current folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileList {
    /// The list; `-` is the standard input.
    pub path: PathBuf,
    /// What is between the paths.
    pub separator: Separator,
}

/// By whom a path was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Named {
    /// By nobody: it is on the way to one that was.
    #[default]
    No,
    /// By a list.
    Listed,
    /// By the source itself.
    Root,
}

/// The named paths below a directory, as a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) named: Named,
    pub(super) children: BTreeMap<Vec<u8>, Selection>,
}

impl Selection {
    fn insert(&mut self, path: &Path, named: Named) {
        let mut place = self;
        for component in path.components() {
            if let Component::Normal(name) = component {
                place = place.children.entry(name.as_bytes().to_vec()).or_default();
            }
        }
        place.named = place.named.max(named);
    }

    /// Tells whether the source itself names this path or one below it.
    pub(super) fn holds_root(&self) -> bool {
        self.named == Named::Root || self.children.values().any(Self::holds_root)
    }
}

/// What a source covers.
#[derive(Debug)]
pub(super) struct Scope {
    /// The directory that keys are relative to.
    pub(super) top: PathBuf,
    /// True where it is stored itself.
    pub(super) keeps_top: bool,
    pub(super) selection: Selection,
    pub(super) identity: String,
    pub(super) name: String,
}

/// A path that the source names.
struct Root {
    /// As people know it, made absolute.
    given: PathBuf,
    /// Without symbolic links, save one that is meant itself.
    real: PathBuf,
    is_directory: bool,
}

impl Scope {
    pub(super) fn resolve(paths: &[PathBuf], lists: &[FileList]) -> Result<Self, SourceError> {
        let mut roots = paths
            .iter()
            .map(|path| Root::resolve(path).map_err(|error| unreadable(path, error)))
            .collect::<Result<Vec<_>, _>>()?;
        roots.sort_by(|a, b| a.given.cmp(&b.given));
        roots.dedup_by(|a, b| a.given == b.given);
        let (top, keeps_top) = match roots.as_slice() {
            [] if lists.is_empty() => return Err(invalid("no path to back up was given")),
            [one] if one.is_directory => (one.real.clone(), true),
            [one] => (one.real.parent().unwrap_or(Path::new("/")).to_owned(), false),
            _ => (PathBuf::from("/"), false),
        };
        let mut selection = Selection::default();
        if lists.is_empty() {
            for root in &roots {
                let below = root.real.strip_prefix(&top).unwrap_or(&root.real);
                selection.insert(below, Named::Root);
            }
        } else {
            for path in listed(lists)? {
                if !roots.is_empty() && !roots.iter().any(|root| path.starts_with(&root.real)) {
                    let path = display(path.as_os_str().as_bytes());
                    return Err(invalid(format!(
                        "the listed path `{path}` is outside of the source"
                    )));
                }
                selection.insert(path.strip_prefix(&top).unwrap_or(&path), Named::Listed);
            }
        }
        let names = names_of(&roots, lists);
        Ok(Self { top, keeps_top, selection, identity: names.join("\n"), name: names.join(", ") })
    }
}

/// The roots name a source. Where there are none its lists do, and not what they hold: that changes from day to day.
fn names_of(roots: &[Root], lists: &[FileList]) -> Vec<String> {
    let mut names: Vec<String> =
        roots.iter().map(|root| display(root.given.as_os_str().as_bytes())).collect();
    if names.is_empty() {
        names.extend(lists.iter().map(|list| {
            let path = std::path::absolute(list.place()).unwrap_or_else(|_| list.path.clone());
            format!("files-from:{}", display(path.as_os_str().as_bytes()))
        }));
        names.sort();
        names.dedup();
    }
    names
}

impl Root {
    fn resolve(path: &Path) -> io::Result<Self> {
        let is_directory = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let real = if is_directory {
            std::fs::read_dir(path)?;
            path.canonicalize()?
        } else {
            if std::fs::symlink_metadata(path)?.is_file() {
                std::fs::File::open(path)?;
            }
            real_place(path)?
        };
        let given = std::path::absolute(path)?;
        let climbs = given.components().any(|part| part == Component::ParentDir);
        Ok(Self {
            given: if climbs { real.clone() } else { given.components().collect() },
            real,
            is_directory,
        })
    }
}

/// Resolves the links on the way to a path, and leaves the last component as it is.
fn real_place(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => path.canonicalize(),
    }
}

impl FileList {
    fn place(&self) -> &Path {
        if self.path == Path::new("-") { Path::new("/dev/stdin") } else { &self.path }
    }
}

/// Reads the lists. A path that cannot be resolved is left as it is: the walk will say so.
fn listed(lists: &[FileList]) -> Result<Vec<PathBuf>, SourceError> {
    let (mut paths, mut parents) = (Vec::new(), HashMap::<PathBuf, PathBuf>::new());
    for list in lists {
        let bytes = std::fs::read(list.place()).map_err(|error| unreadable(&list.path, error))?;
        let separator = match list.separator {
            Separator::Newline => b'\n',
            Separator::Nul => 0,
        };
        for line in bytes.split(|byte| *byte == separator).filter(|line| !line.is_empty()) {
            if line.contains(&0) {
                let path = display(list.path.as_os_str().as_bytes());
                return Err(invalid(format!(
                    "`{path}` holds zero bytes: it is not a list of lines"
                )));
            }
            let path = std::path::absolute(OsStr::from_bytes(line))
                .map_err(|error| unreadable(&list.path, error))?;
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                paths.push(path.canonicalize().unwrap_or(path));
                continue;
            };
            let real = parents
                .entry(parent.to_owned())
                .or_insert_with(|| parent.canonicalize().unwrap_or_else(|_| parent.to_owned()));
            paths.push(real.join(name));
        }
    }
    if paths.is_empty() {
        return Err(invalid("the lists of paths to back up are empty"));
    }
    Ok(paths)
}

fn unreadable(path: &Path, error: io::Error) -> SourceError {
    SourceError::Unreadable { what: display(path.as_os_str().as_bytes()), source: error.into() }
}

fn invalid(what: impl Into<String>) -> SourceError {
    SourceError::Invalid { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(folder: &Path, text: &[u8], separator: Separator) -> FileList {
        let path = folder.join("list");
        std::fs::write(&path, text).unwrap();
        FileList { path, separator }
    }

    #[test]
    fn one_folder_is_the_top_and_several_paths_hang_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(real.join(name)).unwrap();
        }
        std::fs::write(real.join("file"), "x").unwrap();

        let one = Scope::resolve(&[real.join("a/."), real.join("a")], &[]).unwrap();
        assert_eq!((one.top, one.keeps_top), (real.join("a"), true));
        assert_eq!(one.selection.named, Named::Root);
        assert_eq!(one.identity, real.join("a").display().to_string());

        let file = Scope::resolve(&[real.join("file")], &[]).unwrap();
        assert_eq!((file.top, file.keeps_top), (real.clone(), false));
        assert!(file.selection.children.contains_key(b"file".as_slice()));

        let two = Scope::resolve(&[real.join("b"), real.join("b/../a")], &[]).unwrap();
        assert_eq!((two.top, two.keeps_top), (PathBuf::from("/"), false));
        let (a, b) = (real.join("a"), real.join("b"));
        assert_eq!(two.identity, format!("{}\n{}", a.display(), b.display()));
        assert!(two.selection.holds_root());

        let error = Scope::resolve(&[real.join("none")], &[]).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
        assert!(Scope::resolve(&[], &[]).is_err());
    }

    #[test]
    fn links_on_the_way_are_resolved_and_a_linked_folder_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("a")).unwrap();
        std::os::unix::fs::symlink("a", real.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", real.join("dangling")).unwrap();
        let linked = Scope::resolve(&[real.join("link")], &[]).unwrap();
        assert_eq!(linked.top, real.join("a"));
        assert_eq!(linked.identity, real.join("link").display().to_string());
        let dangling = Scope::resolve(&[real.join("link/../dangling")], &[]).unwrap();
        assert!(dangling.selection.children.contains_key(b"dangling".as_slice()));
    }

    #[test]
    fn lists_are_split_and_bounded_by_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let inside = real.join("in\nside");
        let mut text = inside.as_os_str().as_bytes().to_vec();
        text.push(0);
        let scope =
            Scope::resolve(std::slice::from_ref(&real), &[list(&real, &text, Separator::Nul)])
                .unwrap();
        assert_eq!(scope.selection.named, Named::No);
        assert!(scope.selection.children.contains_key(b"in\nside".as_slice()));

        assert!(Scope::resolve(&[], &[list(&real, &text, Separator::Newline)]).is_err());
        assert!(Scope::resolve(&[], &[list(&real, b"\n\n", Separator::Newline)]).is_err());
        let outside = Scope::resolve(
            std::slice::from_ref(&real),
            &[list(&real, b"/etc/passwd\n", Separator::Newline)],
        );
        assert!(outside.unwrap_err().to_string().contains("/etc/passwd"));
        let only = Scope::resolve(&[], &[list(&real, b"/etc/passwd\n", Separator::Newline)]);
        assert!(only.unwrap().identity.starts_with("files-from:"));
    }
}
