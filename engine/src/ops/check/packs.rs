//! Packs against the listing, the index and their own footers; those whose turn it is are read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::data::{PackReader, READER_BYTES};
use super::{CheckReport, Damage, Data, Look, chain};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::format::pack::{PackInfo, PackKind};
use crate::id::PackId;
use crate::monitor::Counter;
use crate::ops::threads::each;
use crate::problem::ErrorKind;
use crate::repo::{History, PackObjects, RepoError, Repository};

/// A pack as the store lists it.
pub(in crate::ops) struct Listed {
    pub(super) id: PackId,
    kind: PackKind,
    pub(super) length: u64,
}

/// Something that is wrong with a pack, or with one frame of it.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) pack: PackId,
    frame: Option<u32>,
    name: String,
    kind: &'static str,
    what: String,
}

impl Listed {
    pub(super) fn name(&self) -> String {
        ObjectName::Pack { id: self.id, kind: self.kind }.to_string()
    }

    pub(super) fn trouble(&self, frame: Option<u32>, kind: &'static str, what: String) -> Trouble {
        Trouble { pack: self.id, frame, name: self.name(), kind, what }
    }

    /// It was listed, and is gone.
    pub(super) fn gone(&self) -> Trouble {
        self.trouble(None, GONE, "the pack is gone".into())
    }
}

/// The kind of trouble with a pack that is not there.
const GONE: &str = "missing";

/// Which packs there are.
pub(in crate::ops) struct Packs {
    /// By the store.
    pub(super) listed: BTreeMap<PackId, Listed>,
    /// By the index.
    indexed: HashMap<PackId, Arc<PackInfo>>,
    /// By the commits that wrote them.
    named: BTreeSet<PackId>,
}

