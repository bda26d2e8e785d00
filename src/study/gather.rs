//! Reads heatmaps and truth and measures each slide at each setting. Slides are read one at a
//! time, so that the memory needed is that of a slide's heatmaps.

use std::collections::HashSet;

use super::cost::{SlideCost, slide_cost};
use super::detections::{detect, to_f32};
use super::error::StudyError;
use super::outcome::{CostSource, SettingOutcome, SlideOutcome, Unscored};
use super::request::{HeatmapSource, StudyRequest, records_of};
use super::slide_truth::{SlideGeometry, SlideTruth};
use crate::config::StudyKeys;
use crate::heatmap::Heatmap;
use crate::heatmap_h5;
use crate::metrics::detect::Detection;
use crate::metrics::features::{FeatureRules, features};
use crate::metrics::froc::SlideHits;
use crate::metrics::raster::SampleGrid;
use crate::progress::Progress;
use crate::run_dir::SlideStatus;
use crate::staged;
use crate::truth::SlideKind;

/// Measures every slide at every setting.
///
/// # Errors
/// [`StudyError`] if a heatmap or a truth file is missing or cannot be used. With
/// `allow_missing`, a slide without a heatmap is left out with a warning instead.
pub(crate) fn gather(
    request: &StudyRequest,
    progress: &Progress,
) -> Result<Vec<SettingOutcome>, StudyError> {
    let slides = slides_with_heatmaps(request, progress)?;
    let mut settings: Vec<Vec<SettingOutcome>> = Vec::new();
    for source in &request.sources {
        let setting = |&stride_px: &u32| SettingOutcome {
            source: source.name.clone(),
            method: String::new(),
            stride_px,
            cost: CostSource::Measured,
            slides: Vec::new(),
        };
        settings.push(source.strides.iter().map(setting).collect());
    }
    let task = progress.start("study", "slides", slides.len());
    let broken = broken_slides(request)?;
    for slide in slides {
        gather_slide(request, slide, &broken, &mut settings)?;
        task.advance(1);
    }
    Ok(settings.into_iter().flatten().collect())
}

/// The listed slides that have a heatmap in every source, or no tissue there. Other slides
/// are an error or, with `allow_missing`, a warning.
fn slides_with_heatmaps<'q>(
    request: &'q StudyRequest,
    progress: &Progress,
) -> Result<Vec<&'q SlideKind>, StudyError> {
    let mut slides: Vec<&SlideKind> = request.slides.iter().collect();
    for HeatmapSource { run, .. } in &request.sources {
        let without_tissue: Vec<String> = records_of(run)?
            .into_iter()
            .filter(|record| record.status == SlideStatus::NoTissue)
            .map(|record| record.name)
            .collect();
        let mut missing = Vec::new();
        for slide in &slides {
            if !staged::is_there(&run.heatmap(&slide.name, "h5"))?
                && !without_tissue.contains(&slide.name)
            {
                missing.push(slide.name.clone());
            }
        }
        if missing.is_empty() {
            continue;
        }
        let error = StudyError::NoHeatmap {
            run: run.root().to_owned(),
            listed: request.slides.len(),
            missing: missing.clone(),
        };
        if !request.allow_missing {
            return Err(error);
        }
        progress.warn(&format!("warning: left out: {error}"));
        slides.retain(|slide| !missing.contains(&slide.name));
    }
    Ok(slides)
}

/// For each source, the slides with patches that could not be decoded.
///
/// # Errors
/// [`StudyError`] if the slides of a source cannot be read.
fn broken_slides(request: &StudyRequest) -> Result<Vec<HashSet<String>>, StudyError> {
    let in_source = |source: &HeatmapSource| {
        let records = records_of(&source.run)?.into_iter();
        let broken = records.filter(|record| record.failed_patches.is_some_and(|n| n > 0));
        Ok(broken.map(|record| record.name).collect())
    };
    request.sources.iter().map(in_source).collect()
}

fn gather_slide(
    request: &StudyRequest,
    slide: &SlideKind,
    broken: &[HashSet<String>],
    settings: &mut [Vec<SettingOutcome>],
) -> Result<(), StudyError> {
    // The lesions, and the map that others are compared with, are those of the first source.
    let mut truth: Option<SlideTruth> = None;
    let mut finest: Option<Heatmap> = None;
    for ((source, settings), broken) in request.sources.iter().zip(settings).zip(broken) {
        let path = source.run.heatmap(&slide.name, "h5");
        if !staged::is_there(&path)? {
            // The slide has no tissue, so nothing was scored and nothing is detected.
            let geometry = SlideGeometry::from_record(request, source, slide)?;
            let truth = slide_truth(&mut truth, request, slide, &geometry)?;
            for setting in settings {
                setting.slides.push(unscored_outcome(
                    slide,
                    truth,
                    &geometry.lattice(setting.stride_px),
                ));
            }
            continue;
        }
        let (meta, score) = heatmap_h5::read_heatmap(&path)?;
        meta.check_named(&path)?;
        let map = Heatmap { score, stride_px: meta.stride_px };
        let geometry = SlideGeometry::from_heatmap(request, slide, &meta)?;
        let truth = slide_truth(&mut truth, request, slide, &geometry)?;
        let incomplete = !meta.missing_groups.is_empty();
        let cost = slide_cost(&source.run, &slide.name, incomplete);
        let unscored = match incomplete || broken.contains(&slide.name) {
            true => Unscored::Incomplete,
            false => Unscored::OutsideTissue,
        };
        let context = SlideContext { slide, geometry: &geometry, truth, cost, unscored };
        for setting in settings {
            setting.method.clone_from(&meta.method);
            let factor = stride_factor(source, setting.stride_px, map.stride_px)?;
            let coarse = map.subsample(factor);
            let mut outcome = outcome(&request.keys, &context, &coarse);
            outcome.deviation = deviation(finest.as_ref().unwrap_or(&map), &coarse);
            if factor > 1 {
                setting.cost = CostSource::Scaled;
            }
            setting.slides.push(outcome);
        }
        finest.get_or_insert(map);
    }
    Ok(())
}

