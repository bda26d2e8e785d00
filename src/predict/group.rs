//! Scores a group: one thread reads and prepares patches, the workers cut
//! windows and run the network, all at the same time.
//!
//! Memory: the model in each worker, and the few patches that have windows
//! waiting; never more than the group.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::batch::{Batch, Batcher};
use super::colour::{self, Normalizer};
use super::ledger::{Ledger, Places};
use super::prepare::{Preparation, PreparedPatch};
use super::{PredictError, Predictor};
use crate::config::RunConfig;
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::hdf5_file::FormatError;
use crate::model::{EngineError, Session};
use crate::patches::{GroupReader, PatchesFile};
use crate::process;
use crate::progress::{Progress, Task};
use crate::scores::{self, ScoresMeta};

/// What became of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupOutcome {
    /// Its file was there already.
    Present {
        /// Patches without scores in it: they could not be decoded by `split`.
        failed_patches: u64,
    },
    /// It was scored.
    Scored {
        /// Windows of the group.
        windows: usize,
        /// Of these, windows that an earlier, interrupted try had scored.
        resumed: usize,
        /// Patches without scores: they could not be decoded by `split`, or
        /// their colours not be told.
        failed_patches: u64,
        /// Patches whose stains could not be told.
        unnormalized: usize,
        /// Wall time of this try.
        wall_s: f64,
    },
    /// A signal ended the work; what was scored is saved.
    Interrupted {
        /// The signal.
        signal: &'static str,
        /// Windows scored and saved.
        scored: usize,
        /// Windows of the group.
        windows: usize,
    },
}

/// A score file that is there must be this run's; returns what became of it.
pub(super) fn check_existing(
    path: &Path,
    config: &RunConfig,
) -> Result<GroupOutcome, PredictError> {
    let meta = scores::read_scores_meta(path)?;
    let expected = config.scores_sha256();
    if meta.config_sha256 == expected {
        return Ok(GroupOutcome::Present { failed_patches: meta.failed_patches });
    }
    Err(PredictError::OtherScores { path: path.to_owned(), found: meta.config_sha256, expected })
}

pub(super) fn score_group(
    predictor: &mut Predictor<'_>,
    patches: &PatchesFile,
    slide: &str,
    group: usize,
    progress: &Progress,
) -> Result<GroupOutcome, PredictError> {
    let started = Instant::now();
    let meta = patches.meta();
    let reader = patches.group(group)?;
    let normalizer = Normalizer::of_run(predictor.config, patches)?;
    let stride_px = predictor.config.config.predict.stride;
    let lattice = Lattice::new(meta.width_px, meta.height_px, stride_px);
    let points = points_of(&lattice, tiling_of(predictor, patches)?, &reader);
    let failed_patches = reader.failed.iter().filter(|&&failed| failed).count() as u64;
    let meta = meta_of(predictor, slide, group, failed_patches);
    let places = places_of(predictor, slide, group);
    let ledger = Ledger::open(places, meta, &points, progress);
    if ledger.resumed() > 0 {
        let all = ledger.resumed() + ledger.remaining();
        let line =
            format!("predict {slide} t{group}: going on after {}", share(ledger.resumed(), all));
        progress.note(&line);
    }
    let task = progress.start(&format!("predict {slide} t{group}"), "windows", ledger.remaining());
    let source = (&reader, normalizer.as_ref());
    if let Err(stopped) = run_windows(predictor, source, &ledger.todo(&points), &ledger, &task) {
        // The next try need not repeat what the other workers have scored.
        if let Err(error) = ledger.save() {
            progress.note(&format!("warning: cannot save what is scored so far: {error}"));
        }
        return Err(stopped.name(slide, group));
    }
    let windows = ledger.resumed() + ledger.remaining();
    let (scored, settled) = (ledger.scored(), ledger.settled());
    if let Some(signal) = predictor.interrupt.requested().filter(|_| settled < windows) {
        ledger.save()?;
        return Ok(GroupOutcome::Interrupted { signal, scored, windows });
    }
    ledger.finish()?;
    let (resumed, wall_s) = (ledger.resumed(), started.elapsed().as_secs_f64());
    let (refused, unnormalized) = ledger.colour_failures();
    let failed_patches = failed_patches + refused as u64;
    Ok(GroupOutcome::Scored { windows: scored, resumed, failed_patches, unnormalized, wall_s })
}

