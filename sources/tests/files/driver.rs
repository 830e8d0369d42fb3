//! Runs a scan and keeps what it says in a map, as the engine would in a tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::context::RunContext;
use esker_engine::entry::Entry;
use esker_engine::problem::Problem;
use esker_engine::source::{
    Base, BaseEntries, BaseError, Change, ContentReader, Payload, Piece, ReadBase, ScanEnd,
    ScanMode, Source, SourceError, change_channel,
};
use esker_sources::filesystem::{FilesOptions, FilesSource};

/// An entry, its content, and the holes in it as (start, length).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    pub(crate) content: Vec<u8>,
    pub(crate) holes: Vec<(u64, u64)>,
}

/// What the trees of a snapshot hold.
pub(crate) type Snapshot = BTreeMap<Vec<u8>, Stored>;

/// A last snapshot in memory.
pub(crate) struct FakeBase(pub(crate) Snapshot);

impl ReadBase for FakeBase {
    fn get(&self, _: &str, key: &[u8]) -> Result<Option<Entry>, BaseError> {
        Ok(self.0.get(key).map(|stored| stored.entry.clone()))
    }

    fn entries(&self, collection: &str, from: &[u8]) -> BaseEntries {
        assert_eq!(collection, "files");
        let entries: Vec<_> = self
            .0
            .range(from.to_vec()..)
            .map(|(key, stored)| Ok((Bytes::from(key.clone()), stored.entry.clone())))
            .collect();
        Box::new(entries.into_iter())
    }
}

/// What a scan has pushed, unread.
pub(crate) struct Pushed {
    pub(crate) changes: Vec<Change>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) unchanged: u64,
    pub(crate) end: ScanEnd,
}

/// What came of a scan.
pub(crate) struct Outcome {
    pub(crate) snapshot: Snapshot,
    pub(crate) put: Vec<Vec<u8>>,
    pub(crate) deleted: Vec<Vec<u8>>,
    pub(crate) unchanged: u64,
    pub(crate) problems: Vec<Problem>,
    pub(crate) end: ScanEnd,
}

/// Runs a scan without reading contents.
pub(crate) fn push_in(
    source: &dyn Source,
    base: Option<&Snapshot>,
    mode: ScanMode,
    ctx: &RunContext,
) -> Result<Pushed, SourceError> {
    let base = base.map(|map| Arc::new(FakeBase(map.clone())) as Arc<dyn ReadBase>);
    push_over(source, base, mode, ctx)
}

/// Runs a scan over any last snapshot without reading contents.
pub(crate) fn push_over(
    source: &dyn Source,
    base: Option<Arc<dyn ReadBase>>,
    mode: ScanMode,
    ctx: &RunContext,
) -> Result<Pushed, SourceError> {
    let base = base.map(|base| Base::new(base, BTreeMap::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (sink, receiver) = change_channel(source.describe().collections, 64 << 20, ctx);
    let drain = std::thread::spawn(move || {
        receiver.iter().flat_map(|work| work.changes).collect::<Vec<_>>()
    });
    let end = runtime.block_on(async {
        let end = source.scan(base.as_ref(), mode, &sink, ctx).await;
        sink.flush().await.unwrap();
        end
    });
    let (problems, unchanged) = (sink.take_problems(), sink.unchanged_count());
    drop(sink);
    let changes = drain.join().unwrap();
    Ok(Pushed { changes, problems, unchanged, end: end? })
}

/// Runs a scan without reading contents, with the usual surroundings.
pub(crate) fn push(source: &dyn Source, base: Option<&Snapshot>, mode: ScanMode) -> Pushed {
    push_in(source, base, mode, &RunContext::default()).unwrap()
}

/// Reads a content as the engine does.
pub(crate) fn read(
    reader: &mut dyn ContentReader,
    mut entry: Entry,
) -> Result<(Stored, Option<Problem>), Problem> {
    reader.open(&mut entry)?;
    let (mut content, mut holes) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer).unwrap() {
            Piece::Data(length) => {
                assert!(length > 0);
                content.extend_from_slice(&buffer[..length]);
            }
            Piece::Hole(length) => {
                assert!(length > 0);
                holes.push((content.len() as u64, length));
                content.resize(content.len() + length as usize, 0);
            }
            Piece::End => break,
        }
    }
    entry.size = content.len() as u64;
    let finished = reader.finish(entry.size);
    if let Some(version) = finished.version {
        entry.version = version;
    }
    let stored = Stored { entry, content, holes };
    Ok((stored, finished.problem))
}

