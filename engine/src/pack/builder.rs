//! A pack that several threads fill at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Binding, EncodedFrame, FOOTER_NONCE, FrameCodec, PackError, Part, padding};
use crate::crypto::{DataKey, DomainKeys, KEY_SECTION_LEN, TAG_LEN, random};
use crate::format::pack::{
    Footer, FooterFrame, MAX_FOOTER_LEN, MAX_FRAMES, PackInfo, PackKind, TRAILER_LEN, Trailer,
    padded_len,
};
use crate::id::{ObjectId, PackId, ShortId, Ulid, WriterId};
use crate::object::{Class, Identifier};

/// The greatest target: frames, the longest footer and padding then stay within a pack's limit.
pub const MAX_TARGET_BYTES: usize = /* 512 MiB */ 512 * 1024 * 1024;

/// Writer, session, number of frames, tag: what a footer takes besides its frames.
const FOOTER_BASE_LEN: u64 = 64;

/// A pack that is being filled; threads share it.
///
/// [`reserve`](Self::reserve) gives each frame its place at once, [`fill`](Self::fill) does the work beside the others.
/// Of all calls of `fill` and [`close`](Self::close) exactly one returns true, and its caller calls [`finish`](Self::finish);
/// none does if the pack stayed empty, a frame failed, or a reservation was dropped.
pub struct PackBuilder {
    binding: Binding,
    kind: PackKind,
    writer: WriterId,
    session: Ulid,
    target_bytes: usize,
    meta: DataKey,
    data: Option<DataKey>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    reserved_bytes: usize,
    footer_bytes: u64,
    frames: Vec<FooterFrame>,
    outstanding: usize,
    closed: bool,
    failed: bool,
}

impl State {
    /// Ready to be finished; asked for when this may just have become true.
    fn is_complete(&self) -> bool {
        self.closed && !self.failed && self.outstanding == 0 && !self.frames.is_empty()
    }

    fn place(&mut self, offset: usize, sealed: &[u8]) {
        if self.bytes.len() == offset {
            self.bytes.extend_from_slice(sealed);
            return;
        }
        let end = offset + sealed.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(sealed);
    }
}

/// The place of a frame in a pack, to be filled.
#[derive(Debug)]
#[must_use = "a pack with a place that stays empty is never finished"]
pub struct Reservation {
    pack: PackId,
    number: u32,
    offset: usize,
    stored_len: usize,
    ids: Vec<ObjectId>,
}

impl Reservation {
    /// The frame's number in its pack.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The pack.
    pub fn pack(&self) -> PackId {
        self.pack
    }
}

/// A pack, ready to be stored.
#[derive(Debug, Clone)]
pub struct FinishedPack {
    /// What must be known for reading it.
    pub info: PackInfo,
    /// The objects of each frame, in order.
    pub objects: Vec<Vec<ShortId>>,
    /// All its bytes.
    pub bytes: Bytes,
}

impl PackBuilder {
    /// Begins a pack with a random name and fresh keys.
    ///
    /// It takes no more frames when their sealed lengths would pass `target_bytes`.
    pub fn create(
        keys: &DomainKeys,
        kind: PackKind,
        writer: WriterId,
        session: Ulid,
        target_bytes: usize,
    ) -> Result<Self, PackError> {
        if target_bytes > MAX_TARGET_BYTES {
            return Err(PackError::TooLarge {
                what: "bytes as the target of a pack",
                size: target_bytes as u64,
                limit: MAX_TARGET_BYTES as u64,
            });
        }
        let pack =
            PackId(random().map_err(|source| PackError::Crypto { part: Part::Name, source })?);
        let binding = Binding::new(keys, pack);
        let generate = |class| {
            DataKey::generate(keys, class, binding.container())
                .map_err(|source| PackError::Crypto { part: Part::Key { pack, class }, source })
        };
        let data = match kind {
            PackKind::Meta => None,
            PackKind::Data | PackKind::Mixed => Some(generate(Class::Data)?),
        };
        Ok(Self {
            binding,
            kind,
            writer,
            session,
            target_bytes,
            meta: generate(Class::Meta)?,
            data,
            state: Mutex::default(),
        })
    }

