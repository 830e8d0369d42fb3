//! Many look-ups at a time: the blocks that they need are fetched together.

use std::ops::Range;

use super::segment::Segment;
use super::{Index, IndexError, Part};
use crate::parallel::{CONNECTIONS, map};

/// Blocks that lie next to each other are fetched together, up to so many.
const BLOCKS_TOGETHER: usize = 64;

/// Blocks of a segment that are fetched by one request.
struct Run<'a> {
    segment: &'a Segment,
    blocks: Range<usize>,
}

impl Index {
    /// Fetches the blocks that look-ups of these prefixes will need, as far as they are not in the cache: neighbours together,
    /// several requests at a time. What cannot be read is told by the look-up.
    ///
    /// The cache must hold them: it is for as many prefixes as are looked up next.
    pub fn prepare(&self, prefixes: &mut [u64]) {
        prefixes.sort_unstable();
        let mut runs: Vec<Run<'_>> = Vec::new();
        for segment in self.segments() {
            let mut last = None;
            for prefix in prefixes.iter().filter(|prefix| segment.may_contain(**prefix)) {
                for block in segment.blocks_of(*prefix) {
                    if last.is_some_and(|last| block <= last) || segment.has_block(block) {
                        continue;
                    }
                    last = Some(block);
                    match runs.last_mut() {
                        Some(run)
                            if std::ptr::eq(run.segment, segment)
                                && run.blocks.end == block
                                && run.blocks.len() < BLOCKS_TOGETHER =>
                        {
                            run.blocks.end += 1;
                        }
                        _ => runs.push(Run { segment, blocks: block..block + 1 }),
                    }
                }
            }
        }
        let fetched = map(CONNECTIONS, &runs, |run| run.segment.fetch(run.blocks.clone()));
        for error in fetched.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "part of the index could not be read ahead");
        }
    }
}

impl Segment {
    /// Reads neighbouring blocks at once and keeps them.
    fn fetch(&self, blocks: Range<usize>) -> Result<(), IndexError> {
        let Some(last) = blocks.clone().last() else {
            return Ok(());
        };
        let start = self.block_range(blocks.start).start;
        let part = Part::Block(blocks.start as u32);
        let mut sealed = self.read_part(part, start..self.block_range(last).end)?;
        for number in blocks {
            let range = self.block_range(number);
            self.keep_block(number, sealed.split_to((range.end - range.start) as usize))?;
        }
        Ok(())
    }
}
