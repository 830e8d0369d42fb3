//! Editing a tree: each level takes edits in ascending order and hands edits to the level above.
//!
//! A level copies what it may, and where an edit falls it opens a *run*: from the beginning of the old node the
//! edit falls into, items and edits are merged and cut anew, until a cut falls together with the end of an old
//! node and no edit falls before the next. From there on the old nodes are what a cut would give again.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::vec;

use bytes::Bytes;

use super::cursor::Cursor;
use super::paths::Paths;
use super::{BATCH, Expected, Root, TreeError, TreeParams};
use crate::format::tree::{Item, KEY_LIMIT, LEVEL_LIMIT, NodeEncoder, Payload, VALUE_LIMIT};
use crate::id::ObjectId;
use crate::object::{Class, ReadObject, WriteObject};

/// One change to a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The key.
    pub key: Bytes,
    /// Its new value; `None` deletes it.
    pub value: Option<Bytes>,
}

/// Applies edits, ascending by key, and returns the new root: the same as if the whole tree were built anew.
///
/// Reads only nodes on the paths to edits, stores only nodes that change, and holds a few nodes a level. A put of
/// an equal value and a delete of an absent key change nothing. What it stores need not be readable before it ends.
///
/// # Errors
/// `Order`, `KeyLength` and `ValueLength` for edits that cannot be, and whatever `edits`, the reader and the writer
/// fail with. What was stored until then is garbage.
pub fn edit(
    params: &TreeParams,
    reader: &dyn ReadObject,
    root: Option<Root>,
    edits: &mut dyn Iterator<Item = Result<Edit, TreeError>>,
    writer: &mut dyn WriteObject,
) -> Result<Option<Root>, TreeError> {
    let paths = Paths::new(reader, root);
    let stage = Stage { params, reader: &paths, writer };
    let mut editor = Editor { stage, root, levels: Vec::new() };
    let mut last: Option<Bytes> = None;
    let mut ahead = VecDeque::new();
    while let Some(edit) = next_edit(edits, &mut ahead, &paths) {
        let Edit { key, value } = edit?;
        if key.is_empty() || key.len() > KEY_LIMIT {
            return Err(TreeError::KeyLength { length: key.len() });
        }
        if last.is_some_and(|last| last >= key) {
            return Err(TreeError::Order { key });
        }
        last = Some(key.clone());
        let payload = value.map(|value| editor.stage.payload(&key, value));
        let payload = payload.transpose()?;
        editor.push(0, ItemEdit { key, payload })?;
    }
    editor.finish()
}

type EditResult = Result<Edit, TreeError>;

/// Takes the next edit; where none is left of those that were taken before, takes many and reads what they will need.
fn next_edit(
    edits: &mut dyn Iterator<Item = EditResult>,
    ahead: &mut VecDeque<EditResult>,
    paths: &Paths<'_>,
) -> Option<EditResult> {
    if ahead.is_empty() {
        let mut bytes = 0;
        while ahead.len() < BATCH && bytes < AHEAD_BYTES {
            let Some(edit) = edits.next() else { break };
            bytes += edit.as_ref().map_or(0, |it| it.value.as_ref().map_or(0, Bytes::len));
            ahead.push_back(edit);
        }
        let keys: Vec<_> =
            ahead.iter().filter_map(|it| it.as_ref().ok().map(|it| &it.key)).collect();
        paths.prepare(&keys);
    }
    ahead.pop_front()
}

/// So many bytes of values wait until what they need was read.
const AHEAD_BYTES: usize = /* 1 MiB */ 1024 * 1024;

/// An edit of any level.
struct ItemEdit {
    key: Bytes,
    payload: Option<Payload>,
}

/// What all levels work with.
struct Stage<'a> {
    params: &'a TreeParams,
    reader: &'a dyn ReadObject,
    writer: &'a mut dyn WriteObject,
}