    /// Nothing under this lock panics halfway through a change, so a poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pack's name.
    pub fn id(&self) -> PackId {
        self.binding.pack
    }

    /// Which classes it takes.
    pub fn kind(&self) -> PackKind {
        self.kind
    }

    /// True while no frame has a place.
    pub fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// The length of all frames that have a place.
    pub fn stored_bytes(&self) -> usize {
        self.lock().reserved_bytes
    }

    /// Gives a frame its place; `None` if the pack is closed or full: the caller then closes it and begins another.
    ///
    /// An empty pack takes a frame of any length.
    pub fn reserve(&self, encoded: &EncodedFrame, ids: &[ObjectId]) -> Option<Reservation> {
        let objects: Vec<ShortId> = ids.iter().map(|id| id.to_short()).collect();
        let stored_len = encoded.stored_len();
        let footer_bytes = Footer::frame_len(objects.len());
        let mut state = self.lock();
        let full = state.reserved_bytes + stored_len > self.target_bytes
            || state.footer_bytes + footer_bytes + FOOTER_BASE_LEN > MAX_FOOTER_LEN
            || state.frames.len() >= MAX_FRAMES;
        if state.closed || (full && !state.frames.is_empty()) {
            return None;
        }
        let reservation = Reservation {
            pack: self.binding.pack,
            number: state.frames.len() as u32,
            offset: state.reserved_bytes,
            stored_len,
            ids: ids.to_vec(),
        };
        state.reserved_bytes += stored_len;
        state.footer_bytes += footer_bytes;
        state.outstanding += 1;
        state.frames.push(FooterFrame {
            class: encoded.class,
            stored_len: stored_len as u32,
            raw_len: encoded.raw_len,
            objects,
        });
        Some(reservation)
    }

    /// Seals a frame, opens it again, compares the ids of all its objects and puts it into its place.
    ///
    /// True if the pack is closed and this was the last frame: the caller finishes it. The work is done without holding
    /// other threads up.
    ///
    /// # Errors
    /// `Verify` if the sealed frame does not hold the objects it should. After any error the pack is lost.
    #[expect(clippy::needless_pass_by_value, reason = "a place is filled once")]
    pub fn fill(
        &self,
        reservation: Reservation,
        encoded: EncodedFrame,
        identifier: &Identifier,
        codec: &mut FrameCodec,
    ) -> Result<bool, PackError> {
        let sealed = self.seal(&reservation, encoded, identifier, codec).inspect_err(|_| {
            let mut state = self.lock();
            state.failed = true;
            state.closed = true;
        })?;
        let complete = {
            let mut state = self.lock();
            if state.bytes.capacity() == 0 {
                // Once, with room for what follows the frames; pages that stay unused cost nothing.
                let room = self.target_bytes + self.target_bytes / 16;
                state.bytes.reserve_exact(room.max(sealed.len()));
            }
            state.place(reservation.offset, &sealed);
            state.outstanding -= 1;
            state.is_complete()
        };
        codec.recycle(sealed);
        Ok(complete)
    }

