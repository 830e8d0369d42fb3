//! The reading side: from bytes of the store to frames, footers and their keys.

use std::sync::OnceLock;

use super::{Binding, FOOTER_NONCE, Frame, FrameCodec, PackError, Part, padding};
use crate::crypto::{DataKey, DomainKeys, KEY_SECTION_LEN};
use crate::format::Corrupt;
use crate::format::pack::{
    Footer, FooterFrame, FrameInfo, MAX_FOOTER_LEN, MAX_PACK_LEN, PackInfo, PackKind, TRAILER_LEN,
    Trailer,
};
use crate::id::PackId;
use crate::object::Class;

/// The keys of one pack. That of class data is opened when it is first needed, since a reader need not have it.
pub struct PackKeys {
    keys: DomainKeys,
    binding: Binding,
    meta: DataKey,
    data_section: [u8; KEY_SECTION_LEN],
    data: OnceLock<DataKey>,
}

impl PackKeys {
    /// Takes the key sections of a pack.
    pub fn open(keys: &DomainKeys, info: &PackInfo) -> Result<Self, PackError> {
        let binding = Binding::new(keys, info.id);
        Ok(Self {
            keys: keys.clone(),
            binding,
            meta: open_key(keys, &binding, Class::Meta, &info.meta_section)?,
            data_section: info.data_section,
            data: OnceLock::new(),
        })
    }

    fn key(&self, class: Class) -> Result<&DataKey, PackError> {
        if class == Class::Meta {
            return Ok(&self.meta);
        }
        if let Some(key) = self.data.get() {
            return Ok(key);
        }
        // Two threads may both come here; one of the two equal keys is kept.
        let key = open_key(&self.keys, &self.binding, class, &self.data_section)?;
        Ok(self.data.get_or_init(|| key))
    }

    /// Compares the padding with what it must be; `rest` is all that comes after the frames.
    pub fn check_padding(&self, rest: &[u8]) -> Result<(), PackError> {
        let part = Part::Trailer { pack: self.binding.pack };
        let corrupt = |source| PackError::Corrupt { part, source };
        let (before, trailer) = rest
            .split_last_chunk::<TRAILER_LEN>()
            .ok_or_else(|| corrupt(Corrupt::new("it is too short")))?;
        let length = Trailer::decode(trailer).map_err(corrupt)?.padding_len as usize;
        let found = before.get(..length);
        if found.is_some_and(|found| *found == padding(&self.meta, length)) {
            return Ok(());
        }
        Err(corrupt(Corrupt::new("its padding was changed")))
    }

    /// Opens and decodes a frame.
    ///
    /// The bytes are authentic then, but whether an object is the one asked for is for the caller to compare by its id.
    pub fn open_frame(
        &self,
        number: u32,
        info: &FrameInfo,
        sealed: &[u8],
        codec: &mut FrameCodec,
    ) -> Result<Frame, PackError> {
        let part = Part::Frame { pack: self.binding.pack, number };
        let corrupt = |what: String| PackError::Corrupt { part, source: Corrupt::new(what) };
        if sealed.len() as u64 != u64::from(info.stored_len) {
            let what = format!("{} bytes instead of {}", sealed.len(), info.stored_len);
            return Err(corrupt(what));
        }
        let key = self.key(info.class)?;
        codec.opened.clear();
        codec.opened.extend_from_slice(sealed);
        key.aead
            .open(number, &self.binding.frame(info.class, number), &mut codec.opened, "frame")
            .map_err(|source| PackError::Crypto { part, source })?;
        let frame = codec.decode_opened(part)?;
        if frame.raw_len() as u64 != u64::from(info.raw_len) {
            let what = format!("objects of {} bytes instead of {}", frame.raw_len(), info.raw_len);
            return Err(corrupt(what));
        }
        Ok(frame)
    }
}

fn open_key(
    keys: &DomainKeys,
    binding: &Binding,
    class: Class,
    section: &[u8; KEY_SECTION_LEN],
) -> Result<DataKey, PackError> {
    DataKey::open(keys, class, binding.container(), section).map_err(|source| PackError::Crypto {
        part: Part::Key { pack: binding.pack, class },
        source,
    })
}

