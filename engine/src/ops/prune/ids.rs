//! Short ids in ascending order, each once, of which only some are in memory: the rest is in sorted runs in temporary files.
//! Ids are keyed hashes, so the files say nothing to whoever has no key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use crate::error::Error;
use crate::id::ShortId;

/// Read at once from each run.
const READ_BYTES: usize = /* 64 KiB */ 64 * 1024;

/// Ids as they come.
pub(super) struct IdRuns {
    most: usize,
    recent: Vec<ShortId>,
    runs: Vec<Run>,
}

struct Run {
    file: File,
    count: u64,
}

impl IdRuns {
    /// Holds at most so many bytes of ids in memory, or a few.
    pub(super) fn new(bytes: u64) -> Self {
        let most = (bytes as usize / ShortId::LEN).max(64);
        Self { most, recent: Vec::new(), runs: Vec::new() }
    }

    /// Adds an id, whether it was there or not.
    pub(super) fn push(&mut self, id: ShortId) -> Result<(), Error> {
        self.recent.push(id);
        if self.recent.len() < self.most {
            return Ok(());
        }
        self.sort_recent();
        // Where most of them were the same there is room again.
        if self.recent.len() > self.most / 2 { self.spill() } else { Ok(()) }
    }

    fn sort_recent(&mut self) {
        self.recent.sort_unstable();
        self.recent.dedup();
    }

    fn spill(&mut self) -> Result<(), Error> {
        let mut file = BufWriter::new(tempfile::tempfile().map_err(Error::Temporary)?);
        for id in &self.recent {
            file.write_all(&id.0).map_err(Error::Temporary)?;
        }
        let count = self.recent.len() as u64;
        let file = file.into_inner().map_err(|error| Error::Temporary(error.into_error()))?;
        self.runs.push(Run { file, count });
        self.recent.clear();
        Ok(())
    }

    /// All of them so far, ascending, each once. More may be added afterwards.
    pub(super) fn sorted(&mut self) -> Result<SortedIds<'_>, Error> {
        self.sort_recent();
        let mut sorted = SortedIds {
            recent: self.recent.iter(),
            runs: Vec::with_capacity(self.runs.len()),
            heads: BinaryHeap::new(),
        };
        for run in &self.runs {
            let mut file = &run.file;
            file.seek(SeekFrom::Start(0)).map_err(Error::Temporary)?;
            sorted.runs.push((BufReader::with_capacity(READ_BYTES, file), run.count));
        }
        for source in 0..=sorted.runs.len() {
            sorted.refill(source)?;
        }
        Ok(sorted)
    }
}

/// A merge of the runs; made by [`IdRuns::sorted`].
pub(super) struct SortedIds<'a> {
    recent: std::slice::Iter<'a, ShortId>,
    runs: Vec<(BufReader<&'a File>, u64)>,
    heads: BinaryHeap<Reverse<(ShortId, usize)>>,
}

impl SortedIds<'_> {
    fn refill(&mut self, source: usize) -> Result<(), Error> {
        let next = match self.runs.get_mut(source) {
            None => self.recent.next().copied(),
            Some((_, 0)) => None,
            Some((file, left)) => {
                let mut id = [0; ShortId::LEN];
                file.read_exact(&mut id).map_err(Error::Temporary)?;
                *left -= 1;
                Some(ShortId(id))
            }
        };
        self.heads.extend(next.map(|id| Reverse((id, source))));
        Ok(())
    }

    /// The next id.
    pub(super) fn next(&mut self) -> Result<Option<ShortId>, Error> {
        let Some(&Reverse((id, _))) = self.heads.peek() else {
            return Ok(None);
        };
        while let Some(&Reverse((same, source))) = self.heads.peek()
            && same == id
        {
            self.heads.pop();
            self.refill(source)?;
        }
        Ok(Some(id))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_come_out_sorted_and_once_however_many_are_in_memory() {
        for bytes in [0, 5_000, 1 << 20] {
            let mut ids = IdRuns::new(bytes);
            let mut wanted = BTreeSet::new();
            for round in 0..2u64 {
                for number in 0..4_000u64 {
                    let hash = blake3::hash(&(number * 7 % (1_500 + round)).to_le_bytes());
                    let mut id = [0; 16];
                    id.copy_from_slice(&hash.as_bytes()[..16]);
                    ids.push(ShortId(id)).unwrap();
                    wanted.insert(ShortId(id));
                }
                let mut sorted = ids.sorted().unwrap();
                let mut found = Vec::new();
                while let Some(id) = sorted.next().unwrap() {
                    found.push(id);
                }
                assert_eq!(found, wanted.iter().copied().collect::<Vec<_>>(), "{bytes} bytes");
            }
        }
    }
}
