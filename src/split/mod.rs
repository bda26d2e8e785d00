//! Splits a slide into patches: the stage `split`, which finds tissue and writes
//! `patches/<slide>.h5` and `masks/<slide>.png`.

mod canvas;
mod colour;
mod coords;
mod error;
mod interrupted;
mod marker;
mod outcome;
mod stopping;
mod store;
mod superblock;
mod tissue;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::config::{RunConfig, TargetMpp};
use crate::damage::{self, Watched};
use crate::export::png;
use crate::geometry::{BlockPlan, WorkingPlane};
use crate::identity::SlideIdentity;
use crate::number::counted;
use crate::patches::{PatchesFile, PatchesMeta, SlideColours};
use crate::process;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord, SlideStatus};
use crate::slide::{self, IccOutcome, MppSource, PlaneReader};
use crate::staged::{self, StageError};
use crate::threads::Workers;

use colour::Sampler;
use coords::{with_coords, without_coords};
pub(crate) use error::SplitError;
use marker::Marker;
pub(crate) use marker::{forget_deaths, suspects};
use outcome::{SplitOutcome, millis};
use stopping::StoppingSlide;

/// Longest side of the thumbnail that is stored with the patches.
const THUMBNAIL_PX: u32 = 2048;

/// How much of a split is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Tissue is found and drawn: `masks/<slide>.png`, and `masks/tiles/<slide>.png` with one
    /// pixel per tile (255 = tissue), which can be edited and used as `tissue.mask`. The
    /// slide's status stays `waiting`.
    Masks,
    /// The patches are stored as well.
    Patches,
}

/// A slide after [`split_slide`].
#[derive(Debug)]
pub(crate) struct SplitEnd {
    /// The slide's row of `slides.csv`.
    pub record: SlideRecord,
    /// Why the slide has no patches; `None` if it has, or if it has no tissue. The record
    /// holds the same in words.
    pub error: Option<SplitError>,
}

impl From<SlideRecord> for SplitEnd {
    fn from(record: SlideRecord) -> Self {
        Self { record, error: None }
    }
}

