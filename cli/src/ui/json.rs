//! Results for programs: one document, or one object a line.

use std::io::Write;

use serde::Serialize;

use crate::error::CommandError;

fn failed(error: &serde_json::Error) -> CommandError {
    match error.io_error_kind() {
        Some(kind) => CommandError::output(&kind.into()),
        None => CommandError::failed("cannot write the result as JSON").caused_by(error),
    }
}

/// Writes one document on one line.
pub(crate) fn document<T: Serialize + ?Sized>(
    out: &mut dyn Write,
    value: &T,
) -> Result<(), CommandError> {
    serde_json::to_writer(&mut *out, value).map_err(|error| failed(&error))?;
    out.write_all(b"\n").map_err(|error| CommandError::output(&error))
}

/// An array whose elements are written one by one, a line each, so that it may be of any length.
pub(crate) struct Array<'a> {
    out: &'a mut dyn Write,
    is_empty: bool,
}

impl<'a> Array<'a> {
    /// Begins it.
    pub(crate) fn begin(out: &'a mut dyn Write) -> Self {
        Self { out, is_empty: true }
    }

    /// Adds an element.
    pub(crate) fn push<T: Serialize>(&mut self, value: &T) -> Result<(), CommandError> {
        let before: &[u8] = if self.is_empty { b"[\n" } else { b",\n" };
        self.is_empty = false;
        let written = self.out.write_all(before);
        written.map_err(|error| CommandError::output(&error))?;
        serde_json::to_writer(&mut *self.out, value).map_err(|error| failed(&error))
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<(), CommandError> {
        let last: &[u8] = if self.is_empty { b"[]\n" } else { b"\n]\n" };
        let written = self.out.write_all(last);
        written.map_err(|error| CommandError::output(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_any_length_are_json() {
        for length in 0..3 {
            let mut bytes = Vec::new();
            let mut array = Array::begin(&mut bytes);
            for number in 0..length {
                array.push(&number).unwrap();
            }
            array.end().unwrap();
            let read: Vec<u32> = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(read, (0..length).collect::<Vec<_>>());
        }
    }
}
