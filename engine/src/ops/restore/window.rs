//! The contents of many files at once: sorted by where they are stored, fetched once, written by several threads.

mod verify;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::folder::settle;
use super::{RestoreOptions, RestoreReport};
use crate::context::RunContext;
use crate::entry::{Content, Entry, Part};
use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::ObjectId;
use crate::index::Place;
use crate::monitor::Counter;
use crate::object::{Class, ReadObject};
use crate::ops::document;
use crate::pack::Frame;
use crate::problem::{Problem, ProblemKind};
use crate::repo::Objects;
use crate::sink::{DirectorySink, EntryPath, FileTarget, SinkError};
use crate::tree::parts;

/// A window ends with so many pieces of contents: about 12 MiB of planning.
const PIECES: usize = 128 * 1024;
/// A window ends with so many files.
const FILES: usize = 16 * 1024;
/// A window ends when the documents that are put together in memory come to this.
const ASSEMBLED_BYTES: u64 = /* 16 MiB */ 16 * 1024 * 1024;
/// So many objects are looked up at a time.
const LOOKED_UP: usize = 256;
/// Neighbouring frames are fetched together up to this many bytes.
const FETCH_BYTES: u64 = /* 4 MiB */ 4 * 1024 * 1024;
/// Frames further apart than this are not fetched together.
const GAP_BYTES: u64 = /* 64 KiB */ 64 * 1024;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file under way.
struct FileJob {
    path: EntryPath,
    entry: Entry,
    target: Mutex<Option<Arc<FileTarget>>>,
    /// True for a document that is made readable.
    for_people: bool,
    /// Such a document of several pieces, as far as they were read.
    assembled: Mutex<Option<Vec<u8>>>,
    /// Pieces that are not written yet.
    remaining: AtomicU32,
    failed: AtomicBool,
    write: bool,
}

/// A piece of a file and where it is stored.
struct Piece {
    place: Place,
    id: ObjectId,
    file: u32,
    offset: u64,
    length: u64,
}

/// A piece of a file of which it was not looked up yet where it is stored.
struct Unplaced {
    id: ObjectId,
    file: u32,
    offset: u64,
    length: u64,
}

/// Pieces whose frames are fetched together.
struct Fetch {
    pieces: std::ops::Range<usize>,
    range: std::ops::Range<u64>,
}

