//! Merges segments and loose packs into one segment, streaming.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::iter::Peekable;
use std::sync::Arc;

use super::builder::{BuiltSegment, Record, SegmentWriter};
use super::segment::Segment;
use super::{IndexError, Part};
use crate::crypto::DomainKeys;
use crate::format::Corrupt;
use crate::format::pack::PackInfo;
use crate::id::{PackId, SegmentId, ShortId};

/// Builds a segment that replaces `segments` and lists the `loose` packs, whose objects are given frame by frame. Packs of
/// `without` are left out.
///
/// Takes memory for the new segment and eight bytes a record, not for the records of the old ones.
///
/// # Errors
/// As [`Segment::records`] and [`build`](super::build); `Corrupt` too if two segments describe the same pack differently.
pub fn merge(
    keys: &DomainKeys,
    segments: &[&Segment],
    loose: &[(Arc<PackInfo>, Vec<Vec<ShortId>>)],
    without: &BTreeSet<PackId>,
) -> Result<BuiltSegment, IndexError> {
    let mut packs = PackNumbers::default();
    let mut runs = Vec::with_capacity(segments.len() + 1);
    for segment in segments {
        let numbers = segment
            .packs()
            .iter()
            .map(|pack| {
                let stays = !without.contains(&pack.id);
                stays.then(|| packs.number(segment.id(), pack)).transpose()
            })
            .collect::<Result<Vec<Option<u32>>, _>>()?;
        // A record's pack is one of the listed: the segment has checked it.
        let records = segment.records().filter_map(move |record| match record {
            Ok(record) => numbers[record.pack as usize].map(|pack| Ok(Record { pack, ..record })),
            Err(error) => Some(Err(error)),
        });
        runs.push((Box::new(records) as Box<dyn Iterator<Item = _>>).peekable());
    }
    let records = loose_records(loose, &mut packs)?;
    runs.push((Box::new(records.into_iter().map(Ok)) as Box<dyn Iterator<Item = _>>).peekable());

    // What they have replaced is replaced still: so the newest segment names all that need not be opened.
    let before = segments.iter().flat_map(|segment| segment.still_replaces());
    let replaces: BTreeSet<_> = segments.iter().map(|it| it.id()).chain(before.copied()).collect();
    let mut writer = SegmentWriter::new(keys, replaces.into_iter().collect(), packs.packs)?;
    write_runs(runs, &mut writer)?;
    writer.finish()
}

/// The list of packs of the new segment.
#[derive(Default)]
struct PackNumbers {
    packs: Vec<Arc<PackInfo>>,
    numbers: HashMap<PackId, u32>,
}

impl PackNumbers {
    fn number(&mut self, segment: SegmentId, pack: &Arc<PackInfo>) -> Result<u32, IndexError> {
        let next = self.packs.len() as u32;
        let number = *self.numbers.entry(pack.id).or_insert(next);
        match self.packs.get(number as usize) {
            None => self.packs.push(Arc::clone(pack)),
            Some(known) if known == pack => {}
            Some(_) => {
                let what = format!("pack {} is described differently elsewhere", pack.id.short());
                return Err(IndexError::Corrupt {
                    segment,
                    part: Part::Directory,
                    source: Corrupt::new(what),
                });
            }
        }
        Ok(number)
    }
}

fn loose_records(
    loose: &[(Arc<PackInfo>, Vec<Vec<ShortId>>)],
    packs: &mut PackNumbers,
) -> Result<Vec<Record>, IndexError> {
    let mut records = Vec::new();
    for (info, objects) in loose {
        let pack = packs.number(SegmentId([0; SegmentId::LEN]), info)?;
        for (frame, objects) in (0u32..).zip(objects) {
            records.extend((0u32..).zip(objects).map(|(place, id)| Record {
                prefix: id.prefix(),
                pack,
                frame,
                place,
            }));
        }
    }
    records.sort_unstable();
    Ok(records)
}

type Run<'a> = Peekable<Box<dyn Iterator<Item = Result<Record, IndexError>> + 'a>>;

/// The next prefix of a run; an error counts as the smallest, so that it comes out at once.
fn head(run: &mut Run<'_>) -> Option<u64> {
    let next = run.peek()?;
    Some(next.as_ref().map_or(0, |record| record.prefix))
}

/// Each run is ascending by prefix. The new pack numbers keep no order, so records of one prefix are sorted again.
fn write_runs(mut runs: Vec<Run<'_>>, writer: &mut SegmentWriter<'_>) -> Result<(), IndexError> {
    let mut heads: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::with_capacity(runs.len());
    for (number, run) in runs.iter_mut().enumerate() {
        heads.extend(head(run).map(|prefix| Reverse((prefix, number))));
    }
    let mut same: Vec<Record> = Vec::new();
    while let Some(Reverse((prefix, number))) = heads.pop() {
        if same.first().is_some_and(|record| record.prefix != prefix) {
            write_same(&mut same, writer)?;
        }
        let run = &mut runs[number];
        while head(run) == Some(prefix) {
            same.extend(run.next().transpose()?);
        }
        heads.extend(head(run).map(|prefix| Reverse((prefix, number))));
    }
    write_same(&mut same, writer)
}

fn write_same(same: &mut Vec<Record>, writer: &mut SegmentWriter<'_>) -> Result<(), IndexError> {
    same.sort_unstable();
    same.drain(..).try_for_each(|record| writer.push(record))
}
