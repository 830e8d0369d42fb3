use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::crypto::{ContainerId, DataKey, Domain, DomainKeys, Kek};
use crate::format::Writer;
use crate::format::index::{
    BlockInfo, DIRECTORY_NONCE, Directory, FILTER_NONCE, PrefixFilter, SegmentTrailer,
    encode_block, segment_context,
};
use crate::format::pack::{FrameInfo, PackKind};
use crate::id::RepositoryId;
use crate::object::Class;

fn keys() -> DomainKeys {
    let keks = vec![Kek::new(Class::Meta, 0, [1; 32]), Kek::new(Class::Data, 0, [2; 32])];
    DomainKeys::new(RepositoryId([3; 16]), Domain(0), [4; 32], keks)
}

fn pack(number: u32, frames: usize) -> PackInfo {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    let frame = FrameInfo { class: Class::Data, stored_len: 100, raw_len: 200 };
    PackInfo {
        id: PackId(id),
        kind: PackKind::Data,
        length: /* 16 MiB */ 16 * 1024 * 1024,
        meta_section: [number as u8; 96],
        data_section: [5; 96],
        frames: vec![frame; frames],
    }
}

fn packs(count: u32) -> Vec<PackInfo> {
    (0..count).map(|number| pack(number, 16)).collect()
}

/// The splitmix64 sequence: spread like the prefixes of real ids.
fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Records in arrival order, 2,000 a pack.
fn records(numbers: Range<u64>) -> Vec<Record> {
    let record = |number: u64| Record {
        prefix: spread(number),
        pack: (number / 2000) as u32,
        frame: (number % 2000 / 125) as u32,
        place: (number % 125) as u32,
    };
    numbers.map(record).collect()
}

#[derive(Clone)]
struct Memory {
    bytes: Bytes,
    reads: Arc<AtomicUsize>,
    /// Lies about the length of what it returns.
    short: bool,
}

impl Memory {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, reads: Arc::default(), short: false }
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl ReadSegment for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let end = range.end as usize - usize::from(self.short);
        if range.start > range.end || range.end > self.length() {
            return Err(format!("asked for {range:?} of {}", self.length()).into());
        }
        Ok(self.bytes.slice(range.start as usize..end))
    }
}

fn try_open(id: SegmentId, bytes: Bytes, cache: u64) -> Result<Segment, IndexError> {
    let cache = Arc::new(BlockCache::new(cache));
    Segment::open(&keys(), id, Arc::new(Memory::new(bytes)), &cache)
}

fn open(built: &BuiltSegment) -> Segment {
    try_open(built.id, built.bytes.clone(), 1 << 20).unwrap()
}

fn open_counted(built: &BuiltSegment, cache: u64) -> (Segment, Memory) {
    let memory = Memory::new(built.bytes.clone());
    let cache = Arc::new(BlockCache::new(cache));
    let segment = Segment::open(&keys(), built.id, Arc::new(memory.clone()), &cache).unwrap();
    (segment, memory)
}

fn all(segment: &Segment) -> Vec<Record> {
    segment.records().collect::<Result<_, _>>().unwrap()
}

fn found(segment: &Segment, prefix: u64) -> Vec<(PackId, u32, u32)> {
    let mut found = Vec::new();
    segment.lookup(prefix, &mut found).unwrap();
    found.iter().map(|place| (place.pack.id, place.frame, place.place)).collect()
}

