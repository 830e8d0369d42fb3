//! Trees that nobody honest writes: each gives an error, none a panic or an endless walk.

use super::*;

const ID: ObjectId = ObjectId([0xee; 32]);

fn leaf(keys: &[&'static str]) -> Vec<u8> {
    let item = |key: &&'static str| Item {
        key: Bytes::from_static(key.as_bytes()),
        payload: Payload::Inline(Bytes::from_static(b"v")),
    };
    encode_node(0, &keys.iter().map(item).collect::<Vec<_>>())
}

fn inner(level: u8, children: &[(&'static str, ObjectId, u64)]) -> Vec<u8> {
    let item = |(key, id, entries): &(&'static str, ObjectId, u64)| Item {
        key: Bytes::from_static(key.as_bytes()),
        payload: Payload::Child { id: *id, entries: *entries },
    };
    encode_node(level, &children.iter().map(item).collect::<Vec<_>>())
}

/// All ways to read `root`; every one must fail.
fn refused(objects: &MemoryObjects, root: Root, why: &str) {
    let tree = Tree::new(Arc::new(objects.clone()), Some(root));
    let other = Tree::new(Arc::new(MemoryObjects::new()), None);
    let mut yes = |_: NodeVisit<'_>| Ok(Descend::Yes);
    assert!(tree.nodes(&mut yes).is_err(), "walk: {why}");
    assert!(tree.range(b"").take(100).any(|entry| entry.is_err()), "range: {why}");
    assert!(diff(&tree, &other).take(100).any(|entry| entry.is_err()), "diff: {why}");
    assert!(diff(&other, &tree).take(100).any(|entry| entry.is_err()), "diff: {why}");
    let edits = ["a", "b", "m", "n", "z"].map(|key| Edit {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(Bytes::from_static(b"new")),
    });
    let mut written = MemoryObjects::new();
    let mut edits = edits.into_iter().map(Ok);
    let edited = edit(&params(), objects, Some(root), &mut edits, &mut written);
    assert!(edited.is_err(), "edit: {why}");
    assert!(["a", "b", "m", "n", "z"].iter().any(|key| tree.get(key.as_bytes()).is_err()), "{why}");
}

#[test]
fn nodes_that_are_not_what_their_parents_say_are_refused() {
    let low = ObjectId([1; 32]);
    let high = ObjectId([2; 32]);
    let top = |children: &[(&'static str, ObjectId, u64)]| inner(1, children);
    let good = || (leaf(&["a", "b"]), leaf(&["m", "n"]));
    let children = [("a", low, 2), ("m", high, 2)];
    let root = |level, entries| Root { node: ID, level, entries };
    let build = |top: Vec<u8>, (one, two): (Vec<u8>, Vec<u8>)| {
        let objects = MemoryObjects::new();
        objects.forge(ID, top);
        objects.forge(low, one);
        objects.forge(high, two);
        objects
    };
    let objects = build(top(&children), good());
    let tree = Tree::new(Arc::new(objects.clone()), Some(root(1, 4)));
    assert_eq!(tree.range(b"").map(Result::unwrap).count(), 4, "the good one");
    refused(&objects, root(0, 4), "a root of another level");
    refused(&objects, root(2, 4), "a root of another level");
    refused(&objects, root(200, 4), "a root above all levels");
    refused(&objects, root(1, 5), "a root of another count");

    let cases = [
        (top(&[("a", low, 3), ("m", high, 2)]), good(), 5, "a child of another count"),
        (top(&[("Z", low, 2), ("m", high, 2)]), good(), 4, "another first key"),
        (top(&children), (leaf(&["a", "m"]), leaf(&["m", "n"])), 4, "children that overlap"),
        (top(&children), (leaf(&["a", "z"]), leaf(&["m", "n"])), 4, "children that overlap"),
        (top(&children), (vec![], vec![]), 4, "no node"),
        (
            top(&children),
            (inner(1, &[("a", low, 2)]), leaf(&["m", "n"])),
            4,
            "a child of its own level",
        ),
        (top(&[("a", ID, 2), ("m", high, 2)]), good(), 4, "its own child"),
        (inner(2, &children), good(), 4, "a level left out"),
    ];
    for (top, nodes, entries, why) in cases {
        let level = top.get(1).copied().unwrap_or_default();
        refused(&build(top, nodes), root(level, entries), why);
    }
}

#[test]
fn chains_of_single_children_end() {
    let objects = MemoryObjects::new();
    let id = |level: u8| ObjectId([level; 32]);
    objects.forge(id(0), leaf(&["a"]));
    for level in 1..64 {
        objects.forge(id(level), inner(level, &[("a", id(level - 1), 1)]));
    }
    let root = Root { node: id(63), level: 63, entries: 1 };
    let tree = Tree::new(Arc::new(objects.clone()), Some(root));
    assert_eq!(tree.range(b"").map(Result::unwrap).count(), 1);
    let edits = (0..3_000).map(|number| {
        let key = format!("b{number:05}").into();
        let value = Some(Bytes::from_static(b"a value of some twenty bytes"));
        Ok(Edit { key, value })
    });
    let mut written = MemoryObjects::new();
    let edited = edit(&params(), &objects, Some(root), &mut { edits }, &mut written);
    let edited = edited.unwrap().unwrap();
    assert_eq!((edited.level, edited.entries), (2, 3_001));
}

#[test]
fn a_value_of_another_length_is_refused() {
    let mut objects = MemoryObjects::new();
    let id = objects.write(Class::Meta, &[0; 2_000]).unwrap();
    let payload = Payload::Spilled { id, length: 2_001 };
    let key = Bytes::from_static(b"a");
    objects.forge(ID, encode_node(0, &[Item { key, payload }]));
    let root = Root { node: ID, level: 0, entries: 1 };
    let tree = Tree::new(Arc::new(objects), Some(root));
    assert!(matches!(tree.get(b"a"), Err(TreeError::Corrupt { .. })));
    assert!(tree.range(b"").next().unwrap().is_err());
}
