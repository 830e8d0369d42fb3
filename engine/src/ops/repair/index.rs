//! The index is made whole from the packs' footers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::RepairOptions;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::{PackId, SegmentId};
use crate::index::{Record, build};
use crate::monitor::Counter;
use crate::ops::threads::each;
use crate::problem::ErrorKind;
use crate::repo::{History, Objects, PackObjects, RepoError, Repository, WriterSizes};
use crate::store::{Created, Durability};

/// Footers that are read before their objects are put into a segment.
const FOOTERS_AT_A_TIME: usize = 32;
/// So many small packs may stay without a segment: their footers are their index.
const LOOSE_LIMIT: usize = 32;

/// What was, or would be, done to the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct IndexRepair {
    /// Packs in the store.
    pub packs: u64,
    /// Packs that no readable segment listed and that are listed now.
    pub listed_packs: u64,
    /// Objects of them.
    pub listed_objects: u64,
    /// New segments.
    pub segments: u64,
    /// Segments that are damaged or gone and were replaced.
    pub replaced: Vec<String>,
    /// Packs whose footers cannot be read, so that they stay unlisted.
    pub unreadable: Vec<String>,
}

/// Writes segments that list what no readable segment lists, and that replace those which are damaged or gone.
///
/// Safe beside backups and collectors. Running it again does nothing.
///
/// # Errors
/// If the store does not answer.
pub fn index(
    repository: &Arc<Repository>,
    options: &RepairOptions,
    ctx: &RunContext,
) -> Result<IndexRepair, Error> {
    let history = repository.history()?;
    let objects = Objects::load(repository, options.check_options().cache_sizes())?;
    let broken = Broken::find(&objects, &history, repository)?;
    let unlisted = broken.unlisted(&objects, &history)?;
    let mut repair = IndexRepair { packs: unlisted.of, ..IndexRepair::default() };
    repair.replaced = broken.names().collect();
    let small = unlisted.packs.iter().filter(|(_, kind, _)| *kind == PackKind::Mixed).count();
    let is_whole = broken.segments.is_empty() && small == unlisted.packs.len();
    if is_whole && small < LOOSE_LIMIT {
        return Ok(repair);
    }
    ctx.monitor.expect(Counter::PacksChecked, unlisted.packs.len() as u64);
    let mut writer =
        SegmentWriter { repository, options, repair: &mut repair, ready: Vec::new(), records: 0 };
    let mut unreadable = BTreeSet::new();
    for packs in unlisted.packs.chunks(FOOTERS_AT_A_TIME) {
        for (pack, read) in footers(&objects, packs, options, ctx)? {
            match read {
                Some((info, objects)) => writer.add(Arc::new(info), objects)?,
                None => {
                    unreadable.insert(pack);
                }
            }
        }
    }
    let saved = broken.save(&objects, &mut unreadable);
    writer.finish(&broken, saved)?;
    let name = |(id, kind, _): &(PackId, PackKind, u64)| {
        let name = ObjectName::Pack { id: *id, kind: *kind }.to_string();
        // Half a pack that nobody knows of is what a crash leaves on a store without atomic writes.
        (unreadable.contains(id) && broken.may_have_listed(id, &history)).then_some(name)
    };
    repair.unreadable = unlisted.packs.iter().filter_map(name).collect();
    Ok(repair)
}