    /// The sealed frame, proven to hold what it should.
    fn seal(
        &self,
        reservation: &Reservation,
        encoded: EncodedFrame,
        identifier: &Identifier,
        codec: &mut FrameCodec,
    ) -> Result<Vec<u8>, PackError> {
        let pack = self.binding.pack;
        let misused = |what| PackError::Misused { pack, what };
        let (number, class) = (reservation.number, encoded.class);
        if reservation.pack != pack || reservation.stored_len != encoded.stored_len() {
            return Err(misused("was given a frame that has its place elsewhere"));
        }
        if !self.kind.holds(class) {
            return Err(misused("was given a frame of another class"));
        }
        let key = match class {
            Class::Meta => &self.meta,
            Class::Data => self.data.as_ref().ok_or_else(|| misused("has no data key"))?,
        };
        let associated = self.binding.frame(class, number);
        let raw_len = encoded.raw_len as usize;
        let mut sealed = encoded.plain;
        key.aead.seal(number, &associated, &mut sealed);

        let part = Part::Frame { pack, number };
        codec.opened.clear();
        codec.opened.extend_from_slice(&sealed);
        key.aead
            .open(number, &associated, &mut codec.opened, "frame")
            .map_err(|source| PackError::Crypto { part, source })?;
        let (mut same, mut seen_bytes) = (0, 0);
        let all = codec.inspect_opened(part, |place, object| {
            let expected = reservation.ids.get(place);
            let is_same = expected.is_some_and(|id| identifier.id(class, object) == *id);
            same += usize::from(is_same);
            seen_bytes += object.len();
            is_same
        })?;
        if !all || same != reservation.ids.len() || seen_bytes != raw_len {
            let object = reservation.ids.get(same).or(reservation.ids.last());
            return Err(PackError::Verify {
                pack,
                number,
                object: object.copied().unwrap_or(ObjectId([0; 32])),
            });
        }
        Ok(sealed)
    }

    /// Takes no more frames. True if all that have a place are in it and there is one: the caller finishes the pack.
    ///
    /// A second call returns false.
    pub fn close(&self) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.closed = true;
        state.is_complete()
    }

    /// Adds padding, footer and trailer.
    ///
    /// # Errors
    /// `Misused` unless `fill` or `close` returned true, or when it is called again.
    pub fn finish(&self) -> Result<FinishedPack, PackError> {
        let (mut bytes, frames) = {
            let mut state = self.lock();
            if !state.is_complete() {
                let what = "cannot be finished: it is open, empty, incomplete or was finished";
                let pack = self.binding.pack;
                return Err(PackError::Misused { pack, what });
            }
            (std::mem::take(&mut state.bytes), std::mem::take(&mut state.frames))
        };
        let footer = Footer { writer: self.writer, session: self.session, frames };
        let mut sealed_footer = footer.encode();
        self.meta.aead.seal(FOOTER_NONCE, &self.binding.footer(), &mut sealed_footer);

        let own_len = bytes.len() + sealed_footer.len() + TRAILER_LEN;
        let padding_len = (padded_len(own_len as u64) - own_len as u64) as usize;
        bytes.extend_from_slice(&padding(&self.meta, padding_len));
        let trailer = Trailer {
            meta_section: self.meta.section,
            data_section: self.data_section(&footer),
            footer_len: sealed_footer.len() as u32,
            padding_len: padding_len as u32,
            pack: self.binding.pack,
            domain: self.binding.domain.0,
            kind: self.kind,
        };
        bytes.extend_from_slice(&sealed_footer);
        bytes.extend_from_slice(&trailer.encode());
        let info = PackInfo {
            id: self.binding.pack,
            kind: self.kind,
            length: bytes.len() as u64,
            meta_section: trailer.meta_section,
            data_section: trailer.data_section,
            frames: footer.frames.iter().map(FooterFrame::info).collect(),
        };
        let objects = footer.frames.into_iter().map(|frame| frame.objects);
        Ok(FinishedPack { info, objects: objects.collect(), bytes: Bytes::from(bytes) })
    }

    fn data_section(&self, footer: &Footer) -> [u8; KEY_SECTION_LEN] {
        let with_data = footer.frames.iter().any(|frame| frame.class == Class::Data);
        match &self.data {
            Some(data) if with_data => data.section,
            _ => [0; KEY_SECTION_LEN],
        }
    }
}

// A footer's base must cover its tag, or a full footer would pass the limit.
const _: () = assert!(FOOTER_BASE_LEN as usize >= 8 + 16 + 10 + TAG_LEN);
