use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A batch of edits: which key, and the length and seed of its value or a deletion.
type Batch = Vec<(u16, Option<(usize, u64)>)>;

fn batch(longest: usize, keys: u16) -> impl Strategy<Value = Batch> {
    let length = prop_oneof![4 => 10..60usize, 1 => 10..longest];
    let put = (length, 0..3u64).prop_map(Some);
    let edit = prop_oneof![3 => put.boxed(), 1 => Just(None).boxed()];
    // Some batches change keys all over, some delete or put neighbours.
    let scattered = vec((0..keys, edit.clone()), 0..80);
    let run = (0..keys, 1..keys, edit).prop_map(move |(from, length, edit)| {
        let to = from.saturating_add(length).min(keys);
        (from..to).map(|key| (key, edit)).collect()
    });
    prop_oneof![3 => scattered, 1 => run]
}

/// Keys in an order that is not that of their numbers, of many lengths, some the beginning of others.
fn key(number: u16) -> Bytes {
    let hash = blake3::hash(&(number / 3).to_le_bytes());
    let mut key = hash.to_hex().repeat(4);
    key.truncate(4 + usize::from(number / 3 % 30) * 8);
    key.push_str(&"/x"[..usize::from(number % 3)]);
    key.into()
}

fn apply(model: &mut Model, batch: Batch) {
    let (old_nodes, _) = model.reachable();
    let edits = batch
        .into_iter()
        .map(|(number, edit)| (key(number), edit.map(|(length, seed)| value(length, seed))));
    let written = model.edit(edits);
    model.verify();
    let (nodes, values) = model.reachable();
    for id in written {
        assert!(!old_nodes.contains(&id), "a node was written that was there");
        assert!(nodes.contains(&id) || values.contains(&id), "garbage was written");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_history_gives_the_same_tree(batches in vec(batch(8192, 300), 1..6)) {
        let mut model = Model::new(params());
        for batch in batches {
            apply(&mut model, batch);
        }
    }

    #[test]
    fn any_history_gives_the_same_tree_of_many_levels(batches in vec(batch(300, 600), 1..8)) {
        let mut model = Model::new(small_params());
        for batch in batches {
            apply(&mut model, batch);
        }
    }
}

/// Keys whose hash at level 0 is within bounds, so that a node always or never ends with them.
fn keys_with_hash(params: &TreeParams, wanted: std::ops::Range<f64>, count: usize) -> Vec<Bytes> {
    let share = |key: &String| params.hash(0, key.as_bytes()) as f64 / 2f64.powi(64);
    let keys = (0..).map(|number: u64| format!("{number:010}"));
    let wanted = keys.filter(|key| wanted.contains(&share(key)));
    wanted.take(count).map(Bytes::from).collect()
}

fn leaf_sizes(model: &Model) -> Vec<usize> {
    let mut leaves = Vec::new();
    let mut visit = |visit: NodeVisit<'_>| {
        if let NodeVisit::Node { id, level: 0 } = visit {
            leaves.push(model.objects.length(id));
        }
        Ok(Descend::Yes)
    };
    model.tree().nodes(&mut visit).unwrap();
    leaves
}

#[test]
fn keys_that_never_end_a_node_are_cut_by_size() {
    let params = params();
    let keys = keys_with_hash(&params, 0.5..1.0, 2_000);
    let mut model = Model::of(params, keys.iter().map(|key| (key.clone(), value(40, 1))));
    model.verify();
    let leaves = leaf_sizes(&model);
    let full = leaves.len() - 1;
    assert!(leaves[..full].iter().all(|size| (6_000..8_300).contains(size)));
    assert!(full >= 10, "{leaves:?}");
    // An entry more at the beginning moves all cuts; one less moves them back.
    let root = model.root;
    model.edit([(Bytes::from_static(b"!"), Some(value(50, 2)))]);
    model.verify();
    model.edit([(keys[900].clone(), Some(value(45, 3)))]);
    model.verify();
    let undo = [(keys[900].clone(), Some(value(40, 1))), (Bytes::from_static(b"!"), None)];
    model.edit(undo);
    assert_eq!(model.root, root);
}

#[test]
fn keys_that_always_end_a_node_are_cut_at_the_least_size() {
    let params = params();
    let keys = keys_with_hash(&params, 0.0..0.01, 500);
    let mut model = Model::of(params, keys.iter().map(|key| (key.clone(), value(40, 1))));
    model.verify();
    let leaves = leaf_sizes(&model);
    let full = leaves.len() - 1;
    assert!(leaves[..full].iter().all(|size| (800..1_200).contains(size)), "{leaves:?}");
    model.edit(keys.iter().step_by(7).map(|key| (key.clone(), None)));
    model.verify();
}

/// Keys of which each ends its leaf and every second its node above.
fn huge_key(number: usize) -> Bytes {
    let mut key = vec![b'k'; 60_000];
    key.splice(30_000..30_004, format!("{number:04}").into_bytes());
    key.into()
}

#[test]
fn huge_keys_share_nodes_on_every_level() {
    let key = huge_key;
    let mut model = Model::of(params(), (0..12).map(|number| (key(number), value(20, 1))));
    model.verify();
    assert_eq!(model.root.unwrap().level, 4);
    model.edit([(key(7), None), (key(20), Some(value(9000, 1)))]);
    model.verify();
    model.edit((0..11).map(|number| (key(number), None)));
    model.verify();
    assert_eq!(model.root.unwrap().level, 1);
}

