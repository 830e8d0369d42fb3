#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::id::{hex_decode, hex_encode};
use proptest::prelude::*;

fn record(prefix: u64, pack: u32, frame: u32, place: u32) -> Record {
    Record { prefix, pack, frame, place }
}

fn directory() -> Directory {
    let frame = |class, stored_len, raw_len| FrameInfo { class, stored_len, raw_len };
    let pack = PackInfo {
        id: PackId([0x22; 16]),
        kind: PackKind::Mixed,
        length: 1000,
        meta_section: [0x33; 96],
        data_section: [0x44; 96],
        frames: vec![frame(Class::Meta, 100, 200), frame(Class::Data, 5, 300)],
    };
    Directory {
        replaces: vec![SegmentId([0x11; 16])],
        packs: vec![Arc::new(pack)],
        blocks: vec![
            BlockInfo { first: 0x0102_0304_0506_0708, length: 40 },
            BlockInfo { first: u64::MAX, length: 300 },
        ],
        records: 4097,
    }
}

#[test]
fn a_block_is_what_the_format_says() {
    let records = [
        record(0x0102_0304_0506_0708, 0, 1, 2),
        record(0x0102_0304_0506_0708, 300, 0, 0),
        record(0x0102_0304_0506_0788, 0, 0, 65_535),
    ];
    let mut out = Writer::new();
    encode_block(&records, &mut out);
    let expected = "03 0102030405060708 00 01 02 00 ac02 00 00 8001 00 00 ffff03";
    assert_eq!(hex_encode(&out.0), expected.replace(' ', ""));
    assert_eq!(decode_block(&out.0).unwrap(), records);
}

