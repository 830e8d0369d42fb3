//! Which objects live: one bit for each object of each pack, and one home for each living object.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::context::RunContext;
use crate::entry::{Content, Part};
use crate::error::{Error, PruneError};
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{ObjectId, PackId, ShortId};
use crate::index::Place;
use crate::object::{ObjectError, ReadObject};
use crate::ops::base::{SnapshotTrees, decode, display_key};
use crate::problem::ErrorKind;
use crate::repo::{Objects, RepoError, Snapshot};
use crate::tree::{Descend, ListVisit, NodeVisit, TreeError, list_nodes};

/// The objects of one frame: how many there are, and a bit for each that lives.
#[derive(Debug, Default, Clone)]
pub(super) struct FrameMarks {
    total: u32,
    bits: Vec<u64>,
}

impl FrameMarks {
    /// How many objects live.
    pub(super) fn live(&self) -> u32 {
        self.bits.iter().map(|bits| bits.count_ones()).sum()
    }

    /// True where the object at this place lives.
    pub(super) fn is_live(&self, place: u32) -> bool {
        let bits = self.bits.get(place as usize / 64).copied().unwrap_or(0);
        bits & (1 << (place % 64)) != 0
    }

    /// Says that it lives; false if it was said before.
    fn set(&mut self, place: u32) -> bool {
        let word = place as usize / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (place % 64);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }
}

/// A pack that was there when the collector looked.
#[derive(Debug)]
pub(super) struct PackMarks {
    pub(super) info: Arc<PackInfo>,
    pub(super) frames: Vec<FrameMarks>,
}

impl PackMarks {
    /// True where no object lives.
    pub(super) fn is_dead(&self) -> bool {
        self.frames.iter().all(|frame| frame.bits.iter().all(|bits| *bits == 0))
    }

    /// Stored bytes of the frames that belong to living objects, in proportion to their number.
    pub(super) fn live_bytes(&self) -> u64 {
        let of_frame = |(marks, info): (&FrameMarks, &crate::format::pack::FrameInfo)| {
            u64::from(info.stored_len) * u64::from(marks.live()) / u64::from(marks.total.max(1))
        };
        self.frames.iter().zip(&self.info.frames).map(of_frame).sum()
    }

    /// Stored bytes of the frames.
    pub(super) fn frame_bytes(&self) -> u64 {
        self.info.frames.iter().map(|frame| u64::from(frame.stored_len)).sum()
    }
}

/// What is known of a repository's packs.
pub(super) struct Marks {
    objects: Arc<Objects>,
    /// The packs of the first listing that the index, or their own footer, describes.
    pub(super) packs: HashMap<PackId, PackMarks>,
    /// Packs of the listing that nothing describes: their footers cannot be read.
    pub(super) unreadable: Vec<(PackId, PackKind, u64)>,
    /// Packs that no segment lists, left behind by somebody who died: no home for what is elsewhere.
    orphans: HashSet<PackId>,
    /// Packs that are to go: no home for anybody who has another one.
    avoided: HashSet<PackId>,
    /// Trees and lists that live in packs of which no marks are kept, because they came later.
    elsewhere: HashSet<ShortId>,
}

impl Marks {
    /// Lists the packs, reads the index and the footers that no segment lists, and counts the objects.
    pub(super) fn new(objects: &Arc<Objects>, avoided: HashSet<PackId>) -> Result<Self, Error> {
        let listed = objects.listed_packs("packs")?;
        let mut orphans: HashSet<PackId> = listed.iter().map(|(id, _, _)| *id).collect();
        objects.with_index(|index| index.packs().for_each(|pack| _ = orphans.remove(&pack.id)));
        objects.read_unlisted()?;
        let mut marks = Self {
            objects: Arc::clone(objects),
            packs: HashMap::with_capacity(listed.len()),
            unreadable: Vec::new(),
            orphans,
            avoided,
            elsewhere: HashSet::new(),
        };
        for (id, kind, length) in listed {
            match objects.with_index(|index| index.pack(&id)) {
                Some(info) => {
                    let frames = vec![FrameMarks::default(); info.frames.len()];
                    marks.packs.insert(id, PackMarks { info, frames });
                }
                None => marks.unreadable.push((id, kind, length)),
            }
        }
        marks.count()?;
        Ok(marks)
    }

    /// Counts the objects of every frame, in one pass over the index.
    fn count(&mut self) -> Result<(), Error> {
        let objects = Arc::clone(&self.objects);
        let mut loose = Vec::new();
        objects.with_index(|index| -> Result<(), Error> {
            for segment in index.segments() {
                for record in segment.records() {
                    let record = record.map_err(RepoError::from)?;
                    // A record's pack is one of the listed: the segment has checked it.
                    let pack = segment.packs()[record.pack as usize].id;
                    self.count_one(pack, record.frame, record.place);
                }
            }
            loose.extend(index.loose_packs().cloned());
            Ok(())
        })?;
        for info in loose {
            let (_, frames) = objects.read_pack_tail(info.id, info.kind, info.length)?;
            for (frame, ids) in (0u32..).zip(frames.iter()) {
                if let Some(last) = (ids.len() as u32).checked_sub(1) {
                    self.count_one(info.id, frame, last);
                }
            }
        }
        Ok(())
    }

