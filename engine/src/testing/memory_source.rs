//! A source that lives in memory and can be told what goes wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Item, Key, Model};
use crate::context::{Cancel, RunContext};
use crate::entry::{Entry, EntryKind};
use crate::ops::display_key;
use crate::problem::{Problem, ProblemKind};
use crate::source::{
    Base, BaseError, ChangeSink, CollectionEnd, Completeness, CompletenessState, ContentReader,
    Finished, Ledger, PartCompleteness, Payload, Piece, ScanEnd, ScanMode, Source, SourceError,
    SourceInfo,
};

/// Zeros of a file that make a whole block of this size are handed over as a hole.
const BLOCK: usize = /* 64 KiB */ 64 * 1024;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// What is wrong with one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The scan meets it.
    OnScan,
    /// The worker that opens the content meets it.
    OnOpen,
    /// The worker meets it after half of the content.
    OnRead,
}

/// What the source does with a field that differs each time it is looked at, such as a signed URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Volatile {
    /// It is left out, as the contract says.
    #[default]
    Stripped,
    /// It is stored: the conformance suite must notice.
    Stored,
}

#[derive(Default)]
struct State {
    items: Model,
    /// What was touched, in the order of time; a cursor is a place in it.
    journal: Vec<Key>,
    troubles: BTreeMap<Key, Trouble>,
    fail_after: Option<u64>,
    cancel_after_reads: Option<u64>,
    volatile: Volatile,
    silent_deletes: bool,
    ledger: Ledger,
    parts: BTreeMap<String, Vec<PartCompleteness>>,
    ticks: u64,
    reads: Vec<Key>,
}

/// A source over plain maps. Clones share everything.
///
/// It scans by its journal where the base has a cursor, and compares with the base where it has none. Contents come through
/// readers, so that tests count what was read.
#[derive(Clone)]
pub struct MemorySource {
    info: SourceInfo,
    state: Arc<Mutex<State>>,
}

impl MemorySource {
    /// An empty source with these collections.
    pub fn new(identity: &str, collections: &[&str]) -> Self {
        Self::of_kind("memory", identity, collections)
    }