/// What the last bytes of a pack say.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and taken apart at once")]
pub enum Tail {
    /// All that is to know.
    Complete {
        /// For reading frames.
        info: PackInfo,
        /// For finding objects.
        footer: Footer,
    },
    /// The footer begins before the bytes that were given.
    More {
        /// How many of the last bytes are needed.
        bytes: u64,
    },
}

/// Reads footer and trailer from `tail`, the last bytes of a pack of `length` bytes.
///
/// The pack is then as its name says and complete in length; the frames themselves were not looked at.
pub fn read_tail(
    keys: &DomainKeys,
    id: PackId,
    kind: PackKind,
    length: u64,
    tail: &[u8],
) -> Result<Tail, PackError> {
    let part = Part::Trailer { pack: id };
    let corrupt = |what: String| PackError::Corrupt { part, source: Corrupt::new(what) };
    let given = tail.len() as u64;
    if !(TRAILER_LEN as u64..=MAX_PACK_LEN).contains(&length) || given > length {
        return Err(corrupt(format!("it ends a pack of {length} bytes")));
    }
    let Some((before, trailer)) = tail.split_last_chunk::<TRAILER_LEN>() else {
        return Ok(Tail::More { bytes: TRAILER_LEN as u64 });
    };
    let trailer = Trailer::decode(trailer).map_err(|source| PackError::Corrupt { part, source })?;
    if (trailer.pack, trailer.kind, trailer.domain) != (id, kind, keys.domain.0) {
        return Err(corrupt("it belongs to another pack".to_owned()));
    }
    let footer_len = u64::from(trailer.footer_len);
    let bytes = footer_len + TRAILER_LEN as u64;
    if footer_len > MAX_FOOTER_LEN || bytes > length {
        return Err(corrupt(format!("it names a footer of {footer_len} bytes")));
    }
    let Some(start) = before.len().checked_sub(footer_len as usize) else {
        return Ok(Tail::More { bytes });
    };
    let footer = open_footer(keys, id, &trailer, &before[start..])?;
    check_layout(&trailer, &footer, length).map_err(|what| PackError::Corrupt {
        part: Part::Footer { pack: id },
        source: Corrupt::new(what),
    })?;
    let info = PackInfo {
        id,
        kind,
        length,
        meta_section: trailer.meta_section,
        data_section: trailer.data_section,
        frames: footer.frames.iter().map(FooterFrame::info).collect(),
    };
    Ok(Tail::Complete { info, footer })
}

fn open_footer(
    keys: &DomainKeys,
    id: PackId,
    trailer: &Trailer,
    sealed: &[u8],
) -> Result<Footer, PackError> {
    let part = Part::Footer { pack: id };
    let binding = Binding::new(keys, id);
    let key = open_key(keys, &binding, Class::Meta, &trailer.meta_section)?;
    let mut plain = sealed.to_vec();
    key.aead
        .open(FOOTER_NONCE, &binding.footer(), &mut plain, "footer")
        .map_err(|source| PackError::Crypto { part, source })?;
    Footer::decode(&plain).map_err(|source| PackError::Corrupt { part, source })
}

/// The trailer is not authentic by itself: all it says must agree with the footer.
fn check_layout(trailer: &Trailer, footer: &Footer, length: u64) -> Result<(), String> {
    if let Some(frame) = footer.frames.iter().find(|frame| !trailer.kind.holds(frame.class)) {
        let (class, kind) = (frame.class, trailer.kind);
        return Err(format!("a frame of class {class:?} in a pack of kind {kind:?}"));
    }
    let with_data = footer.frames.iter().any(|frame| frame.class == Class::Data);
    if with_data == (trailer.data_section == [0; KEY_SECTION_LEN]) {
        return Err("a data key without data frames, or the reverse".to_owned());
    }
    let frames: u64 = footer.frames.iter().map(|frame| u64::from(frame.stored_len)).sum();
    let rest = u64::from(trailer.padding_len) + u64::from(trailer.footer_len) + TRAILER_LEN as u64;
    if frames + rest != length {
        return Err(format!("its parts take {} bytes of {length}", frames + rest));
    }
    Ok(())
}