impl Stage<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<ObjectId, TreeError> {
        let written = self.writer.write(Class::Meta, bytes);
        written.map_err(|source| TreeError::Write { source })
    }

    fn payload(&mut self, key: &Bytes, value: Bytes) -> Result<Payload, TreeError> {
        let length = value.len();
        if length > VALUE_LIMIT {
            let key = key.clone();
            return Err(TreeError::ValueLength { key, length });
        }
        if length <= self.params.spill as usize {
            return Ok(Payload::Inline(value));
        }
        let id = self.write(&value)?;
        let length = length as u64;
        Ok(Payload::Spilled { id, length })
    }
}

struct Editor<'a> {
    stage: Stage<'a>,
    root: Option<Root>,
    /// From level 0 up; a level is there once it has edits.
    levels: Vec<Level>,
}

impl Editor<'_> {
    fn push(&mut self, at: usize, edit: ItemEdit) -> Result<(), TreeError> {
        if at == self.levels.len() {
            let level = Level::open(at as u8, self.root, &mut self.stage)?;
            self.levels.push(level);
        }
        let mut above = Vec::new();
        if let Some(level) = self.levels.get_mut(at) {
            level.apply(edit, &mut self.stage, &mut above)?;
        }
        self.push_all(at + 1, above)
    }

    fn push_all(&mut self, at: usize, edits: Vec<ItemEdit>) -> Result<(), TreeError> {
        edits.into_iter().try_for_each(|edit| self.push(at, edit))
    }

    fn finish(mut self) -> Result<Option<Root>, TreeError> {
        let mut at = 0;
        while let Some(level) = self.levels.get_mut(at) {
            let mut above = Vec::new();
            match level.finish(&mut self.stage, &mut above)? {
                LevelEnd::Empty => return Ok(None),
                LevelEnd::Root(root) => return Ok(Some(root)),
                LevelEnd::OldRoot(root) => return self.lowest(root).map(Some),
                LevelEnd::Goes => self.push_all(at + 1, above)?,
            }
            at += 1;
        }
        // The topmost level with edits changed nothing that those above it know of.
        Ok(self.root)
    }

    /// The root is the first level with one node: an old node that is left alone may be above that.
    fn lowest(&self, mut root: Root) -> Result<Root, TreeError> {
        while root.level > 0 {
            let (node, _) = Expected::root(root).load(self.stage.reader)?;
            let [item] = &node.items[..] else {
                break;
            };
            let Some(lower) = child_root(root.level, &item.payload) else {
                break;
            };
            root = lower;
        }
        Ok(root)
    }
}

/// The root that the only item of a level is.
fn child_root(level: u8, payload: &Payload) -> Option<Root> {
    let Payload::Child { id: node, entries } = *payload else {
        return None;
    };
    let level = level.checked_sub(1)?;
    Some(Root { node, level, entries })
}

/// Where an item comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Old,
    Edit,
}

/// What a level has come to at the end of all edits.
enum LevelEnd {
    /// It has no items.
    Empty,
    /// It has one item, which is the tree's root.
    Root(Root),
    /// The same, and the item is a node that was not touched.
    OldRoot(Root),
    /// It has several nodes or an unknown number: the level above decides.
    Goes,
}

/// One level of the tree while it is edited.
struct Level {
    height: u8,
    /// The old nodes of this level; `None` above the old root.
    old: Option<Cursor>,
    /// Whether a run is open. If not, everything up to the cursor's node is settled.
    running: bool,
    /// In a run: what is left of the old node that was read last.
    rest: Peekable<vec::IntoIter<Item>>,
    /// In a run: the old nodes read that no new node has taken the place of, by their first keys.
    replaced: VecDeque<(Bytes, Payload)>,
    /// In a run, until a node with the same first key is cut: the bytes of its first old node, which may turn out to be
    /// the same.
    unchanged: Option<Bytes>,
    new: NewNode,
    /// Whether the level has nodes before the run.
    preceded: bool,
    /// Where the last run ended: the first key of the old node after it.
    resumed: Option<Bytes>,
}