/// Also where the nodes above what remains were not touched and have one child only.
#[test]
fn one_untouched_leaf_becomes_the_tree() {
    for (count, left) in (2..7).flat_map(|count| (0..count).map(move |left| (count, left))) {
        let all = (0..count).map(|number| (huge_key(number), value(20, 1)));
        let mut model = Model::of(params(), all);
        let others = (0..count).filter(|number| *number != left);
        let written = model.edit(others.map(|number| (huge_key(number), None)));
        assert_eq!(model.root, model.naive_root());
        assert_eq!((model.root.unwrap().level, written), (0, vec![]));
    }
}

#[test]
fn trees_grow_from_nothing_and_shrink_to_nothing() {
    let mut model = Model::new(small_params());
    let long = |key: &[u8]| Bytes::from([key, &[b'x'; 150]].concat());
    let all = numbered(600).map(|(key, value)| (long(&key), value));
    let all: Vec<_> = all.collect();
    let mut levels = BTreeSet::new();
    for entries in all.chunks(20) {
        model.put_all(entries.to_vec());
        model.verify();
        levels.extend(model.root.map(|root| root.level));
    }
    assert!(levels.len() >= 4, "{levels:?}");
    // From both ends, so that what remains was never touched.
    for (front, back) in all.chunks(20).zip(all.rchunks(20)).take(15) {
        let both = front.iter().chain(back);
        model.edit(both.map(|(key, _)| (key.clone(), None)));
        model.verify();
    }
    assert_eq!(model.root, None);
    model.put_all(all.clone());
    assert_eq!(model.root.unwrap().entries, 600);
    let written = model.edit(all.iter().map(|(key, _)| (key.clone(), None)));
    assert_eq!((model.root, written), (None, vec![]));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let mut model = Model::of(params(), numbered(3_000));
    let root = model.root;
    let same: Vec<_> = model.map.clone().into_iter().step_by(10).collect();
    assert!(model.edit(same.into_iter().map(|(key, value)| (key, Some(value)))).is_empty());
    let absent = ["", "folder-00003/", "folder-00003/file-000300x", "zzz"];
    let absent = absent[1..].iter().map(|key| (Bytes::from_static(key.as_bytes()), None));
    assert!(model.edit(absent).is_empty());
    assert!(model.edit([]).is_empty());
    assert_eq!(model.root, root);
    assert!(Model::new(params()).edit([(Bytes::from_static(b"a"), None)]).is_empty());
}

#[test]
fn few_changes_read_and_write_few_nodes() {
    let mut model = Model::of(params(), numbered(20_000));
    let nodes = model.reachable().0.len();
    assert!((300..1_200).contains(&nodes), "{nodes}");
    model.objects.take_reads();
    let changes: Vec<_> = numbered(20_000).step_by(200).map(|(key, _)| key).collect();
    let written = model.edit(changes.iter().map(|key| (key.clone(), Some(value(22, 99_999)))));
    let reads = model.objects.take_reads().len();
    let bytes: usize = written.iter().map(|id| model.objects.length(*id)).sum();
    assert!((100..=250).contains(&written.len()), "{}", written.len());
    assert!(reads <= 400, "{reads}");
    assert!(bytes / changes.len() < 5_000, "{bytes}");
    model.verify();
    // One change: one node a level.
    let written = model.edit([(changes[50].clone(), Some(value(22, 7)))]);
    let levels = usize::from(model.root.unwrap().level) + 1;
    assert!(written.len() <= levels + 2, "{} of {levels}", written.len());
}

#[test]
fn edits_that_cannot_be_are_refused() {
    let edit_all = |keys: &[&[u8]], length: usize| {
        let mut edits = keys.iter().map(|key| {
            let (key, value) = (Bytes::copy_from_slice(key), Some(Bytes::from(vec![0; length])));
            Ok(Edit { key, value })
        });
        let mut objects = MemoryObjects::new();
        edit(&params(), &objects.clone(), None, &mut edits, &mut objects)
    };
    assert!(matches!(edit_all(&[b"b", b"a"], 0), Err(TreeError::Order { .. })));
    assert!(matches!(edit_all(&[b"b", b"b"], 0), Err(TreeError::Order { .. })));
    assert!(matches!(edit_all(&[b""], 0), Err(TreeError::KeyLength { length: 0 })));
    let long = vec![0; KEY_LIMIT + 1];
    assert!(matches!(edit_all(&[&long], 0), Err(TreeError::KeyLength { .. })));
    assert!(edit_all(&[&long[1..]], 0).is_ok());
    assert!(matches!(edit_all(&[b"a"], VALUE_LIMIT + 1), Err(TreeError::ValueLength { .. })));
    assert!(edit_all(&[b"a"], VALUE_LIMIT).is_ok());
    let mut failing = std::iter::once(Err(TreeError::Edits { source: "the disk is gone".into() }));
    let mut objects = MemoryObjects::new();
    let failed = edit(&params(), &objects.clone(), None, &mut failing, &mut objects);
    assert!(matches!(failed, Err(TreeError::Edits { .. })));
}

/// Pins the shape: what this test expects is how repositories are cut.
#[test]
fn the_root_of_a_known_map_stays() {
    let model = Model::of(params(), numbered(1_000));
    let json = serde_json::to_string(&model.root).unwrap();
    let expected = concat!(
        r#"{"node":"7b1df581561d3a060c727cdaad35ac5ea4e8bd7f8250117a1b6e7e11df499713","#,
        r#""level":1,"entries":1000}"#
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Option<Root>>(&json).unwrap(), model.root);
}