pub(super) struct Window<'a> {
    objects: &'a Arc<Objects>,
    sink: &'a DirectorySink,
    options: &'a RestoreOptions,
    ctx: &'a RunContext,
    files: Vec<FileJob>,
    unplaced: Vec<Unplaced>,
    pieces: Vec<Piece>,
    /// Bytes of documents that are to be put together in memory.
    assembled_bytes: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(
        objects: &'a Arc<Objects>,
        sink: &'a DirectorySink,
        options: &'a RestoreOptions,
        ctx: &'a RunContext,
    ) -> Self {
        let (files, unplaced, pieces) = (Vec::new(), Vec::new(), Vec::new());
        Self { objects, sink, options, ctx, files, unplaced, pieces, assembled_bytes: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.unplaced.len() >= PIECES
            || self.files.len() >= FILES
            || self.assembled_bytes >= ASSEMBLED_BYTES
    }

    /// Takes a file that is there already, to compare it.
    pub(super) fn verify_only(&mut self, path: EntryPath, entry: Entry) {
        self.files.push(job(path, entry, 0, false, false));
    }

    /// Takes a file.
    pub(super) fn add(&mut self, path: EntryPath, entry: Entry, report: &mut RestoreReport) {
        let file = self.files.len() as u32;
        let (mut offset, mut count, mut missing) = (0u64, 0u32, None);
        let reader: Arc<dyn ReadObject> = self.objects.clone();
        for part in parts(reader, &entry.content) {
            let part = match part {
                Ok(part) => part,
                Err(error) => {
                    missing = Some(format!("the list of its content cannot be read: {error}"));
                    break;
                }
            };
            if let Part::Data { id, length } = part {
                self.unplaced.push(Unplaced { id, file, offset, length });
                count += 1;
            }
            offset = offset.saturating_add(part.length());
        }
        let has_parts = matches!(entry.content, Content::Parts(_) | Content::List { .. });
        if missing.is_none() && has_parts && offset != entry.size {
            missing = Some("its content has another length than its entry says".into());
        }
        let for_people = self.options.is_for_people(&entry);
        if for_people && count > 1 {
            self.assembled_bytes += entry.size;
        }
        let job = job(path, entry, count, true, for_people);
        if let Some(message) = missing {
            job.failed.store(true, Ordering::Relaxed);
            report.note(self.ctx, damaged(&job, message));
        }
        self.files.push(job);
    }

    /// Finds out where the pieces are stored, those with neighbouring ids together.
    fn place(&mut self, report: &mut RestoreReport) -> Result<(), Error> {
        self.unplaced.sort_unstable_by_key(|piece| piece.id);
        for pieces in self.unplaced.chunks(LOOKED_UP) {
            let ids: Vec<_> = pieces.iter().map(|piece| piece.id).collect();
            self.objects.prepare(&ids);
            for &Unplaced { id, file, offset, length } in pieces {
                if let Some(place) = self.objects.places(&id)?.into_iter().next() {
                    self.pieces.push(Piece { place, id, file, offset, length });
                    continue;
                }
                let job = &self.files[file as usize];
                job.remaining.fetch_sub(1, Ordering::Relaxed);
                if !job.failed.swap(true, Ordering::Relaxed) {
                    let message = format!("object {id} of its content is lost");
                    report.note(self.ctx, damaged(job, message));
                }
            }
        }
        self.unplaced.clear();
        Ok(())
    }

    /// Restores what was added.
    pub(super) fn run(&mut self, report: &mut RestoreReport) -> Result<(), Error> {
        if self.files.is_empty() {
            return Ok(());
        }
        self.place(report)?;
        self.pieces.sort_unstable_by_key(|piece| {
            (piece.place.pack.id, piece.place.frame, piece.place.place, piece.file, piece.offset)
        });
        let run = WindowRun {
            objects: self.objects,
            sink: self.sink,
            ctx: self.ctx,
            files: &self.files,
            pieces: &self.pieces,
            fetches: fetches(&self.pieces),
            next_fetch: AtomicUsize::new(0),
            next_file: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            problems: Mutex::default(),
            failure: Mutex::default(),
        };
        let threads = match self.options.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        };
        run.on_threads(threads, &|| run.whole_files());
        let threads = threads.max(self.objects.store().requests_at_a_time());
        run.on_threads(threads.min(run.fetches.len().max(1)), &|| run.fetch_all());
        if self.options.verify {
            run.next_file.store(0, Ordering::Relaxed);
            run.on_threads(threads, &|| run.verify_all());
        }
        report.bytes += run.bytes.load(Ordering::Relaxed);
        report.verified += run.verified.load(Ordering::Relaxed);
        for problem in std::mem::take(&mut *locked(&run.problems)) {
            report.note(self.ctx, problem);
        }
        let failure = locked(&run.failure).take();
        self.files.clear();
        self.pieces.clear();
        self.assembled_bytes = 0;
        match failure {
            Some(error) => Err(error),
            None if self.ctx.cancel.is_cancelled() => Err(Error::Cancelled),
            None => Ok(()),
        }
    }
}

fn job(path: EntryPath, entry: Entry, pieces: u32, write: bool, for_people: bool) -> FileJob {
    FileJob {
        path,
        entry,
        target: Mutex::default(),
        for_people,
        assembled: Mutex::default(),
        remaining: AtomicU32::new(pieces),
        failed: AtomicBool::new(false),
        write,
    }
}

impl FileJob {
    /// A document as people read it; `None` for what is written as it is stored.
    fn pretty(&self, document: &[u8]) -> Option<Vec<u8>> {
        if self.for_people { document::pretty(document) } else { None }
    }

    /// Puts a piece of a document in its place.
    fn assemble(&self, offset: u64, object: &[u8]) -> Result<(), SinkError> {
        let mut assembled = locked(&self.assembled);
        let size = self.entry.size;
        let document = assembled.get_or_insert_with(|| vec![0; size as usize]);
        let place = document.get_mut(offset as usize..).and_then(|it| it.get_mut(..object.len()));
        let place = place.ok_or_else(|| SinkError::Size { path: self.path.clone(), size })?;
        place.copy_from_slice(object);
        Ok(())
    }
}

