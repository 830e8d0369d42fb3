//! What earlier collections have read: an object never changes, so what it leads to is remembered, and need not be fetched again.
//!
//! One file in the client's folder, about 16 bytes an object of the snapshots, replaced as a whole at the end of a collection.
//! What is collected depends on it, so each record is authenticated with a key of the repository; one that is damaged counts as
//! forgotten. The file may be deleted at any time. It holds keyed hashes, which say nothing to whoever has no key.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::edges::{Edges, Kind, Step};
use crate::id::{ObjectId, ShortId};
use crate::repo::Repository;

/// How the file begins.
const HEAD: &[u8] = b"esker edges 1\n";
const FILE: &str = "edges";
/// Kind, id, how many steps, how many objects of data.
const RECORD_HEAD: usize = 1 + ObjectId::LEN + 4 + 4;
/// Kind, id, length.
const STEP: usize = 1 + ObjectId::LEN + 4;
const MAC: usize = 16;
/// No record is longer: a node has a megabyte.
const MOST_BYTES: u64 = /* 64 MiB */ 64 * 1024 * 1024;

/// What is remembered, and what will be.
pub(super) struct Memory {
    key: [u8; 32],
    old: Option<Remembered>,
    new: Option<BufWriter<NamedTempFile>>,
    path: PathBuf,
}

/// The file of an earlier collection.
struct Remembered {
    file: File,
    records: HashMap<(Kind, ShortId), (u64, u32)>,
}

impl Memory {
    /// Opens what this client remembers of the repository: nothing where the file cannot be used.
    pub(super) fn open(repository: &Repository) -> Self {
        let key = blake3::derive_key("esker v1 collector edges", repository.keys().id_secret());
        let Some(folder) = repository.client().folder() else {
            return Self { key, old: None, new: None, path: PathBuf::new() };
        };
        let path = folder.join(FILE);
        let old = Remembered::open(&path).ok().flatten();
        let new = NamedTempFile::with_prefix_in(FILE, folder).and_then(|file| {
            let mut new = BufWriter::new(file);
            new.write_all(HEAD)?;
            Ok(new)
        });
        let new = new.inspect_err(|error| tracing::debug!(%error, "nothing is remembered")).ok();
        Self { key, old, new, path }
    }

    /// What an object leads to, if that is remembered.
    pub(super) fn get(&self, step: &Step) -> Option<Edges> {
        let old = self.old.as_ref()?;
        let (offset, length) = *old.records.get(&(step.kind, step.id.to_short()))?;
        let mut record = vec![0; length as usize];
        old.file.read_exact_at(&mut record, offset).ok()?;
        let (record, mac) = record.split_at_checked(record.len().checked_sub(MAC)?)?;
        let (known, edges) = decode(record)?;
        let is_whole = self.mac(record) == *mac && known.kind == step.kind && known.id == step.id;
        is_whole.then_some(edges)
    }

    /// Remembers what an object leads to.
    pub(super) fn put(&mut self, step: &Step, edges: &Edges) {
        let Some(new) = &mut self.new else { return };
        let record = encode(step, edges);
        let mac = mac(&self.key, &record);
        if let Err(error) = new.write_all(&record).and_then(|()| new.write_all(&mac)) {
            tracing::debug!(%error, "nothing is remembered");
            self.new = None;
        }
    }

    /// Keeps what was put since it was opened, and forgets the rest.
    pub(super) fn keep(&mut self) {
        let Some(new) = self.new.take() else { return };
        let kept = new
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.persist(&self.path).map_err(|error| error.error));
        if let Err(error) = kept {
            tracing::debug!(%error, "nothing is remembered");
        }
    }

    fn mac(&self, record: &[u8]) -> [u8; MAC] {
        mac(&self.key, record)
    }
}

fn mac(key: &[u8; 32], record: &[u8]) -> [u8; MAC] {
    let mut mac = [0; MAC];
    mac.copy_from_slice(&blake3::keyed_hash(key, record).as_bytes()[..MAC]);
    mac
}

impl Remembered {
    /// Finds the records; those behind one that cannot be are not found.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut reader = BufReader::new(&file);
        let mut head = [0; HEAD.len()];
        reader.read_exact(&mut head)?;
        if head != HEAD {
            return Ok(None);
        }
        let mut records = HashMap::new();
        let mut offset = HEAD.len() as u64;
        let mut head = [0; RECORD_HEAD];
        while offset + (RECORD_HEAD as u64) < end {
            reader.read_exact(&mut head)?;
            let Some((step, length)) = record_head(&head) else { break };
            if length > MOST_BYTES || offset + length > end {
                break;
            }
            records.insert((step.kind, step.id.to_short()), (offset, length as u32));
            offset += length;
            reader.seek_relative(length as i64 - RECORD_HEAD as i64)?;
        }
        drop(reader);
        Ok(Some(Self { file, records }))
    }
}

/// Whose record it is, and how long it is with its authentication.
fn record_head(head: &[u8; RECORD_HEAD]) -> Option<(Step, u64)> {
    let (step, counts) = head.split_at(1 + ObjectId::LEN);
    let (&code, id) = step.split_first()?;
    let step = Step { kind: Kind::from_code(code)?, id: ObjectId(id.try_into().ok()?), length: 0 };
    let (steps, data) = counts.split_at(4);
    let count = |bytes: &[u8]| Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)));
    let body = count(steps)? * STEP as u64 + count(data)? * ShortId::LEN as u64;
    Some((step, RECORD_HEAD as u64 + body + MAC as u64))
}

fn encode(step: &Step, edges: &Edges) -> Vec<u8> {
    let body = edges.steps.len() * STEP + edges.data.len() * ShortId::LEN;
    let mut record = Vec::with_capacity(RECORD_HEAD + body);
    record.push(step.kind as u8);
    record.extend(step.id.0);
    record.extend((edges.steps.len() as u32).to_le_bytes());
    record.extend((edges.data.len() as u32).to_le_bytes());
    for step in &edges.steps {
        record.push(step.kind as u8);
        record.extend(step.id.0);
        record.extend(step.length.to_le_bytes());
    }
    edges.data.iter().for_each(|id| record.extend(id.0));
    record
}

fn decode(record: &[u8]) -> Option<(Step, Edges)> {
    let (head, body) = record.split_first_chunk::<RECORD_HEAD>()?;
    let (step, length) = record_head(head)?;
    if length != (record.len() + MAC) as u64 {
        return None;
    }
    let count = u32::from_le_bytes(head[1 + ObjectId::LEN..][..4].try_into().ok()?) as usize;
    let (steps, data) = body.split_at_checked(count * STEP)?;
    let onward = |bytes: &[u8]| {
        Some(Step {
            kind: Kind::from_code(bytes[0])?,
            id: ObjectId(bytes[1..][..ObjectId::LEN].try_into().ok()?),
            length: u32::from_le_bytes(bytes[1 + ObjectId::LEN..].try_into().ok()?),
        })
    };
    let steps = steps.chunks_exact(STEP).map(onward).collect::<Option<_>>()?;
    let short = |bytes: &[u8]| bytes.try_into().ok().map(ShortId);
    let data = data.chunks_exact(ShortId::LEN).map(short).collect::<Option<_>>()?;
    Some((step, Edges { steps, data }))
}
