//! The alphabet of the format: little-endian integers, varints, counted bytes.

/// Stored bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct Corrupt {
    /// What was expected or found, in words.
    pub what: String,
    /// Where in the structure.
    pub offset: usize,
}

impl Corrupt {
    /// Damage that has no better place than the beginning.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), offset: 0 }
    }
}

/// Reads a structure from its beginning; refuses what is too short, too long or not in its shortest form.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Damage at the present place.
    pub fn corrupt(&self, what: impl Into<String>) -> Corrupt {
        Corrupt { what: what.into(), offset: self.offset() }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Corrupt> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.corrupt(format!("ends where {length} bytes should follow")))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, Corrupt> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// An unsigned LEB128 number in its shortest form.
    pub fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.corrupt("a number of more than 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.corrupt("a number that is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.corrupt("a number of more than 10 bytes"))
    }

    /// A number of things, refused above `limit`.
    pub fn count(&mut self, what: &str, limit: u64) -> Result<usize, Corrupt> {
        let count = self.varint()?;
        if count > limit {
            return Err(self.corrupt(format!("{count} {what}, more than the limit of {limit}")));
        }
        Ok(count as usize)
    }

    /// Counted bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.count("bytes", self.rest.len() as u64)?;
        self.take(length)
    }

    /// Nothing may follow.
    pub fn end(self) -> Result<(), Corrupt> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.corrupt(format!("{} bytes too many", self.rest.len())))
    }
}

/// Writes a structure.
#[derive(Debug, Default, Clone)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// An unsigned LEB128 number.
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// Counted bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64).raw(bytes)
    }
}

/// How many bytes a varint takes.
pub fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, small in 0u64..300, bytes: Vec<u8>) {
            let mut writer = Writer::new();
            writer.varint(number).varint(small).bytes(&bytes).u32(number as u32).u64(number).u8(7);
            prop_assert_eq!(varint_len(number), Writer::new().varint(number).0.len());
            let mut reader = Reader::new(&writer.0);
            prop_assert_eq!(reader.varint().unwrap(), number);
            prop_assert_eq!(reader.varint().unwrap(), small);
            prop_assert_eq!(reader.bytes().unwrap(), &bytes[..]);
            prop_assert_eq!(reader.u32().unwrap(), number as u32);
            prop_assert_eq!(reader.u64().unwrap(), number);
            prop_assert_eq!(reader.u8().unwrap(), 7);
            reader.end().unwrap();
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.remaining() > 0 {
                if reader.varint().is_err() || reader.bytes().is_err() { break; }
            }
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        for bytes in [&[0x80u8, 0][..], &[0x80], &[0xff; 10], &[0xff; 11], &[]] {
            assert!(Reader::new(bytes).varint().is_err(), "{bytes:?}");
        }
        assert!(Reader::new(&[5, 1, 2]).bytes().is_err());
        assert!(Reader::new(&[1]).end().is_err());
    }
}
