//! The data: packs are read, every frame is opened, every object compared with its id; what was whole is remembered.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::packs::{Listed, Trouble};
use super::{CheckReport, Damage, Packs, Proven, Share, chain};
use crate::clock::rfc3339;
use crate::context::RunContext;
use crate::error::Error;
use crate::format::pack::{FrameInfo, PackInfo};
use crate::id::{PackId, ShortId};
use crate::monitor::Counter;
use crate::problem::ErrorKind;
use crate::repo::{Objects, PackObjects, Remembered, Repository};
use crate::store::StoreError;

/// Bytes of a pack that are fetched at a time; the next ones are under way while these are opened.
const FETCH_BYTES: u64 = /* 4 MiB */ 4 * 1024 * 1024;
/// What one thread needs while it reads a pack: the bytes of two fetches, and copies of a frame.
pub(super) const READER_BYTES: u64 = /* 24 MiB */ 24 * 1024 * 1024;
/// What was proven is written down so often, for the case that the check is broken off.
const KEEP_INTERVAL: Duration = Duration::from_secs(60);

/// What reading data has found, while the structure may be looked at several times.
pub(in crate::ops) struct Data {
    share: Option<Share>,
    began: Duration,
    is_read: bool,
    found: Mutex<Found>,
}

/// What was found by several threads.
#[derive(Default)]
struct Found {
    troubles: Vec<Trouble>,
    whole: HashSet<PackId>,
    bytes_read: u64,
    kept: Duration,
}

impl Data {
    /// Nothing is read yet.
    pub(in crate::ops) fn new(share: Option<Share>, ctx: &RunContext) -> Self {
        // What is remembered is remembered to the millisecond.
        let began = Duration::from_millis(ctx.clock.now().as_millis() as u64);
        Self {
            share,
            began,
            is_read: false,
            found: Mutex::new(Found { kept: began, ..Found::default() }),
        }
    }

    /// The packs whose turn it is, in the order in which they should be read; none where that was done.
    pub(super) fn due(
        &mut self,
        repository: &Repository,
        listed: &BTreeMap<PackId, Listed>,
    ) -> Vec<PackId> {
        let Some(share) = self.share.filter(|_| !std::mem::replace(&mut self.is_read, true)) else {
            return Vec::new();
        };
        let mut readings = repository.client().readings(repository.id());
        readings.meet(&listed.keys().copied().collect(), self.began);
        let packs = listed.values().map(|pack| (pack.id, pack.length));
        share.choose(packs, &readings, self.began)
    }

    /// Takes note of what one pack is like, and writes down what is proven now and then.
    pub(super) fn note(
        &self,
        pack: PackId,
        troubles: Vec<Trouble>,
        bytes: u64,
        repository: &Repository,
        ctx: &RunContext,
    ) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.bytes_read += bytes;
        if troubles.is_empty() {
            found.whole.insert(pack);
        }
        found.troubles.extend(troubles);
        let now = ctx.clock.now();
        if now.saturating_sub(found.kept) >= KEEP_INTERVAL {
            found.kept = now;
            self.keep(&found, repository, None);
        }
    }

    /// Writes down what is proven; only `listed` packs are kept in mind, where that is known.
    fn keep(
        &self,
        found: &Found,
        repository: &Repository,
        listed: Option<&HashSet<PackId>>,
    ) -> crate::repo::Readings {
        let client = repository.client();
        // Another check of this client may have written meanwhile.
        let mut readings = client.readings(repository.id());
        for pack in &found.whole {
            readings.found_whole(*pack, self.began);
        }
        for trouble in &found.troubles {
            readings.found_damaged(trouble.pack);
        }
        if let Some(listed) = listed {
            readings.meet(listed, self.began);
        }
        if let Err(error) = client.keep_readings(&readings, repository.id()) {
            tracing::warn!(%error, "what was proven cannot be remembered");
        }
        readings
    }

    /// Writes down what was proven before the check ended early.
    pub(super) fn keep_what_there_is(&self, repository: &Repository) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        self.keep(&found, repository, None);
    }

    /// What is wrong with the packs that were read.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).troubles.clone()
    }

    /// Tells what was read and what is proven, and writes that down.
    pub(super) fn tell(&self, repository: &Repository, packs: &Packs, report: &mut CheckReport) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        report.bytes_read = found.bytes_read;
        let listed: HashSet<PackId> = packs.listed.keys().copied().collect();
        let readings = if self.share.is_some() {
            self.keep(&found, repository, Some(&listed))
        } else {
            repository.client().readings(repository.id())
        };
        let mut proven = Proven::default();
        let mut oldest: Option<Duration> = None;
        for pack in packs.listed.values() {
            proven.data_bytes += pack.length;
            let mut whole = readings.of(&pack.id).and_then(|known| known.whole);
            // A client without a folder remembers nothing, but what was just read is proven.
            whole = whole.or_else(|| found.whole.contains(&pack.id).then_some(self.began));
            if let Some(whole) = whole {
                proven.proven_bytes += pack.length;
                oldest = Some(oldest.map_or(whole, |oldest| oldest.min(whole)));
            } else {
                proven.unproven_packs += 1;
                proven.unproven_bytes += pack.length;
            }
        }
        proven.oldest = oldest.map(rfc3339);
        report.proven = proven;
    }

    /// The next backups of this client do not rely on what is damaged. What was known to be damaged stays so until it is read
    /// and whole, or gone.
    pub(in crate::ops) fn remember_damage(
        &self,
        repository: &Repository,
        damage: &Damage,
        packs: &Packs,
        report: &mut CheckReport,
    ) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let client = repository.client();
        let known = client.remembered();
        let mut damaged = damage.all_packs();
        let is_open =
            |pack: &&PackId| packs.listed.contains_key(*pack) && !found.whole.contains(*pack);
        let open: Vec<_> = known.damaged.iter().filter(is_open).copied().collect();
        let unread = open.iter().filter(|pack| !damaged.contains(pack)).count();
        if unread > 0 {
            report.notes.push(format!(
                "{unread} of the packs that were found damaged before were not read this time"
            ));
        }
        damaged.extend(open);
        let remembered = Remembered { damaged: damaged.into_iter().collect(), ..known };
        if let Err(error) = client.remember(&remembered) {
            tracing::warn!(%error, "the damage that was found cannot be remembered");
        }
    }
}

