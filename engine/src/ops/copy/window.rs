//! Objects of contents that are fetched together: sorted by where they are stored, fetched once, stored by several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::chain::Lost;
use super::origin::Origin;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::ObjectId;
use crate::index::Place;
use crate::monitor::Counter;
use crate::object::{Class, ObjectError, ReadObject};
use crate::pack::Frame;
use crate::repo::{FrameFiller, Lane};

/// A window ends with so many objects: about 10 MiB of planning.
const PIECES: usize = 64 * 1024;
/// A window ends with so many bytes.
const BYTES: u64 = /* 64 MiB */ 64 * 1024 * 1024;
/// Neighbouring frames are fetched together up to this many bytes.
const FETCH_BYTES: u64 = /* 4 MiB */ 4 * 1024 * 1024;
/// Frames further apart than this are not fetched together.
const GAP_BYTES: u64 = /* 64 KiB */ 64 * 1024;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entry whose content it is.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) collection: u32,
    pub(super) key: Bytes,
    pub(super) lane: Lane,
}

impl Owner {
    /// Says that something of it could not be read.
    pub(super) fn lost(&self, why: &str) -> Lost {
        let message = format!("its content could not be read when it was copied: {why}");
        Lost { collection: self.collection, key: self.key.clone(), message }
    }
}

/// An object of a content.
struct Piece {
    id: ObjectId,
    length: u64,
    /// Where it may be; `None` where the index does not know.
    place: Option<Place>,
    owner: Arc<Owner>,
}

impl Piece {
    fn order(&self) -> impl Ord + use<> {
        (self.place.as_ref().map(|it| (it.pack.id, it.frame, it.place)), self.id)
    }
}

/// Objects that are to be fetched.
pub(super) struct Window {
    pieces: Vec<Piece>,
    bytes: u64,
    limit: u64,
}

impl Window {
    /// An empty one, of at most about `limit` bytes, and never of more than 64 MiB.
    pub(super) fn new(limit: u64) -> Self {
        Self { pieces: Vec::new(), bytes: 0, limit: limit.min(BYTES) }
    }

    pub(super) fn add(
        &mut self,
        id: ObjectId,
        length: u64,
        place: Option<Place>,
        owner: &Arc<Owner>,
    ) {
        self.bytes += length;
        self.pieces.push(Piece { id, length, place, owner: Arc::clone(owner) });
    }

    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() >= PIECES || self.bytes >= self.limit
    }

    /// Fetches and stores all objects, each thread with a filler of its own; says what could not be read.
    pub(super) fn carry(
        &mut self,
        origin: &Origin,
        fillers: &mut [FrameFiller],
        ctx: &RunContext,
    ) -> Result<Vec<Lost>, Error> {
        self.pieces.sort_unstable_by_key(Piece::order);
        let carry = Carry {
            origin,
            ctx,
            fetches: fetches(&self.pieces),
            pieces: &self.pieces,
            next: AtomicUsize::new(0),
            lost: Mutex::default(),
            failure: Mutex::default(),
        };
        std::thread::scope(|scope| {
            for filler in fillers.iter_mut().take(carry.fetches.len()) {
                scope.spawn(|| {
                    if let Err(error) = carry.fetch_all(filler) {
                        locked(&carry.failure).get_or_insert(error);
                    }
                });
            }
        });
        let failure = locked(&carry.failure).take();
        let lost = std::mem::take(&mut *locked(&carry.lost));
        self.pieces.clear();
        self.bytes = 0;
        match failure {
            Some(error) => Err(error),
            None if ctx.cancel.is_cancelled() => Err(Error::Cancelled),
            None => Ok(lost),
        }
    }
}

/// Pieces whose frames are fetched together; of objects whose place is not known there is no range.
struct Fetch {
    pieces: Range<usize>,
    range: Range<u64>,
}

