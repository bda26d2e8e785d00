//! Names, types and attributes of a heatmap file.

use std::path::Path;

use ndarray::ArrayView2;

use crate::hdf5_file::{Attributes, FormatError, Lineage, check_header, put_header};
use crate::number::GroupNumber;
use crate::scores::{CascadeMeta, DenseMeta, PrecisionMeta, impossible};

/// The `format` attribute.
pub const FORMAT: &str = "slidegrid-heatmap";
/// The version that this program writes, and the newest that it reads.
pub const VERSION: i64 = 2;

pub(crate) const SCORE: &str = "score";
pub(crate) const CLASSES: &str = "classes";
/// Side of a compressed chunk, points; a chunk is 256 KiB of scores.
pub(crate) const CHUNK: usize = 256;

/// The root attributes of a heatmap file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatmapMeta {
    /// The slide's name.
    pub slide: String,
    /// Distance between lattice points, working px; attribute `stride`.
    pub stride_px: u32,
    /// Side of the network's window, working px; attribute `window`.
    pub window_px: u32,
    /// Level-0 px per working px.
    pub downsample: f64,
    /// Micrometres per working px along x; NaN in the file when unknown.
    pub mpp_x: Option<f64>,
    /// Micrometres per working px along y; NaN in the file when unknown.
    pub mpp_y: Option<f64>,
    /// Width of the working plane, px.
    pub width_px: u32,
    /// Height of the working plane, px.
    pub height_px: u32,
    /// Width of the slide at level 0, px.
    pub level0_width_px: u32,
    /// Height of the slide at level 0, px.
    pub level0_height_px: u32,
    /// Groups whose scores were missing when the heatmap was made.
    pub missing_groups: Vec<GroupNumber>,
    /// Class names, in the order of the model's outputs.
    pub classes: Vec<String>,
    /// The class that `score` shows, an index into `classes`.
    pub positive: u32,
    /// `window`, `dense` or `cascade`.
    pub method: String,
    /// The card's activation, which tells what scores can be: `softmax`, `sigmoid` or `none`;
    /// empty in older files.
    pub activation: String,
    /// The engine that ran the network.
    pub engine: String,
    /// The number type in which the network ran.
    pub precision: String,
    /// How far the scores lie from those in f32, over all groups; `None` when the network
    /// ran in f32.
    pub deviation: Option<PrecisionMeta>,
    /// SHA-256 of the model file, in hex.
    pub model_sha256: String,
    /// SHA-256 of the run's configuration, in hex.
    pub config_sha256: String,
    /// Number of windows scored, over all groups.
    pub windows: u64,
    /// The method of colour normalization; empty when colours were not normalized.
    pub normalize: String,
    /// Number of patches whose stains could not be estimated, over all groups.
    pub unnormalized_patches: u64,
    /// The measured errors of the method `dense`, over all groups. Set on reading; written
    /// by `HeatmapWriter::write_method_errors`.
    pub dense: Option<DenseMeta>,
    /// The measured errors of the method `cascade`, over all groups. Set on reading;
    /// written by `HeatmapWriter::write_method_errors`.
    pub cascade: Option<CascadeMeta>,
    /// The slide's file, the patches, and the file's `id`.
    pub lineage: Lineage,
    /// Hash over the `id` of each score file, in the order of the groups; empty in files of
    /// version 1.
    pub scores_id: String,
    /// Name and version of the program that wrote the file. Set on reading.
    pub writer: String,
}

impl HeatmapMeta {
    /// The engines, with `; ` between them, if groups were scored by several.
    pub(crate) fn several_engines(&self) -> Option<&str> {
        Some(self.engine.as_str()).filter(|engine| engine.contains("; "))
    }

    /// Why the heatmap is partial although no group is missing: the reason why the
    /// cascade's audit does not hold. `None` when there is no such reason.
    pub fn audit_failure(&self) -> Option<String> {
        self.cascade.as_ref().and_then(|cascade| cascade.audit_failure(self.windows))
    }

    /// Refuses a heatmap of another slide than the one its file is named after.
    ///
    /// # Errors
    /// [`FormatError::OtherSlide`] that names both.
    pub fn check_named(&self, path: &Path) -> Result<(), FormatError> {
        let named = path.file_stem().unwrap_or_default().to_string_lossy();
        FormatError::check_slide(path, &self.slide, &named)
    }

    /// (rows, columns) of the heatmap: the number of lattice points of the working plane.
    pub fn shape(&self) -> (usize, usize) {
        let points = |px: u32| px.div_ceil(self.stride_px.max(1)) as usize;
        (points(self.height_px), points(self.width_px))
    }

    /// Checks that each of `scores`, `[row, col]`, whose first row is row `first` of the heatmap,
    /// is NaN (not scored) or a score that the network can give.
    pub(crate) fn check_scores(
        &self,
        path: &Path,
        first: usize,
        scores: ArrayView2<'_, f32>,
    ) -> Result<(), FormatError> {
        let scored = scores.indexed_iter().filter(|(_, score)| !score.is_nan());
        let bad = scored
            .map(|(at, &score)| (at, score, impossible(&self.activation, score)))
            .find_map(|(at, score, expected)| Some((at, score, expected?)));
        let Some(((row, col), score, expected)) = bad else { return Ok(()) };
        let row = first + row;
        let problem = format!(
            "the score at row {row}, col {col} is {score}, expected {expected}, or NaN where nothing was scored; delete the file and run `slidegrid stitch` again"
        );
        Err(FormatError::invalid(path, problem))
    }

