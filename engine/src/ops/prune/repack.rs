//! Living objects of packs that go are stored again.

use std::ops::Range;
use std::sync::Arc;

use super::marks::{Marks, PackMarks};
use super::plan::Doomed;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::format::pack::PackInfo;
use crate::object::Class;
use crate::parallel::{CONNECTIONS, map};
use crate::repo::{
    FrameFiller, Keep, Lane, ObjectWriter, Objects, Proof, Repository, Session, WriterSizes,
};

/// Contents up to this size, on average of their frame, are put into frames with documents.
const DOCUMENT_BYTES: usize = /* 12 KiB */ 12 * 1024;

/// Neighbouring frames are fetched together up to this many bytes; [`CONNECTIONS`] times as many are in memory.
const FETCH_BYTES: u64 = /* 2 MiB */ 2 * 1024 * 1024;
/// Frames further apart than this are not fetched together.
const GAP_BYTES: u64 = /* 64 KiB */ 64 * 1024;

/// Frames of a pack that are fetched by one request.
struct Run<'a> {
    pack: &'a PackMarks,
    frames: Vec<u32>,
    range: Range<u64>,
}

pub(super) fn repack(
    repository: &Arc<Repository>,
    session: &Arc<Session>,
    doomed: &Doomed,
    marks: &Marks,
    ctx: &RunContext,
) -> Result<(), Error> {
    if doomed.repacked.is_empty() {
        return Ok(());
    }
    let writer = Arc::new(ObjectWriter::new(
        Arc::clone(repository),
        Arc::clone(marks.objects()),
        Arc::clone(session),
        WriterSizes::default(),
        Keep::Store,
        Proof::Footer,
    ));
    let mut filler = FrameFiller::new(Arc::clone(&writer), None)?;
    let packs = doomed.repacked.iter().filter_map(|id| marks.packs.get(id));
    let runs: Vec<_> = packs.flat_map(runs).collect();
    let store = repository.store();
    for some in runs.chunks(CONNECTIONS) {
        let fetched = map(CONNECTIONS, some, |run| {
            let PackInfo { id, kind, .. } = *run.pack.info;
            store.read_range(&ObjectName::Pack { id, kind }.to_string(), run.range.clone())
        });
        for (run, bytes) in some.iter().zip(fetched) {
            if ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            move_run(marks.objects(), run, &bytes?, &mut filler)?;
            writer.maybe_write_segment()?;
        }
    }
    filler.flush()?;
    writer.flush()?;
    Ok(())
}

/// The frames of a pack in which something lives, those that lie together in one run.
fn runs(pack: &PackMarks) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (frame, marks) in (0u32..).zip(&pack.frames) {
        let Some(range) = pack.info.frame_range(frame).filter(|_| marks.live() > 0) else {
            continue;
        };
        match runs.last_mut() {
            Some(run)
                if range.start <= run.range.end + GAP_BYTES
                    && range.end - run.range.start <= FETCH_BYTES =>
            {
                run.range.end = range.end;
                run.frames.push(frame);
            }
            _ => runs.push(Run { pack, frames: vec![frame], range }),
        }
    }
    runs
}

fn move_run(
    objects: &Objects,
    run: &Run<'_>,
    bytes: &[u8],
    filler: &mut FrameFiller,
) -> Result<(), Error> {
    let info = &run.pack.info;
    for &number in &run.frames {
        let own = info.frame_range(number).unwrap_or(0..0);
        let start = (own.start - run.range.start) as usize;
        let sealed = bytes.get(start..start + (own.end - own.start) as usize).unwrap_or_default();
        let frame = objects.open_frame(info, number, sealed)?;
        let lane = match info.frames.get(number as usize).map(|info| info.class) {
            Some(Class::Meta) => Lane::Meta,
            _ if frame.raw_len() / frame.len().max(1) <= DOCUMENT_BYTES => Lane::Document,
            _ => Lane::File,
        };
        let marks = &run.pack.frames[number as usize];
        let places = (0..frame.len() as u32).filter(|&place| marks.is_live(place));
        for object in places.filter_map(|place| frame.object(place)) {
            filler.put(lane, &object)?;
        }
    }
    Ok(())
}
