use super::*;
use crate::format::entry::tests::part;
use crate::id::{hex_decode, hex_encode};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn leaf_payload() -> impl Strategy<Value = Payload> {
    let spilled = (any::<[u8; 32]>(), 0..=VALUE_LIMIT as u64);
    prop_oneof![
        vec(any::<u8>(), 0..50).prop_map(|value| Payload::Inline(value.into())),
        spilled.prop_map(|(id, length)| Payload::Spilled { id: ObjectId(id), length }),
    ]
}

fn child() -> impl Strategy<Value = Payload> {
    (any::<[u8; 32]>(), 1..u64::MAX / 100)
        .prop_map(|(id, entries)| Payload::Child { id: ObjectId(id), entries })
}

fn node() -> impl Strategy<Value = (u8, Vec<Item>)> {
    let key = || vec(0..4u8, 1..12);
    let leaf = btree_map(key(), leaf_payload(), 1..20).prop_map(|items| (0, items));
    let inner = (1..LEVEL_LIMIT, btree_map(key(), child(), 1..20));
    prop_oneof![leaf, inner].prop_map(|(level, items)| {
        let item = |(key, payload): (Vec<u8>, _)| Item { key: key.into(), payload };
        (level, items.into_iter().map(item).collect())
    })
}

fn list_node() -> impl Strategy<Value = ListNode> {
    let small = part().prop_filter("sums can be counted", |part| part.length() < 1 << 50);
    let child = (any::<[u8; 32]>(), 0..1u64 << 50).prop_map(|(id, length)| (ObjectId(id), length));
    prop_oneof![
        vec(small, 1..30).prop_map(ListNode::Parts),
        (1..LEVEL_LIMIT, vec(child, 1..30))
            .prop_map(|(level, children)| ListNode::Children { level, children }),
    ]
}

fn one_form_or_refused(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    if let Ok(node) = decode_list_node(&bytes) {
        prop_assert_eq!(encode_list_node(&node), &bytes[..]);
    }
    let bytes = Bytes::from(bytes);
    if let Ok(node) = decode_node(&bytes) {
        prop_assert_eq!(encode_node(node.level, &node.items), &bytes[..]);
    }
    Ok(())
}

proptest! {
    #[test]
    fn nodes_round_trip((level, items) in node()) {
        let node = decode_node(&encode_node(level, &items).into()).unwrap();
        prop_assert_eq!(node.entries, items.iter().map(Item::entries).sum::<u64>());
        prop_assert_eq!((node.level, node.items), (level, items));
    }

    #[test]
    fn list_nodes_round_trip(node in list_node()) {
        prop_assert_eq!(decode_list_node(&encode_list_node(&node)).unwrap(), node);
    }

    #[test]
    fn any_bytes_are_read_in_one_form_or_refused(mut bytes: Vec<u8>, header: bool) {
        if header {
            bytes.splice(..0, [1, 0]);
        }
        one_form_or_refused(bytes)?;
    }

    #[test]
    fn flipped_bits_are_read_in_one_form_or_refused(
        (level, items) in node(),
        list in list_node(),
        place: prop::sample::Index,
        bit in 0..8u8,
    ) {
        for mut bytes in [encode_node(level, &items), encode_list_node(&list)] {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            one_form_or_refused(bytes.clone())?;
        }
    }

    #[test]
    fn a_cut_off_node_is_refused((level, items) in node(), list in list_node(), place: prop::sample::Index) {
        let bytes = encode_node(level, &items);
        let start = Bytes::from(bytes).slice(..place.index(3 + items.len() * 4));
        prop_assert!(decode_node(&start).is_err());
        let bytes = encode_list_node(&list);
        prop_assert!(decode_list_node(&bytes[..place.index(bytes.len())]).is_err());
    }

    #[test]
    fn the_size_is_that_of_an_item_that_shares_nothing((level, items) in node()) {
        for item in items {
            let alone = encode_node(level, std::slice::from_ref(&item));
            prop_assert_eq!(item.size() as usize, alone.len() - 3);
        }
    }
}

