//! Packs against the listing, the index and their own footers; with `read_data` every byte of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{CheckOptions, CheckReport, Damage, Finding, chain};
use crate::context::RunContext;
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::format::pack::{FrameInfo, PackInfo, PackKind};
use crate::id::{PackId, ShortId};
use crate::monitor::Counter;
use crate::ops::threads::{each, thread_count};
use crate::repo::{History, Objects, PackObjects, RepoError, Repository};

/// What one pack needs while it is read: its bytes, and a frame's copies.
const PACK_BYTES: u64 = /* 40 MiB */ 40 * 1024 * 1024;
/// Bytes of a pack that are fetched at a time.
const FETCH_BYTES: u64 = /* 8 MiB */ 8 * 1024 * 1024;

struct Listed {
    id: PackId,
    kind: PackKind,
    length: u64,
}

impl Listed {
    fn name(&self) -> String {
        ObjectName::Pack { id: self.id, kind: self.kind }.to_string()
    }
}

/// What was found out about packs, by several threads.
#[derive(Default)]
struct Found {
    damaged: Vec<(PackId, Option<u32>, String, &'static str, String)>,
    bytes_read: u64,
}

pub(super) fn check(
    repository: &Repository,
    objects: &Arc<Objects>,
    history: &History,
    options: &CheckOptions,
    report: &mut CheckReport,
    damage: &mut Damage,
    ctx: &RunContext,
) -> Result<(), Error> {
    let listed = list(repository)?;
    segments(repository, objects, history, report)?;
    let indexed: BTreeMap<PackId, Arc<PackInfo>> =
        objects.with_index(|index| index.packs().map(|pack| (pack.id, Arc::clone(pack))).collect());
    for pack in indexed.values().filter(|pack| !listed.contains_key(&pack.id)) {
        let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
        damage.packs.insert(pack.id);
        damage.note(&name, "missing", "the pack is gone");
    }
    let named = named_packs(history);
    lost_packs(&named, &listed, &indexed, damage);
    report.unreferenced_packs =
        listed.keys().filter(|id| !indexed.contains_key(*id) && !named.contains(*id)).count()
            as u64;
    report.packs = listed.len() as u64;
    ctx.monitor.expect(Counter::PacksChecked, report.packs);

    let found: Mutex<Found> = Mutex::default();
    let threads = thread_count(options.workers);
    let threads = threads.min((options.memory * 3 / 4 / PACK_BYTES).max(1) as usize);
    let packs: Vec<_> = listed.values().collect();
    each(threads, &packs, &ctx.cancel, |pack| {
        let one = PackCheck { objects, pack, info: indexed.get(&pack.id), options, ctx };
        let (damaged, bytes_read) = one.run()?;
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.damaged.extend(damaged);
        found.bytes_read += bytes_read;
        ctx.monitor.count(Counter::PacksChecked, 1);
        Ok(())
    })?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.bytes_read += found.bytes_read;
    for (pack, frame, name, kind, what) in found.damaged {
        match frame {
            Some(frame) => damage.frames.insert((pack, frame)),
            None => damage.packs.insert(pack),
        };
        if indexed.contains_key(&pack) {
            damage.note(&name, kind, &what);
        } else if named.contains(&pack) {
            damage.note(&name, "damaged", &what);
            damage.unknown.insert(name);
        } else if kind != "truncated" {
            // A crash may leave half a pack on a store without atomic writes: nothing knows of it.
            damage.note(&name, kind, &what);
        }
    }
    Ok(())
}

fn list(repository: &Repository) -> Result<BTreeMap<PackId, Listed>, RepoError> {
    let mut packs = BTreeMap::new();
    for object in repository.store().list("packs")? {
        if let Ok(ObjectName::Pack { id, kind }) = object.name.parse() {
            packs.insert(id, Listed { id, kind, length: object.length });
        }
    }
    Ok(packs)
}

/// Segments that do not open, and segments that commits name and nothing replaces.
fn segments(
    repository: &Repository,
    objects: &Objects,
    history: &History,
    report: &mut CheckReport,
) -> Result<(), RepoError> {
    let hint = "nothing is lost: the footers of the packs hold the same; the next backup stores \
                what it cannot find";
    for damaged in objects.damaged() {
        // Small packs that cannot be read are told with the other packs.
        if damaged.name.starts_with("index/") {
            report.findings.push(Finding {
                object: damaged.name.clone(),
                kind: "damaged".into(),
                effect: format!("part of the index is no use: {}", chain(&damaged.error)),
                hint: hint.into(),
            });
        }
    }
    let listed: HashSet<String> =
        repository.store().list("index")?.into_iter().map(|object| object.name).collect();
    let replaced: HashSet<_> = objects.with_index(|index| {
        index.segments().iter().flat_map(|it| it.replaces().to_vec()).collect()
    });
    for id in history.snapshots.iter().flat_map(|snapshot| &snapshot.commit.segments) {
        let name = ObjectName::Segment(*id).to_string();
        if !listed.contains(&name) && !replaced.contains(id) {
            report.findings.push(Finding {
                object: name,
                kind: "missing".into(),
                effect: "part of the index is gone".into(),
                hint: hint.into(),
            });
        }
    }
    let is_damaged = objects.damaged().iter().any(|it| it.name.starts_with("index/"));
    if is_damaged || report.findings.iter().any(|it| it.object.starts_with("index/")) {
        objects.recover()?;
    }
    // A block of a segment may be damaged although the segment opens.
    for damaged in objects.with_index(|index| {
        let records = |segment: &crate::index::Segment| {
            segment.records().find_map(Result::err).map(|error| (segment.id(), error))
        };
        index.segments().iter().filter_map(records).collect::<Vec<_>>()
    }) {
        report.findings.push(Finding {
            object: ObjectName::Segment(damaged.0).to_string(),
            kind: "damaged".into(),
            effect: format!("part of the index is no use: {}", chain(&damaged.1)),
            hint: hint.into(),
        });
    }
    Ok(())
}

/// Packs that commits say they wrote.
fn named_packs(history: &History) -> BTreeSet<PackId> {
    let commits = history.snapshots.iter().filter(|snapshot| !snapshot.forgotten);
    commits.flat_map(|snapshot| &snapshot.commit.packs).copied().collect()
}

/// Notes named packs that are gone. A collector may have rewritten them, so only what the index lacks too is told here.
fn lost_packs(
    named: &BTreeSet<PackId>,
    listed: &BTreeMap<PackId, Listed>,
    indexed: &BTreeMap<PackId, Arc<PackInfo>>,
    damage: &mut Damage,
) {
    for id in named {
        if !listed.contains_key(id) && !indexed.contains_key(id) {
            // Its kind is not known any more: a session's only pack is a mixed one.
            let name = ObjectName::Pack { id: *id, kind: PackKind::Mixed }.to_string();
            damage.packs.insert(*id);
            damage.note(&name, "missing", "a pack that a commit names is gone");
            damage.unknown.insert(name);
        }
    }
}

struct PackCheck<'a> {
    objects: &'a Objects,
    pack: &'a Listed,
    info: Option<&'a Arc<PackInfo>>,
    options: &'a CheckOptions,
    ctx: &'a RunContext,
}

