//! Reads heatmaps and truth; one slide at a time, so that memory is a
//! heatmap's.

use ndarray::ArrayView2;

use super::cost::{SlideCost, slide_cost};
use super::{CostSource, Question, SettingOutcome, SlideOutcome, Source, TradeoffError};
use crate::config::{DetectionKey, StudyKeys};
use crate::export::heatmap_h5::{self, HeatmapMeta};
use crate::heatmap::Heatmap;
use crate::progress::Progress;
use crate::run_dir::{SlideStatus, known_slides};
use crate::study::detect::{Detection, PeakRules, RegionRules, by_peaks, by_regions};
use crate::study::features::{FeatureRules, features};
use crate::study::froc::SlideHits;
use crate::study::lesions::{Lesions, evaluation_downsample};
use crate::study::raster::Grid;
use crate::truth::{self, SlideKind, Truth, TruthError};

/// Detection thresholds when none is given.
pub(super) const REGIONS_ABOVE: f64 = 0.9;
pub(super) const MAXIMA_ABOVE: f64 = 0.5;

/// Measures every slide at every setting.
///
/// # Errors
/// [`TradeoffError`]; nothing is left out silently.
pub fn gather(
    question: &Question,
    progress: &Progress,
) -> Result<Vec<SettingOutcome>, TradeoffError> {
    let slides = present(question, progress)?;
    let mut settings: Vec<Vec<SettingOutcome>> = Vec::new();
    for source in &question.sources {
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
    for slide in slides {
        gather_slide(question, slide, &mut settings)?;
        task.advance(1);
    }
    Ok(settings.into_iter().flatten().collect())
}

/// The listed slides that have heatmaps in every source; an error, or a
/// warning, about the others.
fn present<'q>(
    question: &'q Question,
    progress: &Progress,
) -> Result<Vec<&'q SlideKind>, TradeoffError> {
    let mut slides: Vec<&SlideKind> = question.slides.iter().collect();
    for Source { run, .. } in &question.sources {
        let without_tissue: Vec<String> = known_slides(run)
            .unwrap_or_default()
            .into_iter()
            .filter(|record| record.status == SlideStatus::NoTissue)
            .map(|record| record.name)
            .collect();
        let is_there = |slide: &SlideKind| {
            run.heatmap(&slide.name, "h5").exists() || without_tissue.contains(&slide.name)
        };
        let missing: Vec<String> =
            slides.iter().filter(|slide| !is_there(slide)).map(|s| s.name.clone()).collect();
        if missing.is_empty() {
            continue;
        }
        let error = TradeoffError::NoHeatmap {
            run: run.root().to_owned(),
            listed: question.slides.len(),
            missing,
        };
        if !question.allow_missing {
            return Err(error);
        }
        progress.warn(&format!("warning: left out: {error}"));
        slides.retain(|slide| is_there(slide));
    }
    Ok(slides)
}

fn gather_slide(
    question: &Question,
    slide: &SlideKind,
    settings: &mut [Vec<SettingOutcome>],
) -> Result<(), TradeoffError> {
    // Lesions and the finest map are those of the source in question.
    let mut lesions: Option<Lesions> = None;
    let mut finest: Option<Heatmap> = None;
    for (source, settings) in question.sources.iter().zip(settings) {
        let path = source.run.heatmap(&slide.name, "h5");
        if !path.exists() {
            // Listed as without tissue: nothing was scored, nothing found.
            let sheet = Sheet::of_record(question, source, slide)?;
            let lesions = found_lesions(&mut lesions, question, slide, &sheet)?;
            settings.iter_mut().for_each(|setting| setting.slides.push(nothing(slide, lesions)));
            continue;
        }
        let (meta, score) = heatmap_h5::read_heatmap(&path)?;
        let map = Heatmap { score, stride_px: meta.stride_px };
        let sheet = Sheet::of_heatmap(question, slide, &meta)?;
        let lesions = found_lesions(&mut lesions, question, slide, &sheet)?;
        let cost = slide_cost(&source.run, &slide.name, !meta.missing_groups.is_empty());
        let place = Place { downsample: meta.downsample, mpp: sheet.mpp, cost };
        for setting in settings {
            setting.method.clone_from(&meta.method);
            let times = multiple(source, setting.stride_px, map.stride_px)?;
            let coarse = map.subsample(times);
            let mut outcome = outcome(&question.keys, slide, &place, &coarse, lesions);
            outcome.deviation = deviation(finest.as_ref().unwrap_or(&map), &coarse);
            if times > 1 {
                setting.cost = CostSource::Scaled;
            }
            setting.slides.push(outcome);
        }
        finest.get_or_insert(map);
    }
    Ok(())
}

