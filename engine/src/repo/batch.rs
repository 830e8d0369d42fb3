//! Many objects at a time: neighbouring frames are fetched together, several requests at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Objects, RepoError};
use crate::format::name::ObjectName;
use crate::id::ObjectId;
use crate::index::Place;
use crate::object::{Class, ObjectError, ReadObject};
use crate::pack::Frame;
use crate::parallel::{CONNECTIONS, map};

/// So many objects are looked up and read at a time: the frames of all of them are in memory together.
const OBJECTS: usize = 256;
/// Neighbouring frames are fetched together up to this many bytes.
const FETCH_BYTES: u64 = /* 1 MiB */ 1024 * 1024;
/// Frames further apart than this are not fetched together.
const GAP_BYTES: u64 = /* 64 KiB */ 64 * 1024;

/// An object that is to be read, and which of those asked for it is.
struct Wanted {
    number: usize,
    place: Place,
}

/// Objects whose frames are fetched by one request.
struct Run {
    wanted: Vec<Wanted>,
    range: Range<u64>,
}

impl Run {
    fn takes(&self, next: &Wanted, range: &Range<u64>) -> bool {
        let last = self.wanted.last().map(|it| it.place.pack.id);
        last == Some(next.place.pack.id)
            && range.start <= self.range.end + GAP_BYTES
            && range.end.max(self.range.end) - self.range.start <= FETCH_BYTES
    }
}

impl Objects {
    /// Gets the index ready for looking up these objects next, at most a few hundred.
    pub fn prepare(&self, ids: &[ObjectId]) {
        let mut prefixes: Vec<u64> = ids.iter().map(|id| id.prefix()).collect();
        self.with_index(|index| index.prepare(&mut prefixes));
    }

    /// Reads several objects of small frames; those that are not where they are looked for first are left out.
    pub(super) fn read_together(&self, class: Class, ids: &[ObjectId]) -> Vec<Option<Bytes>> {
        let mut found = vec![None; ids.len()];
        self.prepare(ids);
        let mut wanted = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            let place = self.lookup(id).ok().and_then(|places| places.into_iter().next());
            let Some(place) = place else { continue };
            match self.kept_frame(&place) {
                Some(frame) => found[number] = self.verified(&frame, place.place, class, id),
                None => wanted.push(Wanted { number, place }),
            }
        }
        let read = map(CONNECTIONS, &runs(wanted), |run| self.read_run(class, ids, run));
        for (number, object) in read.into_iter().flatten() {
            found[number] = Some(object);
        }
        found
    }

    fn read_run(&self, class: Class, ids: &[ObjectId], run: &Run) -> Vec<(usize, Bytes)> {
        let Some(first) = run.wanted.first() else { return Vec::new() };
        let pack = &first.place.pack;
        let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
        let Ok(bytes) = self.store().read_range(&name, run.range.clone()) else {
            return Vec::new();
        };
        let mut open: Option<(u32, Arc<Frame>)> = None;
        let mut found = Vec::with_capacity(run.wanted.len());
        for Wanted { number, place } in &run.wanted {
            let frame = match &open {
                Some((number, frame)) if *number == place.frame => Arc::clone(frame),
                _ => match self.open_fetched(place, &run.range, &bytes) {
                    Ok(frame) => Arc::clone(&open.insert((place.frame, frame)).1),
                    // It is read by itself then, and what is wrong with it told.
                    Err(_) => continue,
                },
            };
            let object = self.verified(&frame, place.place, class, &ids[*number]);
            found.extend(object.map(|object| (*number, object)));
        }
        found
    }

    /// Opens a frame of which the bytes are there, and keeps it.
    fn open_fetched(
        &self,
        place: &Place,
        range: &Range<u64>,
        bytes: &Bytes,
    ) -> Result<Arc<Frame>, RepoError> {
        let own = place.pack.frame_range(place.frame).unwrap_or(0..0);
        let sealed = bytes
            .get((own.start - range.start) as usize..(own.end - range.start) as usize)
            .unwrap_or_default();
        let frame = Arc::new(self.open_frame(&place.pack, place.frame, sealed)?);
        self.keep_frame(place, &frame);
        Ok(frame)
    }
}

/// Puts what lies together into runs.
fn runs(mut wanted: Vec<Wanted>) -> Vec<Run> {
    wanted.sort_unstable_by_key(|it| (it.place.pack.id, it.place.frame, it.place.place));
    let mut runs: Vec<Run> = Vec::new();
    for next in wanted {
        // A frame that the pack does not have is told by whoever reads it by itself.
        let Some(range) = next.place.pack.frame_range(next.place.frame) else { continue };
        match runs.last_mut() {
            Some(run) if run.takes(&next, &range) => {
                run.range.end = run.range.end.max(range.end);
                run.wanted.push(next);
            }
            _ => runs.push(Run { wanted: vec![next], range }),
        }
    }
    runs
}

impl ReadObject for Objects {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        self.read_object(class, id)
    }

    fn read_many(&self, class: Class, ids: &[ObjectId]) -> Vec<Result<Bytes, ObjectError>> {
        let mut read = Vec::with_capacity(ids.len());
        for ids in ids.chunks(OBJECTS) {
            let together =
                if ids.len() > 1 { self.read_together(class, ids) } else { vec![None; ids.len()] };
            for (id, object) in ids.iter().zip(together) {
                read.push(object.map_or_else(|| self.read_object(class, id), Ok));
            }
        }
        read
    }
}