/// Frames that lie next to each other and are fetched together.
struct Stretch {
    frames: Range<u32>,
    bytes: Range<u64>,
}

/// Cuts a pack's frames into stretches.
fn stretches(info: &PackInfo) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for number in 0..info.frames.len() as u32 {
        let Some(range) = info.frame_range(number) else {
            break;
        };
        match stretches.last_mut() {
            Some(last) if range.end - last.bytes.start <= FETCH_BYTES => {
                last.frames.end = number + 1;
                last.bytes.end = range.end;
            }
            _ => stretches.push(Stretch { frames: number..number + 1, bytes: range }),
        }
    }
    stretches
}

/// Reads one pack.
pub(super) struct PackReader<'a> {
    pub(super) objects: &'a Objects,
    pub(super) pack: &'a Listed,
    pub(super) info: &'a PackInfo,
    pub(super) listed_objects: &'a PackObjects,
    pub(super) ctx: &'a RunContext,
}

impl PackReader<'_> {
    /// Opens every frame. Returns what is wrong.
    pub(super) fn read(&self) -> Result<Vec<Trouble>, Error> {
        let mut troubles = Vec::new();
        let stretches = stretches(self.info);
        let mut ahead = stretches.first().map(|first| self.fetch(first));
        for (number, stretch) in stretches.iter().enumerate() {
            if self.ctx.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let Some(fetched) = ahead.take() else {
                break;
            };
            let fetched = self.wait(fetched)?;
            ahead = stretches.get(number + 1).map(|next| self.fetch(next));
            let bytes = match fetched {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(vec![self.pack.gone()]);
                }
                Err(error) => return Err(error.into()),
            };
            self.ctx.monitor.count(Counter::BytesChecked, bytes.len() as u64);
            self.open_all(stretch, &bytes, &mut troubles);
        }
        let padding = self.objects.check_padding(self.info);
        match padding {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error.into()),
            Err(error) => troubles.push(self.pack.trouble(
                Some(u32::MAX),
                "damaged",
                format!("its padding, which nothing needs: {}", chain(&error)),
            )),
        }
        Ok(troubles)
    }

    /// Has a stretch fetched while this thread does other things.
    fn fetch(&self, stretch: &Stretch) -> JoinHandle<Result<Bytes, StoreError>> {
        let (store, name) = (self.objects.store().clone(), self.pack.name());
        let range = stretch.bytes.clone();
        let runtime = self.objects.store().runtime();
        runtime.spawn(async move { store.read_range_async(&name, range).await })
    }

    fn wait(
        &self,
        fetched: JoinHandle<Result<Bytes, StoreError>>,
    ) -> Result<Result<Bytes, StoreError>, Error> {
        match self.objects.store().runtime().block_on(fetched) {
            Ok(fetched) => Ok(fetched),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime ends, and the program with it.
            Err(_) => Err(Error::Cancelled),
        }
    }

    fn open_all(&self, stretch: &Stretch, bytes: &Bytes, troubles: &mut Vec<Trouble>) {
        for number in stretch.frames.clone() {
            let place = self.info.frame_range(number).unwrap_or(0..0);
            let start = (place.start - stretch.bytes.start) as usize;
            let stop = (place.end - stretch.bytes.start) as usize;
            let sealed = bytes.get(start..stop).unwrap_or_default();
            if let Err(what) = self.open(number, sealed) {
                let what = format!("frame {number}: {what}");
                troubles.push(self.pack.trouble(Some(number), "damaged", what));
            }
        }
    }

    fn open(&self, number: u32, sealed: &[u8]) -> Result<(), String> {
        let frame =
            self.objects.open_frame(self.info, number, sealed).map_err(|error| chain(&error))?;
        let none = Vec::<ShortId>::new();
        let expected = self.listed_objects.get(number as usize).unwrap_or(&none);
        let class = self.info.frames.get(number as usize).map(|frame: &FrameInfo| frame.class);
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
