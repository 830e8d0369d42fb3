use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::crypto::{DataKey, Kek};
use crate::format::Writer;
use crate::format::pack::{FrameInfo, PackInfo, PackKind, TRAILER_LEN, Trailer, padded_len};
use crate::id::{Ulid, WriterId, hex_encode};

const WRITER: WriterId = WriterId([0xaa; 8]);
const SESSION: Ulid = Ulid(7);

fn keys() -> DomainKeys {
    let keks = vec![Kek::new(Class::Meta, 0, [1; 32]), Kek::new(Class::Data, 0, [2; 32])];
    DomainKeys::new(RepositoryId([3; 16]), Domain(0), [4; 32], keks)
}

fn builder(kind: PackKind, target_bytes: usize) -> PackBuilder {
    PackBuilder::create(&keys(), kind, WRITER, SESSION, target_bytes).unwrap()
}

/// Bytes that do not compress, and differ for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn raw_frame(class: Class, objects: &[Vec<u8>]) -> RawFrame {
    let identifier = keys().identifier();
    let mut raw = RawFrame::new(class);
    for object in objects {
        raw.push(identifier.id(class, object), object);
    }
    raw
}

fn add(builder: &PackBuilder, raw: &RawFrame, codec: &mut FrameCodec) -> Result<bool, PackError> {
    let encoded = codec.encode(raw)?;
    let reservation = builder.reserve(&encoded, &raw.ids).expect("there is room");
    builder.fill(reservation, encoded, &keys().identifier(), codec)
}

fn pack_of(kind: PackKind, frames: &[RawFrame]) -> FinishedPack {
    let builder = builder(kind, 1 << 20);
    let mut codec = FrameCodec::new().unwrap();
    for raw in frames {
        assert!(!add(&builder, raw, &mut codec).unwrap());
    }
    assert!(builder.close());
    builder.finish().unwrap()
}

fn complete(tail: Tail) -> (PackInfo, crate::format::pack::Footer) {
    match tail {
        Tail::Complete { info, footer } => (info, footer),
        Tail::More { bytes } => panic!("{bytes} bytes are needed"),
    }
}