fn damaged(job: &FileJob, message: String) -> Problem {
    let path = job.path.to_string();
    Problem { path, kind: ProblemKind::Unreadable, message, stale: false }
}

/// Joins neighbouring frames of a pack into requests.
fn fetches(pieces: &[Piece]) -> Vec<Fetch> {
    let mut fetches: Vec<Fetch> = Vec::new();
    let mut last_pack = None;
    for (number, piece) in pieces.iter().enumerate() {
        let pack = &piece.place.pack;
        // A frame that the pack does not have is found out, and told, when the piece is opened.
        let range = pack.frame_range(piece.place.frame).unwrap_or(0..0);
        match fetches.last_mut() {
            Some(fetch)
                if last_pack == Some(pack.id)
                    && range.start <= fetch.range.end + GAP_BYTES
                    && range.end.max(fetch.range.end) - fetch.range.start <= FETCH_BYTES
                    && range.start >= fetch.range.start =>
            {
                fetch.range.end = fetch.range.end.max(range.end);
                fetch.pieces.end = number + 1;
            }
            _ => fetches.push(Fetch { pieces: number..number + 1, range }),
        }
        last_pack = Some(pack.id);
    }
    fetches
}

struct WindowRun<'a> {
    objects: &'a Arc<Objects>,
    sink: &'a DirectorySink,
    ctx: &'a RunContext,
    files: &'a [FileJob],
    pieces: &'a [Piece],
    fetches: Vec<Fetch>,
    next_fetch: AtomicUsize,
    next_file: AtomicUsize,
    bytes: AtomicU64,
    verified: AtomicU64,
    problems: Mutex<Vec<Problem>>,
    failure: Mutex<Option<Error>>,
}

