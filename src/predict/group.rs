//! Scores a group by the run's method.
//!
//! Memory: the model in each worker, and the few patches that have windows
//! waiting; never more than the group. A dense run's maps come on top, bounded by
//! [`dense`].

use std::path::Path;
use std::time::{Duration, Instant};

use super::cascade;
use super::colour::{self, Normalizer};
use super::deviation::Place;
use super::ledger::{Began, Ledger, Places};
use super::windows::{Source, Windows, run_windows};
use super::{PredictError, Predictor, dense};
use crate::config::{Method, RunConfig};
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::number::GroupNumber;
use crate::patches::{GroupReader, PatchesFile};
use crate::process;
use crate::progress::Progress;
use crate::scores::{self, DenseMeta, ScoresMeta};

/// What became of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupOutcome {
    /// Its file was there already.
    Present {
        /// Patches without scores in it: they could not be decoded by `split`.
        failed_patches: u64,
        /// Audited points at 0.5 or above that a cascade had left alone.
        missed: u64,
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
        /// Audited points at 0.5 or above that a cascade had left alone.
        missed: u64,
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
    slide: &str,
) -> Result<GroupOutcome, PredictError> {
    let meta = scores::read_scores_meta(path)?;
    let (expected, method) = (config.scores_sha256(), config.method_of(slide).name());
    if meta.config_sha256 == expected && meta.method != method {
        let (path, found) = (path.to_owned(), meta.method);
        return Err(PredictError::OtherMethod { path, found, method });
    }
    if meta.config_sha256 == expected {
        return Ok(GroupOutcome::Present {
            failed_patches: meta.failed_patches,
            missed: meta.cascade.map_or(0, |cascade| cascade.missed),
        });
    }
    Err(PredictError::OtherScores { path: path.to_owned(), found: meta.config_sha256, expected })
}

