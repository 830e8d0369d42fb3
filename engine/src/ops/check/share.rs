//! How much of the data a check reads, and which packs these are.

use std::time::Duration;

use crate::id::PackId;
use crate::repo::Readings;

/// How much of the data is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Everything.
    All,
    /// A part of all bytes: so many times this part, one run after another, is everything.
    Part {
        /// How many of the parts.
        of: u64,
        /// How many parts there are; not 0.
        parts: u64,
    },
    /// So many bytes.
    Bytes(u64),
}

impl Share {
    /// The share of so many bytes, rounded up.
    fn bytes(self, total: u64) -> u64 {
        match self {
            Self::All => total,
            Self::Part { of, parts } => {
                let bytes = (u128::from(total) * u128::from(of)).div_ceil(u128::from(parts.max(1)));
                u64::try_from(bytes).unwrap_or(u64::MAX)
            }
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Chooses among packs, given with their lengths: those that wait longest to be read, until the share is reached, and at
    /// least one. In the order in which they should be read.
    pub(super) fn choose(
        self,
        packs: impl IntoIterator<Item = (PackId, u64)>,
        readings: &Readings,
        now: Duration,
    ) -> Vec<PackId> {
        let mut waiting: Vec<_> = packs
            .into_iter()
            .map(|(pack, length)| {
                let since = readings.of(&pack).map_or((now, false), |known| known.waits_since());
                (since, shuffled(&pack, now), pack, length)
            })
            .collect();
        waiting.sort_unstable();
        let total = waiting.iter().map(|(.., length)| length).sum();
        let mut missing = self.bytes(total);
        let mut chosen = Vec::new();
        for (.., pack, length) in waiting {
            if missing == 0 && self != Self::All && !chosen.is_empty() {
                break;
            }
            missing = missing.saturating_sub(length);
            chosen.push(pack);
        }
        chosen
    }
}

/// An order of packs that wait equally long, another one for every check: a client that remembers nothing does not read the
/// same ones for ever.
fn shuffled(pack: &PackId, now: Duration) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&now.as_millis().to_le_bytes());
    hasher.update(&pack.0);
    let mut order = [0; 8];
    hasher.finalize_xof().fill(&mut order);
    order
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn pack(number: u64) -> PackId {
        let mut id = [0; PackId::LEN];
        id[..8].copy_from_slice(blake3::hash(&number.to_le_bytes()).as_bytes()[..8].as_ref());
        PackId(id)
    }

    #[test]
    fn a_share_is_rounded_up() {
        let third = Share::Part { of: 1, parts: 3 };
        assert_eq!(third.bytes(0), 0);
        assert_eq!(third.bytes(9), 3);
        assert_eq!(third.bytes(10), 4);
        assert_eq!(Share::Part { of: 3, parts: 2 }.bytes(u64::MAX), u64::MAX);
        assert_eq!(Share::Bytes(7).bytes(1_000), 7);
        assert_eq!(Share::All.bytes(1_000), 1_000);
    }

    #[test]
    fn at_least_one_pack_is_read_and_no_more_than_needed() {
        let packs = || (0..10).map(|number| (pack(number), 100));
        let chosen = |share: Share| {
            share.choose(packs(), &Readings::default(), Duration::from_secs(1)).len()
        };
        assert_eq!(chosen(Share::Bytes(0)), 1);
        assert_eq!(chosen(Share::Bytes(100)), 1);
        assert_eq!(chosen(Share::Bytes(101)), 2);
        assert_eq!(chosen(Share::Part { of: 1, parts: 2 }), 5);
        assert_eq!(chosen(Share::All), 10);
        assert_eq!(Share::All.choose([], &Readings::default(), Duration::ZERO), []);
    }

    #[test]
    fn damaged_ones_come_first_then_those_that_wait_longest() {
        let at = Duration::from_secs;
        let mut readings = Readings::default();
        readings.meet(&(0..3).map(pack).collect(), at(1));
        readings.found_whole(pack(0), at(5));
        readings.found_whole(pack(1), at(9));
        readings.found_damaged(pack(2));
        let packs = (0..4).map(|number| (pack(number), 1));
        // Pack 3 is new.
        let order = Share::All.choose(packs, &readings, at(7));
        assert_eq!(order, [2, 0, 3, 1].map(pack));
    }

    proptest! {
        /// Whatever was read before and whatever is added meanwhile: so many shares are everything that was there.
        #[test]
        fn thirty_thirtieths_prove_everything_that_was_there(
            lengths in prop::collection::vec(1u64..1_000, 1..120),
            added in prop::collection::vec(prop::collection::vec(1u64..1_000, 0..8), 30),
            read_before in 0usize..120,
        ) {
            let mut packs: BTreeMap<PackId, u64> =
                lengths.iter().enumerate().map(|(n, length)| (pack(n as u64), *length)).collect();
            let at_first: HashSet<PackId> = packs.keys().copied().collect();
            let mut readings = Readings::default();
            readings.meet(&at_first, Duration::from_secs(1));
            for pack in at_first.iter().take(read_before) {
                readings.found_whole(*pack, Duration::from_secs(2));
            }
            let mut proven = HashSet::new();
            for (day, added) in (0u64..).zip(&added) {
                let now = Duration::from_secs(100 + day * 86_400);
                readings.meet(&packs.keys().copied().collect(), now);
                let thirtieth = Share::Part { of: 1, parts: 30 };
                let all = packs.iter().map(|(pack, length)| (*pack, *length));
                for pack in thirtieth.choose(all, &readings, now) {
                    readings.found_whole(pack, now);
                    proven.insert(pack);
                }
                for (number, length) in (0u64..).zip(added) {
                    packs.insert(pack(1_000 + day * 100 + number), *length);
                }
            }
            prop_assert!(at_first.is_subset(&proven));
        }
    }
}