    /// An empty source that says it is of another kind, such as `jira`.
    pub fn of_kind(kind: &str, identity: &str, collections: &[&str]) -> Self {
        let info = SourceInfo {
            kind: kind.into(),
            identity: identity.into(),
            name: identity.into(),
            collections: collections.iter().map(|&name| name.into()).collect(),
        };
        Self { info, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or changes an object.
    pub fn put(&self, collection: &str, key: impl Into<Bytes>, item: Item) {
        assert!(self.info.collections.iter().any(|name| name == collection));
        let key = (collection.to_owned(), key.into());
        let mut state = self.state();
        state.journal.push(key.clone());
        state.items.insert(key, item);
    }

    /// Removes an object.
    pub fn remove(&self, collection: &str, key: impl Into<Bytes>) -> Option<Item> {
        let key = (collection.to_owned(), key.into());
        let mut state = self.state();
        state.journal.push(key.clone());
        state.items.remove(&key)
    }

    /// Everything it holds.
    pub fn model(&self) -> Model {
        self.state().items.clone()
    }

    /// Lets something be wrong with an object, or right again.
    pub fn set_trouble(&self, collection: &str, key: impl Into<Bytes>, trouble: Option<Trouble>) {
        let key = (collection.to_owned(), key.into());
        let mut state = self.state();
        match trouble {
            Some(trouble) => state.troubles.insert(key, trouble),
            None => state.troubles.remove(&key),
        };
    }

    /// Lets scans fail as a whole after so many pushes.
    pub fn fail_after(&self, pushes: Option<u64>) {
        self.state().fail_after = pushes;
    }

    /// Cancels the operation once so many contents were read to their end.
    pub fn cancel_after_reads(&self, reads: Option<u64>) {
        self.state().cancel_after_reads = reads;
    }

    /// What becomes of its volatile field.
    pub fn set_volatile(&self, volatile: Volatile) {
        self.state().volatile = volatile;
    }

    /// Lets it break the contract: deletions are not said.
    pub fn forget_deletions(&self) {
        self.state().silent_deletes = true;
    }

    /// What its scans say is gone.
    pub fn set_ledger(&self, ledger: Ledger) {
        self.state().ledger = ledger;
    }

    /// Parts of a collection that its scans say are not complete.
    pub fn set_parts(&self, collection: &str, parts: Vec<PartCompleteness>) {
        self.state().parts.insert(collection.into(), parts);
    }

    /// Changes the volatile field, and nothing else.
    pub fn tick(&self) {
        self.state().ticks += 1;
    }

    /// The objects whose contents were opened since the last call.
    pub fn take_reads(&self) -> Vec<Key> {
        std::mem::take(&mut self.state().reads)
    }

    fn problem(key: &Key) -> Problem {
        Problem {
            path: display_key(&key.1),
            kind: ProblemKind::Unreadable,
            message: "it was told to be unreadable".into(),
            stale: false,
        }
    }

    /// Looks at one key: pushes it, its deletion, or its problem.
    async fn look(&self, scan: &mut Scan<'_>, key: &[u8]) -> Result<(), SourceError> {
        if scan.ctx.cancel.is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        let key = (scan.collection.to_owned(), Bytes::copy_from_slice(key));
        let number = scan.changes.collection(scan.collection);
        let (item, trouble, entry) = {
            let state = self.state();
            if state.fail_after.is_some_and(|limit| scan.pushes >= limit) {
                return Err(SourceError::Unreadable {
                    what: self.info.name.clone(),
                    source: "it was told to fail".into(),
                });
            }
            let item = state.items.get(&key).cloned();
            let entry = item.as_ref().map(|item| {
                let mut entry = item.entry();
                if state.volatile == Volatile::Stored {
                    let ticks = Bytes::copy_from_slice(&state.ticks.to_le_bytes());
                    entry.metadata.other.push((200, ticks));
                }
                entry
            });
            (item, state.troubles.get(&key).copied(), entry)
        };
        scan.pushes += 1;
        let (Some(item), Some(entry)) = (item, entry) else {
            return Ok(scan.changes.delete(number, key.1).await?);
        };
        scan.found += 1;
        if scan.mode == ScanMode::Incremental && scan.has_version(&key.1, &entry.version).await? {
            scan.changes.unchanged(1);
            return Ok(());
        }
        if trouble == Some(Trouble::OnScan) {
            scan.failed += 1;
            let known = match scan.base {
                Some(base) => base.get(scan.collection, &key.1).await?,
                None => None,
            };
            let problem = Self::problem(&key);
            let stale = known.is_some();
            scan.changes.problem(Problem { stale, ..problem });
            self.state().journal.push(key);
            return Ok(());
        }
        let payload = if matches!(item.kind, EntryKind::Document | EntryKind::File) {
            let reader = ItemReader {
                source: self.clone(),
                cancel: scan.ctx.cancel.clone(),
                key: key.clone(),
                trouble,
                rest: item.content.clone(),
                holes: item.kind == EntryKind::File,
            };
            Payload::Reader { size: item.content.len() as u64, reader: Box::new(reader) }
        } else {
            Payload::None
        };
        Ok(scan.changes.put(number, key.1, entry, payload).await?)
    }

    /// The keys of a collection that an incremental or full scan looks at, ascending.
    async fn plan(&self, scan: &Scan<'_>) -> Result<BTreeSet<Bytes>, SourceError> {
        let cursor = scan.base.and_then(|base| base.cursor(scan.collection));
        let place = cursor.and_then(|cursor| cursor.try_into().ok().map(u64::from_le_bytes));
        let of_collection = |key: &&Key| key.0 == scan.collection;
        if let (ScanMode::Incremental, Some(place)) = (scan.mode, place) {
            let state = self.state();
            let since = state.journal.iter().skip(place as usize);
            return Ok(since.filter(of_collection).map(|key| key.1.clone()).collect());
        }
        let mut keys: BTreeSet<_> = {
            let state = self.state();
            let own = state.items.keys().filter(of_collection);
            own.map(|key| key.1.clone()).collect()
        };
        if let Some(base) = scan.base.filter(|_| !self.state().silent_deletes) {
            let (reader, name) = (Arc::clone(base.reader()), scan.collection.to_owned());
            let known = tokio::task::spawn_blocking(move || {
                let entries = reader.entries(&name, b"");
                entries.map(|entry| Ok(entry?.0)).collect::<Result<Vec<_>, BaseError>>()
            });
            keys.extend(known.await.expect("the reader does not panic")?);
        }
        Ok(keys)
    }
}

/// One scan of one collection.
struct Scan<'a> {
    collection: &'a str,
    base: Option<&'a Base>,
    mode: ScanMode,
    changes: &'a ChangeSink,
    ctx: &'a RunContext,
    pushes: u64,
    found: u64,
    failed: u64,
}

impl Scan<'_> {
    /// True where the base holds this version of a key.
    async fn has_version(&self, key: &[u8], version: &Bytes) -> Result<bool, SourceError> {
        let Some(base) = self.base else {
            return Ok(false);
        };
        let known = base.get(self.collection, key).await?;
        Ok(known.is_some_and(|entry| entry.version == *version))
    }
}