fn multiple(source: &Source, stride_px: u32, found: u32) -> Result<u32, TradeoffError> {
    if stride_px.is_multiple_of(found) {
        return Ok(stride_px / found);
    }
    Err(TradeoffError::Stride { run: source.run.root().to_owned(), found, stride: stride_px })
}

/// How large a slide is.
struct Sheet {
    /// Level-0 px.
    width: f64,
    /// Level-0 px.
    height: f64,
    /// um per level-0 px.
    mpp: f64,
}

impl Sheet {
    fn of_heatmap(
        question: &Question,
        slide: &SlideKind,
        meta: &HeatmapMeta,
    ) -> Result<Self, TradeoffError> {
        let stated = meta.mpp_x.map(|mpp| mpp / meta.downsample);
        let size = (meta.level0_width_px, meta.level0_height_px);
        Self::new(question, slide, Some(size), stated)
    }

    /// Of a slide that was split but has nothing to score.
    fn of_record(
        question: &Question,
        source: &Source,
        slide: &SlideKind,
    ) -> Result<Self, TradeoffError> {
        let records = known_slides(&source.run).unwrap_or_default();
        let record = records.into_iter().find(|record| record.name == slide.name);
        let record = record.unwrap_or_default();
        let size = record.level0_width.zip(record.level0_height);
        Self::new(question, slide, size, record.mpp)
    }

    fn new(
        question: &Question,
        slide: &SlideKind,
        size: Option<(u32, u32)>,
        stated_mpp: Option<f64>,
    ) -> Result<Self, TradeoffError> {
        let wrong = |problem: &str| TradeoffError::Slide {
            slide: slide.name.clone(),
            problem: problem.to_owned(),
        };
        let (width, height) =
            size.ok_or_else(|| wrong("slides.csv does not say its size; split it again"))?;
        let mpp = stated_mpp.or(question.mpp).ok_or_else(|| {
            wrong("its resolution, which lesions are measured by, is unknown; give --mpp, um per level-0 px")
        })?;
        Ok(Self { width: f64::from(width), height: f64::from(height), mpp })
    }
}

/// The slide's lesions, looked for once.
fn found_lesions<'l>(
    lesions: &'l mut Option<Lesions>,
    question: &Question,
    slide: &SlideKind,
    sheet: &Sheet,
) -> Result<&'l Lesions, TradeoffError> {
    if lesions.is_none() {
        *lesions = Some(lesions_of(question, slide, sheet)?);
    }
    Ok(lesions.as_ref().expect("just found"))
}

fn lesions_of(
    question: &Question,
    slide: &SlideKind,
    sheet: &Sheet,
) -> Result<Lesions, TradeoffError> {
    if !slide.is_tumor {
        return Ok(Lesions::none());
    }
    let path = truth::find(&question.truth, &slide.name).ok_or_else(|| TruthError::Content {
        path: question.truth.clone(),
        problem: format!(
            "no truth about {}, which is listed as having tumour; expected {0}.xml, .geojson, .json, .png or .tif",
            slide.name
        ),
    })?;
    let truth = Truth::read(&path, &question.keys.groups())?.covering(sheet.width, sheet.height);
    let grid = Grid::pixels(sheet.width, sheet.height, evaluation_downsample(sheet.mpp));
    let mask = truth.raster(&grid).expect("an image covers its slide");
    Ok(Lesions::of(&mask, grid, sheet.mpp, &question.keys.lesion_rules()))
}

/// What a slide's settings share.
struct Place {
    /// Level-0 px per working px.
    downsample: f64,
    mpp: f64,
    cost: Option<SlideCost>,
}

