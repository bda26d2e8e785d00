//! Window after window: one thread reads and prepares patches, the workers cut
//! windows and run the network, all at the same time.

use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::batch::{Batch, Batcher, Numbered};
use super::colour::Normalizer;
use super::ledger::Ledger;
use super::prepare::{Buffers, Preparation};
use super::{PredictError, Predictor};
use crate::hdf5_file::FormatError;
use crate::model::{EngineError, Session};
use crate::patches::GroupReader;
use crate::progress::Task;

/// What stopped a run.
pub(super) enum Stopped {
    Read(FormatError),
    Engine(EngineError),
}

impl Stopped {
    pub(super) fn name(self, slide: &str, group: usize) -> PredictError {
        match self {
            Self::Read(error) => error.into(),
            Self::Engine(source) => {
                PredictError::Engine { what: format!("{slide} group {group}"), source }
            }
        }
    }
}

/// The patches of a group in the run's colours.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) reader: &'s GroupReader,
    pub(super) normalizer: Option<&'s Normalizer>,
}

impl Source<'_> {
    /// Reads patch `index`, of which `windows` are to be scored, into `rgb`
    /// `[row, col, rgb]`; `false` when its colours have it left out, which the
    /// ledger knows then.
    pub(super) fn read(
        &self,
        index: usize,
        windows: usize,
        rgb: &mut [u8],
        (ledger, task): (&Ledger<'_>, &Task<'_>),
    ) -> Result<bool, FormatError> {
        self.reader.read_patch(index, rgb)?;
        let Some(Err(failure)) = self.normalizer.map(|normalizer| normalizer.apply(rgb)) else {
            return Ok(true);
        };
        let scored = failure.scored;
        ledger.note_unnormalized(index, failure);
        if !scored {
            ledger.give_up(windows);
            task.advance(windows);
        }
        Ok(scored)
    }
}

/// Enters the scores of `points` in the ledger, or of as many as there is
/// time for before an interruption.
pub(super) fn run_windows(
    predictor: &mut Predictor<'_>,
    source: Source<'_>,
    points: &[Vec<Numbered>],
    ledger: &Ledger<'_>,
    task: &Task<'_>,
) -> Result<(), Stopped> {
    let (preparation, interrupt) = (&predictor.preparation, &predictor.interrupt);
    let classes = predictor.model.card.classes.len();
    let batch = predictor.sessions.first().map_or(1, |session| session.batch());
    let (sender, receiver) = bounded::<Batch>(2 * predictor.sessions.len());
    let (read, worked) = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            read_patches(source, points, preparation, (ledger, task), (batch, &sender))
        });
        let workers: Vec<_> = predictor
            .sessions
            .iter_mut()
            .map(|session| {
                let batches = receiver.clone();
                scope.spawn(move || {
                    // Dropping what waits ends the reader too.
                    let batches =
                        batches.into_iter().take_while(|_| interrupt.requested().is_none());
                    work(session.as_mut(), preparation, classes, batches, (ledger, task))
                })
            })
            .collect();
        drop(receiver);
        let worked: Vec<_> = workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (read, worked)
    });
    worked.into_iter().collect::<Result<Vec<()>, _>>().map_err(Stopped::Engine)?;
    ledger.note_read(read.map_err(Stopped::Read)?);
    Ok(())
}

/// Reads and prepares patch after patch; returns the time spent reading.
fn read_patches(
    source: Source<'_>,
    points: &[Vec<Numbered>],
    preparation: &Preparation,
    book: (&Ledger<'_>, &Task<'_>),
    (batch, sender): (usize, &Sender<Batch>),
) -> Result<Duration, FormatError> {
    let side_px = source.reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let (mut batcher, mut buffers) = (Batcher::new(batch), Buffers::default());
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        if !source.read(index, points.len(), &mut rgb, book)? {
            continue;
        }
        let prepared = buffers.prepared(|patch| preparation.prepare(&rgb, side_px, patch));
        spent += started.elapsed();
        for &point in points {
            if let Some(full) = batcher.push(&prepared, point)
                && sender.send(full).is_err()
            {
                // Every worker has stopped; they say why.
                return Ok(spent);
            }
        }
    }
    if let Some(rest) = batcher.rest() {
        drop(sender.send(rest));
    }
    Ok(spent)
}

/// Batch after batch: cut windows, run, enter the scores.
fn work(
    session: &mut dyn Session,
    preparation: &Preparation,
    classes: usize,
    batches: impl Iterator<Item = Batch>,
    (ledger, task): (&Ledger<'_>, &Task<'_>),
) -> Result<(), EngineError> {
    let window_len = preparation.window_len();
    let mut scores = vec![0.0; session.batch() * classes];
    for batch in batches {
        let count = batch.windows.len();
        let scores = &mut scores[..count * classes];
        let mut cut = Duration::ZERO;
        let mut fill = |input: &mut [f32]| {
            let started = Instant::now();
            let windows = batch.windows.iter().zip(input.chunks_exact_mut(window_len));
            for ((patch, numbered), window) in windows {
                let point = &numbered.point;
                preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
            }
            cut = started.elapsed();
        };
        let started = Instant::now();
        session.run_filled(count, &mut fill, scores)?;
        let numbers = batch.windows.iter().map(|(_, numbered)| numbered.number);
        ledger.enter(numbers, scores, started.elapsed().saturating_sub(cut));
        task.advance(count);
    }
    Ok(())
}
