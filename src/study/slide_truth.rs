//! The truth about one slide, and how much of it a heatmap has scores for.

use super::error::StudyError;
use super::request::{HeatmapSource, StudyRequest};
use crate::export::heatmap_h5::HeatmapMeta;
use crate::metrics::coverage::{Coverage, coverage};
use crate::metrics::lesions::{Lesions, evaluation_downsample};
use crate::metrics::raster::SampleGrid;
use crate::run_dir::known_slides;
use crate::truth::{self, SlideKind, Truth, TruthError};

/// How large a slide is.
pub(super) struct SlideGeometry {
    /// Level-0 px.
    width: f64,
    /// Level-0 px.
    height: f64,
    /// um per level-0 px.
    pub(super) mpp: f64,
    /// Level-0 px per working px.
    pub(super) downsample: f64,
}

impl SlideGeometry {
    pub(super) fn of_heatmap(
        request: &StudyRequest,
        slide: &SlideKind,
        meta: &HeatmapMeta,
    ) -> Result<Self, StudyError> {
        let stated = meta.mpp_x.map(|mpp| mpp / meta.downsample);
        let size = (meta.level0_width_px, meta.level0_height_px);
        Self::new(request, slide, Some((size, meta.downsample)), stated)
    }

    /// Of a slide that was split but has nothing to score.
    pub(super) fn of_record(
        request: &StudyRequest,
        source: &HeatmapSource,
        slide: &SlideKind,
    ) -> Result<Self, StudyError> {
        let records = known_slides(&source.run).unwrap_or_default();
        let record = records.into_iter().find(|record| record.name == slide.name);
        let record = record.unwrap_or_default();
        let size = record.level0_width.zip(record.level0_height).zip(record.downsample);
        Self::new(request, slide, size, record.mpp)
    }

    /// `size`: width and height, level-0 px, and the downsample of the working plane.
    fn new(
        request: &StudyRequest,
        slide: &SlideKind,
        size: Option<((u32, u32), f64)>,
        stated_mpp: Option<f64>,
    ) -> Result<Self, StudyError> {
        let wrong = |problem: &str| StudyError::Slide {
            slide: slide.name.clone(),
            problem: problem.to_owned(),
        };
        let ((width, height), downsample) =
            size.ok_or_else(|| wrong("slides.csv does not say its size; split it again"))?;
        let mpp = stated_mpp.or(request.mpp).ok_or_else(|| {
            wrong("its resolution, which lesions are measured by, is unknown; give --mpp, um per level-0 px")
        })?;
        Ok(Self { width: f64::from(width), height: f64::from(height), mpp, downsample })
    }

    /// The lattice of a heatmap of this stride, over the whole slide.
    pub(super) fn lattice(&self, stride_px: u32) -> SampleGrid {
        let pitch = f64::from(stride_px) * self.downsample;
        // As many points as there are strides begun; pixels() counts them alike.
        let SampleGrid { rows, cols, .. } = SampleGrid::pixels(self.width, self.height, pitch);
        SampleGrid::lattice(rows, cols, pitch)
    }
}

/// What is known of a slide's lesions.
pub(super) struct SlideTruth {
    /// As the evaluation counts them.
    pub(super) lesions: Lesions,
    /// As they were drawn; `None` without tumour.
    drawn: Option<Truth>,
}

impl SlideTruth {
    pub(super) fn read(
        request: &StudyRequest,
        slide: &SlideKind,
        geometry: &SlideGeometry,
    ) -> Result<Self, StudyError> {
        if !slide.is_tumor {
            return Ok(Self { lesions: Lesions::none(), drawn: None });
        }
        let path = truth::find(&request.truth, &slide.name).ok_or_else(|| TruthError::Invalid {
            path: request.truth.clone(),
            problem: format!(
                "no truth about {}, which is listed as having tumour; expected {0}.xml, .geojson, .json, .png or .tif",
                slide.name
            ),
        })?;
        let truth = Truth::read(&path, &request.keys.groups())?;
        let truth = truth.covering(geometry.width, geometry.height);
        let grid = SampleGrid::pixels(
            geometry.width,
            geometry.height,
            evaluation_downsample(geometry.mpp),
        );
        let mask = truth.raster(&grid).expect("an image covers its slide");
        let lesions = Lesions::find(&mask, grid, geometry.mpp, &request.keys.lesion_rules());
        Ok(Self { lesions, drawn: Some(truth) })
    }

    /// How much of each lesion has scores on a lattice, of which `is_scored` tells.
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