impl Packs {
    fn gather(look: &Look<'_>) -> Result<Self, Error> {
        Ok(Self {
            listed: list(look.repository)?,
            indexed: look.objects.with_index(|index| {
                index.packs().map(|pack| (pack.id, Arc::clone(pack))).collect()
            }),
            named: named_packs(look.history),
        })
    }
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

/// Packs that commits say they wrote.
fn named_packs(history: &History) -> BTreeSet<PackId> {
    let commits = history.snapshots.iter().filter(|snapshot| !snapshot.forgotten);
    commits.flat_map(|snapshot| &snapshot.commit.packs).copied().collect()
}

pub(super) fn check(
    look: &Look<'_>,
    data: &mut Data,
    report: &mut CheckReport,
    damage: &mut Damage,
) -> Result<Packs, Error> {
    let mut packs = Packs::gather(look)?;
    report.packs = packs.listed.len() as u64;
    look.ctx.monitor.expect(Counter::PacksChecked, report.packs);
    let read = read_data(look, &packs, data)?;
    let mut troubles = footers(look, &packs, &read)?;
    troubles.extend(data.troubles());
    // What was there when it was listed and is not any more is as what was not listed.
    for trouble in troubles.iter().filter(|trouble| trouble.kind == GONE) {
        packs.listed.remove(&trouble.pack);
    }
    report.unreferenced_packs = packs
        .listed
        .keys()
        .filter(|id| !packs.indexed.contains_key(*id) && !packs.named.contains(*id))
        .count() as u64;
    missing(look, &packs, damage)?;
    for trouble in troubles.into_iter().filter(|trouble| packs.listed.contains_key(&trouble.pack)) {
        note(trouble, &packs, damage);
    }
    Ok(packs)
}

/// Reads the packs whose turn it is, several at a time. Returns which these are.
fn read_data(look: &Look<'_>, packs: &Packs, data: &mut Data) -> Result<HashSet<PackId>, Error> {
    let due = data.due(look.repository, &packs.listed);
    let due: Vec<_> = due.iter().filter_map(|id| packs.listed.get(id)).collect();
    let affordable = (look.options.memory * 3 / 4 / READER_BYTES).max(1) as usize;
    let data = &*data;
    let done = each(look.options.threads().min(affordable), &due, &look.ctx.cancel, |pack| {
        let (troubles, bytes) = match tail(look, packs, pack)? {
            Ok((info, listed_objects)) => {
                let reader = PackReader {
                    objects: look.objects,
                    pack,
                    info: &info,
                    listed_objects: &listed_objects,
                    ctx: look.ctx,
                };
                (reader.read()?, info.length)
            }
            Err(trouble) => (vec![trouble], 0),
        };
        data.note(pack.id, troubles, bytes, look.repository, look.ctx);
        look.ctx.monitor.count(Counter::PacksChecked, 1);
        Ok(())
    });
    if done.is_err() {
        data.keep_what_there_is(look.repository);
    }
    done?;
    Ok(due.iter().map(|pack| pack.id).collect())
}

/// Looks at the footers of all packs that were not read as a whole.
fn footers(look: &Look<'_>, packs: &Packs, read: &HashSet<PackId>) -> Result<Vec<Trouble>, Error> {
    let others: Vec<_> = packs.listed.values().filter(|pack| !read.contains(&pack.id)).collect();
    let troubles: Mutex<Vec<Trouble>> = Mutex::default();
    each(look.options.threads(), &others, &look.ctx.cancel, |pack| {
        if let Err(trouble) = tail(look, packs, pack)? {
            troubles.lock().unwrap_or_else(PoisonError::into_inner).push(trouble);
        }
        look.ctx.monitor.count(Counter::PacksChecked, 1);
        Ok(())
    })?;
    Ok(troubles.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Reads the end of a pack, and holds it against the index.
fn tail(
    look: &Look<'_>,
    packs: &Packs,
    pack: &Listed,
) -> Result<Result<(PackInfo, PackObjects), Trouble>, Error> {
    let known = packs.indexed.get(&pack.id);
    let (length, is_known) = (pack.length, known.is_some());
    if let Some(info) = known.filter(|info| info.length != length) {
        let what = format!("it has {length} bytes instead of {}", info.length);
        let kind = if length < info.length { "truncated" } else { "damaged" };
        return Ok(Err(pack.trouble(None, kind, what)));
    }
    let (info, objects) = match look.objects.read_pack_tail(pack.id, pack.kind, length) {
        Ok(tail) => tail,
        Err(RepoError::Store(error)) if error.kind() == ErrorKind::NotFound => {
            return Ok(Err(pack.gone()));
        }
        Err(RepoError::Store(error)) => return Err(error.into()),
        Err(error) => {
            let kind = if is_known { "damaged" } else { "truncated" };
            return Ok(Err(pack.trouble(None, kind, chain(&error))));
        }
    };
    if known.is_some_and(|known| **known != info) {
        let what = "its footer says other things than the index".to_owned();
        return Ok(Err(pack.trouble(None, "damaged", what)));
    }
    Ok(Ok((info, objects)))
}

/// Notes packs that should be there and are not.
fn missing(look: &Look<'_>, packs: &Packs, damage: &mut Damage) -> Result<(), RepoError> {
    let decisions = &look.history.decisions;
    let is_there = |id: &PackId| packs.listed.contains_key(id);
    let gone: BTreeSet<_> = packs.indexed.keys().filter(|id| !is_there(id)).copied().collect();
    damage.packs.extend(&gone);
    // An index that was stored late lists packs that a collector has deleted: so nobody needs them, or it will be seen.
    let collected = decisions.condemned_packs();
    let unexplained = gone.iter().filter(|id| !collected.contains(id)).copied().collect();
    for id in look.repository.never_swept(unexplained)? {
        let name = ObjectName::Pack { id, kind: packs.indexed[&id].kind }.to_string();
        damage.note(&name, GONE, "the pack is gone");
    }
    for id in packs.named.iter().filter(|id| !is_there(id) && !packs.indexed.contains_key(*id)) {
        // Its kind is not known any more: a session's only pack is a mixed one.
        let name = ObjectName::Pack { id: *id, kind: PackKind::Mixed }.to_string();
        let what = "a pack that a commit names is gone";
        damage.packs.insert(*id);
        // A collector stores what lives of a pack in another one: after the first sweep it takes a loss to see the difference.
        if decisions.floor() == 0 {
            damage.note(&name, GONE, what);
        }
        damage.unknown.insert(name, what);
    }
    Ok(())
}

/// Notes what is wrong with a pack that is there.
fn note(trouble: Trouble, packs: &Packs, damage: &mut Damage) {
    let Trouble { pack, frame, name, kind, what } = trouble;
    match frame {
        Some(frame) => damage.frames.insert((pack, frame)),
        None => damage.packs.insert(pack),
    };
    if packs.indexed.contains_key(&pack) {
        damage.note(&name, kind, &what);
    } else if packs.named.contains(&pack) {
        damage.note(&name, "damaged", &what);
        damage.unknown.insert(name, "a pack that a commit names is damaged");
    } else if kind != "truncated" {
        // A crash may leave half a pack on a store without atomic writes: nothing knows of it.
        damage.note(&name, kind, &what);
    }
}
