//! Scores a group: one thread reads and prepares patches, the workers cut
//! windows and run the network, all at the same time.
//!
//! Memory: the model in each worker, and the few patches that have windows
//! waiting; never more than the group.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use ndarray::Array2;

use super::batch::{Batch, Batcher};
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
    Present,
    /// It was scored.
    Scored {
        /// Windows run through the network.
        windows: usize,
        /// Patches without scores: they could not be decoded by `split`.
        failed_patches: usize,
        /// Wall time.
        wall_s: f64,
    },
}

/// A score file that is there must be this run's.
pub(super) fn check_existing(path: &Path, config: &RunConfig) -> Result<(), PredictError> {
    let meta = scores::read_scores_meta(path)?;
    let expected = config.scores_sha256();
    if meta.config_sha256 == expected {
        return Ok(());
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
    let (started, cpu_s) = (Instant::now(), process::cpu_s());
    let meta = patches.meta();
    let reader = patches.group(group)?;
    let stride_px = predictor.config.config.predict.stride;
    let lattice = Lattice::new(meta.width_px, meta.height_px, stride_px);
    let points = points_of(&lattice, tiling_of(predictor, patches)?, &reader);
    let total = points.iter().map(Vec::len).sum();
    let task = progress.start(&format!("predict {slide} t{group}"), "windows", total);
    let classes = predictor.model.card.classes.len();
    let run = run_windows(predictor, &reader, &points, classes, &task)
        .map_err(|failure| failure.name(slide, group))?;
    let windows: Vec<&LatticePoint> = points.iter().flatten().collect();
    let rows: Vec<i32> = windows.iter().map(|p| p.row).collect();
    let cols: Vec<i32> = windows.iter().map(|p| p.col).collect();
    let failed_patches = reader.failed.iter().filter(|&&failed| failed).count();
    let wall_s = started.elapsed().as_secs_f64();
    let meta = ScoresMeta {
        slide: slide.to_owned(),
        group: u32::try_from(group).unwrap_or(u32::MAX),
        stride_px,
        window_px: predictor.model.card.window_px,
        classes: predictor.model.card.classes.clone(),
        method: predictor.config.config.predict.method.name().to_owned(),
        engine: predictor.engine_name(),
        precision: predictor.model.precision().to_owned(),
        model_sha256: predictor.model.sha256.clone(),
        config_sha256: predictor.config.scores_sha256(),
        windows: total as u64,
        wall_s,
        cpu_s: process::cpu_s() - cpu_s,
        read_s: run.read.as_secs_f64(),
        infer_s: run.infer.as_secs_f64(),
        peak_rss_bytes: process::peak_rss_bytes(),
        threads: u32::try_from(predictor.sessions.len()).unwrap_or(u32::MAX),
        host: process::host(),
        failed_patches: failed_patches as u64,
        writer: String::new(),
    };
    let path = predictor.run.scores(slide, group);
    scores::write_scores(&path, &meta, &rows, &cols, run.scores.view())?;
    Ok(GroupOutcome::Scored { windows: total, failed_patches, wall_s })
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

/// Scores and where the time went.
struct Run {
    /// `[window, class]`
    scores: Array2<f32>,
    read: Duration,
    infer: Duration,
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

fn run_windows(
    predictor: &mut Predictor<'_>,
    reader: &GroupReader,
    points: &[Vec<LatticePoint>],
    classes: usize,
    task: &Task<'_>,
) -> Result<Run, Stopped> {
    let total = points.iter().map(Vec::len).sum();
    let preparation = &predictor.preparation;
    let batch = predictor.sessions.first().map_or(1, |session| session.batch());
    let mut scores = Array2::zeros((total, classes));
    let (sender, receiver) = bounded::<Batch>(2 * predictor.sessions.len());
    let (read, worked) = std::thread::scope(|scope| {
        let reading =
            scope.spawn(move || read_patches(reader, points, preparation, batch, &sender));
        let workers: Vec<_> = predictor
            .sessions
            .iter_mut()
            .map(|session| {
                let receiver = receiver.clone();
                scope.spawn(move || work(session.as_mut(), preparation, classes, &receiver, task))
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
    let mut infer = Duration::ZERO;
    for worker in worked {
        let (parts, time) = worker.map_err(Stopped::Engine)?;
        infer += time;
        for (start, values) in parts {
            let flat = scores.as_slice_mut().expect("a new array is contiguous");
            flat[start * classes..][..values.len()].copy_from_slice(&values);
        }
    }
    Ok(Run { scores, read: read.map_err(Stopped::Read)?, infer })
}

/// Reads and prepares patch after patch; returns the time spent reading.
fn read_patches(
    reader: &GroupReader,
    points: &[Vec<LatticePoint>],
    preparation: &Preparation,
    batch: usize,
    sender: &Sender<Batch>,
) -> Result<Duration, FormatError> {
    let side_px = reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let mut batcher = Batcher::new(batch);
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        reader.read_patch(index, &mut rgb)?;
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

/// Batch after batch: cut windows, run, keep the scores with their place.
#[expect(clippy::type_complexity, reason = "parts and time of one worker, used once")]
fn work(
    session: &mut dyn Session,
    preparation: &Preparation,
    classes: usize,
    receiver: &Receiver<Batch>,
    task: &Task<'_>,
) -> Result<(Vec<(usize, Vec<f32>)>, Duration), EngineError> {
    let window_len = preparation.window_len();
    let mut input = vec![0.0; session.batch() * window_len];
    let mut parts = Vec::new();
    let mut spent = Duration::ZERO;
    for batch in receiver {
        let count = batch.windows.len();
        for ((patch, point), window) in batch.windows.iter().zip(input.chunks_exact_mut(window_len))
        {
            preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
        }
        let mut scores = vec![0.0; count * classes];
        let started = Instant::now();
        session.run(&input[..count * window_len], count, &mut scores)?;
        spent += started.elapsed();
        parts.push((batch.start, scores));
        task.advance(count);
    }
    Ok((parts, spent))
}

/// The tiling of the patches, checked to make one.
fn tiling_of(predictor: &Predictor<'_>, patches: &PatchesFile) -> Result<Tiling, PredictError> {
    let meta = patches.meta();
    Tiling::new(meta.tile_px, meta.block_tiles, meta.window_px)
        .map_err(|source| PredictError::Tiling { path: predictor.run.patches(&meta.slide), source })
}