fn stride_factor(source: &HeatmapSource, stride_px: u32, found: u32) -> Result<u32, StudyError> {
    if stride_px.is_multiple_of(found) {
        return Ok(stride_px / found);
    }
    Err(StudyError::Stride { run: source.run.root().to_owned(), found, stride: stride_px })
}

/// The truth about the slide, which is read at the first call.
fn slide_truth<'a>(
    truth: &'a mut Option<SlideTruth>,
    request: &StudyRequest,
    slide: &SlideKind,
    geometry: &SlideGeometry,
) -> Result<&'a SlideTruth, StudyError> {
    if truth.is_none() {
        *truth = Some(SlideTruth::read(request, slide, geometry)?);
    }
    Ok(truth.as_ref().expect("it was just read"))
}

/// What the settings of one source share for a slide.
struct SlideContext<'a> {
    slide: &'a SlideKind,
    geometry: &'a SlideGeometry,
    truth: &'a SlideTruth,
    cost: Option<SlideCost>,
    unscored: Unscored,
}

fn outcome(keys: &StudyKeys, context: &SlideContext<'_>, map: &Heatmap) -> SlideOutcome {
    let SlideContext { slide, geometry, truth, cost, unscored } = *context;
    let lattice = heatmap_lattice(map, geometry);
    let pitch_px = lattice.pitch[0];
    let found = detect(keys, map.score.view(), pitch_px * geometry.mpp);
    let detections: Vec<Detection> = found
        .into_iter()
        .map(|d| Detection { x: d.x * pitch_px, y: d.y * pitch_px, ..d })
        .collect();
    let windows = map.scored() as u64;
    let core_s = cost.map(|cost| cost.core_s * windows as f64 / cost.windows as f64);
    let max = map.score.iter().copied().fold(f32::NAN, f32::max);
    let coverage = truth.coverage(&lattice, |row, col| !map.score[[row, col]].is_nan());
    let rules =
        FeatureRules { threshold: to_f32(keys.feature_threshold), ..FeatureRules::default() };
    SlideOutcome {
        name: slide.name.clone(),
        is_tumor: slide.is_tumor,
        windows,
        core_s,
        max: if max.is_nan() { 0.0 } else { f64::from(max) },
        features: features(map.score.view(), &rules),
        hits: SlideHits::count(&detections, &truth.lesions).without_unscored(&coverage),
        lesions: truth.lesions.lesions.clone(),
        coverage,
        unscored,
        detections,
        deviation: (0.0, 0),
    }
}

/// The lattice of a heatmap, in level-0 px.
fn heatmap_lattice(map: &Heatmap, geometry: &SlideGeometry) -> SampleGrid {
    let (rows, cols) = map.score.dim();
    let side = |points: usize| u32::try_from(points).expect("a lattice is within a slide");
    SampleGrid::lattice(side(rows), side(cols), f64::from(map.stride_px) * geometry.downsample)
}

fn unscored_outcome(slide: &SlideKind, truth: &SlideTruth, lattice: &SampleGrid) -> SlideOutcome {
    SlideOutcome {
        name: slide.name.clone(),
        is_tumor: slide.is_tumor,
        windows: 0,
        core_s: Some(0.0),
        max: 0.0,
        features: [0.0; 30],
        detections: Vec::new(),
        hits: SlideHits::count(&[], &truth.lesions),
        lesions: truth.lesions.lesions.clone(),
        coverage: truth.coverage(lattice, |_, _| false),
        unscored: Unscored::NoTissue,
        deviation: (0.0, 0),
    }
}

/// Compares each point of `fine` with the nearest point of `coarse`. Returns the sum of the
/// absolute differences, and the number of points at which both maps have a score.
fn deviation(fine: &Heatmap, coarse: &Heatmap) -> (f64, u64) {
    let (s, t) = (fine.stride_px as usize, coarse.stride_px as usize);
    let (rows, cols) = coarse.score.dim();
    let nearest = |index: usize, count: usize| ((index * s + t / 2) / t).min(count - 1);
    let (mut sum, mut points) = (0.0, 0);
    if rows == 0 || cols == 0 {
        return (sum, points);
    }
    for ((row, col), &fine_score) in fine.score.indexed_iter() {
        let coarse_score = coarse.score[[nearest(row, rows), nearest(col, cols)]];
        if !fine_score.is_nan() && !coarse_score.is_nan() {
            sum += f64::from((fine_score - coarse_score).abs());
            points += 1;
        }
    }
    (sum, points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn heatmaps_are_compared_at_the_nearest_points() {
        let map = |score, stride_px| Heatmap { score, stride_px };
        let fine = map(arr2(&[[0.0, 0.25, 1.0, f32::NAN]]), 16);
        assert_eq!(deviation(&fine, &fine), (0.0, 3));
        // The coarse points are at 0 and 32. The point at 16 is as near to both and takes 32.
        assert_eq!(deviation(&fine, &fine.subsample(2)), (0.75, 3));
        assert_eq!(deviation(&fine, &map(arr2(&[[0.5]]), 64)), (0.5 + 0.25 + 0.5, 3));
        assert_eq!(deviation(&fine, &map(arr2(&[[f32::NAN]]), 64)), (0.0, 0));
    }
}
