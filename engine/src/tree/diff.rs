//! Comparing two trees, reading only what differs.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::{BATCH, Expected, Tree, TreeError, value};
use crate::format::tree::{Item, Node};
use crate::id::ObjectId;
use crate::object::ReadObject;

/// One key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: Bytes,
    /// Its value in the old tree.
    pub old: Option<Bytes>,
    /// Its value in the new tree.
    pub new: Option<Bytes>,
}

/// Compares two trees of one dedup domain.
///
/// Equal subtrees are skipped unread, so it takes as long as there are differences.
pub fn diff(old: &Tree, new: &Tree) -> Diff {
    diff_within(old, new, &Keys::default())
}

/// As [`diff`], of some keys alone: what holds none of them is not read either.
pub fn diff_within(old: &Tree, new: &Tree, keys: &Keys) -> Diff {
    Diff { old: Side::new(old, keys), new: Side::new(new, keys) }
}

/// Neighbouring keys; all of them by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The least one.
    pub from: Bytes,
    /// All are below this one; `None` where there is no end.
    pub end: Option<Bytes>,
}

impl Keys {
    fn is_before_end(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| key < end)
    }

    /// True where a subtree may hold one of the keys.
    fn touch(&self, subtree: &Expected) -> bool {
        subtree.first.as_ref().is_none_or(|first| self.is_before_end(first))
            && subtree.end.as_ref().is_none_or(|end| *end > self.from)
    }

    fn hold(&self, key: &Bytes) -> bool {
        *key >= self.from && self.is_before_end(key)
    }
}

/// Differences ascending by key; made by [`diff`].
pub struct Diff {
    old: Side,
    new: Side,
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff").finish_non_exhaustive()
    }
}

/// What to do with what is ahead.
enum Move {
    /// Both sides are at their ends.
    End,
    /// The same is ahead on both sides.
    SkipBoth,
    /// The key ahead is on both sides, with two values.
    TakeBoth,
    /// The old side's next is to be opened or, if it is an entry, taken.
    Old,
    /// The new side's.
    New,
}

impl Diff {
    fn choose(&self) -> Move {
        let (old, new) = match (self.old.ahead.last(), self.new.ahead.last()) {
            (None, None) => return Move::End,
            (Some(_), None) => return Move::Old,
            (None, Some(_)) => return Move::New,
            (Some(old), Some(new)) => (old, new),
        };
        match (old, new) {
            (Ahead::Subtree(old), Ahead::Subtree(new)) if old.id == new.id => Move::SkipBoth,
            (Ahead::Entry(old), Ahead::Entry(new)) if old == new => Move::SkipBoth,
            (Ahead::Entry(old), Ahead::Entry(new)) if old.key == new.key => Move::TakeBoth,
            // What begins earlier differs for certain. Where both begin alike, the higher may hold the lower.
            _ => match old.order(new).then(new.height().cmp(&old.height())) {
                Ordering::Less | Ordering::Equal => Move::Old,
                Ordering::Greater => Move::New,
            },
        }
    }

    /// Reads the nodes that differ from here on, level by level, as many as are worth one wait.
    fn read_ahead(&mut self) {
        let (mut old_left, mut new_left) = (self.old.room(), self.new.room());
        let (mut old, mut new) = (self.old.subtrees(), self.new.subtrees());
        while old_left + new_left > 0 {
            let olds: HashSet<_> = old.iter().map(|it| it.id).collect();
            let news: HashSet<_> = new.iter().map(|it| it.id).collect();
            old.retain(|it| !news.contains(&it.id));
            new.retain(|it| !olds.contains(&it.id));
            let Some(level) = old.iter().chain(&new).map(|it| it.level).max() else {
                return;
            };
            old = self.old.read_level(old, level, &mut old_left);
            new = self.new.read_level(new, level, &mut new_left);
        }
    }

    fn advance(&mut self) -> Result<Option<Difference>, TreeError> {
        loop {
            let (old, new) = match self.choose() {
                Move::End => return Ok(None),
                Move::SkipBoth => {
                    self.old.ahead.pop();
                    self.new.ahead.pop();
                    (None, None)
                }
                Move::TakeBoth => (self.old.open()?, self.new.open()?),
                Move::Old => {
                    if self.old.lacks_next() {
                        self.read_ahead();
                    }
                    (self.old.open()?, None)
                }
                Move::New => {
                    if self.new.lacks_next() {
                        self.read_ahead();
                    }
                    (None, self.new.open()?)
                }
            };
            let Some(Item { key, .. }) = old.as_ref().or(new.as_ref()) else {
                continue;
            };
            return Ok(Some(Difference {
                key: key.clone(),
                old: self.old.value(old.as_ref())?,
                new: self.new.value(new.as_ref())?,
            }));
        }
    }
}

