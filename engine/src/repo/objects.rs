//! Reading objects: index, footers, frames and their caches.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use lru::LruCache;

use super::{DamagedObject, RepoError, Repository};
use crate::crypto::DomainKeys;
use crate::format::name::ObjectName;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{ObjectId, PackId, SegmentId, ShortId};
use crate::index::{BlockCache, Index, IndexError, Place, ReadSegment, Segment};
use crate::object::{Class, Identifier, ObjectError, ReadObject};
use crate::pack::{Frame, FrameCodec, PackKeys, Tail, read_tail};
use crate::problem::ErrorKind;
use crate::store::{Store, StoreError};

/// The first guess at how long a footer is: enough for a pack of small objects.
const TAIL_BYTES: u64 = /* 128 KiB */ 128 * 1024;
/// Packs whose keys are kept open.
const OPEN_KEYS: usize = 512;

/// How much memory reading may take.
#[derive(Debug, Clone, Copy)]
pub struct CacheSizes {
    /// Decoded index blocks.
    pub blocks: u64,
    /// Opened frames.
    pub frames: u64,
    /// Objects of footers, 16 bytes each.
    pub footer_objects: usize,
}

impl Default for CacheSizes {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self { blocks: 8 * mib, frames: 16 * mib, footer_objects: 512 * 1024 }
    }
}

struct StoredSegment {
    store: Store,
    name: String,
    length: u64,
}

impl ReadSegment for StoredSegment {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(
        &self,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.store.read_range(&self.name, range)?)
    }
}

/// The short ids of a pack, frame by frame.
pub type PackObjects = Arc<Vec<Vec<ShortId>>>;

#[derive(Default)]
struct Footers {
    packs: Option<LruCache<PackId, PackObjects>>,
    objects: usize,
}

#[derive(Default)]
struct Frames {
    frames: Option<LruCache<(PackId, u32), Arc<Frame>>>,
    bytes: u64,
}

