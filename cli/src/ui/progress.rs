//! What long work shows: a bar on a terminal, a line now and then elsewhere.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use esker_engine::monitor::{Counter, Monitor};
use esker_engine::problem::Problem;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::text;

/// How often a terminal is drawn anew.
const TICK: Duration = Duration::from_millis(120);
/// How often a line is written elsewhere.
const LINE_SECONDS: u64 = 60;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As a bar.
    Bar,
    /// As lines.
    Lines,
    /// Not at all.
    Nothing,
}

#[derive(Debug, Default)]
struct Figures {
    done: [AtomicU64; 8],
    expected: [AtomicU64; 8],
    problems: AtomicU64,
}

impl Figures {
    fn done(&self, counter: Counter) -> u64 {
        self.done[counter as usize].load(Ordering::Relaxed)
    }

    /// What is done and, where it is known, of how much.
    fn describe(&self, elapsed: Duration) -> String {
        let shown = [
            (Counter::EntriesSeen, "entries", false),
            (Counter::BytesRead, "read", true),
            (Counter::EntriesRestored, "entries", false),
            (Counter::BytesRestored, "restored", true),
            (Counter::PacksChecked, "packs", false),
            (Counter::BytesChecked, "checked", true),
        ];
        let mut line = String::new();
        for (counter, noun, is_bytes) in shown {
            let done = self.done(counter);
            let expected = self.expected[counter as usize].load(Ordering::Relaxed);
            if done == 0 && expected == 0 {
                continue;
            }
            let number = |number| {
                if is_bytes { text::bytes(number) } else { text::count(number) }
            };
            let _ = write!(line, "{}", number(done));
            if expected > 0 {
                let _ = write!(line, " of {}", number(expected));
            }
            let _ = write!(line, " {noun}, ");
            if is_bytes && done > 0 && elapsed.as_secs() > 0 {
                let rate = done as f64 / elapsed.as_secs_f64();
                let _ = write!(line, "{}/s, ", text::bytes(rate as u64));
                if expected > done {
                    let left = Duration::from_secs_f64((expected - done) as f64 / rate);
                    let _ = write!(line, "{} left, ", text::duration(left));
                }
            }
        }
        let problems = self.problems.load(Ordering::Relaxed);
        if problems > 0 {
            let _ = write!(line, "{}, ", text::plural(problems, "problem", "problems"));
        }
        line + &text::duration(elapsed)
    }
}

type WriteLine = Box<dyn Fn(&str) + Send + Sync>;

/// Shows the progress of one operation until it is dropped.
pub(crate) struct Progress {
    figures: Arc<Figures>,
    bar: Option<ProgressBar>,
    lines: Option<WriteLine>,
    task: String,
    started: Instant,
    last_line: AtomicU64,
}

impl Progress {
    /// Begins to show an operation; `write_line` is used where there is no terminal.
    pub(crate) fn begin(task: &str, show: Show, write_line: WriteLine) -> Arc<Self> {
        let figures = Arc::<Figures>::default();
        let bar = (show == Show::Bar).then(|| bar(task, &figures));
        Arc::new(Self {
            figures,
            bar,
            lines: (show == Show::Lines).then_some(write_line),
            task: task.into(),
            started: Instant::now(),
            last_line: AtomicU64::new(0),
        })
    }

    /// Takes it off the terminal.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn maybe_line(&self) {
        let Some(write) = &self.lines else { return };
        let elapsed = self.started.elapsed();
        let last = self.last_line.load(Ordering::Relaxed);
        if elapsed.as_secs() < last + LINE_SECONDS {
            return;
        }
        let swapped = self.last_line.compare_exchange(
            last,
            elapsed.as_secs(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if swapped.is_ok() {
            write(&format!("{}: {}", self.task, self.figures.describe(elapsed)));
        }
    }
}

fn bar(task: &str, figures: &Arc<Figures>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let figures = Arc::clone(figures);
    let style = ProgressStyle::with_template("{spinner} {msg}: {figures}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("figures", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&figures.describe(state.elapsed()));
        });
    bar.set_style(style);
    bar.set_message(task.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

impl Monitor for Progress {
    fn count(&self, counter: Counter, by: u64) {
        self.figures.done[counter as usize].fetch_add(by, Ordering::Relaxed);
        self.maybe_line();
    }

    fn expect(&self, counter: Counter, total: u64) {
        self.figures.expected[counter as usize].store(total, Ordering::Relaxed);
    }

    fn problem(&self, _: &Problem) {
        self.figures.problems.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_done_and_left() {
        let progress = Progress::begin("x", Show::Nothing, Box::new(|_| {}));
        progress.count(Counter::BytesRead, 2048);
        progress.expect(Counter::BytesRead, 4096);
        progress.count(Counter::EntriesSeen, 1204);
        let line = progress.figures.describe(Duration::from_secs(2));
        assert_eq!(line, "1,204 entries, 2.0 KiB of 4.0 KiB read, 1.0 KiB/s, 2.0 s left, 2.0 s");
    }
}