pub(super) fn score_group(
    predictor: &mut Predictor<'_>,
    patches: &PatchesFile,
    slide: &str,
    group: GroupNumber,
    progress: &Progress,
) -> Result<GroupOutcome, PredictError> {
    let (started, began) = (Instant::now(), Began::now());
    let meta = patches.meta();
    let reader = patches.group(group)?;
    let normalizer = Normalizer::of_run(predictor.config, patches)?;
    let stride_px = predictor.config.config.predict.stride;
    let lattice = Lattice::new(meta.width_px, meta.height_px, stride_px);
    let tiling = tiling_of(patches, &reader)?;
    let points = points_of(&lattice, tiling, &reader);
    let failed_patches = reader.failed.iter().filter(|&&failed| failed).count() as u64;
    let method = predictor.config.method_of(slide);
    let calibrated = match method {
        Method::Window => None,
        Method::Dense | Method::Cascade => {
            let normalizer = normalizer.as_ref();
            Some(predictor.calibrated(patches, normalizer, tiling, slide, progress)?)
        }
    };
    let audit = match method {
        Method::Cascade => Some(predictor.audit(patches, slide)?),
        Method::Window | Method::Dense => None,
    };
    let dense = calibrated.as_ref().map(|calibrated| calibrated.meta(predictor));
    let deviation = {
        let (normalizer, name) = (normalizer.as_ref(), format!("{slide} t{group}"));
        let (reader, lattice, name) = (&reader, &lattice, name.as_str());
        let place = Place { reader, normalizer, tiling, lattice, name, method };
        predictor.deviation(&place, calibrated.as_deref())?
    };
    if let Some(found) = deviation {
        progress.note(&format!(
            "predict {slide} t{group}: {} against f32 on {} windows: largest difference {:.2e}, mean {:.2e}",
            predictor.precision_name(), found.windows, found.max, found.mean
        ));
    }
    let meta =
        ScoresMeta { deviation, ..meta_of(predictor, slide, group, (failed_patches, dense)) };
    let places = places_of(predictor, slide, group);
    let ledger = Ledger::open(places, meta, &points, (began, progress));
    if ledger.resumed() > 0 {
        let all = ledger.resumed() + ledger.remaining();
        let line =
            format!("predict {slide} t{group}: going on after {}", share(ledger.resumed(), all));
        progress.note(&line);
    }
    let task = progress.start(&format!("predict {slide} t{group}"), "windows", ledger.remaining());
    let todo = ledger.todo(&points);
    let source = Source { reader: &reader, normalizer: normalizer.as_ref() };
    let done = match &calibrated {
        None => {
            let windows = Windows { source, points: &todo, ledger: &ledger, task: &task };
            run_windows(predictor, windows)
        }
        Some(calibrated) => {
            let (ledger, task, lattice) = (&ledger, &task, &lattice);
            let job = dense::Job { source, tiling, lattice, calibrated, ledger, task };
            match &audit {
                Some(audit) => cascade::run(predictor, &job, &todo, audit),
                None => dense::run(
                    predictor,
                    &job,
                    &todo,
                    &|numbers: &[usize], scores: &[f32], infer| {
                        ledger.enter(numbers.iter().copied(), scores, infer);
                        task.advance(numbers.len());
                    },
                )
                .map(|read| ledger.note_read(read)),
            }
        }
    };
    if let Err(stopped) = done {
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
    let counts = ledger.finish()?.cascade;
    if let Some(counts) = &counts {
        progress.note(&format!("predict {slide} t{group}: {}", counts.summary()));
    }
    let (resumed, wall_s) = (ledger.resumed(), started.elapsed().as_secs_f64());
    let (refused, unnormalized) = ledger.colour_failures();
    let failed_patches = failed_patches + refused;
    let missed = counts.map_or(0, |counts| counts.missed);
    let windows = scored;
    Ok(GroupOutcome::Scored { windows, resumed, failed_patches, unnormalized, missed, wall_s })
}

/// `1200 of 2000 windows (60 %)`
pub(crate) fn share(scored: usize, windows: usize) -> String {
    format!("{scored} of {windows} windows ({} %)", 100 * scored / windows.max(1))
}

fn places_of(predictor: &Predictor<'_>, slide: &str, group: GroupNumber) -> Places {
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
    group: GroupNumber,
    (failed_patches, dense): (u64, Option<DenseMeta>),
) -> ScoresMeta {
    ScoresMeta {
        slide: slide.to_owned(),
        group,
        stride_px: predictor.config.config.predict.stride,
        window_px: predictor.model.card.window_px,
        classes: predictor.model.card.classes.clone(),
        method: predictor.config.method_of(slide).name().to_owned(),
        engine: predictor.engine_name(),
        precision: predictor.precision_name().to_owned(),
        model_sha256: predictor.model.sha256.clone(),
        config_sha256: predictor.config.scores_sha256(),
        threads: u32::try_from(predictor.threads).unwrap_or(u32::MAX),
        host: process::host(),
        failed_patches,
        normalize: colour::described(&predictor.config.config.normalize),
        dense,
        ..ScoresMeta::default()
    }
}

/// Lattice points of each patch of the group; none for failed patches.
pub(super) fn points_of(
    lattice: &Lattice,
    tiling: Tiling,
    reader: &GroupReader,
) -> Vec<Vec<LatticePoint>> {
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

/// The tiling of the patches, checked to make one. What lies around the blocks is
/// what their pixels say.
pub(super) fn tiling_of(
    patches: &PatchesFile,
    reader: &GroupReader,
) -> Result<Tiling, PredictError> {
    let meta = patches.meta();
    let halo_px = u32::try_from(reader.halo_px()).unwrap_or(u32::MAX);
    Tiling::new(meta.tile_px, meta.block_tiles, meta.window_px)
        .and_then(|tiling| tiling.with_margin(halo_px.saturating_sub(tiling.halo_px())))
        .map_err(|source| PredictError::Tiling { path: patches.path().to_owned(), source })
}
