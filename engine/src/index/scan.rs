//! The whole index in the order of its prefixes, read once from one end to the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::iter::Peekable;

use super::segment::{Records, Segment};
use super::{Index, IndexError, LooseRecord, Place};

/// Reads all places, grouped by prefix; made by [`Index::scan`].
pub struct Scan<'a> {
    index: &'a Index,
    runs: Vec<Peekable<Records<'a>>>,
    loose: Peekable<std::collections::btree_set::Iter<'a, LooseRecord>>,
    /// The next prefix of each run that has one.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}

impl Index {
    /// Reads the whole index once, past the cache; `memory` bytes are read ahead, all segments together.
    pub fn scan(&self, memory: u64) -> Scan<'_> {
        let segments = self.segments();
        let ahead = memory / segments.len().max(1) as u64;
        let mut scan = Scan {
            index: self,
            runs: segments.iter().map(|it| it.records_ahead(ahead).peekable()).collect(),
            loose: self.loose_records.iter().peekable(),
            heads: BinaryHeap::with_capacity(segments.len()),
        };
        (0..scan.runs.len()).for_each(|run| scan.find_head(run));
        scan
    }
}

impl Scan<'_> {
    /// An error counts as the smallest prefix, so that it comes out at once.
    fn find_head(&mut self, run: usize) {
        let next = self.runs[run].peek();
        let prefix = next.map(|record| record.as_ref().map_or(0, |record| record.prefix));
        self.heads.extend(prefix.map(|prefix| Reverse((prefix, run))));
    }

    /// The next prefix; its places are put into `places`, each once.
    ///
    /// # Errors
    /// As [`Segment::records`]. The scan is over then.
    pub fn next(&mut self, places: &mut Vec<Place>) -> Result<Option<u64>, IndexError> {
        places.clear();
        let listed = self.heads.peek().map(|Reverse((prefix, _))| *prefix);
        let loose = self.loose.peek().map(|record| record.prefix);
        let Some(prefix) = listed.into_iter().chain(loose).min() else {
            return Ok(None);
        };
        while let Some(&Reverse((next, run))) = self.heads.peek()
            && next == prefix
        {
            self.heads.pop();
            self.take_from(run, prefix, places)?;
            self.find_head(run);
        }
        while let Some(record) = self.loose.next_if(|record| record.prefix == prefix) {
            let pack = self.index.loose.get(&record.pack).cloned();
            let (frame, place) = (record.frame, record.place);
            places.extend(pack.map(|pack| Place { pack, frame, place }));
        }
        if places.len() > 1 {
            let mut seen = HashSet::with_capacity(places.len());
            places.retain(|place| seen.insert((place.pack.id, place.frame, place.place)));
        }
        Ok(Some(prefix))
    }

    fn take_from(
        &mut self,
        run: usize,
        prefix: u64,
        places: &mut Vec<Place>,
    ) -> Result<(), IndexError> {
        let segment: &Segment = &self.index.segments[run];
        let is_due = |record: &Result<_, IndexError>| match record {
            Ok(super::Record { prefix: next, .. }) => *next == prefix,
            Err(_) => true,
        };
        while let Some(record) = self.runs[run].next_if(is_due) {
            places.push(segment.place(&record?));
        }
        Ok(())
    }
}
