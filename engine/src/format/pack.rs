//! See `docs/FORMAT.md`.

use std::ops::Range;

use crate::id::PackId;
use crate::object::Class;

/// What a pack's frames hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackKind {
    /// Frames of class meta.
    Meta,
    /// Frames of class data.
    Data,
    /// Frames of both: the one pack of a small session.
    Mixed,
}

impl PackKind {
    /// Its code in the format.
    pub fn code(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Data => 1,
            Self::Mixed => 2,
        }
    }

    /// The kind of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Meta),
            1 => Some(Self::Data),
            2 => Some(Self::Mixed),
            _ => None,
        }
    }
}

/// One frame of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// Whose key it is sealed with.
    pub class: Class,
    /// Its length in the pack, tag included.
    pub stored_len: u32,
    /// The sum of its objects' lengths.
    pub raw_len: u32,
}

/// What a reader of a pack needs besides the pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackInfo {
    /// Its name.
    pub id: PackId,
    /// What it holds.
    pub kind: PackKind,
    /// Its total length.
    pub length: u64,
    /// The key section of class meta.
    pub meta_section: [u8; 96],
    /// The key section of class data; zeros where no frame has that class.
    pub data_section: [u8; 96],
    /// Its frames, one after another from offset 0.
    pub frames: Vec<FrameInfo>,
}

impl PackInfo {
    /// Where a frame lies in the pack.
    pub fn frame_range(&self, frame: u32) -> Option<Range<u64>> {
        let (before, rest) = self.frames.split_at_checked(frame as usize)?;
        let start: u64 = before.iter().map(|info| u64::from(info.stored_len)).sum();
        Some(start..start + u64::from(rest.first()?.stored_len))
    }
}
