use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::entry::{Content, Part};
use crate::format::tree::{ListNode, encode_list_node};

fn build(parts: impl IntoIterator<Item = Part>, objects: &mut MemoryObjects) -> Content {
    let mut builder = ListBuilder::new();
    for part in parts {
        builder.push(part, objects).unwrap();
    }
    builder.finish(objects).unwrap()
}

fn read_all(content: &Content, objects: &MemoryObjects) -> Vec<Part> {
    let parts = parts(Arc::new(objects.clone()), content);
    parts.map(Result::unwrap).collect()
}

fn data(number: u64) -> Part {
    Part::Data {
        id: ObjectId(*blake3::hash(&number.to_le_bytes()).as_bytes()),
        length: 1 + number % 65_536,
    }
}

/// The list as it should be: no empty parts, no holes that touch.
fn merged(parts: &[Part]) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts.iter().filter(|part| part.length() > 0) {
        match (merged.last_mut(), part) {
            (Some(Part::Hole { length }), Part::Hole { length: more }) => *length += more,
            _ => merged.push(*part),
        }
    }
    merged
}

/// The specification read word by word.
fn naive_list(parts: &[Part], objects: &mut MemoryObjects) -> ObjectId {
    let ends = |id: &[u8], count: usize| {
        count == 512 || count > 1 && u32::from_le_bytes(id[..4].try_into().unwrap()) % 64 == 0
    };
    let mut level = Vec::new();
    let mut write = |node: ListNode| {
        let id = objects.write(Class::Meta, &encode_list_node(&node)).unwrap();
        (id, node.length().unwrap())
    };
    let mut node = Vec::new();
    for part in parts {
        node.push(*part);
        let id = match part {
            Part::Data { id, .. } => id.0,
            Part::Hole { .. } => [1; 32],
        };
        if ends(&id, node.len()) {
            level.push(write(ListNode::Parts(std::mem::take(&mut node))));
        }
    }
    if !node.is_empty() {
        level.push(write(ListNode::Parts(node)));
    }
    for above in 1.. {
        if let [(top, _)] = level[..] {
            return top;
        }
        let mut node = Vec::new();
        let mut next = Vec::new();
        let last = level.len() - 1;
        for (place, child) in level.into_iter().enumerate() {
            node.push(child);
            if ends(&child.0.0, node.len()) || place == last {
                let children = std::mem::take(&mut node);
                next.push(write(ListNode::Children { level: above, children }));
            }
        }
        level = next;
    }
    unreachable!()
}

fn check(list: &[Part]) {
    let mut objects = MemoryObjects::new();
    let content = build(list.to_vec(), &mut objects);
    let written: BTreeSet<_> = objects.take_writes().into_iter().collect();
    let expected = merged(list);
    assert_eq!(read_all(&content, &objects), expected);
    let Content::List { top, parts } = content else {
        assert!(expected.len() <= 24 && written.is_empty());
        assert_eq!(content, Content::Parts(expected));
        return;
    };
    assert!(parts as usize == expected.len() && parts > 24);
    assert_eq!(top, naive_list(&expected, &mut MemoryObjects::new()));
    let (mut nodes, mut visited) = (BTreeSet::new(), Vec::new());
    let mut visit = |visit| {
        match visit {
            ListVisit::Node(id) => drop(nodes.insert(id)),
            ListVisit::Part(part) => visited.push(part),
        }
        Ok(Descend::Yes)
    };
    list_nodes(&objects, top, &mut visit).unwrap();
    assert_eq!(visited, expected);
    assert_eq!(nodes, written, "all that is written is in the tree");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_list_is_read_as_it_was_written(
        parts in vec(prop_oneof![
            8 => any::<u64>().prop_map(data),
            1 => (0..3u64).prop_map(|length| Part::Hole { length }),
            1 => Just(Part::Data { id: ObjectId([0; 32]), length: 5 }),
        ], 0..700),
        cut in 0..700usize,
    ) {
        check(&parts);
        check(&parts[..cut.min(parts.len())]);
    }
}

