//! The truth about one slide, and how much of each lesion a heatmap has scores for.

use std::path::Path;

use super::error::StudyError;
use super::request::{HeatmapSource, StudyRequest, records_of};
use crate::heatmap_h5::HeatmapMeta;
use crate::metrics::coverage::{Coverage, coverage};
use crate::metrics::lesions::{Lesions, evaluation_downsample};
use crate::metrics::raster::SampleGrid;
use crate::study::truth_file::read_truth;
use crate::truth::{SlideKind, Truth, TruthError};

/// Size and resolution of a slide.
pub(super) struct SlideGeometry {
    /// Width, level-0 px.
    width: f64,
    /// Height, level-0 px.
    height: f64,
    /// Micrometres per level-0 px.
    pub(super) mpp: f64,
    /// Level-0 px per working px.
    pub(super) downsample: f64,
    /// Where files of truth begin to count that leave this open; x and y, level-0 px.
    start_px: [f64; 2],
}

impl SlideGeometry {
    pub(super) fn from_heatmap(
        request: &StudyRequest,
        slide: &SlideKind,
        meta: &HeatmapMeta,
    ) -> Result<Self, StudyError> {
        let stated = meta.mpp_x.map(|mpp| mpp / meta.downsample);
        let size = KnownSize {
            width_px: meta.level0_width_px,
            height_px: meta.level0_height_px,
            downsample: meta.downsample,
            bounds_px: meta.lineage.bounds_px,
        };
        Self::new(request, slide, Some(size), stated)
    }

    /// The geometry of a slide without tissue, from its row of `slides.csv`.
    pub(super) fn from_record(
        request: &StudyRequest,
        source: &HeatmapSource,
        slide: &SlideKind,
    ) -> Result<Self, StudyError> {
        let records = records_of(&source.run)?;
        let record = records.into_iter().find(|record| record.name == slide.name);
        let record = record.unwrap_or_default();
        let size = record.level0_width.zip(record.level0_height).zip(record.downsample);
        let size = size.map(|((width_px, height_px), downsample)| KnownSize {
            width_px,
            height_px,
            downsample,
            bounds_px: record.bounds_px(),
        });
        Self::new(request, slide, size, record.mpp)
    }

    fn new(
        request: &StudyRequest,
        slide: &SlideKind,
        size: Option<KnownSize>,
        stated_mpp: Option<f64>,
    ) -> Result<Self, StudyError> {
        let error = |problem: &str| StudyError::Slide {
            slide: slide.name.clone(),
            problem: problem.to_owned(),
        };
        let KnownSize { width_px, height_px, downsample, bounds_px } = size.ok_or_else(|| {
            error("slides.csv does not give the slide's size; split the slide again")
        })?;
        let mpp = stated_mpp.or(request.mpp).ok_or_else(|| {
            error("the slide's resolution is unknown, but lesions are measured in um; give --mpp, um per level-0 px")
        })?;
        let start_px = request.origin.start_px(bounds_px);
        let (width, height) = (f64::from(width_px), f64::from(height_px));
        Ok(Self { width, height, mpp, downsample, start_px })
    }

    /// The problem of a slide that is listed as having tumor and shows none.
    fn beside(&self, slide: &str, truth: &Truth) -> String {
        let reach = match (truth, truth.extent()) {
            (Truth::Outlines(outlines), Some([x, y])) if !outlines.is_empty() => {
                format!("the outlines reach to ({x:.0}, {y:.0})")
            }
            _ => "it holds no lesion".to_owned(),
        };
        format!(
            "no lesion of {slide}, which is listed as having tumor, lies on the slide of {} x {} level-0 px: {reach}; are they in level-0 px, and of this slide?",
            self.width, self.height
        )
    }

    /// The lattice of a heatmap of this stride, over the whole slide.
    pub(super) fn lattice(&self, stride_px: u32) -> SampleGrid {
        let pitch = f64::from(stride_px) * self.downsample;
        // The lattice has as many points as pixels() has pixels of this pitch, the last one
        // of which may be cut by the slide's edge.
        let SampleGrid { rows, cols, .. } = SampleGrid::pixels(self.width, self.height, pitch);
        SampleGrid::lattice(rows, cols, pitch)
    }
}

/// What is known of the size of a slide.
struct KnownSize {
    /// At level 0.
    width_px: u32,
    /// At level 0.
    height_px: u32,
    /// That of the working plane.
    downsample: f64,
    /// Where the scanned area begins.
    bounds_px: Option<[u32; 2]>,
}

/// Refuses lesions in the truth that is named for a slide without tumor.
fn require_none(request: &StudyRequest, slide: &SlideKind, path: &Path) -> Result<(), StudyError> {
    let truth = Truth::read(path, &request.keys.groups(), [0.0; 2])?.truth;
    let has_lesion = match &truth {
        Truth::Outlines(outlines) => outlines.iter().any(|outline| !outline.excludes),
        Truth::Image(labels, _) => labels.iter().any(|&label| label != 0),
    };
    if !has_lesion {
        return Ok(());
    }
    let problem = format!(
        "the truth of {}, which is labelled normal, holds lesions; correct the label or the truth in slides.label_of and slides.truth_of (the manifest)",
        slide.name
    );
    Err(TruthError::invalid(path, problem).into())
}

/// The lesions of a slide.
pub(super) struct SlideTruth {
    /// The lesions as the evaluation counts them: annotations that lie close together are one.
    pub(super) lesions: Lesions,
    /// The annotations as they were drawn; `None` if the slide has no tumor.
    drawn: Option<Truth>,
}

impl SlideTruth {
    pub(super) fn read(
        request: &StudyRequest,
        slide: &SlideKind,
        geometry: &SlideGeometry,
    ) -> Result<Self, StudyError> {
        let named = request.truth.of_slide.get(&slide.name);
        if !slide.is_tumor {
            if let Some(path) = named {
                require_none(request, slide, path)?;
            }
            return Ok(Self { lesions: Lesions::none(), drawn: None });
        }
        let path = request.truth.find(&slide.name)?.ok_or_else(|| TruthError::Invalid {
            path: request.truth.place(),
            problem: format!(
                "no truth about {}, which is listed as having tumor; expected {0}.xml, .geojson, .json, .png or .tif",
                slide.name
            ),
        })?;
        let truth = read_truth(&path, &request.keys.groups(), geometry.start_px)?;
        let truth = truth.covering(&path, geometry.width, geometry.height)?;
        if !truth.touches(geometry.width, geometry.height) {
            return Err(TruthError::invalid(&path, geometry.beside(&slide.name, &truth)).into());
        }
        let grid = SampleGrid::pixels(
            geometry.width,
            geometry.height,
            evaluation_downsample(geometry.mpp),
        );
        let mask = truth.raster(&grid).expect("an image covers its slide");
        let lesions = Lesions::find(&mask, grid, geometry.mpp, &request.keys.lesion_rules());
        Ok(Self { lesions, drawn: Some(truth) })
    }

    /// How much of each lesion is scored. `is_scored` says whether the point of `lattice` at a
    /// row and column has a score.
    pub(super) fn coverage(
        &self,
        lattice: &SampleGrid,
        is_scored: impl Fn(usize, usize) -> bool,
    ) -> Vec<Coverage> {
        let Some(truth) = &self.drawn else { return Vec::new() };
        let drawn = truth.raster(lattice).expect("an image covers its slide");
        coverage(&self.lesions, &drawn, lattice, is_scored)
    }
}