/// Finds and reads objects. Shared by all threads of an operation.
pub struct Objects {
    store: Store,
    keys: Arc<DomainKeys>,
    identifier: Identifier,
    index: RwLock<Index>,
    recovered: Mutex<bool>,
    sizes: CacheSizes,
    blocks: Arc<BlockCache>,
    footers: Mutex<Footers>,
    frames: Mutex<Frames>,
    pack_keys: Mutex<LruCache<PackId, Arc<PackKeys>>>,
    codecs: Mutex<Vec<FrameCodec>>,
    damaged: Vec<DamagedObject>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Packs are listed before segments: a merge that runs meanwhile then hides none.
        let loose = objects.listed_packs("packs/mixed")?;
        let mut index = Index::new();
        for listed in objects.store.list("index")? {
            let Ok(ObjectName::Segment(id)) = listed.name.parse() else {
                continue;
            };
            match objects.open_segment(id, listed.length) {
                Ok(segment) => index.add_segment(segment),
                Err(error) => objects.damage(&listed.name, error),
            }
        }
        objects.damaged.extend(objects.add_loose(&mut index, loose));
        objects.index = RwLock::new(index);
        Ok(objects)
    }

    fn damage(&mut self, name: &str, error: impl Into<RepoError>) {
        self.damaged.push(DamagedObject { name: name.into(), error: error.into() });
    }

    fn listed_packs(&self, folder: &str) -> Result<Vec<(PackId, PackKind, u64)>, StoreError> {
        let listed = self.store.list(folder)?.into_iter();
        Ok(listed
            .filter_map(|object| match object.name.parse() {
                Ok(ObjectName::Pack { id, kind }) => Some((id, kind, object.length)),
                _ => None,
            })
            .collect())
    }

    fn add_loose(
        &self,
        index: &mut Index,
        packs: Vec<(PackId, PackKind, u64)>,
    ) -> Vec<DamagedObject> {
        let mut damaged = Vec::new();
        for (id, kind, length) in packs {
            if index.pack(&id).is_some() {
                continue;
            }
            match self.read_pack_tail(id, kind, length) {
                Ok((info, objects)) => index.add_loose(Arc::new(info), &objects),
                Err(error) => {
                    let name = ObjectName::Pack { id, kind }.to_string();
                    damaged.push(DamagedObject { name, error });
                }
            }
        }
        damaged
    }

    /// Opens a stored segment.
    pub fn open_segment(&self, id: SegmentId, length: u64) -> Result<Segment, IndexError> {
        let name = ObjectName::Segment(id).to_string();
        let reader = StoredSegment { store: self.store.clone(), name, length };
        Segment::open(&self.keys, id, Arc::new(reader), &self.blocks)
    }

    /// Reads footer and trailer of a pack; keeps the objects for the next question about it.
    pub fn read_pack_tail(
        &self,
        id: PackId,
        kind: PackKind,
        length: u64,
    ) -> Result<(PackInfo, PackObjects), RepoError> {
        let name = ObjectName::Pack { id, kind }.to_string();
        let mut wanted = TAIL_BYTES.min(length);
        loop {
            let (tail, total) = self.store.read_tail(&name, wanted)?;
            match read_tail(&self.keys, id, kind, total, &tail)? {
                Tail::More { bytes } if bytes > wanted => wanted = bytes,
                Tail::More { .. } => {
                    let what = "its end cannot be read";
                    return Err(RepoError::Unreadable { name, what: what.into() });
                }
                Tail::Complete { info, footer } => {
                    let objects: PackObjects =
                        Arc::new(footer.frames.into_iter().map(|frame| frame.objects).collect());
                    self.keep_footer(id, &objects);
                    return Ok((info, objects));
                }
            }
        }
    }

    fn keep_footer(&self, id: PackId, objects: &PackObjects) {
        let count = |objects: &PackObjects| objects.iter().map(Vec::len).sum::<usize>();
        let mut footers = locked(&self.footers);
        footers.objects += count(objects);
        let packs = footers.packs.get_or_insert_with(LruCache::unbounded);
        let mut gone = packs.put(id, Arc::clone(objects)).map_or(0, |old| count(&old));
        while footers.objects - gone > self.sizes.footer_objects {
            let packs = footers.packs.get_or_insert_with(LruCache::unbounded);
            // The newest one stays even if it is too large by itself: it is needed now.
            if packs.len() <= 1 {
                break;
            }
            gone += packs.pop_lru().map_or(0, |(_, old)| count(&old));
        }
        footers.objects -= gone;
    }

    fn footer(&self, pack: &PackInfo) -> Result<PackObjects, RepoError> {
        let kept = locked(&self.footers).packs.as_mut().and_then(|it| it.get(&pack.id).cloned());
        match kept {
            Some(objects) => Ok(objects),
            None => Ok(self.read_pack_tail(pack.id, pack.kind, pack.length)?.1),
        }
    }

    /// Where they are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Computes their ids.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// What could not be read when the index was loaded.
    pub fn damaged(&self) -> &[DamagedObject] {
        &self.damaged
    }

    /// The index, for looking at it as a whole.
    pub fn with_index<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to the index what a session has written.
    pub fn extend_index(&self, add: impl FnOnce(&mut Index)) {
        add(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn lookup(&self, id: &ObjectId) -> Result<Vec<Place>, RepoError> {
        loop {
            match self.with_index(|index| index.lookup(id.prefix())) {
                Err(IndexError::Corrupt { segment, .. } | IndexError::Crypto { segment, .. }) => {
                    self.do_without(segment)?;
                }
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
        for pack in packs {
            match self.read_pack_tail(pack.id, pack.kind, pack.length) {
                Ok(tail) => found.push(tail),
                // A pack that cannot be read is damage of its own.
                Err(error) => self.only_damage(&pack, error)?,
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

    /// True if the object is stored in a pack that may be relied upon.
    ///
    /// The index only nominates; the short id in the pack's footer decides. A footer that cannot be read counts as "no": the
    /// object is then stored again, which heals it.
    pub fn contains(
        &self,
        id: &ObjectId,
        condemned: &dyn Fn(&PackId) -> bool,
    ) -> Result<bool, RepoError> {
        for place in self.lookup(id)? {
            if condemned(&place.pack.id) {
                continue;
            }
            match self.is_listed(&place, id) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => self.only_damage(&place.pack, error)?,
            }
        }
        Ok(false)
    }

    /// Passes over what is wrong with a pack, and hands back that the store does not answer.
    fn only_damage(&self, pack: &PackInfo, error: RepoError) -> Result<(), RepoError> {
        match error {
            RepoError::Store(error) if error.kind() != ErrorKind::NotFound => {
                // Stores refuse ranges beyond the end of a truncated pack, each in words of its own.
                let (id, kind) = (pack.id, pack.kind);
                let name = ObjectName::Pack { id, kind }.to_string();
                match self.store.length(&name) {
                    Ok(length) if length != pack.length => Ok(()),
                    _ => Err(error.into()),
                }
            }
            _ => Ok(()),
        }
    }

    /// True if the footer of the pack lists the object at this place.
    pub fn is_listed(&self, place: &Place, id: &ObjectId) -> Result<bool, RepoError> {
        let objects = self.footer(&place.pack)?;
        let frame = objects.get(place.frame as usize);
        Ok(frame.and_then(|frame| frame.get(place.place as usize)) == Some(&id.to_short()))
    }

    /// True if the object can be read from a pack that may be relied upon, and is right.
    pub fn holds(
        &self,
        class: Class,
        id: &ObjectId,
        condemned: &dyn Fn(&PackId) -> bool,
    ) -> Result<bool, RepoError> {
        for place in self.lookup(id)? {
            if condemned(&place.pack.id) {
                continue;
            }
            match self.frame(&place) {
                Ok(frame) if self.verified(&frame, place.place, class, id).is_some() => {
                    return Ok(true);
                }
                Ok(_) => {}
                Err(error) => self.only_damage(&place.pack, error)?,
            }
        }
        Ok(false)
    }

    /// All places where an object may be. Where there is none the footers of unlisted packs are read, once.
    pub fn places(&self, id: &ObjectId) -> Result<Vec<Place>, RepoError> {
        let found = self.lookup(id)?;
        if !found.is_empty() || !self.recover()? {
            return Ok(found);
        }
        self.lookup(id)
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
        let listed = self.listed_packs("packs")?;
        let known: HashSet<PackId> =
            self.with_index(|index| index.packs().map(|pack| pack.id).collect());
        let mut found = Vec::new();
        for (id, kind, length) in listed {
            if !known.contains(&id) {
                // A pack that cannot be read is damage of its own, and not this object's only hope.
                found.extend(self.read_pack_tail(id, kind, length));
            }
        }
        self.extend_index(|index| {
            for (info, objects) in found {
                index.add_loose(Arc::new(info), &objects);
            }
        });
        Ok(true)
    }

    fn keys_of(&self, pack: &PackInfo) -> Result<Arc<PackKeys>, RepoError> {
        if let Some(keys) = locked(&self.pack_keys).get(&pack.id) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(PackKeys::open(&self.keys, pack)?);
        locked(&self.pack_keys).put(pack.id, Arc::clone(&keys));
        Ok(keys)
    }

    /// Lends a codec; threads that read share a few.
    pub fn with_codec<T>(
        &self,
        work: impl FnOnce(&mut FrameCodec) -> Result<T, RepoError>,
    ) -> Result<T, RepoError> {
        let mut codec = match locked(&self.codecs).pop() {
            Some(codec) => codec,
            None => FrameCodec::new()?,
        };
        let done = work(&mut codec);
        locked(&self.codecs).push(codec);
        done
    }

    /// Opens the sealed bytes of a frame.
    pub fn open_frame(
        &self,
        pack: &PackInfo,
        number: u32,
        sealed: &[u8],
    ) -> Result<Frame, RepoError> {
        let info = pack.frames.get(number as usize).ok_or_else(|| RepoError::Unreadable {
            name: ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string(),
            what: format!("it has no frame {number}"),
        })?;
        let keys = self.keys_of(pack)?;
        self.with_codec(|codec| Ok(keys.open_frame(number, info, sealed, codec)?))
    }

    /// Fetches and opens a frame.
    pub fn fetch_frame(&self, pack: &PackInfo, number: u32) -> Result<Frame, RepoError> {
        let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
        let range = pack.frame_range(number).ok_or_else(|| RepoError::Unreadable {
            name: name.clone(),
            what: format!("it has no frame {number}"),
        })?;
        let sealed = self.store.read_range(&name, range)?;
        self.open_frame(pack, number, &sealed)
    }

    /// Compares the padding of a pack with what it must be.
    pub fn check_padding(&self, pack: &PackInfo) -> Result<(), RepoError> {
        let keys = self.keys_of(pack)?;
        let start = pack.frames.iter().map(|frame| u64::from(frame.stored_len)).sum::<u64>();
        let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
        let rest = self.store.read_range(&name, start..pack.length)?;
        Ok(keys.check_padding(&rest)?)
    }

    fn frame(&self, place: &Place) -> Result<Arc<Frame>, RepoError> {
        let key = (place.pack.id, place.frame);
        let kept = locked(&self.frames).frames.as_mut().and_then(|it| it.get(&key).cloned());
        if let Some(frame) = kept {
            return Ok(frame);
        }
        let frame = Arc::new(self.fetch_frame(&place.pack, place.frame)?);
        let mut kept = locked(&self.frames);
        kept.bytes += frame.raw_len() as u64;
        let frames = kept.frames.get_or_insert_with(LruCache::unbounded);
        let mut gone = frames.put(key, Arc::clone(&frame)).map_or(0, |old| old.raw_len() as u64);
        while kept.bytes - gone > self.sizes.frames {
            let frames = kept.frames.get_or_insert_with(LruCache::unbounded);
            match frames.pop_lru() {
                Some((_, old)) => gone += old.raw_len() as u64,
                None => break,
            }
        }
        kept.bytes -= gone;
        Ok(frame)
    }

    /// The object of a place if it is the one asked for.
    pub fn verified(
        &self,
        frame: &Frame,
        place: u32,
        class: Class,
        id: &ObjectId,
    ) -> Option<Bytes> {
        frame.object(place).filter(|object| self.identifier.id(class, object) == *id)
    }

    fn read_object(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        let failed = |error: RepoError| ObjectError::Failed { source: error.into() };
        let mut damage: Option<RepoError> = None;
        for place in self.places(id).map_err(failed)? {
            match self.frame(&place) {
                Ok(frame) => {
                    if let Some(object) = self.verified(&frame, place.place, class, id) {
                        return Ok(object);
                    }
                }
                // Another place may hold the object still.
                Err(error) => damage = Some(error),
            }
        }
        Err(match damage {
            Some(error) => ObjectError::Damaged { id: *id, source: error.into() },
            None => ObjectError::Missing { id: *id },
        })
    }
}

impl ReadObject for Objects {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        self.read_object(class, id)
    }
}