impl WindowRun<'_> {
    fn on_threads(&self, threads: usize, work: &(dyn Fn() -> Result<(), Error> + Sync)) {
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    if let Err(error) = work() {
                        locked(&self.failure).get_or_insert(error);
                    }
                });
            }
        });
    }

    fn is_over(&self) -> bool {
        self.ctx.cancel.is_cancelled() || locked(&self.failure).is_some()
    }

    /// An error of one file is its problem, and no more of it is written.
    fn settle(&self, job: &FileJob, done: Result<(), SinkError>) -> Result<bool, Error> {
        let mut report = RestoreReport::default();
        let quiet = RunContext { cancel: self.ctx.cancel.clone(), ..RunContext::default() };
        let is_done = settle(done, &mut report, &quiet)?;
        if !is_done {
            job.failed.store(true, Ordering::Relaxed);
            locked(&self.problems).append(&mut report.problems);
        }
        Ok(is_done)
    }

    /// Files without stored pieces: empty, inline, or nothing but a hole.
    fn whole_files(&self) -> Result<(), Error> {
        while let Some(job) = self.files.get(self.next_file.fetch_add(1, Ordering::Relaxed)) {
            if self.is_over() {
                break;
            }
            if !job.write || job.remaining.load(Ordering::Relaxed) > 0 {
                continue;
            }
            let written = match &job.entry.content {
                Content::Inline(bytes) => self.write_whole(job, bytes),
                Content::None if job.entry.size == 0 => self.write_whole(job, &[]),
                _ => self.sink.file(&job.path, &job.entry).and_then(|target| {
                    if job.failed.load(Ordering::Relaxed) {
                        Ok(())
                    } else {
                        target.finish(&job.entry)
                    }
                }),
            };
            self.settle(job, written)?;
        }
        Ok(())
    }

    fn write_whole(&self, job: &FileJob, bytes: &[u8]) -> Result<(), SinkError> {
        if let Some(text) = job.pretty(bytes) {
            let entry = Entry { size: text.len() as u64, ..job.entry.clone() };
            self.sink.small_file(&job.path, &entry, &text)?;
            self.wrote(text.len());
            return Ok(());
        }
        self.sink.small_file(&job.path, &job.entry, bytes)?;
        self.wrote(bytes.len());
        Ok(())
    }

    fn wrote(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.ctx.monitor.count(Counter::BytesRestored, bytes as u64);
    }

    fn fetch_all(&self) -> Result<(), Error> {
        while let Some(fetch) = self.fetches.get(self.next_fetch.fetch_add(1, Ordering::Relaxed)) {
            if self.is_over() {
                break;
            }
            let pieces = &self.pieces[fetch.pieces.clone()];
            let pack = &pieces[0].place.pack;
            let name = ObjectName::Pack { id: pack.id, kind: pack.kind }.to_string();
            // What cannot be fetched together is tried piece by piece, elsewhere too.
            let sealed = self.objects.store().read_range(&name, fetch.range.clone()).ok();
            for of_frame in pieces.chunk_by(|a, b| a.place.frame == b.place.frame) {
                let frame = sealed.as_ref().and_then(|it| self.open(of_frame, it, fetch));
                for piece in of_frame {
                    self.write(piece, frame.as_ref())?;
                }
            }
        }
        Ok(())
    }

    fn open(&self, pieces: &[Piece], sealed: &Bytes, fetch: &Fetch) -> Option<Frame> {
        let Place { pack, frame, .. } = &pieces[0].place;
        let range = pack.frame_range(*frame)?;
        let start = (range.start - fetch.range.start) as usize;
        let bytes = sealed.get(start..start + (range.end - range.start) as usize)?;
        self.objects.open_frame(pack, *frame, bytes).ok()
    }

    fn write(&self, piece: &Piece, frame: Option<&Frame>) -> Result<(), Error> {
        let job = &self.files[piece.file as usize];
        let found = frame.and_then(|frame| {
            self.objects.verified(frame, piece.place.place, Class::Data, &piece.id)
        });
        let object = match found {
            Some(object) => Ok(object),
            None => self.objects.read(Class::Data, &piece.id),
        };
        match object {
            Ok(object) if object.len() as u64 == piece.length => {
                let written = self.write_object(job, piece, &object);
                self.settle(job, written)?;
            }
            Ok(_) => self.lost(job, "an object of another length than listed".into()),
            Err(error) => {
                let mut message = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(next) = cause {
                    message = format!("{message}: {next}");
                    cause = next.source();
                }
                self.lost(job, message);
            }
        }
        if job.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.complete(job)?;
        }
        Ok(())
    }

    /// Part of a file is lost; told once a file. The rest of it is restored.
    fn lost(&self, job: &FileJob, message: String) {
        if !job.failed.swap(true, Ordering::Relaxed) {
            let message = format!("its content is incomplete: {message}");
            locked(&self.problems).push(damaged(job, message));
        }
    }

    fn write_object(&self, job: &FileJob, piece: &Piece, object: &[u8]) -> Result<(), SinkError> {
        let is_whole = piece.length == job.entry.size;
        if is_whole {
            return self.write_whole(job, object);
        }
        if job.for_people {
            return job.assemble(piece.offset, object);
        }
        let target = {
            let mut target = locked(&job.target);
            match &*target {
                Some(target) => Arc::clone(target),
                None => Arc::clone(target.insert(Arc::new(self.sink.file(&job.path, &job.entry)?))),
            }
        };
        target.write_at(piece.offset, object)?;
        self.wrote(object.len());
        Ok(())
    }

    /// All pieces were handled: metadata, or the time of now on a file that is incomplete.
    fn complete(&self, job: &FileJob) -> Result<(), Error> {
        if let Some(document) = locked(&job.assembled).take() {
            let written = if job.failed.load(Ordering::Relaxed) {
                let target = self.sink.file(&job.path, &job.entry);
                target.and_then(|target| target.write_at(0, &document))
            } else {
                self.write_whole(job, &document)
            };
            self.settle(job, written)?;
        }
        let target = locked(&job.target).take();
        if let Some(target) = target.filter(|_| !job.failed.load(Ordering::Relaxed)) {
            self.settle(job, target.finish(&job.entry))?;
        }
        Ok(())
    }
}
