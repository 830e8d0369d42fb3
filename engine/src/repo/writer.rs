//! Storing objects: who has them already, which pack they go to, when the index learns of them.

mod merging;

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

use super::objects::Objects;
use super::{RepoError, Repository, Session};
use crate::format::name::ObjectName;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{ObjectId, PackId, SegmentId, ShortId};
use crate::index::{Record, build};
use crate::object::{Class, ObjectError, WriteObject};
use crate::pack::{FinishedPack, FrameCodec, PackBuilder, RawFrame};
use crate::store::{Created, Durability};

const SHARDS: usize = 16;

/// How large things are that wait in memory.
#[derive(Debug, Clone, Copy)]
pub struct WriterSizes {
    /// Where a pack ends.
    pub pack_bytes: usize,
    /// Packs that are under way to the store at a time.
    pub uploads: usize,
    /// A segment is written when this many objects wait for one.
    pub segment_records: usize,
    /// Raw bytes of a frame of contents.
    pub data_frame: usize,
    /// Raw bytes of a frame of tree nodes.
    pub meta_frame: usize,
}

impl Default for WriterSizes {
    fn default() -> Self {
        Self {
            pack_bytes: /* 16 MiB */ 16 * 1024 * 1024,
            uploads: 2,
            segment_records: 256 * 1024,
            data_frame: /* 1 MiB */ 1024 * 1024,
            meta_frame: /* 64 KiB */ 64 * 1024,
        }
    }
}

/// What a flush has made durable since the one before.
#[derive(Debug, Default, Clone)]
pub struct Flushed {
    /// Packs.
    pub packs: Vec<PackId>,
    /// Segments.
    pub segments: Vec<SegmentId>,
}

#[derive(Default)]
struct OpenPacks {
    mixed: Option<Arc<PackBuilder>>,
    meta: Option<Arc<PackBuilder>>,
    data: Option<Arc<PackBuilder>>,
    /// The session has filled its mixed pack, so it is no small one.
    outgrown: bool,
}

/// Packs that are durable and in no segment yet.
#[derive(Default)]
struct Ready {
    packs: Vec<(Arc<PackInfo>, Vec<Vec<ShortId>>)>,
    records: usize,
}

#[derive(Default)]
struct Uploads {
    in_flight: usize,
    error: Option<RepoError>,
    ready: Ready,
    written: Flushed,
}

/// Stores the objects of one session. Shared by its threads.
pub struct ObjectWriter {
    repository: Arc<Repository>,
    objects: Arc<Objects>,
    sizes: WriterSizes,
    pending: Vec<Mutex<HashSet<ShortId>>>,
    open: Mutex<OpenPacks>,
    uploads: Arc<(Mutex<Uploads>, Condvar)>,
    session: Mutex<Arc<Session>>,
    keep: Keep,
    proof: Proof,
}

/// Whether objects are stored, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Stored.
    Store,
    /// Counted: to find out what a backup would store.
    Count,
}

