//! A compressed tar archive as the target of a restore.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};
use zstd::stream::write::Encoder;

use super::notices::Notices;
use super::pax::{Records, decimal};
use super::{EntryPath, SinkError};
use crate::entry::{Entry, EntryKind, Timestamp};
use crate::problem::{Problem, ProblemKind};

const LEVEL: i32 = 3;
const BLOCK_BYTES: u64 = 512;
const BUFFER_BYTES: usize = /* 64 KiB */ 64 * 1024;

/// The greatest number in a field of eight octal digits less the end mark.
const OCTAL_7: u64 = 0o777_7777;
/// The same of twelve: sizes and times.
const OCTAL_11: u64 = 0o777_7777_7777;

/// Writes entries into a tar archive, compressed with zstd. What the plain format has no room for goes into extended
/// headers that GNU tar, libarchive and Python read: long names, exact times, extended attributes.
pub struct ArchiveSink<W: Write> {
    encoder: Encoder<'static, W>,
    notices: Notices,
}

impl<W: Write> ArchiveSink<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// `Archive`.
    pub fn create(writer: W) -> Result<Self, SinkError> {
        let begin = || {
            let mut encoder = Encoder::new(writer, LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        Ok(Self {
            encoder: begin().map_err(|source| SinkError::Archive { source })?,
            notices: Notices::default(),
        })
    }

    /// Adds an entry. Of the content, which only files and documents have, exactly the entry's size is read. Sockets
    /// are told once and left out.
    ///
    /// # Errors
    /// `Full` and `Archive` end the archive. After `Content` and `Size` it goes on: what is missing is filled with zeros,
    /// as the size was written already.
    pub fn append(
        &mut self,
        path: &EntryPath,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<(), SinkError> {
        let Some(kind) = type_of(entry.kind) else {
            self.notices.tell("socket", path, ProblemKind::Unsupported, || {
                "it is a socket, which archives cannot hold".into()
            });
            return Ok(());
        };
        let link = match entry.kind {
            EntryKind::Symlink => entry.metadata.link_target.as_deref().unwrap_or_default(),
            _ => &[],
        };
        let size = if kind == EntryType::Regular { entry.size } else { 0 };
        self.head(path, entry, kind, size, link)?;
        self.body(path, size, content)
    }

    /// Adds a further name of a file that was added before.
    ///
    /// # Errors
    /// `Full`, `Archive`.
    pub fn hard_link(
        &mut self,
        path: &EntryPath,
        first: &EntryPath,
        entry: &Entry,
    ) -> Result<(), SinkError> {
        self.head(path, entry, EntryType::Link, 0, &first.archived(entry.kind))
    }

    /// Takes what could not be kept, one problem a kind.
    pub fn take_problems(&self) -> Vec<Problem> {
        self.notices.take()
    }

    /// Ends the archive and gives the writer back. An archive that is not finished lacks its end.
    ///
    /// # Errors
    /// `Full`, `Archive`.
    pub fn finish(mut self) -> Result<W, SinkError> {
        let root = EntryPath::root();
        self.put(&root, &[0; 2 * BLOCK_BYTES as usize])?;
        let mut writer = self.encoder.finish().map_err(|error| broken(&root, error))?;
        writer.flush().map_err(|error| broken(&root, error))?;
        Ok(writer)
    }

    fn head(
        &mut self,
        path: &EntryPath,
        entry: &Entry,
        kind: EntryType,
        size: u64,
        link: &[u8],
    ) -> Result<(), SinkError> {
        let mut records = Records::default();
        let mut header = describe(entry, kind, size, &mut records);
        let name = path.archived(entry.kind);
        let fields = header.as_old_mut();
        let mut raw = put_name(&mut fields.name, b"path", &name, &mut records);
        raw |= put_name(&mut fields.linkname, b"linkpath", link, &mut records);
        for (name, value) in &entry.metadata.xattrs {
            records.add(&xattr_key(name), value);
        }
        header.set_cksum();
        if !records.as_bytes().is_empty() {
            self.extended(path, raw, &records)?;
        }
        self.put(path, header.as_bytes())
    }

    /// Writes the header that extends the one after it.
    fn extended(
        &mut self,
        path: &EntryPath,
        raw: bool,
        records: &Records,
    ) -> Result<(), SinkError> {
        let mut all = Records::default();
        if raw {
            // Must come first: it tells how the names after it are to be read.
            all.add(b"hdrcharset", b"BINARY");
        }
        let bytes = [all.as_bytes(), records.as_bytes()].concat();
        let mut header = Header::new_ustar();
        let name = b"PaxHeaders/entry";
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        self.put(path, header.as_bytes())?;
        self.put(path, &bytes)?;
        self.pad(path, bytes.len() as u64)
    }

    fn body(
        &mut self,
        path: &EntryPath,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), SinkError> {
        let mut buffer = vec![0; BUFFER_BYTES.min(size as usize)];
        let mut left = size;
        let mut trouble = None;
        while left > 0 {
            let want = buffer.len().min(left.try_into().unwrap_or(usize::MAX));
            let got = if trouble.is_some() {
                buffer.fill(0);
                want
            } else {
                match content.read(&mut buffer[..want]) {
                    Ok(0) => {
                        let path = path.clone();
                        trouble = Some(SinkError::Size { path, size });
                        0
                    }
                    Ok(got) => got,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                    Err(source) => {
                        let path = path.clone();
                        trouble = Some(SinkError::Content { path, source });
                        0
                    }
                }
            };
            self.put(path, &buffer[..got])?;
            left -= got as u64;
        }
        self.pad(path, size)?;
        trouble.map_or(Ok(()), Err)
    }

    /// Fills the last block.
    fn pad(&mut self, path: &EntryPath, written: u64) -> Result<(), SinkError> {
        let missing = written.next_multiple_of(BLOCK_BYTES) - written;
        self.put(path, &[0; BLOCK_BYTES as usize][..missing as usize])
    }

    fn put(&mut self, path: &EntryPath, bytes: &[u8]) -> Result<(), SinkError> {
        self.encoder.write_all(bytes).map_err(|error| broken(path, error))
    }
}

fn broken(path: &EntryPath, source: io::Error) -> SinkError {
    if super::is_full(&source) {
        let path = path.clone();
        SinkError::Full { path, source }
    } else {
        SinkError::Archive { source }
    }
}

/// Fills a header in, but for its names and sum.
fn describe(entry: &Entry, kind: EntryType, size: u64, records: &mut Records) -> Header {
    let metadata = &entry.metadata;
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(metadata.mode.unwrap_or(match entry.kind {
        EntryKind::Directory => 0o755,
        EntryKind::Symlink => 0o777,
        _ => 0o644,
    }));
    header.set_size(number(b"size", size, OCTAL_11, records));
    let (user, group) = metadata.owner.unwrap_or_default();
    header.set_uid(number(b"uid", user.into(), OCTAL_7, records));
    header.set_gid(number(b"gid", group.into(), OCTAL_7, records));
    let modified = metadata.modified.unwrap_or(Timestamp { seconds: 0, nanoseconds: 0 });
    header.set_mtime(modified.seconds.clamp(0, OCTAL_11 as i64) as u64);
    if modified.nanoseconds != 0 || !(0..=OCTAL_11 as i64).contains(&modified.seconds) {
        records.add(b"mtime", decimal(modified).as_bytes());
    }
    if let Some(fields) = header.as_ustar_mut() {
        put_owner(&mut fields.uname, b"uname", metadata.user.as_deref(), records);
        put_owner(&mut fields.gname, b"gname", metadata.group.as_deref(), records);
        let (major, minor) = metadata.device.unwrap_or_default();
        fields.set_device_major(major);
        fields.set_device_minor(minor);
    }
    header
}

/// The number for a header; one with too many digits goes into a record instead.
fn number(key: &[u8], value: u64, most: u64, records: &mut Records) -> u64 {
    if value <= most {
        return value;
    }
    records.add(key, value.to_string().as_bytes());
    0
}

/// Puts a name into its field, and into a record where it is too long or where readers would guess its alphabet.
/// True where the record holds bytes that are no text.
fn put_name(field: &mut [u8], key: &[u8], name: &[u8], records: &mut Records) -> bool {
    let fits = name.len() <= field.len();
    let text = std::str::from_utf8(name);
    let kept = name.len().min(field.len());
    field[..kept].copy_from_slice(&name[..kept]);
    if fits && (name.is_ascii() || text.is_err()) {
        return false;
    }
    records.add(key, name);
    text.is_err()
}

fn put_owner(field: &mut [u8], key: &[u8], name: Option<&[u8]>, records: &mut Records) {
    let name = name.unwrap_or_default();
    // One byte less: the field ends with a zero.
    if name.len() < field.len() {
        field[..name.len()].copy_from_slice(name);
    }
    let text = std::str::from_utf8(name).is_ok();
    if text && (name.len() >= field.len() || !name.is_ascii()) {
        records.add(key, name);
    }
}

/// The key of an extended attribute's record; an equals sign would end it, and GNU tar spells it so.
fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    for &byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            _ => key.push(byte),
        }
    }
    key
}

/// The type of a kind; none for sockets.
fn type_of(kind: EntryKind) -> Option<EntryType> {
    Some(match kind {
        EntryKind::Document | EntryKind::File => EntryType::Regular,
        EntryKind::Directory => EntryType::Directory,
        EntryKind::Symlink => EntryType::Symlink,
        EntryKind::Fifo => EntryType::Fifo,
        EntryKind::CharDevice => EntryType::Char,
        EntryKind::BlockDevice => EntryType::Block,
        EntryKind::Socket => return None,
    })
}

#[cfg(test)]
mod tests;
