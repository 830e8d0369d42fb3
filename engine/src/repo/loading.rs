//! Where objects are: the index is loaded, looked into, and loaded anew where a collector has moved things meanwhile.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use lru::LruCache;

use super::objects::{CacheSizes, OPEN_KEYS, Objects, PackObjects, locked};
use super::{DamagedObject, RepoError, Repository};
use crate::format::name::ObjectName;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{ObjectId, PackId, SegmentId};
use crate::index::{BlockCache, Index, IndexError, Place, ReadSegment, Segment};
use crate::parallel::{CONNECTIONS, map};
use crate::store::{Listed, Store, StoreError};

/// So often loading begins again because something was listed and then gone.
const ATTEMPTS: u32 = 4;
/// So often an object that is missing makes a reader look in vain for a collector that moved it.
const VAIN_LOOKS: u32 = 16;

/// The newest segments are opened first: where one replaces all others they are all that is opened.
const FIRST_SEGMENTS: usize = 2;
/// So many segments are opened before it is looked which of the others they replace.
const SEGMENTS_TOGETHER: usize = 16;
/// So many footers are in memory before the index takes them.
const FOOTERS_TOGETHER: usize = 256;

struct StoredSegment {
    store: Store,
    name: String,
    length: u64,
}

impl ReadSegment for StoredSegment {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: std::ops::Range<u64>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        Ok(self.store.read_range(&self.name, range)?)
    }
}

/// What was there when the index was loaded: a collector that was at work since has changed it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    names: BTreeSet<String>,
    vain: u32,
}

/// An index as it is being loaded.
#[derive(Default)]
struct Loading {
    index: Index,
    names: BTreeSet<String>,
    damaged: Vec<DamagedObject>,
    /// Something was listed and is gone.
    in_motion: bool,
}

impl Loading {
    fn damage(&mut self, name: String, error: RepoError) {
        self.in_motion |= is_gone(&error);
        self.damaged.push(DamagedObject { name, error });
    }
}

