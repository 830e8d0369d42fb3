//! The index with very many synthetic entries: building it, opening it, looking into it.
//!
//! `index_scale FOLDER [ENTRIES [RECORDS_A_SEGMENT]]` stores segments in FOLDER and prints its figures.

use std::error::Error;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use esker_benches::documents::Random;
use esker_benches::{Failure, usage};
use esker_engine::crypto::{Domain, DomainKeys, Kek};
use esker_engine::format::pack::{FrameInfo, PackInfo, PackKind};
use esker_engine::id::{PackId, RepositoryId, SegmentId};
use esker_engine::index::{BlockCache, Index, ReadSegment, Record, Segment, build};
use esker_engine::object::Class;

const FRAMES: u64 = 64;
const FRAME_OBJECTS: u64 = 300;
const PACK_OBJECTS: u64 = FRAMES * FRAME_OBJECTS;
const LOOKUPS: u64 = 100_000;

/// A segment in a file, which counts what is read of it.
struct StoredFile {
    file: File,
    length: u64,
    reads: Arc<AtomicU64>,
}

impl ReadSegment for StoredFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }
}

fn keys() -> DomainKeys {
    let keks = vec![Kek::new(Class::Meta, 0, [1; 32]), Kek::new(Class::Data, 0, [2; 32])];
    DomainKeys::new(RepositoryId([3; 16]), Domain(0), [4; 32], keks)
}

/// The prefix of an entry: spread like those of real ids.
fn prefix(number: u64) -> u64 {
    Random::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).number()
}

fn pack(number: u64) -> PackInfo {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    let frame = FrameInfo { class: Class::Data, stored_len: 256 * 1024, raw_len: 1024 * 1024 };
    PackInfo {
        id: PackId(id),
        kind: PackKind::Data,
        length: /* 17 MiB */ 17 * 1024 * 1024,
        meta_section: [1; 96],
        data_section: [2; 96],
        frames: vec![frame; FRAMES as usize],
    }
}

/// Stores one segment; returns its name and length.
fn store(
    folder: &Path,
    keys: &DomainKeys,
    numbers: Range<u64>,
) -> Result<(SegmentId, u64), Failure> {
    let first = numbers.start / PACK_OBJECTS;
    let last = (numbers.end - 1) / PACK_OBJECTS;
    let packs: Vec<_> = (first..=last).map(pack).collect();
    let record = |number: u64| Record {
        prefix: prefix(number),
        pack: (number / PACK_OBJECTS - first) as u32,
        frame: (number % PACK_OBJECTS / FRAME_OBJECTS) as u32,
        place: (number % FRAME_OBJECTS) as u32,
    };
    let built = build(keys, &[], &packs, numbers.map(record).collect())?;
    std::fs::write(folder.join(built.id.to_string()), &built.bytes)?;
    Ok((built.id, built.bytes.len() as u64))
}

/// Looks up some prefixes; prints what it took.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn look_up(
    name: &str,
    index: &Index,
    reads: &AtomicU64,
    first: u64,
    below: u64,
) -> Result<(), Failure> {
    let mut random = Random::new(11);
    reads.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let mut found = 0;
    for _ in 0..LOOKUPS {
        found += index.lookup(prefix(first + random.below(below)))?.len();
    }
    println!(
        "{name}: {:.2} µs · {:.3} reads a look-up · {found} places of {LOOKUPS}",
        start.elapsed().as_secs_f64() * 1e6 / LOOKUPS as f64,
        reads.load(Ordering::Relaxed) as f64 / LOOKUPS as f64,
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let usage_text = "usage: index_scale FOLDER [ENTRIES [RECORDS_A_SEGMENT]]";
    let folder = PathBuf::from(args.next().ok_or(usage_text)?);
    let entries: u64 = args.next().map_or(Ok(10_000_000), |it| it.parse())?;
    let a_segment: u64 = args.next().map_or(Ok(256 * 1024), |it| it.parse())?;
    if entries == 0 || a_segment == 0 {
        return Err(usage_text.into());
    }
    std::fs::create_dir_all(&folder)?;
    let (keys, start) = (keys(), Instant::now());
    let mut stored = Vec::new();
    for first in (0..entries).step_by(a_segment as usize) {
        stored.push(store(&folder, &keys, first..entries.min(first + a_segment))?);
    }
    let (took, bytes) = (start.elapsed().as_secs_f64(), stored.iter().map(|it| it.1).sum::<u64>());
    println!(
        "build: {took:.2} s · {:.0} entries/s · {} segments · {:.2} bytes an entry · peak {} MiB",
        entries as f64 / took,
        stored.len(),
        bytes as f64 / entries as f64,
        usage::peak_mib(),
    );
    let (before, start) = (usage::memory_mib(), Instant::now());
    let reads: Arc<AtomicU64> = Arc::default();
    let cache = Arc::new(BlockCache::new(/* 32 MiB */ 32 * 1024 * 1024));
    let mut index = Index::new();
    for (id, length) in stored {
        let file = File::open(folder.join(id.to_string()))?;
        let reader = StoredFile { file, length, reads: Arc::clone(&reads) };
        index.add_segment(Segment::open(&keys, id, Arc::new(reader), &cache)?);
    }
    let resident: u64 = index.segments().iter().map(Segment::resident_bytes).sum();
    println!(
        "open: {:.2} s · {} reads · {:.3} bytes an entry counted · RSS grew by {} MiB",
        start.elapsed().as_secs_f64(),
        reads.load(Ordering::Relaxed),
        resident as f64 / entries as f64,
        usage::memory_mib().saturating_sub(before),
    );
    look_up("hit", &index, &reads, 0, entries)?;
    look_up("miss", &index, &reads, entries, u64::from(u32::MAX))
}
