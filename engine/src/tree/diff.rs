//! Comparing two trees, reading only what differs.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;

use super::{Expected, Tree, TreeError, value};
use crate::format::tree::Item;
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
                Move::Old => (self.old.open()?, None),
                Move::New => (None, self.new.open()?),
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

/// One of the trees, from some key on.
struct Side {
    reader: Arc<dyn ReadObject>,
    /// What was not looked at yet, the next one last: for each level the rest of one node.
    ahead: Vec<Ahead>,
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
        Self { reader: tree.reader.clone(), ahead, keys: keys.clone() }
    }

    /// Takes an entry, or puts what is in a subtree in its place.
    fn open(&mut self) -> Result<Option<Item>, TreeError> {
        let expected = match self.ahead.pop() {
            None => return Ok(None),
            Some(Ahead::Entry(item)) => return Ok(Some(item)),
            Some(Ahead::Subtree(expected)) => expected,
        };
        let (node, _) = expected.load(&*self.reader)?;
        if node.level == 0 {
            let entries = node.items.into_iter().rev().filter(|item| self.keys.hold(&item.key));
            self.ahead.extend(entries.map(Ahead::Entry));
            return Ok(None);
        }
        let child = |place| Expected::child(&node, place, expected.end.as_ref());
        let children = (0..node.items.len()).rev().filter_map(child);
        let children = children.filter(|child| self.keys.touch(child));
        self.ahead.extend(children.map(Ahead::Subtree));
        Ok(None)
    }

    fn value(&self, item: Option<&Item>) -> Result<Option<Bytes>, TreeError> {
        item.map(|item| value(&*self.reader, &item.payload)).transpose()
    }
}
