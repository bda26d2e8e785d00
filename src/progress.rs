//! Progress messages on stderr: bars on a terminal, plain lines otherwise.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shortest time between two plain lines of a task.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Only warnings and errors are shown.
    Quiet,
    /// Bars on a terminal, and all lines.
    Bars(MultiProgress),
    /// A line every ten seconds at most, and all other lines.
    Lines,
}

impl Progress {
    /// Bars if stderr is a terminal, lines otherwise; only warnings and errors if `quiet`.
    pub(crate) fn on_stderr(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bars(MultiProgress::new()),
            (false, false) => Self::Lines,
        }
    }

    /// Starts a task of `total` items, which messages call `unit`.
    pub(crate) fn start(&self, what: &str, unit: &'static str, total: usize) -> Task<'_> {
        let bar = match self {
            Self::Bars(bars) => {
                let bar = bars.add(ProgressBar::new(total as u64));
                let style = ProgressStyle::with_template(
                    "{msg:32!} {bar:28} {pos}/{len} {prefix} {per_sec:>12} {eta:>5}",
                );
                bar.set_style(style.expect("the template is fixed and well formed"));
                bar.set_message(what.to_owned());
                bar.set_prefix(unit);
                bar.enable_steady_tick(Duration::from_millis(250));
                Some(bar)
            }
            Self::Quiet | Self::Lines => None,
        };
        let now = Instant::now();
        let state = Mutex::new(TaskProgress { done: 0, started: now, printed: now });
        Task { progress: self, what: what.to_owned(), unit, total, bar, state }
    }

    /// Shows a line of information.
    pub(crate) fn note(&self, line: &str) {
        match self {
            Self::Quiet => {}
            // The bars are drawn again below the line.
            Self::Bars(bars) => drop(bars.println(line)),
            Self::Lines => tell(line),
        }
    }

    /// Shows a warning, unless this process has shown the same one before.
    pub(crate) fn warn_once(&self, line: &str) {
        static SHOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.insert(line.to_owned()) {
            self.warn(line);
        }
    }

    /// Shows a warning or an error.
    pub(crate) fn warn(&self, line: &str) {
        match self {
            Self::Quiet => tell(line),
            _ => self.note(line),
        }
    }
}

/// Writes a line to stderr and ignores errors. `eprintln!` would panic if the log cannot be
/// written (disk full, reader gone), and end the work.
pub(crate) fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// A task in progress. Dropping the task removes its bar.
#[derive(Debug)]
pub(crate) struct Task<'p> {
    progress: &'p Progress,
    what: String,
    unit: &'static str,
    total: usize,
    bar: Option<ProgressBar>,
    state: Mutex<TaskProgress>,
}

#[derive(Debug)]
struct TaskProgress {
    done: usize,
    started: Instant,
    printed: Instant,
}

impl Task<'_> {
    /// Adds `count` finished items.
    pub(crate) fn advance(&self, count: usize) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.done += count;
        if let Some(bar) = &self.bar {
            bar.set_position(state.done as u64);
        } else if matches!(self.progress, Progress::Lines) && state.printed.elapsed() >= LINE_EVERY
        {
            state.printed = Instant::now();
            let rate = state.done as f64 / state.started.elapsed().as_secs_f64();
            self.progress.note(&format!(
                "{}: {}/{} {} ({rate:.1}/s)",
                self.what, state.done, self.total, self.unit
            ));
        }
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