/// What proves that the repository has an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its pack's footer lists it.
    Footer,
    /// It was read and is right. For use after damage was met: footers do not tell which frames are hit.
    Content,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ObjectWriter {
    /// Begins to store objects of a session.
    pub fn new(
        repository: Arc<Repository>,
        objects: Arc<Objects>,
        session: Arc<Session>,
        sizes: WriterSizes,
        keep: Keep,
        proof: Proof,
    ) -> Self {
        Self {
            repository,
            objects,
            sizes,
            pending: (0..SHARDS).map(|_| Mutex::default()).collect(),
            open: Mutex::default(),
            uploads: Arc::default(),
            session: Mutex::new(session),
            keep,
            proof,
        }
    }

    /// What it was made with.
    pub fn sizes(&self) -> WriterSizes {
        self.sizes
    }

    /// Goes on in another session, after a checkpoint. Nothing may be open.
    pub fn renew(&self, session: Arc<Session>) {
        self.objects.forget_footers();
        *locked(&self.session) = session;
    }

    fn shard(&self, id: ShortId) -> &Mutex<HashSet<ShortId>> {
        &self.pending[usize::from(id.0[15]) % SHARDS]
    }

    /// True if the repository has the object in a pack that may be relied upon, or somebody is about to store it.
    pub fn has(&self, class: Class, id: &ObjectId) -> Result<bool, RepoError> {
        let short = id.to_short();
        if locked(self.shard(short)).contains(&short) {
            return Ok(true);
        }
        let session = Arc::clone(&locked(&self.session));
        let condemned = |pack: &PackId| session.is_condemned(pack);
        match self.proof {
            Proof::Footer => self.objects.contains(id, &condemned),
            Proof::Content => self.objects.holds(class, id, &condemned),
        }
    }

    /// True if the caller must store the object: nobody has it and nobody else is about to.
    pub fn claim(&self, class: Class, id: &ObjectId) -> Result<bool, RepoError> {
        if self.has(class, id)? {
            return Ok(false);
        }
        let short = id.to_short();
        Ok(locked(self.shard(short)).insert(short))
    }

    fn open_pack(&self, class: Class) -> Result<Arc<PackBuilder>, RepoError> {
        let mut open = locked(&self.open);
        let outgrown = open.outgrown;
        let (place, kind) = match (outgrown, class) {
            (false, _) => (&mut open.mixed, PackKind::Mixed),
            (true, Class::Meta) => (&mut open.meta, PackKind::Meta),
            (true, Class::Data) => (&mut open.data, PackKind::Data),
        };
        if let Some(pack) = place {
            return Ok(Arc::clone(pack));
        }
        let session = locked(&self.session).name;
        let (keys, writer) = (self.repository.keys(), session.writer);
        let pack = PackBuilder::create(keys, kind, writer, session.ulid, self.sizes.pack_bytes)?;
        Ok(Arc::clone(place.insert(Arc::new(pack))))
    }

    /// Takes a pack that is full out of the way. Another thread may have done so before.
    fn retire(&self, pack: &Arc<PackBuilder>) -> Result<(), RepoError> {
        {
            let mut open = locked(&self.open);
            let open = &mut *open;
            for place in [&mut open.mixed, &mut open.meta, &mut open.data] {
                if place.as_ref().is_some_and(|it| Arc::ptr_eq(it, pack)) {
                    *place = None;
                    open.outgrown = true;
                }
            }
        }
        if pack.close() { self.upload(pack) } else { Ok(()) }
    }

    /// Compresses, seals, verifies and packs a frame. The frame is empty then and may be filled again.
    pub fn store_frame(&self, raw: &mut RawFrame, codec: &mut FrameCodec) -> Result<(), RepoError> {
        if raw.is_empty() {
            return Ok(());
        }
        let encoded = codec.encode(raw)?;
        loop {
            let pack = self.open_pack(raw.class)?;
            let Some(place) = pack.reserve(&encoded, &raw.ids) else {
                self.retire(&pack)?;
                continue;
            };
            if pack.fill(place, encoded, self.repository.identifier(), codec)? {
                self.upload(&pack)?;
            }
            raw.clear();
            return Ok(());
        }
    }

    /// Sends a finished pack on its way; waits while too many are under way.
    fn upload(&self, pack: &PackBuilder) -> Result<(), RepoError> {
        let FinishedPack { info, objects, bytes } = pack.finish()?;
        let (state, changed) = &*self.uploads;
        let mut uploads = locked(state);
        while uploads.in_flight >= self.sizes.uploads && uploads.error.is_none() {
            uploads = changed.wait(uploads).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = uploads.error.take() {
            return Err(error);
        }
        uploads.in_flight += 1;
        drop(uploads);
        let store = self.repository.store().clone();
        let shared = Arc::clone(&self.uploads);
        let name = ObjectName::Pack { id: info.id, kind: info.kind }.to_string();
        self.repository.store().runtime().spawn(async move {
            let created = store.create_async(&name, bytes, Durability::Durable).await;
            let (state, changed) = &*shared;
            let mut uploads = locked(state);
            uploads.in_flight -= 1;
            match created {
                Ok(Created::New) => {
                    uploads.written.packs.push(info.id);
                    uploads.ready.records += objects.iter().map(Vec::len).sum::<usize>();
                    uploads.ready.packs.push((Arc::new(info), objects));
                }
                Ok(Created::Exists) => {
                    let what = "another object has its random name".into();
                    uploads.error = Some(RepoError::Unreadable { name, what });
                }
                Err(error) => uploads.error = Some(error.into()),
            }
            changed.notify_all();
        });
        Ok(())
    }

    /// Writes a segment if enough objects wait for one. Workers call it now and then.
    pub fn maybe_write_segment(&self) -> Result<(), RepoError> {
        let ready = {
            let mut uploads = locked(&self.uploads.0);
            if uploads.ready.records < self.sizes.segment_records {
                return Ok(());
            }
            std::mem::take(&mut uploads.ready)
        };
        self.write_segment(ready)
    }

    fn write_segment(&self, ready: Ready) -> Result<(), RepoError> {
        let packs: Vec<_> = ready.packs.iter().map(|(info, _)| Arc::clone(info)).collect();
        let mut records = Vec::with_capacity(ready.records);
        for (pack, (_, frames)) in (0u32..).zip(&ready.packs) {
            for (frame, objects) in (0u32..).zip(frames) {
                records.extend((0u32..).zip(objects).map(|(place, id)| Record {
                    prefix: id.prefix(),
                    pack,
                    frame,
                    place,
                }));
            }
        }
        let built = build(self.repository.keys(), &[], &packs, records)?;
        self.publish_segment(built.id, built.bytes)?;
        for id in ready.packs.iter().flat_map(|(_, frames)| frames.iter().flatten()) {
            locked(self.shard(*id)).remove(id);
        }
        Ok(())
    }

    fn publish_segment(&self, id: SegmentId, bytes: bytes::Bytes) -> Result<(), RepoError> {
        let name = ObjectName::Segment(id).to_string();
        let length = bytes.len() as u64;
        if self.repository.store().create(&name, bytes, Durability::Durable)? == Created::Exists {
            let what = "another object has its random name".into();
            return Err(RepoError::Unreadable { name, what });
        }
        let segment = self.objects.open_segment(id, length)?;
        self.objects.extend_index(|index| index.add_segment(segment));
        locked(&self.uploads.0).written.segments.push(id);
        Ok(())
    }

    /// Makes all stored objects durable and known to the index. No other thread may be storing.
    ///
    /// A session that filled no more than one mixed pack needs no segment: the pack's footer is its index.
    pub fn flush(&self) -> Result<Flushed, RepoError> {
        let (packs, small) = {
            let mut open = locked(&self.open);
            let open = std::mem::take(&mut *open);
            let small = !open.outgrown;
            ([open.mixed, open.meta, open.data], small)
        };
        for pack in packs.into_iter().flatten() {
            if pack.close() {
                self.upload(&pack)?;
            }
        }
        let ready = self.wait_for_uploads()?;
        if small && ready.packs.len() <= 1 {
            self.objects.extend_index(|index| {
                for (info, objects) in &ready.packs {
                    index.add_loose(Arc::clone(info), objects);
                }
            });
        } else if !ready.packs.is_empty() {
            self.write_segment(ready)?;
        }
        for shard in &self.pending {
            locked(shard).clear();
        }
        Ok(std::mem::take(&mut locked(&self.uploads.0).written))
    }

    fn wait_for_uploads(&self) -> Result<Ready, RepoError> {
        let (state, changed) = &*self.uploads;
        let mut uploads = locked(state);
        while uploads.in_flight > 0 {
            uploads = changed.wait(uploads).unwrap_or_else(PoisonError::into_inner);
        }
        match uploads.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut uploads.ready)),
        }
    }
}

