//! What a client has read of a repository and found whole: which pack, and when.
//!
//! One file in the client's folder, a line a pack, replaced as a whole. It may be deleted at any time: then nothing counts as
//! proven, and the next checks read everything again.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use crate::id::{PackId, RepositoryId};

/// A file above this is not read: it would be of millions of packs.
pub(super) const MAX_FILE_BYTES: u64 = /* 256 MiB */ 256 * 1024 * 1024;
/// How the file begins; the repository's id follows.
const HEAD: &str = "esker readings 1 ";

/// What is known of one pack. Times are those since 1970, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// When it was first seen in the store.
    pub met: Duration,
    /// When it was last read and found whole; `None` if never, or if it was found damaged since.
    pub whole: Option<Duration>,
}

impl Reading {
    /// Since when it waits to be read. Of those that wait equally long the ones that were never proven come first.
    ///
    /// A new pack waits since it was met: so a store that grows every day does not keep what is old from its turn.
    pub fn waits_since(&self) -> (Duration, bool) {
        (self.whole.unwrap_or(self.met), self.whole.is_some())
    }
}

/// What is known of all packs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readings {
    packs: BTreeMap<PackId, Reading>,
}

impl Readings {
    /// Takes note of the packs that are there now; those that are gone are forgotten.
    pub fn meet(&mut self, listed: &HashSet<PackId>, now: Duration) {
        self.packs.retain(|pack, _| listed.contains(pack));
        for pack in listed {
            self.packs.entry(*pack).or_insert(Reading { met: now, whole: None });
        }
    }

    /// Takes note that a pack was read and is whole.
    pub fn found_whole(&mut self, pack: PackId, now: Duration) {
        let known = self.packs.entry(pack).or_insert(Reading { met: now, whole: None });
        known.whole = known.whole.max(Some(now));
    }

    /// Takes note that a pack was found damaged: it is the first to be read next time.
    pub fn found_damaged(&mut self, pack: PackId) {
        self.packs.insert(pack, Reading { met: Duration::ZERO, whole: None });
    }

    /// What is known of a pack.
    pub fn of(&self, pack: &PackId) -> Option<Reading> {
        self.packs.get(pack).copied()
    }

    pub(super) fn encode(&self, repository: RepositoryId) -> Vec<u8> {
        let mut text = format!("{HEAD}{repository}\n");
        for (pack, Reading { met, whole }) in &self.packs {
            let whole = whole.map_or("-".into(), |whole| whole.as_millis().to_string());
            // Writing to a text does not fail.
            let _ = writeln!(text, "{pack} {} {whole}", met.as_millis());
        }
        text.into_bytes()
    }

    /// Reads the file; `None` where it is of another repository or not what was written.
    pub(super) fn decode(bytes: &[u8], repository: RepositoryId) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let of: RepositoryId = lines.next()?.strip_prefix(HEAD)?.parse().ok()?;
        let time = |text: &str| text.parse().ok().map(Duration::from_millis);
        let pack = |line: &str| {
            let mut words = line.split(' ');
            let pack: PackId = words.next()?.parse().ok()?;
            let met = time(words.next()?)?;
            let whole = match words.next()? {
                "-" => None,
                text => Some(time(text)?),
            };
            words.next().is_none().then_some((pack, Reading { met, whole }))
        };
        let packs = lines.map(pack).collect::<Option<_>>()?;
        (of == repository).then_some(Self { packs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: RepositoryId = RepositoryId([1; RepositoryId::LEN]);

    fn pack(number: u8) -> PackId {
        PackId([number; PackId::LEN])
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut readings = Readings::default();
        readings.meet(&HashSet::from([pack(1), pack(2), pack(3)]), at(7));
        readings.found_whole(pack(2), at(1_795_392_000_123));
        readings.found_damaged(pack(3));
        let bytes = readings.encode(HERE);
        assert_eq!(Readings::decode(&bytes, HERE), Some(readings));
        assert_eq!(Readings::decode(&bytes, RepositoryId([2; RepositoryId::LEN])), None);
    }

    #[test]
    fn what_is_not_as_it_was_written_says_nothing() {
        let honest = Readings::default().encode(HERE);
        for wrong in
            ["00 1 -", "x", "", " ", &format!("{} 1", pack(1)), &format!("{} 1 - 2", pack(1))]
        {
            let text = [&honest[..], wrong.as_bytes(), b"\n"].concat();
            assert_eq!(Readings::decode(&text, HERE), None, "{wrong}");
        }
        assert_eq!(Readings::decode(b"", HERE), None);
        assert_eq!(Readings::decode(&[0xff; 9], HERE), None);
    }

    #[test]
    fn packs_that_are_gone_are_forgotten_and_damaged_ones_come_first() {
        let mut readings = Readings::default();
        readings.meet(&HashSet::from([pack(1), pack(2)]), at(10));
        readings.found_whole(pack(1), at(20));
        readings.meet(&HashSet::from([pack(1), pack(3)]), at(20));
        assert_eq!(readings.of(&pack(2)), None);
        let waits = |number| readings.of(&pack(number)).unwrap().waits_since();
        assert!(waits(3) < waits(1), "of equals the one that was never proven comes first");
        readings.found_damaged(pack(1));
        assert_eq!(readings.of(&pack(1)).unwrap().waits_since(), (Duration::ZERO, false));
    }
}
