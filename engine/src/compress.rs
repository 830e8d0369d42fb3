//! Compression: one zstd frame at a time, with contexts that are kept.

use std::io::{self, Cursor};

use zstd::bulk;

/// The zstd level that is written: the best saving for the time among those faster than a network.
pub const LEVEL: i32 = 3;

/// A frame that saves less than one part in this many is stored as it is, so that reading it costs nothing.
const LEAST_SAVING: usize = 32;

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The library refused: there is no memory.
    #[error("zstd cannot compress")]
    Failed {
        /// Why.
        source: io::Error,
    },
    /// The bytes are not exactly one compressed frame, or hold more than they should.
    #[error("the compressed bytes are damaged ({reason})")]
    Damaged {
        /// What the library says.
        reason: String,
    },
    /// The frame holds less than it should.
    #[error("the compressed bytes hold {found} bytes instead of {expected}")]
    Length {
        /// The length that was announced.
        expected: usize,
        /// The length that came out.
        found: usize,
    },
}

/// Whether compression is worth its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// The compressed bytes were appended.
    Pays,
    /// Hardly a byte would be saved; nothing was appended.
    DoesNotPay,
}

/// Compresses; keep one for each thread.
pub struct Compressor(bulk::Compressor<'static>);

impl Compressor {
    /// Makes the context, which costs more than compressing a small frame.
    pub fn new() -> Result<Self, CompressError> {
        bulk::Compressor::new(LEVEL).map(Self).map_err(|source| CompressError::Failed { source })
    }

    /// Appends one zstd frame of `plain` to `out`, if that saves at least about 3 %.
    pub fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<Saving, CompressError> {
        let start = out.len();
        out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        let mut target = Cursor::new(&mut *out);
        target.set_position(start as u64);
        let length = self
            .0
            .compress_to_buffer(plain, &mut target)
            .map_err(|source| CompressError::Failed { source })?;
        if length + plain.len() / LEAST_SAVING < plain.len() {
            return Ok(Saving::Pays);
        }
        out.truncate(start);
        Ok(Saving::DoesNotPay)
    }
}

/// Decompresses; keep one for each thread.
pub struct Decompressor(bulk::Decompressor<'static>);

impl Decompressor {
    /// Makes the context.
    pub fn new() -> Result<Self, CompressError> {
        bulk::Decompressor::new().map(Self).map_err(|source| CompressError::Failed { source })
    }

    /// Replaces `out` by the `raw_len` bytes of exactly one zstd frame.
    ///
    /// Takes memory for `raw_len` bytes and never for more, whatever the frame says: the caller checks that number.
    ///
    /// # Errors
    /// `Damaged` or `Length`; the content of `out` is then undefined.
    pub fn decompress(
        &mut self,
        compressed: &[u8],
        raw_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        let damaged = |reason: String| CompressError::Damaged { reason };
        let frame = zstd::zstd_safe::find_frame_compressed_size(compressed)
            .map_err(|code| damaged(zstd::zstd_safe::get_error_name(code).to_owned()))?;
        if frame != compressed.len() {
            let reason = format!("{} bytes too many", compressed.len() - frame);
            return Err(damaged(reason));
        }
        out.clear();
        out.reserve_exact(raw_len);
        let found = self
            .0
            .decompress_to_buffer(compressed, out)
            .map_err(|error| damaged(error.to_string()))?;
        if found != raw_len {
            return Err(CompressError::Length { expected: raw_len, found });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Compressor, Decompressor) {
        (Compressor::new().unwrap(), Decompressor::new().unwrap())
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn what_pays_round_trips(unit in proptest::collection::vec(any::<u8>(), 1..50), times in 0usize..200) {
            let (mut compressor, mut decompressor) = pair();
            let plain = unit.repeat(times);
            let mut out = b"head".to_vec();
            match compressor.compress(&plain, &mut out).unwrap() {
                Saving::Pays => {
                    prop_assert_eq!(&out[..4], b"head");
                    prop_assert!(out.len() - 4 < plain.len());
                    let mut back = vec![9; 7];
                    decompressor.decompress(&out[4..], plain.len(), &mut back).unwrap();
                    prop_assert_eq!(back, plain);
                }
                Saving::DoesNotPay => prop_assert_eq!(out, b"head"),
            }
        }

        #[test]
        fn any_bytes_are_refused_or_have_the_length(bytes: Vec<u8>, length in 0usize..1000) {
            let mut out = Vec::new();
            if pair().1.decompress(&bytes, length, &mut out).is_ok() {
                prop_assert_eq!(out.len(), length);
            }
        }
    }

    #[test]
    fn noise_does_not_pay_and_text_does() {
        let (mut compressor, _) = pair();
        for (plain, expected) in [
            (noise(100_000), Saving::DoesNotPay),
            (vec![7; 100_000], Saving::Pays),
            (Vec::new(), Saving::DoesNotPay),
            (b"abc".to_vec(), Saving::DoesNotPay),
        ] {
            let mut out = Vec::new();
            let saving = compressor.compress(&plain, &mut out).unwrap();
            assert_eq!(saving, expected, "{} bytes", plain.len());
            assert_eq!(out.is_empty(), expected == Saving::DoesNotPay);
        }
    }

    #[test]
    fn a_frame_of_another_length_is_refused() {
        let (mut compressor, mut decompressor) = pair();
        let mut frame = Vec::new();
        compressor.compress(&vec![0; 50 * 1024 * 1024], &mut frame).unwrap();
        let mut out = Vec::new();
        for length in [0, 1, 1024, 50 * 1024 * 1024 - 1] {
            assert!(decompressor.decompress(&frame, length, &mut out).is_err());
            assert!(out.capacity() <= length.max(8));
            out = Vec::new();
        }
        let longer = 50 * 1024 * 1024 + 1;
        let error = decompressor.decompress(&frame, longer, &mut out);
        assert!(matches!(error, Err(CompressError::Length { .. })));
        frame.push(0);
        assert!(decompressor.decompress(&frame, longer - 1, &mut out).is_err());
        assert!(decompressor.decompress(&[], 0, &mut out).is_err());
    }
}