#[test]
fn a_directory_is_what_the_format_says() {
    let bytes = directory().encode().unwrap();
    let expected = [
        "01",
        &"11".repeat(16),
        "01",
        &"22".repeat(16),
        "02 e807",
        &"33".repeat(96),
        &"44".repeat(96),
        "02 00 64 c801 01 05 ac02",
        "02 0102030405060708 28 ffffffffffffffff ac02 8120",
    ];
    assert_eq!(hex_encode(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(Directory::decode(&bytes).unwrap(), directory());
}

#[test]
fn a_trailer_is_what_the_format_says() {
    let trailer = SegmentTrailer {
        section: [0x55; 96],
        directory_len: 0x0102,
        filter_len: 16,
        id: SegmentId([0x66; 16]),
        domain: Domain(7),
    };
    let bytes = trailer.encode();
    assert_eq!(bytes.len() as u64, SEGMENT_TRAILER_LEN);
    let expected = [
        &"55".repeat(96),
        "02010000 10000000",
        &"66".repeat(16),
        "07000000 01",
        &"00".repeat(27),
        "45534b52494e4458",
    ];
    assert_eq!(hex_encode(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(SegmentTrailer::decode(&bytes).unwrap(), trailer);

    // Version, reserved bytes, magic; a directory of 4 GiB; too short, too long.
    for at in [99, 124, 125, 151, 152, 159] {
        let mut bent = bytes.clone();
        bent[at] ^= 0x80;
        assert!(SegmentTrailer::decode(&bent).is_err(), "byte {at}");
    }
    assert!(SegmentTrailer::decode(&bytes[1..]).is_err());
    assert!(SegmentTrailer::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_filter_is_what_xorf_builds() {
    let filter = PrefixFilter::build(&[1, 2, 3]);
    // As xorf 0.13.0 built it: another version that builds other bytes may not read the old ones.
    let expected = [
        "c15c0289ec2d0a91 08000000 07000000 08000000",
        "000000ca000000000000000000000000b800000000bb0000",
    ];
    let expected = expected.concat().replace(' ', "");
    assert_eq!(hex_encode(filter.encoded()), expected);
    let again = PrefixFilter::decode(hex_decode(&expected).unwrap()).unwrap();
    assert!((1..=3).all(|prefix| again.may_contain(prefix)));
    let wrong = (1000u64..101_000).filter(|&prefix| again.may_contain(prefix));
    assert!(wrong.count() < 1000, "about 0.4 %");
}

#[test]
fn filters_of_all_small_sizes_hold_what_was_put_in() {
    for size in 0..200u64 {
        let prefixes: Vec<u64> = (0..size).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let filter = PrefixFilter::build(&prefixes);
        let filter = PrefixFilter::decode(filter.encoded().to_vec()).unwrap();
        assert!(prefixes.iter().all(|&prefix| filter.may_contain(prefix)), "{size} prefixes");
    }
    assert!(PrefixFilter::default().may_contain(5), "an empty filter excludes nothing");
}

#[test]
fn filters_of_odd_shape_are_refused() {
    let good = PrefixFilter::build(&[1, 2, 3]).encoded().to_vec();
    let with = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        PrefixFilter::decode(bytes)
    };
    for value in [0, 1, 3, 5, 1 << 31, u32::MAX] {
        for at in [8, 12, 16] {
            assert!(
                good[at..at + 4] == value.to_le_bytes() || with(at, value).is_err(),
                "{at} {value}"
            );
        }
    }
    for length in 1..good.len() {
        assert!(PrefixFilter::decode(good[..length].to_vec()).is_err(), "{length} bytes");
    }
}

#[test]
fn hostile_blocks_are_refused() {
    let ten = "0000000000000001 00 00 00".replace(' ', "");
    let cases = [
        ("no bytes", String::new()),
        ("no records", "00".into()),
        ("more records than the limit", "8120".into()),
        ("fewer records than counted", format!("02{ten}")),
        ("more bytes than records", format!("01{ten}00")),
        ("the same record twice", format!("02{ten}00000000")),
        ("descending packs", "02 0000000000000001 01 00 00 00 00 00 00".replace(' ', "")),
        ("a prefix above 64 bits", "02 ffffffffffffffff 00 00 00 01 00 00 00".replace(' ', "")),
        ("frame 65,535", "01 0000000000000001 00 ffff03 00".replace(' ', "")),
        ("place 65,536", "01 0000000000000001 00 00 808004".replace(' ', "")),
        ("pack 2^32", "01 0000000000000001 8080808010 00 00".replace(' ', "")),
    ];
    for (what, bytes) in cases {
        assert!(decode_block(&hex_decode(&bytes).unwrap()).is_err(), "{what}");
    }
    assert!(decode_block(&hex_decode(&format!("01{ten}")).unwrap()).is_ok());
}

type Bend = fn(&mut Directory);
type BendPack = fn(&mut PackInfo);

#[test]
fn hostile_directories_are_refused() {
    let bends: [(&str, Bend); 6] = [
        ("blocks out of order", |d| d.blocks.swap(0, 1)),
        ("an empty block", |d| d.blocks[0].length = 16),
        ("a block above the limit", |d| {
            d.blocks[0].length = BLOCK_LIMIT as u32 + 1;
        }),
        ("fewer records than blocks", |d| d.records = 1),
        ("more records than blocks hold", |d| d.records = 8193),
        ("blocks for no records", |d| d.records = 0),
    ];
    for (what, bend) in bends {
        let mut directory = directory();
        bend(&mut directory);
        let bytes = directory.encode().unwrap();
        assert!(Directory::decode(&bytes).is_err(), "{what}");
    }

    let bends: [(&str, BendPack); 4] = [
        ("a pack above 1 GiB", |pack| pack.length = PACK_LIMIT + 1),
        ("a frame above 16 MiB raw", |pack| {
            pack.frames[0].raw_len = FRAME_RAW_LIMIT as u32 + 1;
        }),
        ("frames longer than the pack", |pack| pack.length = 104),
        ("too many frames", |pack| {
            pack.length = PACK_LIMIT;
            pack.frames = vec![pack.frames[0]; 65_536];
        }),
    ];
    for (what, bend) in bends {
        let mut directory = directory();
        bend(Arc::make_mut(&mut directory.packs[0]));
        assert!(directory.encode().is_err(), "{what} is not written");
        let mut bytes = Writer(vec![0, 1]);
        encode_pack(&directory.packs[0], &mut bytes);
        bytes.raw(&[0, 0]);
        assert!(Directory::decode(&bytes.0).is_err(), "{what} is not read");
    }

    // Counts that the bytes cannot hold are refused before memory is taken.
    let huge = "ffffffffffffffffff01";
    for start in ["", "00", "0000"] {
        let bytes = hex_decode(&format!("{start}{huge}")).unwrap();
        let error = Directory::decode(&bytes).unwrap_err();
        assert!(error.what.contains("limit"), "{error}");
    }
}

#[test]
fn every_prefix_of_a_directory_is_refused() {
    let bytes = directory().encode().unwrap();
    for length in 0..bytes.len() {
        assert!(Directory::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(Directory::decode(&[&bytes[..], &[0]].concat()).is_err());
}

fn any_record() -> impl Strategy<Value = Record> {
    let prefix = prop_oneof![any::<u64>(), 0..20u64, Just(u64::MAX)];
    (prefix, 0..u32::MAX, 0..65_535u32, 0..65_536u32)
        .prop_map(|(prefix, pack, frame, place)| record(prefix, pack, frame, place))
}

proptest! {
    #[test]
    fn blocks_round_trip(records in prop::collection::btree_set(any_record(), 1..300)) {
        let records: Vec<Record> = records.into_iter().collect();
        let mut out = Writer::new();
        encode_block(&records, &mut out);
        prop_assert_eq!(decode_block(&out.0).unwrap(), records);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_block(&bytes);
        let _ = Directory::decode(&bytes);
        let _ = SegmentTrailer::decode(&bytes);
        if let Ok(filter) = PrefixFilter::decode(bytes) {
            let _ = filter.may_contain(7);
        }
    }

    #[test]
    fn bent_directories_are_read_or_refused(at in 0usize..260, value: u8) {
        let mut bytes = directory().encode().unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = Directory::decode(&bytes);
    }
}
