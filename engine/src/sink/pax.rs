//! Extended headers of tar archives (POSIX 1003.1-2001, `pax`): what the plain header has no room for.

use crate::entry::Timestamp;

/// Records of the next entry. Values may hold any bytes: each record tells its length.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
}

impl Records {
    /// Adds a record: `LENGTH KEY=VALUE\n`, where the length counts itself.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + decimal_digits(length) {
            length = rest + decimal_digits(length);
        }
        self.bytes.extend_from_slice(length.to_string().as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(key);
        self.bytes.push(b'=');
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'\n');
    }

    /// The records one after another; empty where none is needed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A time as a decimal fraction of seconds: half a second before 1970 is `-0.5`.
pub(super) fn decimal(time: Timestamp) -> String {
    let nanoseconds = time.nanoseconds.min(999_999_999);
    let (sign, seconds, nanoseconds) = match (time.seconds < 0, nanoseconds) {
        (true, 0) => ("-", time.seconds.unsigned_abs(), 0),
        (true, _) => ("-", (time.seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
        (false, _) => ("", time.seconds.unsigned_abs(), nanoseconds),
    };
    if nanoseconds == 0 {
        format!("{sign}{seconds}")
    } else {
        format!("{sign}{seconds}.{nanoseconds:09}")
    }
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for (value, expected) in [
            ("", "5 k=\n"),
            ("xxxx", "9 k=xxxx\n"),
            ("xxxxx", "11 k=xxxxx\n"),
            ("xxxxxx", "12 k=xxxxxx\n"),
        ] {
            let mut records = Records::default();
            records.add(b"k", value.as_bytes());
            assert_eq!(records.as_bytes(), expected.as_bytes());
        }
        for value in (90..110).chain(990..1010) {
            let mut records = Records::default();
            records.add(b"key", &vec![b'x'; value]);
            let text = std::str::from_utf8(records.as_bytes()).unwrap();
            let told: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(told, text.len());
        }
    }

    #[test]
    fn times_are_decimal_fractions() {
        for (seconds, nanoseconds, expected) in [
            (0, 0, "0"),
            (1, 5, "1.000000005"),
            (-1, 500_000_000, "-0.500000000"),
            (-1, 0, "-1"),
            (-2, 1, "-1.999999999"),
            (i64::MIN, 1, "-9223372036854775807.999999999"),
            (i64::MIN, 0, "-9223372036854775808"),
            (i64::MAX, 0, "9223372036854775807"),
        ] {
            let time = Timestamp { seconds, nanoseconds };
            assert_eq!(decimal(time), expected);
        }
    }
}