fn item(key: &'static str, payload: Payload) -> Item {
    let key = Bytes::from_static(key.as_bytes());
    Item { key, payload }
}

/// Pins the format: what this test expects is what repositories hold.
#[test]
fn the_format_of_nodes_stays() {
    let id = ObjectId([0xcd; 32]);
    let cd = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
    let leaf = [
        item("abc", Payload::Inline(Bytes::from_static(b"one"))),
        item("abd", Payload::Spilled { id, length: 1025 }),
        item("abda", Payload::Inline(Bytes::new())),
    ];
    let inner = [
        item("a", Payload::Child { id, entries: 300 }),
        item("b", Payload::Child { id, entries: 1 }),
    ];
    let cases = [
        (0, &leaf[..], format!("01000300036162630 66f6e65 020164 8310 {cd} 03016100")),
        (2, &inner[..], format!("010202 000161 {cd} ac02 000162 {cd} 01")),
    ];
    for (level, items, expected) in cases {
        let expected = expected.replace(' ', "");
        assert_eq!(hex_encode(&encode_node(level, items)), expected);
        let bytes = Bytes::from(hex_decode(&expected).unwrap());
        assert_eq!(decode_node(&bytes).unwrap().items, items);
    }
    let parts = ListNode::Parts(vec![Part::Data { id, length: 70_000 }, Part::Hole { length: 1 }]);
    let children = ListNode::Children { level: 1, children: vec![(id, 70_001)] };
    let cases = [(parts, format!("0002 e0c508 {cd} 03")), (children, format!("0101 {cd} f1a204"))];
    for (node, expected) in cases {
        let expected = expected.replace(' ', "");
        assert_eq!(hex_encode(&encode_list_node(&node)), expected);
        assert_eq!(decode_list_node(&hex_decode(&expected).unwrap()).unwrap(), node);
    }
}

#[test]
fn other_forms_are_refused() {
    let cases = [
        ("020001 000161 00", "unknown version 2"),
        ("014001 000161 00", "level 64"),
        ("010000", "without items"),
        ("010001 0000 00", "a key of 0 bytes"),
        ("010002 000161 00 000161 00", "do not ascend"),
        ("010002 000162 00 000161 00", "do not ascend"),
        ("010002 00026162 00 00026163 00", "do not ascend"),
        ("010002 00026162 00 0100 00", "do not ascend"),
        ("010001 010161 00", "1 shared bytes"),
        ("010001 000161 02", "ends where 1 bytes"),
        ("010001 000161 00 00", "1 bytes too many"),
        ("010001 000161 82808010", "a value of 16777217 bytes"),
    ];
    for (hex, why) in cases {
        let bytes = hex_decode(&hex.replace(' ', "")).unwrap();
        let error = decode_node(&bytes.into()).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    let child = |entries| Payload::Child { id: ObjectId([1; 32]), entries };
    let empty = encode_node(1, &[item("a", child(0))]);
    assert!(decode_node(&empty.into()).is_err(), "a child without entries");
    let many = encode_node(1, &[item("a", child(u64::MAX)), item("b", child(1))]);
    assert!(decode_node(&many.into()).is_err(), "too many entries");
    let parts = vec![Part::Hole { length: 1 }; 513];
    let list = |count: usize| encode_list_node(&ListNode::Parts(parts[..count].to_vec()));
    assert!(decode_list_node(&list(512)).is_ok());
    assert!(decode_list_node(&list(513)).is_err(), "513 items");
    assert!(decode_list_node(&list(0)).is_err(), "no items");
}

/// A few bytes an item must not become 64 KiB an item in memory.
#[test]
fn shared_keys_do_not_blow_up() {
    let item = |last: u8| {
        let mut key = vec![b'k'; KEY_LIMIT];
        key[KEY_LIMIT - 1] = last;
        Item { key: key.into(), payload: Payload::Inline(Bytes::new()) }
    };
    let items: Vec<_> = (0..200).map(item).collect();
    assert!(decode_node(&encode_node(0, &items[..16]).into()).is_ok());
    let bytes = encode_node(0, &items);
    assert!(bytes.len() < 70_000);
    assert!(decode_node(&bytes.into()).is_err());
}