fn outcome(
    keys: &StudyKeys,
    slide: &SlideKind,
    place: &Place,
    map: &Heatmap,
    lesions: &Lesions,
) -> SlideOutcome {
    let pitch_px = f64::from(map.stride_px) * place.downsample;
    let found = detect(keys, map.score.view(), pitch_px * place.mpp);
    let detections: Vec<Detection> = found
        .into_iter()
        .map(|of| Detection { x: of.x * pitch_px, y: of.y * pitch_px, ..of })
        .collect();
    let windows = map.scored() as u64;
    let core_s = place.cost.map(|cost| cost.core_s * windows as f64 / cost.windows as f64);
    let max = map.score.iter().copied().fold(f32::NAN, f32::max);
    let rules =
        FeatureRules { threshold: narrow(keys.feature_threshold), ..FeatureRules::default() };
    SlideOutcome {
        name: slide.name.clone(),
        is_tumor: slide.is_tumor,
        windows,
        core_s,
        max: if max.is_nan() { 0.0 } else { f64::from(max) },
        features: features(map.score.view(), &rules),
        hits: SlideHits::of(&detections, lesions),
        detections,
        deviation: (0.0, 0),
    }
}

fn nothing(slide: &SlideKind, lesions: &Lesions) -> SlideOutcome {
    SlideOutcome {
        name: slide.name.clone(),
        is_tumor: slide.is_tumor,
        windows: 0,
        core_s: Some(0.0),
        max: 0.0,
        features: [0.0; 30],
        detections: Vec::new(),
        hits: SlideHits::of(&[], lesions),
        deviation: (0.0, 0),
    }
}

/// Detections in lattice points, as the keys have it; `pitch_um` counts for
/// [`DetectionKey::Nms`] alone.
pub(crate) fn detect(
    keys: &StudyKeys,
    heatmap: ArrayView2<'_, f32>,
    pitch_um: f64,
) -> Vec<Detection> {
    match keys.detection {
        DetectionKey::Regions => {
            let rules = RegionRules {
                threshold: narrow(keys.detection_threshold.unwrap_or(REGIONS_ABOVE)),
                min_points: keys.region_min_points,
                score: keys.region_score,
                point: keys.region_place,
            };
            by_regions(heatmap, &rules)
        }
        DetectionKey::Nms => {
            let rules = PeakRules {
                threshold: narrow(keys.detection_threshold.unwrap_or(MAXIMA_ABOVE)),
                radius: PeakRules::points_of(keys.nms_radius_um, pitch_um),
                form: keys.nms_form,
            };
            by_peaks(heatmap, &rules)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "heatmaps are f32")]
fn narrow(threshold: f64) -> f32 {
    threshold as f32
}

/// Sum of absolute differences, and at how many points of `fine` both have one.
fn deviation(fine: &Heatmap, coarse: &Heatmap) -> (f64, u64) {
    let (s, t) = (fine.stride_px as usize, coarse.stride_px as usize);
    let (rows, cols) = coarse.score.dim();
    let nearest = |index: usize, count: usize| ((index * s + t / 2) / t).min(count - 1);
    let (mut sum, mut points) = (0.0, 0);
    if rows == 0 || cols == 0 {
        return (sum, points);
    }
    for ((row, col), &here) in fine.score.indexed_iter() {
        let there = coarse.score[[nearest(row, rows), nearest(col, cols)]];
        if !here.is_nan() && !there.is_nan() {
            sum += f64::from((here - there).abs());
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
    fn maps_are_compared_at_the_nearest_points() {
        let map = |score, stride_px| Heatmap { score, stride_px };
        let fine = map(arr2(&[[0.0, 0.25, 1.0, f32::NAN]]), 16);
        assert_eq!(deviation(&fine, &fine), (0.0, 3));
        // Points 0 and 32: 16 is nearer to neither, and goes right.
        assert_eq!(deviation(&fine, &fine.subsample(2)), (0.75, 3));
        assert_eq!(deviation(&fine, &map(arr2(&[[0.5]]), 64)), (0.5 + 0.25 + 0.5, 3));
        assert_eq!(deviation(&fine, &map(arr2(&[[f32::NAN]]), 64)), (0.0, 0));
    }
}