impl Iterator for Diff {
    type Item = Result<Difference, TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.old.ahead.clear();
            self.new.ahead.clear();
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Diff {}

/// So many nodes of each level above the leaves are read ahead at a time.
const ABOVE_LEAVES: usize = 16;

/// One of the trees, from some key on.
struct Side {
    reader: Arc<dyn ReadObject>,
    /// What was not looked at yet, the next one last: for each level the rest of one node.
    ahead: Vec<Ahead>,
    /// Nodes that were read before their turn.
    read: HashMap<ObjectId, (Expected, Node)>,
    keys: Keys,
}

enum Ahead {
    Subtree(Expected),
    Entry(Item),
}

impl Ahead {
    /// Which begins first; a root, whose first key is not known, begins with anything.
    fn order(&self, other: &Self) -> Ordering {
        match (self.first(), other.first()) {
            (Some(key), Some(other)) => key.cmp(other),
            _ => Ordering::Equal,
        }
    }

    fn first(&self) -> Option<&Bytes> {
        match self {
            Self::Subtree(expected) => expected.first.as_ref(),
            Self::Entry(item) => Some(&item.key),
        }
    }

    fn height(&self) -> u16 {
        match self {
            Self::Subtree(expected) => u16::from(expected.level) + 1,
            Self::Entry(_) => 0,
        }
    }
}

impl Side {
    fn new(tree: &Tree, keys: &Keys) -> Self {
        let root = tree.root.map(|root| Ahead::Subtree(Expected::root(root)));
        let ahead = root.into_iter().collect();
        Self { reader: tree.reader.clone(), ahead, read: HashMap::new(), keys: keys.clone() }
    }

    /// True where a subtree is next whose node was not read.
    fn lacks_next(&self) -> bool {
        matches!(self.ahead.last(), Some(Ahead::Subtree(next)) if self.known(next).is_none())
    }

    /// A node that was read as what it is expected to be here.
    fn known(&self, expected: &Expected) -> Option<&Node> {
        let (read_as, node) = self.read.get(&expected.id)?;
        (read_as == expected).then_some(node)
    }

    /// The next subtrees, in order.
    fn subtrees(&self) -> Vec<Expected> {
        let subtree = |ahead: &Ahead| match ahead {
            Ahead::Subtree(subtree) => Some(subtree.clone()),
            Ahead::Entry(_) => None,
        };
        self.ahead.iter().rev().filter_map(subtree).take(BATCH).collect()
    }

    /// How many nodes may be read ahead. Each side has room of its own, so that neither runs far ahead of the other; where
    /// there is none and the next node lacks, what is held was not needed after all.
    fn room(&mut self) -> usize {
        if self.lacks_next() && self.read.len() >= BATCH {
            self.read.clear();
        }
        BATCH.saturating_sub(self.read.len())
    }

    /// Reads those nodes that are of a level, at most `left`, and puts what is below them in their places.
    fn read_level(&mut self, nodes: Vec<Expected>, level: u8, left: &mut usize) -> Vec<Expected> {
        let is_wanted = |it: &&Expected| it.level == level && self.known(it).is_none();
        // Few above the leaves: there must be room for what is below them.
        let most = if level > 0 { (*left).min(ABOVE_LEAVES) } else { *left };
        let wanted: Vec<_> = nodes.iter().filter(is_wanted).take(most).cloned().collect();
        *left -= wanted.len();
        let loaded: Vec<_> = Expected::load_many(&*self.reader, &wanted).collect();
        for (subtree, node) in wanted.iter().zip(loaded) {
            // What cannot be read is told when its turn comes.
            self.read.extend(node.ok().map(|(node, _)| (subtree.id, (subtree.clone(), node))));
        }
        let mut below = Vec::new();
        for subtree in nodes {
            match self.known(&subtree) {
                _ if subtree.level < level => below.push(subtree),
                Some(node) => below.extend(subtree.children(node).filter(|it| self.keys.touch(it))),
                None => {}
            }
        }
        below
    }

    /// Takes an entry, or puts what is in a subtree in its place.
    fn open(&mut self) -> Result<Option<Item>, TreeError> {
        let expected = match self.ahead.pop() {
            None => return Ok(None),
            Some(Ahead::Entry(item)) => return Ok(Some(item)),
            Some(Ahead::Subtree(expected)) => expected,
        };
        let node = match self.read.remove(&expected.id) {
            Some((read_as, node)) if read_as == expected => node,
            _ => expected.load(&*self.reader)?.0,
        };
        if node.level == 0 {
            let entries = node.items.into_iter().rev().filter(|item| self.keys.hold(&item.key));
            self.ahead.extend(entries.map(Ahead::Entry));
            return Ok(None);
        }
        let children = expected.children(&node).filter(|child| self.keys.touch(child));
        let children: Vec<_> = children.map(Ahead::Subtree).collect();
        self.ahead.extend(children.into_iter().rev());
        Ok(None)
    }

    fn value(&self, item: Option<&Item>) -> Result<Option<Bytes>, TreeError> {
        item.map(|item| value(&*self.reader, &item.payload)).transpose()
    }
}
