//! Living objects of packs that go are stored again.

use std::sync::Arc;

use super::marks::{Marks, PackMarks};
use super::plan::Doomed;
use crate::context::RunContext;
use crate::error::Error;
use crate::object::Class;
use crate::repo::{
    FrameFiller, Keep, Lane, ObjectWriter, Objects, Proof, Repository, Session, WriterSizes,
};

/// Contents up to this size, on average of their frame, are put into frames with documents.
const DOCUMENT_BYTES: usize = /* 12 KiB */ 12 * 1024;

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
    for pack in doomed.repacked.iter().filter_map(|id| marks.packs.get(id)) {
        move_pack(marks.objects(), pack, &mut filler, ctx)?;
        writer.maybe_write_segment()?;
    }
    filler.flush()?;
    writer.flush()?;
    Ok(())
}

fn move_pack(
    objects: &Objects,
    pack: &PackMarks,
    filler: &mut FrameFiller,
    ctx: &RunContext,
) -> Result<(), Error> {
    for (number, marks) in (0u32..).zip(&pack.frames) {
        if ctx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if marks.live() == 0 {
            continue;
        }
        let frame = objects.fetch_frame(&pack.info, number)?;
        let lane = match pack.info.frames.get(number as usize).map(|info| info.class) {
            Some(Class::Meta) => Lane::Meta,
            _ if frame.raw_len() / frame.len().max(1) <= DOCUMENT_BYTES => Lane::Document,
            _ => Lane::File,
        };
        let places = (0..frame.len() as u32).filter(|&place| marks.is_live(place));
        for object in places.filter_map(|place| frame.object(place)) {
            filler.put(lane, &object)?;
        }
    }
    Ok(())
}