#[async_trait::async_trait]
impl Source for MemorySource {
    fn describe(&self) -> SourceInfo {
        self.info.clone()
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        mode: ScanMode,
        changes: &ChangeSink,
        ctx: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let mut end = ScanEnd::default();
        let mut pushes = 0;
        for name in &self.info.collections {
            let mut scan =
                Scan { collection: name, base, mode, changes, ctx, pushes, found: 0, failed: 0 };
            // What is touched from here on is for the next scan.
            let cursor = self.state().journal.len() as u64;
            for key in self.plan(&scan).await? {
                self.look(&mut scan, &key).await?;
            }
            pushes = scan.pushes;
            let parts = self.state().parts.get(name).cloned().unwrap_or_default();
            let state = match scan.failed {
                0 if parts.is_empty() => CompletenessState::Complete,
                _ => CompletenessState::Partial,
            };
            end.collections.push(CollectionEnd {
                name: name.clone(),
                cursor: Some(cursor.to_le_bytes().to_vec()),
                completeness: Completeness {
                    state,
                    expected: None,
                    found: scan.found - scan.failed,
                    detail: String::new(),
                    parts,
                },
            });
        }
        end.requests = pushes;
        end.ledger = self.state().ledger.clone();
        Ok(end)
    }
}

struct ItemReader {
    source: MemorySource,
    cancel: Cancel,
    key: Key,
    trouble: Option<Trouble>,
    rest: Bytes,
    holes: bool,
}

impl ItemReader {
    /// The cursor must not pass what could not be read.
    fn look_again(&self) {
        self.source.state().journal.push(self.key.clone());
    }

    /// How many bytes the rest begins with that are holes, or are none.
    fn run(&self, is_hole: bool) -> usize {
        let blocks = self.rest.chunks(BLOCK);
        let same =
            |block: &&[u8]| (self.holes && block.len() == BLOCK && **block == ZEROS) == is_hole;
        blocks.take_while(same).map(<[u8]>::len).sum()
    }
}

impl ContentReader for ItemReader {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        if self.trouble == Some(Trouble::OnOpen) {
            self.look_again();
            return Err(MemorySource::problem(&self.key));
        }
        self.source.state().reads.push(self.key.clone());
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        if self.trouble == Some(Trouble::OnRead) && self.rest.len() < 2 * BLOCK {
            self.look_again();
            return Err(io::Error::other("it was told to be unreadable"));
        }
        let hole = self.run(true);
        if hole > 0 {
            self.rest = self.rest.slice(hole..);
            return Ok(Piece::Hole(hole as u64));
        }
        // Whole blocks, so that holes are found at the same places whatever the buffer.
        let length = self.run(false).min(buffer.len() / BLOCK * BLOCK);
        if length == 0 {
            return Ok(Piece::End);
        }
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(Piece::Data(length))
    }

    fn finish(&mut self, _: u64) -> Finished {
        let mut state = self.source.state();
        if let Some(left) = &mut state.cancel_after_reads {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.cancel.cancel();
            }
        }
        Finished::default()
    }

    fn path(&self) -> String {
        display_key(&self.key.1)
    }
}
