//! Segments of the index that do not open, and such that commits name and nothing replaces.

use std::collections::HashSet;

use super::{CheckReport, Finding, Look, chain};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::SegmentId;
use crate::index::Segment;

const HINT: &str =
    "nothing is lost: the footers of the packs hold the same; `esker repair index` makes it whole";

pub(super) fn check(look: &Look<'_>, report: &mut CheckReport) -> Result<(), Error> {
    let replaced: HashSet<String> = look.objects.with_index(|index| {
        index.replaced().map(|id| ObjectName::Segment(id).to_string()).collect()
    });
    let before = report.findings.len();
    for damaged in look.objects.damaged() {
        // Small packs that cannot be read are told with the other packs.
        if damaged.name.starts_with("index/") && !replaced.contains(&damaged.name) {
            report.findings.push(useless(damaged.name.clone(), &chain(&damaged.error)));
        }
    }
    let listed: HashSet<String> =
        look.repository.store().list("index")?.into_iter().map(|object| object.name).collect();
    for id in look.history.snapshots.iter().flat_map(|snapshot| &snapshot.commit.segments) {
        let name = ObjectName::Segment(*id).to_string();
        if !listed.contains(&name) && !replaced.contains(&name) {
            report.findings.push(Finding {
                object: name,
                kind: "missing".into(),
                effect: "part of the index is gone".into(),
                hint: HINT.into(),
            });
        }
    }
    if report.findings.len() > before {
        look.objects.recover()?;
    }
    // A block of a segment may be damaged although the segment opens.
    for (id, what) in look
        .objects
        .with_index(|index| index.segments().iter().filter_map(damaged_block).collect::<Vec<_>>())
    {
        report.findings.push(useless(ObjectName::Segment(id).to_string(), &what));
    }
    Ok(())
}

fn damaged_block(segment: &Segment) -> Option<(SegmentId, String)> {
    let error = segment.records().find_map(Result::err)?;
    Some((segment.id(), chain(&error)))
}

fn useless(object: String, what: &str) -> Finding {
    Finding {
        object,
        kind: "damaged".into(),
        effect: format!("part of the index is no use: {what}"),
        hint: HINT.into(),
    }
}
