//! The memory budget of a backup is real: the resident set of a process that only backs up stays below it.

use std::io;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::ops::backup::BackupOptions;
use esker_engine::problem::Problem;
use esker_engine::source::{
    Base, ChangeSink, CollectionEnd, Completeness, CompletenessState, ContentReader, Finished,
    Payload, Piece, ScanEnd, ScanMode, Source, SourceError, SourceInfo,
};
use esker_tests::{TempRepo, noise, small_options, words};

const MIB: u64 = 1024 * 1024;
const BUDGET: u64 = 96 * MIB;
/// What a process takes beside: code, runtime, allocator, the test harness.
const SLACK: u64 = 24 * MIB;
const CHILD: &str = "ESKER_TEST_MEMORY_CHILD";

const DOCUMENTS: u64 = 200_000;
const FILES: u64 = 12;
const FILE_BYTES: u64 = 50 * MIB;

/// Makes everything up as it is asked for, and holds none of it.
struct Generated;

/// Noise that is made anew for each block; the same few blocks would be deduplicated.
struct NoiseReader {
    seed: u64,
    left: u64,
}

impl ContentReader for NoiseReader {
    fn open(&mut self, _: &mut Entry) -> Result<(), Problem> {
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Piece> {
        let length = buffer.len().min(self.left as usize);
        if length == 0 {
            return Ok(Piece::End);
        }
        buffer[..length].copy_from_slice(&noise(self.seed << 40 | self.left, length));
        self.left -= length as u64;
        Ok(Piece::Data(length))
    }

    fn finish(&mut self, _: u64) -> Finished {
        Finished::default()
    }

    fn path(&self) -> String {
        format!("file {}", self.seed)
    }
}

#[async_trait::async_trait]
impl Source for Generated {
    fn describe(&self) -> SourceInfo {
        SourceInfo {
            kind: "generated".into(),
            identity: "memory".into(),
            name: "memory".into(),
            collections: vec!["issues".into(), "files".into()],
        }
    }

    async fn scan(
        &self,
        _: Option<&Base>,
        _: ScanMode,
        changes: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        for number in 0..FILES {
            let reader = Box::new(NoiseReader { seed: number + 1, left: FILE_BYTES });
            let payload = Payload::Reader { size: FILE_BYTES, reader };
            let key = Bytes::from(format!("file {number}"));
            changes.put(1, key, Entry::new(EntryKind::File), payload).await?;
        }
        for number in 0..DOCUMENTS {
            // Out of order: edits must be sorted, which takes memory or temporary files.
            let number = number * 7919 % DOCUMENTS;
            let key = Bytes::from(format!("issue {number:09}"));
            let payload = Payload::Bytes(words(number, 200));
            changes.put(0, key, Entry::new(EntryKind::Document), payload).await?;
        }
        let end = |name: &str, found| CollectionEnd {
            name: name.into(),
            cursor: None,
            completeness: Completeness {
                state: CompletenessState::Complete,
                expected: Some(found),
                found,
                detail: String::new(),
                parts: Vec::new(),
            },
        };
        Ok(ScanEnd {
            collections: vec![end("issues", DOCUMENTS), end("files", FILES)],
            ..ScanEnd::default()
        })
    }
}

/// A figure of this process in bytes.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Runs in a process of its own: backs up and says how much memory that took.
#[test]
fn memory_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let repo = TempRepo::folder();
    repo.create();
    let options = BackupOptions { memory: BUDGET, workers: 2, ..small_options() };
    let source: Arc<dyn Source> = Arc::new(Generated);
    let report = repo.backup_with(&source, &options).unwrap();
    assert_eq!(report.statistics.new, DOCUMENTS + FILES);
    assert!(report.statistics.bytes_added > FILES * FILE_BYTES);
    let peak = status("VmHWM:");
    assert!(
        peak < BUDGET + SLACK,
        "{} MiB were taken, {} MiB allowed and {} MiB of slack",
        peak / MIB,
        BUDGET / MIB,
        SLACK / MIB
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_backup_keeps_to_its_memory() {
    let this = std::env::current_exe().unwrap();
    let child = Command::new(this)
        .args(["--exact", "memory::memory_child", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}