    pub(super) fn check(&self, path: &Path) -> Result<(), FormatError> {
        let (rows, cols) = self.shape();
        if self.stride_px == 0 || rows == 0 || cols == 0 {
            let problem = format!(
                "stride {}, plane {} x {} px, expected each at least 1",
                self.stride_px, self.width_px, self.height_px
            );
            return Err(FormatError::invalid(path, problem));
        }
        if self.positive as usize >= self.classes.len() {
            let problem = format!(
                "positive class is {}, expected less than {} classes",
                self.positive,
                self.classes.len()
            );
            return Err(FormatError::invalid(path, problem));
        }
        Ok(())
    }

    pub(super) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        put_header(attributes, FORMAT, VERSION)?;
        self.lineage.write_attributes(attributes)?;
        if !self.activation.is_empty() {
            attributes.put_str("activation", &self.activation)?;
        }
        if !self.scores_id.is_empty() {
            attributes.put_str("scores_id", &self.scores_id)?;
        }
        for (name, value) in [
            ("slide", &self.slide),
            ("method", &self.method),
            ("engine", &self.engine),
            ("precision", &self.precision),
            ("model_sha256", &self.model_sha256),
            ("config_sha256", &self.config_sha256),
        ] {
            attributes.put_str(name, value)?;
        }
        for (name, value) in [
            ("stride", self.stride_px),
            ("window", self.window_px),
            ("width", self.width_px),
            ("height", self.height_px),
            ("level0_width", self.level0_width_px),
            ("level0_height", self.level0_height_px),
            ("positive", self.positive),
        ] {
            attributes.put_i64(name, i64::from(value))?;
        }
        attributes.put_f64("downsample", self.downsample)?;
        attributes.put_f64_or_nan("mpp_x", self.mpp_x)?;
        attributes.put_f64_or_nan("mpp_y", self.mpp_y)?;
        let missing: Vec<i64> =
            self.missing_groups.iter().map(|group| i64::from(group.get())).collect();
        attributes.put_i64s("missing_groups", &missing)?;
        attributes.put_strs("classes", &self.classes)?;
        if !self.normalize.is_empty() {
            attributes.put_str("normalize", &self.normalize)?;
            attributes.put_u64("unnormalized_patches", self.unnormalized_patches)?;
        }
        if let Some(deviation) = &self.deviation {
            deviation.write_attributes(attributes)?;
        }
        attributes.put_u64("windows", self.windows)
    }

    pub(crate) fn read_attributes(attributes: &Attributes<'_>) -> Result<Self, FormatError> {
        let writer = check_header(attributes, FORMAT, VERSION)?;
        let normalized = attributes.contains("normalize")?;
        let unnormalized = if normalized { attributes.u64("unnormalized_patches")? } else { 0 };
        let meta = Self {
            lineage: Lineage::read_attributes(attributes)?,
            scores_id: match attributes.contains("scores_id")? {
                true => attributes.str("scores_id")?,
                false => String::new(),
            },
            normalize: if normalized { attributes.str("normalize")? } else { String::new() },
            unnormalized_patches: unnormalized,
            slide: attributes.str("slide")?,
            stride_px: attributes.u32("stride", 1)?,
            window_px: attributes.u32("window", 1)?,
            downsample: attributes.positive("downsample")?,
            mpp_x: attributes.f64_or_nan("mpp_x")?,
            mpp_y: attributes.f64_or_nan("mpp_y")?,
            width_px: attributes.u32("width", 1)?,
            height_px: attributes.u32("height", 1)?,
            level0_width_px: attributes.u32("level0_width", 1)?,
            level0_height_px: attributes.u32("level0_height", 1)?,
            missing_groups: missing_groups(attributes)?,
            classes: attributes.strs("classes")?,
            positive: attributes.u32("positive", 0)?,
            method: attributes.str("method")?,
            activation: match attributes.contains("activation")? {
                true => attributes.str("activation")?,
                false => String::new(),
            },
            engine: attributes.str("engine")?,
            precision: attributes.str("precision")?,
            deviation: PrecisionMeta::read_attributes(attributes)?,
            model_sha256: attributes.str("model_sha256")?,
            config_sha256: attributes.str("config_sha256")?,
            windows: attributes.u64("windows")?,
            dense: DenseMeta::read_attributes(attributes)?,
            cascade: CascadeMeta::read_attributes(attributes)?,
            writer,
        };
        meta.check(attributes.path())?;
        Ok(meta)
    }
}

fn missing_groups(attributes: &Attributes<'_>) -> Result<Vec<GroupNumber>, FormatError> {
    let groups = attributes.i64s("missing_groups")?.into_iter().map(GroupNumber::try_from);
    groups.collect::<Result<_, _>>().map_err(|e| {
        FormatError::invalid(attributes.path(), format!("attribute missing_groups: {e}"))
    })
}
