use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn trees_can_be_shared_between_threads() {
    fn send<T: Send>() {}
    send::<Tree>();
    send::<Range>();
    send::<Diff>();
    send::<Parts>();
}

#[test]
fn values_are_found_and_ranges_begin_where_they_should() {
    let mut model = Model::of(small_params(), numbered(500));
    model.put_all([(Bytes::from_static(b"long"), value(5_000, 1))]);
    let tree = model.tree();
    for (key, value) in &model.map {
        assert_eq!(tree.get(key).unwrap().as_ref(), Some(value));
        assert_eq!(tree.get(&[key, &b"\0"[..]].concat()).unwrap(), None);
        assert_eq!(tree.get(&key[1..]).unwrap(), None);
    }
    let keys = model.map.keys().step_by(17);
    for from in keys.flat_map(|key| [key.to_vec(), [key, &b"\0"[..]].concat(), key[..9].to_vec()]) {
        let found: Vec<_> = tree.range(&from).take(40).map(Result::unwrap).collect();
        let expected = model.map.range(Bytes::from(from)..).take(40);
        assert!(found.iter().map(|(key, value)| (key, value)).eq(expected));
    }
    assert!(tree.range(b"zzz").next().is_none());
    let empty = Tree::new(Arc::new(MemoryObjects::new()), None);
    assert!(empty.get(b"a").unwrap().is_none() && empty.range(b"").next().is_none());
}

#[test]
fn a_look_up_and_the_start_of_a_range_read_one_node_a_level() {
    let model = Model::of(params(), numbered(20_000));
    let levels = usize::from(model.root.unwrap().level) + 1;
    model.objects.take_reads();
    let key = model.map.keys().nth(12_345).unwrap();
    model.tree().get(key).unwrap().unwrap();
    assert_eq!(model.objects.take_reads().len(), levels);
    model.tree().range(key).next().unwrap().unwrap();
    assert_eq!(model.objects.take_reads().len(), levels);
}

#[test]
fn walks_leave_out_what_they_are_told_to_and_go_on_after_damage() {
    let mut model = Model::of(small_params(), numbered(500));
    model.put_all([(Bytes::from_static(b"long"), value(5_000, 1))]);
    let top = model.root.unwrap();
    let mut seen = 0;
    let mut only_top = |visit: NodeVisit<'_>| match visit {
        NodeVisit::Node { level, .. } => {
            seen += 1;
            Ok(if level == top.level { Descend::Yes } else { Descend::No })
        }
        _ => Ok(Descend::Yes),
    };
    model.objects.take_reads();
    model.tree().nodes(&mut only_top).unwrap();
    assert_eq!(model.objects.take_reads(), [top.node]);
    assert!(seen > 2);

    let (nodes, values) = model.reachable();
    for id in [*nodes.iter().find(|id| **id != top.node).unwrap(), *values.first().unwrap()] {
        let bytes = model.objects.read(Class::Meta, &id).unwrap();
        model.objects.forge(id, vec![1, 2, 3]);
        let mut yes = |_: NodeVisit<'_>| Ok(Descend::Yes);
        assert!(matches!(model.tree().nodes(&mut yes), Err(TreeError::Corrupt { .. })));
        let mut noting = Noting::default();
        model.tree().walk(&mut noting).unwrap();
        let Noting { damaged, values, left_out } = noting;
        assert!(matches!(damaged[..], [TreeError::Corrupt { id: found, .. }] if found == id));
        assert_eq!(values + left_out, 501, "the node above says how many are lost");
        assert!(values < 501 && values > 100, "{values}");
        model.objects.forge(id, bytes.to_vec());
    }
}

#[derive(Default)]
struct Noting {
    damaged: Vec<TreeError>,
    values: u64,
    left_out: u64,
}

impl Walker for Noting {
    fn visit(&mut self, visit: NodeVisit<'_>) -> Result<Descend, TreeError> {
        self.values += u64::from(matches!(visit, NodeVisit::Value { .. }));
        Ok(Descend::Yes)
    }

    fn unreadable(&mut self, what: Unreadable<'_>) -> Result<(), TreeError> {
        assert!(what.end.is_none_or(|end| what.first.is_some_and(|first| first < end)));
        self.left_out += what.entries;
        self.damaged.push(what.error);
        Ok(())
    }
}

fn plain_diff(old: &Map, new: &Map) -> Vec<Difference> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| Difference {
            key: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
        })
        .collect()
}

fn check_diff(old: &Model, new: &Model) {
    let found: Result<Vec<_>, _> = diff(&old.tree(), &new.tree()).collect();
    assert_eq!(found.unwrap(), plain_diff(&old.map, &new.map));
}