/// True where what was asked for is not in the store.
pub(crate) fn is_gone(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // A transparent error shows its source's source, and not the source.
        let inner = match error.downcast_ref() {
            Some(RepoError::Store(store)) => Some(store),
            Some(RepoError::Index(IndexError::Read { source, .. })) => source.downcast_ref(),
            _ => error.downcast_ref(),
        };
        if matches!(inner, Some(StoreError::Missing { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Objects {
    /// Opens the index: all segments, and the footers of small packs that none of them lists.
    ///
    /// What cannot be read is listed in [`damaged`](Self::damaged); the rest is used.
    pub fn load(repository: &Repository, sizes: CacheSizes) -> Result<Self, RepoError> {
        let mut objects = Self {
            store: repository.store().clone(),
            keys: Arc::clone(repository.keys()),
            identifier: repository.identifier().clone(),
            index: RwLock::default(),
            generation: 0.into(),
            loaded: Mutex::default(),
            recovered: Mutex::new(false),
            sizes,
            blocks: Arc::new(BlockCache::new(sizes.blocks)),
            footers: Mutex::default(),
            frames: Mutex::default(),
            pack_keys: Mutex::new(LruCache::new(
                std::num::NonZeroUsize::new(OPEN_KEYS).expect("not zero"),
            )),
            codecs: Mutex::default(),
            damaged: Vec::new(),
        };
        let loading = objects.load_index()?;
        objects.damaged = loading.damaged;
        objects.index = RwLock::new(loading.index);
        objects.loaded = Mutex::new(Loaded { names: loading.names, vain: 0 });
        Ok(objects)
    }

    fn load_index(&self) -> Result<Loading, RepoError> {
        for _ in 1..ATTEMPTS {
            let loading = self.try_load_index()?;
            if !loading.in_motion {
                return Ok(loading);
            }
        }
        self.try_load_index()
    }

    fn try_load_index(&self) -> Result<Loading, RepoError> {
        let mut loading = Loading::default();
        // Packs are listed before segments: a merge that runs meanwhile then hides none.
        let loose = self.listed_packs("packs/mixed")?;
        let mut segments = Vec::new();
        for listed in self.store.list("index")? {
            loading.names.insert(listed.name.clone());
            if let Ok(ObjectName::Segment(id)) = listed.name.parse() {
                segments.push((id, listed));
            }
        }
        let there: HashSet<SegmentId> = segments.iter().map(|(id, _)| *id).collect();
        self.open_segments(segments, &mut loading);
        loading.index.retain_replaced(|id| there.contains(id));
        let name = |(id, kind, _): &(PackId, PackKind, u64)| {
            ObjectName::Pack { id: *id, kind: *kind }.to_string()
        };
        loading.names.extend(loose.iter().map(name));
        let loose: Vec<_> =
            loose.into_iter().filter(|(id, ..)| loading.index.pack(id).is_none()).collect();
        for (pack, tail) in loose.iter().zip(self.read_tails(&loose)) {
            match tail {
                Ok((info, objects)) => loading.index.add_loose(Arc::new(info), &objects),
                Err(error) => loading.damage(name(pack), error),
            }
        }
        Ok(loading)
    }

    /// Opens segments, the newest first: they name those that need not be opened any more. When something was stored is only
    /// believed as far as an order goes.
    fn open_segments(&self, mut segments: Vec<(SegmentId, Listed)>, loading: &mut Loading) {
        segments.sort_by_key(|(_, listed)| listed.modified);
        let mut together = FIRST_SEGMENTS;
        while !segments.is_empty() {
            let rest = segments.len().saturating_sub(together);
            let next = segments.split_off(rest);
            let opened =
                map(CONNECTIONS, &next, |(id, listed)| self.open_segment(*id, listed.length));
            for ((_, listed), opened) in next.into_iter().zip(opened).rev() {
                match opened {
                    Ok(segment) => loading.index.add_segment(segment),
                    Err(error) => loading.damage(listed.name, error.into()),
                }
            }
            let replaced: HashSet<SegmentId> = loading.index.replaced().collect();
            segments.retain(|(id, _)| !replaced.contains(id));
            together = SEGMENTS_TOGETHER;
        }
    }

    /// Reads the footers of packs, several at a time.
    fn read_tails(
        &self,
        packs: &[(PackId, PackKind, u64)],
    ) -> Vec<Result<(PackInfo, PackObjects), RepoError>> {
        map(CONNECTIONS, packs, |(id, kind, length)| self.read_pack_tail(*id, *kind, *length))
    }

    /// How often the index was loaded anew.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Loads the index anew if a collector or a merge was at work since it was loaded. True where the index is another one than
    /// that of generation `seen`: then it is worth asking again.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub(crate) fn reload(&self, seen: u64) -> Result<bool, RepoError> {
        let mut loaded = locked(&self.loaded);
        if self.generation() != seen {
            return Ok(true);
        }
        if loaded.vain >= VAIN_LOOKS {
            return Ok(false);
        }
        if loaded.names == self.listed_sources()? {
            loaded.vain += 1;
            return Ok(false);
        }
        tracing::debug!("a collector was at work: the index is loaded anew");
        let loading = self.load_index()?;
        *loaded = Loaded { names: loading.names, vain: loaded.vain };
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = loading.index;
        *locked(&self.recovered) = false;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// The names of what an index is loaded from.
    fn listed_sources(&self) -> Result<BTreeSet<String>, StoreError> {
        let folders = ["packs/mixed", "index"].map(|folder| self.store.list(folder));
        let mut names = BTreeSet::new();
        for listed in folders {
            names.extend(listed?.into_iter().map(|object| object.name));
        }
        Ok(names)
    }

    /// The packs of a folder.
    pub(crate) fn listed_packs(
        &self,
        folder: &str,
    ) -> Result<Vec<(PackId, PackKind, u64)>, StoreError> {
        let listed = self.store.list(folder)?.into_iter();
        Ok(listed
            .filter_map(|object| match object.name.parse() {
                Ok(ObjectName::Pack { id, kind }) => Some((id, kind, object.length)),
                _ => None,
            })
            .collect())
    }

    /// Opens a stored segment.
    pub fn open_segment(&self, id: SegmentId, length: u64) -> Result<Segment, IndexError> {
        let name = ObjectName::Segment(id).to_string();
        let reader = StoredSegment { store: self.store.clone(), name, length };
        Segment::open(&self.keys, id, Arc::new(reader), &self.blocks)
    }

    /// The index, for looking at it as a whole.
    pub fn with_index<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to the index what a session has written.
    pub fn extend_index(&self, add: impl FnOnce(&mut Index)) {
        add(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn lookup(&self, id: &ObjectId) -> Result<Vec<Place>, RepoError> {
        self.lookup_prefix(id.prefix())
    }

    fn lookup_prefix(&self, prefix: u64) -> Result<Vec<Place>, RepoError> {
        loop {
            let seen = self.generation();
            match self.with_index(|index| index.lookup(prefix)) {
                Err(IndexError::Corrupt { segment, .. } | IndexError::Crypto { segment, .. }) => {
                    self.do_without(segment)?;
                }
                Err(error) if is_gone(&error) && self.reload(seen)? => {}
                found => return Ok(found?),
            }
        }
    }

    /// Puts the footers of its packs in the place of a damaged segment.
    fn do_without(&self, segment: SegmentId) -> Result<(), RepoError> {
        let packs = self.with_index(|index| {
            let damaged = index.segments().iter().find(|it| it.id() == segment);
            damaged.map(|it| it.packs().to_vec())
        });
        // Another thread may have met the damage first.
        let Some(packs) = packs else { return Ok(()) };
        tracing::warn!(%segment, "an index segment is damaged; the footers of its packs are read");
        let mut found = Vec::new();
        let tail = |pack: &Arc<PackInfo>| self.read_pack_tail(pack.id, pack.kind, pack.length);
        for (pack, tail) in packs.iter().zip(map(CONNECTIONS, &packs, tail)) {
            match tail {
                Ok(tail) => found.push(tail),
                // A pack that cannot be read is damage of its own.
                Err(error) => self.only_damage(pack, error)?,
            }
        }
        self.extend_index(|index| {
            index.drop_segment(segment);
            for (info, objects) in found {
                index.add_loose(Arc::new(info), &objects);
            }
        });
        Ok(())
    }

    /// All places where an object may be. Where there is none the footers of unlisted packs are read, once.
    pub fn places(&self, id: &ObjectId) -> Result<Vec<Place>, RepoError> {
        self.places_of_prefix(id.prefix())
    }

    /// As [`places`](Self::places), of all objects whose ids begin alike.
    pub(crate) fn places_of_prefix(&self, prefix: u64) -> Result<Vec<Place>, RepoError> {
        let found = self.lookup_prefix(prefix)?;
        if !found.is_empty() || !self.recover()? {
            return Ok(found);
        }
        self.lookup_prefix(prefix)
    }

    /// Reads the footers of all packs that the index does not list, as when a segment is lost. False if it was done before.
    pub fn recover(&self) -> Result<bool, RepoError> {
        let mut recovered = locked(&self.recovered);
        if std::mem::replace(&mut *recovered, true) {
            return Ok(false);
        }
        tracing::warn!(
            "an object is missing from the index; the footers of unlisted packs are read"
        );
        self.read_unlisted()?;
        Ok(true)
    }

    /// Reads the footers of all packs that the index does not list. A pack that cannot be read is damage of its own, and not
    /// anybody's only hope.
    pub(crate) fn read_unlisted(&self) -> Result<(), RepoError> {
        let listed = self.listed_packs("packs")?;
        let known: HashSet<PackId> =
            self.with_index(|index| index.packs().map(|pack| pack.id).collect());
        let unlisted: Vec<_> = listed.into_iter().filter(|(id, ..)| !known.contains(id)).collect();
        for packs in unlisted.chunks(FOOTERS_TOGETHER) {
            let found = self.read_tails(packs);
            self.extend_index(|index| {
                for (info, objects) in found.into_iter().flatten() {
                    index.add_loose(Arc::new(info), &objects);
                }
            });
        }
        Ok(())
    }
}