#[test]
fn lists_of_the_sizes_where_something_changes() {
    for count in [0, 1, 24, 25, 511, 512, 513] {
        let ids = (0..)
            .map(data)
            .filter(|part| matches!(part, Part::Data { id, .. } if !id.0[0].is_multiple_of(64)));
        check(&ids.take(count).collect::<Vec<_>>());
        // Each of these ends a node.
        let id = |number: usize| {
            ObjectId(
                [0, 0, 0, 0, 1, (number >> 8) as u8, number as u8, 1].repeat(4).try_into().unwrap(),
            )
        };
        let ending = (0..count).map(|number| Part::Data { id: id(number), length: 9 });
        check(&ending.collect::<Vec<_>>());
        // A file of one chunk again and again.
        check(&vec![data(1); count]);
        check(&vec![Part::Data { id: ObjectId([0; 32]), length: 7 }; count]);
        check(&vec![Part::Hole { length: 1 }; count]);
    }
}

#[test]
fn a_change_in_the_middle_reuses_the_rest() {
    let mut objects = MemoryObjects::new();
    let mut list: Vec<_> = (0..20_000).map(data).collect();
    build(list.clone(), &mut objects);
    let old: BTreeSet<_> = objects.take_writes().into_iter().collect();
    assert!(old.len() > 200, "{}", old.len());
    list[10_000] = data(1_000_000);
    list.insert(12_000, data(1_000_001));
    let content = build(list.clone(), &mut objects);
    let new = objects.take_writes().into_iter().filter(|id| !old.contains(id));
    let new = new.collect::<BTreeSet<_>>().len();
    assert!(new <= 12, "{new}");
    assert_eq!(read_all(&content, &objects), list);
}

#[test]
fn contents_without_parts_have_none() {
    let objects = MemoryObjects::new();
    for content in [Content::None, Content::Inline(Bytes::from_static(b"x"))] {
        assert_eq!(read_all(&content, &objects), []);
    }
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let mut objects = MemoryObjects::new();
    let mut builder = ListBuilder::new();
    let half = Part::Hole { length: 1 << 62 };
    builder.push(half, &mut objects).unwrap();
    assert!(matches!(builder.push(half, &mut objects), Err(TreeError::ContentLength)));
    let long = Part::Hole { length: 1 << 63 };
    assert!(ListBuilder::new().push(long, &mut objects).is_err());
}

#[test]
fn hostile_lists_are_refused() {
    let id = |number| ObjectId([number; 32]);
    let leaf = ListNode::Parts(vec![data(7); 30]);
    let children = |level, below: &[u8], length| {
        let children = below.iter().map(|child| (id(*child), length)).collect();
        encode_list_node(&ListNode::Children { level, children })
    };
    let objects = MemoryObjects::new();
    let length = leaf.length().unwrap();
    objects.forge(id(1), encode_list_node(&leaf));
    objects.forge(id(2), children(1, &[1, 1], length));
    objects.forge(id(3), children(1, &[1, 1], length + 1));
    objects.forge(id(4), children(2, &[1, 1], length));
    objects.forge(id(5), children(1, &[5, 1], length));
    objects.forge(id(6), vec![]);
    let cases = [
        (1, 30, true),
        (2, 60, true),
        (2, 59, false),
        (2, 61, false),
        (3, 60, false),
        (4, 60, false),
        (5, 60, false),
        (6, 60, false),
        (7, 60, false),
    ];
    for (top, count, good) in cases {
        let content = Content::List { top: id(top), parts: count };
        let parts = parts(Arc::new(objects.clone()), &content);
        let read: Result<Vec<_>, _> = parts.take(1_000).collect();
        assert_eq!(read.is_ok(), good, "list {top} of {count}");
        let mut yes = |_| Ok(Descend::Yes);
        let walked = list_nodes(&objects, id(top), &mut yes).is_ok();
        assert_eq!(walked, top <= 2, "list {top}");
    }
}