impl Level {
    fn open(level: u8, root: Option<Root>, stage: &mut Stage<'_>) -> Result<Self, TreeError> {
        let mut opened = Self {
            height: level,
            old: None,
            // Above the old root there is nothing to copy: all is one run.
            running: true,
            rest: Vec::new().into_iter().peekable(),
            replaced: VecDeque::new(),
            unchanged: None,
            new: NewNode::default(),
            preceded: false,
            resumed: None,
        };
        let Some(root) = root else {
            return Ok(opened);
        };
        if level >= LEVEL_LIMIT {
            return Err(TreeError::corrupt(root.node, "its tree has too many levels"));
        }
        if level <= root.level {
            opened.old = Some(Cursor::new(root, level));
            opened.running = false;
        } else if level - 1 == root.level {
            let (node, _) = Expected::root(root).load(stage.reader)?;
            let payload = Payload::Child { id: root.node, entries: root.entries };
            let first = node.items.into_iter().next();
            let item = first.map(|Item { key, .. }| Item { key, payload });
            opened.rest = Vec::from_iter(item).into_iter().peekable();
        }
        Ok(opened)
    }

    /// Takes an edit whose key is above those before.
    fn apply(
        &mut self,
        edit: ItemEdit,
        stage: &mut Stage<'_>,
        above: &mut Vec<ItemEdit>,
    ) -> Result<(), TreeError> {
        if self.running {
            self.copy(Some(&edit.key), stage, above)?;
        }
        if !self.running {
            if !self.start(&edit, stage)? {
                return Ok(());
            }
            self.copy(Some(&edit.key), stage, above)?;
        }
        self.rest.next_if(|item| item.key == edit.key);
        let ItemEdit { key, payload } = edit;
        match payload {
            Some(payload) => self.add(Item { key, payload }, Origin::Edit, stage, above),
            None => Ok(()),
        }
    }

    /// Opens a run at the old node that the edit falls into; `false` if the edit changes nothing.
    fn start(&mut self, edit: &ItemEdit, stage: &mut Stage<'_>) -> Result<bool, TreeError> {
        let Some(cursor) = &mut self.old else {
            return Ok(false);
        };
        let node = &cursor.seek(stage.reader, &edit.key)?.node;
        let found = node.items.binary_search_by(|item| item.key.cmp(&edit.key));
        let old = found.ok().and_then(|place| node.items.get(place));
        if old.map(|item| &item.payload) == edit.payload.as_ref() {
            return Ok(false);
        }
        let first = node.items.first().map(|item| item.key.clone());
        self.preceded |= match &self.resumed {
            Some(_) => self.resumed != first,
            None => !cursor.at_first(),
        };
        self.running = true;
        self.unchanged = self.read_old(&edit.key, stage)?;
        Ok(true)
    }

    /// Takes the items of the old node that `key` falls into, and returns its bytes.
    fn read_old(&mut self, key: &[u8], stage: &mut Stage<'_>) -> Result<Option<Bytes>, TreeError> {
        let Some(cursor) = &mut self.old else {
            return Ok(None);
        };
        let frame = cursor.seek(stage.reader, key)?;
        if let Some(item) = frame.node.items.first() {
            let payload = Payload::Child { id: frame.expected.id, entries: frame.expected.entries };
            self.replaced.push_back((item.key.clone(), payload));
        }
        self.rest = frame.node.items.clone().into_iter().peekable();
        Ok(Some(frame.bytes.clone()))
    }

    /// Copies old items below `until`, or to the end; ends the run where the old nodes are right again.
    fn copy(
        &mut self,
        until: Option<&Bytes>,
        stage: &mut Stage<'_>,
        above: &mut Vec<ItemEdit>,
    ) -> Result<(), TreeError> {
        loop {
            let due = |item: &Item| until.is_none_or(|until| item.key < *until);
            while let Some(item) = self.rest.next_if(due) {
                self.add(item, Origin::Old, stage, above)?;
            }
            if self.rest.peek().is_some() {
                return Ok(());
            }
            let Some(next) = self.old.as_ref().and_then(Cursor::end).cloned() else {
                return Ok(());
            };
            if until.is_some_and(|until| *until < next) {
                return Ok(());
            }
            if self.new.is_empty() {
                self.running = false;
                self.unchanged = None;
                self.resumed = Some(next);
                self.remove_replaced(None, above);
                return Ok(());
            }
            self.read_old(&next, stage)?;
        }
    }

