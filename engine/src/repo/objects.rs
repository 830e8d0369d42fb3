//! Reading objects: index, footers, frames and their caches.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use lru::LruCache;

use super::loading::{Loaded, is_gone};
use super::{DamagedObject, RepoError};
use crate::crypto::DomainKeys;
use crate::format::name::ObjectName;
use crate::format::pack::{Footer, PackInfo, PackKind};
use crate::id::{ObjectId, PackId, ShortId, Ulid, WriterId};
use crate::index::{BlockCache, Index, Place};
use crate::object::{Class, Identifier, ObjectError};
use crate::pack::{Frame, FrameCodec, PackKeys, Tail, read_tail};
use crate::problem::ErrorKind;
use crate::store::Store;

/// The first guess at how long a footer is: enough for a pack of small objects.
const TAIL_BYTES: u64 = /* 128 KiB */ 128 * 1024;
/// Packs whose keys are kept open.
pub(super) const OPEN_KEYS: usize = 512;

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

/// The short ids of a pack, frame by frame.
pub type PackObjects = Arc<Vec<Vec<ShortId>>>;

#[derive(Default)]
pub(super) struct Footers {
    packs: Option<LruCache<PackId, PackObjects>>,
    objects: usize,
}

#[derive(Default)]
pub(super) struct Frames {
    frames: Option<LruCache<(PackId, u32), Arc<Frame>>>,
    bytes: u64,
}

/// Finds and reads objects. Shared by all threads of an operation.
pub struct Objects {
    pub(super) store: Store,
    pub(super) keys: Arc<DomainKeys>,
    pub(super) identifier: Identifier,
    pub(super) index: RwLock<Index>,
    pub(super) generation: AtomicU64,
    pub(super) loaded: Mutex<Loaded>,
    pub(super) recovered: Mutex<bool>,
    pub(super) sizes: CacheSizes,
    pub(super) blocks: Arc<BlockCache>,
    pub(super) footers: Mutex<Footers>,
    pub(super) frames: Mutex<Frames>,
    pub(super) pack_keys: Mutex<LruCache<PackId, Arc<PackKeys>>>,
    pub(super) codecs: Mutex<Vec<FrameCodec>>,
    pub(super) damaged: Vec<DamagedObject>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    /// Reads footer and trailer of a pack; keeps the objects for the next question about it.
    pub fn read_pack_tail(
        &self,
        id: PackId,
        kind: PackKind,
        length: u64,
    ) -> Result<(PackInfo, PackObjects), RepoError> {
        let (info, footer) = self.read_footer(id, kind, length)?;
        let objects: PackObjects =
            Arc::new(footer.frames.into_iter().map(|frame| frame.objects).collect());
        self.keep_footer(id, &objects);
        Ok((info, objects))
    }

    fn read_footer(
        &self,
        id: PackId,
        kind: PackKind,
        length: u64,
    ) -> Result<(PackInfo, Footer), RepoError> {
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
                Tail::Complete { info, footer } => return Ok((info, footer)),
            }
        }
    }

    /// Who wrote a pack, in which session: its footer says so.
    pub(crate) fn session_of(&self, pack: &PackInfo) -> Result<(WriterId, Ulid), RepoError> {
        let footer = self.read_footer(pack.id, pack.kind, pack.length)?.1;
        Ok((footer.writer, footer.session))
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

    /// From now on footers are read anew: what they prove holds for the session in which they were read (FORMAT.md §11).
    pub(super) fn forget_footers(&self) {
        *locked(&self.footers) = Footers::default();
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
    pub(super) fn only_damage(&self, pack: &PackInfo, error: RepoError) -> Result<(), RepoError> {
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
        self.is_listed_short(place, &id.to_short())
    }

    /// As [`is_listed`](Self::is_listed), of an object of which no more is known.
    pub(crate) fn is_listed_short(&self, place: &Place, id: &ShortId) -> Result<bool, RepoError> {
        let objects = self.footer(&place.pack)?;
        let frame = objects.get(place.frame as usize);
        Ok(frame.and_then(|frame| frame.get(place.place as usize)) == Some(id))
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

    /// A frame that was opened before, if it is there still.
    pub(super) fn kept_frame(&self, place: &Place) -> Option<Arc<Frame>> {
        let key = (place.pack.id, place.frame);
        locked(&self.frames).frames.as_mut().and_then(|it| it.get(&key).cloned())
    }

    fn frame(&self, place: &Place) -> Result<Arc<Frame>, RepoError> {
        if let Some(frame) = self.kept_frame(place) {
            return Ok(frame);
        }
        let frame = Arc::new(self.fetch_frame(&place.pack, place.frame)?);
        self.keep_frame(place, &frame);
        Ok(frame)
    }

    pub(super) fn keep_frame(&self, place: &Place, frame: &Arc<Frame>) {
        let key = (place.pack.id, place.frame);
        let mut kept = locked(&self.frames);
        kept.bytes += frame.raw_len() as u64;
        let frames = kept.frames.get_or_insert_with(LruCache::unbounded);
        let mut gone = frames.put(key, Arc::clone(frame)).map_or(0, |old| old.raw_len() as u64);
        while kept.bytes - gone > self.sizes.frames {
            let frames = kept.frames.get_or_insert_with(LruCache::unbounded);
            match frames.pop_lru() {
                Some((_, old)) => gone += old.raw_len() as u64,
                None => break,
            }
        }
        kept.bytes -= gone;
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

    pub(super) fn read_object(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        let failed = |error: RepoError| ObjectError::Failed { source: error.into() };
        loop {
            let seen = self.generation();
            let damage = match self.read_somewhere(class, id).map_err(failed)? {
                Ok(object) => return Ok(object),
                Err(damage) => damage,
            };
            let may_have_moved = damage.as_ref().is_none_or(|error| is_gone(error));
            if may_have_moved && self.reload(seen).map_err(failed)? {
                continue;
            }
            return Err(match damage {
                Some(error) => ObjectError::Damaged { id: *id, source: error.into() },
                None => ObjectError::Missing { id: *id },
            });
        }
    }

    /// Tries all places; where none has the object the trouble with one of them, if there is a place.
    fn read_somewhere(
        &self,
        class: Class,
        id: &ObjectId,
    ) -> Result<Result<Bytes, Option<RepoError>>, RepoError> {
        let mut damage: Option<RepoError> = None;
        for place in self.places(id)? {
            match self.frame(&place) {
                Ok(frame) => {
                    if let Some(object) = self.verified(&frame, place.place, class, id) {
                        return Ok(Ok(object));
                    }
                }
                // Another place may hold the object still.
                Err(error) => damage = Some(error),
            }
        }
        Ok(Err(damage))
    }
}
