use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::id::hex_encode;

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Meta), Just(Class::Data)]
}

prop_compose! {
    fn any_footer_frame()(
        class in any_class(),
        stored_len in TAG_LEN as u32 + 1..=MAX_FRAME_STORED_LEN as u32,
        raw_len in 0..=MAX_FRAME_RAW_LEN as u32,
        objects in vec(any::<[u8; 16]>().prop_map(ShortId), 1..20),
    ) -> FooterFrame {
        FooterFrame { class, stored_len, raw_len, objects }
    }
}

prop_compose! {
    fn any_footer()(
        writer: [u8; 8],
        session: u128,
        frames in vec(any_footer_frame(), 1..20),
    ) -> Footer {
        Footer { writer: WriterId(writer), session: Ulid(session), frames }
    }
}

prop_compose! {
    fn any_trailer()(
        meta: [u8; 32],
        data: [u8; 32],
        lens: (u32, u32),
        pack: [u8; 16],
        domain: u32,
        kind in 0u8..3,
    ) -> Trailer {
        let section = |third: [u8; 32]| [third; 3].as_flattened().try_into().unwrap();
        Trailer {
            meta_section: section(meta),
            data_section: section(data),
            footer_len: lens.0,
            padding_len: lens.1,
            pack: PackId(pack),
            domain,
            kind: PackKind::from_code(kind).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn heads_round_trip(
        lengths in vec(0u32..300_000, 1..50),
        reference: Option<[u8; 32]>,
        zstd: bool,
        payload: Vec<u8>,
    ) {
        let head = FrameHead {
            codec: if zstd { Codec::Zstd } else { Codec::Stored },
            reference: reference.map(ObjectId),
            lengths,
        };
        let mut bytes = head.encode();
        let head_len = bytes.len();
        bytes.extend_from_slice(&payload);
        prop_assert_eq!(FrameHead::decode(&bytes).unwrap(), (head, &payload[..]));
        for shorter in 0..head_len {
            prop_assert!(FrameHead::decode(&bytes[..shorter]).is_err());
        }
    }

    #[test]
    fn footers_round_trip(footer in any_footer()) {
        let bytes = footer.encode();
        let frames = footer.frames.iter().map(|frame| Footer::frame_len(frame.objects.len()));
        prop_assert!(bytes.len() as u64 <= 8 + 16 + 3 + frames.sum::<u64>());
        for shorter in (0..bytes.len()).step_by(7) {
            prop_assert!(Footer::decode(&bytes[..shorter]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Footer::decode(&longer).is_err());
        prop_assert_eq!(Footer::decode(&bytes).unwrap(), footer);
    }

    #[test]
    fn trailers_round_trip(trailer in any_trailer()) {
        let bytes = trailer.encode();
        prop_assert!(Trailer::decode(&bytes[1..]).is_err());
        prop_assert!(Trailer::decode(&[&bytes[..], &[0]].concat()).is_err());
        prop_assert_eq!(Trailer::decode(&bytes).unwrap(), trailer);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = FrameHead::decode(&bytes);
        let _ = Footer::decode(&bytes);
        let _ = Trailer::decode(&bytes);
    }

    #[test]
    fn padding_costs_little_and_is_stable(len in 0u64..MAX_PACK_LEN) {
        let padded = padded_len(len);
        prop_assert!(padded >= len);
        prop_assert!(padded - len <= len * 12 / 100);
        prop_assert!(padded - len < 65_536);
        prop_assert_eq!(padded_len(padded), padded);
        prop_assert!(len <= 2 * 1024 * 1024 || padded.is_multiple_of(65_536));
    }
}

#[test]
fn padded_lengths_are_those_of_padme_up_to_two_mebibytes() {
    let mebibyte = 1024 * 1024;
    for (len, expected) in [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 3),
        (8, 8),
        (9, 10),
        (17, 18),
        (100, 104),
        (1_000, 1_024),
        (1_000_000, 1_015_808),
        (mebibyte, mebibyte),
        (mebibyte + 1, mebibyte + 32 * 1024),
        (2 * mebibyte + 1, 2 * mebibyte + 64 * 1024),
        (16 * mebibyte + 1, 16 * mebibyte + 64 * 1024),
        (512 * mebibyte + 1, 512 * mebibyte + 64 * 1024),
        (u64::MAX, u64::MAX),
    ] {
        assert_eq!(padded_len(len), expected, "{len}");
    }
}

#[test]
fn a_head_is_written_as_specified() {
    let mut head = FrameHead { codec: Codec::Stored, reference: None, lengths: vec![3, 300] };
    assert_eq!(hex_encode(&head.encode()), "0000af020203ac02");
    assert_eq!(head.raw_len(), 303);
    head.codec = Codec::Zstd;
    head.reference = Some(ObjectId([0xee; 32]));
    let expected = format!("0101af020203ac02{}", "ee".repeat(32));
    assert_eq!(hex_encode(&head.encode()), expected);
}

#[test]
fn a_footer_is_written_as_specified() {
    let footer = Footer {
        writer: WriterId([0xaa; 8]),
        session: Ulid(1),
        frames: vec![FooterFrame {
            class: Class::Data,
            stored_len: 300,
            raw_len: 5,
            objects: vec![ShortId([0xbb; 16])],
        }],
    };
    let expected = [
        &"aa".repeat(8),
        "00000000000000000000000000000001",
        "01",
        "01",
        "ac02",
        "05",
        "01",
        &"bb".repeat(16),
    ];
    assert_eq!(hex_encode(&footer.encode()), expected.concat());
}

#[test]
fn a_trailer_has_its_fields_where_they_are_specified() {
    let trailer = Trailer {
        meta_section: [0x11; 96],
        data_section: [0x22; 96],
        footer_len: 0x0403_0201,
        padding_len: 0x0807_0605,
        pack: PackId([0x33; 16]),
        domain: 0x0c0b_0a09,
        kind: PackKind::Mixed,
    };
    let bytes = trailer.encode();
    for (offset, expected) in [
        (0, &[0x11; 96][..]),
        (96, &[0x22; 96]),
        (192, &[1, 2, 3, 4]),
        (196, &[5, 6, 7, 8]),
        (200, &[0x33; 16]),
        (216, &[9, 10, 11, 12]),
        (220, &[2]),
        (221, &[1]),
        (222, &[0; 26]),
        (248, b"ESKRPACK"),
    ] {
        assert_eq!(&bytes[offset..offset + expected.len()], expected);
    }
    for byte in 220..256 {
        let mut bent = bytes;
        bent[byte] ^= 0x80;
        assert!(Trailer::decode(&bent).is_err(), "byte {byte}");
    }
}

/// A head of the raw length, number and lengths that are given, whatever they mean.
fn head(raw_len: u64, count: u64, lengths: &[u64]) -> Vec<u8> {
    let mut out = Writer::new();
    out.u8(0).u8(0).varint(raw_len).varint(count);
    for &length in lengths {
        out.varint(length);
    }
    out.0
}

#[test]
fn hostile_heads_are_refused() {
    let limit = MAX_FRAME_RAW_LEN;
    let too_many = MAX_FRAME_OBJECTS as u64 + 1;
    for (name, bytes) in [
        ("absurd raw length", head(u64::MAX, 1, &[u64::MAX])),
        ("raw length above the limit", head(limit + 1, 1, &[limit + 1])),
        ("2^60 objects", head(5, 1 << 60, &[5])),
        ("objects above the limit", head(0, too_many, &vec![0; too_many as usize])),
        ("more objects than bytes", head(5, 60_000, &[5])),
        ("no objects", head(0, 0, &[])),
        ("sum too small", head(10, 2, &[4, 5])),
        ("sum too great", head(10, 2, &[5, 6])),
        ("sum that overflows", head(10, 3, &[u64::MAX, 1, 10])),
        ("unknown codec", vec![2, 0, 0, 1, 0]),
        ("unknown flag", vec![0, 2, 0, 1, 0]),
        ("reference that is cut off", vec![0, 1, 0, 1, 0, 9, 9]),
        ("nothing", vec![]),
    ] {
        assert!(FrameHead::decode(&bytes).is_err(), "{name}");
    }
    let empty_objects = head(0, too_many - 1, &vec![0; MAX_FRAME_OBJECTS]);
    assert!(FrameHead::decode(&empty_objects).is_ok());
}

#[test]
fn hostile_footers_are_refused() {
    // 24 bytes of writer and session, then the number of frames and one frame.
    let footer = |frames: u64, class: u8, stored: u64, raw: u64, objects: u64, ids: usize| {
        let mut out = Writer(vec![0; 24]);
        out.varint(frames).u8(class);
        out.varint(stored).varint(raw).varint(objects);
        out.raw(&vec![7; ids * 16]);
        Footer::decode(&out.0)
    };
    assert!(footer(1, 0, 17, 1, 1, 1).is_ok());
    for (name, result) in [
        ("no frames", footer(0, 0, 17, 1, 1, 1)),
        ("2^60 frames", footer(1 << 60, 0, 17, 1, 1, 1)),
        ("65,536 frames", footer(65_536, 0, 17, 1, 1, 1)),
        ("more frames than bytes", footer(65_535, 0, 17, 1, 1, 1)),
        ("unknown class", footer(1, 2, 17, 1, 1, 1)),
        ("no room for a tag", footer(1, 0, 16, 1, 1, 1)),
        ("absurd stored length", footer(1, 0, 1 << 60, 1, 1, 1)),
        ("absurd raw length", footer(1, 0, 17, 1 << 60, 1, 1)),
        ("no objects", footer(1, 0, 17, 1, 0, 0)),
        ("2^60 objects", footer(1, 0, 17, 1, 1 << 60, 1)),
        ("ids that are missing", footer(1, 0, 17, 1, 2, 1)),
        ("ids too many", footer(1, 0, 17, 1, 1, 2)),
    ] {
        assert!(result.is_err(), "{name}");
    }
}

#[test]
fn frames_lie_one_after_another() {
    let frame = |stored_len| FrameInfo { class: Class::Meta, stored_len, raw_len: 1 };
    let info = PackInfo {
        id: PackId([0; 16]),
        kind: PackKind::Meta,
        length: 1_000,
        meta_section: [0; 96],
        data_section: [0; 96],
        frames: vec![frame(20), frame(30), frame(u32::MAX)],
    };
    assert_eq!(info.frame_range(0), Some(0..20));
    assert_eq!(info.frame_range(1), Some(20..50));
    assert_eq!(info.frame_range(2), None, "beyond the pack");
    assert_eq!(info.frame_range(3), None);
    assert_eq!(info.frame_range(u32::MAX), None);
}

#[test]
fn codes_and_letters_round_trip() {
    for kind in [PackKind::Meta, PackKind::Data, PackKind::Mixed] {
        assert_eq!(PackKind::from_code(kind.code()), Some(kind));
        if let Some(letter) = kind.letter() {
            assert_eq!(PackKind::from_letter(letter), Some(kind));
        }
    }
    assert_eq!(PackKind::from_code(3), None);
    assert_eq!(PackKind::from_letter('x'), None);
    for codec in [Codec::Stored, Codec::Zstd] {
        assert_eq!(Codec::from_code(codec.code()), Some(codec));
    }
}