/// Opens, looks up and reads all: everything that touches the bytes.
fn use_all(id: SegmentId, bytes: Bytes) -> Result<Vec<Record>, IndexError> {
    let segment = try_open(id, bytes, 0)?;
    let records = segment.records().collect::<Result<Vec<_>, _>>()?;
    for record in records.iter().step_by(100) {
        segment.lookup(record.prefix, &mut Vec::new())?;
    }
    Ok(records)
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let prefix = prop_oneof![4 => any::<u64>(), 2 => 0..40u64, 1 => Just(u64::MAX)];
    let record = (prefix, 0..5u32, 0..16u32, 0..4u32)
        .prop_map(|(prefix, pack, frame, place)| Record { prefix, pack, frame, place });
    prop::collection::vec(record, 0..3000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_built_is_found(records in any_records(), others: Vec<u64>) {
        let packs = packs(5);
        let replaces = [SegmentId([9; 16])];
        let segment = open(&build(&keys(), &replaces, &packs, records.clone()).unwrap());
        let mut expected: BTreeMap<u64, BTreeSet<Record>> = BTreeMap::new();
        for record in records {
            expected.entry(record.prefix).or_default().insert(record);
        }
        let sorted: Vec<Record> = expected.values().flatten().copied().collect();
        prop_assert_eq!(segment.replaces(), replaces);
        prop_assert_eq!(segment.record_count(), sorted.len() as u64);
        prop_assert_eq!(all(&segment), sorted);
        for prefix in expected.keys().copied().chain(others).chain(0..50).chain([u64::MAX]) {
            let wanted: Vec<_> = expected.get(&prefix).into_iter().flatten()
                .map(|record| (packs[record.pack as usize].id, record.frame, record.place)).collect();
            prop_assert_eq!(found(&segment, prefix), wanted);
        }
    }

    #[test]
    fn a_merge_is_a_build_of_the_union(parts in prop::collection::vec(any_records(), 1..4), loose in 0u64..50) {
        let packs = packs(6);
        let id = |number: u64| {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&spread(number).to_be_bytes());
            ShortId(id)
        };
        let mut union: Vec<Record> = parts.concat();
        let objects = vec![(0..loose).map(id).collect::<Vec<_>>(), vec![id(0)]];
        for (frame, objects) in (0..).zip(&objects) {
            union.extend((0..).zip(objects).map(|(place, id)| Record { prefix: id.prefix(), pack: 5, frame, place }));
        }
        // Each part replaces what came before all of them, and lists the packs in another order, so that numbers must change.
        let before = [SegmentId([7; 16])];
        let segments: Vec<Segment> = parts.into_iter().enumerate().map(|(turn, mut records)| {
            let mut listed = packs[..5].to_vec();
            listed.rotate_left(turn);
            for record in &mut records {
                record.pack = (record.pack + 5 - turn as u32) % 5;
            }
            open(&build(&keys(), &before, &listed, records).unwrap())
        }).collect();
        let segments: Vec<&Segment> = segments.iter().collect();
        let merged = merge(&keys(), &segments, &[(Arc::new(packs[5].clone()), objects)], &BTreeSet::new()).unwrap();
        let merged = open(&merged);
        let wanted = open(&build(&keys(), &[], &packs, union).unwrap());
        prop_assert_eq!(all(&merged), all(&wanted));
        prop_assert_eq!(merged.packs(), wanted.packs());
        let of_parts = segments.iter().flat_map(|it| std::iter::once(it.id()).chain(before));
        let ids: BTreeSet<SegmentId> = of_parts.collect();
        prop_assert_eq!(merged.replaces(), ids.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn one_prefix_over_many_blocks_is_found_whole() {
    let mut records = records(0..3000);
    let twin = 1 << 63;
    let same = (0..5000u32).map(|number| Record {
        prefix: twin,
        pack: 1,
        frame: number / 1000,
        place: number % 1000,
    });
    records.extend(same);
    let segment = open(&build(&keys(), &[], &packs(2), records).unwrap());
    let places = found(&segment, twin);
    assert_eq!(places.len(), 5000);
    assert!(places.is_sorted(), "and none twice");
    assert_eq!(found(&segment, twin - 1), []);
    assert_eq!(found(&segment, twin + 1), []);
}

#[test]
fn the_filter_and_the_cache_spare_reads() {
    let records = records(0..20_000);
    let built = build(&keys(), &[], &packs(10), records.clone()).unwrap();
    let (segment, memory) = open_counted(&built, 1 << 20);
    let opened = memory.reads();
    assert!(opened <= 3, "{opened} reads to open");
    for number in 20_000..40_000 {
        assert_eq!(found(&segment, spread(number)), []);
    }
    let blocks = 20;
    let missed = memory.reads() - opened;
    assert!(
        (1..=blocks).contains(&missed),
        "{missed} reads for 0.4 % of 20,000, all cached after one"
    );
    for record in &records {
        assert_eq!(found(&segment, record.prefix).len(), 1);
    }
    assert_eq!(memory.reads() - opened, blocks);

    let (segment, memory) = open_counted(&built, 0);
    let opened = memory.reads();
    for number in 20_000..40_000 {
        found(&segment, spread(number));
    }
    let missed = memory.reads() - opened;
    assert!((20..200).contains(&missed), "{missed} reads without a cache: 0.4 % of 20,000 are 78");
    let before = memory.reads();
    assert_eq!(all(&segment).len(), 20_000);
    assert_eq!(memory.reads() - before, 1, "all blocks at once");
}

#[test]
fn a_small_segment_opens_with_one_read() {
    let built = build(&keys(), &[], &packs(1), records(0..2000)).unwrap();
    let (_, memory) = open_counted(&built, 0);
    assert_eq!(memory.reads(), 1);
}

#[test]
fn empty_segments_and_segments_of_one_record_work() {
    for count in [0, 1, 2] {
        let built = build(&keys(), &[], &packs(1), records(0..count)).unwrap();
        let segment = open(&built);
        assert_eq!(all(&segment), {
            let mut sorted = records(0..count);
            sorted.sort();
            sorted
        });
        assert_eq!(found(&segment, spread(0)).len(), usize::from(count > 0));
        assert_eq!(found(&segment, 12_345), []);
    }
}

/// The promise of the design; packs of 2,000 objects and 16 frames are 0.2 of it.
fn check_footprint(count: u64) -> Duration {
    let (packs, records) = (packs((count / 2000) as u32), records(0..count));
    let start = Instant::now();
    let built = build(&keys(), &[], &packs, records).unwrap();
    let took = start.elapsed();
    let segment = open(&built);
    assert_eq!(segment.record_count(), count);
    let resident = segment.resident_bytes() as f64 / count as f64;
    assert!((1.1..=1.5).contains(&resident), "{resident} bytes an object");
    let stored = built.bytes.len() as f64 / count as f64;
    assert!((10.0..=14.0).contains(&stored), "{stored} bytes an object are stored");
    for number in (0..count).step_by(9973) {
        assert_eq!(found(&segment, spread(number)).len(), 1);
    }
    took
}

#[test]
fn objects_take_at_most_one_and_a_half_bytes_each() {
    check_footprint(100_000);
}

#[test]
#[ignore = "measures: run it in release"]
fn a_million_objects_are_built_in_half_a_second() {
    let took = check_footprint(1_000_000);
    assert!(took < Duration::from_millis(500), "took {took:?}");
}

#[test]
fn flipped_bits_are_noticed() {
    let built = build(&keys(), &[], &packs(2), records(0..2500)).unwrap();
    assert_eq!(use_all(built.id, built.bytes.clone()).unwrap().len(), 2500);
    let length = built.bytes.len();
    let trailer = length - 160..length;
    for byte in (0..length).step_by(211).chain(trailer) {
        let mut bent = built.bytes.to_vec();
        bent[byte] ^= 1 << (byte % 8);
        assert!(use_all(built.id, bent.into()).is_err(), "byte {byte} of {length}");
    }
}

#[test]
fn cut_segments_are_noticed() {
    let built = build(&keys(), &[], &packs(2), records(0..2500)).unwrap();
    let length = built.bytes.len();
    for cut in (0..length).step_by(97).chain(length - 200..length) {
        assert!(use_all(built.id, built.bytes.slice(..cut)).is_err(), "the first {cut} bytes");
        assert!(
            use_all(built.id, built.bytes.slice(length - cut..)).is_err(),
            "the last {cut} bytes"
        );
    }
    let longer = [&built.bytes[..], &[0]].concat();
    assert!(use_all(built.id, longer.into()).is_err());
}

#[test]
fn a_segment_opens_only_where_it_belongs() {
    let built = build(&keys(), &[], &packs(1), records(0..10)).unwrap();
    let open = |keys: &DomainKeys, id, short| {
        let memory = Memory { short, ..Memory::new(built.bytes.clone()) };
        Segment::open(keys, id, Arc::new(memory), &Arc::new(BlockCache::new(0)))
    };
    assert!(open(&keys(), built.id, false).is_ok());
    let error = open(&keys(), SegmentId([0; 16]), false).unwrap_err();
    assert!(matches!(error, IndexError::Corrupt { .. }), "another name");
    let error = open(&keys(), built.id, true).unwrap_err();
    assert!(matches!(error, IndexError::Corrupt { .. }), "a short answer");
    let mut other = keys();
    other.domain = Domain(1);
    assert!(open(&other, built.id, false).is_err(), "another domain");
    let mut other = keys();
    other.repository = RepositoryId([0; 16]);
    let error = open(&other, built.id, false).unwrap_err();
    assert!(matches!(error, IndexError::Crypto { .. }), "another repository");
}

/// Seals what an honest writer would not write.
fn seal_hostile(
    directory: &Directory,
    blocks: &[Vec<Record>],
    change: impl Fn(&mut Directory),
) -> Result<Vec<Record>, IndexError> {
    let keys = keys();
    let id = SegmentId([8; 16]);
    let key = DataKey::generate(&keys, Class::Meta, ContainerId(id.0)).unwrap();
    let seal = |nonce: u32, mut bytes: Vec<u8>| {
        let context = segment_context(keys.repository, keys.domain, id, nonce);
        key.aead.seal(nonce, &context, &mut bytes);
        bytes
    };
    let mut directory = directory.clone();
    let mut out = Vec::new();
    for (number, block) in (0..).zip(blocks) {
        let mut plain = Writer::new();
        encode_block(block, &mut plain);
        let sealed = seal(number, plain.0);
        directory.blocks.push(BlockInfo { first: block[0].prefix, length: sealed.len() as u32 });
        directory.records += block.len() as u64;
        out.extend_from_slice(&sealed);
    }
    change(&mut directory);
    let filter = seal(FILTER_NONCE, PrefixFilter::default().encoded().to_vec());
    let sealed = seal(DIRECTORY_NONCE, directory.encode().unwrap());
    let trailer = SegmentTrailer {
        section: key.section,
        directory_len: sealed.len() as u32,
        filter_len: filter.len() as u32,
        id,
        domain: keys.domain,
    };
    out.extend_from_slice(&[filter, sealed, trailer.encode()].concat());
    use_all(id, out.into())
}

type Change = fn(&mut Directory);

#[test]
fn segments_that_contradict_themselves_are_refused() {
    let directory = Directory { packs: vec![Arc::new(pack(0, 2))], ..Directory::default() };
    let record = |prefix, pack, frame| Record { prefix, pack, frame, place: 0 };
    let good = [vec![record(1, 0, 0), record(5, 0, 0)], vec![record(5, 0, 1)]];
    assert_eq!(seal_hostile(&directory, &good, |_| ()).unwrap().len(), 3);

    let changes: [(&str, Change); 7] = [
        ("blocks that do not cover the segment", |d| {
            d.blocks.truncate(1);
        }),
        ("blocks longer than the segment", |d| {
            d.blocks[1].length += 1;
        }),
        ("blocks shorter than the segment", |d| {
            d.blocks[0].length -= 1;
        }),
        ("another first prefix", |d| d.blocks[0].first = 0),
        ("a block that reaches beyond the next", |d| {
            d.blocks[1].first = 4;
        }),
        ("another number of records", |d| d.records = 4),
        ("replaces itself", |d| d.replaces.push(SegmentId([8; 16]))),
    ];
    for (what, change) in changes {
        assert!(seal_hostile(&directory, &good, change).is_err(), "{what}");
    }
    let blocks = [
        ("a pack not listed", vec![vec![record(1, 1, 0)]]),
        ("a frame not listed", vec![vec![record(1, 0, 2)]]),
        ("the same record in two blocks", vec![vec![record(1, 0, 0)], vec![record(1, 0, 0)]]),
    ];
    for (what, blocks) in blocks {
        assert!(seal_hostile(&directory, &blocks, |_| ()).is_err(), "{what}");
    }
}

#[test]
fn the_builder_refuses_what_a_reader_would() {
    let build_one = |pack, frame, place| {
        let record = Record { prefix: 1, pack, frame, place };
        build(&keys(), &[], &packs(1), vec![record])
    };
    assert!(build_one(0, 15, 65_535).is_ok());
    assert!(build_one(1, 0, 0).is_err());
    assert!(build_one(0, 16, 0).is_err());
    assert!(build_one(0, 0, 65_536).is_err());
}

#[test]
fn a_merge_refuses_two_descriptions_of_a_pack_and_damage() {
    let good = open(&build(&keys(), &[], &packs(1), records(0..2000)).unwrap());
    let other = open(&build(&keys(), &[], &[pack(0, 17)], records(0..10)).unwrap());
    let error = merge(&keys(), &[&good, &other], &[], &BTreeSet::new()).unwrap_err();
    assert!(matches!(error, IndexError::Corrupt { segment, .. } if segment == other.id()));

    let built = build(&keys(), &[], &packs(1), records(0..2000)).unwrap();
    let mut bent = built.bytes.to_vec();
    bent[20_000] ^= 1;
    let bent = try_open(built.id, bent.into(), 0).unwrap();
    assert!(merge(&keys(), &[&good, &bent], &[], &BTreeSet::new()).is_err());
    assert_eq!(bent.records().filter(Result::is_err).count(), 1, "the stream ends with its error");
}

#[test]
fn the_index_asks_segments_and_loose_packs() {
    let packs = packs(4);
    let mut index = Index::new();
    let first = build(&keys(), &[], &packs[..2], records(0..4000)).unwrap();
    let second = build(&keys(), &[], &packs[..3], records(3000..6000)).unwrap();
    index.add_segment(open(&first));
    index.add_segment(open(&second));
    index.add_segment(open(&second));
    let loose = Arc::new(packs[3].clone());
    let short = |number: u64| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&spread(number).to_be_bytes());
        ShortId(id)
    };
    let objects = vec![vec![short(6000), short(1)], vec![short(6001)]];
    for _ in 0..2 {
        index.add_loose(Arc::clone(&loose), &objects);
    }
    assert_eq!(index.packs().count(), 4);
    assert_eq!((index.loose_count(), index.object_count()), (1, 7003));
    let places = |index: &Index, number| {
        let found = index.lookup(spread(number)).unwrap();
        found.iter().map(|place| (place.pack.id, place.frame, place.place)).collect::<Vec<_>>()
    };
    assert_eq!(places(&index, 3500), [(packs[1].id, 12, 0)], "in both segments, found once");
    assert_eq!(places(&index, 6001), [(packs[3].id, 1, 0)]);
    assert_eq!(places(&index, 1), [(packs[0].id, 0, 1), (packs[3].id, 0, 1)]);
    assert_eq!(places(&index, 7000), []);
    assert!(Arc::ptr_eq(&index.segments()[0].packs()[1], &index.segments()[1].packs()[1]));

    let segments: Vec<&Segment> = index.segments().iter().collect();
    let merged = merge(&keys(), &segments, &[(loose, objects.clone())], &BTreeSet::new()).unwrap();
    let before: Vec<_> = (0..6002).map(|number| places(&index, number)).collect();
    index.add_segment(open(&merged));
    index.add_segment(open(&first));
    index.add_loose(Arc::new(packs[3].clone()), &objects);
    assert_eq!(index.segment_ids().collect::<Vec<_>>(), [merged.id]);
    assert_eq!((index.loose_count(), index.object_count()), (0, 6003));
    assert_eq!(index.packs().count(), 4);
    assert_eq!(index.pack(&packs[3].id).as_deref(), Some(&packs[3]));
    let after: Vec<_> = (0..6002).map(|number| places(&index, number)).collect();
    assert_eq!(before, after);
}

#[test]
fn four_threads_find_the_same() {
    let mut index = Index::new();
    let cache = Arc::new(BlockCache::new(256 * 1024));
    for turn in 0..3u64 {
        let numbers = turn * 10_000..(turn + 1) * 10_000;
        let built = build(&keys(), &[], &packs(15), records(numbers)).unwrap();
        let memory = Arc::new(Memory::new(built.bytes));
        index.add_segment(Segment::open(&keys(), built.id, memory, &cache).unwrap());
    }
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let index = &index;
            scope.spawn(move || {
                for step in 0..400 {
                    let number = (step * 7919 * 5 + thread * 13) % 40_000;
                    let found = index.lookup(spread(number)).unwrap();
                    assert_eq!(found.len(), usize::from(number < 30_000), "object {number}");
                }
            });
        }
    });
    assert!(cache.bytes() <= 256 * 1024);
}
