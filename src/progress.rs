//! Progress on stderr: bars on a terminal, plain lines without one.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Where progress goes.
#[derive(Debug)]
pub enum Progress {
    /// Nowhere: libraries and tests.
    Silent,
    /// Warnings and errors alone.
    Quiet,
    /// Bars on a terminal.
    Bars(MultiProgress),
    /// A line now and then.
    Lines,
}

impl Progress {
    /// Bars when stderr is a terminal, lines otherwise; only warnings when
    /// `quiet`.
    pub fn on_stderr(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bars(MultiProgress::new()),
            (false, false) => Self::Lines,
        }
    }

    /// Starts a piece of work of `total` `unit`s.
    pub fn start(&self, what: &str, unit: &'static str, total: usize) -> Task<'_> {
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
            Self::Silent | Self::Quiet | Self::Lines => None,
        };
        let now = Instant::now();
        let state = Mutex::new(State { done: 0, started: now, printed: now });
        Task { progress: self, what: what.to_owned(), unit, total, bar, state }
    }

    /// A line worth reading now.
    pub fn note(&self, line: &str) {
        match self {
            Self::Silent | Self::Quiet => {}
            // A bar redraws itself below the line.
            Self::Bars(bars) => drop(bars.println(line)),
            Self::Lines => tell(line),
        }
    }

    /// A line that must not be missed: a warning or an error.
    pub fn warn(&self, line: &str) {
        match self {
            Self::Quiet => tell(line),
            _ => self.note(line),
        }
    }
}

/// Writes a line to stderr. A log that cannot be written (its disk is full,
/// its reader is gone) must not end the work, as `eprintln!` would.
pub(crate) fn tell(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// A piece of work under way.
#[derive(Debug)]
pub struct Task<'p> {
    progress: &'p Progress,
    what: String,
    unit: &'static str,
    total: usize,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: usize,
    started: Instant,
    printed: Instant,
}

impl Task<'_> {
    /// `count` more are done.
    pub fn advance(&self, count: usize) {
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
