//! Cutting contents into chunks: FastCDC v2020 with a secret table (FORMAT.md §8).

use fastcdc::v2020::{Normalization, cut_gear, select_masks};

use crate::secret::Secret;

/// Where contents are cut. Part of a repository's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChunkParams {
    /// Smallest chunk in bytes, but for the last of a content.
    pub min: u32,
    /// Average chunk in bytes, a power of two.
    pub avg: u32,
    /// Largest chunk in bytes.
    pub max: u32,
    /// A content of at most this many bytes is one object.
    pub small: u32,
}

impl Default for ChunkParams {
    fn default() -> Self {
        Self { min: 4 * 1024, avg: 16 * 1024, max: 64 * 1024, small: 32 * 1024 }
    }
}

impl ChunkParams {
    /// False for parameters that the chunker cannot work with; `fastcdc` itself accepts them silently.
    pub fn is_valid(&self) -> bool {
        let even = self.min.is_multiple_of(2) && self.max.is_multiple_of(2);
        let ordered = 64 <= self.min && self.min < self.avg && self.avg < self.max;
        even && ordered
            && self.avg.is_power_of_two()
            && self.max <= 4 * 1024 * 1024
            && self.small <= self.max
    }
}

/// Finds the chunks of a content.
pub struct Chunker {
    params: ChunkParams,
    masks: (u64, u64),
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
}

impl Chunker {
    /// Makes the table from the domain's key. `params` must be valid.
    pub fn new(key: &Secret<[u8; 32]>, params: ChunkParams) -> Self {
        let mut bytes = [0; 256 * 8];
        blake3::Hasher::new_keyed(key.expose()).finalize_xof().fill(&mut bytes);
        let mut gear = Box::new([0; 256]);
        for (word, bytes) in gear.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        let gear_shifted = Box::new(gear.map(|word| word << 1));
        let masks = select_masks(params.avg as usize, Normalization::Level1);
        Self { params, masks, gear, gear_shifted }
    }

    /// The parameters.
    pub fn params(&self) -> ChunkParams {
        self.params
    }

    /// The length of the first chunk of `data`, which is what is left of a content, or its next part.
    ///
    /// `None` asks for more data: fewer than `max` bytes are here and more will come (`last` is false).
    pub fn cut(&self, data: &[u8], last: bool) -> Option<usize> {
        let max = self.params.max as usize;
        if !last && data.len() < max {
            return None;
        }
        let (small, large) = self.masks;
        let (_, length) = cut_gear(
            data,
            self.params.min as usize,
            self.params.avg as usize,
            max,
            small,
            large,
            small << 1,
            large << 1,
            &self.gear[..],
            &self.gear_shifted[..],
        );
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunker(key: u8) -> Chunker {
        Chunker::new(&Secret::new([key; 32]), ChunkParams::default())
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut bytes);
        bytes
    }

    fn lengths(chunker: &Chunker, mut data: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !data.is_empty() {
            let length = chunker.cut(data, true).unwrap();
            lengths.push(length);
            data = &data[length..];
        }
        lengths
    }

    /// The cut points are part of the format: a new version of the crate must not move them.
    #[test]
    fn the_cut_points_are_pinned() {
        let lengths = lengths(&chunker(7), &noise(200_000));
        assert_eq!(lengths.iter().sum::<usize>(), 200_000);
        let expected = [25039, 4312, 26473, 18259, 20525, 26892, 22355, 22106, 11070, 21221, 1748];
        assert_eq!(lengths, expected);
    }

    #[test]
    fn another_key_cuts_elsewhere() {
        let data = noise(300_000);
        assert_ne!(lengths(&chunker(1), &data), lengths(&chunker(2), &data));
    }

    #[test]
    fn cuts_do_not_depend_on_how_the_data_arrive() {
        let (chunker, data) = (chunker(3), noise(500_000));
        let whole = lengths(&chunker, &data);
        let (mut start, mut end, mut pieces) = (0, 0, Vec::new());
        while start < data.len() {
            match chunker.cut(&data[start..end], end == data.len()) {
                Some(length) => {
                    pieces.push(length);
                    start += length;
                }
                None => end = (end + 1013).min(data.len()),
            }
        }
        assert_eq!(pieces, whole);
    }

    #[test]
    fn an_insertion_moves_few_cuts() {
        let (chunker, data) = (chunker(4), noise(1_000_000));
        let mut changed = data.clone();
        changed.splice(500_000..500_000, [1, 2, 3]);
        let ends = |lengths: Vec<usize>| {
            lengths
                .iter()
                .scan(0, |at, length| {
                    Some({
                        *at += length;
                        *at
                    })
                })
                .collect::<Vec<_>>()
        };
        let before = ends(lengths(&chunker, &data));
        let after = ends(lengths(&chunker, &changed));
        let kept = |end: &&usize| before.contains(&if **end > 500_000 { **end - 3 } else { **end });
        assert!(after.len() - after.iter().filter(kept).count() <= 4);
    }

    #[test]
    fn odd_parameters_are_refused() {
        let good = ChunkParams::default();
        assert!(good.is_valid());
        for bad in [
            ChunkParams { min: 4097, ..good },
            ChunkParams { avg: 15_000, ..good },
            ChunkParams { max: 8 * 1024, ..good },
            ChunkParams { small: u32::MAX, ..good },
            ChunkParams { min: 0, ..good },
        ] {
            assert!(!bad.is_valid(), "{bad:?}");
        }
    }
}