/// `1200 of 2000 windows (60 %)`
pub(crate) fn share(scored: usize, windows: usize) -> String {
    format!("{scored} of {windows} windows ({} %)", 100 * scored / windows.max(1))
}

fn places_of(predictor: &Predictor<'_>, slide: &str, group: usize) -> Places {
    let minutes = predictor.config.config.predict.checkpoint_min;
    let every = Duration::try_from_secs_f64(minutes * 60.0).ok();
    Places {
        whole: predictor.run.scores(slide, group),
        part: predictor.run.part(slide, group),
        every: every.filter(|_| minutes > 0.0),
    }
}

/// The attributes of a group's scores, figures of use left 0.
fn meta_of(
    predictor: &Predictor<'_>,
    slide: &str,
    group: usize,
    failed_patches: u64,
) -> ScoresMeta {
    ScoresMeta {
        slide: slide.to_owned(),
        group: u32::try_from(group).unwrap_or(u32::MAX),
        stride_px: predictor.config.config.predict.stride,
        window_px: predictor.model.card.window_px,
        classes: predictor.model.card.classes.clone(),
        method: predictor.config.config.predict.method.name().to_owned(),
        engine: predictor.engine_name(),
        precision: predictor.model.precision().to_owned(),
        model_sha256: predictor.model.sha256.clone(),
        config_sha256: predictor.config.scores_sha256(),
        threads: u32::try_from(predictor.sessions.len()).unwrap_or(u32::MAX),
        host: process::host(),
        failed_patches,
        normalize: colour::described(&predictor.config.config.normalize),
        ..ScoresMeta::default()
    }
}

/// Lattice points of each patch of the group; none for failed patches.
fn points_of(lattice: &Lattice, tiling: Tiling, reader: &GroupReader) -> Vec<Vec<LatticePoint>> {
    reader
        .coords
        .iter()
        .zip(reader.tissue.outer_iter())
        .zip(&reader.failed)
        .map(
            |((patch, tissue), &failed)| {
                if failed { Vec::new() } else { lattice.points_of(&tiling, patch, tissue) }
            },
        )
        .collect()
}

/// What stopped a run.
enum Stopped {
    Read(FormatError),
    Engine(EngineError),
}

impl Stopped {
    fn name(self, slide: &str, group: usize) -> PredictError {
        match self {
            Self::Read(error) => error.into(),
            Self::Engine(source) => {
                PredictError::Engine { what: format!("{slide} group {group}"), source }
            }
        }
    }
}

/// Enters the scores of `points` in the ledger, or of as many as there is
/// time for before an interruption.
fn run_windows(
    predictor: &mut Predictor<'_>,
    source: (&GroupReader, Option<&Normalizer>),
    points: &[Vec<LatticePoint>],
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
    (reader, normalizer): (&GroupReader, Option<&Normalizer>),
    points: &[Vec<LatticePoint>],
    preparation: &Preparation,
    (ledger, task): (&Ledger<'_>, &Task<'_>),
    (batch, sender): (usize, &Sender<Batch>),
) -> Result<Duration, FormatError> {
    let side_px = reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let mut batcher = Batcher::new(batch);
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        reader.read_patch(index, &mut rgb)?;
        if let Some(Err(failure)) = normalizer.map(|normalizer| normalizer.apply(&mut rgb)) {
            let scored = failure.scored;
            ledger.note_unnormalized(index, failure);
            if !scored {
                ledger.give_up(points.len());
                task.advance(points.len());
                if let Some(before) = batcher.skip(points.len())
                    && sender.send(before).is_err()
                {
                    return Ok(spent);
                }
                continue;
            }
        }
        let mut prepared = PreparedPatch::default();
        preparation.prepare(&rgb, side_px, &mut prepared);
        spent += started.elapsed();
        let prepared = Arc::new(prepared);
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
            for ((patch, point), window) in windows {
                preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
            }
            cut = started.elapsed();
        };
        let started = Instant::now();
        session.run_filled(count, &mut fill, scores)?;
        ledger.enter(batch.start, scores, started.elapsed().saturating_sub(cut));
        task.advance(count);
    }
    Ok(())
}

/// The tiling of the patches, checked to make one.
fn tiling_of(predictor: &Predictor<'_>, patches: &PatchesFile) -> Result<Tiling, PredictError> {
    let meta = patches.meta();
    Tiling::new(meta.tile_px, meta.block_tiles, meta.window_px)
        .map_err(|source| PredictError::Tiling { path: predictor.run.patches(&meta.slide), source })
}