/// Splits a slide, unless its patches are stored already, and writes the outcome to the run.
///
/// The result holds the outcome, a failure included. After an interruption the slide's status is
/// still `waiting`.
///
/// # Errors
/// [`StageError`] if the outcome cannot be written.
pub(crate) fn split_slide(
    run: &RunDir,
    config: &RunConfig,
    record: &SlideRecord,
    extent: Extent,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<SplitEnd, StageError> {
    let (started, cpu_s) = (Instant::now(), process::cpu_s());
    let mut outcome = SlideRecord {
        name: record.name.clone(),
        path: record.path.clone(),
        ..SlideRecord::default()
    };
    let (mut failure, mut has_new_patches) = (None, false);
    match finished(run, config, record, progress) {
        Ok(Some(done)) => {
            if extent == Extent::Masks && !staged::is_there(&run.mask_tiles(&record.name))? {
                tissue::write_tiles_of(run, &record.name).unwrap_or_else(|error| {
                    progress.warn(&format!("warning: {}: {error}", record.name));
                });
            }
            let outcome = with_coords(run, config, without_coords(done.clone()), false);
            if outcome != done {
                outcome.write(run)?;
            }
            return Ok(outcome.record.into());
        }
        Ok(None) => {
            outcome.started_unix_s = Some(millis(process::unix_s()));
            let done = Marker::begin(run, record).and_then(|marker| {
                if marker.was_cut_off {
                    progress.note(&format!(
                        "split {}: an earlier try was cut off while it read this slide (a limit of time or memory, or a lost node?)",
                        record.name
                    ));
                }
                split(run, config, &mut outcome, extent, workers, progress)
            });
            match done {
                // Reads fail after a signal, so an error may be due to that alone.
                Err(_) if workers.interrupt.requested().is_some() => {
                    let signal = workers.interrupt.requested().unwrap_or_default();
                    let error = SplitError::Interrupted { signal };
                    let record = SlideRecord { reason: error.to_string(), ..record.clone() };
                    return Ok(SplitEnd { record, error: Some(error) });
                }
                Ok(()) if extent == Extent::Masks => {}
                Ok(()) => {
                    damage::clear(&run.patches(&record.name));
                    has_new_patches = true;
                }
                Err(error) => failure = Some(error),
            }
        }
        // The outcome on disk still describes the patches, so it is not overwritten.
        Err(error) if error.leaves_outcome() => {
            let (status, reason) = (SlideStatus::Failed, error.to_string());
            let record = SlideRecord { status, reason, ..outcome };
            return Ok(SplitEnd { record, error: Some(error) });
        }
        Err(error) => failure = Some(error),
    }
    if let Some(error) = &failure {
        outcome.status = SlideStatus::Failed;
        outcome.reason = error.to_string();
    }
    let mut outcome = SplitOutcome::from(outcome);
    if has_new_patches {
        outcome = with_coords(run, config, outcome, true);
    }
    let record = &mut outcome.record;
    if record.status != SlideStatus::Waiting {
        record.split_s = Some(millis(started.elapsed().as_secs_f64()));
        record.split_threads = Some(workers.pool.current_num_threads());
        record.split_cpu_s = Some(millis(process::cpu_s() - cpu_s));
    }
    outcome.write(run)?;
    Ok(SplitEnd { record: outcome.record, error: failure })
}

/// The outcome of an earlier split; `None` if there are no usable patches. A damaged patch file
/// is set aside.
fn finished(
    run: &RunDir,
    config: &RunConfig,
    record: &SlideRecord,
    progress: &Progress,
) -> Result<Option<SplitOutcome>, SplitError> {
    let path = run.patches(&record.name);
    if !staged::is_there(&path)? {
        return Ok(None);
    }
    let watched = Watched::patches(run, &record.name);
    let meta = match PatchesFile::open(&path) {
        Ok(file) => {
            file.check_slide(&record.name)?;
            file.meta().clone()
        }
        Err(error) => {
            let set_aside = watched.note(&error, "split").ok_or(error)?;
            progress.warn(&format!("warning: {set_aside}"));
            return Ok(None);
        }
    };
    if meta.legacy {
        // The user put patches of the original code here; they are never overwritten.
        return Ok(Some(stored_by_hand(record, &meta).into()));
    }
    if meta.config_sha256 != config.patches_sha256() {
        return Err(SplitError::OtherConfig {
            path,
            found: meta.config_sha256,
            expected: config.patches_sha256(),
        });
    }
    let known = SplitOutcome::read(run, &record.name)?;
    let Some(known) = known.filter(|outcome| outcome.record.status != SlideStatus::Failed) else {
        return Ok(None);
    };
    if let Some(change) = known.record.change(&record.path) {
        let (path, redo) = (record.path.clone(), run.redo_afresh(&record.name));
        return Err(SplitError::Changed { path, change, redo });
    }
    check_given(config, &known.record, path)?;
    Ok(Some(known))
}

/// Checks that the configured resolution and tissue settings of a slide are those of its
/// patches.
fn check_given(config: &RunConfig, record: &SlideRecord, path: PathBuf) -> Result<(), SplitError> {
    let slides = &config.config.slides;
    let for_all = slides.mpp.filter(|_| record.mpp_source == MppSource::User.to_string());
    let given = slides.mpp_of.get(&record.name).copied().or(for_all);
    let settings = slides.tissue_settings(&record.name);
    let name = record.name.clone();
    if settings != record.tissue_settings {
        let found = record.tissue_settings.clone();
        return Err(SplitError::OtherTissue { path, name, found, expected: settings });
    }
    match (given, record.mpp) {
        (Some(expected), Some(found)) if (found / expected - 1.0).abs() > 1e-6 => {
            Err(SplitError::OtherMpp { path, name, found, expected })
        }
        _ => Ok(()),
    }
}

/// The outcome of a slide whose patches the original code made.
fn stored_by_hand(record: &SlideRecord, meta: &PatchesMeta) -> SlideRecord {
    SlideRecord {
        name: record.name.clone(),
        path: record.path.clone(),
        status: SlideStatus::Done,
        reader: meta.writer.clone(),
        width: Some(meta.width_px),
        height: Some(meta.height_px),
        patches: Some(meta.patches),
        groups: Some(meta.groups),
        ..SlideRecord::default()
    }
}

fn split(
    run: &RunDir,
    config: &RunConfig,
    outcome: &mut SlideRecord,
    extent: Extent,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<(), SplitError> {
    let path = outcome.path.clone();
    let opened = open(config, &path, outcome, progress)?;
    let slide = StoppingSlide::new(opened.as_ref(), workers.interrupt);
    // The identity is taken before any pixel is read, so that a change during the split is noticed.
    if let Ok(identity) = SlideIdentity::read(&path) {
        outcome.set_identity(&identity);
    }
    let plane = working_plane(config, &slide, outcome)?;
    let tiling = config.tiling();
    if plane.width_px.min(plane.height_px) < tiling.window_px() {
        return Err(SplitError::TooSmall {
            path,
            width_px: plane.width_px,
            height_px: plane.height_px,
            downsample: plane.downsample,
            window_px: tiling.window_px(),
        });
    }
    let reader = PlaneReader::new(&slide, plane);
    outcome.tissue_settings = config.config.slides.tissue_settings(&outcome.name);
    let found = tissue::find(config, &reader, outcome, workers.pool);
    slide.check()?;
    let found = found?;
    tissue::note(outcome, &found);
    let plan = BlockPlan::new(tiling, found.mask.mask.clone());
    let overview = slide::overview(&slide, THUMBNAIL_PX);
    slide.check()?;
    let overview = overview.map_err(|source| SplitError::Unreadable { path, source })?;
    tissue::write_picture(run, outcome, &overview.rgb, &found, &plane, &plan)?;
    run_dir::record_files(run, &outcome.name, &[run.mask_png(&outcome.name)])?;
    if extent == Extent::Masks {
        png::write_mask_tiles(&run.mask_tiles(&outcome.name), found.mask.mask.view())?;
        if found.mask.tissue_tiles == 0 {
            outcome.note =
                format!("{}; {}", tissue::none_found(&outcome.name, &found), outcome.note);
        }
        return Ok(());
    }
    let method = config.config.normalize.method.method();
    let sampler = method.map(|method| Sampler::new(method, &plan, &plane));
    let inputs = store::StoreInputs {
        run,
        config,
        outcome,
        plane: &plane,
        slide: &slide,
        reader: &reader,
        plan: &plan,
    };
    let mut stored = store::store(&inputs, &found, &overview.rgb, sampler, workers, progress)?;
    outcome.patches = Some(plan.patches().len());
    outcome.groups = Some(stored.groups);
    outcome.failed_patches = Some(stored.failures.len());
    if !config.config.normalize.needs_slide_estimate() {
        // A failed estimate does not matter to this run.
        stored.colours = stored.colours.filter(|colours| colours.estimate.is_ok());
    }
    (outcome.status, outcome.reason) = verdict(&outcome.name, &found, &stored);
    Ok(())
}

/// Opens the slide; with `[normalize] icc` its colour profile is applied.
fn open(
    config: &RunConfig,
    path: &Path,
    outcome: &mut SlideRecord,
    progress: &Progress,
) -> Result<Box<dyn slide::Slide>, SplitError> {
    let mut slide = slide::open(path)?;
    if config.config.normalize.icc {
        let (corrected, icc) = slide::through_icc(slide);
        slide = corrected;
        outcome.icc = icc.to_string();
        if !matches!(icc, IccOutcome::Applied { .. }) {
            progress.warn(&format!("warning: {}: colour profile {icc}", path.display()));
        }
    }
    outcome.reader = slide.reader();
    Ok(slide)
}

/// Plans the working plane, and records it and the slide's resolution in `outcome`.
fn working_plane(
    config: &RunConfig,
    slide: &dyn slide::Slide,
    outcome: &mut SlideRecord,
) -> Result<WorkingPlane, SplitError> {
    let level0 = slide.levels()[0];
    let slides = &config.config.slides;
    let given = slides.mpp_of.get(&outcome.name).copied();
    let known = slide::slide_mpp(slide.path(), slide.resolution(), given).or_else(|unknown| {
        match slides.mpp {
            Some(mpp) => slide::slide_mpp(slide.path(), slide.resolution(), Some(mpp)),
            None => Err(unknown),
        }
    });
    let mpp = match (known, config.resolved.mpp) {
        (Ok(mpp), _) => Some(mpp),
        // At level 0 the resolution is recorded if known, but not needed.
        (Err(_), TargetMpp::Level0) => None,
        (Err(error), TargetMpp::Um(_)) => return Err(error.into()),
    };
    let plane = WorkingPlane::plan(
        level0.width_px,
        level0.height_px,
        mpp.as_ref().map(slide::SlideMpp::axes),
        config.resolved.mpp,
    )
    .and_then(|plane| match config.config.model.mpp_force {
        true => Ok(plane),
        false => plane.check_upsampling().map(|()| plane),
    })
    .map_err(|source| SplitError::Plane { path: slide.path().to_owned(), source })?;
    outcome.mpp = mpp.as_ref().map(slide::SlideMpp::mean);
    outcome.mpp_source = mpp.map_or(String::new(), |m| m.source.to_string());
    outcome.width = Some(plane.width_px);
    outcome.height = Some(plane.height_px);
    outcome.level0_width = Some(plane.level0_width_px);
    outcome.level0_height = Some(plane.level0_height_px);
    outcome.downsample = Some(plane.downsample);
    outcome.bounds_x = slide.bounds_px().map(|[x, _]| x);
    outcome.bounds_y = slide.bounds_px().map(|[_, y]| y);
    Ok(plane)
}

fn verdict(
    name: &str,
    found: &tissue::FoundTissue,
    stored: &store::Stored,
) -> (SlideStatus, String) {
    if found.mask.tissue_tiles == 0 {
        return (SlideStatus::NoTissue, tissue::none_found(name, found));
    }
    let mut problems = Vec::new();
    if let Some(first) = stored.failures.first() {
        let patches = counted(stored.failures.len(), "patch", "patches");
        problems.push(format!("{patches} could not be decoded, first: {first}"));
    }
    if let Some(SlideColours { method, estimate: Err(reason) }) = &stored.colours {
        problems.push(format!(
            "its colours cannot be estimated by {method}: {reason}; [normalize] on_failure decides what happens to its patches"
        ));
    }
    problems.extend(tissue::unseen(found));
    if problems.is_empty() {
        (SlideStatus::Done, String::new())
    } else {
        (SlideStatus::Partial, problems.join("; "))
    }
}
