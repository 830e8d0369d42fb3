//! Commits and marks are small and many: bundles hold copies of them, so that opening an old repository takes few requests.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;

use super::{DamagedObject, RepoError, Repository};
use crate::crypto::random;
use crate::format::bundle::Bundle;
use crate::format::name::ObjectName;
use crate::format::sealed::{self, MAX_SEALED_BYTES, SealedKind};
use crate::id::BundleId;
use crate::parallel::{CONNECTIONS, map};
use crate::store::{Created, Durability, Listed};

/// So many commits and marks that no bundle has are reason to make one.
pub(crate) const LOOSE_LIMIT: usize = 16;
/// A bundle does not grow beyond this.
const BUNDLE_BYTES: usize = /* 16 MiB */ 16 * 1024 * 1024;
/// A commit or mark that is larger is in no bundle.
const LARGE_OBJECT: usize = /* 1 MiB */ 1024 * 1024;
/// The newest bundles are opened first: they name those that need not be opened.
const FIRST_BUNDLES: usize = 2;

/// The bundles that no other one replaces.
#[derive(Default)]
pub(super) struct Bundles {
    open: BTreeMap<BundleId, Bundle>,
    replaced: HashSet<BundleId>,
    /// The bytes of objects by their names.
    pub(super) objects: HashMap<String, Bytes>,
    /// Bundles that cannot be used: nothing is lost with them.
    pub(super) damaged: Vec<DamagedObject>,
}

impl Bundles {
    fn add(&mut self, id: BundleId, bundle: Bundle) {
        self.replaced.extend(&bundle.replaces);
        self.objects.extend(bundle.objects.iter().map(|(name, it)| (name.clone(), it.clone())));
        self.open.insert(id, bundle);
        self.open.retain(|id, _| !self.replaced.contains(id));
    }

    /// The bundles that are merged with so many loose objects of so many bytes: each that has no more than were chosen before, the smallest first.
    fn chosen(&self, loose: usize, mut bytes: usize) -> Vec<BundleId> {
        let mut bundles: Vec<_> = self.open.iter().collect();
        bundles.sort_by_key(|(_, bundle)| bundle.objects.len());
        let mut objects = loose;
        let is_next = |(_, bundle): &(&BundleId, &Bundle)| {
            bytes += bundle.objects.values().map(Bytes::len).sum::<usize>();
            let takes = bundle.objects.len() <= objects && bytes <= BUNDLE_BYTES;
            objects += bundle.objects.len();
            takes
        };
        bundles.into_iter().take_while(is_next).map(|(id, _)| *id).collect()
    }
}

impl Repository {
    /// Reads the bundles, the newest first by the store's times, as far as others do not replace them.
    pub(super) fn bundles(&self) -> Result<Bundles, RepoError> {
        let id = |listed: &Listed| match listed.name.parse() {
            Ok(ObjectName::Bundle(id)) => Some((id, listed.modified)),
            _ => None,
        };
        let mut left: Vec<_> = self.store().list("history")?.iter().filter_map(id).collect();
        left.sort_by_key(|(_, modified)| *modified);
        self.client().keep_bundles(&left.iter().map(|(id, _)| *id).collect());
        let mut bundles = Bundles::default();
        let mut together = FIRST_BUNDLES;
        while !left.is_empty() {
            let next = left.split_off(left.len().saturating_sub(together));
            let read = map(CONNECTIONS, &next, |(id, _)| self.bundle(*id));
            for ((id, _), read) in next.into_iter().zip(read) {
                match read {
                    Ok(bundle) => bundles.add(id, bundle),
                    Err(error) => {
                        let name = ObjectName::Bundle(id).to_string();
                        bundles.damaged.push(DamagedObject { name, error });
                    }
                }
            }
            left.retain(|(id, _)| !bundles.replaced.contains(id));
            together = CONNECTIONS;
        }
        Ok(bundles)
    }

    /// Opens a bundle, from this client's memory if it is there.
    fn bundle(&self, id: BundleId) -> Result<Bundle, RepoError> {
        let name = ObjectName::Bundle(id).to_string();
        let open = |bytes: &[u8]| {
            let body = sealed::open(self.keys(), SealedKind::Bundle, &name, bytes)
                .map_err(RepoError::sealed(&name))?;
            Bundle::decode(&body.into()).map_err(RepoError::body(&name))
        };
        if let Some(bundle) = self.client().bundle(id).and_then(|bytes| open(&bytes).ok()) {
            return Ok(bundle);
        }
        let bytes = self.store().read(&name, MAX_SEALED_BYTES)?;
        let bundle = open(&bytes)?;
        self.client().remember_bundle(id, &bytes);
        Ok(bundle)
    }

    /// Makes a bundle of the commits and marks that are in none, if there are many. Anybody may do so at any time: what a bundle
    /// has is believed only as far as the objects themselves are listed.
    ///
    /// # Errors
    /// If the store fails; nothing depends on it.
    pub fn merge_history(&self) -> Result<Option<BundleId>, RepoError> {
        let mut listed = BTreeMap::new();
        for room in ["commits", "marks"] {
            let objects = self.store().list(room)?.into_iter();
            listed.extend(objects.map(|it| (it.name, it.length as usize)));
        }
        let bundles = self.bundles()?;
        let mut bytes = 0;
        // What is too large stays by itself, and what is too much waits for the next time.
        let mut fits = |length: usize| {
            let fits = length <= LARGE_OBJECT && bytes + length <= BUNDLE_BYTES;
            bytes += if fits { length } else { 0 };
            fits
        };
        let is_loose = |name: &String| !bundles.objects.contains_key(name);
        let loose = listed.iter().filter(|(name, length)| is_loose(name) && fits(**length));
        let loose: Vec<String> = loose.map(|(name, _)| name.clone()).collect();
        if loose.len() < LOOSE_LIMIT {
            return Ok(None);
        }
        let mut bundle = Bundle::default();
        for id in bundles.chosen(loose.len(), bytes) {
            let Some(chosen) = bundles.open.get(&id) else { continue };
            bundle.replaces.push(id);
            bundle.replaces.extend(&chosen.replaces);
            bundle.objects.extend(chosen.objects.clone());
        }
        bundle.replaces.sort_unstable();
        bundle.replaces.dedup();
        bundle.objects.retain(|name, _| listed.contains_key(name));
        for (name, read) in loose.iter().zip(self.store().read_many(&loose, MAX_SEALED_BYTES)) {
            let kind = match name.parse() {
                Ok(ObjectName::Slot(_)) => SealedKind::Slot,
                Ok(ObjectName::Mark(_)) => SealedKind::Mark,
                _ => continue,
            };
            // What is damaged is told by whoever reads it, and not copied.
            let whole = read.ok().filter(|it| sealed::open(self.keys(), kind, name, it).is_ok());
            bundle.objects.extend(whole.map(|bytes| (name.clone(), bytes)));
        }
        let id = BundleId(random()?);
        let name = ObjectName::Bundle(id);
        let (kind, body) = (SealedKind::Bundle, bundle.encode());
        let (created, _) = self.create_sealed(name, kind, &body, Durability::Durable)?;
        Ok((created == Created::New).then_some(id))
    }

    /// The names of bundles that others replace.
    pub(crate) fn replaced_bundles(&self) -> Result<Vec<String>, RepoError> {
        let bundles = self.bundles()?;
        let listed = self.store().list("history")?.into_iter().map(|it| it.name);
        let is_replaced = |name: &String| match name.parse() {
            Ok(ObjectName::Bundle(id)) => bundles.replaced.contains(&id),
            _ => false,
        };
        Ok(listed.filter(is_replaced).collect())
    }
}
