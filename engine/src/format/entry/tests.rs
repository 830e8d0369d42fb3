use super::*;
use crate::id::{hex_decode, hex_encode};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), length).prop_map(Bytes::from)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (any::<i64>(), 0..1_000_000_000u32)
        .prop_map(|(seconds, nanoseconds)| Timestamp { seconds, nanoseconds })
}

pub(crate) fn part() -> impl Strategy<Value = Part> {
    let length = prop_oneof![1..100_000u64, 1..=PART_LENGTH_LIMIT];
    (any::<[u8; 32]>(), length, any::<bool>()).prop_map(|(id, length, hole)| {
        let id = ObjectId(id);
        if hole { Part::Hole { length } } else { Part::Data { id, length } }
    })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::None),
        bytes(0..65).prop_map(Content::Inline),
        vec(part(), 0..25).prop_map(Content::Parts),
        (any::<[u8; 32]>(), 25..=u64::MAX)
            .prop_map(|(top, parts)| Content::List { top: ObjectId(top), parts }),
    ]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let times =
        (option::of(time()), option::of(time()), option::of(time()), option::of(0..0o10000u32));
    let names = (
        option::of(bytes(0..9)),
        option::of(bytes(0..9)),
        option::of(bytes(0..99)),
        option::of(bytes(0..9)),
    );
    let numbers = (
        option::of(any::<(u32, u32)>()),
        option::of(any::<(u64, u64)>()),
        option::of(any::<(u32, u32)>()),
    );
    let lists =
        (btree_map(bytes(0..9), bytes(0..99), 0..4), btree_map(13..300u64, bytes(0..99), 0..4));
    (times, names, numbers, lists).prop_map(|(times, names, numbers, lists)| Metadata {
        modified: times.0,
        created: times.1,
        changed: times.2,
        mode: times.3,
        owner: numbers.0,
        user: names.0,
        group: names.1,
        link_target: names.2,
        link_group: numbers.1.map(|(device, inode)| LinkGroup { device, inode }),
        device: numbers.2,
        xattrs: lists.0.into_iter().collect(),
        media_type: names.3,
        other: lists.1.into_iter().collect(),
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = (0..8usize).prop_map(|code| EntryKind::ALL[code]);
    (kind, any::<u64>(), bytes(0..40), metadata(), content()).prop_map(
        |(kind, size, version, metadata, content)| Entry { kind, size, version, metadata, content },
    )
}

proptest! {
    #[test]
    fn entries_round_trip(entry in entry()) {
        prop_assert_eq!(decode_entry(&encode_entry(&entry)).unwrap(), entry);
    }

    #[test]
    fn any_bytes_are_read_in_one_form_or_refused(bytes: Vec<u8>) {
        if let Ok(entry) = decode_entry(&bytes) {
            prop_assert_eq!(encode_entry(&entry), bytes);
        }
    }

    #[test]
    fn flipped_bits_are_read_in_one_form_or_refused(entry in entry(), place: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = encode_entry(&entry);
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(entry) = decode_entry(&bytes) {
            prop_assert_eq!(encode_entry(&entry), bytes);
        }
    }

    #[test]
    fn a_cut_off_entry_is_refused(entry in entry(), place: prop::sample::Index) {
        let bytes = encode_entry(&entry);
        prop_assert!(decode_entry(&bytes[..place.index(bytes.len())]).is_err());
    }
}

#[test]
fn kinds_have_the_codes_of_their_places() {
    for (code, kind) in EntryKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, code);
    }
}

/// Pins the format: what this test expects is what repositories hold.
#[test]
fn the_format_of_an_entry_stays() {
    let id = |byte| ObjectId([byte; 32]);
    let entry = Entry {
        kind: EntryKind::File,
        size: 300_000,
        version: Bytes::from_static(b"v1"),
        metadata: Metadata {
            modified: Some(Timestamp { seconds: 1_700_000_000, nanoseconds: 5 }),
            created: Some(Timestamp { seconds: -1, nanoseconds: 999_999_999 }),
            mode: Some(0o644),
            owner: Some((1000, 100)),
            user: Some(Bytes::from_static(b"me")),
            link_group: Some(LinkGroup { device: 2, inode: 300 }),
            xattrs: vec![(Bytes::from_static(b"user.a"), Bytes::from_static(b"1"))],
            other: vec![(128, Bytes::from_static(b"x"))],
            ..Metadata::default()
        },
        content: Content::Parts(vec![
            Part::Data { id: id(0xab), length: 200_000 },
            Part::Hole { length: 100_000 },
        ]),
    };
    let expected = concat!(
        "0101",
        "00",
        "e0a712",
        "027631", // version, kind, flags, size, source version
        "08",
        "0106",
        "80c49fd50c05",
        "0206",
        "01ff93ebdc03", // times
        "0402",
        "a403",
        "0503",
        "e80764",
        "06026d65", // mode, owner, user
        "0903",
        "02ac02",
        "0b0a",
        "0106757365722e610131",
        "80010178", // links, xattrs, own
        "0202",
        "80b518", // two parts: data
        "abababababababababababababababababababababababababababababababab",
        "c19a0c",
    );
    assert_eq!(hex_encode(&encode_entry(&entry)), expected);
    assert_eq!(decode_entry(&hex_decode(expected).unwrap()).unwrap(), entry);
}

#[test]
fn other_forms_are_refused() {
    let cases = [
        ("", "ends where"),
        ("02010000000000", "unknown version 2"),
        ("01080000000000", "unknown kind 8"),
        ("01010100000000", "unknown flags 0x1"),
        ("0101000000010000 00", "the tag 0"),
        ("010100000001040280 2000", "4096 as the mode"),
        ("01010000000206016106016200", "attribute 6 is not in"),
        ("010100000002070161060162 00", "attribute 6 is not in"),
        ("0101000000010b0100 00", "no extended attributes"),
        ("0101000000010103000 10000", "attribute 1: 1 bytes too many"),
        ("01010000000141", "ends where"),
        ("01010000000004", "unknown form 4"),
        ("0101000000000000", "1 bytes too many"),
        ("010100000000 0219", "25 parts in an entry"),
        ("010100000000 0141", "65 bytes in an entry"),
    ];
    for (hex, why) in cases {
        let bytes = hex_decode(&hex.replace(' ', "")).unwrap();
        let error = decode_entry(&bytes).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    let list = [&[1, 1, 0, 0, 0, 0, 3][..], &[7; 32], &[24]].concat();
    assert!(decode_entry(&list).is_err(), "a list of 24 parts");
}

#[test]
fn attributes_out_of_order_are_brought_in_order() {
    let pair = |name: &'static str| (Bytes::from_static(name.as_bytes()), Bytes::new());
    let mut entry = Entry::new(EntryKind::Document);
    entry.metadata.xattrs = vec![pair("b"), pair("a"), pair("b")];
    entry.metadata.other = vec![(200, Bytes::new()), (6, Bytes::new()), (130, Bytes::new())];
    entry.metadata.mode = Some(0o100_644);
    let read = decode_entry(&encode_entry(&entry)).unwrap().metadata;
    assert_eq!(read.xattrs, [pair("a"), pair("b")]);
    assert_eq!(read.other, [(130, Bytes::new()), (200, Bytes::new())]);
    assert_eq!((read.mode, read.user), (Some(0o644), None));
}