type Choice = Vec<(usize, bool)>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn trees_differ_as_their_maps_do(
        size in 0..500usize,
        first in vec((0..600usize, any::<bool>()), 0..40),
        second in prop_oneof![
            vec((0..600usize, any::<bool>()), 0..40),
            (0..600usize, 0..600usize).prop_map(|(from, to)| (from..to).map(|n| (n, true)).collect()),
        ],
    ) {
        let all: Vec<_> = numbered(600).collect();
        let side = |choice: &Choice| {
            let mut model = Model::of(small_params(), all[..size].to_vec());
            model.edit(choice.iter().map(|(number, delete)| {
                let value = value(if number % 9 == 0 { 400 } else { 22 }, 5);
                (all[*number].0.clone(), (!delete).then_some(value))
            }));
            model
        };
        let (first, second) = (side(&first), side(&second));
        check_diff(&first, &second);
        check_diff(&second, &first);
    }
}

#[test]
fn few_differences_read_few_nodes() {
    let old = Model::of(params(), numbered(20_000));
    let mut new = Model::of(params(), numbered(20_000));
    let keys: Vec<_> = new.map.keys().step_by(1_999).cloned().collect();
    let mut edits: Vec<_> = keys.iter().map(|key| (key.clone(), Some(value(30, 1)))).collect();
    edits[3].1 = None;
    edits.push((Bytes::from_static(b"folder-00077/new"), Some(value(22, 1))));
    new.edit(edits);
    old.objects.take_reads();
    new.objects.take_reads();
    check_diff(&old, &new);
    let reads = old.objects.take_reads().len() + new.objects.take_reads().len();
    assert!(reads < 100, "{reads}");

    check_diff(&old, &old);
    assert_eq!(old.objects.take_reads(), []);
}

#[test]
fn many_differences_read_each_node_about_once() {
    // In the last tree there are more nodes above the leaves than are read at a time.
    let trees = [(params(), 20_000, 7), (small_params(), 20_000, 60), (small_params(), 100_000, 7)];
    for (params, size, step) in trees {
        let old = Model::of(params.clone(), numbered(size));
        let mut new = Model::of(params, numbered(size));
        let keys: Vec<_> = new.map.keys().step_by(step).cloned().collect();
        new.edit(keys.into_iter().map(|key| (key, Some(value(30, 1)))));
        let nodes = old.reachable().0.len() + new.reachable().0.len();
        old.objects.take_reads();
        new.objects.take_reads();
        check_diff(&old, &new);
        let reads = old.objects.take_reads().len() + new.objects.take_reads().len();
        assert!(reads <= nodes + nodes / 10, "{reads} reads of {nodes} nodes, each {step}th");
    }
}

/// Shared subtrees are found although one tree is higher.
#[test]
fn differences_in_height_are_seen_through() {
    let all: Vec<_> = numbered(20_000).collect();
    let low = Model::of(params(), all[..9_000].to_vec());
    let mut high = Model::of(params(), all[..9_000].to_vec());
    high.put_all(all[9_000..].to_vec());
    let levels = [&low, &high].map(|model| model.root.unwrap().level);
    for (old, new) in [(&low, &high), (&high, &low)] {
        old.objects.take_reads();
        new.objects.take_reads();
        check_diff(old, new);
        let reads = low.objects.take_reads().len();
        assert!(reads < 20, "{reads} reads of the smaller, of levels {levels:?}");
    }
}

#[test]
fn differences_within_some_keys_read_only_those() {
    let all: Vec<_> = numbered(20_000).collect();
    let old = Model::of(params(), all.clone());
    let mut new = Model::of(params(), all.clone());
    let changed = all.iter().step_by(97).map(|(key, _)| (key.clone(), Some(value(30, 1))));
    new.edit(changed.collect::<Vec<_>>());
    let plain = plain_diff(&old.map, &new.map);
    let bound = |at: usize| all[at].0.clone();
    for (from, end) in [
        (Bytes::new(), None),
        (bound(0), Some(bound(1))),
        (bound(97), Some(bound(97))),
        (bound(5_000), Some(bound(5_400))),
        (bound(5_001), Some(bound(5_002))),
        (bound(19_000), None),
        (Bytes::new(), Some(bound(200))),
        (Bytes::from_static(b"\xff"), None),
    ] {
        let expected: Vec<_> = plain
            .iter()
            .filter(|it| it.key >= from && end.as_ref().is_none_or(|end| it.key < end))
            .cloned()
            .collect();
        old.objects.take_reads();
        new.objects.take_reads();
        let is_narrow = expected.len() < 5;
        let keys = Keys { from, end };
        let found: Result<Vec<_>, _> = diff_within(&old.tree(), &new.tree(), &keys).collect();
        assert_eq!(found.unwrap(), expected, "{keys:?}");
        let reads = old.objects.take_reads().len() + new.objects.take_reads().len();
        assert!(!is_narrow || reads < 30, "{keys:?}: {reads}");
    }
}
