//! Which objects live: one bit for each object of each pack, and one home for each living object.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::ids::IdRuns;
use super::memory::Memory;
use super::reach::{self, Reach};
use crate::context::RunContext;
use crate::error::Error;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{PackId, ShortId};
use crate::index::Place;
use crate::problem::ErrorKind;
use crate::repo::{Objects, RepoError, Snapshot, is_gone};

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

    /// Says that it lives.
    fn set(&mut self, place: u32) {
        let word = place as usize / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (place % 64);
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
    /// Packs that the index lists and that are gone.
    pub(super) gone: BTreeSet<PackId>,
    /// Packs that no segment lists, left behind by somebody who died: no home for what is elsewhere.
    orphans: HashSet<PackId>,
    /// Packs that are to go: no home for anybody who has another one.
    avoided: HashSet<PackId>,
    reach: Reach,
    /// Objects that have lost their home with the packs that are avoided; there once homes were found for all.
    homeless: Option<IdRuns>,
    memory: u64,
}

/// An object with several places, or with one that must be looked at.
struct Unclear {
    id: ShortId,
    places: Vec<Place>,
}

/// So many of them are in memory, some 50 MB, before the footers of their packs are read.
const MOST_UNCLEAR: usize = 256 * 1024;
/// So many objects are looked up at a time.
const LOOKED_UP: usize = 256;