/// Reads footers, several at a time; nothing where a pack cannot be read.
fn footers(
    objects: &Objects,
    packs: &[(PackId, PackKind, u64)],
    options: &RepairOptions,
    ctx: &RunContext,
) -> Result<BTreeMap<PackId, Option<(PackInfo, PackObjects)>>, Error> {
    let found: Mutex<BTreeMap<_, _>> = Mutex::default();
    each(options.check_options().threads(), packs, &ctx.cancel, |(id, kind, length)| {
        let read = match objects.read_pack_tail(*id, *kind, *length) {
            Ok(read) => Some(read),
            Err(RepoError::Store(error)) if error.kind() != ErrorKind::NotFound => {
                return Err(error.into());
            }
            Err(_) => None,
        };
        found.lock().unwrap_or_else(PoisonError::into_inner).insert(*id, read);
        ctx.monitor.count(Counter::PacksChecked, 1);
        Ok(())
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Packs that no readable segment lists.
struct Unlisted {
    packs: Vec<(PackId, PackKind, u64)>,
    /// How many packs there are in all.
    of: u64,
}

/// Segments that cannot be relied upon.
struct Broken {
    segments: BTreeSet<SegmentId>,
    /// Those of them that open: some of their blocks are damaged.
    open: BTreeSet<SegmentId>,
}

/// Pack descriptions and their records, from the readable part of a damaged segment.
type Saved = Vec<(Arc<PackInfo>, Vec<Record>)>;

impl Broken {
    fn find(objects: &Objects, history: &History, repository: &Repository) -> Result<Self, Error> {
        let listed: HashSet<String> =
            repository.store().list("index")?.into_iter().map(|object| object.name).collect();
        let open: BTreeSet<SegmentId> = objects.with_index(|index| {
            let is_damaged = |it: &&crate::index::Segment| it.records().any(|it| it.is_err());
            index.segments().iter().filter(is_damaged).map(crate::index::Segment::id).collect()
        });
        let closed = objects.damaged().iter().filter_map(|it| match it.name.parse() {
            Ok(ObjectName::Segment(id)) => Some(id),
            _ => None,
        });
        let named = history.snapshots.iter().flat_map(|it| it.commit.segments.iter().copied());
        let gone = named.filter(|id| !listed.contains(&ObjectName::Segment(*id).to_string()));
        let replaced: HashSet<SegmentId> = objects.with_index(|index| index.replaced().collect());
        let lost = closed.chain(gone).filter(|id| !replaced.contains(id));
        Ok(Self { segments: lost.chain(open.iter().copied()).collect(), open })
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.segments.iter().map(|id| ObjectName::Segment(*id).to_string())
    }

    /// Packs in the store that whole segments do not list. What a collector gives up is left out.
    fn unlisted(&self, objects: &Objects, history: &History) -> Result<Unlisted, Error> {
        let listed: HashSet<PackId> = objects.with_index(|index| {
            let whole = index.segments().iter().filter(|it| !self.open.contains(&it.id()));
            whole.flat_map(|it| it.packs().iter().map(|pack| pack.id)).collect()
        });
        let condemned = history.decisions.condemned_packs();
        let mut packs = objects.listed_packs("packs")?;
        let of = packs.len() as u64;
        packs.retain(|(id, ..)| !listed.contains(id) && !condemned.contains(id));
        Ok(Unlisted { packs, of })
    }

    /// True for a pack that commits or damaged segments know.
    fn may_have_listed(&self, pack: &PackId, history: &History) -> bool {
        let commits = history.snapshots.iter().filter(|it| !it.forgotten);
        !self.segments.is_empty() || commits.flat_map(|it| &it.commit.packs).any(|it| it == pack)
    }

    /// What damaged segments still say of packs whose own footers cannot be read: with it their frames can be. Such packs are
    /// taken off the list.
    fn save(&self, objects: &Objects, unreadable: &mut BTreeSet<PackId>) -> Saved {
        objects.with_index(|index| {
            let mut saved = Saved::new();
            for segment in index.segments().iter().filter(|it| self.open.contains(&it.id())) {
                let mut found: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
                for record in segment.records().map_while(Result::ok) {
                    found.entry(record.pack).or_default().push(record);
                }
                for (number, pack) in (0u32..).zip(segment.packs()) {
                    if unreadable.contains(&pack.id)
                        && let Some(records) = found.remove(&number)
                    {
                        unreadable.remove(&pack.id);
                        saved.push((Arc::clone(pack), records));
                    }
                }
            }
            saved
        })
    }
}

/// Gathers packs and writes them into segments of bounded size.
struct SegmentWriter<'a> {
    repository: &'a Repository,
    options: &'a RepairOptions,
    repair: &'a mut IndexRepair,
    ready: Vec<(Arc<PackInfo>, PackObjects)>,
    records: usize,
}

impl SegmentWriter<'_> {
    fn add(&mut self, info: Arc<PackInfo>, objects: PackObjects) -> Result<(), Error> {
        let records = objects.iter().map(Vec::len).sum::<usize>();
        self.repair.listed_packs += 1;
        self.repair.listed_objects += records as u64;
        self.records += records;
        self.ready.push((info, objects));
        if self.records >= WriterSizes::default().segment_records {
            self.write(&[], Saved::new())?;
        }
        Ok(())
    }

    /// Writes what is left. The last segment replaces what is damaged: until it is there, that is still of some use.
    fn finish(mut self, broken: &Broken, saved: Saved) -> Result<(), Error> {
        let replaces: Vec<_> = broken.segments.iter().copied().collect();
        if self.ready.is_empty() && saved.is_empty() && replaces.is_empty() {
            return Ok(());
        }
        self.repair.listed_packs += saved.len() as u64;
        self.repair.listed_objects += saved.iter().map(|(_, it)| it.len() as u64).sum::<u64>();
        self.write(&replaces, saved)
    }

    fn write(&mut self, replaces: &[SegmentId], saved: Saved) -> Result<(), Error> {
        let ready = std::mem::take(&mut self.ready);
        self.records = 0;
        self.repair.segments += 1;
        if self.options.dry_run {
            return Ok(());
        }
        let mut packs = Vec::new();
        let mut records = Vec::new();
        for (info, frames) in ready {
            let pack = packs.len() as u32;
            packs.push(info);
            for (frame, objects) in (0u32..).zip(frames.iter()) {
                records.extend((0u32..).zip(objects).map(|(place, id)| Record {
                    prefix: id.prefix(),
                    pack,
                    frame,
                    place,
                }));
            }
        }
        for (info, known) in saved {
            let pack = packs.len() as u32;
            packs.push(info);
            records.extend(known.into_iter().map(|record| Record { pack, ..record }));
        }
        let packs: Vec<&PackInfo> = packs.iter().map(AsRef::as_ref).collect();
        let built =
            build(self.repository.keys(), replaces, &packs, records).map_err(RepoError::from)?;
        let name = ObjectName::Segment(built.id).to_string();
        match self.repository.store().create(&name, built.bytes, Durability::Durable)? {
            Created::New => Ok(()),
            Created::Exists => {
                let what = "another object has its random name".into();
                Err(RepoError::Unreadable { name, what }.into())
            }
        }
    }
}
