//! The threads in the middle: they take batches of changes and frames of each other, and store what is new.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::Notify;

use super::edits::EditBuffer;
use super::ingest::{Ingest, IngestFigures, KeyProblem};
use crate::chunk::Chunker;
use crate::context::RunContext;
use crate::error::Error;
use crate::pack::RawFrame;
use crate::repo::{FrameFiller, ObjectWriter, RepoError};
use crate::source::{ChangeReceiver, Work};

/// How long a worker waits before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(20);

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one worker owns between two batches; a checkpoint flushes it.
struct Bench {
    filler: FrameFiller,
    buffer: Vec<u8>,
}

/// What the workers of a backup share.
pub(in crate::ops) struct Workers {
    pub(in crate::ops) writer: Arc<ObjectWriter>,
    pub(in crate::ops) figures: IngestFigures,
    pub(in crate::ops) edits: Mutex<EditBuffer>,
    pub(in crate::ops) problems: Mutex<Vec<KeyProblem>>,
    /// Held for reading while a batch is worked on, for writing by a checkpoint.
    gate: RwLock<()>,
    benches: Vec<Mutex<Bench>>,
    frames: (Sender<RawFrame>, Receiver<RawFrame>),
    chunker: Chunker,
    ctx: RunContext,
    failure: Mutex<Option<Error>>,
    stopped: AtomicBool,
    /// Wakes the source's side when a worker has failed.
    pub(in crate::ops) alarm: Notify,
    /// Changes taken so far, for the checkpoint's question whether there is anything new.
    pub(in crate::ops) changes: AtomicU64,
    edit_limit: usize,
}

impl Workers {
    pub(in crate::ops) fn new(
        count: usize,
        writer: Arc<ObjectWriter>,
        chunker: Chunker,
        edit_limit: usize,
        ctx: &RunContext,
    ) -> Result<Self, Error> {
        // One more frame than workers may wait: a thread that cuts is not held up while others compress.
        let frames = crossbeam_channel::bounded(count);
        let bench = || {
            let helpers = (count > 1).then(|| frames.0.clone());
            let filler = FrameFiller::new(Arc::clone(&writer), helpers)?;
            Ok::<_, RepoError>(Mutex::new(Bench { filler, buffer: Vec::new() }))
        };
        Ok(Self {
            benches: (0..count).map(|_| bench()).collect::<Result<_, _>>()?,
            writer,
            figures: IngestFigures::default(),
            edits: Mutex::new(EditBuffer::new(edit_limit)?),
            problems: Mutex::default(),
            gate: RwLock::default(),
            frames,
            chunker,
            ctx: ctx.clone(),
            failure: Mutex::default(),
            stopped: AtomicBool::new(false),
            alarm: Notify::new(),
            changes: AtomicU64::new(0),
            edit_limit,
        })
    }

    pub(in crate::ops) fn count(&self) -> usize {
        self.benches.len()
    }

    /// Ends all workers soon; the first error counts.
    pub(in crate::ops) fn fail(&self, error: Error) {
        locked(&self.failure).get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
        self.alarm.notify_one();
    }

    pub(in crate::ops) fn take_failure(&self) -> Option<Error> {
        locked(&self.failure).take()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The life of worker `number`. `after_batch` is called between batches and may make a checkpoint.
    pub(in crate::ops) fn run(
        &self,
        number: usize,
        changes: &ChangeReceiver,
        after_batch: &dyn Fn() -> Result<(), Error>,
    ) {
        if let Err(error) = self.work(number, changes, after_batch) {
            self.fail(error);
        }
    }

    fn work(
        &self,
        number: usize,
        changes: &ChangeReceiver,
        after_batch: &dyn Fn() -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            if self.is_stopped() {
                return Ok(());
            }
            // Frames first: they are held in memory, and a thread that cuts a large file waits for help.
            crossbeam_channel::select_biased! {
                recv(self.frames.1) -> frame => {
                    if let Ok(frame) = frame {
                        self.help(number, frame)?;
                    }
                }
                recv(changes) -> work => match work {
                    Err(_) => break,
                    // What was pushed before the user asked to stop is left to the next run.
                    Ok(_) if self.ctx.cancel.is_cancelled() => {}
                    Ok(work) => {
                        match self.batch(number, work) {
                            Err(Error::Cancelled) => {}
                            done => done?,
                        }
                        self.writer.maybe_write_segment()?;
                        after_batch()?;
                    }
                },
                default(PATIENCE) => {}
            }
        }
        // The last frames, each worker its own; whoever comes last has looked into the channel after it.
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        locked(&self.benches[number]).filler.flush()?;
        while let Ok(frame) = self.frames.1.try_recv() {
            locked(&self.benches[number]).filler.help(frame)?;
        }
        Ok(())
    }

    fn help(&self, number: usize, frame: RawFrame) -> Result<(), Error> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Ok(locked(&self.benches[number]).filler.help(frame)?)
    }

    fn batch(&self, number: usize, work: Work) -> Result<(), Error> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let bench = &mut *locked(&self.benches[number]);
        let mut ingest = Ingest {
            chunker: &self.chunker,
            filler: &mut bench.filler,
            buffer: &mut bench.buffer,
            figures: &self.figures,
            ctx: &self.ctx,
        };
        let (mut edits, mut problems, mut done) = (Vec::new(), Vec::new(), Ok(()));
        for (place, change) in (0u32..).zip(work.changes) {
            if self.ctx.cancel.is_cancelled() || self.is_stopped() {
                done = Err(Error::Cancelled);
                break;
            }
            match ingest.change(change, (work.number, place), &mut problems) {
                Ok(edit) => edits.extend(edit),
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        // What was finished before a cancellation is kept for the checkpoint.
        self.changes.fetch_add(edits.len() as u64, Ordering::Relaxed);
        let (objects, bytes) = bench.filler.take_figures();
        self.figures.new_objects.fetch_add(objects, Ordering::Relaxed);
        self.figures.new_bytes.fetch_add(bytes, Ordering::Relaxed);
        for problem in &problems {
            self.ctx.monitor.problem(&problem.problem);
        }
        locked(&self.problems).append(&mut problems);
        locked(&self.edits).extend(edits)?;
        done
    }

    /// Holds all workers between two batches, stores what they have gathered, and hands over the edits so far.
    pub(in crate::ops) fn quiesced<T>(
        &self,
        then: impl FnOnce(EditBuffer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        for bench in &self.benches {
            locked(bench).filler.flush()?;
        }
        if let Some(bench) = self.benches.first() {
            while let Ok(frame) = self.frames.1.try_recv() {
                locked(bench).filler.help(frame)?;
            }
        }
        let empty = EditBuffer::new(self.edit_limit)?;
        then(std::mem::replace(&mut *locked(&self.edits), empty))
    }
}