type Damaged = Vec<(PackId, Option<u32>, String, &'static str, String)>;

impl PackCheck<'_> {
    fn damaged(&self, frame: Option<u32>, kind: &'static str, what: String) -> Damaged {
        vec![(self.pack.id, frame, self.pack.name(), kind, what)]
    }

    fn run(&self) -> Result<(Damaged, u64), Error> {
        let Listed { id, kind, length } = *self.pack;
        if let Some(info) = self.info.filter(|info| info.length != length) {
            let what = format!("it has {length} bytes instead of {}", info.length);
            let kind = if length < info.length { "truncated" } else { "damaged" };
            return Ok((self.damaged(None, kind, what), 0));
        }
        let (info, objects) = match self.objects.read_pack_tail(id, kind, length) {
            Ok(tail) => tail,
            Err(RepoError::Store(error)) if error.kind() != crate::ErrorKind::NotFound => {
                return Err(error.into());
            }
            Err(error) => {
                let kind = if self.info.is_some() { "damaged" } else { "truncated" };
                return Ok((self.damaged(None, kind, chain(&error)), 0));
            }
        };
        if self.info.is_some_and(|known| **known != info) {
            let what = "its footer says other things than the index".to_owned();
            return Ok((self.damaged(None, "damaged", what), 0));
        }
        if self.options.read_data { self.read(&info, &objects) } else { Ok((Vec::new(), 0)) }
    }

    fn read(&self, info: &PackInfo, objects: &PackObjects) -> Result<(Damaged, u64), Error> {
        let mut damaged = Vec::new();
        let mut frame = 0u32;
        while (frame as usize) < info.frames.len() {
            if self.ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let Some(first) = info.frame_range(frame) else {
                break;
            };
            let mut end = frame;
            let mut range = first.clone();
            while let Some(next) = info.frame_range(end) {
                if next.end - first.start > FETCH_BYTES && end > frame {
                    break;
                }
                range.end = next.end;
                end += 1;
            }
            let bytes = self.objects.store().read_range(&self.pack.name(), range.clone())?;
            self.ctx.monitor.count(Counter::BytesChecked, bytes.len() as u64);
            for number in frame..end {
                let place = info.frame_range(number).unwrap_or(0..0);
                let start = (place.start - range.start) as usize;
                let stop = (place.end - range.start) as usize;
                let sealed = bytes.get(start..stop).unwrap_or_default();
                if let Err(what) = self.open(info, number, sealed, objects) {
                    let what = format!("frame {number}: {what}");
                    damaged.extend(self.damaged(Some(number), "damaged", what));
                }
            }
            frame = end;
        }
        if let Err(error) = self.objects.check_padding(info) {
            damaged.extend(self.damaged(
                Some(u32::MAX),
                "damaged",
                format!("its padding, which nothing needs: {}", chain(&error)),
            ));
        }
        Ok((damaged, info.length))
    }

    fn open(
        &self,
        info: &PackInfo,
        number: u32,
        sealed: &[u8],
        objects: &PackObjects,
    ) -> Result<(), String> {
        let frame = self.objects.open_frame(info, number, sealed).map_err(|error| chain(&error))?;
        let none = Vec::<ShortId>::new();
        let expected = objects.get(number as usize).unwrap_or(&none);
        let class = info.frames.get(number as usize).map(|frame: &FrameInfo| frame.class);
        let Some(class) = class.filter(|_| frame.len() == expected.len()) else {
            return Err("it does not hold the objects that the footer lists".into());
        };
        for (place, short) in (0u32..).zip(expected) {
            let object = frame.object(place).unwrap_or_default();
            if self.objects.identifier().id(class, &object).to_short() != *short {
                return Err(format!("object {short} is not what it was"));
            }
        }
        Ok(())
    }
}