    fn count_one(&mut self, pack: PackId, frame: u32, place: u32) {
        let pack = self.packs.get_mut(&pack);
        if let Some(frame) = pack.and_then(|pack| pack.frames.get_mut(frame as usize)) {
            frame.total = frame.total.max(place + 1);
        }
    }

    /// Where the objects are.
    pub(super) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// From now on these packs are no home where there is another one; what was said of their objects is forgotten.
    pub(super) fn avoid(&mut self, packs: impl IntoIterator<Item = PackId>) {
        for id in packs {
            if let Some(pack) = self.packs.get_mut(&id) {
                pack.frames.iter_mut().for_each(|frame| frame.bits.clear());
            }
            self.avoided.insert(id);
        }
    }

    /// Marks all that a commit needs.
    ///
    /// # Errors
    /// `Lost` where it needs something that is nowhere: then nothing may be collected.
    pub(super) fn add(&mut self, snapshot: &Snapshot, ctx: &RunContext) -> Result<(), Error> {
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        let trees = SnapshotTrees::new(Arc::clone(&reader), &snapshot.commit);
        let names: Vec<String> = trees.names().map(str::to_owned).collect();
        for name in names {
            let mut failure = None;
            let walked = trees.tree(&name).nodes(&mut |visit| {
                let marked = match visit {
                    _ if ctx.cancel.is_cancelled() => Err(Error::Cancelled),
                    NodeVisit::Node { id, .. } | NodeVisit::Spilled { id, .. } => self.mark(&id),
                    NodeVisit::Value { key, value } => self.entry(key, value).map(|()| true),
                };
                match marked {
                    Ok(is_new) => Ok(if is_new { Descend::Yes } else { Descend::No }),
                    Err(error) => {
                        failure = Some(error);
                        Err(TreeError::Write { source: ObjectError::Cancelled })
                    }
                }
            });
            if let Some(error) = failure {
                return Err(named(error, snapshot));
            }
            walked.map_err(|error| named(error.into(), snapshot))?;
        }
        Ok(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        match decode(key, value)?.content {
            Content::None | Content::Inline(_) => Ok(()),
            Content::Parts(parts) => {
                parts.iter().try_for_each(|part| self.part(part)).map_err(|error| match error {
                    Error::Prune(PruneError::Lost { id, .. }) => {
                        PruneError::Lost { id, path: display_key(key) }.into()
                    }
                    error => error,
                })
            }
            Content::List { top, .. } => self.list(&top),
        }
    }

    fn part(&mut self, part: &Part) -> Result<(), Error> {
        match part {
            Part::Data { id, .. } => self.mark(id).map(drop),
            Part::Hole { .. } => Ok(()),
        }
    }

    fn list(&mut self, top: &ObjectId) -> Result<(), Error> {
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        let mut failure = None;
        let walked = list_nodes(&*reader, *top, &mut |visit| {
            let marked = match visit {
                ListVisit::Node(id) => self.mark(&id),
                ListVisit::Part(part) => self.part(&part).map(|()| true),
            };
            match marked {
                Ok(is_new) => Ok(if is_new { Descend::Yes } else { Descend::No }),
                Err(error) => {
                    failure = Some(error);
                    Err(TreeError::Write { source: ObjectError::Cancelled })
                }
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(walked?),
        }
    }

    /// Says that an object lives; false if it was said before.
    fn mark(&mut self, id: &ObjectId) -> Result<bool, Error> {
        let seen = self.objects.generation();
        let mut home = self.home(id, self.objects.places(id)?)?;
        if home.is_none() && self.objects.reload(seen)? {
            home = self.home(id, self.objects.places(id)?)?;
        }
        let Some(home) = home else {
            return Err(PruneError::Lost { id: *id, path: String::new() }.into());
        };
        let pack = self.packs.get_mut(&home.pack.id);
        match pack.and_then(|pack| pack.frames.get_mut(home.frame as usize)) {
            Some(frame) => Ok(frame.set(home.place)),
            // In a pack that came later, which nobody is about to condemn.
            None => Ok(self.elsewhere.insert(id.to_short())),
        }
    }

    /// The one place that counts: in a pack that somebody lists, outside of avoided packs if there is one, else of the pack with the
    /// smallest name. Of two
    /// places one may only have the same prefix; a single one is believed, for it keeps at most too much.
    fn home(&self, id: &ObjectId, mut places: Vec<Place>) -> Result<Option<Place>, Error> {
        // A pack that was not listed came later, or is gone and an index lists it still.
        let is_known = |it: &Place| self.packs.contains_key(&it.pack.id);
        if places.len() > 1 || !places.iter().all(is_known) {
            places.sort_by_key(|it| {
                let pack = it.pack.id;
                (self.orphans.contains(&pack), self.avoided.contains(&pack), pack, it.frame)
            });
            for place in places {
                match self.objects.is_listed(&place, id) {
                    Ok(true) => return Ok(Some(place)),
                    Ok(false) => {}
                    // A pack that is gone is no home; one that cannot be read is a reason to stop.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
            return Ok(None);
        }
        Ok(places.pop())
    }
}

fn named(error: Error, snapshot: &Snapshot) -> Error {
    match error {
        Error::Prune(_) | Error::Cancelled => error,
        error => PruneError::Unreadable { snapshot: snapshot.id, source: Box::new(error) }.into(),
    }
}
