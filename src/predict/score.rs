//! Scores a group by the method of its slide.
//!
//! Memory: each worker holds the model. Only the few patches whose windows wait for a worker
//! are held, at most those of one group. A dense run holds its maps as well, which
//! [`LoadedDense`](super::loaded_dense::LoadedDense) bounds.

use std::path::Path;
use std::time::Duration;

use super::colour;
use super::context::Context;
use super::deviation::deviation;
use super::error::PredictError;
use super::group::Group;
use super::group_work::GroupWork;
use super::ledger::{GroupFiles, Ledger, Start};
use super::scorer::Scorer;
use crate::config::RunConfig;
use crate::hdf5_file::{self, FormatError};
use crate::interrupt::with_last_save;
use crate::number::GroupNumber;
use crate::process;
use crate::progress::Progress;
use crate::scores::{self, ScoresMeta};

/// What became of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GroupOutcome {
    /// A score file existed already.
    Present {
        /// Patches without scores: `split` could not decode them, or their colours could not be
        /// normalised.
        failed_patches: u64,
        /// Audited points with a score of at least 0.5 that the screen of a cascade had ruled
        /// out.
        missed: u64,
    },
    /// The group was scored.
    Scored {
        /// Windows of the group.
        windows: usize,
        /// Windows among them that an earlier, interrupted try had scored.
        resumed: usize,
        /// Patches without scores: `split` could not decode them, or their colours could not be
        /// normalised.
        failed_patches: u64,
        /// Patches whose colours could not be normalised, scored or not.
        unnormalized: usize,
        /// Audited points with a score of at least 0.5 that the screen of a cascade had ruled
        /// out.
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

/// Checks that an existing score file has the run's configuration and method, and returns its
/// outcome.
pub(super) fn check_existing(
    path: &Path,
    config: &RunConfig,
    slide: &str,
) -> Result<GroupOutcome, PredictError> {
    let meta = scores::read_scores_meta(path)?;
    FormatError::check_slide(path, &meta.slide, slide)?;
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

/// Scores a group of a slide.
///
/// # Errors
/// [`PredictError`] naming the group.
pub(super) fn score_group(
    context: &Context<'_>,
    scorer: &mut dyn Scorer,
    group: &Group<'_>,
    start: Start,
    progress: &Progress,
) -> Result<GroupOutcome, PredictError> {
    let (started, name) = (start.at(), group.name());
    let meta = meta_of(context, scorer, group, progress)?;
    let places = places_of(context, group.slide, group.number);
    let ledger = Ledger::open(places, meta, &group.points, start, progress)?;
    if ledger.resumed() > 0 {
        let done = share(ledger.resumed(), ledger.len());
        progress.note(&format!("predict {name}: continues after {done}"));
    }
    let task = progress.start(&format!("predict {name}"), "windows", ledger.remaining());
    let todo = ledger.todo(&group.points);
    let work = GroupWork { group, ledger: &ledger, task: &task };
    // One run of a slow network may outlast the time that a signal leaves.
    let last_save = || {
        let saved = ledger.save().map(|windows| share(windows, ledger.len()));
        progress.warn(&match saved {
            Ok(share) => format!("predict {name}: {share} saved"),
            Err(error) => format!("warning: cannot save the scores so far: {error}"),
        });
    };
    let scored = with_last_save(&last_save, || scorer.score(context, work, &todo));
    if let Err(stopped) = scored {
        // The scores of the other workers are saved, so that the next try keeps them.
        if let Err(error) = ledger.save() {
            progress.warn(&format!("warning: cannot save the scores so far: {error}"));
        }
        return Err(stopped.name(group.slide, group.number));
    }
    let (scored, settled) = (ledger.scored(), ledger.settled());
    if let Some(signal) = context.interrupt.requested().filter(|_| settled < ledger.len()) {
        ledger.save()?;
        return Ok(GroupOutcome::Interrupted { signal, scored, windows: ledger.len() });
    }
    let counts = ledger.finish()?.cascade;
    if let Some(counts) = &counts {
        progress.note(&format!("predict {name}: {}", counts.summary()));
    }
    let failures = ledger.colour_failures();
    Ok(GroupOutcome::Scored {
        windows: scored,
        resumed: ledger.resumed(),
        failed_patches: group.failed_patches() + failures.refused,
        unnormalized: failures.unnormalized,
        missed: counts.map_or(0, |counts| counts.missed),
        wall_s: started.elapsed().as_secs_f64(),
    })
}

/// Progress for messages, as `1200 of 2000 windows (60 %)`.
pub(crate) fn share(scored: usize, windows: usize) -> String {
    format!("{scored} of {windows} windows ({} %)", 100 * scored / windows.max(1))
}

fn places_of(context: &Context<'_>, slide: &str, group: GroupNumber) -> GroupFiles {
    let minutes = context.keys().checkpoint_min;
    let every = Duration::try_from_secs_f64(minutes * 60.0).ok();
    GroupFiles {
        whole: context.run.scores(slide, group),
        part: context.run.part(slide, group),
        every: every.filter(|_| minutes > 0.0),
    }
}

/// The attributes of a group's score file; times, memory and counts are still 0.
fn meta_of(
    context: &Context<'_>,
    scorer: &mut dyn Scorer,
    group: &Group<'_>,
    progress: &Progress,
) -> Result<ScoresMeta, PredictError> {
    let dense = scorer.dense_meta(context);
    let deviation = deviation(context, scorer, group)?;
    if let Some(found) = deviation {
        progress.note(&format!(
            "predict {}: {} against f32 on {} windows: largest difference {:.2e}, mean {:.2e}",
            group.name(),
            context.precision_name(),
            found.windows,
            found.max,
            found.mean
        ));
    }
    Ok(ScoresMeta {
        slide: group.slide.to_owned(),
        lineage: group.patches.meta().lineage.of_what_is_made(),
        group: group.number,
        stride_px: context.keys().stride,
        window_px: context.model.card.window_px,
        classes: context.model.card.classes.clone(),
        method: context.config.method_of(group.slide).name().to_owned(),
        activation: context.model.card.activation.name().to_owned(),
        engine: context.engine_name(),
        precision: context.precision_name().to_owned(),
        model_sha256: context.model.sha256.clone(),
        config_sha256: context.config.scores_sha256(),
        threads: u32::try_from(context.workers()).expect("no machine has 2^32 threads"),
        host: process::host(),
        processor: format!("{}: {}", process::processor(), process::instruction_sets()),
        libraries: hdf5_file::library(),
        batch: scorer.batch().and_then(|batch| batch.try_into().ok()),
        failed_patches: group.failed_patches(),
        normalize: colour::described(&context.config.config.normalize),
        dense,
        deviation,
        ..ScoresMeta::default()
    })
}