/// What kind of content an object is of: each kind fills frames of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Tree nodes and lists.
    Meta,
    /// Records of a source.
    Document,
    /// Files and attachments.
    File,
}

impl Lane {
    fn class(self) -> Class {
        match self {
            Self::Meta => Class::Meta,
            Self::Document | Self::File => Class::Data,
        }
    }
}

/// One thread's way of storing objects: it fills frames, and lets other threads compress them where they have time.
pub struct FrameFiller {
    writer: Arc<ObjectWriter>,
    frames: [RawFrame; 3],
    codec: FrameCodec,
    helpers: Option<Sender<RawFrame>>,
    /// Objects and bytes that were new, before compression.
    new_objects: u64,
    new_bytes: u64,
}

impl FrameFiller {
    /// A filler; frames are offered to `helpers` first.
    pub fn new(
        writer: Arc<ObjectWriter>,
        helpers: Option<Sender<RawFrame>>,
    ) -> Result<Self, RepoError> {
        Ok(Self {
            writer,
            frames: [Lane::Meta, Lane::Document, Lane::File]
                .map(|lane| RawFrame::new(lane.class())),
            codec: FrameCodec::new()?,
            helpers,
            new_objects: 0,
            new_bytes: 0,
        })
    }

    /// Stores an object unless the repository has it.
    pub fn put(&mut self, lane: Lane, plain: &[u8]) -> Result<ObjectId, RepoError> {
        let id = self.writer.repository.identifier().id(lane.class(), plain);
        if !self.writer.claim(lane.class(), &id)? {
            return Ok(id);
        }
        self.new_objects += 1;
        self.new_bytes += plain.len() as u64;
        if self.writer.keep == Keep::Count {
            return Ok(id);
        }
        let sizes = self.writer.sizes();
        let limit = if lane == Lane::Meta { sizes.meta_frame } else { sizes.data_frame };
        let frame = &mut self.frames[lane as usize];
        if !frame.is_empty() && frame.raw_len() + plain.len() > limit {
            self.send(lane)?;
        }
        self.frames[lane as usize].push(id, plain);
        Ok(id)
    }