impl Marks {
    /// Lists the packs, and reads the footers that no segment lists.
    pub(super) fn new(
        objects: &Arc<Objects>,
        avoided: HashSet<PackId>,
        remembered: Memory,
        memory: u64,
    ) -> Result<Self, Error> {
        let listed = objects.listed_packs("packs")?;
        let mut orphans: HashSet<PackId> = listed.iter().map(|(id, _, _)| *id).collect();
        let mut gone = BTreeSet::new();
        objects.with_index(|index| {
            let missing = index.packs().filter(|pack| !orphans.remove(&pack.id));
            gone.extend(missing.map(|pack| pack.id));
        });
        objects.read_unlisted()?;
        let mut marks = Self {
            objects: Arc::clone(objects),
            packs: HashMap::with_capacity(listed.len()),
            unreadable: Vec::new(),
            gone,
            orphans,
            avoided,
            reach: Reach::new(objects, remembered, memory / 8),
            homeless: None,
            memory,
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
        Ok(marks)
    }

    /// Where the objects are.
    pub(super) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// Remembers what was walked, so that the next collection need not read it.
    pub(super) fn remember(&mut self) {
        self.reach.remember();
    }

    /// From now on these packs are no home where there is another one; what was said of their objects is forgotten, and
    /// [`mark`](Self::mark) looks for other homes.
    pub(super) fn avoid(&mut self, packs: impl IntoIterator<Item = PackId>) -> Result<(), Error> {
        let mut homeless = IdRuns::new(self.memory / 8);
        for id in packs {
            self.avoided.insert(id);
            let Some(pack) = self.packs.get_mut(&id).filter(|pack| !pack.is_dead()) else {
                continue;
            };
            let (kind, length) = (pack.info.kind, pack.info.length);
            let (_, footer) = self.objects.read_pack_tail(id, kind, length)?;
            for (frame, ids) in pack.frames.iter_mut().zip(footer.iter()) {
                let live = (0u32..).zip(ids).filter(|(place, _)| frame.is_live(*place));
                live.map(|(_, id)| *id).try_for_each(|id| homeless.push(id))?;
                frame.bits.clear();
            }
        }
        self.homeless = Some(homeless);
        Ok(())
    }

    /// Marks all that these snapshots need. The first time the whole index is read for it, once; later only what is new, or has
    /// lost its home, is looked up.
    ///
    /// # Errors
    /// `Lost` where they need something that is nowhere: then nothing may be collected.
    pub(super) fn mark(&mut self, kept: &[&Snapshot], ctx: &RunContext) -> Result<(), Error> {
        for snapshot in kept {
            self.reach.add(snapshot, ctx)?;
        }
        let mut ids = self.reach.take();
        let lost = match self.homeless.take() {
            None => self.mark_by_scans(&mut ids)?,
            Some(mut homeless) => {
                let lost = self.mark_by_look_up(&mut homeless)?;
                lost.map_or_else(|| self.mark_by_look_up(&mut ids), |lost| Ok(Some(lost)))?
            }
        };
        // From now on homes are known.
        self.homeless = Some(IdRuns::new(0));
        match lost {
            Some(lost) => Err(reach::who_needs(lost, &self.objects, kept, ctx)?.into()),
            None => Ok(()),
        }
    }

    /// Scans, and begins again where another collector, or one who merges, has taken a segment away meanwhile.
    fn mark_by_scans(&mut self, ids: &mut IdRuns) -> Result<Option<ShortId>, Error> {
        loop {
            let seen = self.objects.generation();
            match self.mark_by_scan(ids) {
                Err(Error::Repo(error)) if is_gone(&error) && self.objects.reload(seen)? => {}
                done => return done,
            }
        }
    }

    /// Reads the index beside the living ids, both in the same order; returns one that is nowhere.
    fn mark_by_scan(&mut self, ids: &mut IdRuns) -> Result<Option<ShortId>, Error> {
        let mut strays = IdRuns::new(self.memory / 32);
        let mut sorted = ids.sorted()?;
        let mut living = sorted.next()?;
        let objects = Arc::clone(&self.objects);
        objects.with_index(|index| -> Result<(), Error> {
            let mut scan = index.scan(self.memory / 8);
            let (mut places, mut unclear) = (Vec::new(), Vec::new());
            while let Some(prefix) = scan.next(&mut places).map_err(RepoError::from)? {
                for place in &places {
                    self.count(place);
                }
                while let Some(id) = living.filter(|id| id.prefix() < prefix) {
                    strays.push(id)?;
                    living = sorted.next()?;
                }
                let mut same = Vec::new();
                while let Some(id) = living.filter(|id| id.prefix() == prefix) {
                    same.push(id);
                    living = sorted.next()?;
                }
                match (&same[..], &places[..]) {
                    ([], _) => {}
                    // A single place is believed, for it keeps at most too much.
                    ([_], [place]) if self.packs.contains_key(&place.pack.id) => self.set(place),
                    _ => unclear
                        .extend(same.into_iter().map(|id| Unclear { id, places: places.clone() })),
                }
                if unclear.len() >= MOST_UNCLEAR {
                    self.clear_up(std::mem::take(&mut unclear), &mut strays)?;
                }
            }
            self.clear_up(unclear, &mut strays)
        })?;
        while let Some(id) = living {
            strays.push(id)?;
            living = sorted.next()?;
        }
        self.mark_by_look_up(&mut strays)
    }

    /// Looks up each of some objects; returns one that is nowhere.
    fn mark_by_look_up(&mut self, ids: &mut IdRuns) -> Result<Option<ShortId>, Error> {
        let mut sorted = ids.sorted()?;
        loop {
            let mut some = Vec::with_capacity(LOOKED_UP);
            while some.len() < LOOKED_UP
                && let Some(id) = sorted.next()?
            {
                some.push(id);
            }
            if some.is_empty() {
                return Ok(None);
            }
            let mut prefixes: Vec<_> = some.iter().map(|id| id.prefix()).collect();
            self.objects.with_index(|index| index.prepare(&mut prefixes));
            for id in some {
                let seen = self.objects.generation();
                let mut home = self.home(id)?;
                if home.is_none() && self.objects.reload(seen)? {
                    home = self.home(id)?;
                }
                match home {
                    Some(home) => self.set(&home),
                    None => return Ok(Some(id)),
                }
            }
        }
    }

    fn home(&self, id: ShortId) -> Result<Option<Place>, Error> {
        let mut places = self.objects.places_of_prefix(id.prefix())?;
        if let [place] = &places[..]
            && self.packs.contains_key(&place.pack.id)
        {
            return Ok(places.pop());
        }
        self.choose(Unclear { id, places })
    }

    /// The one place that counts: in a pack that somebody lists, outside of avoided packs if there is one, else of the pack with
    /// the smallest name. Of two places one may only have the same prefix, and a pack that was not listed came later, or is gone
    /// and an index lists it still: so footers decide.
    fn choose(&self, unclear: Unclear) -> Result<Option<Place>, Error> {
        let Unclear { id, mut places } = unclear;
        places.sort_by_key(|it| {
            let pack = it.pack.id;
            (self.orphans.contains(&pack), self.avoided.contains(&pack), pack, it.frame)
        });
        for place in places {
            match self.objects.is_listed_short(&place, &id) {
                Ok(true) => return Ok(Some(place)),
                Ok(false) => {}
                // A pack that is gone is no home; one that cannot be read is a reason to stop.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Chooses homes, pack by pack, so that each footer is read about once. What has none goes to the strays.
    fn clear_up(&mut self, mut unclear: Vec<Unclear>, strays: &mut IdRuns) -> Result<(), Error> {
        let rank = |it: &Unclear| it.places.iter().map(|place| place.pack.id).min();
        unclear.sort_by_key(rank);
        for it in unclear {
            let id = it.id;
            match self.choose(it)? {
                Some(home) => self.set(&home),
                None => strays.push(id)?,
            }
        }
        Ok(())
    }

    fn frame(&mut self, place: &Place) -> Option<&mut FrameMarks> {
        self.packs.get_mut(&place.pack.id)?.frames.get_mut(place.frame as usize)
    }

    /// Counts an object of a frame.
    fn count(&mut self, place: &Place) {
        if let Some(frame) = self.frame(place) {
            frame.total = frame.total.max(place.place + 1);
        }
    }

    /// Says that the object at this place lives. In a pack that came later nobody is about to condemn it.
    fn set(&mut self, place: &Place) {
        if let Some(frame) = self.frame(place) {
            frame.set(place.place);
        }
    }
}
