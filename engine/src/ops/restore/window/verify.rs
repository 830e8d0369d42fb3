//! What was restored is read back and compared.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{FileJob, WindowRun, damaged, locked};
use crate::entry::{Content, Part};
use crate::error::Error;
use crate::object::{Class, ReadObject};
use crate::ops::content::ContentStream;
use crate::tree::parts;

impl WindowRun<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "it is one of the works of `on_threads`")]
    pub(super) fn verify_all(&self) -> Result<(), Error> {
        while let Some(job) = self.files.get(self.next_file.fetch_add(1, Ordering::Relaxed)) {
            if self.is_over() {
                break;
            }
            if job.failed.load(Ordering::Relaxed) {
                continue;
            }
            match self.is_equal(job) {
                Ok(true) => {
                    self.verified.fetch_add(1, Ordering::Relaxed);
                }
                Ok(false) => {
                    let message = "what was restored differs from the snapshot".into();
                    locked(&self.problems).push(damaged(job, message));
                }
                Err(message) => locked(&self.problems).push(damaged(job, message)),
            }
        }
        Ok(())
    }

    /// Reads a document back, and the stored one once more, and compares what a person reads.
    fn is_equal_for_people(&self, job: &FileJob) -> Result<bool, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("it cannot be verified: {error}");
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        let mut stored = Vec::new();
        let mut stream = ContentStream::new(reader, &job.entry).take(job.entry.size + 1);
        stream.read_to_end(&mut stored).map_err(|error| unreadable(&error))?;
        let wanted = job.pretty(&stored).unwrap_or(stored);
        let file = self.sink.open(&job.path).map_err(|error| unreadable(&error))?;
        let mut found = Vec::new();
        let limit = wanted.len() as u64 + 1;
        file.take(limit).read_to_end(&mut found).map_err(|error| unreadable(&error))?;
        Ok(found == wanted)
    }

    /// Reads a restored file back and compares the ids of its pieces.
    fn is_equal(&self, job: &FileJob) -> Result<bool, String> {
        if job.for_people {
            return self.is_equal_for_people(job);
        }
        let unreadable = |error: &dyn std::fmt::Display| format!("it cannot be verified: {error}");
        let mut file = self.sink.open(&job.path).map_err(|error| unreadable(&error))?;
        let mut buffer = Vec::new();
        let mut read = |length: u64| {
            buffer.clear();
            let done = (&mut file).take(length).read_to_end(&mut buffer);
            done.map(|_| std::mem::take(&mut buffer)).map_err(|error| unreadable(&error))
        };
        if let Content::Inline(bytes) = &job.entry.content
            && read(bytes.len() as u64)? != *bytes
        {
            return Ok(false);
        }
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        for part in parts(reader, &job.entry.content) {
            match part.map_err(|error| unreadable(&error))? {
                Part::Data { id, length } => {
                    if self.objects.identifier().id(Class::Data, &read(length)?) != id {
                        return Ok(false);
                    }
                }
                Part::Hole { mut length } => {
                    while length > 0 {
                        let zeros = read(length.min(1 << 20))?;
                        if zeros.is_empty() || zeros.iter().any(|&byte| byte != 0) {
                            return Ok(false);
                        }
                        length -= zeros.len() as u64;
                    }
                }
            }
        }
        Ok(read(1)?.is_empty())
    }
}