    fn send(&mut self, lane: Lane) -> Result<(), RepoError> {
        let frame = &mut self.frames[lane as usize];
        if let Some(helpers) = self.helpers.as_ref().filter(|helpers| !helpers.is_full()) {
            let full = std::mem::replace(frame, RawFrame::new(lane.class()));
            match helpers.try_send(full) {
                Ok(()) => return Ok(()),
                Err(refused) => *frame = refused.into_inner(),
            }
        }
        self.writer.store_frame(&mut self.frames[lane as usize], &mut self.codec)
    }

    /// Stores a frame that another thread filled.
    pub fn help(&mut self, mut frame: RawFrame) -> Result<(), RepoError> {
        self.writer.store_frame(&mut frame, &mut self.codec)
    }

    /// Stores what has gathered.
    pub fn flush(&mut self) -> Result<(), RepoError> {
        for frame in &mut self.frames {
            self.writer.store_frame(frame, &mut self.codec)?;
        }
        Ok(())
    }

    /// Objects and bytes that were new since the last call.
    pub fn take_figures(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.new_objects), std::mem::take(&mut self.new_bytes))
    }
}

impl WriteObject for FrameFiller {
    fn write(&mut self, class: Class, plain: &[u8]) -> Result<ObjectId, ObjectError> {
        let lane = match class {
            Class::Meta => Lane::Meta,
            Class::Data => Lane::File,
        };
        self.put(lane, plain).map_err(|error| ObjectError::Failed { source: error.into() })
    }
}
