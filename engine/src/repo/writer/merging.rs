//! Which small packs and segments are merged into one segment, so that an old repository opens with few requests.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::ObjectWriter;
use crate::format::pack::PackInfo;
use crate::id::{SegmentId, ShortId};
use crate::index::{Segment, merge};
use crate::parallel::{CONNECTIONS, map};
use crate::repo::RepoError;
use crate::repo::loading::is_gone;

/// A segment of this many objects is not merged with others any more.
const LARGE_SEGMENT: u64 = 256 * 1024;
/// A merge of segments does not grow beyond this: it is built in memory, about 20 bytes a record.
const MOST_RECORDS: u64 = 1024 * 1024;
/// So many packs whose footers are their index are merged by whoever meets them.
const LOOSE_LIMIT: usize = 20;
/// So many small segments are reason to merge some of them.
const SMALL_LIMIT: usize = 12;

/// A pack without a segment, and its objects frame by frame.
type Loose = (Arc<PackInfo>, Vec<Vec<ShortId>>);

impl ObjectWriter {
    /// Merges the index of small sessions once there are many, so that opening stays cheap.
    pub fn merge_loose(&self) -> Result<Option<SegmentId>, RepoError> {
        let (packs, small) = self.objects.with_index(|index| {
            let packs: Vec<_> = index.loose_packs().cloned().collect();
            (packs, small_segments(index.segments()).len())
        });
        let packs = if packs.len() >= LOOSE_LIMIT { packs } else { Vec::new() };
        if packs.is_empty() && small < SMALL_LIMIT {
            return Ok(None);
        }
        let built = self.loose(&packs).and_then(|loose| {
            let of_pack = |(_, frames): &Loose| frames.iter().map(Vec::len).sum::<usize>() as u64;
            let new = loose.iter().map(of_pack).sum();
            self.objects.with_index(|index| {
                let small = small_segments(index.segments());
                let counts: Vec<_> = small.iter().map(|it| it.record_count()).collect();
                let chosen = &small[chosen(&counts, new)];
                if loose.is_empty() && chosen.len() < 2 {
                    return Ok(None);
                }
                let merged = merge(self.repository.keys(), chosen, &loose, &BTreeSet::new());
                Ok(Some(merged?))
            })
        });
        let built = match built {
            // A collector has taken away what was to be merged: another writer's turn.
            Err(error) if is_gone(&error) => return Ok(None),
            built => built?,
        };
        let Some(built) = built else { return Ok(None) };
        self.publish_segment(built.id, built.bytes)?;
        Ok(Some(built.id))
    }

    /// Reads the footers of packs.
    fn loose(&self, packs: &[Arc<PackInfo>]) -> Result<Vec<Loose>, RepoError> {
        let tail = |pack: &Arc<PackInfo>| {
            let (_, objects) = self.objects.read_pack_tail(pack.id, pack.kind, pack.length)?;
            Ok((Arc::clone(pack), objects.as_ref().clone()))
        };
        map(CONNECTIONS, packs, tail).into_iter().collect()
    }
}

/// Segments that may be merged with others, the smallest first.
fn small_segments(segments: &[Segment]) -> Vec<&Segment> {
    let is_small = |segment: &&Segment| segment.record_count() < LARGE_SEGMENT;
    let mut small: Vec<_> = segments.iter().filter(is_small).collect();
    small.sort_by_key(|segment| segment.record_count());
    small
}

/// Which of the segments with so many records, ascending, are merged with so many new records: those that are not much larger than
/// what was chosen before them. So a record is written again about as often as its segment doubles.
fn chosen(counts: &[u64], new: u64) -> Range<usize> {
    let end = |start: usize, mut gathered: u64| {
        let takes = |count: &&u64| {
            let takes = **count <= 2 * gathered && gathered + **count <= MOST_RECORDS;
            gathered += **count;
            takes
        };
        start + counts[start..].iter().take_while(takes).count()
    };
    if new > 0 {
        return 0..end(0, new);
    }
    // Without anything new: the smallest that have about the same size.
    let alike = |start: usize| start..end(start + 1, counts[start]);
    (0..counts.len()).map(alike).find(|range| range.len() > 1).unwrap_or(0..0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sessions of one kind: loose packs up to a size, else a segment. Returns the most small segments there were, and how often a
    /// record was written on average.
    fn simulate(sessions: u32, records: impl Fn(u32) -> u64, is_loose: bool) -> (usize, f64) {
        let (mut loose, mut small, mut most) = (Vec::new(), Vec::new(), 0);
        let (mut total, mut written) = (0, 0);
        for session in 0..sessions {
            let count = records(session);
            total += count;
            if is_loose {
                loose.push(count);
            } else {
                small.push(count);
            }
            small.sort_unstable();
            let is_due = loose.len() >= LOOSE_LIMIT;
            if is_due || small.len() >= SMALL_LIMIT {
                let new = if is_due { loose.drain(..).sum() } else { 0 };
                let range = chosen(&small, new);
                if new > 0 || range.len() > 1 {
                    let merged = small.drain(range).sum::<u64>() + new;
                    written += merged;
                    small.push(merged);
                }
            }
            small.retain(|count| *count < LARGE_SEGMENT);
            most = most.max(small.len());
        }
        (most, written as f64 / total as f64)
    }

    #[test]
    fn ten_thousand_sessions_leave_few_segments_and_write_little_twice() {
        for is_loose in [true, false] {
            for size in [1, 30, 900, 20_000] {
                let (most, written) =
                    simulate(10_000, |session| size + u64::from(session) % 7, is_loose);
                assert!(most <= 18, "{most} small segments of {size}");
                assert!(written < 14.0, "each record of {size} was written {written} times");
            }
        }
        // One tiny segment must not hide that all others are alike.
        assert_eq!(chosen(&[1, 100, 101, 102], 0), 1..4);
        assert_eq!(chosen(&[1, 10, 100], 0), 0..0);
        assert_eq!(chosen(&[1, 10, 100], 40), 0..3);
        assert_eq!(chosen(&[], 40), 0..0);
        assert_eq!(chosen(&[200_000; 9], 0), 0..5);
    }

    proptest! {
        #[test]
        fn sessions_of_any_size_leave_few_segments(
            sizes in prop::collection::vec(1u64..60_000, 50),
            is_loose in any::<bool>(),
        ) {
            let (most, _) = simulate(1_000, |session| sizes[session as usize % sizes.len()], is_loose);
            prop_assert!(most <= 18, "{most}");
        }
    }
}