/// Joins neighbouring frames of a pack into requests.
fn fetches(pieces: &[Piece]) -> Vec<Fetch> {
    let mut fetches: Vec<Fetch> = Vec::new();
    let mut last_pack = None;
    for (number, piece) in pieces.iter().enumerate() {
        let pack = piece.place.as_ref().map(|place| place.pack.id);
        let range = piece.place.as_ref().and_then(|place| place.pack.frame_range(place.frame));
        let range = range.unwrap_or(0..0);
        match fetches.last_mut() {
            Some(fetch)
                if last_pack == Some(pack)
                    && range.start <= fetch.range.end + GAP_BYTES
                    && range.end.max(fetch.range.end) - fetch.range.start <= FETCH_BYTES
                    && range.start >= fetch.range.start =>
            {
                fetch.range.end = fetch.range.end.max(range.end);
                fetch.pieces.end = number + 1;
            }
            _ => fetches.push(Fetch { pieces: number..number + 1, range }),
        }
        last_pack = Some(pack);
    }
    fetches
}

struct Carry<'a> {
    origin: &'a Origin,
    ctx: &'a RunContext,
    pieces: &'a [Piece],
    fetches: Vec<Fetch>,
    next: AtomicUsize,
    lost: Mutex<Vec<Lost>>,
    failure: Mutex<Option<Error>>,
}

impl Carry<'_> {
    fn fetch_all(&self, filler: &mut FrameFiller) -> Result<(), Error> {
        while let Some(fetch) = self.fetches.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.ctx.cancel.is_cancelled() || locked(&self.failure).is_some() {
                break;
            }
            let pieces = &self.pieces[fetch.pieces.clone()];
            // What cannot be fetched together is tried piece by piece, elsewhere too.
            let sealed = pieces[0].place.as_ref().and_then(|place| {
                let name = ObjectName::Pack { id: place.pack.id, kind: place.pack.kind };
                let store = self.origin.objects().store();
                store.read_range(&name.to_string(), fetch.range.clone()).ok()
            });
            let frame_of = |piece: &Piece| piece.place.as_ref().map(|place| place.frame);
            for of_frame in pieces.chunk_by(|a, b| frame_of(a) == frame_of(b)) {
                let frame = sealed.as_ref().and_then(|it| self.open(&of_frame[0], it, fetch));
                for of_object in of_frame.chunk_by(|a, b| a.id == b.id) {
                    self.store(of_object, frame.as_ref(), filler)?;
                }
            }
        }
        Ok(())
    }

    fn open(&self, piece: &Piece, sealed: &Bytes, fetch: &Fetch) -> Option<Frame> {
        let Place { pack, frame, .. } = piece.place.as_ref()?;
        let range = pack.frame_range(*frame)?;
        let start = (range.start - fetch.range.start) as usize;
        let bytes = sealed.get(start..start + (range.end - range.start) as usize)?;
        self.origin.objects().open_frame(pack, *frame, bytes).ok()
    }

    /// Stores one object; all pieces are it.
    fn store(
        &self,
        pieces: &[Piece],
        frame: Option<&Frame>,
        filler: &mut FrameFiller,
    ) -> Result<(), Error> {
        let piece = &pieces[0];
        let found = frame.zip(piece.place.as_ref()).and_then(|(frame, place)| {
            self.origin.objects().verified(frame, place.place, Class::Data, &piece.id)
        });
        let object = match found {
            Some(object) => Ok(object),
            None => self.origin.read(Class::Data, &piece.id),
        };
        let object = match object {
            Ok(object) => object,
            Err(error @ (ObjectError::Missing { .. } | ObjectError::Damaged { .. })) => {
                let why = error.to_string();
                locked(&self.lost).extend(pieces.iter().map(|piece| piece.owner.lost(&why)));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let length = object.len() as u64;
        self.ctx.monitor.count(Counter::BytesRead, length);
        let others = pieces.iter().filter(|piece| piece.length != length);
        locked(&self.lost).extend(
            others.map(|piece| piece.owner.lost("an object has another length than listed")),
        );
        filler.put(piece.owner.lane, &object)?;
        Ok(())
    }
}