/// Everything in a pack, read only from its bytes and its name.
fn read_all(
    id: PackId,
    kind: PackKind,
    bytes: &[u8],
) -> Result<Vec<(Class, Vec<Bytes>)>, PackError> {
    let (info, footer) = complete(read_tail(&keys(), id, kind, bytes.len() as u64, bytes)?);
    let pack_keys = PackKeys::open(&keys(), &info)?;
    let mut codec = FrameCodec::new()?;
    let mut frames = Vec::new();
    for (number, listed) in (0..).zip(&footer.frames) {
        let range = info.frame_range(number).expect("the frame lies in the pack");
        let sealed = &bytes[range.start as usize..range.end as usize];
        let frame = pack_keys.open_frame(number, &listed.info(), sealed, &mut codec)?;
        assert_eq!(frame.len(), listed.objects.len());
        let objects = (0..frame.len() as u32).map(|place| frame.object(place).unwrap());
        frames.push((listed.class, objects.collect()));
        assert!(frame.object(frame.len() as u32).is_none());
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_round_trip(objects in vec(vec(any::<u8>(), 0..300), 1..30), repeat in 1usize..5) {
        let objects: Vec<_> = objects.iter().map(|object| object.repeat(repeat)).collect();
        let mut codec = FrameCodec::new().unwrap();
        let encoded = codec.encode(&raw_frame(Class::Data, &objects)).unwrap();
        let frame = codec.decode(&encoded.plain).unwrap();
        prop_assert_eq!(frame.len(), objects.len());
        prop_assert_eq!(frame.raw_len(), encoded.raw_len() as usize);
        for (place, object) in (0..).zip(&objects) {
            prop_assert_eq!(&frame.object(place).unwrap()[..], &object[..]);
        }
        prop_assert!(frame.object(objects.len() as u32).is_none());
        prop_assert!(frame.object(u32::MAX).is_none());
        for shorter in 0..encoded.plain.len() {
            prop_assert!(codec.decode(&encoded.plain[..shorter]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
        let _ = FrameCodec::new().unwrap().decode(&bytes);
        let _ = read_tail(&keys(), PackId([0; 16]), PackKind::Meta, 1_000, &bytes);
    }
}

#[test]
fn a_frame_is_compressed_where_that_pays() {
    let mut codec = FrameCodec::new().unwrap();
    let text = raw_frame(Class::Data, &[vec![b'x'; 5_000], vec![b'y'; 5_000]]);
    assert!(codec.encode(&text).unwrap().stored_len() < 200);
    let hard = raw_frame(Class::Data, &[noise(1, 5_000)]);
    // Codec, flags, raw length, number, one length, tag.
    assert_eq!(codec.encode(&hard).unwrap().stored_len(), 5_000 + 7 + 16);
}

#[test]
fn frames_beyond_the_limits_are_not_encoded() {
    let mut codec = FrameCodec::new().unwrap();
    let mut odd = raw_frame(Class::Meta, &[vec![1; 10]]);
    odd.lengths[0] = 9;
    for (raw, too_large) in [
        (RawFrame::new(Class::Meta), false),
        (odd, false),
        (raw_frame(Class::Meta, &vec![vec![]; 65_537]), true),
        (raw_frame(Class::Meta, &[vec![0; 16 * 1024 * 1024 + 1]]), true),
    ] {
        let error = codec.encode(&raw).unwrap_err();
        let is_too_large = matches!(error, PackError::TooLarge { .. });
        assert_eq!(is_too_large, too_large, "{error}");
    }
    let largest = raw_frame(Class::Meta, &[vec![0; 16 * 1024 * 1024]]);
    codec.encode(&largest).unwrap();
}

#[test]
fn a_pack_is_read_back() {
    let contents = [vec![b'c'; 3_000], noise(2, 700), Vec::new()];
    let trees = [b"tree".to_vec()];
    let (meta, data) = (raw_frame(Class::Meta, &trees), raw_frame(Class::Data, &contents));
    for (kind, frames) in [
        (PackKind::Meta, vec![meta.clone(), meta.clone()]),
        (PackKind::Data, vec![data.clone()]),
        (PackKind::Mixed, vec![data.clone(), meta.clone()]),
        (PackKind::Mixed, vec![meta.clone()]),
    ] {
        let pack = pack_of(kind, &frames);
        let has_data = frames.iter().any(|raw| raw.class == Class::Data);
        assert_eq!(pack.info.data_section != [0; 96], has_data);
        assert_eq!(pack.info.length, pack.bytes.len() as u64);
        assert_eq!(padded_len(pack.info.length), pack.info.length);
        let tail = read_tail(&keys(), pack.info.id, kind, pack.info.length, &pack.bytes).unwrap();
        let (info, footer) = complete(tail);
        assert_eq!(info, pack.info);
        assert_eq!((footer.writer, footer.session), (WRITER, SESSION));
        let listed: Vec<_> = footer.frames.into_iter().map(|frame| frame.objects).collect();
        assert_eq!(listed, pack.objects);
        let read = read_all(pack.info.id, kind, &pack.bytes).unwrap();
        assert_eq!(read.len(), frames.len());
        for ((class, objects), raw) in read.iter().zip(&frames) {
            assert_eq!(*class, raw.class);
            assert_eq!(objects.concat(), raw.payload);
        }
    }
}

/// Workers share a current pack, begin another when it is full, and finish each that they are told to.
#[test]
fn four_threads_fill_packs_and_each_is_finished_once() {
    const OBJECTS_A_FRAME: u64 = 5;
    let current = Mutex::new(Arc::new(builder(PackKind::Mixed, 40_000)));
    let finished = Mutex::new(Vec::new());
    let expected = Mutex::new(HashMap::new());
    let finish = |pack: &PackBuilder| finished.lock().unwrap().push(pack.finish().unwrap());
    let work = |worker: u64| {
        let (mut codec, identifier) = (FrameCodec::new().unwrap(), keys().identifier());
        for round in 0..60 {
            let class = if round % 3 == 0 { Class::Meta } else { Class::Data };
            let seeds = (0..OBJECTS_A_FRAME).map(|n| (worker * 1_000 + round) * 10 + n);
            let objects: Vec<_> = seeds.map(|seed| noise(seed, seed as usize % 997)).collect();
            let raw = raw_frame(class, &objects);
            expected.lock().unwrap().extend(raw.ids.iter().copied().zip(objects));
            let encoded = codec.encode(&raw).unwrap();
            let (pack, reservation) = loop {
                let pack = Arc::clone(&current.lock().unwrap());
                if let Some(reservation) = pack.reserve(&encoded, &raw.ids) {
                    break (pack, reservation);
                }
                if pack.close() {
                    finish(&pack);
                }
                let mut current = current.lock().unwrap();
                if current.id() == pack.id() {
                    *current = Arc::new(builder(PackKind::Mixed, 40_000));
                }
            };
            if pack.fill(reservation, encoded, &identifier, &mut codec).unwrap() {
                finish(&pack);
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || work(worker));
        }
    });
    let last = current.into_inner().unwrap();
    if last.close() {
        finish(&last);
    }
    assert!(!last.close(), "a pack is closed once");

    let mut expected = expected.into_inner().unwrap();
    assert_eq!(expected.len(), 4 * 60 * OBJECTS_A_FRAME as usize);
    let packs = finished.into_inner().unwrap();
    assert!(packs.len() > 5, "{} packs", packs.len());
    for pack in packs {
        let frames_len: u64 = pack.info.frames.iter().map(|f| u64::from(f.stored_len)).sum();
        assert!(frames_len <= 40_000);
        let frames = read_all(pack.info.id, PackKind::Mixed, &pack.bytes).unwrap();
        for ((class, objects), listed) in frames.iter().zip(&pack.objects) {
            for (object, short) in objects.iter().zip(listed) {
                let id = keys().identifier().id(*class, object);
                assert_eq!(id.to_short(), *short);
                assert_eq!(expected.remove(&id).unwrap(), object[..]);
            }
        }
    }
    assert!(expected.is_empty(), "{} objects are missing", expected.len());
}

#[test]
fn frames_may_be_filled_in_any_order() {
    let pack = builder(PackKind::Data, 1 << 20);
    let mut codec = FrameCodec::new().unwrap();
    let raws: Vec<_> =
        (1..4).map(|seed| raw_frame(Class::Data, &[noise(seed, 1_000 * seed as usize)])).collect();
    let mut places = Vec::new();
    for raw in &raws {
        let encoded = codec.encode(raw).unwrap();
        places.push((pack.reserve(&encoded, &raw.ids).unwrap(), encoded));
    }
    assert!(!pack.close(), "frames are outstanding");
    assert!(matches!(pack.finish(), Err(PackError::Misused { .. })));
    let mut answers = Vec::new();
    for (reservation, encoded) in places.into_iter().rev() {
        let identifier = keys().identifier();
        answers.push(pack.fill(reservation, encoded, &identifier, &mut codec).unwrap());
    }
    assert_eq!(answers, [false, false, true]);
    let finished = pack.finish().unwrap();
    let read = read_all(finished.info.id, PackKind::Data, &finished.bytes).unwrap();
    for ((_, objects), raw) in read.iter().zip(&raws) {
        assert_eq!(objects.concat(), raw.payload);
    }
    assert!(matches!(pack.finish(), Err(PackError::Misused { .. })));
}

#[test]
fn a_pack_ends_at_its_target_and_an_empty_one_takes_any_frame() {
    let pack = builder(PackKind::Data, 1_000);
    let mut codec = FrameCodec::new().unwrap();
    assert!(pack.is_empty() && pack.stored_bytes() == 0);
    let large = raw_frame(Class::Data, &[noise(1, 5_000)]);
    assert!(!add(&pack, &large, &mut codec).unwrap());
    assert!(!pack.is_empty() && pack.stored_bytes() > 5_000);
    let small = raw_frame(Class::Data, &[noise(2, 10)]);
    let encoded = codec.encode(&small).unwrap();
    assert!(pack.reserve(&encoded, &small.ids).is_none());
    assert!(pack.close() && !pack.close());
    assert!(pack.reserve(&encoded, &small.ids).is_none());

    let empty = builder(PackKind::Data, 1_000);
    assert!(!empty.close(), "there is nothing to finish");
    assert!(empty.finish().is_err());
    let target = MAX_TARGET_BYTES + 1;
    let refused = PackBuilder::create(&keys(), PackKind::Data, WRITER, SESSION, target);
    assert!(matches!(refused.err(), Some(PackError::TooLarge { .. })));
}

/// What a memory error could do to a frame between hashing and sealing.
#[test]
fn a_frame_that_does_not_hold_its_objects_never_leaves() {
    type Damage = fn(&mut RawFrame, &mut EncodedFrame);
    let cases: [(&str, Damage); 7] = [
        ("another id", |raw, _| raw.ids[1].0[31] ^= 1),
        ("ids exchanged", |raw, _| raw.ids.swap(0, 1)),
        ("an id too many", |raw, _| raw.ids.push(ObjectId([0; 32]))),
        ("an id too few", |raw, _| raw.ids.truncate(1)),
        ("no ids", |raw, _| raw.ids.clear()),
        ("another payload", |_, encoded| {
            *encoded.plain.last_mut().unwrap() ^= 1;
        }),
        ("another raw length", |_, encoded| encoded.raw_len += 1),
    ];
    let mut codec = FrameCodec::new().unwrap();
    for (name, damage) in cases {
        let pack = builder(PackKind::Data, 1 << 20);
        let good = raw_frame(Class::Data, &[noise(9, 10)]);
        assert!(!add(&pack, &good, &mut codec).unwrap());
        let mut raw = raw_frame(Class::Data, &[noise(1, 500), noise(2, 500)]);
        let mut encoded = codec.encode(&raw).unwrap();
        damage(&mut raw, &mut encoded);
        let reservation = pack.reserve(&encoded, &raw.ids).unwrap();
        let error = pack.fill(reservation, encoded, &keys().identifier(), &mut codec).unwrap_err();
        let PackError::Verify { pack: named, number, .. } = &error else {
            panic!("{name}: {error}");
        };
        assert_eq!((*named, *number), (pack.id(), 1), "{name}");
        assert!(error.to_string().contains(&pack.id().short()));
        assert!(!error.is_damage());
        assert!(!pack.close() && pack.finish().is_err(), "{name}: the pack is lost");
    }
}

#[test]
fn frames_of_another_class_or_pack_are_refused() {
    let mut codec = FrameCodec::new().unwrap();
    for (kind, class) in [(PackKind::Meta, Class::Data), (PackKind::Data, Class::Meta)] {
        let raw = raw_frame(class, &[vec![1; 10]]);
        let error = add(&builder(kind, 1_000), &raw, &mut codec).unwrap_err();
        assert!(matches!(error, PackError::Misused { .. }), "{error}");
    }
    let raw = raw_frame(Class::Meta, &[vec![1; 10]]);
    let encoded = codec.encode(&raw).unwrap();
    let (here, there) = (builder(PackKind::Meta, 1_000), builder(PackKind::Meta, 1_000));
    let reservation = here.reserve(&encoded, &raw.ids).unwrap();
    assert_eq!((reservation.number(), reservation.pack()), (0, here.id()));
    let result = there.fill(reservation, encoded, &keys().identifier(), &mut codec);
    assert!(matches!(result, Err(PackError::Misused { .. })));
}

#[test]
fn every_bit_outside_the_padding_counts() {
    let frames = [
        raw_frame(Class::Meta, &[b"tree".to_vec()]),
        raw_frame(Class::Data, &[vec![b'c'; 100], noise(3, 30)]),
    ];
    let pack = pack_of(PackKind::Mixed, &frames);
    let (id, length) = (pack.info.id, pack.bytes.len());
    let frames_end = pack.info.frame_range(1).unwrap().end as usize;
    let trailer = Trailer::decode(&pack.bytes[length - TRAILER_LEN..]).unwrap();
    let footer_start = length - TRAILER_LEN - trailer.footer_len as usize;
    assert!(frames_end < footer_start, "there is padding");
    for bit in 0..length * 8 {
        let mut flipped = pack.bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let result = read_all(id, PackKind::Mixed, &flipped);
        if (frames_end..footer_start).contains(&(bit / 8)) {
            assert!(result.is_ok(), "bit {bit} is padding");
            continue;
        }
        let error = result.expect_err(&format!("bit {bit} of {length} bytes"));
        // A flipped epoch looks like a key that this reader does not have.
        let other_epoch =
            matches!(&error, PackError::Crypto { source: CryptoError::NoKey { .. }, .. });
        assert!(error.is_damage() || other_epoch, "bit {bit}: {error}");
    }
}

#[test]
fn tails_that_are_too_short_say_how_much_they_need() {
    let objects: Vec<_> = (0..50).map(|seed| noise(seed, 20)).collect();
    let pack = pack_of(PackKind::Meta, &[raw_frame(Class::Meta, &objects)]);
    let (id, length) = (pack.info.id, pack.info.length);
    let tail = |count: u64| {
        let tail = &pack.bytes[(length - count) as usize..];
        read_tail(&keys(), id, PackKind::Meta, length, tail).unwrap()
    };
    for count in 0..=length {
        match tail(count) {
            Tail::Complete { info, .. } => assert_eq!(info, pack.info),
            Tail::More { bytes } => {
                assert!(bytes > count && bytes <= length);
                let enough = tail(bytes);
                assert!(count < 256 || matches!(enough, Tail::Complete { .. }));
            }
        }
    }
}

#[test]
fn packs_that_are_cut_or_grown_are_refused() {
    let frames = [raw_frame(Class::Meta, &[noise(1, 200)])];
    let pack = pack_of(PackKind::Meta, &frames);
    let (id, bytes) = (pack.info.id, &pack.bytes[..]);
    let refused = |length: u64, tail: &[u8]| {
        let result = read_tail(&keys(), id, PackKind::Meta, length, tail);
        result.is_err_and(|error| error.is_damage())
    };
    for count in 0..bytes.len() {
        assert!(refused(count as u64, &bytes[..count]), "the last bytes cut: {count}");
        // The first bytes cut: as long as the footer is there, its lengths tell.
        let length = (bytes.len() - count) as u64;
        assert!(count == 0 || refused(length, &bytes[count..]), "{count}");
    }
    assert!(refused(bytes.len() as u64 + 1, bytes));
    assert!(refused(u64::MAX, bytes));
    assert!(refused(10, bytes), "a tail longer than its pack");
}

#[test]
fn a_pack_is_bound_to_its_name_kind_domain_and_frame_number() {
    let raw = raw_frame(Class::Meta, &[noise(1, 20)]);
    let pack = pack_of(PackKind::Meta, &[raw.clone(), raw]);
    let (id, length, bytes) = (pack.info.id, pack.info.length, &pack.bytes[..]);
    let read = |keys: &DomainKeys, id, kind| read_tail(keys, id, kind, length, bytes);
    assert!(read(&keys(), id, PackKind::Meta).is_ok());
    assert!(read(&keys(), PackId([0; 16]), PackKind::Meta).is_err());
    assert!(read(&keys(), id, PackKind::Mixed).is_err());
    let mut other = keys();
    other.domain = Domain(1);
    assert!(read(&other, id, PackKind::Meta).is_err());
    other = keys();
    other.repository = RepositoryId([9; 16]);
    assert!(read(&other, id, PackKind::Meta).is_err());

    let pack_keys = PackKeys::open(&keys(), &pack.info).unwrap();
    let mut codec = FrameCodec::new().unwrap();
    let info = pack.info.frames[0];
    let sealed = &bytes[..info.stored_len as usize];
    pack_keys.open_frame(0, &info, sealed, &mut codec).unwrap();
    let mut refused = |number, info: FrameInfo, sealed: &[u8]| {
        let result = pack_keys.open_frame(number, &info, sealed, &mut codec);
        result.is_err_and(|error| error.is_damage())
    };
    assert!(refused(1, info, sealed));
    assert!(refused(0, FrameInfo { class: Class::Data, ..info }, sealed));
    assert!(refused(0, FrameInfo { raw_len: info.raw_len + 1, ..info }, sealed));
    assert!(refused(0, info, &sealed[1..]));
    let short = FrameInfo { stored_len: 3, ..info };
    assert!(refused(0, short, &sealed[..3]));
}

#[test]
fn a_reader_without_the_data_key_reads_the_rest_of_a_mixed_pack() {
    let frames = [
        raw_frame(Class::Meta, &[b"tree".to_vec()]),
        raw_frame(Class::Data, &[b"content".to_vec()]),
    ];
    let pack = pack_of(PackKind::Mixed, &frames);
    let keks = vec![Kek::new(Class::Meta, 0, [1; 32])];
    let meta_only = DomainKeys::new(RepositoryId([3; 16]), Domain(0), [4; 32], keks);
    let (id, length) = (pack.info.id, pack.info.length);
    let (info, _) =
        complete(read_tail(&meta_only, id, PackKind::Mixed, length, &pack.bytes).unwrap());
    let pack_keys = PackKeys::open(&meta_only, &info).unwrap();
    let mut codec = FrameCodec::new().unwrap();
    let mut open = |number: u32| {
        let range = info.frame_range(number).unwrap();
        let sealed = &pack.bytes[range.start as usize..range.end as usize];
        pack_keys.open_frame(number, &info.frames[number as usize], sealed, &mut codec)
    };
    assert_eq!(open(0).unwrap().object(0).unwrap(), b"tree"[..]);
    let error = open(1).unwrap_err();
    assert!(!error.is_damage(), "{error}");
}

/// Whoever has the keys can seal anything: what is authentic may still be hostile.
#[test]
fn hostile_frames_are_refused_although_they_are_authentic() {
    let binding = Binding::new(&keys(), PackId([5; 16]));
    let key = DataKey::generate(&keys(), Class::Data, binding.container()).unwrap();
    let meta = DataKey::generate(&keys(), Class::Meta, binding.container()).unwrap();
    let head = |codec: u8, raw_len: u64, count: u64, lengths: &[u64]| {
        let mut out = Writer::new();
        out.u8(codec).u8(0).varint(raw_len).varint(count);
        for &length in lengths {
            out.varint(length);
        }
        out.0
    };
    let zstd = |plain: &[u8]| {
        let mut out = Vec::new();
        let mut compressor = crate::compress::Compressor::new().unwrap();
        compressor.compress(plain, &mut out).unwrap();
        out
    };
    let bomb = zstd(&vec![0; 8 * 1024 * 1024]);
    let text = zstd(&[b'x'; 1_000]);
    let reference = [&[0u8, 1, 1, 1, 1][..], &[9; 32], b"x"].concat();
    let trailing = [&head(1, 1_000, 1, &[1_000])[..], &text, &[0]].concat();
    let twice = [&head(1, 2_000, 1, &[2_000])[..], &text, &text].concat();
    let cases: [(&str, u32, Vec<u8>); 14] = [
        ("absurd raw length", u32::MAX, head(1, u64::MAX, 1, &[u64::MAX])),
        ("17 MiB", 17 << 20, head(1, 17 << 20, 1, &[17 << 20])),
        ("a bomb", 100, [head(1, 100, 1, &[100]), bomb.clone()].concat()),
        ("a bomb of nothing", 0, [head(1, 0, 1, &[0]), bomb].concat()),
        ("too little", 1_001, [head(1, 1_001, 1, &[1_001]), text].concat()),
        ("bytes after the zstd frame", 1_000, trailing),
        ("two zstd frames", 2_000, twice),
        ("no zstd frame", 5, [head(1, 5, 1, &[5]), b"hello".to_vec()].concat()),
        ("lengths that do not sum", 5, [head(0, 5, 2, &[2, 2]), b"hello".to_vec()].concat()),
        ("2^60 objects", 5, [head(0, 5, 1 << 60, &[5]), b"hello".to_vec()].concat()),
        ("stored, too long", 4, [head(0, 4, 1, &[4]), b"hello".to_vec()].concat()),
        ("stored, too short", 6, [head(0, 6, 1, &[6]), b"hello".to_vec()].concat()),
        ("another object as reference", 1, reference),
        ("nothing", 0, Vec::new()),
    ];
    let info = PackInfo {
        id: binding.pack,
        kind: PackKind::Data,
        length: 1 << 20,
        meta_section: meta.section,
        data_section: key.section,
        frames: Vec::new(),
    };
    let pack_keys = PackKeys::open(&keys(), &info).unwrap();
    for (name, raw_len, plain) in cases {
        let mut sealed = plain;
        key.aead.seal(0, &binding.frame(Class::Data, 0), &mut sealed);
        let frame = FrameInfo { class: Class::Data, stored_len: sealed.len() as u32, raw_len };
        let mut codec = FrameCodec::new().unwrap();
        let error = pack_keys.open_frame(0, &frame, &sealed, &mut codec).expect_err(name);
        let expected = matches!(error, PackError::Corrupt { .. } | PackError::Reference { .. });
        assert!(expected, "{name}: {error}");
        assert!(error.to_string().contains("05050505"), "{name}: {error}");
    }
}

#[test]
fn parts_are_bound_as_specified() {
    let binding =
        Binding { repository: RepositoryId([1; 16]), domain: Domain(2), pack: PackId([3; 16]) };
    let (repository, pack) = ("01".repeat(16), "03".repeat(16));
    let frame = format!("{}{repository}0200000001{pack}04000000", hex_encode(b"esker v1 frame"));
    assert_eq!(hex_encode(&binding.frame(Class::Data, 4)), frame);
    let footer = format!("{}{repository}02000000{pack}", hex_encode(b"esker v1 footer"));
    assert_eq!(hex_encode(&binding.footer()), footer);
}