/// Applies what was pushed to the last snapshot, in order.
pub(crate) fn apply(pushed: Pushed, base: Option<&Snapshot>) -> Outcome {
    let mut outcome = Outcome {
        snapshot: base.cloned().unwrap_or_default(),
        put: Vec::new(),
        deleted: Vec::new(),
        unchanged: pushed.unchanged,
        problems: pushed.problems,
        end: pushed.end,
    };
    let mut last = None;
    for change in pushed.changes {
        let (Change::Put { key, .. } | Change::Delete { key, .. }) = &change;
        let key = key.to_vec();
        assert!(last.is_none_or(|last| last < key), "keys ascend");
        last = Some(key.clone());
        match change {
            Change::Put { entry, payload, .. } => {
                outcome.put.push(key.clone());
                match store(entry, payload) {
                    Ok((stored, problem)) => {
                        outcome.problems.extend(problem);
                        outcome.snapshot.insert(key, stored);
                    }
                    Err(problem) => outcome.problems.push(problem),
                }
            }
            Change::Delete { .. } => {
                assert!(outcome.snapshot.remove(&key).is_some(), "only known keys are deleted");
                outcome.deleted.push(key);
            }
        }
    }
    outcome
}

fn store(entry: Entry, payload: Payload) -> Result<(Stored, Option<Problem>), Problem> {
    match payload {
        Payload::None => {
            let stored = Stored { entry, content: Vec::new(), holes: Vec::new() };
            Ok((stored, None))
        }
        Payload::Reader { mut reader, .. } => read(reader.as_mut(), entry),
        Payload::Bytes(_) | Payload::Path(_) => panic!("not of this source"),
    }
}

/// Scans and reads.
pub(crate) fn scan(source: &dyn Source, base: Option<&Snapshot>, mode: ScanMode) -> Outcome {
    apply(push(source, base, mode), base)
}

/// Takes the reader and the entry of a key out of what was pushed.
pub(crate) fn reader_of(pushed: Pushed, wanted: &str) -> (Box<dyn ContentReader>, Entry) {
    for change in pushed.changes {
        if let Change::Put { key, entry, payload, .. } = change
            && key == wanted.replace('/', "\0").as_bytes()
        {
            let Payload::Reader { reader, .. } = payload else {
                panic!("`{wanted}` has no content");
            };
            return (reader, entry);
        }
    }
    panic!("`{wanted}` was not pushed");
}

/// A folder for one test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn source(&self) -> FilesSource {
        self.source_with(FilesOptions::default())
    }

    pub(crate) fn source_with(&self, options: FilesOptions) -> FilesSource {
        FilesSource::open(vec![self.path()], options).unwrap()
    }

    /// A first scan.
    pub(crate) fn scan(&self) -> Outcome {
        scan(&self.source(), None, ScanMode::Incremental)
    }

    /// A scan that follows another.
    pub(crate) fn scan_on(&self, base: &Snapshot) -> Outcome {
        let outcome = scan(&self.source(), Some(base), ScanMode::Incremental);
        let anew = scan(&self.source(), None, ScanMode::Full).snapshot;
        assert_eq!(outcome.snapshot, anew, "incremental and full scans differ");
        let full = scan(&self.source(), Some(base), ScanMode::Full);
        assert_eq!(full.snapshot, anew, "a full scan depends on the last snapshot");
        assert_eq!(full.unchanged, 0);
        outcome
    }
}

/// The paths of keys, for comparing; the folder itself is `.`.
pub(crate) fn paths<'a>(keys: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<String> {
    let path = |key: &Vec<u8>| match key.as_slice() {
        [0] => ".".into(),
        key => String::from_utf8_lossy(key).replace('\0', "/"),
    };
    keys.into_iter().map(path).collect()
}

/// The key of a path.
pub(crate) fn key(path: &str) -> Vec<u8> {
    path.replace('/', "\0").into_bytes()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a program; false where it is missing or fails.
pub(crate) fn run(program: &str, arguments: &[&Path]) -> bool {
    std::process::Command::new(program)
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