    /// Adds an item to the new node, and ends that where a node ends.
    fn add(
        &mut self,
        item: Item,
        origin: Origin,
        stage: &mut Stage<'_>,
        above: &mut Vec<ItemEdit>,
    ) -> Result<(), TreeError> {
        if self.new.add(self.height, item, origin, stage.params) {
            self.cut(stage, above)?;
        }
        Ok(())
    }

    /// Ends the new node and tells the level above.
    fn cut(&mut self, stage: &mut Stage<'_>, above: &mut Vec<ItemEdit>) -> Result<(), TreeError> {
        let entries = self.new.entries;
        let Some((key, bytes)) = self.new.finish(self.height) else {
            return Ok(());
        };
        self.preceded = true;
        self.remove_replaced(Some(&key), above);
        let same_key = self.replaced.front().is_some_and(|(old, _)| *old == key);
        let old = same_key.then(|| self.replaced.pop_front()).flatten();
        if same_key && self.unchanged.take().is_some_and(|old| old == bytes) {
            return Ok(());
        }
        let id = stage.write(&bytes)?;
        let payload = Payload::Child { id, entries };
        if old.is_none_or(|(_, old)| old != payload) {
            let payload = Some(payload);
            above.push(ItemEdit { key, payload });
        }
        Ok(())
    }

    /// Tells the level above that old nodes are no more: those that begin before `key`, or all.
    fn remove_replaced(&mut self, key: Option<&Bytes>, above: &mut Vec<ItemEdit>) {
        while let Some((first, _)) = self.replaced.front()
            && key.is_none_or(|key| first < key)
            && let Some((key, _)) = self.replaced.pop_front()
        {
            let payload = None;
            above.push(ItemEdit { key, payload });
        }
    }

    /// Ends the level after its last edit.
    fn finish(
        &mut self,
        stage: &mut Stage<'_>,
        above: &mut Vec<ItemEdit>,
    ) -> Result<LevelEnd, TreeError> {
        if self.running {
            self.copy(None, stage, above)?;
        }
        // A run that ended has old nodes behind it; one that did not goes to the end of the level.
        if !self.running {
            return Ok(LevelEnd::Goes);
        }
        if !self.preceded {
            if self.new.is_empty() {
                return Ok(LevelEnd::Empty);
            }
            if let Some((payload, origin)) = self.new.only()
                && let Some(root) = child_root(self.height, payload)
            {
                return Ok(match origin {
                    Origin::Old => LevelEnd::OldRoot(root),
                    Origin::Edit => LevelEnd::Root(root),
                });
            }
        }
        self.cut(stage, above)?;
        self.remove_replaced(None, above);
        Ok(LevelEnd::Goes)
    }
}

/// The node that items are being added to.
#[derive(Default)]
struct NewNode {
    encoder: NodeEncoder,
    first: Option<(Bytes, Payload, Origin)>,
    size: u64,
    entries: u64,
}

impl NewNode {
    /// Adds an item and says whether the node ends with it.
    fn add(&mut self, level: u8, item: Item, origin: Origin, params: &TreeParams) -> bool {
        self.encoder.push(&item);
        let ends = params.ends(level, self.encoder.items(), self.size, &item);
        self.size += item.size();
        // A tree whose numbers lie may count to more than there can be; it stays wrong.
        self.entries = self.entries.saturating_add(item.entries());
        if self.first.is_none() {
            self.first = Some((item.key, item.payload, origin));
        }
        ends
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Its item, if it has one only.
    fn only(&self) -> Option<(&Payload, Origin)> {
        let (_, payload, origin) = self.first.as_ref()?;
        (self.encoder.items() == 1).then_some((payload, *origin))
    }

    /// Its first key and its bytes; it is empty after that, and `None` if it was.
    fn finish(&mut self, level: u8) -> Option<(Bytes, Vec<u8>)> {
        let (key, _, _) = self.first.take()?;
        self.size = 0;
        self.entries = 0;
        Some((key, self.encoder.finish(level)))
    }
}
